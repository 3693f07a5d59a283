//! Look-ups at GitHub about a pull request: its head commit's message, to skip by, and its files (H-XGH-13).

use std::time::{Duration, Instant};

use http::header::{ACCEPT, AUTHORIZATION};
use serde_json::Value;
use url::Url;

use super::commit::once_each;
use super::options::Skips;
use campanile_config::{Reader, Secret};
use campanile_model::{Change, read_json};
use campanile_outbound::{Client, Outbound, Request, Tls};

/// GitHub's own API.
const ENDPOINT: &str = "https://api.github.com";
/// All requests together take no longer, for somebody waits for the hook's answer.
const LIMIT: Duration = Duration::from_secs(5);
/// GitHub lists 3,000 files at most.
const PAGES: u32 = 30;
const PER_PAGE: usize = 100;
const MAX_ANSWER: usize = 8 << 20;

/// Settings of look-ups: the API's address, and the token for it.
#[derive(Clone)]
pub(super) struct LookUpSettings {
    client: Client,
    endpoint: Url,
    token: Option<Secret>,
}

impl LookUpSettings {
    /// Reads `token`, `pull_request_lookup`, `github_api_endpoint` and `verify`; none unless one of the first two asks
    /// for it.
    pub(super) fn read(table: &Reader<'_>, outbound: &Outbound) -> Option<Self> {
        let token = table.secret("token");
        let wanted = table.boolean("pull_request_lookup").unwrap_or(token.is_some());
        let endpoint = table.text("github_api_endpoint").unwrap_or_else(|| ENDPOINT.to_owned());
        let url = Url::parse(&endpoint).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        if url.as_ref().is_none_or(|url| url.cannot_be_a_base() || url.password().is_some()) {
            table.error(
                "github_api_endpoint",
                format!("`github_api_endpoint` must be an address such as {ENDPOINT}, without a password"),
            );
        }
        if table.boolean("verify") == Some(false) {
            let text = "`verify = false` would show the token to anybody on the way: name the endpoint's authority by \
                        `tls_ca` instead";
            table.error("verify", text);
        }
        let client = outbound.client(&Tls::read(table));
        if let Err(error) = &client {
            table.error("tls_cert", error.to_string());
        }
        wanted.then_some(Self { client: client.ok()?, endpoint: url?, token })
    }

    /// The look-up about a pull request; none if its names can't be those of GitHub.
    pub(super) fn about(
        &self,
        full_name: &str,
        number: &str,
        revision: &str,
        skips: &Skips,
    ) -> Option<LookUp> {
        let (owner, name) = full_name.split_once('/')?;
        let is_name = |text: &str| {
            let usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            !text.is_empty() && text != "." && text != ".." && text.chars().all(usual)
        };
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit()) && !number.is_empty();
        let is_revision = revision.bytes().all(|byte| byte.is_ascii_hexdigit()) && !revision.is_empty();
        if !is_name(owner) || !is_name(name) || !is_number || !is_revision {
            return None;
        }
        let path = |rest: &[&str]| {
            let mut url = self.endpoint.clone();
            url.path_segments_mut().ok()?.pop_if_empty().extend(["repos", owner, name]).extend(rest);
            Some(url)
        };
        Some(LookUp {
            commit: path(&["commits", revision])?,
            files: path(&["pulls", number, "files"])?,
            settings: self.clone(),
            skips: skips.clone(),
        })
    }
}

/// Requests about one pull request, to be made.
pub struct LookUp {
    settings: LookUpSettings,
    commit: Url,
    files: Url,
    skips: Skips,
}

impl std::fmt::Debug for LookUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LookUp").field("commit", &self.commit.as_str()).finish_non_exhaustive()
    }
}

impl PartialEq for LookUp {
    fn eq(&self, other: &Self) -> bool {
        (&self.commit, &self.files) == (&other.commit, &other.files)
    }
}

impl LookUp {
    /// Asks, and puts the files into the change. Gives the reason when the head commit asks to be skipped. What can't
    /// be had is logged, and the change goes on without.
    pub async fn run(self, change: &mut Change) -> Option<String> {
        let until = Instant::now() + LIMIT;
        match self.ask(self.commit.clone(), until).await {
            Ok(commit) => {
                let message = commit.pointer("/commit/message").and_then(Value::as_str).unwrap_or_default();
                if let Some(reason) = self.skips.reason(message) {
                    return Some(reason);
                }
            }
            Err(reason) => tracing::warn!(url = self.commit.as_str(), "look-up failed: {reason}"),
        }
        match self.all_files(until).await {
            Ok(files) => change.files = once_each(files),
            Err(reason) => tracing::warn!(url = self.files.as_str(), "look-up failed: {reason}"),
        }
        None
    }

    async fn all_files(&self, until: Instant) -> Result<Vec<String>, String> {
        let mut files = Vec::new();
        for page in 1..=PAGES {
            let mut url = self.files.clone();
            url.query_pairs_mut().append_pair("per_page", "100").append_pair("page", &page.to_string());
            let answer = self.ask(url, until).await?;
            let listed = answer.as_array().ok_or("the answer is no list")?;
            for file in listed {
                // A file that was moved is touched at both places.
                let names =
                    ["filename", "previous_filename"].map(|key| file.get(key).and_then(Value::as_str));
                files.extend(names.into_iter().flatten().map(str::to_owned));
            }
            if listed.len() < PER_PAGE {
                break;
            }
        }
        Ok(files)
    }

    async fn ask(&self, url: Url, until: Instant) -> Result<Value, String> {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(format!("there was no time left of {} s", LIMIT.as_secs()));
        }
        let request = Request::get(url).timeout(left).max_response(MAX_ANSWER);
        let mut request =
            request.header(ACCEPT, "application/vnd.github+json").map_err(|error| error.to_string())?;
        if let Some(token) = &self.settings.token {
            request =
                request.secret_header(AUTHORIZATION, "token ", token).map_err(|error| error.to_string())?;
        }
        let response = self.settings.client.send(request).await.map_err(|error| error.to_string())?;
        if !response.status.is_success() {
            return Err(format!("{} {}", response.status, response.excerpt()).trim_end().to_owned());
        }
        read_json(&response.body).map_err(|error| format!("the answer is no JSON: {error}"))
    }
}
