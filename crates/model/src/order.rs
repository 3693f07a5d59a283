//! Choice and order of builders, builds and changes (M-BLD-02 to M-BLD-08, M-CH-06).

use std::cmp::Ordering;

use super::{Build, Builder, BuilderState, Change, Results};

/// True if a filter by tags lets a builder through: any common tag does, and so does an empty filter (M-BLD-04).
pub fn tags_match<T: AsRef<str>, F: AsRef<str>>(tags: &[T], filter: &[F]) -> bool {
    filter.is_empty() || filter.iter().any(|wanted| tags.iter().any(|tag| tag.as_ref() == wanted.as_ref()))
}

/// The number of the build that an index means: from 0 on itself, -1 the newest, -2 the one before (M-BLD-06).
///
/// `newest` is the highest number started. That a build was pruned is for its keeper to find out.
#[must_use]
pub fn build_number_at(index: i64, newest: Option<u64>) -> Option<u64> {
    let newest = newest?;
    match u64::try_from(index) {
        Ok(number) => (number <= newest).then_some(number),
        Err(_) => newest.checked_sub(index.unsigned_abs() - 1),
    }
}

/// The finished build with the highest number, whichever still run (M-BLD-07).
pub fn last_finished<'a>(builds: impl IntoIterator<Item = &'a Build>) -> Option<&'a Build> {
    builds.into_iter().filter(|build| build.is_finished()).max_by_key(|build| build.number)
}

/// The build that a build is compared with: the newest before it that ended and was not a retry, whatever is
/// still running or was lost in between (M-B-03, M-TRAP-1, M-TRAP-2).
pub fn previous_conclusive<'a>(
    builds: impl IntoIterator<Item = &'a Build>,
    number: u64,
) -> Option<&'a Build> {
    let conclusive = |build: &&Build| build.results.is_some_and(|results| results != Results::Retry);
    let before = builds.into_iter().filter(|build| build.number < number && build.is_finished());
    before.filter(conclusive).max_by_key(|build| build.number)
}

/// Puts changes in the order of their numbers (M-CH-06).
pub fn sort_changes(changes: &mut [Change]) {
    changes.sort_by_key(|change| change.number);
}

/// Order of names in listings for people: runs of digits compare as numbers (M-BLD-08).
///
/// A total order: names that differ only in leading zeros fall back to plain text order.
#[must_use]
pub fn natural_order(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        let (l, r) = (take_run(&mut left), take_run(&mut right));
        let ordering = match (l, r) {
            (Run::End, Run::End) => return a.cmp(b),
            (Run::Digits(l), Run::Digits(r)) => l.len().cmp(&r.len()).then_with(|| l.cmp(r)),
            (l, r) => l.text().cmp(r.text()),
        };
        if ordering.is_ne() {
            return ordering;
        }
    }
}

enum Run<'a> {
    End,
    /// Without leading zeros, so the longer one is the larger number.
    Digits(&'a str),
    Text(&'a str),
}

impl<'a> Run<'a> {
    fn text(&self) -> &'a str {
        match self {
            Self::End => "",
            Self::Digits("") => "0",
            Self::Digits(text) | Self::Text(text) => text,
        }
    }
}

fn take_run<'a>(rest: &mut &'a str) -> Run<'a> {
    let Some(first) = rest.chars().next() else { return Run::End };
    let digits = first.is_ascii_digit();
    let end = rest.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(rest.len());
    let (run, after) = rest.split_at(end);
    *rest = after;
    if digits { Run::Digits(run.trim_start_matches('0')) } else { Run::Text(run) }
}

impl Builder {
    /// The older, single form of its tags: the first one (M-BLD-02).
    #[must_use]
    pub fn category(&self) -> Option<&str> {
        self.tags.first().map(String::as_str)
    }

    /// Sets the older, single form of its tags (M-BLD-02).
    pub fn set_category(&mut self, category: impl Into<String>) {
        self.tags = vec![category.into()];
    }
}

