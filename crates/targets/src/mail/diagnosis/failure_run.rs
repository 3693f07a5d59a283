//! The run of failed builds that a build belongs to, or that it ended (M-74).

use super::super::previous_build::walk_back;
use campanile_callbacks::{Status, StatusError};
use campanile_model::{Build, Results, line_text, listed};

/// Failed builds of one builder and the same branches, with no build between them that worked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct FailureRun {
    /// Number of its first build, as far as that is known.
    pub(in super::super) first: u64,
    /// Page of its first build, if pages are known.
    pub(in super::super) url: Option<String>,
    /// Names of those whose changes its first build built.
    pub(in super::super) by: Vec<String>,
    /// Number of its builds, the one that is told of included.
    pub(in super::super) builds: usize,
    /// Number of the last build that worked; none is known of a run without a beginning.
    pub(in super::super) worked_last: Option<u64>,
    /// The build that is told of worked: the run is over.
    pub(in super::super) is_over: bool,
}

/// The part that an outcome has in a run of failures.
enum Part {
    Failed,
    Worked,
    /// It says nothing about the sources.
    Neither,
}

fn part(results: Option<Results>) -> Part {
    match results {
        Some(Results::Failure | Results::Exception) => Part::Failed,
        Some(Results::Success | Results::Warnings) => Part::Worked,
        Some(Results::Skipped | Results::Cancelled | Results::Retry) | None => Part::Neither,
    }
}

impl FailureRun {
    /// Follows the run back through the store; none if there is nothing to tell of.
    pub(super) async fn read(
        build: &Build,
        results: Results,
        status: &dyn Status,
    ) -> Result<Option<Self>, StatusError> {
        let is_over = match part(Some(results)) {
            Part::Failed => false,
            Part::Worked => true,
            Part::Neither => return Ok(None),
        };
        let mut first = (!is_over).then(|| build.clone());
        let mut builds = usize::from(!is_over);
        let worked_last = walk_back(build, status, |other| {
            if !build.is_of_same_branches(&other) {
                return None;
            }
            match part(other.results) {
                Part::Failed => {
                    builds += 1;
                    first = Some(other);
                    None
                }
                Part::Worked => Some(other.number),
                Part::Neither => None,
            }
        })
        .await?;
        Ok(first.filter(|_| builds > 1 || is_over || worked_last.is_some()).map(|first| Self {
            first: first.number,
            url: status.url_of(&first),
            by: first.responsible_users().iter().map(|user| short_name(user)).collect(),
            builds,
            worked_last,
            is_over,
        }))
    }

    /// The run in a sentence about the build of this number.
    pub(in super::super) fn sentence(&self, number: u64) -> String {
        let by = if self.by.is_empty() { String::new() } else { format!(" by {}", listed(&self.by)) };
        let first = self.first;
        let builds = if self.builds == 1 { "1 build".to_owned() } else { format!("{} builds", self.builds) };
        match (self.is_over, self.worked_last) {
            (false, Some(worked)) if first == number => format!("Broken since this build: #{worked} worked."),
            (true, Some(_)) => format!("Mended: broken since #{first}{by}, for {builds}."),
            (false, Some(_)) => format!("Broken since #{first}{by}, for {builds} so far."),
            // Before that nothing is known: it may have been somebody else.
            (true, None) => format!("Mended: broken since #{first} or before."),
            (false, None) => format!("Broken since #{first} or before, for {builds} so far."),
        }
    }
}

/// The name of `NAME <ADDRESS>`, on one line; a text of another form stays whole.
pub(in super::super) fn short_name(user: &str) -> String {
    let name = user.split_once('<').map_or(user, |(name, _)| name).trim();
    line_text(if name.is_empty() { user } else { name }).into_owned()
}
