//! Words for builds that begin or end (I-STA, I-FIN, I-REV), and names of builds.

use super::colour::coloured;
use campanile_model::{Build, Results, brief_text, build_text, line_text, listed, short_revision};

/// Choices of wording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wording {
    /// Builds are named by revision rather than by number (I-CFG-12).
    pub(super) use_revisions: bool,
    /// Results have colours (I-CFG-16).
    pub(super) use_colors: bool,
    /// A build that is no success names its authors (I-CFG-11).
    pub(super) show_blame_list: bool,
}

/// Longer lists of revisions are cut (I-REV-03).
const MOST_REVISIONS: usize = 10;

/// Announces that a build has begun (I-STA-01, I-STA-02).
pub(super) fn started(build: &Build, wording: Wording) -> String {
    let builder = line_text(&build.builder);
    if wording.use_revisions {
        return format!("build containing revision(s) [{}] on {builder} started", revisions(build));
    }
    let including = match changed_revisions(build).as_slice() {
        [] => String::new(),
        [only] => format!(" (including [{only}])"),
        [first, second] => format!(" (including [{first}, {second}])"),
        [first, second, more @ ..] => format!(" (including [{first}, {second}] and {} more)", more.len()),
    };
    format!("build #{} of {builder} started{including}", build.number)
}

/// Announces that a build is over (I-FIN-01 to I-FIN-05).
pub(super) fn finished(build: &Build, url: Option<&str>, wording: Wording) -> String {
    let builder = line_text(&build.builder);
    let head = if wording.use_revisions {
        format!("build containing revision(s) [{}] on {builder}", revisions(build))
    } else {
        format!("build #{} of {builder}", build.number)
    };
    let mut text = format!("{head} is complete: {}", outcome(build, wording));
    if let Some(url) = url {
        text.push_str("  Build details are at ");
        text.push_str(&line_text(url));
    }
    let authors = authors(build);
    if wording.show_blame_list && build.results != Some(Results::Success) && !authors.is_empty() {
        text.push_str("  blamelist: ");
        text.push_str(&listed(&authors));
    }
    text
}

/// Announces that a build is over to whoever watched or forced it (I-FIN-06).
pub(super) fn watched(build: &Build, url: Option<&str>, wording: Wording) -> Vec<String> {
    let name = named(build, wording.use_revisions);
    let mut lines = vec![format!("Hey! build {name} is complete: {}", outcome(build, wording))];
    lines.extend(url.map(|url| format!("Build details are at {}", line_text(url))));
    lines
}

/// A build's name: `linux #4`, or `linux containing revision(s) [1f0c2d]`.
pub(super) fn named(build: &Build, use_revisions: bool) -> String {
    let builder = line_text(&build.builder);
    if use_revisions {
        format!("{builder} containing revision(s) [{}]", revisions(build))
    } else {
        format!("{builder} #{}", build.number)
    }
}

/// The build's own text (I-FIN-03); that of its result when it brought none.
pub(super) fn result_text(build: &Build) -> String {
    let text = match build.results {
        Some(results) if build.text.is_empty() => build_text(results, []).join(" "),
        _ => brief_text(&build.text),
    };
    line_text(&text).into_owned()
}

/// Result and text: `Failure [failed compile]`.
fn outcome(build: &Build, wording: Wording) -> String {
    format!(
        "{} [{}]",
        description(build.results),
        coloured(&result_text(build), build.results, wording.use_colors)
    )
}

/// Word for a result (I-COL-02).
fn description(results: Option<Results>) -> &'static str {
    match results {
        Some(Results::Success) => "Success",
        Some(Results::Warnings) => "Warnings",
        Some(Results::Failure) => "Failure",
        Some(Results::Exception) => "Exception",
        Some(Results::Retry) => "Retry",
        Some(Results::Cancelled) => "Cancelled",
        Some(Results::Skipped) => "Skipped",
        None => "??",
    }
}

/// Revisions of a build: those of its changes; else what was checked out; else what its stamps ask for (I-REV-01).
pub(super) fn revisions(build: &Build) -> String {
    let mut revisions = changed_revisions(build);
    if revisions.is_empty() {
        revisions = distinct(build.got_revisions().values().map(String::as_str));
    }
    if revisions.is_empty() {
        revisions = distinct(build.source_stamps.iter().filter_map(|stamp| stamp.revision.as_deref()));
    }
    if revisions.is_empty() {
        return "latest".to_owned();
    }
    let more = revisions.len().saturating_sub(MOST_REVISIONS);
    revisions.truncate(MOST_REVISIONS);
    let and_more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{and_more}", revisions.join(", "))
}

/// Revisions of its changes, shortened, in their order (I-REV-01, I-REV-02).
fn changed_revisions(build: &Build) -> Vec<String> {
    let revisions = build.changes().filter_map(|change| change.revision.as_deref());
    revisions.map(|revision| line_text(short_revision(revision)).into_owned()).collect()
}

fn distinct<'a>(revisions: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut seen = Vec::new();
    for revision in revisions.filter(|revision| !revision.is_empty()) {
        let short = line_text(short_revision(revision)).into_owned();
        if !seen.contains(&short) {
            seen.push(short);
        }
    }
    seen
}

/// Authors of its changes, each once, in their order (I-FIN-05).
fn authors(build: &Build) -> Vec<String> {
    let mut authors = Vec::new();
    for change in build.changes().filter(|change| !change.who.is_empty()) {
        let who = line_text(&change.who).into_owned();
        if !authors.contains(&who) {
            authors.push(who);
        }
    }
    authors
}

#[cfg(test)]
mod tests {
    use super::*;
    use campanile_model::{Change, SourceStamp};

