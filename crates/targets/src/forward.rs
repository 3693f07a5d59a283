//! Hands changes on to a Buildbot master's own change hook, dialect `base`, in the order in which they came: Campanile
//! is then the one door, with proof of senders, a queue and retries.

use std::sync::Arc;

use async_trait::async_trait;
use form_urlencoded::Serializer;
use http::header::CONNECTION;
use serde_json::{Map, Value};
use url::Url;

use crate::http::{FORM, deferred, outcome, transport_fault, with_basic_auth};
use crate::name_filter::NameFilter;
use crate::{Context, Fault, FaultCode, Outcome, Outgoing, Parts, Prepared, Silence, Target, Wanted};
use campanile_config::{Reader, Secret};
use campanile_model::{Change, Event};
use campanile_outbound::{Client, OutboundError, Request, Response};

/// A target that is a master's change hook.
struct Forward {
    name: String,
    client: Client,
    /// The address of the change hook.
    url: Url,
    login: Option<(String, Secret)>,
    filter: ChangeFilter,
}

/// The changes that are handed on: those that pass each list that is there (M-FLT-01).
struct ChangeFilter {
    projects: Option<NameFilter>,
    repositories: Option<NameFilter>,
    branches: Option<NameFilter>,
}

/// Makes a target of the n-th `[[forward]]` table.
pub(crate) fn from_settings(reader: &Reader<'_>, index: usize, parts: &Parts<'_>) -> Option<Arc<dyn Target>> {
    let name = reader.text("name").filter(|name| !name.trim().is_empty());
    let kind = reader.required_text("kind");
    if let Some(kind) = kind.filter(|kind| kind != "buildbot") {
        reader.error("kind", format!("`kind` must be `buildbot`, not `{kind}`"));
    }
    let filter = ChangeFilter {
        projects: NameFilter::read(reader, &["projects"]),
        repositories: NameFilter::read(reader, &["repositories"]),
        branches: NameFilter::read(reader, &["branches"]),
    };
    let login = reader.login();
    let client = parts.client(reader);
    let url = hook_url(reader);
    Some(Arc::new(Forward {
        name: name
            .unwrap_or_else(|| if index == 1 { "forward".to_owned() } else { format!("forward-{index}") }),
        client: client?,
        url: url?,
        login,
        filter,
    }))
}

/// Reads `url`, where the master's pages start, and makes the address of its change hook.
fn hook_url(reader: &Reader<'_>) -> Option<Url> {
    let mut url = campanile_ci::buildbot::address(reader)?;
    url.path_segments_mut().ok()?.pop_if_empty().extend(["change_hook", "base"]);
    Some(url)
}

impl ChangeFilter {
    fn passes(&self, change: &Change) -> bool {
        let among = |names: &Option<NameFilter>, name: &str| {
            let told = (!name.is_empty()).then_some(name);
            names.as_ref().is_none_or(|names| names.passes(told))
        };
        among(&self.projects, &change.project)
            && among(&self.repositories, &change.repository)
            && among(&self.branches, change.branch.as_deref().unwrap_or_default())
    }
}

impl Forward {
    async fn post(&self, form: &[u8]) -> Result<Response, OutboundError> {
        // Buildbot's web server now and then leaves what comes on a kept connection unanswered.
        let request = Request::post(self.url.clone(), FORM, form.to_vec()).header(CONNECTION, "close")?;
        self.client.send(with_basic_auth(request, self.login.as_ref())).await
    }
}

#[async_trait]
impl Target for Forward {
    fn name(&self) -> &str {
        &self.name
    }

    fn wants(&self, event: &Event) -> Option<Wanted> {
        let Event::ChangeAdded { change } = event else { return None };
        // All in one order: a master numbers changes as they come.
        self.filter.passes(change).then(|| Wanted::in_order("changes"))
    }

    fn unwanted(&self, event: &Event) -> String {
        match event {
            Event::ChangeAdded { .. } => {
                "the change is not among the target's `projects`, `repositories` or `branches`".to_owned()
            }
            _ => "only changes are handed on".to_owned(),
        }
    }

    async fn prepare(&self, event: &Event, _: &Context) -> Result<Prepared, Fault> {
        let Event::ChangeAdded { change } = event else {
            return Ok(Prepared::Silent(Silence::Unaddressed { why: self.unwanted(event) }));
        };
        Ok(Prepared::Message { message: form(change).into_bytes(), version: None })
    }

    async fn send(&self, outgoing: Outgoing<'_>) -> Outcome {
        match self.post(outgoing.message).await {
            Ok(response) => outcome(&response, outgoing.now),
            Err(error) => deferred(error),
        }
    }

    /// Asks the hook without a change in it, by a method that it does not know: the reply shows if it is there and
    /// lets us in.
    async fn probe(&self) -> Result<String, Fault> {
        let request = Request::new(http::Method::OPTIONS, self.url.clone());
        let request = with_basic_auth(request, self.login.as_ref());
        let response = self.client.send(request).await.map_err(|error| transport_fault(&error))?;
        match response.status.as_u16() {
            401 | 403 => Err(Fault::permanent(
                FaultCode::Authentication,
                format!("{} does not let us in: check `user` and `password`", response.origin),
            )),
            404 => Err(Fault::permanent(
                FaultCode::Rejected,
                format!(
                    "{} has no change hook: add `change_hook_dialects` to `www` in master.cfg",
                    response.origin
                ),
            )),
            _ => Ok(format!("{} answers", response.origin)),
        }
    }
}

/// Writes a change as the dialect `base` of Buildbot 4 reads it; fields that the change does not have are left out.
fn form(change: &Change) -> String {
    let mut form = Serializer::new(String::new());
    let mut put = |name: &str, value: &str| {
        if !value.is_empty() {
            form.append_pair(name, value);
        }
    };
    put("author", &change.who);
    put("committer", change.committer.as_deref().unwrap_or_default());
    put("files", &Value::from(change.files.clone()).to_string());
    put("comments", &change.comments);
    put("revision", change.revision.as_deref().unwrap_or_default());
    put("when_timestamp", &change.when.as_seconds().to_string());
    put("branch", change.branch.as_deref().unwrap_or_default());
    put("category", change.category.as_deref().unwrap_or_default());
    put("revlink", &change.revlink);
    let properties: Map<String, Value> =
        change.properties.iter().map(|(name, property)| (name.to_owned(), property.value.clone())).collect();
    put("properties", &Value::Object(properties).to_string());
    put("repository", &change.repository);
    put("project", &change.project);
    put("codebase", &change.codebase);
    form.finish()
}
