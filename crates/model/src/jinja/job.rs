//! Jobs with templates: what one process asks another to do with a template, and what that answers.
//!
//! A template can overflow the stack or never end, which nothing within its process can stop for sure. So it is read and
//! rendered in a process for just that.

use serde::{Deserialize, Serialize};

use super::{Escape, JinjaError, Template, data};

/// A template, and something to do with it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TemplateJob {
    /// Its source.
    pub source: String,
    /// Treatment of values.
    pub escape: Escape,
    /// Values under their names: with a build's, or a sample's.
    pub values: serde_json::Value,
    /// The thing to do.
    pub task: Task,
}

/// The thing to do with a template.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Task {
    /// Look for mistakes, with a sample as values; names below these may be any.
    Check(Vec<String>),
    /// Render it.
    Render,
}

/// The outcome of a job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TemplateOutcome {
    /// The rendered text, where that was asked for and worked.
    pub text: Option<String>,
    /// True if it can be rendered at all.
    pub is_usable: bool,
    /// Mistakes, or the reason why it could not be rendered.
    pub faults: Vec<JinjaError>,
}

impl TemplateOutcome {
    /// The outcome of a template that can't be used.
    #[must_use]
    pub fn failed(fault: JinjaError) -> Self {
        Self { text: None, is_usable: false, faults: vec![fault] }
    }
}

impl TemplateJob {
    /// Does the job, in this process. May never end, or overflow the stack.
    #[must_use]
    pub fn run(self) -> TemplateOutcome {
        let values = data::value_of(self.values);
        match self.task {
            Task::Check(open) => {
                let open: Vec<&str> = open.iter().map(String::as_str).collect();
                let (template, faults) = Template::read(&self.source, self.escape, &values, &open);
                TemplateOutcome { text: None, is_usable: template.is_some(), faults }
            }
            Task::Render => {
                match Template::parse(&self.source, self.escape).and_then(|it| it.render(&values)) {
                    Ok(text) => TemplateOutcome { text: Some(text), is_usable: true, faults: Vec::new() },
                    Err(fault) => TemplateOutcome { text: None, is_usable: true, faults: vec![fault] },
                }
            }
        }
    }
}
