//! The options that describe a build, whatever is told of it.

use serde_json::Value;

use crate::cli::address;
use crate::cli::output::printable;
use campanile_model::{Build, BuildId, Change, Properties, SourceStamp, non_empty, now, one_line, web_link};

#[derive(clap::Args)]
pub(super) struct Facts {
    /// Builder's name
    #[arg(long)]
    builder: String,
    /// Build number
    #[arg(long)]
    number: u64,
    /// Page that shows the build
    #[arg(long, value_parser = address::page)]
    url: Option<String>,
    /// Worker's name
    #[arg(long, default_value = "")]
    worker: String,
    /// Reason for the run
    #[arg(long, default_value = "")]
    reason: String,
    /// Tag of the builder; repeatable
    #[arg(long)]
    tag: Vec<String>,
    /// Repository that was built
    #[arg(long, default_value = "")]
    repository: String,
    /// Its project
    #[arg(long, default_value = "")]
    project: String,
    /// Its branch
    #[arg(long)]
    branch: Option<String>,
    /// Its revision
    #[arg(long)]
    revision: Option<String>,
    /// Whose change it was; repeatable
    #[arg(long, value_name = "AUTHOR")]
    who: Vec<String>,
    /// A property, its value JSON or text; repeatable
    #[arg(short, long, value_name = "NAME=VALUE", value_parser = property)]
    property: Vec<(String, Value)>,
}

impl Facts {
    pub(super) fn id(&self) -> BuildId {
        BuildId { builder: self.builder.clone(), number: self.number }
    }

    /// Warns of authors that no mail can reach as they are written, and of a page that none links to.
    pub(super) fn warn_of_oddities(&self) {
        if non_empty(self.url.clone()).is_some_and(|url| web_link(&url).is_none()) {
            // Not shown: it may hold a password.
            eprintln!(
                "campanile: `--url` is not linked: write quotes, angle brackets and backslashes as `%22`, `%3C` and the like, \
                 and leave out user and password"
            );
        }
        for who in &self.who {
            if let Some(fault) = fault_of(who) {
                eprintln!("campanile: `--who {}`: {fault}", printable(who));
            }
        }
    }

    /// Makes the build of which this much is known. A blank option says nothing: a job's variables are blank where it has
    /// no branch or no author.
    pub(super) fn build(&self) -> Build {
        let mut build = Build::new(self.builder.as_str(), self.number);
        build.url = non_empty(self.url.clone());
        build.reason.clone_from(&self.reason);
        build.tags.clone_from(&self.tag);
        if !self.worker.is_empty() {
            build.worker.clone_from(&self.worker);
        }
        build.properties = Properties::new();
        for (name, value) in &self.property {
            build.properties.set(name, value.clone(), "report");
        }
        let (branch, revision) = (non_empty(self.branch.clone()), non_empty(self.revision.clone()));
        let change = |who: &String| Change {
            who: one_line(who),
            branch: branch.clone(),
            revision: revision.clone(),
            repository: self.repository.clone(),
            project: self.project.clone(),
            when: now(),
            ..Change::default()
        };
        let changes: Vec<Change> = self.who.iter().filter(|who| names_somebody(who)).map(change).collect();
        if branch.is_some() || revision.is_some() || !self.repository.is_empty() || !changes.is_empty() {
            build.source_stamps.push(SourceStamp {
                branch,
                revision,
                repository: self.repository.clone(),
                project: self.project.clone(),
                changes,
                ..SourceStamp::default()
            });
        }
        build
    }
}

/// False for the `$NAME <$ADDRESS>` of a job without an author.
fn names_somebody(who: &str) -> bool {
    who.chars().any(char::is_alphanumeric)
}

/// Says why no mail reaches an author; none for one who may be found. A name without an address is: by `lookup`.
fn fault_of(who: &str) -> Option<&'static str> {
    if !names_somebody(who) {
        return Some("it names nobody, and is left out");
    }
    if one_line(who) != who.trim() || who.trim().chars().any(char::is_control) {
        return Some("it has line breaks or control characters: write a name or an address on one line");
    }
    let who = who.trim();
    if !who.contains(['@', '<', '>']) {
        return None;
    }
    let bare = match who.strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
        Some((name, bare)) if name.is_empty() || name.ends_with(char::is_whitespace) => bare,
        Some(_) => "",
        None => who,
    };
    // The engine's own look is a closer one, and `explain` says what came of it.
    let is_part =
        |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || "<>@,;".contains(c));
    let is_address = bare.split_once('@').is_some_and(|(local, domain)| {
        is_part(local)
            && is_part(domain)
            && domain.split('.').count() > 1
            && domain.split('.').all(|label| !label.is_empty())
    });
    (!is_address).then_some(
        "no address can be made of it: write `name@example.org` or `Name <name@example.org>`, or mails don't reach them",
    )
}

fn property(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
    Ok((name.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authors_that_no_mail_reaches_are_told() {
        for who in ["ada", "Ada Ringer", "ada@example.org", "Ada <ada@example.org>", "<ada@ex.org>", " ada\t"]
        {
            assert_eq!(fault_of(who), None, "{who:?}");
        }
        for who in ["", " ", " <>", "<@>", "Ada\nBcc: eve@ex.org", "ada\u{1b}[2J"] {
            assert!(fault_of(who).is_some(), "{who:?}");
        }
        for who in [
            "ada@",
            "@ex.org",
            "Ada <ada>",
            "Ada <>",
            "Ada<ada@ex.org>",
            "a b@ex.org",
            "ada@ex",
            "a@b@ex.org",
        ] {
            assert!(fault_of(who).is_some_and(|fault| fault.starts_with("no address")), "{who:?}");
        }
    }
}
