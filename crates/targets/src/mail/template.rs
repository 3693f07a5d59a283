//! Mails by templates of the settings: `template`, `template_type`, `subject_template` (M-X-08).

use super::body::plain;
use super::built_in_text::{self, TextInputs};
use super::logs::LogChoice;
use super::template_context;
use super::{Context, Fault};
use crate::FaultCode;
use crate::Parts;
use campanile_callbacks::{FormattedMessage, MessageKind, TemplateRenderer};
use campanile_config::{Item, Location, Reader, Severity};
use campanile_model::Build;
use campanile_model::jinja::{Escape, JinjaError, Task, TemplateJob};

/// Size of the largest file of a template, in bytes.
const MAX_FILE: u64 = 256 << 10;

/// The page of those who ask for html and write none.
const DEFAULT_PAGE: &str = include_str!("page.html.jinja");

/// The templates of a target.
#[derive(Debug)]
pub(super) struct MailTemplates {
    /// Template of the body; without one, the built-in text.
    body: Option<Template>,
    kind: MessageKind,
    subject: Option<Template>,
    renderer: TemplateRenderer,
    /// Logs whose text templates get.
    contents: LogChoice,
}

impl MailTemplates {
    /// Reads the keys about templates; none if there are none.
    pub(super) fn read(reader: &Reader<'_>, parts: &Parts<'_>) -> Option<Self> {
        let kind = kind(reader);
        let source = source(reader, "template");
        let subject = source_text(reader, "subject_template");
        let contents = LogChoice::read(reader, "want_logs_content");
        for key in ["want_properties", "want_steps", "want_logs"] {
            if reader.boolean(key).is_some() {
                reader.warning(
                    key,
                    format!("`{key}` changes nothing: templates always have them; leave it out"),
                );
            }
        }
        let is_used = source.is_some() || subject.is_some() || kind == MessageKind::Html;
        if !is_used {
            if contents != LogChoice::None {
                reader.warning(
                    "want_logs_content",
                    "`want_logs_content` is for templates: `add_logs` attaches logs",
                );
            }
            return None;
        }
        if reader.item("message_formatter").is_some() {
            let key = if source.is_some() { "template" } else { "message_formatter" };
            let text = "`message_formatter` and templates exclude each other: keep the one that shall write the mail";
            reader.error(key, text);
        }
        if subject.is_some() && reader.item("subject").is_some() {
            reader.error("subject_template", "`subject` and `subject_template` exclude each other: keep one");
        }
        let escape = if kind == MessageKind::Html { Escape::Html } else { Escape::Nothing };
        let body = match (source, kind) {
            (Some(source), _) => source.check(escape, parts),
            (None, MessageKind::Html) => Some(default_page()),
            (None, MessageKind::Plain) => None,
        };
        let subject = subject.and_then(|subject| subject.check(Escape::Nothing, parts));
        Some(Self { body, kind, subject, contents, renderer: parts.templates.clone() })
    }

    /// Renders the message about a build; a page has the built-in text beside it for those who read no html.
    pub(super) async fn render(
        &self,
        build: &Build,
        inputs: TextInputs<'_>,
        context: &Context,
    ) -> Result<FormattedMessage, Fault> {
        let values =
            template_context::for_build(build, inputs, &self.contents, &*context.caller.status).await?;
        let failed = |what: &str, fault: &JinjaError| {
            Fault::transient(FaultCode::Callback, format!("the {what} failed: {fault}")).of_message()
        };
        let subject = match &self.subject {
            Some(subject) => {
                let rendered = self.rendered(subject, values.clone()).await;
                Some(rendered.map_err(|fault| failed("subject template", &fault))?)
            }
            None => None,
        };
        let Some(body) = &self.body else {
            return Ok(plain(subject, built_in_text::finished(build, inputs)));
        };
        let body = self.rendered(body, values).await.map_err(|fault| failed("template", &fault))?;
        let alternative = (self.kind == MessageKind::Html).then(|| built_in_text::finished(build, inputs));
        Ok(FormattedMessage { subject, body, kind: self.kind, alternative, headers: Vec::new() })
    }

