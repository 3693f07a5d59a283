//! A client of a master's REST API: logged in where it wants that, and silent for a while after it gave no answer.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use http::StatusCode;
use http::header::{AUTHORIZATION, CONNECTION, COOKIE, SET_COOKIE};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use url::Url;

use campanile_config::Secret;
use campanile_outbound::{Client, Outbound, OutboundError, Request, Response, Tls};

/// Requests at once: a master does one thing at a time, and has builds to see to.
const MAX_CONCURRENT: usize = 4;
/// A master that gave no answer is not asked again before this, so that it can recover; only requests of people go
/// through.
const COOLDOWN: Duration = Duration::from_secs(10);
/// Time that an answer may take: its web server now and then leaves a request without one.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Time after which a builder is asked for again that the master did not have.
const UNKNOWN_TTL: Duration = Duration::from_secs(60);
/// Largest response, in bytes; a page of a log is what is largest.
const MAX_RESPONSE: usize = 16 << 20;

/// A Buildbot master.
pub struct Master {
    client: Client,
    /// Address that its pages start with.
    url: Url,
    token: Option<Secret>,
    /// For a master whose users log in by name and password.
    login: Option<(String, Secret)>,
    /// The table of the settings that it comes from, for people.
    table: &'static str,
    permits: Semaphore,
    session: Mutex<Option<Secret>>,
    cooldown_until: Mutex<Option<Instant>>,
    /// Its own numbers of builders, by name; none for a name that it did not know then.
    builders: Mutex<HashMap<String, (Option<u64>, Instant)>>,
}

/// Reasons for a master not to do or say what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MasterError {
    /// It said no.
    #[error("{0}")]
    Refused(String),
    /// There is no such thing.
    #[error("{0}")]
    Unknown(String),
    /// It did not answer. It may have done as it was asked.
    #[error("{0}")]
    Unreachable(String),
}

impl Master {
    pub(super) fn new(
        client: Client,
        url: Url,
        token: Option<Secret>,
        login: Option<(String, Secret)>,
        table: &'static str,
    ) -> Self {
        Self {
            client,
            url,
            token,
            login,
            table,
            permits: Semaphore::new(MAX_CONCURRENT),
            session: Mutex::default(),
            cooldown_until: Mutex::default(),
            builders: Mutex::default(),
        }
    }

    /// A master that no settings name yet.
    ///
    /// # Errors
    /// Never, without certificates of its own.
    pub fn at(url: Url, login: Option<(String, Secret)>, outbound: &Outbound) -> Result<Self, OutboundError> {
        Ok(Self::new(outbound.client(&Tls::default())?, url, None, login, "buildbot"))
    }

    /// Its address without a path, for people.
    #[must_use]
    pub fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// An address below its own.
    pub(super) fn address(&self, path: &[&str]) -> Result<Url, MasterError> {
        let mut url = self.url.clone();
        url.path_segments_mut()
            .map_err(|()| MasterError::Refused(format!("`url` of `[{}]` has no path", self.table)))?
            .pop_if_empty()
            .extend(path);
        Ok(url)
    }

    /// Reads something, in the background: waits for others, and fails at once during the cooldown.
    pub(super) async fn read(&self, url: Url) -> Result<Value, MasterError> {
        if lock(&self.cooldown_until).is_some_and(|until| Instant::now() < until) {
            return Err(MasterError::Unreachable(format!("{} gave no answer a moment ago", self.origin())));
        }
        // Never closed, so this is never refused.
        let _permit = self.permits.acquire().await;
        let read = self.send_with_session(Request::get(url).timeout(TIMEOUT)).await;
        if let Err(MasterError::Unreachable(_)) = read {
            *lock(&self.cooldown_until) = Some(Instant::now() + COOLDOWN);
        }
        read
    }

    /// Gets something at once, on behalf of a person who waits for it.
    ///
    /// # Errors
    /// The refusal, or `Unreachable` when it said nothing.
    pub async fn get(&self, path: &[&str]) -> Result<Value, MasterError> {
        self.send_with_session(Request::get(self.address(path)?)).await
    }

    /// JSON-RPC, as its control API wants it. Asked once.
    ///
    /// # Errors
    /// The refusal, or `Unreachable` when it said nothing.
    pub async fn call(&self, path: &[&str], method: &str, params: Value) -> Result<Value, MasterError> {
        let body = json!({"jsonrpc": "2.0", "method": method, "id": 1, "params": params}).to_string();
        let request = Request::post(self.address(path)?, "application/json", body);
        Ok(self.send_with_session(request).await?.get("result").cloned().unwrap_or_default())
    }

