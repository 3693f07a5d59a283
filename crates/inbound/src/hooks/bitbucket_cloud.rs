//! The dialect `bitbucketcloud`: today's webhooks of bitbucket.org (H-XBC-01 to H-XBC-06).

use http::HeaderMap;

use super::bitbucket_events::{
    DELIVERY_IDS, Options, Pull, PullAction, RepositoryUrl, event_key, first, full_ref, number,
};
use super::commit::{one_line, person};
use super::json::Json;
use super::outcome::HookOutcome;
use super::request::{Method, RawHook, Verified};
use super::{Dialect, HookError, ParsedHook, payload, push};
use crate::HeaderProof;
use campanile_config::Reader;
use campanile_model::{Change, Timestamp};

const NAME: &str = "bitbucketcloud";

pub(super) struct BitbucketCloud(pub(super) Options);

/// Makes the dialect from its options.
pub(super) fn from_options(options: Option<&Reader<'_>>) -> Box<dyn Dialect> {
    Box::new(BitbucketCloud(Options::read(options).with_repository_url(options)))
}

impl Dialect for BitbucketCloud {
    fn name(&self) -> &'static str {
        NAME
    }

    fn methods(&self) -> &'static [Method] {
        &[Method::Post]
    }

    fn has_secret(&self) -> bool {
        !self.0.secrets.is_empty()
    }

    fn judge_headers(&self, _method: Method, headers: &HeaderMap) -> Result<HeaderProof, HookError> {
        self.0.judge_headers(headers)
    }

    fn verify(&self, request: RawHook) -> Result<Verified, HookError> {
        self.0.verify(request)
    }

    fn parse(&self, hook: &Verified, now: Timestamp) -> Result<ParsedHook, HookError> {
        let key = event_key(hook.request(), "Header X-Event-Key was not present")?;
        let value = payload::read(NAME, hook.request())?;
        let event = Json::top(NAME, &value)?;
        let outcome = match (key.as_str(), PullAction::of_key(&key)) {
            ("repo:push", _) => self.push(&event, now)?,
            (_, Some(action)) if key.starts_with("pullrequest:") => {
                HookOutcome::Changes(vec![self.pull_request(&event, action, now)?])
            }
            _ => HookOutcome::Ignored(format!("Ignored event: {key}")),
        };
        Ok(outcome.parsed(hook.request(), Some(key), DELIVERY_IDS, now))
    }
}

impl BitbucketCloud {
    /// A change with all that the repository tells, for every change of the event.
    fn template(&self, event: &Json<'_>) -> Result<Change, HookError> {
        let repository = event.at("repository")?.required()?;
        let link = match self.0.repository_url {
            RepositoryUrl::Api => "links.self.href",
            RepositoryUrl::Html => "links.html.href",
        };
        let link = repository.at(link)?.required()?.text()?.unwrap_or_default();
        let full_name = repository.at("full_name")?.text()?.unwrap_or_default();
        Ok(Change {
            repository: link.to_owned(),
            project: repository.at("project.name")?.text()?.unwrap_or("none").to_owned(),
            codebase: self.0.codebases.of(&[link, full_name]),
            src: Some(repository.at("scm")?.text()?.unwrap_or("git").to_owned()),
            ..Change::default()
        })
    }

    fn push(&self, event: &Json<'_>, now: Timestamp) -> Result<HookOutcome, HookError> {
        let template = self.template(event)?;
        let page = event.at("repository.links.html.href")?.text()?.unwrap_or_default();
        let actor = person(&event.at("actor")?, "display_name", "nickname")?;
        let mut changes = Vec::new();
        for element in event.at("push")?.required()?.listed("changes")? {
            let new = element.at("new")?;
            let (reference, category) = match new.value() {
                Some(_) => (new, "push"),
                None => (element.at("old")?.required()?, "ref-deleted"),
            };
            let target = reference.at("target")?.required()?;
            let name = reference.at("name")?.text()?.unwrap_or_default();
            let old = element.value().and_then(|element| element.pointer("/old/target/hash"));
            let template = Change {
                branch: full_ref(reference.at("type")?.text()?, name),
                category: Some(category.to_owned()),
                before: if category == "push" { push::before(old) } else { None },
                ..template.clone()
            };
            // Listed are the newest five, newest first, and the target among them.
            let mut commits = if category == "push" { element.at("commits")?.list()? } else { Vec::new() };
            commits.reverse();
            let end = target.at("hash")?.required()?.word()?;
            match commits.last() {
                Some(last) if last.at("hash")?.word()? == end => {}
                _ => commits = vec![target],
            }
            for commit in &commits {
                let hash = commit.at("hash")?.required()?.word()?.unwrap_or_default();
                let raw = commit.at("author.raw")?.text()?.map(one_line).filter(|raw| !raw.is_empty());
                changes.push(Change {
                    who: raw.unwrap_or_else(|| actor.clone()),
                    comments: match commit.at("message")?.text()? {
                        Some(message) => message.to_owned(),
                        None => format!("Bitbucket Cloud commit {hash}"),
                    },
                    when: commit.at("date")?.date()?.unwrap_or(now),
                    revlink: if page.is_empty() { String::new() } else { format!("{page}/commits/{hash}") },
                    revision: Some(hash),
                    ..template.clone()
                });
            }
        }
        if changes.is_empty() {
            return Ok(HookOutcome::Ignored("no changes in the push".to_owned()));
        }
        Ok(HookOutcome::Changes(changes))
    }

    fn pull_request(
        &self,
        event: &Json<'_>,
        action: PullAction,
        now: Timestamp,
    ) -> Result<Change, HookError> {
        let whole = event.at("pullrequest")?.required()?;
        let text =
            |paths: &[&'static str]| Ok::<_, HookError>(first(&whole, paths)?.text()?.unwrap_or_default());
        let hash = first(&whole, &["source.commit.hash", "fromRef.commit.hash"])?.required()?.word()?;
        let pull = Pull {
            action,
            forge: "Bitbucket Cloud",
            id: number(&whole)?,
            title: text(&["title"])?,
            source_branch: text(&["source.branch.name", "fromRef.branch.name"])?,
            source_hash: hash.unwrap_or_default(),
            destination_branch: text(&["destination.branch.name", "toRef.branch.name"])?,
            author: person(&event.at("actor")?, "display_name", "nickname")?,
            link: text(&["links.html.href", "link"])?.to_owned(),
            when: first(&whole, &["updated_on", "created_on"])?.date()?,
            whole: &whole,
        };
        Ok(pull.change(&self.0, self.template(event)?, now))
    }
}
