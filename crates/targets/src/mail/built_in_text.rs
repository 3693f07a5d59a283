//! The built-in text of a mail (M-50 to M-54, M-73 to M-75): what happened, where to look, who was at it, and the end of
//! the log that says why.

use std::fmt::Write;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::diagnosis::{Diagnosis, LogQuote, short_name, shortened};
use super::durations;
use super::mode::is_new_failure;
use campanile_callbacks::{Mode, Modes};
use campanile_model::{
    Build, Change, Results, SourceStamp, Worker, brief_text, line_text, listed, short_revision,
};

/// Inputs of the text besides the build itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct TextInputs<'a> {
    /// The target's modes; they decide what counts as news (M-52).
    pub(super) modes: Modes,
    /// Outcome of the build.
    pub(super) results: Results,
    /// Outcome of the build before.
    pub(super) previous: Option<Results>,
    /// Outcome that it is compared with for what is news (M-52): the build before may say nothing of the sources.
    pub(super) compared: Option<Results>,
    /// Title of the installation.
    pub(super) title: &'a str,
    /// The build's page.
    pub(super) build_url: Option<&'a str>,
    /// The installation's page.
    pub(super) url: Option<&'a str>,
    /// The cause, as far as the store knows it.
    pub(super) diagnosis: &'a Diagnosis,
}

/// The end of each text; mail programs know by it that nothing follows.
pub(super) const SIGNATURE: &str = "\n-- \nCampanile\n";

/// Characters of the rule between two texts in a mail.
const RULE: usize = 72;
/// Most changes that are named, the newest ones.
const MAX_CHANGES: usize = 20;
/// Most characters of a change's first line.
const MAX_HEADLINE: usize = 120;

/// Characters that are percent-encoded in a URL: all but unreserved ones, `/` and `:` (M-50).
const PAGE: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/').remove(b':');

/// The text about a finished build; ends with its signature.
pub(super) fn finished(build: &Build, inputs: TextInputs<'_>) -> String {
    let build = &build.legible();
    let pages = (inputs.build_url, inputs.url);
    let mut summary = summary(build, inputs.results);
    if let Some(run) = &inputs.diagnosis.run {
        summary.extend(["\n", &run.sentence(build.number)]);
    }
    for quote in &inputs.diagnosis.quotes {
        push_quote(&mut summary, quote);
    }
    layout(build, news(inputs), inputs.title, pages, &summary)
}

/// Joins texts about several builds, with an empty line between (M-24). Only the last one keeps the signature: mail programs
/// hide what comes behind one. In place of the others there is a rule (M-77).
pub(super) fn join(texts: Vec<&str>) -> String {
    let last = texts.len().saturating_sub(1);
    let texts = texts.into_iter().enumerate().map(|(number, text)| match text.strip_suffix(SIGNATURE) {
        Some(text) if number < last => format!("{text}\n{}", "=".repeat(RULE)),
        _ => text.to_owned(),
    });
    texts.collect::<Vec<_>>().join("\n\n")
}

/// The text about a build that began (M-X-05).
pub(super) fn started(build: &Build, title: &str, build_url: Option<&str>, url: Option<&str>) -> String {
    layout(&build.legible(), "a started build", title, (build_url, url), "The build has started.")
}

/// The text about a worker that is away (M-X-13).
pub(super) fn missing_worker(worker: &Worker, title: &str, url: Option<&str>) -> String {
    let mut text = format!("The worker {} of {title} is missing.\n", line_text(&worker.name));
    // Writing to a String cannot fail.
    let out = &mut text;
    if let Some(at) = worker.last_message {
        let _ = write!(out, "\nLast heard of: {}\n", at.to_rfc3339());
    }
    if let Some(host) = worker.host.as_deref().filter(|host| !host.is_empty()) {
        let _ = write!(out, "\nHost: {}\n", line_text(host));
    }
    if let Some(admin) = worker.admin.as_deref().filter(|admin| !admin.is_empty()) {
        let _ = write!(out, "\nLooked after by: {}\n", line_text(admin));
    }
    if let Some(url) = url {
        let _ = write!(out, "\nInstallation: {}\n", utf8_percent_encode(url, PAGE));
    }
    text.push_str(SIGNATURE);
    text
}

/// The frame that all texts about builds have in common (M-50, M-51); `pages` are the build's and the installation's.
fn layout(
    build: &Build,
    news: &str,
    title: &str,
    pages: (Option<&str>, Option<&str>),
    summary: &str,
) -> String {
    let (build_url, installation) = pages;
    let mut text = format!(
        "Campanile reports {news} on builder {} while building {}.",
        build.builder,
        projects(build, title)
    );
    // Writing to a String cannot fail.
    let out = &mut text;
    let _ = match build_url {
        Some(url) => write!(out, " Full details:\n    {url}\n\n"),
        None => writeln!(out),
    };
    if let Some(url) = installation {
        let _ = write!(out, "Installation: {}\n\n", utf8_percent_encode(url, PAGE));
    }
    if !matches!(build.worker.as_str(), "" | Build::NO_WORKER) {
        let _ = write!(out, "Worker: {}\n\n", build.worker);
    }
    if !build.reason.is_empty() {
        let _ = writeln!(out, "Reason: {}", build.reason);
    }
    for stamp in &build.source_stamps {
        let _ = writeln!(out, "Source{}", source(stamp));
    }
    if let Some(duration) = durations::of_build(build) {
        let _ = writeln!(out, "Duration: {duration}");
    }
    let responsible = match build.responsible_users() {
        nobody if nobody.is_empty() => "nobody known".to_owned(),
        users => listed(&users),
    };
    let _ = write!(out, "Responsible: {responsible}\n\n");
    push_changes(out, build);
    let _ = writeln!(out, "{summary}");
    out.push_str(SIGNATURE);
    text
}

