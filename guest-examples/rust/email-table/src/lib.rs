//! Mail addresses of version-control users: a table first, then a rule.

/// Users whose address follows no rule; none: no mail for this one. In order of name.
const TABLE: [(&str, Option<&str>); 4] = [
    ("alice", Some("alice@lists.example.org")),
    ("bob", Some("robert@example.com")),
    ("build-bot", None),
    ("root", None),
];
/// Where everybody else has a mailbox of the same name.
const DOMAIN: &str = "example.org";

/// The address of a user, if there is one that may get mail.
pub fn find(user: &str) -> Result<Option<String>, String> {
    let user = user.trim();
    if let Ok(at) = TABLE.binary_search_by(|(name, _)| (*name).cmp(user)) {
        return Ok(TABLE[at].1.map(str::to_owned));
    }
    Ok(by_rule(user))
}

campanile_guest::email_lookup!(find);

/// `Alice <a@b.org>` and `a@b.org` have their address with them; a plain name lives at [`DOMAIN`].
fn by_rule(user: &str) -> Option<String> {
    if let Some((_, rest)) = user.rsplit_once('<') {
        return rest.strip_suffix('>').filter(|address| is_address(address)).map(str::to_owned);
    }
    if user.contains('@') {
        return Some(user).filter(|address| is_address(address)).map(str::to_owned);
    }
    is_mailbox(user).then(|| format!("{}@{DOMAIN}", user.to_ascii_lowercase()))
}

fn is_address(text: &str) -> bool {
    text.split_once('@').is_some_and(|(mailbox, domain)| is_mailbox(mailbox) && is_mailbox(domain))
}

/// Letters, digits, dots, dashes, pluses and underscores: what no mail program takes for something else.
fn is_mailbox(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-+_".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::{TABLE, find};

    fn found(user: &str) -> Option<String> {
        find(user).expect("it has no way to fail")
    }

    #[test]
    fn the_table_is_in_order() {
        assert!(TABLE.is_sorted_by_key(|(name, _)| *name));
    }

    #[test]
    fn the_table_comes_first() {
        assert_eq!(found("bob").as_deref(), Some("robert@example.com"));
        assert_eq!(found(" alice ").as_deref(), Some("alice@lists.example.org"));
        assert_eq!(found("build-bot"), None);
    }

    #[test]
    fn others_follow_the_rule() {
        assert_eq!(found("Carol.Jones").as_deref(), Some("carol.jones@example.org"));
        assert_eq!(found("Dan <dan+ci@example.net>").as_deref(), Some("dan+ci@example.net"));
        assert_eq!(found("eve@example.net").as_deref(), Some("eve@example.net"));
    }

    #[test]
    fn what_is_no_name_has_no_address() {
        for user in ["", "two words", "Dan <dan>", "a@b@c", "x <>", "x\r\nBcc: y", "<a@b", "é"] {
            assert_eq!(found(user), None, "{user}");
        }
    }
}
