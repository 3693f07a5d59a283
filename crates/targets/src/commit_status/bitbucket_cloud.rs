//! Statuses of commits at bitbucket.org: `[[bitbucket]]` (K-01 to K-04).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};
use url::Url;

use super::commit_ref::CommitRef;
use super::description::distinct;
use super::forge::{About, DefaultAddressing, Defaults, Forge};
use super::payload::{Details, StoredStatus};
use super::settings::{Shared, address, text};
use super::states::StateNames;
use crate::http::{CachedToken, Credentials, FORM, JSON, below, deferred, require_success};
use crate::{Decision, Fault, FaultCode, Outcome, Parts, Target};
use campanile_config::{Reader, Secret};
use campanile_model::interpolate::{RenderError, Scope, Text};
use campanile_model::{Results, Timestamp};
use campanile_outbound::Request;

/// Makes a target of the n-th `[[bitbucket]]` table.
pub(crate) fn from_settings(reader: &Reader<'_>, index: usize, parts: &Parts<'_>) -> Option<Arc<dyn Target>> {
    super::target::<BitbucketCloud>(reader, index, parts)
}

const OAUTH: &str = "https://bitbucket.org/site/oauth2/access_token";
/// Seconds that a token lasts if Bitbucket does not say it.
const DEFAULT_LIFE: u64 = 7_200;

/// bitbucket.org.
pub(super) struct BitbucketCloud {
    auth: Auth,
    name: Text,
}

/// The proof of who asks (K-01).
enum Auth {
    Credentials(Credentials),
    Oauth(Box<Oauth>),
}

/// A consumer of OAuth, that asks on its own behalf.
struct Oauth {
    url: Url,
    key: String,
    secret: Secret,
    token: CachedToken,
}

/// Bitbucket's reply.
#[derive(Deserialize)]
struct TokenResponse {
    access_token: String,
    expires_in: Option<u64>,
}

impl Auth {
    fn read(reader: &Reader<'_>) -> Option<Self> {
        let oauth = ["oauth_key", "oauth_secret"].iter().any(|key| reader.item(key).is_some());
        // Asked for in any case, so that it is a known key.
        let url = address(reader, "oauth_url", OAUTH, OAUTH);
        match (oauth, Credentials::is_given(reader)) {
            (true, true) => {
                reader.error("oauth_key", "Either App Passwords or OAuth can be specified, not both");
                None
            }
            (false, true) => Credentials::read(reader).map(Self::Credentials),
            (false, false) => {
                reader.error(
                    "oauth_key",
                    "credentials are missing: `oauth_key` and `oauth_secret`, `username` and `password` (an app \
                     password or API token), or `token` (an access token)",
                );
                None
            }
            (true, false) => {
                let key = reader.required_text("oauth_key");
                if reader.item("oauth_secret").is_none() {
                    reader.error("oauth_secret", "`oauth_secret` is missing beside `oauth_key`");
                }
                let mut url = url?;
                if let Ok(mut segments) = url.path_segments_mut() {
                    segments.pop_if_empty();
                }
                let secret = reader.secret("oauth_secret")?;
                Some(Self::Oauth(Box::new(Oauth { url, key: key?, secret, token: CachedToken::default() })))
            }
        }
    }

    async fn sign(&self, request: Request, shared: &Shared, now: Timestamp) -> Result<Request, Outcome> {
        match self {
            Self::Credentials(credentials) => credentials.sign(request).map_err(deferred),
            Self::Oauth(oauth) => {
                let token = oauth.token.get(now, oauth.fetch(shared, now)).await?;
                Credentials::Bearer(token).sign(request).map_err(deferred)
            }
        }
    }
}

impl Oauth {
    /// Asks for a token (K-02).
    async fn fetch(&self, shared: &Shared, now: Timestamp) -> Result<(Secret, Timestamp), Outcome> {
        let request = Request::post(self.url.clone(), FORM, "grant_type=client_credentials");
        let request = request.basic_auth(&self.key, &self.secret);
        let response = shared.client.send(request).await.map_err(deferred)?;
        require_success(&response, now, &format!("there is no token for the OAuth consumer {}", self.key))?;
        let granted: TokenResponse = serde_json::from_slice(&response.body).map_err(|_| {
            // The body is not shown: it may hold a token.
            let text = format!("{} gave no token that is understood", response.origin);
            Outcome::from(Fault::transient(FaultCode::Authentication, text))
        })?;
        let life = Duration::from_secs(granted.expires_in.unwrap_or(DEFAULT_LIFE));
        Ok((Secret::new(granted.access_token), now.after(life)))
    }
}

