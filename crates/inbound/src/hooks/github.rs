//! The dialect `github`, and what forges that take after it share: pushes, and what signature and options say (H-GH-01 to
//! H-GH-13, H-XGH-01 to H-XGH-12).

use serde_json::Value;

use super::github_look_up::LookUps;
use super::github_options::GithubOptions;
use super::github_pull_request::{look_up, pull_request};
use super::json::Json;
use super::outcome::Outcome;
use super::request::{Method, RawHook, Verified};
use super::signature::{self, Unsigned};
use super::{BOTH_METHODS, Dialect, Parsed, Rejection, payload, push};
use campanile_config::{Reader, Secret};
use campanile_model::{Change, Properties, Timestamp};
use campanile_outbound::Outbound;

const NAME: &str = "github";

/// Properties of a push go with each of its commits; more than this many bytes of them in all is refused.
const MAX_COPIED: usize = 64 << 20;

/// What tells GitHub from forges that take after it.
pub(super) struct Flavour {
    /// Of the dialect, of its whitelist option, and before whitelisted properties.
    pub(super) name: &'static str,
    /// What people call a pull request's forge.
    pub(super) title: &'static str,
    /// The methods it is sent by (H-GEN-07).
    pub(super) methods: &'static [Method],
    /// Headers that name the event; the first that is there counts.
    pub(super) event_headers: &'static [&'static str],
    /// Checks the signature.
    pub(super) check: fn(&RawHook, &[Secret], Unsigned) -> Result<(), Rejection>,
    /// What each of these is called here.
    pub(super) events: fn(&str) -> Event,
    /// Actions of pull requests that make a change.
    pub(super) actions: &'static [&'static str],
    /// The usual `pullrequest_ref`.
    pub(super) pullrequest_ref: &'static str,
    /// Whether changes say if another branch had their commit, by this property.
    pub(super) distinct_property: Option<&'static str>,
    /// Whether there is a source of builds of the same name.
    pub(super) has_builds: bool,
}

/// An event that is told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Push,
    PullRequest,
    /// Known to make no changes.
    Silent,
    Unknown,
}

const GITHUB: Flavour = Flavour {
    name: NAME,
    title: "GitHub",
    methods: BOTH_METHODS,
    event_headers: &["x-github-event"],
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

/// Makes the dialect from its options.
pub(super) fn from_options(table: Option<&Reader<'_>>, outbound: &Outbound) -> Box<dyn Dialect> {
    let mut options = GithubOptions::read(table, &GITHUB);
    options.look_ups = table.and_then(|table| LookUps::read(table, outbound));
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

    fn verify(&self, request: RawHook) -> Result<Verified, Rejection> {
        if self.has_secret() {
            // A GET has its payload in the query, which no signature covers.
            if request.method == Method::Get && self.options.unsigned == Unsigned::Refuse {
                return Err(Rejection::forbidden("Request has no required signature"));
            }
            (self.flavour.check)(&request, &self.options.secrets, self.options.unsigned)?;
        }
        Ok(Verified::pass(request))
    }

    fn parse(&self, hook: &Verified, now: Timestamp) -> Result<Parsed, Rejection> {
        let request = hook.request();
        let named = self.flavour.event_headers.iter().find_map(|name| request.header(name));
        let event = named.unwrap_or_else(|| "push".to_owned());
        // Read even where it is ignored: a ping then already tells that the hook is set up wrongly.
        let value = payload::read(self.flavour.name, request)?;
        let outcome = match (self.flavour.events)(&event) {
            Event::Push => self.push(&value, now)?,
            Event::PullRequest => pull_request(self, &value, now)?,
            Event::Silent => Outcome::Ignored(format!("`{event}' makes no changes")),
            Event::Unknown => Outcome::Ignored(format!("Ignored event: {event}")),
        };
        let is_pull_request = (self.flavour.events)(&event) == Event::PullRequest;
        let mut parsed = outcome.parsed(request, Some(event), now);
        if let (true, [change]) = (is_pull_request, &parsed.changes[..]) {
            parsed.look_up = look_up(&self.options, &value, change);
        }
        Ok(parsed)
    }
}

impl Github {
    fn push(&self, value: &Value, now: Timestamp) -> Result<Outcome, Rejection> {
        let Self { options, flavour } = self;
        let push = Json::top(flavour.name, value)?;
        let to = match push::pushed(&push, options.tags)? {
            Ok(to) => to,
            Err(reason) => return Ok(Outcome::Ignored(reason)),
        };
        let repository = repository(&push)?;
        let commits = push.at("commits")?.required()?.list()?;
        let head = push.at("head_commit")?;
        if let Some(message) = head.at("message")?.text()?
            && let Some(reason) = options.skips.reason(message)
        {
            return Ok(Outcome::Ignored(reason));
        }
        let commits = match (commits.is_empty(), head.value()) {
            (true, None) => return Ok(Outcome::Ignored(format!("no commits in the push to `{}'", to.name))),
            (true, Some(_)) => vec![head],
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
            src: Some("git".to_owned()),
            ..Change::default()
        };
        if size(&template.properties).saturating_mul(commits.len()) > MAX_COPIED {
            let text = format!(
                "{0}: commits: too many to give each the properties of `{0}_property_whitelist`",
                flavour.name
            );
            return Err(Rejection::bad_request(text));
        }
        if commits.is_empty() {
            return Ok(Outcome::Ignored(format!("no distinct commits in the push to `{}'", to.name)));
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
        changes.map(Outcome::Changes)
    }
}

/// `repository.html_url`, else `repository.url` (H-GH-03).
pub(super) fn repository<'a>(payload: &Json<'a>) -> Result<&'a str, Rejection> {
    if let Some(page) = payload.at("repository.html_url")?.text()? {
        return Ok(page);
    }
    Ok(payload.at("repository.url")?.required()?.text()?.unwrap_or_default())
}

fn size(properties: &Properties) -> usize {
    properties.iter().map(|(name, property)| name.len() + property.value.to_string().len()).sum()
}