    const PLAIN: Wording = Wording { use_revisions: false, use_colors: false, show_blame_list: true };
    const REVISIONS: Wording = Wording { use_revisions: true, ..PLAIN };

    fn made(results: Option<Results>, changes: &[(&str, &str)]) -> Build {
        let change = |(who, revision): &(&str, &str)| Change {
            who: (*who).to_owned(),
            revision: Some((*revision).to_owned()),
            ..Change::default()
        };
        let stamp = SourceStamp { changes: changes.iter().map(change).collect(), ..SourceStamp::default() };
        Build {
            results,
            source_stamps: vec![stamp],
            text: vec!["failed".into(), "compile".into()],
            ..Build::new("dummy", 42)
        }
    }

    #[test]
    fn i_sta_01_i_tst_05_started() {
        for (revisions, text) in [
            (&[][..], "build #42 of dummy started"),
            (&["1"], "build #42 of dummy started (including [1])"),
            (&["1", "2"], "build #42 of dummy started (including [1, 2])"),
            (&["1", "2", "3"], "build #42 of dummy started (including [1, 2] and 1 more)"),
        ] {
            let changes: Vec<_> = revisions.iter().map(|revision| ("ada", *revision)).collect();
            assert_eq!(started(&made(None, &changes), PLAIN), text);
        }
        let hashes = [("ada", "1f0c2d3e4f5061728394a5b6c7d8e9f001122334"), ("zoe", "12345678")];
        let text = started(&made(None, &hashes), PLAIN);
        assert_eq!(text, "build #42 of dummy started (including [1f0c2d3, 12345678])");
    }

    #[test]
    fn i_sta_02_i_fin_02_with_revisions() {
        let changed = [("ada", "1"), ("zoe", "2")];
        assert_eq!(
            started(&made(None, &changed), REVISIONS),
            "build containing revision(s) [1, 2] on dummy started"
        );
        let text = finished(&made(Some(Results::Success), &changed), None, REVISIONS);
        assert_eq!(
            text,
            "build containing revision(s) [1, 2] on dummy is complete: Success [failed compile]"
        );
        let text = watched(&made(Some(Results::Success), &changed), None, REVISIONS);
        assert_eq!(
            text,
            ["Hey! build dummy containing revision(s) [1, 2] is complete: Success [failed compile]"]
        );
    }

    #[test]
    fn i_fin_01_i_fin_04_i_fin_05_head_text_url_and_blame() {
        let changed = [("zoe", "1"), ("ada", "2"), ("zoe", "3")];
        let text = finished(&made(Some(Results::Failure), &changed), Some("http://ci/42"), PLAIN);
        assert_eq!(
            text,
            "build #42 of dummy is complete: Failure [failed compile]  Build details are at http://ci/42  \
             blamelist: zoe, ada"
        );
        let text = finished(&made(Some(Results::Success), &changed), None, PLAIN);
        assert_eq!(text, "build #42 of dummy is complete: Success [failed compile]");
        let blameless = Wording { show_blame_list: false, ..PLAIN };
        assert!(!finished(&made(Some(Results::Failure), &changed), None, blameless).contains("blame"));
        assert!(!finished(&made(Some(Results::Failure), &[]), None, PLAIN).contains("blame"));
        let coloured = Wording { use_colors: true, ..PLAIN };
        assert!(
            finished(&made(Some(Results::Failure), &[]), None, coloured)
                .contains("Failure [\x0304failed compile\x03]")
        );
    }

    #[test]
    fn i_fin_06_watched() {
        let lines = watched(&made(Some(Results::Exception), &[]), Some("http://ci/42"), PLAIN);
        assert_eq!(
            lines,
            [
                "Hey! build dummy #42 is complete: Exception [failed compile]",
                "Build details are at http://ci/42"
            ]
        );
    }

    #[test]
    fn i_rev_01_what_stands_for_missing_changes_and_i_rev_03_long_lists() {
        let mut build = made(None, &[]);
        assert_eq!(revisions(&build), "latest");
        build.source_stamps[0].revision = Some("77".to_owned());
        assert_eq!(revisions(&build), "77");
        build.properties.set("got_revision", serde_json::json!({"a": "5", "b": "6", "c": "5"}), "Git");
        assert_eq!(revisions(&build), "5, 6");
        let many: Vec<(String, String)> = (1..=13).map(|n| (String::new(), n.to_string())).collect();
        let many: Vec<_> = many.iter().map(|(who, revision)| (who.as_str(), revision.as_str())).collect();
        assert_eq!(revisions(&made(None, &many)), "1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 3 more");
    }

    /// I-T-4: a table without holes.
    #[test]
    fn i_col_02_every_result_has_its_words() {
        for results in Results::ALL.into_iter().map(Some).chain([None]) {
            let empty = Build { results, text: Vec::new(), ..Build::new("dummy", 1) };
            let text = finished(&empty, None, PLAIN);
            assert!(text.starts_with("build #1 of dummy is complete: "), "{text}");
            assert_eq!(text.contains("??"), results.is_none());
        }
    }

    #[test]
    fn i_out_04_what_a_build_brings_ends_no_line() {
        let mut build = made(Some(Results::Failure), &[("eve\r\nQUIT", "1\r\n2")]);
        build.builder = "x\r\nJOIN #y\x01\u{202e}".to_owned();
        build.text = vec!["a\nb".to_owned()];
        for text in [
            started(&build, PLAIN),
            finished(&build, Some("http://x/\r\n"), PLAIN),
            watched(&build, None, PLAIN).concat(),
        ] {
            assert!(!text.chars().any(char::is_control) && !text.contains('\u{202e}'), "{text:?}");
        }
    }
}
