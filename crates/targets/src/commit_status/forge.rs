//! What tells one forge from another: its words, what it wants to know beside them, its requests and its answers.

use async_trait::async_trait;
use serde_json::{Map, Value};
use url::Url;

use super::place::Place;
use super::settings::Shared;
use super::status::StoredStatus;
use crate::{Fault, FaultCode, Outcome};
use campanile_config::Reader;
use campanile_model::interpolate::{RenderError, Scope};
use campanile_model::{Build, Properties, Results, SourceStamp, Timestamp};
use campanile_outbound::{Request, Response};

/// What a forge is told beside what all are told: kept with the status.
pub(super) type Details = Map<String, Value>;

/// A forge that takes statuses of commits, or comments.
#[async_trait]
pub(super) trait Forge: Sized + Send + Sync + 'static {
    /// Its table in the settings; names targets that have no name.
    const TABLE: &'static str;
    /// What people call it.
    const TITLE: &'static str;
    /// What it calls states.
    const WORDS: Words;
    /// What settings mean that are not there.
    const USUAL: Usual;

    /// Reads what is its own of the table. Whatever is wrong is noted; none if it can't be made at all.
    fn read(reader: &Reader<'_>) -> Option<Self>;

    /// Where a build is told of, where neither templates nor source stamps say so.
    fn own_places(&self, about: &About<'_>) -> Vec<Place> {
        let _ = about;
        Vec::new()
    }

    /// What it wants to know beside; or why nothing is told of this place, for the log.
    fn details(
        &self,
        about: &About<'_>,
        place: &Place,
        scope: &Scope<'_>,
    ) -> Result<Result<Details, String>, RenderError> {
        let _ = (about, place, scope);
        Ok(Ok(Details::new()))
    }

    /// The request that hands a status over. What must be asked first, such as for a token, is asked here.
    async fn request(
        &self,
        status: &StoredStatus,
        shared: &Shared,
        now: Timestamp,
    ) -> Result<Request, Outcome>;

    /// A request that proves address and credentials, and changes nothing.
    async fn proof(&self, shared: &Shared, now: Timestamp) -> Result<Request, Outcome>;

    /// Throws away a token that was not taken, if there is one that can be had anew.
    async fn renew(&self) -> bool {
        false
    }

    /// What an answer means, where that is not what HTTP says.
    fn judge(&self, status: &StoredStatus, response: &Response, outcome: Outcome) -> Outcome {
        let _ = (status, response);
        outcome
    }

    /// What went out, for people.
    fn told(status: &StoredStatus) -> String {
        format!("Status \"{}\" sent for {}.", status.state, status.subject())
    }

    /// What did not, for people.
    fn not_told(status: &StoredStatus) -> String {
        format!("Fail to send status \"{}\" for {}.", status.state, status.subject())
    }

    /// What an answer of this code usually comes from.
    fn hint(code: u16) -> &'static str {
        let _ = code;
        ""
    }
}

/// Which state a result is.
pub(super) type StateOf = fn(Results) -> &'static str;

/// What a forge calls the states of a commit.
pub(super) struct Words {
    /// All that settings may name.
    pub(super) states: &'static [&'static str],
    /// Those that a later one takes the place of before they are sent.
    pub(super) passing: &'static [&'static str],
    /// Of a build that was asked for.
    pub(super) requested: &'static str,
    /// Of one that runs.
    pub(super) running: &'static str,
    /// Of one that ended in no known way.
    pub(super) unknown: &'static str,
    /// From results to states, by the names that `state_mapping` may have; the first is the usual one.
    pub(super) mappings: &'static [(&'static str, StateOf)],
}

/// What settings mean that are not there.
pub(super) struct Usual {
    pub(super) base_url: Option<&'static str>,
    /// One that would do, for errors.
    pub(super) example: &'static str,
    pub(super) addressing: UsualAddressing,
    /// Whether the project's name says more of the repository than its address.
    pub(super) project_first: bool,
    /// The key of what a status is of, and its text.
    pub(super) context: (&'static str, &'static str),
    /// None: nothing is told of builds that begin.
    pub(super) start_description: Option<&'static str>,
    /// Whether requests are told of; none if they never are.
    pub(super) requests: Option<bool>,
    /// Whether it refuses what leads nowhere: the CI's front page then stands for one that is not known.
    pub(super) needs_url: bool,
    /// So many characters of a description are taken.
    pub(super) longest: usize,
}

/// How builds find their commits if settings say nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UsualAddressing {
    Templates,
    EachStamp,
    /// As `own_places` says; there are no settings for it.
    Own,
}

/// What is told of: a build, or a request for one.
pub(super) struct About<'a> {
    pub(super) occasion: Occasion,
    pub(super) builder: &'a str,
    /// None of a request.
    pub(super) build: Option<&'a Build>,
    pub(super) properties: &'a Properties,
    pub(super) stamps: &'a [SourceStamp],
}

/// What happened to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occasion {
    Requested,
    Cancelled,
    Started,
    Finished(Option<Results>),
}

impl About<'_> {
    /// A property that is a text or a number, if it says anything.
    pub(super) fn property(&self, name: &str) -> Option<String> {
        word(self.properties, name)
    }
}

/// A property that is a text or a number, if it says anything.
pub(super) fn word(properties: &Properties, name: &str) -> Option<String> {
    match properties.value(name)? {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// An address below another one. Parts are encoded, so that none becomes two; one that would lead upwards is refused.
pub(super) fn below<'a>(base: &Url, parts: impl IntoIterator<Item = &'a str>) -> Result<Url, Outcome> {
    let mut url = base.clone();
    let refused = |text: String| Outcome::Refused(Fault::permanent(FaultCode::Content, text));
    {
        let Ok(mut segments) = url.path_segments_mut() else {
            return Err(refused("`base_url` can't have a path".to_owned()));
        };
        segments.pop_if_empty();
        for part in parts {
            if matches!(part, "" | "." | "..") {
                return Err(refused(format!("`{part}` can't be part of an address")));
            }
            segments.push(part);
        }
    }
    Ok(url)
}
