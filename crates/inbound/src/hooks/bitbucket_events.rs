//! Parts that the dialects of Bitbucket Cloud and of Bitbucket Data Center share: options, proof of the sender, event
//! keys, and the fields of a pull request (H-XBC-01, H-XBC-02, H-XBC-04).

use http::HeaderMap;

use super::HookError;
use super::commit::Codebases;
use super::json::Json;
use super::options::secrets;
use super::request::{MediaType, RawHook, Verified, unknown_content_type};
use super::signature::{self, Unsigned};
use super::whitelist::Whitelist;
use crate::HeaderProof;
use campanile_config::{Reader, Secret};
use campanile_model::{Change, Timestamp};

/// The header that names a delivery: Cloud's, then Data Center's.
pub(super) const DELIVERY_IDS: &[&str] = &["x-request-uuid", "x-request-id"];

/// Options of the dialects, checked.
#[derive(Clone, Default)]
pub(super) struct Options {
    pub(super) secrets: Vec<Secret>,
    pub(super) codebases: Codebases,
    pub(super) whitelist: Whitelist,
    pub(super) repository_url: RepositoryUrl,
}

/// The address that a repository goes by, of those that it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum RepositoryUrl {
    /// That of the API, as the original has it.
    #[default]
    Api,
    Html,
}

impl Options {
    pub(super) fn read(table: Option<&Reader<'_>>) -> Self {
        let Some(table) = table else { return Self::default() };
        Self {
            secrets: secrets(table),
            codebases: Codebases::read(table),
            whitelist: Whitelist::read(table, "bitbucket_property_whitelist"),
            repository_url: RepositoryUrl::default(),
        }
    }

    /// Reads `repository_url`, which only Bitbucket Cloud has.
    pub(super) fn with_repository_url(self, table: Option<&Reader<'_>>) -> Self {
        let repository_url = match table.and_then(|table| table.text("repository_url")).as_deref() {
            None | Some("api") => RepositoryUrl::Api,
            Some("html") => RepositoryUrl::Html,
            Some(other) => {
                if let Some(table) = table {
                    let text = format!("`repository_url` must be `api` or `html`, not `{other}`");
                    table.error("repository_url", text);
                }
                RepositoryUrl::Api
            }
        };
        Self { repository_url, ..self }
    }

    /// With a secret, `X-Hub-Signature` must be there, and may be right.
    pub(super) fn judge_headers(&self, headers: &HeaderMap) -> Result<HeaderProof, HookError> {
        if !self.secrets.is_empty() {
            signature::read(headers, Unsigned::Refuse)?;
        }
        Ok(HeaderProof::WithBody)
    }

    /// With a secret, `X-Hub-Signature` must be there and right (H-XBC-02).
    pub(super) fn verify(&self, request: RawHook) -> Result<Verified, HookError> {
        if !self.secrets.is_empty() {
            signature::check(&request, &self.secrets, Unsigned::Refuse)?;
        }
        Ok(Verified::pass(request))
    }
}

/// The event key of a request that calls its body JSON; `missing` is told when the header isn't there (H-XBC-01).
pub(super) fn event_key(request: &RawHook, missing: &str) -> Result<String, HookError> {
    match request.media_type() {
        MediaType::Json => {}
        MediaType::Absent => return Err(unknown_content_type("none")),
        MediaType::Form => return Err(unknown_content_type("application/x-www-form-urlencoded")),
        MediaType::Multipart => return Err(unknown_content_type("multipart/form-data")),
        MediaType::Other(sent) => return Err(unknown_content_type(&sent)),
    }
    request.header("x-event-key").ok_or_else(|| HookError::bad_request(missing))
}

/// Events of pull requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PullAction {
    Created,
    Updated,
    Fulfilled,
    Rejected,
}

impl PullAction {
    /// By the event key of either product (H-XBC-04, H-XBS-05).
    pub(super) fn of_key(key: &str) -> Option<Self> {
        Some(match key {
            "pullrequest:created" | "pr:opened" => Self::Created,
            "pullrequest:updated" | "pr:from_ref_updated" => Self::Updated,
            "pullrequest:fulfilled" | "pr:merged" => Self::Fulfilled,
            "pullrequest:rejected" | "pr:declined" => Self::Rejected,
            _ => return None,
        })
    }

    fn category(self) -> &'static str {
        match self {
            Self::Created => "pull-created",
            Self::Updated => "pull-updated",
            Self::Fulfilled => "pull-fulfilled",
            Self::Rejected => "pull-rejected",
        }
    }
}

/// The number of a pull request: digits, as a number or as text (H-XBC-05). It stands in the name of a branch.
pub(super) fn number(pull: &Json<'_>) -> Result<String, HookError> {
    let place = pull.at("id")?.required()?;
    let number = place.word()?.unwrap_or_default();
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(place.error("must be a number"));
    }
    Ok(number)
}

/// A pull request, wherever its parts stood.
pub(super) struct Pull<'a> {
    pub(super) action: PullAction,
    /// `Bitbucket Cloud` or `Bitbucket Server`.
    pub(super) forge: &'static str,
    pub(super) id: String,
    pub(super) title: &'a str,
    pub(super) source_branch: &'a str,
    pub(super) source_hash: String,
    pub(super) destination_branch: &'a str,
    pub(super) author: String,
    pub(super) link: String,
    pub(super) when: Option<Timestamp>,
    /// The whole of it, for whitelisted properties.
    pub(super) whole: &'a Json<'a>,
}

impl Pull<'_> {
    /// Its change, over one that knows the repository.
    pub(super) fn change(self, options: &Options, template: Change, now: Timestamp) -> Change {
        let Self { id, title, forge, .. } = &self;
        let comments = match *title {
            "" => format!("{forge} Pull Request #{id}"),
            title => format!("{forge} Pull Request #{id}\n{title}"),
        };
        let branch = match self.action {
            PullAction::Created | PullAction::Updated => format!("refs/pull-requests/{id}/merge"),
            PullAction::Fulfilled => format!("refs/heads/{}", self.destination_branch),
            PullAction::Rejected => format!("refs/heads/{}", self.source_branch),
        };
        let mut change = Change {
            who: self.author,
            comments,
            branch: Some(branch),
            revision: Some(self.source_hash),
            when: self.when.unwrap_or(now),
            category: Some(self.action.category().to_owned()),
            revlink: self.link.clone(),
            properties: options.whitelist.properties("bitbucket", self.whole.value()),
            ..template
        };
        change.properties.set("pullrequesturl", self.link, "Change");
        change
    }
}

/// The first of several places that has something.
pub(super) fn first<'a>(whole: &Json<'a>, paths: &[&'static str]) -> Result<Json<'a>, HookError> {
    let mut place = whole.at(paths.first().copied().unwrap_or_default())?;
    for path in paths {
        let next = whole.at(path)?;
        if next.value().is_some() {
            place = next;
            break;
        }
    }
    Ok(place)
}

/// `refs/heads/NAME` or `refs/tags/NAME`, by the type that stands beside the name.
pub(super) fn full_ref(kind: Option<&str>, name: &str) -> Option<String> {
    match kind?.to_ascii_lowercase().as_str() {
        "branch" => Some(format!("refs/heads/{name}")),
        "tag" => Some(format!("refs/tags/{name}")),
        _ => None,
    }
}
