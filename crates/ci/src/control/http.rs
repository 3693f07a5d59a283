//! Steers a CI by JSON posted to an address of the user's; `docs/control.md` has the requests and answers.

use async_trait::async_trait;
use http::header::AUTHORIZATION;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::Url;

use super::{Asker, Control, ControlError, Force, ForceReply, Lifecycle, Shutdown};
use campanile_config::Secret;
use campanile_model::BuildId;
use campanile_outbound::{Client, Request};

pub(super) struct Http {
    pub(super) client: Client,
    pub(super) url: Url,
    pub(super) token: Option<Secret>,
}

/// The fields of an answer; all of them may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answer {
    buildset: Option<u64>,
    requests: Vec<u64>,
    said: String,
    state: Option<String>,
}

impl Http {
    async fn ask(&self, asker: &Asker, action: &str, mut body: Value) -> Result<Answer, ControlError> {
        if let Some(body) = body.as_object_mut() {
            body.insert("action".to_owned(), action.into());
            body.insert("asker".to_owned(), json!({"who": asker.who, "place": asker.place}));
        }
        let mut request = Request::post(self.url.clone(), "application/json", body.to_string());
        if let Some(token) = &self.token {
            request = request.secret_header(AUTHORIZATION, "Bearer ", token).map_err(unreachable)?;
        }
        let response = self.client.send(request).await.map_err(unreachable)?;
        let (status, said) = (response.status, response.excerpt());
        if status.is_server_error() {
            return Err(ControlError::Unreachable(format!("{status} {said}").trim_end().to_owned()));
        }
        if !status.is_success() {
            let said = if said.is_empty() { status.to_string() } else { said };
            return Err(ControlError::Refused(said));
        }
        if response.body.is_empty() {
            return Ok(Answer::default());
        }
        // An answer that is no JSON is still a yes.
        Ok(serde_json::from_slice(&response.body).unwrap_or(Answer { said, ..Answer::default() }))
    }
}

#[allow(clippy::needless_pass_by_value)] // stands in `map_err`
fn unreachable(error: campanile_outbound::OutboundError) -> ControlError {
    ControlError::Unreachable(error.to_string())
}

#[async_trait]
impl Control for Http {
    async fn force(&self, asker: &Asker, force: &Force) -> Result<ForceReply, ControlError> {
        let properties: Map<String, Value> =
            force.properties.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
        let body = json!({
            "builder": force.builder, "branch": force.branch, "revision": force.revision,
            "properties": properties, "reason": force.reason,
        });
        let Answer { buildset, requests, said, .. } = self.ask(asker, "force", body).await?;
        Ok(ForceReply { buildset, requests, said })
    }

    async fn stop(&self, asker: &Asker, build: &BuildId, reason: &str) -> Result<String, ControlError> {
        let body = json!({"builder": build.builder, "number": build.number, "reason": reason});
        Ok(self.ask(asker, "stop", body).await?.said)
    }

    async fn cancel(
        &self,
        asker: &Asker,
        builder: &str,
        request: u64,
        reason: &str,
    ) -> Result<String, ControlError> {
        let body = json!({"builder": builder, "request": request, "reason": reason});
        Ok(self.ask(asker, "cancel", body).await?.said)
    }

    async fn shutdown(&self, asker: &Asker, what: Shutdown) -> Result<Lifecycle, ControlError> {
        let what = what.name();
        let answer = self.ask(asker, "shutdown", json!({"what": what})).await?;
        match answer.state.as_deref() {
            Some("running") => Ok(Lifecycle::Running),
            Some("shutting-down") => Ok(Lifecycle::ShuttingDown),
            _ if what != "check" => {
                Ok(if what == "stop" { Lifecycle::Running } else { Lifecycle::ShuttingDown })
            }
            _ => Err(ControlError::Refused(
                "its answer has no `state`, `running` or `shutting-down`".to_owned(),
            )),
        }
    }
}
