//! Hostile and odd callbacks for the engine's own tests: each file in `examples/` is one component.

use campanile_guest::{Build, BuildId, Status};

/// The newest earlier finished build on the same branches.
pub fn previous_by_branch(build: &Build, status: &dyn Status) -> Result<Option<BuildId>, String> {
    let earlier = status.recent_builds(&build.id, 100);
    Ok(earlier.into_iter().find(|b| b.results.is_some() && branches(b) == branches(build)).map(|b| b.id))
}

/// The branch of each codebase, in order of codebase.
fn branches(build: &Build) -> Vec<(&str, Option<&str>)> {
    let mut all: Vec<_> =
        build.source_stamps.iter().map(|stamp| (&*stamp.codebase, stamp.branch.as_deref())).collect();
    all.sort_unstable();
    all
}

#[cfg(test)]
mod tests {
    use super::previous_by_branch;
    use campanile_guest::testing::{FixedStatus, build};
    use campanile_guest::{Build, Results};

    fn numbered(number: u64, branch: &str) -> Build {
        let mut build = build(Results::Success);
        build.id.number = number;
        build.source_stamps[0].branch = Some(branch.to_owned());
        build
    }

    #[test]
    fn another_branch_and_an_unfinished_build_are_passed_over() {
        let mut running = numbered(5, "main");
        running.results = None;
        let builds = vec![numbered(3, "main"), numbered(4, "main"), running, numbered(6, "side")];
        let status = FixedStatus { builds, ..FixedStatus::default() };
        let found = previous_by_branch(&numbered(7, "main"), &status).expect("it has no way to fail");
        assert_eq!(found.map(|id| id.number), Some(4));
        let found = previous_by_branch(&numbered(7, "other"), &status).expect("it has no way to fail");
        assert!(found.is_none());
    }
}
