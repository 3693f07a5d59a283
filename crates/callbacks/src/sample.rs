//! A build to try callbacks on, with its logs and the builds before it, read from a file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::Value;

use super::{CallRecord, HookRequest, Status, StatusError};
use campanile_model::{Build, BuildId, Builder, Buildset, Links, LogRef, Named, UrlStyle};

/// The sample that is used when none is named: a failing build with two changes, a patch and a log.
const BUNDLED: &str = include_str!("sample.json");

/// A build, and everything that a callback may ask about it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    #[serde(default = "default_title")]
    title: String,
    #[serde(default)]
    url: Option<String>,
    /// The build that callbacks are called with.
    pub build: Build,
    /// Builds that can be asked for.
    #[serde(default)]
    earlier: Vec<Build>,
    /// Text of logs, by `STEP/LOG`.
    #[serde(default)]
    logs: BTreeMap<String, String>,
    /// Argument of GerritStatusPush callbacks.
    #[serde(default)]
    pub arg: Option<Value>,
    /// The user that a lookup is asked for.
    #[serde(default = "default_user")]
    pub user: String,
    /// The request that a dialect is given.
    #[serde(default)]
    request: SampleRequest,
    /// The dialect's options.
    #[serde(default)]
    pub options: Value,
    /// Records of calls, until somebody takes them.
    #[serde(skip)]
    records: Mutex<Vec<CallRecord>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SampleRequest {
    method: Option<String>,
    query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
    /// As text, or as JSON that is sent as it stands.
    body: Value,
}

/// A sample that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// No such file, or it can't be read.
    #[error("cannot read the sample `{0}`: {1}")]
    Read(PathBuf, std::io::Error),
    /// It is not what a sample is.
    #[error(
        "{0}: {1}; a sample is {{\"build\": {{…}}, \"earlier\": […], \"logs\": {{\"STEP/LOG\": \"text\"}}}}"
    )]
    Parse(PathBuf, serde_path_to_error::Error<serde_json::Error>),
}

fn default_title() -> String {
    "Sample CI".to_owned()
}

fn default_user() -> String {
    "ada".to_owned()
}

impl Sample {
    /// The bundled one.
    #[must_use]
    pub fn bundled() -> Self {
        serde_json::from_str(BUNDLED).expect("the bundled sample is checked by a test")
    }

    /// Reads a file.
    ///
    /// # Errors
    /// When it can't be read, or is no sample; then with the JSON path.
    pub fn read(path: &Path) -> Result<Self, SampleError> {
        let text =
            std::fs::read_to_string(path).map_err(|error| SampleError::Read(path.to_owned(), error))?;
        let mut json = serde_json::Deserializer::from_str(&text);
        serde_path_to_error::deserialize(&mut json)
            .map_err(|error| SampleError::Parse(path.to_owned(), error))
    }

    /// The request that a dialect is given.
    #[must_use]
    pub fn request(&self) -> HookRequest {
        let pairs = |map: &BTreeMap<String, String>| {
            map.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
        };
        let body = match &self.request.body {
            Value::Null => Vec::new(),
            Value::String(text) => text.clone().into_bytes(),
            json => json.to_string().into_bytes(),
        };
        HookRequest {
            method: self.request.method.clone().unwrap_or_else(|| "POST".to_owned()),
            query: pairs(&self.request.query),
            headers: pairs(&self.request.headers)
                .into_iter()
                .map(|(name, value): (String, String)| (name.to_ascii_lowercase(), value))
                .collect(),
            body,
        }
    }

