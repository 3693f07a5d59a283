//! Points in time, and the date forms that the outside world writes them in (H-CH-06).

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};

/// A point in time, kept in microseconds since the Unix epoch; seconds, as a number, in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

const MICROS: i64 = 1_000_000;
/// 0001-01-03: Go's zero time lies before it in every zone.
const END_OF_GOS_ZERO: i64 = -62_135_424_000;

impl Timestamp {
    /// From whole microseconds since the epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From whole seconds since the epoch; saturates far outside of history.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(MICROS))
    }

    /// From seconds with a fraction; none for what is no number.
    #[must_use]
    pub fn from_seconds_f64(seconds: f64) -> Option<Self> {
        // The cast saturates, which is the wanted meaning for absurdly large values.
        #[allow(clippy::cast_possible_truncation)]
        seconds.is_finite().then(|| Self((seconds * 1e6).round() as i64))
    }

    /// False for the epoch itself, which stands for a time that nobody knows (M-CH-03).
    #[must_use]
    pub fn is_known(&self) -> bool {
        *self != Self::default()
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(MICROS)
    }

    /// Seconds since the epoch with their fraction.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // exact for 285 years around the epoch
    pub fn as_seconds_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// This point moved by a duration; saturates.
    #[must_use]
    pub fn after(self, duration: std::time::Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(micros))
    }

    /// Time from `earlier` to this point; zero when it lies later.
    #[must_use]
    pub fn since(self, earlier: Self) -> std::time::Duration {
        let micros = self.0.saturating_sub(earlier.0);
        std::time::Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }

    /// Reads a date as forges and mail write them, to whole seconds (H-CH-06). The year 1, which programs in Go write for
    /// a time that they don't know, becomes the epoch, which stands for the same here.
    ///
    /// # Errors
    /// Says which text is no date, and which forms are read.
    pub fn parse_date(text: &str) -> Result<Self, ParseDateError> {
        let trimmed = text.trim();
        parse_iso(trimmed)
            .or_else(|| jiff::fmt::rfc2822::parse(trimmed).ok().map(|zoned| zoned.timestamp().as_second()))
            .map(|seconds| if seconds < END_OF_GOS_ZERO { 0 } else { seconds })
            .map(Self::from_seconds)
            .ok_or_else(|| ParseDateError(text.chars().take(60).collect()))
    }

    /// `2014-04-19 23:03:46.000001` in a zone, without a fraction that is zero.
    #[must_use]
    pub fn to_text(self, zone: &jiff::tz::TimeZone) -> String {
        let Ok(stamp) = jiff::Timestamp::from_microsecond(self.as_micros()) else { return String::new() };
        let fraction = self.as_micros().rem_euclid(1_000_000);
        let format = if fraction == 0 { "%Y-%m-%d %H:%M:%S" } else { "%Y-%m-%d %H:%M:%S.%6f" };
        stamp.to_zoned(zone.clone()).strftime(format).to_string()
    }

    /// RFC 3339 text in UTC, to the second.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        match jiff::Timestamp::from_second(self.as_seconds()) {
            Ok(timestamp) => timestamp.to_string(),
            Err(_) => format!("@{}", self.as_seconds()),
        }
    }
}

/// ISO 8601 and RFC 3339 with `T` or one space, optional fraction and zone; no zone means UTC.
fn parse_iso(text: &str) -> Option<i64> {
    let (date, rest) = text.split_once(['T', 't', ' '])?;
    let zone_at = rest.find(['Z', 'z', '+', '-', ' ']).unwrap_or(rest.len());
    let (time, zone) = (rest.get(..zone_at)?, rest.get(zone_at..)?);
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    if fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut ymd = date.splitn(3, '-');
    let (year, month, day) = (digits(ymd.next()?, 4)?, digits(ymd.next()?, 2)?, digits(ymd.next()?, 2)?);
    let mut hms = clock.splitn(3, ':');
    let (hour, minute) = (digits(hms.next()?, 2)?, digits(hms.next()?, 2)?);
    let second = hms.next().map_or(Some(0), |s| digits(s, 2))?;
    let civil = jiff::civil::DateTime::new(
        i16::try_from(year).ok()?,
        i8::try_from(month).ok()?,
        i8::try_from(day).ok()?,
        i8::try_from(hour).ok()?,
        i8::try_from(minute).ok()?,
        i8::try_from(second.min(59)).ok().filter(|_| second <= 60)?,
        0,
    )
    .ok()?;
    let utc = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second();
    Some(utc - zone_offset(zone)?)
}

