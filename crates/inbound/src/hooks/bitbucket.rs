//! The dialect `bitbucket`: the POST service of old (H-BB-01 to H-BB-06). Today's webhooks are handed on to the
//! dialects that know them.

use serde_json::Value;

use super::bitbucket_cloud::BitbucketCloud;
use super::bitbucket_events::DELIVERY_IDS;
use super::bitbucket_events::Options;
use super::bitbucket_server::{BitbucketServer, is_servers};
use super::commit::{once_each, one_line};
use super::json::Json;
use super::outcome::HookOutcome;
use super::request::{MediaType, RawHook, Verified};
use super::{Dialect, HookError, ParsedHook, payload};
use campanile_config::Reader;
use campanile_model::{Change, Timestamp, read_json};

const NAME: &str = "bitbucket";

struct Bitbucket {
    cloud: BitbucketCloud,
    server: BitbucketServer,
}

/// Makes the dialect from its options: `codebase` (H-BB-06), and those that only today's webhooks can honour.
pub(super) fn from_options(options: Option<&Reader<'_>>) -> Box<dyn Dialect> {
    let today = Options::read(options);
    Box::new(Bitbucket { cloud: BitbucketCloud(today.clone()), server: BitbucketServer(today) })
}

impl Dialect for Bitbucket {
    fn name(&self) -> &'static str {
        NAME
    }

    fn has_secret(&self) -> bool {
        self.cloud.has_secret()
    }

    /// The service of old signed nothing, so with a secret it is refused.
    fn verify(&self, request: RawHook) -> Result<Verified, HookError> {
        self.cloud.verify(request)
    }

    fn parse(&self, hook: &Verified, now: Timestamp) -> Result<ParsedHook, HookError> {
        let request = hook.request();
        let key = request.header("x-event-key");
        if let (Some(key), MediaType::Json) = (&key, request.media_type()) {
            let event: Value = read_json(&request.body).unwrap_or_default();
            return if is_servers(key, &event) {
                self.server.parse(hook, now)
            } else {
                self.cloud.parse(hook, now)
            };
        }
        let value = payload::read(NAME, request)?;
        let outcome = self.push(&Json::top(NAME, &value)?, now)?;
        Ok(outcome.parsed(request, key, DELIVERY_IDS, now))
    }
}

impl Bitbucket {
    fn push(&self, push: &Json<'_>, now: Timestamp) -> Result<HookOutcome, HookError> {
        let site = push.at("canon_url")?.required()?.text()?.unwrap_or_default();
        let path = push.at("repository.absolute_url")?.required()?.text()?.unwrap_or_default();
        let repository = format!("{}/{}/", site.trim_end_matches('/'), path.trim_matches('/'));
        let template = Change {
            codebase: self.cloud.0.codebases.of(&[&repository]),
            src: push.at("repository.scm")?.text()?.map(str::to_owned),
            repository,
            ..Change::default()
        };
        let commits = push.listed("commits")?;
        let mut changes: Vec<Change> = Vec::with_capacity(commits.len());
        let mut branch: Option<String> = None;
        // Often only the last commit says which branch it is on; those before it are on the same (H-BB-04).
        for commit in commits.iter().rev() {
            let change = change(commit, &template, now)?;
            branch = change.branch.clone().or(branch);
            changes.push(Change { branch: branch.clone(), ..change });
        }
        changes.reverse();
        if changes.is_empty() {
            return Ok(HookOutcome::Ignored("no commits in the push".to_owned()));
        }
        Ok(HookOutcome::Changes(changes))
    }
}

fn change(commit: &Json<'_>, template: &Change, now: Timestamp) -> Result<Change, HookError> {
    let commit = commit.required()?;
    let node = commit.at("raw_node")?.required()?.word()?.unwrap_or_default();
    let mut files = Vec::new();
    for file in commit.at("files")?.list()? {
        files.extend(file.at("file")?.required()?.text()?.map(str::to_owned));
    }
    Ok(Change {
        who: one_line(commit.at("raw_author")?.required()?.text()?.unwrap_or_default()),
        files: once_each(files),
        comments: commit.at("message")?.required()?.text()?.unwrap_or_default().to_owned(),
        when: commit.at("utctimestamp")?.date()?.unwrap_or(now),
        branch: commit.at("branch")?.text()?.filter(|branch| !branch.is_empty()).map(str::to_owned),
        revlink: format!("{}commits/{node}", template.repository),
        revision: Some(node),
        ..template.clone()
    })
}
