//! The trait of forges: their names for states, their defaults, their requests, and their replies.

use async_trait::async_trait;
use serde_json::Value;

use super::commit_ref::CommitRef;
use super::payload::{Details, StoredStatus};
use super::settings::Shared;
use super::states::StateNames;
use crate::{Decision, Outcome};
use campanile_config::Reader;
use campanile_model::interpolate::{RenderError, Scope};
use campanile_model::{Build, Properties, Results, SourceStamp, Timestamp};
use campanile_outbound::{Request, Response};

/// A forge that takes statuses of commits, or comments.
#[async_trait]
pub(super) trait Forge: Sized + Send + Sync + 'static {
    /// The name of its table in the settings; targets that have no name are named by it.
    const TABLE: &'static str;
    /// Its name, for people.
    const TITLE: &'static str;
    /// Its names for states.
    const STATE_NAMES: StateNames;
    /// The values of settings that are not there.
    const DEFAULTS: Defaults;

    /// Reads the keys of the table that are its own. Errors are noted; none if it can't be made at all.
    fn read(reader: &Reader<'_>) -> Option<Self>;

    /// True if it must be told the repository beside the revision.
    fn needs_repository(&self) -> bool {
        true
    }

    /// Finds the commits that are told of a build where neither templates nor source stamps say so.
    fn own_commits(&self, about: &About<'_>) -> Vec<CommitRef> {
        let _ = about;
        Vec::new()
    }

    /// Collects the things that only it is told of a commit; or says, for the log, why it is told nothing of this one.
    fn details(
        &self,
        about: &About<'_>,
        commit: &CommitRef,
        scope: &Scope<'_>,
    ) -> Result<Decision<Details, String>, RenderError> {
        let _ = (about, commit, scope);
        Ok(Decision::Send(Details::new()))
    }

    /// Makes the request that hands a status over. A token that is needed first is asked for here.
    async fn request(
        &self,
        status: &StoredStatus,
        shared: &Shared,
        now: Timestamp,
    ) -> Result<Request, Outcome>;

    /// Makes a request that proves address and credentials, and changes nothing.
    async fn probe_request(&self, shared: &Shared, now: Timestamp) -> Result<Request, Outcome>;

    /// Throws away a token that was refused; false if there is none that can be fetched anew.
    async fn invalidate_token(&self) -> bool {
        false
    }

    /// Corrects the outcome of a reply, where it doesn't stand for what HTTP says.
    fn outcome(&self, status: &StoredStatus, response: &Response, outcome: Outcome) -> Outcome {
        let _ = (status, response);
        outcome
    }

    /// Says what went out, for people.
    fn success_text(status: &StoredStatus) -> String {
        format!("Status \"{}\" sent for {}.", status.state, status.subject())
    }

    /// Says what did not go out, for people; the reason follows it.
    fn failure_text(status: &StoredStatus) -> String {
        format!("Fail to send status \"{}\" for {}.", status.state, status.subject())
    }

    /// Says what a reply of this code usually comes from; follows the reason.
    fn hint(code: u16) -> &'static str {
        let _ = code;
        ""
    }
}

/// The values of settings that are not there, and the forge's limits.
pub(super) struct Defaults {
    /// None: it must be there.
    pub(super) base_url: Option<&'static str>,
    /// A base URL that would do, for errors.
    pub(super) example: &'static str,
    pub(super) addressing: DefaultAddressing,
    /// True if a stamp's project says more of the repository than its address.
    pub(super) project_first: bool,
    /// The key of a status's context, and its text; an empty key: settings can't change it.
    pub(super) context: (&'static str, &'static str),
    /// None: nothing is told of builds that begin.
    pub(super) start_description: Option<&'static str>,
    /// True if requests are told of; none if they never are, whatever settings say.
    pub(super) requests: Option<bool>,
    /// True if it refuses statuses that lead nowhere: the CI's front page then stands for an address that is not known.
    pub(super) needs_url: bool,
    /// The most characters of a description that it takes.
    pub(super) max_description: usize,
}

/// The way from a build to its commits, where settings say nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DefaultAddressing {
    Templates,
    EachStamp,
    /// As `own_commits` says; there are no settings for it.
    Own,
}

/// The thing that is told of: a build, or a request for one.
pub(super) struct About<'a> {
    pub(super) occasion: Occasion,
    pub(super) builder: &'a str,
    /// None of a request.
    pub(super) build: Option<&'a Build>,
    pub(super) properties: &'a Properties,
    pub(super) stamps: &'a [SourceStamp],
}

/// The event that it is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occasion {
    Requested,
    Cancelled,
    Started,
    Finished(Option<Results>),
}

impl About<'_> {
    /// Gives a property as `text_property` does.
    pub(super) fn property(&self, name: &str) -> Option<String> {
        text_property(self.properties, name)
    }
}

/// Gives a property that is a text or a number, if it says anything.
pub(super) fn text_property(properties: &Properties, name: &str) -> Option<String> {
    match properties.value(name)? {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
