//! Built-in reviews and summaries (G-DEF), and the list that summaries are made of (G-EV-03).

use std::collections::BTreeMap;

use campanile_callbacks::{BuildInfo, Review, Status};
use campanile_model::{Build, Results, brief_text, line_text};

/// The label that built-in reviews vote with.
pub(super) const VERIFIED: &str = "Verified";

/// Writes the review of a build, for `review_cb = "default"` (G-DEF-01); none: nothing is sent.
pub(super) fn review(builder: &str, results: Results, warnings_pass: bool) -> Option<Review> {
    if results == Results::Retry {
        return None;
    }
    let message = format!(
        "Buildbot finished compiling your patchset\non configuration: {}\nThe result is: {}\n",
        line_text(builder),
        results.name().to_uppercase()
    );
    Some(Review { message, labels: vec![(VERIFIED.to_owned(), vote(passes(results, warnings_pass)))] })
}

/// Writes the summary of builds (G-DEF-02, G-DEF-03).
pub(super) fn summary(builds: &[BuildInfo], warnings_pass: bool) -> Review {
    let entries: Vec<String> = builds
        .iter()
        .map(|info| {
            let where_to_look = info.url.as_ref().map_or(".".to_owned(), |url| format!(" - {url}"));
            let (name, text) = (line_text(&info.name), brief_text(&info.build.text));
            format!("Builder {name} {} ({}){where_to_look}", info.results_text, line_text(&text))
        })
        .collect();
    let all_pass = !builds.is_empty() && builds.iter().all(|info| passes(info.results, warnings_pass));
    Review { message: entries.join("\n\n"), labels: vec![(VERIFIED.to_owned(), vote(all_pass))] }
}

fn passes(results: Results, warnings_pass: bool) -> bool {
    results == Results::Success || (warnings_pass && results == Results::Warnings)
}

fn vote(passes: bool) -> i32 {
    if passes { 1 } else { -1 }
}

/// Lists the builds of a summary: one per request, its last, without those that another one was made for; by builder
/// (G-EV-03, G-EV-04).
pub(super) fn infos(builds: &[Build], status: &dyn Status) -> Vec<BuildInfo> {
    let mut of_request: BTreeMap<u64, &Build> = BTreeMap::new();
    let mut chosen: Vec<&Build> = Vec::new();
    for build in builds {
        if build.requests.is_empty() {
            chosen.push(build);
        }
        for request in &build.requests {
            let last = of_request.entry(*request).or_insert(build);
            if (build.finished, build.number) > (last.finished, last.number) {
                *last = build;
            }
        }
    }
    for build in of_request.into_values() {
        if !chosen.iter().any(|other| other.id() == build.id()) {
            chosen.push(build);
        }
    }
    let is_reported = |build: &&Build| build.results.is_some_and(|results| results != Results::Retry);
    let mut infos: Vec<BuildInfo> =
        chosen.into_iter().filter(is_reported).map(|build| info(build, status)).collect();
    infos.sort_by(|a, b| (&a.name, a.build.number).cmp(&(&b.name, b.build.number)));
    infos
}

fn info(build: &Build, status: &dyn Status) -> BuildInfo {
    let results = build.results.unwrap_or(Results::Exception);
    BuildInfo {
        name: build.builder.clone(),
        results,
        results_text: results_text(results),
        text: build.text.join(" "),
        url: status.url_of(build),
        build: build.clone(),
    }
}

fn results_text(results: Results) -> String {
    match results {
        Results::Success => "succeeded".to_owned(),
        Results::Failure => "failed".to_owned(),
        Results::Warnings => "completed with warnings".to_owned(),
        Results::Exception => "encountered an exception".to_owned(),
        other => format!("completed with unknown result {}", other.code()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use campanile_callbacks::Sample;

    fn build(builder: &str, number: u64, results: Results, request: u64) -> Build {
        Build {
            results: Some(results),
            text: vec!["build".to_owned(), "done".to_owned()],
            requests: vec![request],
            ..Build::new(builder, number)
        }
    }

    #[test]
    fn g_def_01_g_def_03_the_built_in_review() {
        let failed = review("linux", Results::Failure, false).unwrap();
        assert_eq!(
            failed.message,
            "Buildbot finished compiling your patchset\non configuration: linux\nThe result is: FAILURE\n"
        );
        assert_eq!(failed.labels, [("Verified".to_owned(), -1)]);
        assert_eq!(review("linux", Results::Success, false).unwrap().labels[0].1, 1);
        assert_eq!(review("linux", Results::Warnings, false).unwrap().labels[0].1, -1);
        assert_eq!(review("linux", Results::Warnings, true).unwrap().labels[0].1, 1);
        assert_eq!(review("linux", Results::Retry, false), None);
    }

    #[test]
    fn g_def_02_g_ev_03_g_ev_04_the_built_in_summary() {
        let status = Sample::bundled();
        let mut builds = vec![
            build("win", 3, Results::Success, 1),
            // Lost, and built once more for the same request.
            build("linux", 4, Results::Retry, 2),
            build("linux", 5, Results::Success, 2),
        ];
        builds[0].url = Some("https://ci.example.org/win/3".to_owned());
        let mut infos = infos(&builds, &status);
        assert_eq!(
            infos.iter().map(|info| (info.name.as_str(), info.build.number)).collect::<Vec<_>>(),
            [("linux", 5), ("win", 3)],
            "M-SET-04"
        );
        infos[0].url = None;
        let good = summary(&infos, false);
        assert_eq!(
            good.message,
            "Builder linux succeeded (build done).\n\nBuilder win succeeded (build done) - https://ci.example.org/win/3"
        );
        assert_eq!(good.labels, [("Verified".to_owned(), 1)]);
        infos[0].results = Results::Warnings;
        assert_eq!(summary(&infos, false).labels[0].1, -1);
        assert_eq!(summary(&infos, true).labels[0].1, 1);
        assert_eq!(summary(&[], false).labels[0].1, -1);
    }

    #[test]
    fn g_ev_03_words_for_every_result() {
        let words: Vec<String> = Results::ALL.into_iter().map(results_text).collect();
        assert_eq!(words[..3], ["succeeded", "completed with warnings", "failed"]);
        assert_eq!(words[4], "encountered an exception");
        assert_eq!(words[6], "completed with unknown result 6");
    }
}
