//! The dialect `bitbucketserver`: Bitbucket Data Center, by its own webhooks or those of the older plugin (H-XBS-01 to
//! H-XBS-05).

use http::HeaderMap;

use super::bitbucket_events::{DELIVERY_IDS, Options, Pull, PullAction, event_key, first, full_ref, number};
use super::commit::person;
use super::json::Json;
use super::outcome::HookOutcome;
use super::request::{Method, RawHook, Verified};
use super::{Dialect, HookError, ParsedHook, payload, push};
use crate::HeaderProof;
use campanile_config::Reader;
use campanile_model::{Change, Timestamp};

const NAME: &str = "bitbucketserver";

pub(super) struct BitbucketServer(pub(super) Options);

/// Makes the dialect from its options.
pub(super) fn from_options(options: Option<&Reader<'_>>) -> Box<dyn Dialect> {
    Box::new(BitbucketServer(Options::read(options)))
}

/// True if a payload or its event key is this product's and not Bitbucket Cloud's (H-BB-01).
pub(super) fn is_servers(key: &str, event: &serde_json::Value) -> bool {
    let native_key = key == "repo:refs_changed" || key.starts_with("pr:") || key.starts_with("diagnostics:");
    let listed_links = event.pointer("/repository/links/self").is_some_and(serde_json::Value::is_array);
    native_key
        || listed_links
        || event.get("changes").is_some()
        || event.pointer("/repository/scmId").is_some()
}

impl Dialect for BitbucketServer {
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
        let request = hook.request();
        let key = event_key(request, "Header X-Event-Key is not present")?;
        if key == "diagnostics:ping" || request.body.trim_ascii().is_empty() {
            return Ok(HookOutcome::Ignored("a ping makes no changes".to_owned()).parsed(
                request,
                Some(key),
                DELIVERY_IDS,
                now,
            ));
        }
        let value = payload::read(NAME, request)?;
        let event = Json::top(NAME, &value)?;
        let is_empty = value.as_object().is_some_and(serde_json::Map::is_empty);
        let outcome = match (key.as_str(), PullAction::of_key(&key)) {
            _ if is_empty => HookOutcome::Ignored("an empty body makes no changes".to_owned()),
            ("repo:push" | "repo:refs_changed", _) if event.at("push")?.value().is_some() => {
                self.plugin_push(&event, now)?
            }
            ("repo:push" | "repo:refs_changed", _) => self.native_push(&event, now)?,
            (_, Some(action)) => HookOutcome::Changes(vec![self.pull_request(&event, action, now)?]),
            _ => HookOutcome::Ignored(format!("Ignored event: {key}")),
        };
        Ok(outcome.parsed(request, Some(key), DELIVERY_IDS, now))
    }
}

/// A repository's address, and where its pages begin; blank if they are not known.
struct Repository {
    url: String,
    pages: String,
}

impl Repository {
    fn read(repository: &Json<'_>) -> Result<Self, HookError> {
        if let Some(link) = repository.at("links.self")?.list()?.first()
            && let Some(link) = link.at("href")?.text()?
        {
            let link = link.strip_suffix('/').unwrap_or(link);
            // A suffix, and not letters: a repository may be called `row` (H-T-04).
            let link = link.strip_suffix("/browse").unwrap_or(link);
            let pages = format!("{link}/");
            return Ok(Self { url: pages.clone(), pages });
        }
        for link in repository.at("links.clone")?.list()? {
            if link.at("name")?.text()? == Some("http")
                && let Some(href) = link.at("href")?.text()?
            {
                return Ok(Self { url: href.to_owned(), pages: String::new() });
            }
        }
        let key = repository.at("project.key")?.required()?.text()?.unwrap_or_default();
        let slug = repository.at("slug")?.required()?.text()?.unwrap_or_default();
        Ok(Self { url: format!("{key}/{slug}"), pages: String::new() })
    }

    /// A page of it; none if it has none.
    fn page(&self, path: &str) -> String {
        if self.pages.is_empty() { String::new() } else { format!("{}{path}", self.pages) }
    }
}

impl BitbucketServer {
    fn template(&self, repository: &Json<'_>, read: &Repository) -> Result<Change, HookError> {
        let slug = repository.at("slug")?.text()?.unwrap_or_default();
        let full_name = match repository.at("full_name")?.text()? {
            Some(name) => name.to_owned(),
            None => format!("{}/{slug}", repository.at("project.key")?.text()?.unwrap_or_default()),
        };
        Ok(Change {
            repository: read.url.clone(),
            project: repository.at("project.name")?.text()?.unwrap_or("none").to_owned(),
            codebase: self.0.codebases.of(&[&read.url, &full_name]),
            src: Some(repository.at("scmId")?.text()?.unwrap_or("git").to_owned()),
            ..Change::default()
        })
    }

    /// `push.changes`, as the plugin sends it (H-XBS-03).
    fn plugin_push(&self, event: &Json<'_>, now: Timestamp) -> Result<HookOutcome, HookError> {
        let place = event.at("repository")?.required()?;
        let repository = Repository::read(&place)?;
        let template = self.template(&place, &repository)?;
        let actor = person(&event.at("actor")?, "displayName", "username")?;
        let mut changes = Vec::new();
        for element in event.at("push")?.required()?.listed("changes")? {
            let new = element.at("new")?;
            let (reference, category) = match new.value() {
                Some(_) => (new, "push"),
                None => (element.at("old")?.required()?, "ref-deleted"),
            };
            let hash = reference.at("target.hash")?.required()?.word()?.unwrap_or_default();
            let name = reference.at("name")?.text()?.unwrap_or_default();
            let template = Change {
                branch: full_ref(reference.at("type")?.text()?, name),
                who: actor.clone(),
                when: now,
                category: Some(category.to_owned()),
                ..template.clone()
            };
            changes.push(commit_change(hash, None, template, &repository));
        }
        Ok(outcome(changes))
    }

