//! Hostile and odd callbacks for the engine's own tests: each file in `examples/` is one component.

use campanile_guest::{Build, BuildId, Message, Status, flat};

/// The newest earlier finished build on the same branches.
pub fn previous_by_branch(build: &Build, status: &dyn Status) -> Result<Option<BuildId>, String> {
    let earlier = status.recent_builds(&build.id, 100);
    Ok(earlier
        .into_iter()
        .find(|b| b.results.is_some() && flat::branches(b) == flat::branches(build))
        .map(|b| b.id))
}

/// A message that names its version everywhere: 200 times in the body, in the subject and in the header `X-Version`.
pub fn version(letter: char) -> Message {
    Message {
        subject: Some(format!("version {letter}")),
        headers: vec![("X-Version".to_owned(), letter.to_string())],
        ..Message::plain(letter.to_string().repeat(200))
    }
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