    async fn rendered(&self, template: &Template, values: serde_json::Value) -> Result<String, JinjaError> {
        let mut outcome = self.renderer.run(template.job(values, Task::Render)).await;
        match (outcome.text, outcome.faults.pop()) {
            (Some(text), _) => Ok(text),
            (None, Some(fault)) => Err(fault),
            (None, None) => Ok(String::new()),
        }
    }
}

/// A template that has been checked.
#[derive(Debug)]
pub(super) struct Template {
    source: String,
    escape: Escape,
}

impl Template {
    /// Makes a job of it, for a renderer.
    pub(super) fn job(&self, values: serde_json::Value, task: Task) -> TemplateJob {
        TemplateJob { source: self.source.clone(), escape: self.escape, values, task }
    }

    /// Makes a job of looking for its mistakes.
    pub(super) fn check_job(&self) -> TemplateJob {
        let open = template_context::OPEN.iter().map(|name| (*name).to_owned()).collect();
        self.job(template_context::sample(), Task::Check(open))
    }
}

/// The page of our own (M-X-10).
pub(super) fn default_page() -> Template {
    Template { source: DEFAULT_PAGE.to_owned(), escape: Escape::Html }
}

fn kind(reader: &Reader<'_>) -> MessageKind {
    match reader.text("template_type").as_deref() {
        None | Some("plain") => MessageKind::Plain,
        Some("html") => MessageKind::Html,
        Some(other) => {
            reader
                .error("template_type", format!("`template_type` must be `plain` or `html`, not `{other}`"));
            MessageKind::Plain
        }
    }
}

/// A template before it is read, and the place at which mistakes in it are told.
struct Source {
    text: String,
    place: Origin,
}

enum Origin {
    /// In the settings: lines are counted in the template.
    Settings(Location),
    /// A file of its own.
    File(std::path::PathBuf),
}

impl Source {
    fn check(self, escape: Escape, parts: &Parts<'_>) -> Option<Template> {
        let template = Template { source: self.text, escape };
        let outcome = parts.templates.run_blocking(template.check_job());
        for fault in outcome.faults {
            // One that fails with the sample may get on with real builds.
            let severity =
                if fault.always || !outcome.is_usable { Severity::Error } else { Severity::Warning };
            let (place, text) = match &self.place {
                Origin::Settings(place) => (place.clone(), fault.to_string()),
                Origin::File(file) => (Location { file: file.clone(), line: fault.line }, fault.text),
            };
            let tried = if severity == Severity::Warning { "tried on a sample build, " } else { "" };
            parts.problems.add(severity, place, format!("{tried}{text}"));
        }
        outcome.is_usable.then_some(template)
    }
}

fn source_text(reader: &Reader<'_>, key: &str) -> Option<Source> {
    let text = reader.text(key)?;
    Some(Source { text, place: Origin::Settings(reader.item(key)?.location()) })
}

/// Reads a template in the settings, or `{ file = "mail.html" }`.
fn source(reader: &Reader<'_>, key: &str) -> Option<Source> {
    let item: Item<'_> = reader.item(key)?;
    if item.as_text().is_some() {
        return source_text(reader, key);
    }
    let Some(table) = item.table(key) else {
        return item.wrong_type(key, "a template, or `{ file = \"PATH\" }`");
    };
    table.required_text("file");
    let file = table.file("file");
    let source = file.and_then(|file| match table.regular_file(&file).read_text(MAX_FILE) {
        Ok(text) => Some(Source { text, place: Origin::File(file) }),
        Err(error) => {
            table.error("file", format!("cannot read the template `{}`: {error}", file.display()));
            None
        }
    });
    table.finish();
    source
}
