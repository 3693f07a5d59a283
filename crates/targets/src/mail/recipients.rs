//! Recipients of a mail: those who are interested in a build, their addresses, and each mailbox once (M-27 to M-38).

use super::address::Address;
use crate::name_filter::NameFilter;
use campanile_config::User;
use campanile_model::{Build, owners};

/// Addresses that forges make to hide those of people, and that bounce.
pub(super) const DEFAULT_IGNORED: [&str; 4] =
    ["noreply@github.com", "*@users.noreply.*", "*@noreply.*", "*@*.noreply.*"];

/// The people that a mail target tells, and the ways to their addresses.
#[derive(Clone, Debug)]
pub(super) struct Audience {
    /// Tells those behind a build (M-27).
    pub(super) interested: bool,
    /// Addresses that are told of every build.
    pub(super) extra: Vec<Address>,
    /// Domain of names that are no address (M-30).
    pub(super) domain: Option<String>,
    /// Uses a name that is an address, where no record is known (M-32).
    pub(super) author_addresses: bool,
    /// The user records (M-29).
    pub(super) users: Vec<User>,
    /// Addresses of interested users that get no mail (M-78).
    pub(super) ignored: NameFilter,
}

/// Addressees, each mailbox once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Recipients {
    /// For `To`.
    pub(super) to: Vec<Address>,
    /// For `Cc`.
    pub(super) cc: Vec<Address>,
}

impl Recipients {
    /// True if nobody is left (M-38).
    pub(super) fn is_empty(&self) -> bool {
        self.to.is_empty() && self.cc.is_empty()
    }

    /// The bare addresses that a relay is told, each once (M-37, M-66).
    pub(super) fn envelope(&self) -> Vec<String> {
        self.to.iter().chain(&self.cc).map(Address::envelope).collect()
    }
}

impl Audience {
    /// Recipients of a mail about these builds (M-25, M-35).
    pub(super) fn of(&self, builds: &[&Build]) -> Recipients {
        let builds = builds.iter().filter(|_| self.interested);
        self.told(builds.flat_map(|build| self.interested_in(build)).collect())
    }

    /// Those of a list of names and addresses, and nobody else.
    pub(super) fn named(&self, names: &[String]) -> Recipients {
        let found = names.iter().filter_map(|name| match &self.domain {
            Some(domain) => at_domain(name, domain),
            None => cleaned(name),
        });
        Recipients { to: distinct(found.collect()), cc: Vec::new() }
    }

    /// As `of`, with what a callback answered for the interested users instead (M-31).
    pub(super) fn of_found(&self, answers: &[String]) -> Recipients {
        self.told(answers.iter().filter_map(|answer| cleaned(answer)).collect())
    }

    fn told(&self, interested: Vec<Address>) -> Recipients {
        let to = distinct(interested.into_iter().filter(|address| !self.ignores(address)).collect());
        let extra = distinct(self.extra.clone());
        if to.is_empty() {
            return Recipients { to: extra, cc: Vec::new() };
        }
        let cc = extra.into_iter().filter(|cc| !to.iter().any(|to| to.is_same_mailbox(cc))).collect();
        Recipients { to, cc }
    }

    /// True for an address that nobody reads, such as those that a forge puts into commits to hide the real one.
    fn ignores(&self, address: &Address) -> bool {
        let address = address.envelope().to_lowercase();
        let ignores = self.ignored.passes([address.as_str()]);
        if ignores {
            tracing::debug!(address, "mail: left out by `ignored_addresses`");
        }
        ignores
    }

    fn interested_in(&self, build: &Build) -> Vec<Address> {
        let owners = owners(&build.properties);
        if !owners.ignored.is_empty() {
            tracing::warn!(
                build = %build.id(),
                ignored = owners.ignored.len(),
                "mail: `owner` and `owners` hold values that are no names"
            );
        }
        match &self.domain {
            Some(domain) => {
                let names = build.interested_users();
                names.iter().filter_map(|name| at_domain(name, domain)).collect()
            }
            None => self.by_records(build, &owners.names),
        }
    }

    /// Change authors by the name that their version control knows, owners and patch authors by login name (M-29).
    fn by_records(&self, build: &Build, owners: &[String]) -> Vec<Address> {
        let authors = build.changes().map(|change| {
            let src = change.src.as_deref();
            let knows = |user: &&User| {
                user.vcs.iter().any(|(kind, name)| Some(kind.as_str()) == src && *name == change.who)
            };
            (change.who.as_str(), self.users.iter().find(knows))
        });
        let patches = build.source_stamps.iter().filter_map(|stamp| stamp.patch.as_ref());
        let logins = patches.map(|patch| patch.author.as_str()).chain(owners.iter().map(String::as_str));
        let by_login =
            logins.map(|login| (login, self.users.iter().find(|user| user.login.as_deref() == Some(login))));
        authors
            .chain(by_login)
            .filter_map(|(name, user)| match user {
                Some(user) => cleaned(user.email.as_deref()?),
                None if self.author_addresses => Address::parse(first_address(name)).ok(),
                None => None,
            })
            .collect()
    }
}

