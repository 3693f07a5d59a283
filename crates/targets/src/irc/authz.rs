//! Rules of who may use which command (I-ADD-01).

use std::collections::BTreeMap;

use campanile_config::Reader;
use campanile_irc::same_name;

/// Commands that change something at the CI or where the bot is.
pub(super) const DANGEROUS: [&str; 5] = ["force", "join", "leave", "shutdown", "stop"];

/// People who may use a command.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Allowed {
    /// Everybody, or nobody.
    All(bool),
    /// Those with one of these names: the account where the server tells it, else the nickname.
    Names(Vec<String>),
}

/// The rules of `authz`; without any, `allow_force` and `allow_shutdown` rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Authz(BTreeMap<String, Allowed>);

impl Authz {
    /// Reads `authz`: a table from a command, or several parted by commas or blanks, to `true`, `false`, a name or names.
    pub(super) fn read(reader: &Reader<'_>, commands: &[&str]) -> Option<Self> {
        let table = reader.table("authz")?;
        let mut rules = BTreeMap::new();
        for (key, item) in table.entries() {
            let allowed = match (item.as_boolean(), item.as_text()) {
                (Some(all), _) => Some(Allowed::All(all)),
                (_, Some(name)) => Some(Allowed::Names(vec![name.to_owned()])),
                _ if item.list().is_some() => item.texts(key).map(Allowed::Names),
                _ => item.wrong_type(key, "true, false, a name, or a list of names"),
            };
            let Some(allowed) = allowed else { continue };
            let words = key.split([',', ' ']).filter(|word| !word.is_empty());
            let names: Vec<&str> = if key.is_empty() { vec![""] } else { words.collect() };
            for name in names {
                let lower = name.to_lowercase();
                if !matches!(name, "" | "!" | "*") && !commands.contains(&lower.as_str()) {
                    item.error(format!(
                        "`authz`: there is no command `{name}`; known are {}",
                        commands.join(", ")
                    ));
                }
                rules.insert(lower, allowed.clone());
            }
        }
        table.finish();
        Some(Self(rules))
    }

    /// Says whether somebody may use a command. Its own rule counts first, then `*`, then that of its class: `!` for
    /// dangerous commands, the empty name for all others.
    pub(super) fn allows(&self, command: &str, nick: &str, account: Option<&str>) -> bool {
        let dangerous = DANGEROUS.contains(&command);
        let class = if dangerous { "!" } else { "" };
        let rule = [command, "*", class].into_iter().find_map(|key| self.0.get(key));
        match rule {
            None => !dangerous,
            Some(Allowed::All(all)) => *all,
            // Whoever is logged in is known by the account: a nickname can be anybody's.
            Some(Allowed::Names(names)) => names.iter().any(|name| same_name(name, account.unwrap_or(nick))),
        }
    }

    /// Says whether any rule names people, so that it matters who they are.
    pub(super) fn names_people(&self) -> bool {
        self.0.values().any(|allowed| matches!(allowed, Allowed::Names(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(rules: &[(&str, Allowed)]) -> Authz {
        Authz(rules.iter().map(|(key, allowed)| ((*key).to_owned(), allowed.clone())).collect())
    }

    fn names(names: &[&str]) -> Allowed {
        Allowed::Names(names.iter().map(|&name| name.to_owned()).collect())
    }

    #[test]
    fn i_add_01_own_entry_then_star_then_class_then_default() {
        let none = rules(&[]);
        assert!(none.allows("status", "eve", None) && !none.allows("force", "eve", None));
        let some = rules(&[("force", names(&["Ada"])), ("!", Allowed::All(true)), ("", Allowed::All(false))]);
        assert!(some.allows("force", "ada", None) && !some.allows("force", "eve", None));
        assert!(some.allows("stop", "eve", None) && !some.allows("status", "eve", None));
        let star = rules(&[("*", names(&["ada"])), ("status", Allowed::All(true))]);
        assert!(star.allows("shutdown", "ada", None) && !star.allows("shutdown", "eve", None));
        assert!(star.allows("status", "eve", None) && !star.allows("last", "eve", None));
    }

    #[test]
    fn i_add_01_an_account_counts_for_more_than_a_nickname() {
        let rule = rules(&[("force", names(&["ada"]))]);
        assert!(rule.allows("force", "ada_", Some("ada")));
        assert!(!rule.allows("force", "ada", Some("eve")));
        assert!(rule.names_people());
    }
}
