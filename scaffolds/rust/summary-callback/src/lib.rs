//! What Gerrit is told of a whole buildset: a line for each builder, and one vote.

use campanile_guest::{BuildInfo, Results, Review, Status, SummaryRequest};

/// The label that is voted on.
const LABEL: &str = "Verified";

/// One review for all builds: for the change only if every build is good.
pub fn summarize(request: &SummaryRequest, _: &dyn Status) -> Result<Option<Review>, String> {
    if request.builds.is_empty() {
        return Ok(None);
    }
    let lines: Vec<String> = request.builds.iter().map(line).collect();
    let score = if request.builds.iter().all(is_good) { 1 } else { -1 };
    Ok(Some(Review::vote(lines.join("\n"), LABEL, score)))
}

campanile_guest::summary_callback!(summarize);

/// `[-] linux: failure https://...`
fn line(info: &BuildInfo) -> String {
    let mark = if is_good(info) { "[+]" } else { "[-]" };
    let text = format!("{mark} {}: {}", info.name, info.results_text);
    match &info.url {
        Some(url) => format!("{text} {url}"),
        None => text,
    }
}

fn is_good(info: &BuildInfo) -> bool {
    matches!(info.results, Results::Success | Results::Warnings)
}

#[cfg(test)]
mod tests {
    use super::summarize;
    use campanile_guest::testing::{FixedStatus, build_info};
    use campanile_guest::{BuildInfo, Results, Review, SummaryRequest};

    fn summary(builds: Vec<BuildInfo>) -> Option<Review> {
        let request = SummaryRequest { builds, results: Results::Failure, arg: None };
        summarize(&request, &FixedStatus::default()).expect("it has no way to fail")
    }

    #[test]
    fn one_bad_build_decides() {
        let mut nowhere = build_info("windows", Results::Failure);
        nowhere.url = None;
        let review = summary(vec![build_info("linux", Results::Success), nowhere]).expect("there is a review");
        assert_eq!(
            review.message,
            "[+] linux: success https://ci.example/builders/linux/builds/7\n[-] windows: failure"
        );
        assert_eq!(review.labels[0].score, -1);
    }

    #[test]
    fn good_builds_are_voted_for() {
        let review = summary(vec![build_info("linux", Results::Warnings)]).expect("there is a review");
        assert_eq!(review.labels[0].score, 1);
        assert!(summary(Vec::new()).is_none());
    }
}