/// Seconds east of UTC: nothing, `Z`, ` UTC`, `±HH`, `±HHMM` or `±HH:MM`.
fn zone_offset(zone: &str) -> Option<i64> {
    let zone = zone.strip_prefix(' ').unwrap_or(zone);
    if zone.is_empty() || zone.eq_ignore_ascii_case("z") || zone == "UTC" {
        return Some(0);
    }
    let (sign, rest) = match zone.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = match rest.len() {
        2 => (digits(rest, 2)?, 0),
        4 => (digits(rest.get(..2)?, 2)?, digits(rest.get(2..)?, 2)?),
        5 => {
            let (hours, minutes) = rest.split_once(':')?;
            (digits(hours, 2)?, digits(minutes, 2)?)
        }
        _ => return None,
    };
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn digits(text: &str, count: usize) -> Option<i64> {
    (text.len() == count && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

/// A text that is none of the date forms that are read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a date; write it like 2026-01-31T14:30:00Z")]
pub struct ParseDateError(pub String);

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_rfc3339())
    }
}

/// Reads a point in time that may be unknown: left out, null, or the zero that feeds write for it (M-B-08).
pub(crate) fn known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let told = Option::<Timestamp>::deserialize(deserializer)?;
    Ok(told.filter(Timestamp::is_known))
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 % MICROS == 0 {
            serializer.serialize_i64(self.as_seconds())
        } else {
            serializer.serialize_f64(self.as_seconds_f64())
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    /// Takes seconds since the epoch or a date (H-CH-06).
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SecondsOrDate;

        impl Visitor<'_> for SecondsOrDate {
            type Value = Timestamp;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("seconds since the epoch, or a date like 2026-01-31T14:30:00Z")
            }

            fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Timestamp, E> {
                Ok(Timestamp::from_seconds(seconds))
            }

            fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Timestamp, E> {
                Ok(Timestamp::from_seconds(i64::try_from(seconds).unwrap_or(i64::MAX)))
            }

            fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Timestamp, E> {
                Timestamp::from_seconds_f64(seconds).ok_or_else(|| E::custom("not a finite number"))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
                Timestamp::parse_date(text).map_err(E::custom)
            }
        }

        deserializer.deserialize_any(SecondsOrDate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h_ch_06_dates() {
        for (text, seconds) in [
            ("2008-02-15T14:57:17-08:00", 1_203_116_237),
            ("2012-05-30 03:58:56+00:00", 1_338_350_336),
            ("2011-12-12T14:27:31+02:00", 1_323_692_851),
            ("2018-05-15 14:51:27 UTC", 1_526_395_887),
            ("2018-05-15T14:51:27.999Z", 1_526_395_887),
            ("2018-05-15T14:51:27", 1_526_395_887),
            ("2018-05-15T16:51:27+0200", 1_526_395_887),
            ("2018-05-15T16:51:27 +02", 1_526_395_887),
            ("Tue, 15 May 2018 14:51:27 GMT", 1_526_395_887),
            ("Tue, 15 May 2018 16:51:27 +0200", 1_526_395_887),
            ("0001-01-01T00:00:00Z", 0),
            ("0001-01-01T00:00:00+08:00", 0),
        ] {
            assert_eq!(Timestamp::parse_date(text), Ok(Timestamp::from_seconds(seconds)), "{text}");
        }
        for text in ["", "yesterday", "2018-13-01T00:00:00Z", "2018-05-15", "2018-05-15T14:51:27+2", "1T1"] {
            assert!(Timestamp::parse_date(text).is_err(), "{text}");
        }
    }

    #[test]
    fn json_keeps_the_fraction_and_whole_seconds_stay_whole() {
        let stamp: Timestamp = serde_json::from_str("1700000000.25").unwrap_or_default();
        assert_eq!(stamp.as_micros(), 1_700_000_000_250_000);
        assert_eq!(serde_json::to_string(&stamp).ok().as_deref(), Some("1700000000.25"));
        let whole: Timestamp = serde_json::from_str("1700000000").unwrap_or_default();
        assert_eq!(serde_json::to_string(&whole).ok().as_deref(), Some("1700000000"));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_date_reader_panic(text in "\\PC{0,40}") {
            let _ = Timestamp::parse_date(&text);
        }

        #[test]
        fn h_ch_06_rfc3339_reads_back(seconds in 0i64..4_000_000_000) {
            let stamp = Timestamp::from_seconds(seconds);
            proptest::prop_assert_eq!(Timestamp::parse_date(&stamp.to_rfc3339()), Ok(stamp));
        }
    }
}
