//! What Gerrit is told of a build: a vote at its end, a word at its start, a summary of a whole buildset.

use campanile_guest::{
    BuildInfo, Results, Review, ReviewRequest, StartRequest, Status, SummaryRequest, flat, words,
};
use serde_json::Value;

/// The label that is voted on unless the settings name another.
const LABEL: &str = "Verified";

/// A vote for one build, with a link to its page. A build that will be tried again gets none.
pub fn review(request: &ReviewRequest, status: &dyn Status) -> Result<Option<Review>, String> {
    if request.results == Results::Retry {
        return Ok(None);
    }
    let mut message = format!(
        "Buildbot finished compiling your patchset\non configuration: {}\nThe result is: {}\n",
        request.builder,
        words::result(request.results).to_uppercase()
    );
    if let Some(url) = flat::url(&request.build, status) {
        message += &format!("\nFor more details visit:\n{url}\n");
    }
    Ok(Some(Review::vote(message, label(request.arg.as_deref())?, score(request.results))))
}

/// Says that a build has begun and where it can be watched.
pub fn announce(request: &StartRequest, status: &dyn Status) -> Result<Option<String>, String> {
    let mut message =
        format!("Buildbot started compiling your patchset\non configuration: {}\n", request.builder);
    if let Some(url) = flat::url(&request.build, status) {
        message += &format!("See your build here: {url}\n");
    }
    Ok(Some(message))
}

/// One vote for a whole buildset: for it only if every build succeeded, with one line per builder.
pub fn summarize(request: &SummaryRequest, _: &dyn Status) -> Result<Option<Review>, String> {
    if request.builds.is_empty() {
        return Ok(None);
    }
    let lines: Vec<String> = request.builds.iter().map(line).collect();
    let worst = request.builds.iter().map(|build| score(build.results)).min().unwrap_or(-1);
    Ok(Some(Review::vote(lines.join("\n"), label(request.arg.as_deref())?, worst)))
}

campanile_guest::review_callback!(review);
campanile_guest::start_callback!(announce);
campanile_guest::summary_callback!(summarize);

/// `[+] linux https://...`
fn line(info: &BuildInfo) -> String {
    let mark = if score(info.results) > 0 { "[+]" } else { "[-]" };
    match &info.url {
        Some(url) => format!("{mark} {} {url}", info.name),
        None => format!("{mark} {}", info.name),
    }
}

fn score(results: Results) -> i32 {
    if results == Results::Success { 1 } else { -1 }
}

/// The label's name: that of the settings' `{"label": "NAME"}`, else [`LABEL`].
fn label(arg: Option<&str>) -> Result<String, String> {
    let arg = match arg.map(serde_json::from_str::<Value>) {
        None => return Ok(LABEL.to_owned()),
        Some(Ok(arg)) => arg,
        Some(Err(error)) => return Err(format!("the argument is not JSON: {error}")),
    };
    match (&arg, &arg["label"]) {
        (Value::Null, _) | (Value::Object(_), Value::Null) => Ok(LABEL.to_owned()),
        (_, Value::String(name)) if is_label(name) => Ok(name.clone()),
        (_, Value::Null) => {
            Err("the argument must be an object such as `{\"label\": \"Verified\"}`".to_owned())
        }
        (_, other) => Err(format!("{other} is no name of a label")),
    }
}

/// Gerrit's own rule for names of labels.
fn is_label(name: &str) -> bool {
    !name.starts_with('-')
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::{announce, label, review, summarize};
    use campanile_guest::testing::{FixedStatus, build, build_info};
    use campanile_guest::{BuildInfo, Results, Review, ReviewRequest, StartRequest, SummaryRequest};

    fn reviewed(results: Results, arg: Option<&str>) -> Option<Review> {
        let request = ReviewRequest {
            builder: "linux".to_owned(),
            build: build(results),
            results,
            arg: arg.map(str::to_owned),
        };
        review(&request, &FixedStatus::default()).expect("the argument is fine")
    }

    fn summary(builds: Vec<BuildInfo>) -> Option<Review> {
        let request = SummaryRequest { builds, results: Results::Failure, arg: None };
        summarize(&request, &FixedStatus::default()).expect("the argument is fine")
    }

    #[test]
    fn g_cb_10_only_success_is_voted_for() {
        for (results, score) in [
            (Results::Success, 1),
            (Results::Warnings, -1),
            (Results::Failure, -1),
            (Results::Exception, -1),
            (Results::Cancelled, -1),
        ] {
            let review = reviewed(results, None).expect("there is a review");
            assert_eq!((&*review.labels[0].name, review.labels[0].score), ("Verified", score));
        }
        assert!(reviewed(Results::Retry, None).is_none());
    }

    #[test]
    fn the_review_says_which_build_and_where() {
        let review = reviewed(Results::Failure, Some("{\"label\": \"Build-Check\"}")).expect("a review");
        assert_eq!(
            review.message,
            "Buildbot finished compiling your patchset\non configuration: linux\nThe result is: FAILURE\n\n\
             For more details visit:\nhttps://ci.example/builders/linux/builds/7\n"
        );
        assert_eq!(review.labels[0].name, "Build-Check");
    }

    #[test]
    fn the_start_says_where_to_look() {
        let request = StartRequest { builder: "linux".to_owned(), build: build(Results::Success), arg: None };
        let mut status = FixedStatus::default();
        let text = announce(&request, &status).expect("it has no way to fail").expect("there is a text");
        assert!(
            text.ends_with("See your build here: https://ci.example/builders/linux/builds/7\n"),
            "{text}"
        );
        status.url = None;
        let text = announce(&request, &status).expect("it has no way to fail").expect("there is a text");
        assert!(text.ends_with("on configuration: linux\n"), "{text}");
    }

    #[test]
    fn the_summary_has_a_line_per_builder_and_the_worst_vote() {
        let mut nowhere = build_info("windows", Results::Failure);
        nowhere.url = None;
        let review = summary(vec![build_info("linux", Results::Success), nowhere]).expect("a review");
        assert_eq!(review.message, "[+] linux https://ci.example/builders/linux/builds/7\n[-] windows");
        assert_eq!(review.labels[0].score, -1);
        let review = summary(vec![build_info("linux", Results::Success)]).expect("a review");
        assert_eq!(review.labels[0].score, 1);
        assert!(summary(Vec::new()).is_none());
    }

    #[test]
    fn the_argument_may_name_the_label() {
        for (arg, name) in [(None, "Verified"), (Some("null"), "Verified"), (Some("{}"), "Verified")] {
            assert_eq!(label(arg).as_deref(), Ok(name));
        }
        for arg in
            ["", "\"Verified\"", "[]", "{\"label\": 1}", "{\"label\": \"a=1 --submit\"}", "{\"label\": \"\"}"]
        {
            assert!(label(Some(arg)).is_err(), "{arg}");
        }
    }
}
