//! Gerrit's REST API: `/a/changes/.../revisions/.../review`.

use http::header::ACCEPT;
use serde::Deserialize;
use url::Url;

use super::patch_set::PatchSet;
use super::payload::{ReviewOptions, StoredReview};
use super::send::ReviewResult;
use crate::http::{JSON, deferred, fault_of, outcome};
use crate::{Fault, FaultCode, Outcome, Parts};
use campanile_config::{Reader, Secret};
use campanile_model::Timestamp;
use campanile_outbound::{Client, Request, Response};

/// The bytes before every JSON reply, so that no page can take it for a script.
const MAGIC_PREFIX: &[u8] = b")]}'";

/// A server that takes reviews by HTTP.
#[derive(Clone)]
pub(super) struct RestTransport {
    client: Client,
    url: Url,
    user: String,
    password: Secret,
}

/// A change as Gerrit describes it, as far as it matters.
#[derive(Deserialize)]
struct ChangeInfo {
    id: String,
    current_revision: Option<String>,
}

impl RestTransport {
    /// Reads the address below this key, `username`, `password`, and certificates.
    pub(super) fn read(reader: &Reader<'_>, parts: &Parts<'_>, key: &str) -> Option<Self> {
        let url = reader.required_text(key)?;
        let url = match Url::parse(&url) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => url,
            _ => {
                reader.error(key, format!("`{url}` is no address such as https://gerrit.example.org/"));
                return None;
            }
        };
        let user = reader.required_text("username");
        if reader.item("password").is_none() {
            reader.error(
                "password",
                "`password` is missing: the HTTP password of `username` in Gerrit's settings",
            );
        }
        let password = reader.secret("password");
        let client = parts.client(reader)?;
        Some(Self { client, url, user: user?, password: password? })
    }

    /// Tells its address, for people.
    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// Reviews one patch set; `skip_superseded` leaves votes for old ones out.
    ///
    /// # Errors
    /// With the outcome, which is no success.
    pub(super) async fn post(
        &self,
        patch_set: &PatchSet,
        review: &StoredReview,
        options: &ReviewOptions,
        skip_superseded: bool,
        now: Timestamp,
    ) -> Result<ReviewResult, Outcome> {
        let mut search = self.below(&["a", "changes", ""])?;
        search.query_pairs_mut().append_pair("q", &patch_set.query()).append_pair("o", "CURRENT_REVISION");
        let found: Vec<ChangeInfo> = read(&self.send(Request::get(search), now).await?)?;
        let revision = patch_set.revision.as_str();
        let change = patch_set.only_one(found, self.url.as_str()).map_err(Outcome::Refused)?;
        let current = change.current_revision.as_deref().unwrap_or(revision);
        if skip_superseded && !review.labels.is_empty() && !current.starts_with(revision) {
            return Ok(ReviewResult::Superseded);
        }
        // Its identity comes encoded; `below` encodes it once more.
        let id = percent_encoding::percent_decode_str(&change.id).decode_utf8_lossy().into_owned();
        let address = self.below(&["a", "changes", &id, "revisions", revision, "review"])?;
        let body = review.input(options).to_string();
        self.send(Request::post(address, JSON, body), now).await?;
        Ok(ReviewResult::Posted(format!("{} has it", self.url)))
    }

    /// Proves that we are let in.
    pub(super) async fn probe(&self) -> Result<String, Fault> {
        let asked = async {
            let request = Request::get(self.below(&["a", "config", "server", "version"])?);
            let version = self.send(request, Timestamp::default()).await?;
            let version: String = read(&version)?;
            Ok(format!("{}: Gerrit {version}, as `{}`", self.url, self.user))
        };
        asked.await.map_err(fault_of)
    }

    /// Makes an address below the server's own. Parts are encoded, so that none becomes two.
    pub(super) fn below(&self, path: &[&str]) -> Result<Url, Outcome> {
        let mut url = self.url.clone();
        let joined = url.path_segments_mut().map(|mut segments| {
            segments.pop_if_empty().extend(path);
        });
        let unfit = || Fault::permanent(FaultCode::Rejected, format!("{} has no path", self.url));
        joined.map(|()| url).map_err(|()| Outcome::Refused(unfit()))
    }

    /// Sends a request with the credentials.
    ///
    /// # Errors
    /// With the outcome, which is no success.
    pub(super) async fn send(&self, request: Request, now: Timestamp) -> Result<Response, Outcome> {
        let request = request.basic_auth(&self.user, &self.password).header(ACCEPT, JSON);
        let sent = match request {
            Ok(request) => self.client.send(request).await,
            Err(error) => Err(error),
        };
        let response = sent.map_err(deferred)?;
        match outcome(&response, now) {
            Outcome::Delivered(_) => Ok(response),
            other => Err(other),
        }
    }
}

/// Reads the JSON of a reply.
///
/// # Errors
/// Deferred for anything else: a page in front of Gerrit, while it is being mended, answers 200 too.
fn read<T: for<'a> Deserialize<'a>>(response: &Response) -> Result<T, Outcome> {
    let body = response.body.strip_prefix(MAGIC_PREFIX).unwrap_or(&response.body);
    serde_json::from_slice(body).map_err(|error| {
        let text = format!("{} answered what is no answer of Gerrit's: {error}", response.origin);
        Outcome::from(Fault::transient(FaultCode::Rejected, text))
    })
}
