//! The builder's past in a sentence: since when it is broken, or that it works again.

use crate::text::{listed, person};
use campanile_guest::{Build, Results, Status, flat};

/// Most earlier builds that are looked at. Each is copied into the callback with all its steps.
const LOOKED_AT: u32 = 20;

/// `Broken since #5 by Ada, for 3 builds so far.`, `Mended by this build.` and the like; none if there is nothing to say.
pub(crate) fn sentence(build: &Build, results: Results, status: &dyn Status) -> Option<String> {
    let failed = has_failed(results)?;
    let mut run: Vec<Build> = Vec::new();
    let mut worked_last = None;
    // A build of another branch says nothing about this one, nor does one that was cancelled.
    let earlier = status.recent_builds(&build.id, LOOKED_AT).into_iter();
    for other in earlier.filter(|other| flat::branches(other) == flat::branches(build)) {
        match other.results.and_then(has_failed) {
            Some(true) => run.push(other),
            Some(false) => {
                worked_last = Some(other.id.number);
                break;
            }
            None => {}
        }
    }
    let builds = run.len();
    match (failed, run.last(), worked_last) {
        (true, None, Some(worked)) => Some(format!("Broken since this build: #{worked} worked.")),
        (true, Some(first), worked) => {
            let since = since(first, worked.is_some());
            Some(format!("Broken since {since}, for {} builds so far.", builds + 1))
        }
        (false, Some(first), worked) => {
            Some(format!("It works again: broken since {}.", since(first, worked.is_some())))
        }
        _ => None,
    }
}

/// The first build that failed, and who changed something in it. If none is known that worked before it, it may have been
/// somebody else.
fn since(first: &Build, is_known: bool) -> String {
    let number = first.id.number;
    let by: Vec<String> = first.responsible_users.iter().map(|user| person(user)).collect();
    match (is_known, by.is_empty()) {
        (false, _) => format!("#{number} or before"),
        (true, true) => format!("#{number}"),
        (true, false) => format!("#{number} by {}", listed(&by)),
    }
}

fn has_failed(results: Results) -> Option<bool> {
    match results {
        Results::Failure | Results::Exception => Some(true),
        Results::Success | Results::Warnings => Some(false),
        Results::Skipped | Results::Retry | Results::Cancelled => None,
    }
}

#[cfg(test)]
mod tests {
    use super::sentence;
    use campanile_guest::testing::{FixedStatus, build};
    use campanile_guest::{Build, Results};

    fn earlier(number: u64, results: Results) -> Build {
        let mut earlier = build(results);
        earlier.id.number = number;
        earlier
    }

    /// The sentence about build 7 after builds of these results, 6 first.
    fn told(results: Results, before: &[Results]) -> Option<String> {
        let builds = (1..7).rev().zip(before).map(|(number, results)| earlier(number, *results)).collect();
        sentence(&build(results), results, &FixedStatus { builds, ..FixedStatus::default() })
    }

    #[test]
    fn the_past_is_told_as_far_as_it_is_known() {
        use Results::{Cancelled, Exception, Failure, Success, Warnings};
        for (results, before, sentence) in [
            (Failure, &[Success][..], Some("Broken since this build: #6 worked.")),
            (Failure, &[Failure, Success], Some("Broken since #6 by alice, bob, for 2 builds so far.")),
            (Exception, &[Cancelled, Failure], Some("Broken since #5 or before, for 2 builds so far.")),
            (Success, &[Failure, Failure, Warnings], Some("It works again: broken since #5 by alice, bob.")),
            (Warnings, &[Failure], Some("It works again: broken since #6 or before.")),
            (Success, &[Success, Failure], None),
            (Failure, &[], None),
            (Cancelled, &[Failure], None),
        ] {
            assert_eq!(told(results, before).as_deref(), sentence, "{results:?} after {before:?}");
        }
    }

    #[test]
    fn builds_of_other_branches_dont_count() {
        let mut other = earlier(6, Results::Success);
        other.source_stamps[0].branch = Some("feature".to_owned());
        let status =
            FixedStatus { builds: vec![other, earlier(5, Results::Failure)], ..FixedStatus::default() };
        let told = sentence(&build(Results::Success), Results::Success, &status);
        assert_eq!(told.as_deref(), Some("It works again: broken since #5 or before."));
    }
}
