//! The built-in text of a mail (M-50 to M-54): what happened, where to look, who was at it.

use std::fmt::Write;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::mode::is_new_failure;
use campanile_callbacks::{Mode, Modes};
use campanile_model::{Build, Results, SourceStamp, Worker};

/// Inputs of the text besides the build itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct TextInputs<'a> {
    /// The target's modes; they decide what counts as news (M-52).
    pub(super) modes: Modes,
    /// Outcome of the build.
    pub(super) results: Results,
    /// Outcome of the build before.
    pub(super) previous: Option<Results>,
    /// Title of the installation.
    pub(super) title: &'a str,
    /// The build's page.
    pub(super) build_url: Option<&'a str>,
    /// The installation's page.
    pub(super) url: Option<&'a str>,
}

/// Characters that are percent-encoded in a URL: all but unreserved ones, `/` and `:` (M-50).
const PAGE: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/').remove(b':');

/// The text about a finished build; ends with a newline.
pub(super) fn finished(build: &Build, inputs: TextInputs<'_>) -> String {
    let pages = (inputs.build_url, inputs.url);
    layout(build, news(inputs), inputs.title, pages, &summary(build, inputs.results))
}

/// The text about a build that began (M-X-05).
pub(super) fn started(build: &Build, title: &str, build_url: Option<&str>, url: Option<&str>) -> String {
    layout(build, "a started build", title, (build_url, url), "The build has started.")
}