/// Bitbucket's names for states (K-04).
const STATE_NAMES: StateNames = StateNames {
    states: &["INPROGRESS", "SUCCESSFUL", "FAILED", "STOPPED"],
    transient: &["INPROGRESS"],
    requested: "INPROGRESS",
    running: "INPROGRESS",
    unknown: "FAILED",
    mappings: &[("modern", state)],
};

/// Maps as both Bitbuckets have it (K-04).
pub(super) fn state(results: Results) -> &'static str {
    match results {
        Results::Success => "SUCCESSFUL",
        _ => "FAILED",
    }
}

/// Writes the body of a request (K-03).
fn body(status: &StoredStatus) -> Value {
    let key = hex::encode(Sha1::digest(status.context.as_bytes()));
    let mut body = json!({
        "state": status.state,
        "key": key,
        "name": distinct(status.detail("name").unwrap_or(&status.context)),
        "description": status.description,
    });
    if let (Some(url), Some(body)) = (&status.target_url, body.as_object_mut()) {
        body.insert("url".to_owned(), url.as_str().into());
    }
    body
}

#[async_trait]
impl Forge for BitbucketCloud {
    const TABLE: &'static str = "bitbucket";
    const TITLE: &'static str = "Bitbucket";
    const STATE_NAMES: StateNames = STATE_NAMES;
    const DEFAULTS: Defaults = Defaults {
        base_url: Some("https://api.bitbucket.org/2.0/repositories/"),
        example: "https://api.bitbucket.org/2.0/repositories/",
        addressing: DefaultAddressing::EachStamp,
        project_first: false,
        context: ("status_key", "%(prop:buildername)s"),
        start_description: Some("Build started."),
        requests: Some(false),
        needs_url: true,
        max_description: 255,
    };

    fn read(reader: &Reader<'_>) -> Option<Self> {
        let name = text(reader, "status_name", "%(prop:buildername)s");
        Some(Self { auth: Auth::read(reader)?, name: name? })
    }

    fn details(
        &self,
        _: &About<'_>,
        commit: &CommitRef,
        scope: &Scope<'_>,
    ) -> Result<Decision<Details, String>, RenderError> {
        // Addresses at the API name `2.0/repositories` before the workspace.
        let workspace =
            commit.owner.rsplit_once("repositories/").map_or(commit.owner.as_str(), |(_, last)| last);
        if workspace.contains('/') {
            let text = format!("Skipped status update: `{}/{}` is no repository.", commit.owner, commit.name);
            return Ok(Decision::Silent(text));
        }
        let name = self.name.render(scope)?.into_owned();
        let details = [("name", name), ("workspace", workspace.to_owned())].into_iter();
        Ok(Decision::Send(details.map(|(key, text)| (key.to_owned(), text.into())).collect()))
    }

    async fn request(
        &self,
        status: &StoredStatus,
        shared: &Shared,
        now: Timestamp,
    ) -> Result<Request, Outcome> {
        let workspace = status.detail("workspace").unwrap_or(&status.owner);
        let path = [workspace, &status.name, "commit", &status.sha, "statuses", "build"];
        let request = Request::post(below(&shared.base_url, path)?, JSON, body(status).to_string());
        self.auth.sign(request, shared, now).await
    }

    async fn probe_request(&self, shared: &Shared, now: Timestamp) -> Result<Request, Outcome> {
        let mut url = shared.base_url.clone();
        url.set_query(Some("role=member"));
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty();
        }
        self.auth.sign(Request::get(url), shared, now).await
    }

    async fn invalidate_token(&self) -> bool {
        match &self.auth {
            Auth::Credentials(_) => false,
            Auth::Oauth(oauth) => oauth.token.invalidate().await,
        }
    }

    fn hint(code: u16) -> &'static str {
        match code {
            401 | 403 | 404 => {
                "; the credentials lack `repository:write`, or there is no such repository or commit"
            }
            _ => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commit_status::states::Mapping;

    #[test]
    fn k_04_states_of_results() {
        let mapping = Mapping::new(&STATE_NAMES, Some(state));
        let states: Vec<_> = Results::ALL.into_iter().map(|results| mapping.state(Some(results))).collect();
        assert_eq!(states, ["SUCCESSFUL", "FAILED", "FAILED", "FAILED", "FAILED", "FAILED", "FAILED"]);
    }

    #[test]
    fn k_03_the_key_is_a_digest() {
        let status = StoredStatus {
            owner: "quad".into(),
            name: "bells".into(),
            sha: "1f0c".into(),
            state: "FAILED".into(),
            context: "linux".into(),
            description: "d".into(),
            target_url: None,
            details: Details::new(),
        };
        let told = body(&status);
        assert_eq!(told["key"], "ba324ca7b1c77fc20bb970d5aff6eea9377918a5");
        assert_eq!((told["name"].as_str(), told.get("url")), (Some("linux"), None));
    }
}