    /// Takes the records of the calls since the last time.
    #[must_use]
    pub fn take_records(self: &Arc<Self>) -> Vec<CallRecord> {
        std::mem::take(&mut *self.records.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn links(&self) -> Links {
        Links::new(self.url.as_deref(), UrlStyle::default())
    }

    fn log(&self, log: &LogRef) -> Option<&str> {
        let known = log.build == self.build.id();
        self.logs.get(&format!("{}/{}", log.step, log.log)).filter(|_| known).map(String::as_str)
    }
}

#[async_trait]
impl Status for Sample {
    fn title(&self) -> &str {
        &self.title
    }

    fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    fn url_for(&self, id: &BuildId) -> Option<String> {
        self.links().build(Named::by_name(&id.builder), id.number)
    }

    fn log_url_for(&self, log: &LogRef) -> Option<String> {
        self.links().log_under_build(&self.url_for(&log.build)?, &log.step, &log.log)
    }

    async fn build(&self, id: &BuildId) -> Result<Option<Build>, StatusError> {
        let all = std::iter::once(&self.build).chain(&self.earlier);
        Ok(all.into_iter().find(|build| build.id() == *id).cloned())
    }

    async fn earlier_builds(&self, before: &BuildId, limit: u32) -> Result<Vec<Build>, StatusError> {
        let mut builds: Vec<_> = self
            .earlier
            .iter()
            .filter(|build| {
                build.builder == before.builder && build.number < before.number && build.is_finished()
            })
            .cloned()
            .collect();
        builds.sort_by_key(|build| std::cmp::Reverse(build.number));
        builds.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(builds)
    }

    async fn builders(&self) -> Result<Vec<Builder>, StatusError> {
        let names: BTreeSet<&str> =
            self.earlier.iter().chain([&self.build]).map(|build| build.builder.as_str()).collect();
        Ok(names.into_iter().map(|name| Builder { name: name.to_owned(), ..Builder::default() }).collect())
    }

    async fn running_builds(&self, builder: &str) -> Result<Vec<Build>, StatusError> {
        let all = self.earlier.iter().chain([&self.build]);
        Ok(all.filter(|build| build.builder == builder && !build.is_finished()).cloned().collect())
    }

    async fn builds_of_buildset(&self, bsid: u64) -> Result<Vec<Build>, StatusError> {
        let all = self.earlier.iter().chain([&self.build]);
        Ok(all.filter(|build| build.buildset == Some(bsid) && build.is_finished()).cloned().collect())
    }

    async fn buildset(&self, bsid: u64) -> Result<Option<Buildset>, StatusError> {
        let own = self.build.buildset == Some(bsid);
        let source_stamps = self.build.source_stamps.clone();
        Ok(own.then(|| Buildset { bsid, source_stamps, ..Buildset::default() }))
    }

    async fn log_tail(&self, log: &LogRef, lines: u32, _: usize) -> Result<Option<String>, StatusError> {
        let Some(text) = self.log(log) else { return Ok(None) };
        let all: Vec<&str> = text.lines().collect();
        let from = all.len().saturating_sub(usize::try_from(lines).unwrap_or(usize::MAX));
        Ok(Some(all.get(from..).unwrap_or_default().join("\n")))
    }

    async fn log_read(
        &self,
        log: &LogRef,
        offset: u64,
        limit: usize,
    ) -> Result<Option<Vec<u8>>, StatusError> {
        let skipped = usize::try_from(offset).unwrap_or(usize::MAX);
        Ok(self.log(log).map(|text| text.bytes().skip(skipped).take(limit).collect()))
    }

    fn record(&self, call: CallRecord) {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }
}

#[cfg(test)]
mod tests {
    use super::Sample;

    #[test]
    fn the_bundled_sample_is_one() {
        let sample = Sample::bundled();
        assert!(sample.build.is_finished());
        assert!(!sample.build.responsible_users().is_empty());
        for step in &sample.build.steps {
            for log in &step.logs {
                assert!(sample.logs.contains_key(&format!("{}/{}", step.name, log.name)), "{}", log.name);
            }
        }
    }

    #[test]
    fn a_broken_sample_is_told_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sample.json");
        std::fs::write(&path, r#"{"build": {"builder": "x", "number": "seven"}}"#).unwrap();
        let told = Sample::read(&path).unwrap_err().to_string();
        assert!(told.contains("build.number"), "{told}");
    }
}
