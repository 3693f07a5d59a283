//! Mail addresses of version-control users: a table of exceptions first, then a rule.

/// Users whose address follows no rule; none: no mail for this one.
const TABLE: [(&str, Option<&str>); 2] = [("bob", Some("robert@example.com")), ("build-bot", None)];
/// Where everybody else has a mailbox of the same name.
const DOMAIN: &str = "example.org";

/// The address of a user, if there is one that may get mail.
pub fn find(user: &str) -> Result<Option<String>, String> {
    if let Some((_, address)) = TABLE.iter().find(|(name, _)| *name == user) {
        return Ok(address.map(str::to_owned));
    }
    // `Alice <a@b.org>` has its address with it.
    if let Some((_, rest)) = user.rsplit_once('<') {
        return Ok(rest.strip_suffix('>').map(str::to_owned));
    }
    let is_name = !user.is_empty() && user.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
    Ok(is_name.then(|| format!("{}@{DOMAIN}", user.to_ascii_lowercase())))
}

campanile_guest::email_lookup!(find);

#[cfg(test)]
mod tests {
    use super::find;

    fn found(user: &str) -> Option<String> {
        find(user).expect("it has no way to fail")
    }

    #[test]
    fn the_table_comes_first() {
        assert_eq!(found("bob").as_deref(), Some("robert@example.com"));
        assert_eq!(found("build-bot"), None);
    }

    #[test]
    fn others_are_found_by_rule() {
        assert_eq!(found("Ada").as_deref(), Some("ada@example.org"));
        assert_eq!(found("Alice <alice@lists.example.org>").as_deref(), Some("alice@lists.example.org"));
        assert_eq!(found("nobody at all"), None);
    }
}
