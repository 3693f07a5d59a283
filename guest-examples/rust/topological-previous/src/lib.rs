//! The previous build by history, not by the clock: the greatest commit number below the build's own.

use campanile_guest::{Build, BuildId, Status, flat, json};

/// The property that numbers the commits, as `git rev-list --count HEAD` does.
const PROPERTY: &str = "commit_number";
/// How many builds with a higher number are looked at too: an older commit may well be built later.
const LATER: u64 = 50;
/// How many builds are looked at in all; the engine gives no more at once.
const LOOKED_AT: u32 = 100;

/// The newest build of the nearest earlier commit, of the same builder and branches.
pub fn choose(build: &Build, status: &dyn Status) -> Result<Option<BuildId>, String> {
    let Some(own) = commit_number(build) else {
        return Err(format!("the build has no whole number in its property `{PROPERTY}`"));
    };
    let below = BuildId { builder: build.id.builder.clone(), number: build.id.number.saturating_add(LATER) };
    let nearest = status
        .recent_builds(&below, LOOKED_AT)
        .into_iter()
        .filter(|other| other.results.is_some() && flat::branches(other) == flat::branches(build))
        .filter_map(|other| Some((commit_number(&other)?, other.id)))
        .filter(|(number, _)| *number < own)
        .max_by_key(|(number, id)| (*number, id.number));
    Ok(nearest.map(|(_, id)| id))
}

campanile_guest::previous_build_getter!(choose);

/// The property as a number, written as one or as text.
fn commit_number(build: &Build) -> Option<u64> {
    let property = build.properties.iter().find(|property| property.name == PROPERTY)?;
    json::property_text(property).trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::choose;
    use campanile_guest::testing::{FixedStatus, build, property};
    use campanile_guest::{Build, Results};

    fn numbered(number: u64, commit: &str) -> Build {
        let mut build = build(Results::Success);
        build.id.number = number;
        build.properties = vec![property("commit_number", commit)];
        build
    }

    fn chosen(build: &Build, builds: Vec<Build>) -> Result<Option<u64>, String> {
        let status = FixedStatus { builds, ..FixedStatus::default() };
        Ok(choose(build, &status)?.map(|id| id.number))
    }

    #[test]
    fn commits_decide_and_not_the_order_of_builds() {
        let builds = vec![numbered(3, "10"), numbered(4, "12"), numbered(5, "30"), numbered(8, "\"15\"")];
        assert_eq!(chosen(&numbered(7, "20"), builds.clone()), Ok(Some(8)));
        assert_eq!(chosen(&numbered(7, "13"), builds.clone()), Ok(Some(4)));
        assert_eq!(chosen(&numbered(7, "10"), builds), Ok(None));
    }

    #[test]
    fn of_one_commit_the_newest_build_counts() {
        let builds = vec![numbered(3, "10"), numbered(5, "10")];
        assert_eq!(chosen(&numbered(7, "11"), builds), Ok(Some(5)));
    }

    #[test]
    fn other_branches_running_builds_and_builds_without_the_property_are_passed_over() {
        let mut side = numbered(3, "19");
        side.source_stamps[0].branch = Some("side".to_owned());
        let mut running = numbered(4, "18");
        running.results = None;
        let mut bare = numbered(5, "17");
        bare.properties.clear();
        let builds = vec![numbered(2, "5"), side, running, bare];
        assert_eq!(chosen(&numbered(7, "20"), builds), Ok(Some(2)));
    }

    #[test]
    fn a_build_without_a_number_is_an_error() {
        for commit in ["null", "-1", "1.5", "\"abc\""] {
            let error = chosen(&numbered(7, commit), Vec::new()).expect_err(commit);
            assert!(error.contains("commit_number"), "{error}");
        }
    }
}
