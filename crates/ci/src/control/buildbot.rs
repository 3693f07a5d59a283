//! Steers a Buildbot by its REST API: force schedulers, and the stop of builds and requests.
//!
//! Buildbot's API has nothing to shut a master down with: that comes to `NotConfigured`.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::{Asker, Control, ControlError, Force, ForceReply, Lifecycle, Shutdown};
use crate::buildbot::{Master, MasterError};
use campanile_model::BuildId;

pub(super) struct Buildbot {
    pub(super) master: Arc<Master>,
    /// The force scheduler; the first one that the builder has if none is named.
    pub(super) scheduler: Option<String>,
}

impl From<MasterError> for ControlError {
    fn from(error: MasterError) -> Self {
        match error {
            MasterError::Refused(said) | MasterError::Unknown(said) => Self::Refused(said),
            MasterError::Unreachable(why) => Self::Unreachable(why),
        }
    }
}

impl Buildbot {
    /// Its own number for a builder.
    async fn builder_id(&self, name: &str) -> Result<u64, ControlError> {
        let id = self.master.builder_id(name).await?;
        id.ok_or_else(|| ControlError::Refused(format!("it has no builder `{name}`")))
    }

    async fn scheduler_of(&self, builder: u64, name: &str) -> Result<String, ControlError> {
        if let Some(scheduler) = &self.scheduler {
            return Ok(scheduler.clone());
        }
        let path = ["api", "v2", "builders", &builder.to_string(), "forceschedulers"];
        let found = self.master.get(&path).await?;
        let scheduler = found.pointer("/forceschedulers/0/name").and_then(Value::as_str);
        scheduler.map(str::to_owned).ok_or_else(|| {
            ControlError::Refused(format!(
                "the builder `{name}` has no force scheduler: add one to master.cfg"
            ))
        })
    }
}

/// The names of all fields of a force scheduler.
fn field_names(scheduler: &Value) -> BTreeSet<String> {
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

/// Parameters of a force, by the scheduler's fields.
///
/// Buildbot passes over a parameter that it has no field for, without a word, and builds something else than was asked
/// for: such a force is refused here.
fn force_params(
    force: &Force,
    fields: &BTreeSet<String>,
    scheduler: &str,
) -> Result<Map<String, Value>, ControlError> {
    let mut params = Map::new();
    // The asker stands in the reason: the field for that takes mail addresses only.
    params.insert("reason".to_owned(), force.reason.as_str().into());
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
        params.insert(field.clone(), value.as_str().into());
    }
    let mut free =
        fields.iter().filter_map(|field| field.strip_suffix("_name")).filter(|field| fields.contains(*field));
    for (name, value) in &force.properties {
        if fields.contains(name) {
            params.insert(name.clone(), value.as_str().into());
        } else if let Some(field) = free.next() {
            params.insert(format!("{field}_name"), name.as_str().into());
            params.insert(format!("{field}_value"), value.as_str().into());
        } else {
            return Err(ControlError::Refused(format!(
                "the force scheduler `{scheduler}` has no field for the property `{name}`: add \
                 util.StringParameter(name=\"{name}\") to its `properties`, or util.AnyPropertyParameter"
            )));
        }
    }
    Ok(params)
}

#[async_trait]
impl Control for Buildbot {
    async fn force(&self, _: &Asker, force: &Force) -> Result<ForceReply, ControlError> {
        let builder = self.builder_id(&force.builder).await?;
        let scheduler = self.scheduler_of(builder, &force.builder).await?;
        let path = ["api", "v2", "forceschedulers", &scheduler];
        let fields = field_names(&self.master.get(&path).await?);
        let mut params = force_params(force, &fields, &scheduler)?;
        params.insert("builderid".to_owned(), builder.into());
        let result = self.master.call(&path, "force", Value::Object(params)).await?;
        let buildset = result.get(0).and_then(Value::as_u64);
        let requests = result.get(1).and_then(Value::as_object);
        let requests: Vec<u64> =
            requests.into_iter().flat_map(|map| map.values()).filter_map(Value::as_u64).collect();
        let said = format!("buildset {}", buildset.map_or("unknown".to_owned(), |id| id.to_string()));
        Ok(ForceReply { buildset, requests, said })
    }

    async fn stop(&self, _: &Asker, build: &BuildId, reason: &str) -> Result<String, ControlError> {
        let builder = self.builder_id(&build.builder).await?.to_string();
        let path = ["api", "v2", "builders", &builder, "builds", &build.number.to_string()];
        self.master.call(&path, "stop", json!({"reason": reason})).await?;
        Ok(format!("told to stop {build}"))
    }

    async fn cancel(&self, _: &Asker, _: &str, request: u64, reason: &str) -> Result<String, ControlError> {
        let path = ["api", "v2", "buildrequests", &request.to_string()];
        self.master.call(&path, "cancel", json!({"reason": reason})).await?;
        Ok(format!("told to cancel request {request}"))
    }

    async fn shutdown(&self, _: &Asker, _: Shutdown) -> Result<Lifecycle, ControlError> {
        Err(ControlError::NotConfigured)
    }
}
