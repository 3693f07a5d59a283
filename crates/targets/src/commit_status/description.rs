//! Texts of descriptions: their length, and times and durations in them (GS-DESC).

use std::time::Duration;

use campanile_model::Timestamp;
use sha1::{Digest as _, Sha1};

/// Shortens a description to so many characters (GS-DESC-01).
pub(super) fn truncated(description: &str, longest: usize) -> String {
    if description.chars().count() <= longest {
        return description.to_owned();
    }
    description.chars().take(longest.saturating_sub(1)).chain(['…']).collect()
}

/// Most characters of a status's context, key or name: all forges take as many.
const LONGEST_CONTEXT: usize = 255;

/// Shortens a context to what forges take, so that long ones that differ go on differing (GS-DESC-06): the digest of the
/// whole stands at its end.
pub(super) fn distinct(context: &str) -> String {
    if context.chars().count() <= LONGEST_CONTEXT {
        return context.to_owned();
    }
    let digest = hex::encode(Sha1::digest(context.as_bytes()));
    let digest = digest.get(..10).unwrap_or(&digest);
    let kept = LONGEST_CONTEXT.saturating_sub(digest.len() + 1);
    context.chars().take(kept).chain(['…']).chain(digest.chars()).collect()
}

/// Writes a time: `2014-04-19 23:03:46`, with a fraction if it has one, in the zone of this machine (GS-DESC-03).
pub(super) fn local_time(at: Timestamp) -> String {
    at.to_text(&jiff::tz::TimeZone::system())
}

/// Writes a duration in words (GS-DESC-04).
pub(super) fn duration_text(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let parts = [
        (seconds / 86_400, "days"),
        (seconds / 3_600 % 24, "hours"),
        (seconds / 60 % 60, "minutes"),
        (seconds % 60, "seconds"),
    ];
    let texts: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count} {unit}")).collect();
    if texts.is_empty() { "super fast".to_owned() } else { texts.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gs_desc_01_long_descriptions_are_cut() {
        assert_eq!(truncated(&"ü".repeat(140), 140), "ü".repeat(140));
        assert_eq!(truncated(&"ü".repeat(141), 140), format!("{}…", "ü".repeat(139)));
    }

    #[test]
    fn gs_desc_06_long_contexts_stay_apart() {
        assert_eq!(distinct(&"ü".repeat(255)), "ü".repeat(255));
        let (a, b) = (format!("{}a", "x".repeat(258)), format!("{}b", "x".repeat(258)));
        let (short_a, short_b) = (distinct(&a), distinct(&b));
        assert_eq!((short_a.chars().count(), short_b.chars().count()), (255, 255));
        assert_ne!(short_a, short_b);
        assert!(short_a.starts_with(&"x".repeat(244)) && distinct(&a) == short_a);
    }

    #[test]
    fn gs_desc_03_times_have_a_fraction_if_they_need_one() {
        let at = Timestamp::from_seconds(1_397_948_626);
        let whole = jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", local_time(at)).unwrap();
        let zoned = whole.to_zoned(jiff::tz::TimeZone::system()).unwrap();
        assert_eq!(zoned.timestamp().as_second(), 1_397_948_626);
        assert_eq!(local_time(at.after(Duration::from_micros(1_500))), format!("{}.001500", local_time(at)));
    }

    #[test]
    fn gs_desc_04_durations() {
        for (seconds, text) in [
            (0, "super fast"),
            (1, "1 seconds"),
            (60, "1 minutes"),
            (61, "1 minutes, 1 seconds"),
            (3_600, "1 hours"),
            (3_660, "1 hours, 1 minutes"),
            (3_661, "1 hours, 1 minutes, 1 seconds"),
            (86_400, "1 days"),
            (86_401, "1 days, 1 seconds"),
        ] {
            assert_eq!(duration_text(Duration::from_secs(seconds)), text);
        }
    }
}
