//! Steers a Buildbot by its REST API: force schedulers, and the stop of builds and requests.
//!
//! Buildbot's API has nothing to shut a master down with: that comes to `NotConfigured`.

use std::collections::BTreeSet;

use async_trait::async_trait;
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, CONNECTION, COOKIE, SET_COOKIE};
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
        let response = self.send(request, &None).await?;
        if response.status == StatusCode::UNAUTHORIZED || response.status == StatusCode::FORBIDDEN {
            return Err(ControlError::Refused("`user` or `password` of `[control]` is wrong".to_owned()));
        }
        // The first one it sets is that of somebody who is not logged in.
        let last = response.headers.get_all(SET_COOKIE).iter().next_back();
        let cookie = last.and_then(|cookie| cookie.to_str().ok()?.split(';').next());
        Ok(cookie.map(Secret::new))
    }

    /// Each on a connection of its own: Buildbot's web server now and then leaves what comes on a kept one unanswered.
    async fn send(&self, request: Request, session: &Session) -> Result<Response, ControlError> {
        let mut request = request.header(CONNECTION, "close").map_err(unreachable)?;
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
        url.query_pairs_mut().append_pair("name", name);
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

/// The names of all fields of a force scheduler.
fn fields(scheduler: &Value) -> BTreeSet<String> {
    fn gather(fields: Option<&Value>, names: &mut BTreeSet<String>) {
        for field in fields.and_then(Value::as_array).into_iter().flatten() {
            names.extend(field.get("fullName").and_then(Value::as_str).map(str::to_owned));
            gather(field.get("fields"), names);
        }
    }
    let mut names = BTreeSet::new();
    gather(scheduler.pointer("/forceschedulers/0/all_fields"), &mut names);
    names
}

/// What goes into which field. Buildbot passes over what it has no field for without a word, so that is refused here.
fn filled(
    force: &Force,
    fields: &BTreeSet<String>,
    scheduler: &str,
) -> Result<Map<String, Value>, ControlError> {
    let mut filled = Map::new();
    // Who asked stands in the reason: the field for that takes mail addresses only.
    filled.insert("reason".to_owned(), force.reason.as_str().into());
    for (name, value) in [("branch", &force.branch), ("revision", &force.revision)] {
        let Some(value) = value else { continue };
        let suffix = format!("_{name}");
        let mut of_codebases = fields.iter().filter(|field| field.ends_with(&suffix));
        let fields_of_it = (fields.get(name), of_codebases.next(), of_codebases.next());
        let ((Some(field), ..) | (None, Some(field), None)) = fields_of_it else {
            return Err(ControlError::Refused(format!(
                "the force scheduler `{scheduler}` has several codebases, or none, to take a {name}"
            )));
        };
        filled.insert(field.clone(), value.as_str().into());
    }
    let mut free =
        fields.iter().filter_map(|field| field.strip_suffix("_name")).filter(|field| fields.contains(*field));
    for (name, value) in &force.properties {
        if fields.contains(name) {
            filled.insert(name.clone(), value.as_str().into());
        } else if let Some(field) = free.next() {
            filled.insert(format!("{field}_name"), name.as_str().into());
            filled.insert(format!("{field}_value"), value.as_str().into());
        } else {
            return Err(ControlError::Refused(format!(
                "the force scheduler `{scheduler}` has no field for the property `{name}`: add \
                 util.StringParameter(name=\"{name}\") to its `properties`, or util.AnyPropertyParameter"
            )));
        }
    }
    Ok(filled)
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
    async fn force(&self, _: &Asker, force: &Force) -> Result<Forced, ControlError> {
        let session = self.log_in().await?;
        let builder = self.builder_id(&force.builder, &session).await?;
        let scheduler = self.scheduler_of(builder, &force.builder, &session).await?;
        let path = ["api", "v2", "forceschedulers", &scheduler];
        let fields = fields(&self.get(&path, &session).await?);
        let mut params = filled(force, &fields, &scheduler)?;
        params.insert("builderid".to_owned(), builder.into());
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

    async fn cancel(&self, _: &Asker, _: &str, request: u64, reason: &str) -> Result<String, ControlError> {
        let session = self.log_in().await?;
        let path = ["api", "v2", "buildrequests", &request.to_string()];
        self.call(&path, "cancel", json!({"reason": reason}), &session).await?;
        Ok(format!("told to cancel request {request}"))
    }

    async fn shutdown(&self, _: &Asker, _: Shutdown) -> Result<Lifecycle, ControlError> {
        Err(ControlError::NotConfigured)
    }
}
