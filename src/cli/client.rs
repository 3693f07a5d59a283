//! The HTTP client by which commands talk to a running engine.

use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::{Method, StatusCode, Url};
use serde_json::Value;

/// Which engine, and with which token.
#[derive(clap::Args)]
pub(super) struct ServerOptions {
    /// Where the engine listens
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://127.0.0.1:8010/",
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
        let unreachable = || format!("no engine answers at {}: is it running? see --server", self.server);
        let response = self.http.get(self.server.join("readyz")?).send().await.with_context(unreachable)?;
        match response.status() {
            status if status.is_success() => Ok(()),
            status => bail!("the engine answered {status}: {}", response.text().await?.trim()),
        }
    }

    /// Asks for a path below the engine's address; `segments` are percent-encoded.
    pub(super) async fn call(
        &self,
        method: Method,
        segments: &[&str],
        query: &[(&str, String)],
        body: Option<(&str, Vec<u8>)>,
    ) -> anyhow::Result<Value> {
        let mut url = self.server.clone();
        match url.path_segments_mut() {
            Ok(mut path) => drop(path.pop_if_empty().extend(["api", "v1"]).extend(segments)),
            Err(()) => bail!("`{}` is no address of an engine", self.server),
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = self.http.request(method, url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some((media_type, body)) = body {
            request = request.header(reqwest::header::CONTENT_TYPE, media_type).body(body);
        }
        let unreachable = || format!("no engine answers at {}: is it running? see --server", self.server);
        let response = request.send().await.with_context(unreachable)?;
        let status = response.status();
        let text = response.text().await?;
        if status.is_success() {
            return Ok(if text.is_empty() { Value::Null } else { serde_json::from_str(&text)? });
        }
        let told: Option<Value> = serde_json::from_str(&text).ok();
        let detail = told.as_ref().and_then(|problem| problem.get("detail")).and_then(Value::as_str);
        let hint = if status == StatusCode::UNAUTHORIZED { " (set CAMPANILE_TOKEN)" } else { "" };
        bail!("the engine answered {status}: {}{hint}", detail.unwrap_or(text.trim()))
    }
}
