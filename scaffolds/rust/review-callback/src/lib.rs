//! What Gerrit is told of a finished build: its result, where to look, and a vote.

use campanile_guest::{Results, Review, ReviewRequest, Status, flat, words};

/// The label that is voted on.
const LABEL: &str = "Verified";

/// The review of one build. A build that will be tried again gets none.
pub fn review(request: &ReviewRequest, status: &dyn Status) -> Result<Option<Review>, String> {
    if request.results == Results::Retry {
        return Ok(None);
    }
    let mut message = format!("{}: {}", request.builder, words::result(request.results));
    if let Some(url) = flat::url(&request.build, status) {
        message += &format!("\n{url}");
    }
    Ok(Some(Review::vote(message, LABEL, score(request.results))))
}

campanile_guest::review_callback!(review);

fn score(results: Results) -> i32 {
    match results {
        Results::Success | Results::Warnings => 1,
        Results::Skipped | Results::Retry | Results::Cancelled => 0,
        Results::Failure | Results::Exception => -1,
    }
}

#[cfg(test)]
mod tests {
    use super::review;
    use campanile_guest::testing::{FixedStatus, build};
    use campanile_guest::{Results, Review, ReviewRequest};

    fn reviewed(results: Results) -> Option<Review> {
        let request =
            ReviewRequest { builder: "linux".to_owned(), build: build(results), results, arg: None };
        review(&request, &FixedStatus::default()).expect("it has no way to fail")
    }

    #[test]
    fn a_failure_is_voted_down() {
        let review = reviewed(Results::Failure).expect("there is a review");
        assert_eq!(review.message, "linux: failure\nhttps://ci.example/builders/linux/builds/7");
        assert_eq!((&*review.labels[0].name, review.labels[0].score), ("Verified", -1));
    }

    #[test]
    fn what_is_tried_again_is_not_reviewed() {
        assert!(reviewed(Results::Retry).is_none());
    }
}