impl BuilderState {
    /// State of a builder with so many workers and running builds (M-BLD-03).
    #[must_use]
    pub fn of(attached_workers: usize, running_builds: usize) -> Self {
        match (attached_workers, running_builds) {
            (0, _) => Self::Offline,
            (_, 0) => Self::Idle,
            _ => Self::Building,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;

    #[test]
    fn m_bld_02_category_is_the_first_tag() {
        let mut builder = Builder::default();
        assert_eq!(builder.category(), None);
        builder.tags = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(builder.category(), Some("a"));
        builder.set_category("x");
        assert_eq!(builder.tags, ["x"]);
    }

    #[test]
    fn m_bld_03_offline_goes_before_building_before_idle() {
        assert_eq!(BuilderState::default(), BuilderState::Offline);
        assert_eq!(BuilderState::of(0, 1), BuilderState::Offline);
        assert_eq!(BuilderState::of(1, 1), BuilderState::Building);
        assert_eq!(BuilderState::of(1, 0), BuilderState::Idle);
    }

    #[test]
    fn m_bld_04_any_common_tag_matches() {
        let (none, fast): ([&str; 0], _) = ([], ["fast", "linux"]);
        assert!(tags_match(&fast, &["linux", "mac"]));
        assert!(!tags_match(&fast, &["mac"]));
        assert!(!tags_match(&none, &["mac"]));
        assert!(tags_match(&none, &none));
        assert!(tags_match(&fast, &none));
    }

    #[test]
    fn m_bld_06_indices_count_from_either_end() {
        for (index, newest, number) in [
            (0, Some(4), Some(0)),
            (4, Some(4), Some(4)),
            (5, Some(4), None),
            (-1, Some(4), Some(4)),
            (-5, Some(4), Some(0)),
            (-6, Some(4), None),
            (i64::MIN, Some(4), None),
            (0, None, None),
            (-1, None, None),
        ] {
            assert_eq!(build_number_at(index, newest), number, "{index} of {newest:?}");
        }
    }

    #[test]
    fn m_bld_07_an_unfinished_build_is_never_the_last_finished() {
        let mut builds: Vec<_> = (0..4).map(|number| Build::new("b", number)).collect();
        assert!(last_finished(&builds).is_none());
        for build in builds.iter_mut().filter(|build| build.number < 2) {
            build.finished = Some(Timestamp::from_seconds(1));
        }
        assert_eq!(last_finished(&builds).map(|build| build.number), Some(1));
    }

    #[test]
    fn m_trap_1_and_m_trap_2_running_and_retried_builds_are_passed_over() {
        let ended = |number, results| {
            let mut build = Build::new("b", number);
            (build.results, build.finished) = (Some(results), Some(Timestamp::from_seconds(1)));
            build
        };
        let builds = [
            ended(1, Results::Success),
            ended(2, Results::Failure),
            ended(3, Results::Retry),
            Build::new("b", 4),
            ended(6, Results::Success),
        ];
        assert_eq!(previous_conclusive(&builds, 5).map(|build| build.number), Some(2));
        assert_eq!(previous_conclusive(&builds, 1).map(|build| build.number), None);
    }

    #[test]
    fn m_bld_08_digits_compare_as_numbers() {
        let mut names = ["b10", "b9", "a", "b010", "b9x", "b", "10", "9", "b0", "b00"];
        names.sort_by(|a, b| natural_order(a, b));
        assert_eq!(names, ["9", "10", "a", "b", "b0", "b00", "b9", "b9x", "b010", "b10"]);
    }

    #[test]
    fn m_ch_06_changes_order_by_number() {
        let mut changes = [3, 1, 2].map(|number| Change { number, ..Change::default() });
        sort_changes(&mut changes);
        assert_eq!(changes.map(|change| change.number), [1, 2, 3]);
    }

    proptest::proptest! {
        #[test]
        fn m_bld_08_is_a_total_order(a in "[a0-2]{0,4}", b in "[a0-2]{0,4}", c in "[a0-2]{0,4}") {
            proptest::prop_assert_eq!(natural_order(&a, &b), natural_order(&b, &a).reverse());
            proptest::prop_assert_eq!(natural_order(&a, &b).is_eq(), a == b);
            if natural_order(&a, &b).is_le() && natural_order(&b, &c).is_le() {
                proptest::prop_assert!(natural_order(&a, &c).is_le());
            }
        }
    }
}