    /// Its own number for a builder; none if it has none of that name. Remembered.
    ///
    /// # Errors
    /// When it does not say.
    pub async fn builder_id(&self, name: &str) -> Result<Option<u64>, MasterError> {
        let now = Instant::now();
        match lock(&self.builders).get(name) {
            Some((Some(id), _)) => return Ok(Some(*id)),
            Some((None, since)) if now < *since + UNKNOWN_TTL => return Ok(None),
            _ => {}
        }
        let mut url = self.address(&["api", "v2", "builders"])?;
        url.query_pairs_mut().append_pair("name", name);
        let found = self.read(url).await?;
        let id = found.pointer("/builders/0/builderid").and_then(Value::as_u64);
        lock(&self.builders).insert(name.to_owned(), (id, now));
        Ok(id)
    }

    /// Sends a request; where the master wants a login, with a session.
    ///
    /// A session that has run out is renewed, and the request sent again: one that was refused for its session has not
    /// been carried out, so that a force is not doubled.
    async fn send_with_session(&self, request: Request) -> Result<Value, MasterError> {
        let known = lock(&self.session).clone();
        let had_one = known.is_some();
        let session = match (known, &self.login) {
            (None, Some(_)) => self.log_in().await?,
            (known, _) => known,
        };
        let response = self.send(request.clone(), session.as_ref()).await?;
        let denied = matches!(response.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        if denied && had_one {
            let session = self.log_in().await?;
            return parse_response(&self.send(request, session.as_ref()).await?);
        }
        parse_response(&response)
    }

    async fn log_in(&self) -> Result<Option<Secret>, MasterError> {
        let Some((user, password)) = &self.login else { return Ok(None) };
        let request = Request::get(self.address(&["auth", "login"])?).basic_auth(user, password);
        let response = self.send(request, None).await?;
        if response.status == StatusCode::UNAUTHORIZED || response.status == StatusCode::FORBIDDEN {
            let text = format!("`user` or `password` of `[{}]` is wrong", self.table);
            return Err(MasterError::Refused(text));
        }
        // The first one it sets is that of somebody who is not logged in.
        let last = response.headers.get_all(SET_COOKIE).iter().next_back();
        let cookie = last.and_then(|cookie| cookie.to_str().ok()?.split(';').next()).map(Secret::new);
        lock(&self.session).clone_from(&cookie);
        Ok(cookie)
    }

    /// Sends a request on a connection of its own: Buildbot's web server now and then leaves a request on a kept one
    /// without an answer.
    async fn send(&self, request: Request, session: Option<&Secret>) -> Result<Response, MasterError> {
        let mut request =
            request.header(CONNECTION, "close").map_err(unreachable)?.max_response(MAX_RESPONSE);
        if let Some(token) = &self.token {
            request = request.secret_header(AUTHORIZATION, "Bearer ", token).map_err(unreachable)?;
        }
        if let Some(cookie) = session {
            request = request.secret_header(COOKIE, "", cookie).map_err(unreachable)?;
        }
        self.client.send(request).await.map_err(unreachable)
    }
}

/// Locks, whatever happened to another holder: each of the values is replaced as a whole.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A JSON answer, or what it says is wrong.
fn parse_response(response: &Response) -> Result<Value, MasterError> {
    let json: Option<Value> = serde_json::from_slice(&response.body).ok();
    if response.status.is_success()
        && let Some(json) = json
    {
        return Ok(json);
    }
    if response.truncated {
        return Err(MasterError::Refused(format!("its answer is larger than {} MiB", MAX_RESPONSE >> 20)));
    }
    let error = json.as_ref().and_then(|json| json.get("error"));
    let message = error.and_then(|error| error.get("message").or(Some(error)));
    let said = match message {
        Some(Value::String(text)) => text.clone(),
        // Fields that a force scheduler finds wrong, each with its reason.
        Some(other) => other.to_string(),
        None => response.excerpt(),
    };
    let text = format!("{} {said}", response.status).trim_end().to_owned();
    Err(if response.status.is_server_error() {
        MasterError::Unreachable(text)
    } else if response.status == StatusCode::NOT_FOUND {
        MasterError::Unknown(text)
    } else {
        MasterError::Refused(text)
    })
}

#[allow(clippy::needless_pass_by_value)] // stands in `map_err`
fn unreachable(error: OutboundError) -> MasterError {
    MasterError::Unreachable(error.to_string())
}