/// The text about a worker that is away (M-X-13).
pub(super) fn missing_worker(worker: &Worker, title: &str, url: Option<&str>) -> String {
    let mut text = format!("The worker {} of {title} is missing.\n", worker.name);
    // Writing to a String cannot fail.
    let out = &mut text;
    if let Some(at) = worker.last_message {
        let _ = write!(out, "\nLast heard of: {}\n", at.to_rfc3339());
    }
    if let Some(host) = worker.host.as_deref().filter(|host| !host.is_empty()) {
        let _ = write!(out, "\nHost: {host}\n");
    }
    if let Some(admin) = worker.admin.as_deref().filter(|admin| !admin.is_empty()) {
        let _ = write!(out, "\nLooked after by: {admin}\n");
    }
    if let Some(url) = url {
        let _ = write!(out, "\nInstallation: {}\n", utf8_percent_encode(url, PAGE));
    }
    text.push_str("\n-- \nCampanile\n");
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
    let _ = write!(out, "Worker: {}\n\nReason: {}\n", build.worker, build.reason);
    for stamp in &build.source_stamps {
        let _ = writeln!(out, "{}", source_line(stamp));
    }
    let responsible = match build.responsible_users() {
        nobody if nobody.is_empty() => "nobody known".to_owned(),
        users => users.join(", "),
    };
    let _ = write!(out, "Responsible: {responsible}\n\n{summary}\n\n-- \nCampanile\n");
    text
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
    let TextInputs { modes, results, previous, .. } = inputs;
    let compares = modes.contains(Mode::Change) || modes.contains(Mode::Problem);
    match results {
        Results::Failure if compares && is_new_failure(results, previous) => "a new failure",
        Results::Failure => "a failed build",
        Results::Warnings => "a build with warnings",
        Results::Success
            if modes.contains(Mode::Change) && previous.is_some_and(|before| before != Results::Success) =>
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

/// A source stamp in one line (M-53).
fn source_line(stamp: &SourceStamp) -> String {
    let mut line = "Source".to_owned();
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
        Results::Failure | Results::Exception | Results::Retry => "The build failed",
    };
    if build.text.is_empty() {
        format!("{sentence}.")
    } else {
        format!("{sentence}: {}", build.text.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use campanile_model::{Change, Patch};

    fn inputs(results: Results, previous: Option<Results>) -> TextInputs<'static> {
        TextInputs {
            modes: [Mode::Change, Mode::Failing].into_iter().collect(),
            results,
            previous,
            title: "Quad CI",
            build_url: Some("http://ci.example.org/builders/linux/builds/7"),
            url: Some("http://ci.example.org/my ci/"),
        }
    }

    fn build() -> Build {
        let mut build = Build::new("linux", 7);
        build.worker = "w1".to_owned();
        build.reason = "scheduler".to_owned();
        build.text = vec!["failed".to_owned(), "compile".to_owned()];
        let change = Change { who: "zoe".to_owned(), ..Change::default() };
        build.source_stamps = vec![
            SourceStamp { project: "quad".to_owned(), changes: vec![change], ..SourceStamp::default() },
            SourceStamp {
                project: "lib".to_owned(),
                codebase: "base1".to_owned(),
                branch: Some("branch2".to_owned()),
                revision: Some("rev2".to_owned()),
                patch: Some(Patch { author: "ada".to_owned(), ..Patch::default() }),
                ..SourceStamp::default()
            },
        ];
        build
    }

    /// With projects, and source stamps of every form.
    #[test]
    fn m_50_m_53_everything_known() {
        insta::assert_snapshot!(finished(&build(), inputs(Results::Failure, Some(Results::Success))), @r"
        Campanile reports a new failure on builder linux while building quad, lib. Full details:
            http://ci.example.org/builders/linux/builds/7

        Installation: http://ci.example.org/my%20ci/

        Worker: w1

        Reason: scheduler
        Source: HEAD
        Source 'base1': [branch branch2] rev2 (plus patch)
        Responsible: ada, zoe

        The build failed: failed compile

        -- 
        Campanile
        ");
    }

    #[test]
    fn m_51_no_addresses_known() {
        let inputs = TextInputs { build_url: None, url: None, ..inputs(Results::Success, None) };
        insta::assert_snapshot!(finished(&Build::new("linux", 1), inputs), @r"
        Campanile reports a passing build on builder linux while building Quad CI.
        Worker: ???

        Reason: 
        Responsible: nobody known

        The build succeeded.

        -- 
        Campanile
        ");
    }

    #[test]
    fn m_52_what_counts_as_news() {
        let told = |modes: &[Mode], results, previous| {
            let modes = modes.iter().copied().collect();
            news(TextInputs { modes, ..inputs(results, previous) })
        };
        use Results::{Exception, Failure, Success, Warnings};
        for (modes, results, previous, wanted) in [
            (&[Mode::Change][..], Failure, Some(Success), "a new failure"),
            (&[Mode::Problem], Failure, Some(Exception), "a new failure"),
            (&[Mode::Failing], Failure, Some(Success), "a failed build"),
            (&[Mode::Change], Failure, None, "a failed build"),
            (&[Mode::Problem], Failure, Some(Failure), "a failed build"),
            (&[Mode::Warnings], Warnings, Some(Success), "a build with warnings"),
            (&[Mode::Change], Success, Some(Failure), "a restored build"),
            (&[Mode::Change], Success, None, "a passing build"),
            (&[Mode::Passing], Success, Some(Failure), "a passing build"),
            (&[Mode::Exception], Exception, None, "a build stopped by an exception"),
            (&[Mode::Cancelled], Results::Cancelled, None, "a cancelled build"),
            (&[Mode::Change], Results::Skipped, Some(Success), "a skipped build"),
        ] {
            assert_eq!(told(modes, results, previous), wanted);
        }
    }

    #[test]
    fn m_x_09_the_news_in_the_words_of_templates() {
        let told = |results, previous| status_detected(inputs(results, previous));
        assert_eq!(told(Results::Failure, Some(Results::Success)), "new failure");
        assert_eq!(told(Results::Failure, None), "failed build");
        assert_eq!(told(Results::Success, Some(Results::Failure)), "restored build");
        assert_eq!(told(Results::Success, None), "passing build");
        assert_eq!(told(Results::Warnings, None), "problem in the build");
        assert_eq!(told(Results::Exception, None), "build exception");
        assert_eq!(told(Results::Cancelled, None), "cancelled build");
    }

    #[test]
    fn m_54_the_end_in_a_sentence() {
        let mut build = build();
        assert_eq!(summary(&build, Results::Warnings), "The build had warnings: failed compile");
        build.text = vec!["cancelled".to_owned(), "(stopped by ada)".to_owned()];
        assert_eq!(
            summary(&build, Results::Cancelled),
            "The build was cancelled: cancelled (stopped by ada)"
        );
        build.text.clear();
        assert_eq!(summary(&build, Results::Exception), "The build failed.");
    }
}