/// The newest changes, each in a line (M-75).
fn push_changes(out: &mut String, build: &Build) {
    let (changes, left_out) = newest_changes(build);
    if changes.is_empty() {
        return;
    }
    out.push_str("Changes:\n");
    if left_out > 0 {
        let _ = writeln!(out, "    ({left_out} older ones)");
    }
    for change in changes {
        let revision = change.revision.as_deref().map(short_revision).unwrap_or_default();
        let by = [revision, &short_name(&change.who)].join(" ");
        let _ = match by.trim() {
            "" => writeln!(out, "    {}", headline(change)),
            by => writeln!(out, "    {by}: {}", headline(change)),
        };
    }
    out.push('\n');
}

/// The changes that are named, and the number of those that there is no room for.
pub(super) fn newest_changes(build: &Build) -> (Vec<&Change>, usize) {
    let mut changes: Vec<&Change> = build.changes().collect();
    let left_out = changes.len().saturating_sub(MAX_CHANGES);
    changes.drain(..left_out);
    (changes, left_out)
}

/// The first line of a change's text.
pub(super) fn headline(change: &Change) -> String {
    let first = change.comments.trim().lines().next();
    shortened(&line_text(first.unwrap_or("(no text)")), MAX_HEADLINE)
}

/// A step that failed, and the end of its log (M-73).
fn push_quote(out: &mut String, quote: &LogQuote) {
    let _ = write!(out, "\n\n{} {}.", quote.step, quote.verb());
    let Some(log) = &quote.log else { return };
    let _ = write!(out, " {} of its log {}", log.extent(), log.name);
    match &log.url {
        Some(url) => {
            let _ = writeln!(out, ", {url}:\n");
        }
        None => out.push_str(":\n\n"),
    }
    let lines: Vec<String> =
        log.lines.iter().map(|line| format!("    {line}").trim_end().to_owned()).collect();
    out.push_str(&lines.join("\n"));
}

/// The kind of news in the words of Buildbot's templates (M-X-09).
pub(super) fn status_detected(inputs: TextInputs<'_>) -> String {
    match (inputs.results, news(inputs)) {
        (Results::Failure | Results::Success, news) => news.trim_start_matches("a ").to_owned(),
        (Results::Warnings, _) => "problem in the build".to_owned(),
        (Results::Exception, _) => "build exception".to_owned(),
        (other, _) => format!("{other} build"),
    }
}

/// The kind of news, with its article: a first build is never new or restored (M-52).
pub(super) fn news(inputs: TextInputs<'_>) -> &'static str {
    let TextInputs { modes, results, compared, .. } = inputs;
    let compares = modes.contains(Mode::Change) || modes.contains(Mode::Problem);
    match results {
        Results::Failure if compares && is_new_failure(results, compared) => "a new failure",
        Results::Failure => "a failed build",
        Results::Warnings => "a build with warnings",
        Results::Success
            if modes.contains(Mode::Change) && compared.is_some_and(|before| before != Results::Success) =>
        {
            "a restored build"
        }
        Results::Success => "a passing build",
        Results::Exception => "a build stopped by an exception",
        Results::Cancelled => "a cancelled build",
        Results::Skipped => "a skipped build",
        // Never mailed (M-17).
        Results::Retry => "a build to be retried",
    }
}

/// Distinct projects in their order, or the installation's title (M-53).
pub(super) fn projects(build: &Build, title: &str) -> String {
    let mut projects: Vec<&str> = Vec::new();
    for stamp in &build.source_stamps {
        if !stamp.project.is_empty() && !projects.contains(&stamp.project.as_str()) {
            projects.push(&stamp.project);
        }
    }
    if projects.is_empty() { title.to_owned() } else { projects.join(", ") }
}

/// A source stamp behind its name, `Source` or another (M-53).
pub(super) fn source(stamp: &SourceStamp) -> String {
    let mut line = String::new();
    if !stamp.codebase.is_empty() {
        line.extend([" '", &stamp.codebase, "'"]);
    }
    line.push_str(": ");
    if let Some(branch) = &stamp.branch {
        line.extend(["[branch ", branch, "] "]);
    }
    line.push_str(stamp.revision.as_deref().unwrap_or("HEAD"));
    if stamp.patch.is_some() {
        line.push_str(" (plus patch)");
    }
    line
}

/// The end of the build, in a sentence and in the build's own words (M-54).
pub(super) fn summary(build: &Build, results: Results) -> String {
    let sentence = match results {
        Results::Success => return "The build succeeded.".to_owned(),
        Results::Warnings => "The build had warnings",
        // Those behind the changes are named above; they need not be those who stopped it.
        Results::Cancelled => "The build was cancelled",
        Results::Skipped => "The build was skipped",
        Results::Failure => "The build failed",
        Results::Exception => "The build ended with an exception",
        Results::Retry => "The build will be tried again",
    };
    if build.text.is_empty() {
        format!("{sentence}.")
    } else {
        format!("{sentence}: {}", brief_text(&build.text))
    }
}
