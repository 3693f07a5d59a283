//! The dialect `gitorious`: pushes of a forge that is no more, and of scripts that still speak its language (H-GO-01 to
//! H-GO-05).

use super::commit::{Codebases, is_deletion};
use super::json::Json;
use super::outcome::HookOutcome;
use super::request::{RawHook, Verified};
use super::{Dialect, HookError, ParsedHook, payload, push};
use campanile_config::Reader;
use campanile_model::{Change, Timestamp};

const NAME: &str = "gitorious";

struct Gitorious {
    codebases: Codebases,
}

/// Makes the dialect from its options: `codebase` (H-GEN-18).
pub(super) fn from_options(options: Option<&Reader<'_>>) -> Box<dyn Dialect> {
    Box::new(Gitorious { codebases: options.map(Codebases::read).unwrap_or_default() })
}

impl Dialect for Gitorious {
    fn name(&self) -> &'static str {
        NAME
    }

    /// It signs nothing: the guard of all hooks is all there is.
    fn verify(&self, request: RawHook) -> Result<Verified, HookError> {
        Ok(Verified::pass(request))
    }

    fn parse(&self, hook: &Verified, now: Timestamp) -> Result<ParsedHook, HookError> {
        let value = payload::read(NAME, hook.request())?;
        let outcome = self.push(&Json::top(NAME, &value)?, now)?;
        Ok(outcome.parsed(hook.request(), None, &[], now))
    }
}

impl Gitorious {
    fn push(&self, push: &Json<'_>, now: Timestamp) -> Result<HookOutcome, HookError> {
        let sent = push.at("ref")?.required()?.text()?.unwrap_or_default();
        let branch = sent.strip_prefix("refs/heads/").unwrap_or(sent);
        if is_deletion(None, push.at("after")?.word()?.as_deref()) {
            return Ok(HookOutcome::Ignored(format!("branch `{branch}' deleted")));
        }
        let repository = push.at("repository.url")?.required()?.text()?.unwrap_or_default();
        let template = Change {
            branch: Some(branch.to_owned()),
            codebase: self.codebases.of(&[repository]),
            repository: repository.to_owned(),
            project: push.at("project.name")?.required()?.text()?.unwrap_or_default().to_owned(),
            before: push::before(push.at("before")?.value()),
            src: Some("git".to_owned()),
            ..Change::default()
        };
        let commits = push::oldest_first(push, push.listed("commits")?)?;
        if commits.is_empty() {
            return Ok(HookOutcome::Ignored(format!("no commits in the push to `{branch}'")));
        }
        let one = |commit: &Json<'_>| push::change_without_files(commit, &template, now);
        commits.iter().map(one).collect::<Result<_, _>>().map(HookOutcome::Changes)
    }
}