    /// `changes`, as Bitbucket itself sends it (H-XBS-04).
    fn native_push(&self, event: &Json<'_>, now: Timestamp) -> Result<HookOutcome, HookError> {
        let place = event.at("repository")?.required()?;
        let repository = Repository::read(&place)?;
        let template = self.template(&place, &repository)?;
        let actor = person(&event.at("actor")?, "displayName", "emailAddress")?;
        let when = event.at("date")?.date()?.unwrap_or(now);
        let commits = event.at("commits")?.list()?;
        let message = |hash: &str| {
            for commit in &commits {
                if commit.at("id")?.word()?.as_deref() == Some(hash) {
                    return commit.at("message")?.text();
                }
            }
            Ok::<_, HookError>(None)
        };
        let elements = event.listed("changes")?;
        let is_only = elements.len() == 1;
        let mut changes = Vec::new();
        for element in elements {
            let deleted = element.at("type")?.text()? == Some("DELETE");
            let hash = if deleted { "fromHash" } else { "toHash" };
            let hash = element.at(hash)?.required()?.word()?.unwrap_or_default();
            let template = Change {
                branch: element.at("ref.id")?.required()?.text()?.map(str::to_owned),
                who: actor.clone(),
                when,
                category: Some(if deleted { "ref-deleted" } else { "push" }.to_owned()),
                before: if deleted { None } else { push::before(element.at("fromHash")?.value()) },
                ..template.clone()
            };
            // Newest first, and of all refs together: only where there is one is it known whose they are.
            let newest = match commits.first() {
                Some(newest) => newest.at("id")?.word()?,
                None => None,
            };
            if is_only && !deleted && newest.as_ref() == Some(&hash) {
                for commit in commits.iter().rev() {
                    changes.push(listed(commit, &template, &repository)?);
                }
                continue;
            }
            let message = message(&hash)?;
            changes.push(commit_change(hash, message, template, &repository));
        }
        Ok(outcome(changes))
    }

    fn pull_request(
        &self,
        event: &Json<'_>,
        action: PullAction,
        now: Timestamp,
    ) -> Result<Change, HookError> {
        let whole = first(event, &["pullRequest", "pullrequest"])?.required()?;
        let place = match event.at("repository")? {
            place if place.value().is_some() => place,
            _ => whole.at("toRef.repository")?.required()?,
        };
        let repository = Repository::read(&place)?;
        let text =
            |paths: &[&'static str]| Ok::<_, HookError>(first(&whole, paths)?.text()?.unwrap_or_default());
        let id = number(&whole)?;
        let link = match whole.at("links.self")?.list()?.first() {
            // The vendor's own sample has null here.
            Some(link) if link.value().is_some() => link.at("href")?.text()?.unwrap_or_default(),
            _ => text(&["link"])?,
        };
        let link =
            if link.is_empty() { repository.page(&format!("pull-requests/{id}")) } else { link.to_owned() };
        let hash = first(&whole, &["fromRef.latestCommit", "fromRef.commit.hash"])?.required()?.word()?;
        let actor = event.at("actor")?;
        let nick = if actor.at("username")?.value().is_some() { "username" } else { "emailAddress" };
        let pull = Pull {
            action,
            forge: "Bitbucket Server",
            id,
            title: text(&["title"])?,
            source_branch: text(&["fromRef.displayId", "fromRef.branch.name"])?,
            source_hash: hash.unwrap_or_default(),
            destination_branch: text(&["toRef.displayId", "toRef.branch.name"])?,
            author: person(&actor, "displayName", nick)?,
            link,
            when: event.at("date")?.date()?,
            whole: &whole,
        };
        Ok(pull.change(&self.0, self.template(&place, &repository)?, now))
    }
}

/// A commit of the list that newer servers send along.
fn listed(commit: &Json<'_>, template: &Change, repository: &Repository) -> Result<Change, HookError> {
    let hash = commit.at("id")?.required()?.word()?.unwrap_or_default();
    let author = person(&commit.at("author")?, "name", "emailAddress")?;
    let millis = commit.at("authorTimestamp")?.value().and_then(serde_json::Value::as_i64);
    let template = Change {
        who: if author.is_empty() { template.who.clone() } else { author },
        when: millis
            .filter(|millis| *millis > 0)
            .map_or(template.when, |millis| Timestamp::from_seconds(millis.div_euclid(1000))),
        ..template.clone()
    };
    Ok(commit_change(hash, commit.at("message")?.text()?, template, repository))
}

/// The change of a commit, over one that knows the rest.
fn commit_change(hash: String, message: Option<&str>, template: Change, repository: &Repository) -> Change {
    Change {
        comments: message.map_or_else(|| format!("Bitbucket Server commit {hash}"), str::to_owned),
        revlink: repository.page(&format!("commits/{hash}")),
        revision: Some(hash),
        ..template
    }
}

fn outcome(changes: Vec<Change>) -> HookOutcome {
    if changes.is_empty() {
        return HookOutcome::Ignored("no changes in the push".to_owned());
    }
    HookOutcome::Changes(changes)
}
