//! Steers a Buildbot by its REST API: force schedulers, and the stop of builds.
//!
//! Buildbot's API has nothing to shut a master down with: that comes to `NotConfigured`.

use async_trait::async_trait;
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, COOKIE, SET_COOKIE};
use serde_json::{Map, Value, json};
use url::Url;

use super::{Asker, Control, ControlError, Force, Forced, Lifecycle, Shutdown};
use crate::config::Secret;
use crate::model::BuildId;
use crate::outbound::{Client, OutboundError, Request, Response};

pub(super) struct Buildbot {
    pub(super) client: Client,
    /// Where its pages start.
    pub(super) url: Url,
    pub(super) token: Option<Secret>,
    /// For a master whose users log in by name and password.
    pub(super) login: Option<(String, Secret)>,
    /// The force scheduler; the first one that the builder has if none is named.
    pub(super) scheduler: Option<String>,
}

/// The cookie of one session; got anew for each thing that is asked for, which people do seldom.
type Session = Option<Secret>;

impl Buildbot {
    fn address(&self, path: &[&str]) -> Result<Url, ControlError> {
        let mut url = self.url.clone();
        url.path_segments_mut()
            .map_err(|()| ControlError::Unreachable("`url` of `[control]` has no path".to_owned()))?
            .pop_if_empty()
            .extend(path);
        Ok(url)
    }

    async fn log_in(&self) -> Result<Session, ControlError> {
        let Some((user, password)) = &self.login else { return Ok(None) };
        let request = Request::get(self.address(&["auth", "login"])?).basic_auth(user, password);
        let response = self.client.send(request).await.map_err(unreachable)?;
        if response.status == StatusCode::UNAUTHORIZED || response.status == StatusCode::FORBIDDEN {
            return Err(ControlError::Refused("`user` or `password` of `[control]` is wrong".to_owned()));
        }
        let cookie = response.header(&SET_COOKIE).and_then(|cookie| cookie.split(';').next());
        Ok(cookie.map(Secret::new))
    }

    async fn send(&self, mut request: Request, session: &Session) -> Result<Response, ControlError> {
        if let Some(token) = &self.token {
            request = request.secret_header(AUTHORIZATION, "Bearer ", token).map_err(unreachable)?;
        }
        if let Some(cookie) = session {
            request = request.secret_header(COOKIE, "", cookie).map_err(unreachable)?;
        }
        self.client.send(request).await.map_err(unreachable)
    }

    async fn get(&self, path: &[&str], session: &Session) -> Result<Value, ControlError> {
        let response = self.send(Request::get(self.address(path)?), session).await?;
        answer(&response)
    }

    /// JSON-RPC, as its control API wants it.
    async fn call(
        &self,
        path: &[&str],
        method: &str,
        params: Value,
        session: &Session,
    ) -> Result<Value, ControlError> {
        let body = json!({"jsonrpc": "2.0", "method": method, "id": 1, "params": params}).to_string();
        let request = Request::post(self.address(path)?, "application/json", body);
        let response = self.send(request, session).await?;
        Ok(answer(&response)?.get("result").cloned().unwrap_or_default())
    }

    /// Its own number for a builder.
    async fn builder_id(&self, name: &str, session: &Session) -> Result<u64, ControlError> {
        let mut url = self.address(&["api", "v2", "builders"])?;
        url.query_pairs_mut().append_pair("name", name).append_pair("field", "builderid");
        let found = answer(&self.send(Request::get(url), session).await?)?;
        let id = found.pointer("/builders/0/builderid").and_then(Value::as_u64);
        id.ok_or_else(|| ControlError::Refused(format!("it has no builder `{name}`")))
    }

    async fn scheduler_of(
        &self,
        builder: u64,
        name: &str,
        session: &Session,
    ) -> Result<String, ControlError> {
        if let Some(scheduler) = &self.scheduler {
            return Ok(scheduler.clone());
        }
        let path = ["api", "v2", "builders", &builder.to_string(), "forceschedulers"];
        let found = self.get(&path, session).await?;
        let scheduler = found.pointer("/forceschedulers/0/name").and_then(Value::as_str);
        scheduler.map(str::to_owned).ok_or_else(|| {
            ControlError::Refused(format!(
                "the builder `{name}` has no force scheduler: add one to master.cfg"
            ))
        })
    }
}

/// A JSON answer, or what it says is wrong.
fn answer(response: &Response) -> Result<Value, ControlError> {
    let json: Option<Value> = serde_json::from_slice(&response.body).ok();
    if response.status.is_success()
        && let Some(json) = json
    {
        return Ok(json);
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
        ControlError::Unreachable(text)
    } else {
        ControlError::Refused(text)
    })
}

#[allow(clippy::needless_pass_by_value)] // stands in `map_err`
fn unreachable(error: OutboundError) -> ControlError {
    ControlError::Unreachable(error.to_string())
}

#[async_trait]
impl Control for Buildbot {
    async fn force(&self, asker: &Asker, force: &Force) -> Result<Forced, ControlError> {
        let session = self.log_in().await?;
        let builder = self.builder_id(&force.builder, &session).await?;
        let scheduler = self.scheduler_of(builder, &force.builder, &session).await?;
        let mut params = Map::new();
        params.insert("builderid".to_owned(), builder.into());
        params.insert("reason".to_owned(), force.reason.as_str().into());
        params.insert("username".to_owned(), asker.who.as_str().into());
        params.insert("branch".to_owned(), force.branch.clone().unwrap_or_default().into());
        params.insert("revision".to_owned(), force.revision.clone().unwrap_or_default().into());
        // As the form with free properties has them; those that the scheduler names count by their own names.
        for (number, (name, value)) in (1..).zip(&force.properties) {
            params.insert(format!("property{number}_name"), name.as_str().into());
            params.insert(format!("property{number}_value"), value.as_str().into());
            params.entry(name.clone()).or_insert_with(|| value.as_str().into());
        }
        let path = ["api", "v2", "forceschedulers", &scheduler];
        let result = self.call(&path, "force", Value::Object(params), &session).await?;
        let buildset = result.get(0).and_then(Value::as_u64);
        let requests = result.get(1).and_then(Value::as_object);
        let requests: Vec<u64> =
            requests.into_iter().flat_map(|map| map.values()).filter_map(Value::as_u64).collect();
        let said = format!("buildset {}", buildset.map_or("unknown".to_owned(), |id| id.to_string()));
        Ok(Forced { buildset, requests, said })
    }

    async fn stop(&self, _: &Asker, build: &BuildId, reason: &str) -> Result<String, ControlError> {
        let session = self.log_in().await?;
        let builder = self.builder_id(&build.builder, &session).await?.to_string();
        let path = ["api", "v2", "builders", &builder, "builds", &build.number.to_string()];
        self.call(&path, "stop", json!({"reason": reason}), &session).await?;
        Ok(format!("told to stop {build}"))
    }

    async fn shutdown(&self, _: &Asker, _: Shutdown) -> Result<Lifecycle, ControlError> {
        Err(ControlError::NotConfigured)
    }
}
