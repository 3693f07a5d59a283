//! Times as people read them and as forges write them. A callback has no time zone, so they are shown in UTC.

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

/// Seconds since the epoch of an RFC 3339 time such as `2014-04-20T01:03:46.5+02:00`; none if it is no such time.
pub fn rfc3339(text: &str) -> Option<Timestamp> {
    let (date, rest) = text.split_once(['T', 't', ' '])?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let zone_at = rest.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = rest.split_at(zone_at);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
    let all_digits = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let days = days_before(year, month, day);
    // The way back finds out the days that no month has, such as 31 February.
    let is_date = (1..=12).contains(&month) && civil(days) == (year, month as usize - 1, day);
    if !is_date || days < 0 || hour > 23 || minute > 59 || second > 60 || !all_digits {
        return None;
    }
    let seconds = days * DAY + hour * 3600 + minute * 60 + second - offset(zone)?;
    Some(seconds as f64 + format!("0.{fraction}").parse::<f64>().ok()?)
}

/// Seconds that a zone such as `+02:00` is ahead of UTC.
fn offset(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let [hours, minutes] = numbers(&zone[1..], ':', [2, 2])?;
    let ahead = hours * 3600 + minutes * 60;
    (hours < 24 && minutes < 60).then_some(if zone.starts_with('-') { -ahead } else { ahead })
}

/// Exactly `N` numbers of the given widths.
fn numbers<const N: usize>(text: &str, separator: char, widths: [usize; N]) -> Option<[i64; N]> {
    let mut parts = text.split(separator);
    let mut all = [0; N];
    for (number, width) in all.iter_mut().zip(widths) {
        let digits = parts.next().filter(|part| part.len() == width)?;
        *number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())??;
    }
    parts.next().is_none().then_some(all)
}

/// Days from 1970-01-01 to a date whose month counts from 1 (Howard Hinnant's algorithm).
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let of_era = year.rem_euclid(400);
    let from_march = (month + 9) % 12;
    let of_year = (153 * from_march + 2) / 5 + day - 1;
    year.div_euclid(400) * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
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
    use super::{rfc3339, text};

    #[test]
    fn times_read_as_buildbot_writes_them() {
        assert_eq!(text(1_397_948_626.0), "Sat 19 Apr 2014 23:03:46");
        assert_eq!(text(0.0), "Thu 01 Jan 1970 00:00:00");
        assert_eq!(text(951_782_400.9), "Tue 29 Feb 2000 00:00:00");
        assert_eq!(text(1_735_689_599.0), "Tue 31 Dec 2024 23:59:59");
    }

    #[test]
    fn times_of_forges_are_read() {
        for (written, seconds) in [
            ("2014-04-19T23:03:46Z", 1_397_948_626.0),
            ("2014-04-20T01:03:46.5+02:00", 1_397_948_626.5),
            ("2014-04-19 18:33:46-04:30", 1_397_948_626.0),
            ("1970-01-01T00:00:00Z", 0.0),
            ("2000-02-29T00:00:00.000z", 951_782_400.0),
            ("2024-12-31T23:59:59Z", 1_735_689_599.0),
        ] {
            assert_eq!(rfc3339(written), Some(seconds), "{written}");
        }
        for day in 0..40_000 {
            let noon = f64::from(day) * 86_400.0 + 43_200.0;
            let (year, month, of_month) = super::civil(day.into());
            let written = format!("{year:04}-{:02}-{of_month:02}T12:00:00Z", month + 1);
            assert_eq!(rfc3339(&written), Some(noon), "{written}");
        }
    }

    #[test]
    fn what_no_forge_means_is_no_time() {
        for written in [
            "",
            "yesterday",
            "2014-04-19",
            "2014-04-19T23:03:46",
            "2014-02-30T00:00:00Z",
            "2014-13-01T00:00:00Z",
            "2014-00-01T00:00:00Z",
            "2014-04-19T24:00:00Z",
            "2014-04-19T23:03Z",
            "2014-04-19T23:03:46.Z",
            "2014-04-19T23:03:46+2",
            "2014-04-19T23:03:46+é0:00",
            "1969-12-31T23:59:59Z",
            "+014-04-19T23:03:46Z",
        ] {
            assert_eq!(rfc3339(written), None, "{written}");
        }
    }

    #[test]
    fn what_is_no_time_is_a_question_mark() {
        for when in [f64::NAN, f64::INFINITY, -1.0, 1e18] {
            assert_eq!(text(when), "?");
        }
    }
}
