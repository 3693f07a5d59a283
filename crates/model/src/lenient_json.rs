//! JSON as the world sends it: with a byte order mark, with half a surrogate pair in a text, with blank for absent.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

/// The bytes without a byte order mark at their start, and with U+FFFD for every `\uD8xx` that lacks its other half.
///
/// Senders on .NET put the mark there (RFC 8259, 8.1 lets a reader ignore it); those that cut a text in the middle of an
/// emoji send the half, which no text can hold. Neither is a reason to lose a push. Borrowed unless something is amiss.
#[must_use]
pub fn lenient_json(bytes: &[u8]) -> Cow<'_, [u8]> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let mut mended: Option<Vec<u8>> = None;
    let mut at = 0;
    while let Some(rest) = bytes.get(at..)
        && let Some(offset) = rest.iter().position(|byte| *byte == b'\\')
    {
        let start = at + offset;
        at = match surrogate(bytes, start) {
            None => start + 2,
            Some(Half::High) if matches!(surrogate(bytes, start + 6), Some(Half::Low)) => start + 12,
            Some(_) => {
                let mended = mended.get_or_insert_with(|| bytes.to_vec());
                if let Some(digits) = mended.get_mut(start + 2..start + 6) {
                    digits.copy_from_slice(b"fffd");
                }
                start + 6
            }
        };
    }
    mended.map_or(Cow::Borrowed(bytes), Cow::Owned)
}

/// Reads JSON that comes from outside, as [`lenient_json`] mends it.
///
/// # Errors
/// When it is none, or no `T`.
pub fn read_json<T: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(&lenient_json(bytes))
}

/// Reads a text of which a blank one counts as absent: shells hand on variables that have no value as `""`.
pub(crate) fn unless_blank<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|text| !text.trim().is_empty()))
}

/// Which half of a pair an escape stands for.
enum Half {
    High,
    Low,
}

/// The half that the escape at `start` is, if it is one.
fn surrogate(bytes: &[u8], start: usize) -> Option<Half> {
    match bytes.get(start..start + 6)? {
        [b'\\', b'u', b'd' | b'D', kind, third, fourth]
            if third.is_ascii_hexdigit() && fourth.is_ascii_hexdigit() =>
        {
            match kind {
                b'8' | b'9' | b'a' | b'b' | b'A' | b'B' => Some(Half::High),
                b'c'..=b'f' | b'C'..=b'F' => Some(Half::Low),
                _ => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(json: &str) -> String {
        read_json(json.as_bytes()).expect("it is a JSON text")
    }

    #[test]
    fn half_a_pair_becomes_the_replacement_character_and_nothing_else_changes() {
        assert_eq!(text(r#""bells \ud83d""#), "bells \u{fffd}");
        assert_eq!(text(r#""\udd14 bells""#), "\u{fffd} bells");
        assert_eq!(text(r#""\uD83D\uD83D\uDD14""#), "\u{fffd}\u{1f514}");
        assert_eq!(text(r#""\ud83d\u0041""#), "\u{fffd}A");
        assert_eq!(text(r#""\\ud83d \ud7ff \\\ud83d""#), "\\ud83d \u{d7ff} \\\u{fffd}");
        let fine = br#"{"a": "\ud83d\udd14 \\ \" \n"}"#;
        assert!(matches!(lenient_json(fine), Cow::Borrowed(same) if same == fine));
    }

    #[test]
    fn a_byte_order_mark_is_passed_over_only_at_the_start() {
        assert_eq!(text("\u{feff}\"a\""), "a");
        assert!(matches!(lenient_json(b"\xEF\xBB\xBF7"), Cow::Borrowed(b"7")));
        assert_eq!(text("\"\u{feff}\""), "\u{feff}");
    }

    #[test]
    fn m_ss_07_blank_branches_and_revisions_are_absent() {
        let stamp: crate::SourceStamp = serde_json::from_str(
            r#"{"branch": "", "revision": " ", "changes": [{"branch": "", "revision": "", "category": "", "committer": ""}]}"#,
        )
        .expect("a source stamp");
        assert_eq!((stamp.branch, stamp.revision), (None, None));
        let change = stamp.changes.into_iter().next().expect("its change");
        assert_eq!(
            (change.branch, change.revision, change.category, change.committer),
            (None, None, None, None)
        );
    }

    proptest::proptest! {
        #[test]
        fn whatever_serde_reads_is_read_the_same(text in ".{0,30}", escapes in "(\\\\u[dD89][89a-fA-F0-9]{3}|\\\\\\\\|a){0,6}") {
            let written = serde_json::to_string(&text).unwrap_or_default();
            proptest::prop_assert_eq!(read_json::<String>(written.as_bytes()).ok(), Some(text));
            let written = format!("\"{escapes}\"");
            let lenient = read_json::<String>(written.as_bytes());
            match serde_json::from_str::<String>(&written) {
                Ok(read) => proptest::prop_assert_eq!(lenient.ok(), Some(read)),
                Err(_) => proptest::prop_assert!(lenient.is_ok()),
            }
        }
    }
}
