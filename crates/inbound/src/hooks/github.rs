//! The dialect `github`, also for the forges that take after it (H-GH-01 to H-GH-13, H-XGH-01 to H-XGH-12).

use http::HeaderMap;
use serde_json::Value;

use super::github_flavour::{Event, Flavour};
use super::github_look_up::LookUpSettings;
use super::github_options::GithubOptions;
use super::github_pull_request::{look_up, pull_request};
use super::json::Json;
use super::outcome::{HookOutcome, ParsedHook};
use super::request::{Method, RawHook, Verified};
use super::signature::{self, Unsigned};
use super::{BOTH_METHODS, Dialect, HookError, payload, push};
use crate::HeaderProof;
use campanile_config::Reader;
use campanile_model::{Change, Properties, Timestamp};
use campanile_outbound::Outbound;

const NAME: &str = "github";

/// Properties of a push go with each of its commits; more than this many bytes of them in all is refused.
const MAX_COPIED: usize = 64 << 20;

const GITHUB: Flavour = Flavour {
    name: NAME,
    title: "GitHub",
    methods: BOTH_METHODS,
    event_headers: &["x-github-event"],
    delivery_ids: &["x-github-delivery"],
    judge_headers: |headers, unsigned| signature::read(headers, unsigned).map(drop),
    check: signature::check,
    events: |event| match event {
        "push" => Event::Push,
        "pull_request" => Event::PullRequest,
        "ping" | "workflow_run" => Event::Silent,
        _ => Event::Unknown,
    },
    actions: &["opened", "reopened", "synchronize"],
    pullrequest_ref: "merge",
    distinct_property: Some("github_distinct"),
    has_builds: true,
};

/// GitHub, or a forge that takes after it.
pub(super) struct Github {
    pub(super) options: GithubOptions,
    pub(super) flavour: &'static Flavour,
}

/// Makes the dialect `github` from its options.
pub(super) fn from_options(table: Option<&Reader<'_>>, outbound: &Outbound) -> Box<dyn Dialect> {
    let mut options = GithubOptions::read(table, &GITHUB);
    options.look_ups = table.and_then(|table| LookUpSettings::read(table, outbound));
    Box::new(Github { options, flavour: &GITHUB })
}

impl Dialect for Github {
    fn name(&self) -> &'static str {
        self.flavour.name
    }

    fn methods(&self) -> &'static [Method] {
        self.flavour.methods
    }

    fn has_secret(&self) -> bool {
        !self.options.secrets.is_empty()
    }

    fn builds(&self) -> Option<&'static str> {
        self.options.builds.of(self.flavour.name)
    }

    fn judge_headers(&self, method: Method, headers: &HeaderMap) -> Result<HeaderProof, HookError> {
        if self.has_secret() {
            // A GET has its payload in the query, which no signature covers.
            if method == Method::Get && self.options.unsigned == Unsigned::Refuse {
                return Err(HookError::forbidden("Request has no required signature"));
            }
            (self.flavour.judge_headers)(headers, self.options.unsigned)?;
        }
        Ok(HeaderProof::WithBody)
    }

    fn verify(&self, request: RawHook) -> Result<Verified, HookError> {
        self.judge_headers(request.method, &request.headers)?;
        if self.has_secret() {
            (self.flavour.check)(&request, &self.options.secrets, self.options.unsigned)?;
        }
        Ok(Verified::pass(request))
    }

    fn parse(&self, hook: &Verified, now: Timestamp) -> Result<ParsedHook, HookError> {
        let request = hook.request();
        let named = self.flavour.event_headers.iter().find_map(|name| request.header(name));
        let event = named.unwrap_or_else(|| "push".to_owned());
        // Read even where it is ignored: a ping then already tells that the hook is set up wrongly.
        let value = payload::read(self.flavour.name, request)?;
        let outcome = match (self.flavour.events)(&event) {
            Event::Push => self.push(&value, now)?,
            Event::PullRequest => pull_request(&self.options, self.flavour, &value, now)?,
            Event::Silent => HookOutcome::Ignored(format!("`{event}' makes no changes")),
            Event::Unknown => HookOutcome::Ignored(format!("Ignored event: {event}")),
        };
        let is_pull_request = (self.flavour.events)(&event) == Event::PullRequest;
        let mut parsed = outcome.parsed(request, Some(event), self.flavour.delivery_ids, now);
        if is_pull_request
            && let HookOutcome::Changes(changes) = &mut parsed.outcome
            && let [change] = &mut changes[..]
            && let Some(look_up) = look_up(&self.options, &value, change)
        {
            let change = Box::new(std::mem::take(change));
            parsed.outcome = HookOutcome::PullRequest { change, look_up };
        }
        Ok(parsed)
    }
}

impl Github {
    fn push(&self, value: &Value, now: Timestamp) -> Result<HookOutcome, HookError> {
        let Self { options, flavour } = self;
        let push = Json::top(flavour.name, value)?;
        let to = match push::pushed(&push, options.tags)? {
            Ok(to) => to,
            Err(reason) => return Ok(HookOutcome::Ignored(reason)),
        };
        let repository = push::repository(&push)?;
        let commits = push::oldest_first(&push, push.listed("commits")?)?;
        let head = push.at("head_commit")?;
        if let Some(message) = head.at("message")?.text()?
            && let Some(reason) = options.skips.reason(message)
        {
            return Ok(HookOutcome::Ignored(reason));
        }
        // `{}` is no commit either: that is how some senders write that there is none.
        let has_head = head.value().and_then(Value::as_object).is_some_and(|head| !head.is_empty());
        let commits = match (commits.is_empty(), has_head) {
            (true, false) => {
                return Ok(HookOutcome::Ignored(format!("no commits in the push to `{}'", to.name)));
            }
            (true, true) => vec![head],
            (false, _) => push::distinct(commits, options.non_distinct)?,
        };
        let full_name = push.at("repository.full_name")?.text()?.unwrap_or_default();
        let template = Change {
            branch: Some(to.name.to_owned()),
            category: to.is_tag().then(|| "tag".to_owned()),
            codebase: options.codebases.of(&[repository, full_name]),
            repository: repository.to_owned(),
            project: options.project.of(full_name),
            properties: options.whitelist.properties(flavour.name, Some(value)),
            before: push::before(push.at("before")?.value()),
            src: Some("git".to_owned()),
            ..Change::default()
        };
        if size(&template.properties).saturating_mul(commits.len()) > MAX_COPIED {
            let text = format!(
                "{0}: commits: too many to give each the properties of `{0}_property_whitelist`",
                flavour.name
            );
            return Err(HookError::bad_request(text));
        }
        if commits.is_empty() {
            return Ok(HookOutcome::Ignored(format!("no distinct commits in the push to `{}'", to.name)));
        }
        let one = |commit: &Json<'_>| {
            let mut change = push::change(commit, &template, now)?;
            if let Some(property) = flavour.distinct_property {
                let distinct = commit.at("distinct")?.boolean()?.unwrap_or(true);
                change.properties.set(property, distinct, "Change");
            }
            Ok(change)
        };
        let changes: Result<_, _> = commits.iter().map(one).collect();
        changes.map(HookOutcome::Changes)
    }
}

fn size(properties: &Properties) -> usize {
    properties.iter().map(|(name, property)| name.len() + property.value.to_string().len()).sum()
}
