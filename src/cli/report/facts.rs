//! The options that describe a build, whatever is told of it.

use serde_json::Value;

use campanile_model::{Build, BuildId, Change, Properties, SourceStamp, non_empty, now};

#[derive(clap::Args)]
pub(super) struct Facts {
    /// Builder's name
    #[arg(long)]
    builder: String,
    /// Build number
    #[arg(long)]
    number: u64,
    /// Page that shows the build
    #[arg(long)]
    url: Option<String>,
    /// Worker's name
    #[arg(long, default_value = "")]
    worker: String,
    /// Reason for the run
    #[arg(long, default_value = "")]
    reason: String,
    /// Tag of the builder; repeatable
    #[arg(long)]
    tag: Vec<String>,
    /// Repository that was built
    #[arg(long, default_value = "")]
    repository: String,
    /// Its project
    #[arg(long, default_value = "")]
    project: String,
    /// Its branch
    #[arg(long)]
    branch: Option<String>,
    /// Its revision
    #[arg(long)]
    revision: Option<String>,
    /// Whose change it was; repeatable
    #[arg(long, value_name = "AUTHOR")]
    who: Vec<String>,
    /// A property, its value JSON or text; repeatable
    #[arg(short, long, value_name = "NAME=VALUE", value_parser = property)]
    property: Vec<(String, Value)>,
}

impl Facts {
    pub(super) fn id(&self) -> BuildId {
        BuildId { builder: self.builder.clone(), number: self.number }
    }

    /// Makes the build of which this much is known. A blank option says nothing: a job's variables are blank where it has
    /// no branch or no author.
    pub(super) fn build(&self) -> Build {
        let mut build = Build::new(self.builder.as_str(), self.number);
        build.url = non_empty(self.url.clone());
        build.reason.clone_from(&self.reason);
        build.tags.clone_from(&self.tag);
        if !self.worker.is_empty() {
            build.worker.clone_from(&self.worker);
        }
        build.properties = Properties::new();
        for (name, value) in &self.property {
            build.properties.set(name, value.clone(), "report");
        }
        let (branch, revision) = (non_empty(self.branch.clone()), non_empty(self.revision.clone()));
        let change = |who: &String| Change {
            who: who.clone(),
            branch: branch.clone(),
            revision: revision.clone(),
            repository: self.repository.clone(),
            project: self.project.clone(),
            when: now(),
            ..Change::default()
        };
        // `$NAME <$ADDRESS>` of a job without an author.
        let named = self.who.iter().filter(|who| who.chars().any(char::is_alphanumeric));
        let changes: Vec<Change> = named.map(change).collect();
        if branch.is_some() || revision.is_some() || !self.repository.is_empty() || !changes.is_empty() {
            build.source_stamps.push(SourceStamp {
                branch,
                revision,
                repository: self.repository.clone(),
                project: self.project.clone(),
                changes,
                ..SourceStamp::default()
            });
        }
        build
    }
}

fn property(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
    Ok((name.to_owned(), value))
}
