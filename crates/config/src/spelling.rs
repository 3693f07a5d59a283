//! The spellings of keys that are taken.

/// True for a key as the manual writes it: `sendToInterestedUsers` for `send_to_interested_users`, `useSSL` for
/// `use_ssl`, `reviewCB` for `review_cb`.
pub(super) fn is_camel_case_of(given: &str, key: &str) -> bool {
    let mut parts = key.split('_');
    let mut rest = match parts.next().and_then(|first| given.strip_prefix(first)) {
        Some(rest) if key.contains('_') => rest,
        _ => return false,
    };
    for part in parts {
        let (head, tail) = rest.split_at_checked(part.len()).unwrap_or_default();
        if !head.eq_ignore_ascii_case(part) || head.starts_with(|first: char| first.is_ascii_lowercase()) {
            return false;
        }
        rest = tail;
    }
    rest.is_empty()
}

/// Names for a sentence: `` `a`, `b` ``.
pub(super) fn quoted_list(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::is_camel_case_of;

    #[test]
    fn the_manuals_spelling_is_known_with_all_its_capitals() {
        for (given, key) in [
            ("sendToInterestedUsers", "send_to_interested_users"),
            ("useSSL", "use_ssl"),
            ("useSsl", "use_ssl"),
            ("reviewCB", "review_cb"),
            ("buildbotURL", "buildbot_url"),
        ] {
            assert!(is_camel_case_of(given, key), "{given}");
        }
        for (given, key) in [
            ("use_ssl", "use_ssl"),
            ("usessl", "use_ssl"),
            ("UseSSL", "use_ssl"),
            ("useSSLs", "use_ssl"),
            ("use", "use_ssl"),
            ("nick", "nick"),
            ("Nick", "nick"),
            ("useü", "use_u"),
        ] {
            assert!(!is_camel_case_of(given, key), "{given}");
        }
    }
}
