//! Queries to a master: parts of a build that its reporters leave out, builds before it, its builders and schedulers.

use serde::Deserialize;
use serde_json::{Value, json};

use super::bodies::{BuildbotBuild, BuildbotBuilder, BuildbotChange, BuildbotLog, BuildbotStep, lines};
use super::{Master, MasterError};
use campanile_model::{Build, BuildId, Change, LogChannel, LogRef, SourceStamp, Step};

/// Lines of a log that are asked for at once.
const LINES: u64 = 4_000;
/// Steps of a build whose logs are looked for; those after them get none.
const STEPS: usize = 100;

/// A force scheduler, and which builders it forces.
#[derive(Clone, Debug, Deserialize)]
pub struct ForceScheduler {
    /// Its name.
    pub name: String,
    /// Names of builders.
    #[serde(default)]
    pub builder_names: Vec<String>,
}

/// A reader of a log, page by page, without its header lines.
pub struct LogPages<'m> {
    master: &'m Master,
    id: u64,
    kind: String,
    next: u64,
    end: u64,
    /// Number of lines that are asked for at once: fewer when they are long.
    step: u64,
}

impl Master {
    /// Asks for its builders; gives a sentence for people.
    ///
    /// # Errors
    /// The refusal, or `Unreachable` when it said nothing.
    pub async fn probe(&self) -> Result<String, MasterError> {
        let found = self.get(&["api", "v2", "builders"]).await?;
        let count = found.get("builders").and_then(Value::as_array).map_or(0, Vec::len);
        Ok(format!("{} answers; it has {count} builders", self.origin()))
    }

    /// Its builders with their tags, by name.
    ///
    /// # Errors
    /// When it does not say.
    pub async fn builders(&self) -> Result<Vec<(String, Vec<String>)>, MasterError> {
        let found = self.get(&["api", "v2", "builders"]).await?;
        let builders: Vec<BuildbotBuilder> = items(found, "builders")?;
        let mut builders: Vec<_> = builders.into_iter().map(|builder| (builder.name, builder.tags)).collect();
        builders.sort();
        Ok(builders)
    }

    /// Its force schedulers.
    ///
    /// # Errors
    /// When it does not say.
    pub async fn force_schedulers(&self) -> Result<Vec<ForceScheduler>, MasterError> {
        items(self.get(&["api", "v2", "forceschedulers"]).await?, "forceschedulers")
    }

    /// The changes in a build, oldest first.
    ///
    /// # Errors
    /// When it does not say; `Unknown` when it has no such build.
    pub async fn changes(&self, build: &BuildId) -> Result<Vec<Change>, MasterError> {
        let found = self.below(build, &["changes"]).await?;
        let changes: Vec<BuildbotChange> = items(found, "changes")?;
        let mut changes: Vec<Change> = changes.into_iter().map(Change::from).collect();
        changes.sort_by_key(|change| change.number);
        Ok(changes)
    }

    /// The steps of a build, with the names and sizes of their logs.
    ///
    /// # Errors
    /// When it does not say; `Unknown` when it has no such build.
    pub async fn steps(&self, build: &BuildId) -> Result<Vec<Step>, MasterError> {
        let mut steps = Vec::new();
        for (id, step) in self.bare_steps(build).await? {
            let logs = if steps.len() < STEPS { self.logs(id).await? } else { Vec::new() };
            let logs = logs.into_iter().map(|(_, log)| log).collect();
            steps.push(Step::from(BuildbotStep { logs: Some(logs), ..step }));
        }
        Ok(steps)
    }

