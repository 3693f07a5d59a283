//! Times as people read them. A callback has no time zone, so they are in UTC.

use crate::Timestamp;

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAY: i64 = 86_400;
/// Seconds at which year 10000 begins: later times are no times.
const LATEST: f64 = 253_402_300_800.0;

/// A time as `Sat 19 Apr 2014 23:03:46`, or `?` if it is none (not a number, before 1970, after 9999).
pub fn text(when: Timestamp) -> String {
    if !(0.0..LATEST).contains(&when) {
        return "?".to_owned();
    }
    // In range by the check above; the fraction is meant to go.
    let seconds = when as i64;
    let (days, of_day) = (seconds / DAY, seconds % DAY);
    let (year, month, day) = civil(days);
    format!(
        "{} {day:02} {} {year:04} {:02}:{:02}:{:02}",
        DAYS[(days % 7) as usize],
        MONTHS[month],
        of_day / 3600,
        of_day / 60 % 60,
        of_day % 60
    )
}

/// Year, month from 0 and day of month, of a day counted from 1970-01-01 (Howard Hinnant's algorithm).
fn civil(days: i64) -> (i64, usize, i64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Months counted from March, so that the leap day comes last.
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 2 } else { from_march - 10 };
    (year_of_era + era * 400 + i64::from(month < 2), month as usize, day)
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn times_read_as_buildbot_writes_them() {
        assert_eq!(text(1_397_948_626.0), "Sat 19 Apr 2014 23:03:46");
        assert_eq!(text(0.0), "Thu 01 Jan 1970 00:00:00");
        assert_eq!(text(951_782_400.9), "Tue 29 Feb 2000 00:00:00");
        assert_eq!(text(1_735_689_599.0), "Tue 31 Dec 2024 23:59:59");
    }

    #[test]
    fn what_is_no_time_is_a_question_mark() {
        for when in [f64::NAN, f64::INFINITY, -1.0, 1e18] {
            assert_eq!(text(when), "?");
        }
    }
}
