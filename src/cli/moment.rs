//! Points in time as people write them on the command line.

use std::time::Duration;

use campanile_model::{ParseDateError, Timestamp, now};

/// Difference that two machines' clocks may have.
const SKEW: Duration = Duration::from_secs(300);
/// The first second of the year 2000: what is said to be older was written in another unit, or by a clock that was never set.
const OLDEST: Timestamp = Timestamp::from_seconds(946_684_800);

/// Reads a date with or without a time; without one it is midnight, and without a zone UTC.
pub(super) fn date(text: &str) -> Result<Timestamp, ParseDateError> {
    let parsed = Timestamp::parse_date(text);
    // Only what fails by itself: in no form that is read does the time stand for itself.
    parsed.or_else(|error| Timestamp::parse_date(&format!("{}T00:00:00Z", text.trim())).map_err(|_| error))
}

/// Reads when something began: seconds since the epoch, or a date. Blank, as a job's variable may be, or zero: it is not
/// known.
pub(super) fn beginning(text: &str) -> Result<Timestamp, String> {
    if text.is_empty() {
        return Ok(Timestamp::default());
    }
    let seconds = text.parse().ok().and_then(Timestamp::from_seconds_f64);
    let at = seconds.map_or_else(|| date(text).map_err(|error| error.to_string()), Ok)?;
    if at == Timestamp::default() {
        return Ok(at);
    }
    let form = "write seconds since the epoch, or a date such as `2026-01-31T14:30:00Z`";
    if at < OLDEST {
        return Err(format!("that is {at}, before the year 2000: {form}"));
    }
    if at > now().after(SKEW) {
        return Err(format!("that is {at}, in the future: {form}"));
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_needs_no_time() {
        assert_eq!(date("2026-11-30").map(Timestamp::to_rfc3339).as_deref(), Ok("2026-11-30T00:00:00Z"));
        assert_eq!(date(" 2026-11-30T08:00+01 ").map(Timestamp::as_seconds), Ok(1_796_022_000));
        for text in ["2026-11", "2026-11-31", "yesterday", "", "2026-11-30T"] {
            assert!(date(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_beginning_lies_behind_us_and_in_this_century() {
        let soon = now().after(Duration::from_secs(60)).as_seconds().to_string();
        for text in ["", "0", "1795376670", "2026-01-31", &soon] {
            assert!(beginning(text).is_ok(), "{text}");
        }
        // Milliseconds, a year, and what no clock says.
        for text in ["1795376670000", "2026", "-5", "1999-12-31", "2099-01-01", "NaN", "inf"] {
            assert!(beginning(text).is_err(), "{text}");
        }
    }
}
