//! The previous build is the newest earlier one of the same branch: a broken branch says nothing about another.

use campanile_guest::{Build, BuildId, Status};

/// How many builds are looked at; the engine gives no more at once.
const LOOKED_AT: u32 = 100;

/// The build to compare with, if there is one.
pub fn choose(build: &Build, status: &dyn Status) -> Result<Option<BuildId>, String> {
    let own = branch(build);
    let earlier = status.recent_builds(&build.id, LOOKED_AT);
    Ok(earlier.into_iter().find(|other| branch(other) == own).map(|other| other.id))
}

campanile_guest::previous_build_getter!(choose);

/// The branch of the first source stamp, if there is one.
fn branch(build: &Build) -> Option<&str> {
    build.source_stamps.first()?.branch.as_deref()
}

#[cfg(test)]
mod tests {
    use super::choose;
    use campanile_guest::testing::{FixedStatus, build};
    use campanile_guest::{Build, Results};

    fn on_branch(number: u64, branch: &str) -> Build {
        let mut build = build(Results::Success);
        build.id.number = number;
        build.source_stamps[0].branch = Some(branch.to_owned());
        build
    }

    fn chosen(earlier: Vec<Build>) -> Option<u64> {
        let status = FixedStatus { builds: earlier, ..FixedStatus::default() };
        let previous = choose(&on_branch(7, "main"), &status).expect("it has no way to fail");
        previous.map(|id| id.number)
    }

    #[test]
    fn the_newest_of_the_same_branch_is_taken() {
        assert_eq!(chosen(vec![on_branch(4, "main"), on_branch(5, "main"), on_branch(6, "next")]), Some(5));
    }

    #[test]
    fn a_new_branch_has_no_previous_build() {
        assert_eq!(chosen(vec![on_branch(6, "next")]), None);
    }
}
