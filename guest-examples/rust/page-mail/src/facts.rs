//! Everything that the mail says, gathered once for both bodies. Texts are as they came, but cut: the page escapes them.

use crate::history;
use crate::outcome::Outcome;
use crate::quote::{self, Quote};
use crate::text::{self, NAME, SENTENCE};
use campanile_guest::{Build, Change, MessageRequest, Results, SourceStamp, Status, Step, flat, time};

/// Most steps of the list.
const STEPS: usize = 20;
/// Most changes of the list.
const CHANGES: usize = 10;
/// Most codebases of the list.
const SOURCES: usize = 5;
/// The worker of a build of which nobody said where it ran.
const NO_WORKER: &str = "???";

/// The facts of one mail.
pub(crate) struct Facts {
    /// `linux #7 on main: failed (compile)`.
    pub(crate) subject: String,
    /// `linux #7 failed`.
    pub(crate) headline: String,
    /// `bells · on main · after 2m 5s`, without the parts that nobody knows.
    pub(crate) circumstances: String,
    /// One or two sentences: the CI's own words about the end, and the builder's past.
    pub(crate) lead: String,
    pub(crate) outcome: Outcome,
    pub(crate) number: u64,
    /// Page of the build.
    pub(crate) url: Option<String>,
    /// Label and value, in order.
    pub(crate) rows: Vec<(String, String)>,
    pub(crate) quotes: Vec<Quote>,
    /// The newest changes, oldest first.
    pub(crate) changes: Listed<ChangeLine>,
    pub(crate) steps: Listed<StepLine>,
    /// Name of the installation and its page.
    pub(crate) installation: (String, Option<String>),
}

/// The entries of a list that are shown, and the number of those that are not.
pub(crate) struct Listed<T> {
    pub(crate) shown: Vec<T>,
    pub(crate) others: usize,
}

/// A change in a line.
pub(crate) struct ChangeLine {
    /// First line of its comments.
    pub(crate) headline: String,
    pub(crate) who: String,
    pub(crate) revision: String,
    /// Page of the commit.
    pub(crate) url: Option<String>,
}

/// A step in a line.
pub(crate) struct StepLine {
    pub(crate) name: String,
    pub(crate) outcome: Outcome,
    pub(crate) duration: Option<String>,
}

impl Facts {
    /// Gathers them from the request and from the engine.
    pub(crate) fn gather(request: &MessageRequest, status: &dyn Status) -> Self {
        let (build, results) = (&request.build, request.results);
        let outcome = Outcome::of(Some(results));
        let title = text::line(&status.title(), NAME);
        let name = format!("{} #{}", text::line(&build.id.builder, NAME), build.id.number);
        let branch = build.source_stamps.first().and_then(branch);
        Self {
            subject: subject(&name, branch.as_deref(), build, results),
            headline: format!("{name} {}", outcome.verb),
            circumstances: circumstances(build, branch.as_deref(), &title),
            lead: lead(build, results, status),
            outcome,
            number: build.id.number,
            url: text::web_address(flat::url(build, status)),
            rows: rows(build),
            quotes: quote::read(build, results, status),
            changes: changes(build),
            steps: steps(build),
            installation: (title, text::web_address(status.url())),
        }
    }
}

fn subject(name: &str, branch: Option<&str>, build: &Build, results: Results) -> String {
    let on = branch.map_or_else(String::new, |branch| format!(" on {branch}"));
    let to_blame = match *quote::telling_steps(build, results) {
        [] => String::new(),
        [only] => format!(" ({})", text::line(&only.name, NAME)),
        [first, ref more @ ..] => format!(" ({} and {} more)", text::line(&first.name, NAME), more.len()),
    };
    format!("{name}{on}: {}{to_blame}", Outcome::of(Some(results)).verb)
}

fn circumstances(build: &Build, branch: Option<&str>, title: &str) -> String {
    let project =
        build.source_stamps.iter().map(|stamp| stamp.project.as_str()).find(|name| !name.is_empty());
    let mut parts = vec![project.map_or_else(|| title.to_owned(), |project| text::line(project, NAME))];
    parts.extend(branch.map(|branch| format!("on {branch}")));
    parts.extend(text::duration(Some(build.started), build.finished).map(|length| format!("after {length}")));
    parts.join(" · ")
}

/// `Failed compile. Broken since this build: #41 worked.`
fn lead(build: &Build, results: Results, status: &dyn Status) -> String {
    let told = text::line(&build.text.join(" "), SENTENCE);
    let mut sentences = Vec::new();
    let mut letters = told.chars();
    if let Some(first) = letters.next().filter(|_| results != Results::Success) {
        sentences.push(format!("{}{}.", first.to_uppercase(), letters.as_str().trim_end_matches('.')));
    }
    sentences.extend(history::sentence(build, results, status));
    sentences.join(" ")
}

fn rows(build: &Build) -> Vec<(String, String)> {
    let mut rows: Vec<_> = build.source_stamps.iter().take(SOURCES).map(source).collect();
    let users: Vec<String> = build.responsible_users.iter().map(|user| text::person(user)).collect();
    for (label, value) in [
        ("Changed by", text::listed(&users)),
        (
            "Worker",
            text::line(Some(build.worker.as_str()).filter(|name| *name != NO_WORKER).unwrap_or(""), NAME),
        ),
        ("Reason", text::line(&build.reason, SENTENCE)),
        ("Finished", build.finished.map_or_else(String::new, |at| format!("{} UTC", time::text(at)))),
    ] {
        if !value.is_empty() {
            rows.push((label.to_owned(), value));
        }
    }
    rows
}

/// The codebase, and `main at 9f8e7d6, with a patch`.
fn source(stamp: &SourceStamp) -> (String, String) {
    let codebase = text::line(&stamp.codebase, NAME);
    let revision = stamp.revision.as_deref().filter(|revision| !revision.is_empty()).unwrap_or("HEAD");
    let mut value = branch(stamp).map_or_else(String::new, |branch| format!("{branch} at "));
    value += &text::revision(revision);
    if stamp.patch.is_some() {
        value += ", with a patch";
    }
    (if codebase.is_empty() { "Source".to_owned() } else { codebase }, value)
}

fn branch(stamp: &SourceStamp) -> Option<String> {
    stamp.branch.as_deref().map(|branch| text::line(branch, NAME)).filter(|branch| !branch.is_empty())
}

fn changes(build: &Build) -> Listed<ChangeLine> {
    let all: Vec<&Change> = build.source_stamps.iter().flat_map(|stamp| &stamp.changes).collect();
    let others = all.len().saturating_sub(CHANGES);
    let shown = all.into_iter().skip(others).map(|change| ChangeLine {
        headline: text::line(change.comments.trim().lines().next().unwrap_or("(no comment)"), SENTENCE),
        who: text::person(&change.who),
        revision: text::revision(change.revision.as_deref().unwrap_or("")),
        url: text::web_address(change.revlink.clone()),
    });
    Listed { shown: shown.collect(), others }
}

/// All steps of a short build; of a long one those that did not simply succeed.
fn steps(build: &Build) -> Listed<StepLine> {
    let is_short = build.steps.len() <= STEPS;
    let is_shown = |step: &&Step| is_short || step.results != Some(Results::Success);
    let shown: Vec<StepLine> = build
        .steps
        .iter()
        .filter(is_shown)
        .take(STEPS)
        .map(|step| StepLine {
            name: text::line(&step.name, NAME),
            outcome: Outcome::of(step.results),
            duration: text::duration(step.started, step.finished),
        })
        .collect();
    Listed { others: build.steps.len() - shown.len(), shown }
}