/// A name at a domain, or the name itself when it is an address already (M-30).
fn at_domain(name: &str, domain: &str) -> Option<Address> {
    if name.contains('@') { cleaned(name) } else { cleaned(&format!("{name}@{domain}")) }
}

/// An address found by lookup: cut before a second `@`, dropped when it is none (M-33).
fn cleaned(found: &str) -> Option<Address> {
    let text = first_address(found);
    let address = Address::parse(text).ok();
    if address.is_none() {
        tracing::warn!("mail: INVALID EMAIL: {text:?} is no mail address and gets no mail");
    }
    address
}

/// A name without what git-svn puts behind its address: cut before a second `@` (M-33).
fn first_address(name: &str) -> &str {
    match name.rsplit_once('@') {
        Some((front, _)) if front.contains('@') => front,
        _ => name,
    }
}

/// Each mailbox once, in the form that has a display name, sorted (M-36, M-37).
fn distinct(addresses: Vec<Address>) -> Vec<Address> {
    let mut kept: Vec<Address> = Vec::with_capacity(addresses.len());
    for address in addresses {
        match kept.iter_mut().find(|known| known.is_same_mailbox(&address)) {
            Some(known) if !known.is_named() && address.is_named() => *known = address,
            Some(_) => {}
            None => kept.push(address),
        }
    }
    kept.sort_by_cached_key(Address::to_string);
    kept
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use campanile_model::{Change, Patch, SourceStamp};
    use serde_json::json;

    fn audience() -> Audience {
        Audience {
            interested: true,
            extra: Vec::new(),
            domain: None,
            author_addresses: false,
            users: Vec::new(),
            ignored: NameFilter::new(&DEFAULT_IGNORED.map(str::to_owned)).unwrap(),
        }
    }

    fn addresses(texts: &[&str]) -> Vec<Address> {
        texts.iter().map(|text| Address::parse(text).unwrap()).collect()
    }

    fn written(addresses: &[Address]) -> Vec<String> {
        addresses.iter().map(ToString::to_string).collect()
    }

    fn build(authors: &[&str]) -> Build {
        let change =
            |who: &&str| Change { who: (*who).to_owned(), src: Some("git".to_owned()), ..Change::default() };
        let mut build = Build::new("b", 1);
        build.source_stamps =
            vec![SourceStamp { changes: authors.iter().map(change).collect(), ..SourceStamp::default() }];
        build
    }

    #[test]
    fn m_27_nobody_but_the_extra_ones() {
        let audience = Audience {
            interested: false,
            extra: addresses(&["b@x.org", "a@x.org"]),
            domain: Some("x.org".to_owned()),
            ..audience()
        };
        let recipients = audience.of(&[&build(&["zoe"])]);
        assert_eq!(written(&recipients.to), ["a@x.org", "b@x.org"]);
        assert!(recipients.cc.is_empty());
    }

    #[test]
    fn m_29_records_by_version_control_and_by_login() {
        let user = |login: &str, git: &str, email: Option<&str>| User {
            identifier: login.to_owned(),
            login: Some(login.to_owned()),
            email: email.map(str::to_owned),
            email_location: None,
            vcs: vec![("git".to_owned(), git.to_owned())],
        };
        let audience = Audience {
            users: vec![
                user("zoe", "Zoe <zoe@home>", Some("zoe@x.org")),
                user("bob", "Bob", Some("bob@x.org")),
                user("kim", "Kim", None),
            ],
            ..audience()
        };
        let mut build = build(&["Zoe <zoe@home>", "Kim", "bob"]);
        assert_eq!(written(&audience.of(&[&build]).to), ["zoe@x.org"]);
        build.properties.set("owner", json!("bob"), "Force");
        assert_eq!(written(&audience.of(&[&build]).to), ["bob@x.org", "zoe@x.org"]);
        let mut patched = Build::new("b", 2);
        patched.source_stamps = vec![SourceStamp {
            patch: Some(Patch { author: "bob".to_owned(), ..Patch::default() }),
            ..SourceStamp::default()
        }];
        assert_eq!(written(&audience.of(&[&patched]).to), ["bob@x.org"]);
    }

    #[test]
    fn m_30_a_domain_is_put_after_names() {
        let audience = Audience { domain: Some("x.org".to_owned()), ..audience() };
        let mut build = build(&["zoe", "Ada <ada@y.org>"]);
        build.properties.set("owners", json!(["kim"]), "Build");
        assert_eq!(written(&audience.of(&[&build]).to), ["Ada <ada@y.org>", "kim@x.org", "zoe@x.org"]);
    }

    #[test]
    fn m_32_authors_that_are_addresses() {
        let build = build(&["Ada <ada@y.org>", "zoe"]);
        assert!(audience().of(&[&build]).is_empty());
        let audience = Audience { author_addresses: true, ..audience() };
        assert_eq!(written(&audience.of(&[&build]).to), ["Ada <ada@y.org>"]);
        for (who, mailed) in [
            ("'Bob' <bob@foo.com>@foo.com", &["'Bob' <bob@foo.com>"][..]),
            ("bob@foo.com@foo.com", &["bob@foo.com"]),
            ("<a@b.org>, <c@d.org>", &[]),
        ] {
            assert_eq!(written(&audience.of(&[&tests::build(&[who])]).to), mailed, "{who}");
        }
    }

    #[test]
    fn m_78_addresses_that_nobody_reads() {
        let build = build(&[
            "Ada <123+ada@users.noreply.github.com>",
            "GitHub <NoReply@GitHub.com>",
            "1-ada@users.noreply.gitlab.example.org",
            "Bo <bo@noreply.codeberg.org>",
            "zoe@x.org",
        ]);
        let extra = addresses(&["noreply@github.com"]);
        let audience = Audience { author_addresses: true, extra, ..audience() };
        let recipients = audience.of(&[&build]);
        assert_eq!(written(&recipients.to), ["zoe@x.org"]);
        assert_eq!(written(&recipients.cc), ["noreply@github.com"], "what settings name is told");
        let found = audience.of_found(&["123+ada@users.noreply.github.com".to_owned()]);
        assert_eq!(written(&found.to), ["noreply@github.com"], "a lookup's answers too");
        let all = Audience { ignored: NameFilter::new(&[]).unwrap(), extra: Vec::new(), ..audience };
        assert_eq!(all.of(&[&build]).to.len(), 5);
    }

    #[test]
    fn m_33_found_addresses_are_cleaned() {
        let clean = |text| cleaned(text).map(|address| address.to_string());
        assert_eq!(clean("'Bob' <bob@foo.com>@foo.com").as_deref(), Some("'Bob' <bob@foo.com>"));
        assert_eq!(clean("a@b@c.com"), None);
        assert_eq!(clean("zoe v@x.org"), None);
    }

    #[test]
    fn m_37_both_are_sorted_and_everybody_is_in_the_envelope_once() {
        let audience = Audience {
            domain: Some("x.org".to_owned()),
            extra: addresses(&["z@x.org", "B@x.org", "a@x.org"]),
            ..audience()
        };
        let recipients = audience.of(&[&build(&["zoe", "Ada", "eve"])]);
        assert_eq!(written(&recipients.to), ["Ada@x.org", "eve@x.org", "zoe@x.org"]);
        assert_eq!(written(&recipients.cc), ["B@x.org", "a@x.org", "z@x.org"]);
        let all = ["Ada@x.org", "eve@x.org", "zoe@x.org", "B@x.org", "a@x.org", "z@x.org"];
        assert_eq!(recipients.envelope(), all);
    }

    #[test]
    fn m_35_to_and_cc() {
        let audience =
            Audience { domain: Some("x.org".to_owned()), extra: addresses(&["list@x.org"]), ..audience() };
        let recipients = audience.of(&[&build(&["zoe"])]);
        assert_eq!(
            (written(&recipients.to), written(&recipients.cc)),
            (vec!["zoe@x.org".to_owned()], vec!["list@x.org".to_owned()])
        );
        assert_eq!(recipients.envelope(), ["zoe@x.org", "list@x.org"]);
        let recipients = audience.of(&[&build(&[])]);
        assert_eq!((written(&recipients.to), recipients.cc), (vec!["list@x.org".to_owned()], Vec::new()));
    }

    #[test]
    fn m_36_one_mailbox_is_told_once() {
        let audience = Audience {
            domain: Some("x.org".to_owned()),
            extra: addresses(&["zoe@X.org", "l@x.org", "List <l@x.org>", "L@x.org"]),
            ..audience()
        };
        let recipients = audience.of(&[&build(&["zoe", "Zoe <zoe@X.ORG>"])]);
        assert_eq!(written(&recipients.to), ["Zoe <zoe@X.ORG>"]);
        assert_eq!(written(&recipients.cc), ["L@x.org", "List <l@x.org>"]);
    }

    #[test]
    fn m_38_nobody_left() {
        assert!(audience().of(&[&build(&["zoe"])]).is_empty());
    }
}