    /// A log; none if there is no such log.
    ///
    /// # Errors
    /// When it does not say.
    pub async fn log(&self, place: &LogRef) -> Result<Option<LogPages<'_>>, MasterError> {
        let steps = match self.bare_steps(&place.build).await {
            Err(MasterError::Unknown(_)) => return Ok(None),
            steps => steps?,
        };
        let Some((step, _)) = steps.into_iter().find(|(_, step)| step.name == place.step) else {
            return Ok(None);
        };
        let logs = self.logs(step).await?;
        let log = logs.into_iter().find(|(_, log)| log.name == place.log);
        Ok(log.map(|(id, BuildbotLog { kind, num_lines: end, .. })| LogPages {
            master: self,
            id,
            kind,
            next: 0,
            end,
            step: LINES,
        }))
    }

    /// Finished builds of a builder below a number, newest first. What they were built from is told as far as their
    /// properties tell it.
    ///
    /// # Errors
    /// When it does not say; `Unknown` when it has no such builder.
    pub async fn earlier_builds(&self, before: &BuildId, count: u32) -> Result<Vec<Build>, MasterError> {
        let id = self.known_builder(&before.builder).await?;
        let mut url = self.address(&["api", "v2", "builders", &id.to_string(), "builds"])?;
        url.query_pairs_mut()
            .append_pair("complete", "true")
            .append_pair("order", "-number")
            .append_pair("property", "*")
            .append_pair("limit", &count.to_string());
        if let Ok(number) = i32::try_from(before.number) {
            url.query_pairs_mut().append_pair("number__lt", &number.to_string());
        }
        let mut found = self.read(url).await?;
        let builder = json!({"name": before.builder});
        for build in found.get_mut("builds").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(build) = build.as_object_mut() {
                build.insert("builder".to_owned(), builder.clone());
            }
        }
        let builds: Vec<BuildbotBuild> = items(found, "builds")?;
        Ok(builds.into_iter().map(|build| with_stamp(build.into_build())).collect())
    }

    async fn known_builder(&self, name: &str) -> Result<u64, MasterError> {
        let id = self.builder_id(name).await?;
        id.ok_or_else(|| MasterError::Unknown(format!("it has no builder `{name}`")))
    }

    async fn below(&self, build: &BuildId, path: &[&str]) -> Result<Value, MasterError> {
        let id = self.known_builder(&build.builder).await?.to_string();
        let number = build.number.to_string();
        let whole = [&["api", "v2", "builders", &id, "builds", &number], path].concat();
        self.read(self.address(&whole)?).await
    }

    /// Steps without their logs, with their own numbers.
    async fn bare_steps(&self, build: &BuildId) -> Result<Vec<(u64, BuildbotStep)>, MasterError> {
        numbered(self.below(build, &["steps"]).await?, "steps", "stepid")
    }

    async fn logs(&self, step: u64) -> Result<Vec<(u64, BuildbotLog)>, MasterError> {
        let url = self.address(&["api", "v2", "steps", &step.to_string(), "logs"])?;
        numbered(self.read(url).await?, "logs", "logid")
    }
}

impl LogPages<'_> {
    /// The next lines; none at the end.
    ///
    /// # Errors
    /// When the master does not say.
    pub async fn next(&mut self) -> Result<Option<String>, MasterError> {
        while self.next < self.end {
            let count = self.step.min(self.end - self.next);
            let mut url = self.master.address(&["api", "v2", "logs", &self.id.to_string(), "contents"])?;
            url.query_pairs_mut()
                .append_pair("offset", &self.next.to_string())
                .append_pair("limit", &count.to_string());
            let found = match self.master.read(url).await {
                Ok(found) => found,
                // Too much for one answer.
                Err(MasterError::Refused(_)) if count > 1 => {
                    self.step = count / 2;
                    continue;
                }
                Err(MasterError::Refused(_)) => {
                    self.next += 1;
                    continue;
                }
                Err(error) => return Err(error),
            };
            self.next += count;
            let content = found.pointer("/logchunks/0/content").and_then(Value::as_str).unwrap_or_default();
            let shown = lines(&self.kind, content).filter(|(channel, _)| *channel != LogChannel::Header);
            return Ok(Some(shown.map(|(_, text)| text).collect()));
        }
        Ok(None)
    }
}

/// The items of a collection.
fn items<T: for<'de> Deserialize<'de>>(mut found: Value, name: &str) -> Result<Vec<T>, MasterError> {
    let items = found.get_mut(name).map(Value::take).unwrap_or_default();
    serde_json::from_value(items).map_err(|error| malformed(name, &error))
}

/// The items of a collection, each with its number.
fn numbered<T: for<'de> Deserialize<'de>>(
    found: Value,
    name: &str,
    id: &str,
) -> Result<Vec<(u64, T)>, MasterError> {
    let items: Vec<Value> = items(found, name)?;
    let numbered = items.into_iter().filter_map(|item| Some((item.get(id)?.as_u64()?, item)));
    numbered
        .map(|(id, item)| Ok((id, serde_json::from_value(item).map_err(|error| malformed(name, &error))?)))
        .collect()
}

fn malformed(name: &str, error: &serde_json::Error) -> MasterError {
    MasterError::Refused(format!("its {name} are not as Buildbot has them: {error}"))
}

/// A build as the master lists it, with the source stamp that its properties tell of, if it had one only.
fn with_stamp(mut build: Build) -> Build {
    let told = |name: &str| {
        let text = build.properties.value(name).and_then(Value::as_str);
        text.filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let stamp = SourceStamp {
        branch: told("branch"),
        revision: told("revision"),
        repository: told("repository").unwrap_or_default(),
        project: told("project").unwrap_or_default(),
        codebase: told("codebase").unwrap_or_default(),
        ..SourceStamp::default()
    };
    if build.source_stamps.is_empty() {
        build.source_stamps.push(stamp);
    }
    build
}
