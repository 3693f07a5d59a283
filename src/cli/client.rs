//! The HTTP client by which commands talk to a running engine.

use std::fmt;
use std::time::Duration;

use anyhow::bail;
use reqwest::{Body, Method, RequestBuilder, StatusCode, Url, header};
use serde_json::Value;

use super::address;
use campanile_model::{BuildId, LogRef};

/// Which engine, and with which token.
#[derive(clap::Args)]
pub(super) struct ServerOptions {
    /// Where the engine listens
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://127.0.0.1:8010/",
        value_parser = address::server,
        env = "CAMPANILE_SERVER",
        global = true
    )]
    server: Url,
    /// Its API token; better given in the environment, where others don't see it
    #[arg(long, env = "CAMPANILE_TOKEN", hide_env_values = true, global = true)]
    token: Option<String>,
}

/// Talks to one engine.
pub(super) struct Client {
    http: reqwest::Client,
    server: Url,
    token: Option<String>,
}

/// The one HTTP client: no redirects, no proxy of the environment's, and an end to waiting.
#[allow(clippy::disallowed_methods)] // its one home
pub(super) fn http() -> anyhow::Result<reqwest::Client> {
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(Duration::from_secs(10))
        .timeout(Duration::from_secs(60))
        .user_agent(concat!("campanile/", env!("CARGO_PKG_VERSION")))
        .build()?;
    Ok(client)
}

impl ServerOptions {
    pub(super) fn client(&self) -> anyhow::Result<Client> {
        let mut server = self.server.clone();
        if !server.path().ends_with('/') {
            server.set_path(&format!("{}/", server.path()));
        }
        Ok(Client { http: http()?, server, token: self.token.clone() })
    }
}

impl Client {
    /// Fails unless the engine answers and its store takes writes.
    pub(super) async fn ready(&self) -> anyhow::Result<()> {
        let response = self.http.get(self.server.join("readyz")?).send().await;
        let response = response.map_err(|error| self.unanswered(error))?;
        match response.status() {
            status if status.is_success() => Ok(()),
            status => bail!("the engine answered {status}: {}", response.text().await?.trim()),
        }
    }

    /// Asks for a path below the engine's address; `segments` are percent-encoded.
    ///
    /// # Errors
    /// A [`Refusal`] when the engine says no; anything else when it says nothing.
    pub(super) async fn call(
        &self,
        method: Method,
        segments: &[&str],
        query: &[(&str, String)],
        body: Option<(&str, Vec<u8>)>,
    ) -> anyhow::Result<Value> {
        let mut request = self.request(method, segments, query)?;
        if let Some((media_type, body)) = body {
            request = request.header(header::CONTENT_TYPE, media_type).body(body);
        }
        self.answer(request).await
    }

    /// Posts events. A second request of the same `name` stores nothing, so that one without an answer can be repeated.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub(super) async fn post_events(&self, events: &Value, name: Option<&str>) -> anyhow::Result<Value> {
        let mut request = self.request(Method::POST, &["events"], &[])?;
        if let Some(name) = name {
            request = request.header("idempotency-key", name);
        }
        let request = request.header(header::CONTENT_TYPE, "application/json").body(events.to_string());
        self.answer(request).await
    }

    /// Sends a text as a log, as it is read, within a time. One that is there already stays: [`Refusal::is_known`].
    ///
    /// # Errors
    /// As [`Self::call`].
    pub(super) async fn put_log(
        &self,
        log: &LogRef,
        text: impl Into<Body>,
        time: Duration,
    ) -> anyhow::Result<Value> {
        let LogRef { build: BuildId { builder, number }, step, log } = log;
        let path = ["builds", builder, &number.to_string(), "steps", step, "logs", log];
        let request = self.request(Method::PUT, &path, &[])?.header(header::IF_NONE_MATCH, "*").timeout(time);
        self.answer(request.header(header::CONTENT_TYPE, "text/plain").body(text)).await
    }

    fn request(
        &self,
        method: Method,
        segments: &[&str],
        query: &[(&str, String)],
    ) -> anyhow::Result<RequestBuilder> {
        let mut url = self.server.clone();
        match url.path_segments_mut() {
            Ok(mut path) => drop(path.pop_if_empty().extend(["api", "v1"]).extend(segments)),
            Err(()) => bail!("`{}` is no address of an engine", self.server),
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.http.request(method, url);
        Ok(match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        })
    }

    /// Says that nobody is there, or that somebody did not come to an end, or what broke off.
    fn unanswered(&self, error: reqwest::Error) -> anyhow::Error {
        let server = &self.server;
        let text = if error.is_connect() {
            format!("no engine answers at {server}: is it running? see --server")
        } else if error.is_timeout() {
            format!("the engine at {server} did not answer in time")
        } else {
            format!("the exchange with the engine at {server} broke off")
        };
        anyhow::Error::new(error).context(text)
    }

    async fn answer(&self, request: RequestBuilder) -> anyhow::Result<Value> {
        let response = request.send().await.map_err(|error| self.unanswered(error))?;
        let status = response.status();
        let text = response.text().await.map_err(|error| self.unanswered(error))?;
        if status.is_success() {
            return Ok(if text.is_empty() { Value::Null } else { serde_json::from_str(&text)? });
        }
        let told: Option<Value> = serde_json::from_str(&text).ok();
        let detail = told.as_ref().and_then(|problem| problem.get("detail")).and_then(Value::as_str);
        let hint = if status == StatusCode::UNAUTHORIZED { " (set CAMPANILE_TOKEN)" } else { "" };
        Err(Refusal { status, detail: format!("{}{hint}", detail.unwrap_or(text.trim())) }.into())
    }
}

/// An answer of the engine that is no success.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    detail: String,
}

impl Refusal {
    /// True if what was to be sent for the first time is there already.
    pub(super) fn is_known(&self) -> bool {
        self.status == StatusCode::PRECONDITION_FAILED
    }

    /// True if the same request may be taken later.
    pub(super) fn may_pass(&self) -> bool {
        self.status.is_server_error()
            || matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the engine answered {}: {}", self.status, self.detail)
    }
}

impl std::error::Error for Refusal {}
