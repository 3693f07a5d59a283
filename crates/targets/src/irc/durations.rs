//! Lengths of time as people read them on a line (I-TIM-01).

use std::time::Duration;

/// Words for a length of time: `59 seconds`, `2m05s`, `1h00m07s`; fractions are cut.
pub(super) fn spoken(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes, rest) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds} seconds"),
        (0, _) => format!("{minutes}m{rest:02}s"),
        _ => format!("{hours}h{minutes:02}m{rest:02}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i_tim_01_seconds_minutes_hours() {
        for (millis, text) in [
            (0, "0 seconds"),
            (1_999, "1 seconds"),
            (59_000, "59 seconds"),
            (60_000, "1m00s"),
            (125_000, "2m05s"),
            (3_600_000, "1h00m00s"),
            (90_061_000, "25h01m01s"),
        ] {
            assert_eq!(spoken(Duration::from_millis(millis)), text);
        }
    }
}
