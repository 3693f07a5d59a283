//! The filter of builds that are looked at at all: by builder, tag, scheduler and branch, all exact (M-02, M-06, M-07,
//! M-X-04).

use std::collections::BTreeSet;

use crate::Silence;
use crate::build_filter::unknown_builders;
use campanile_config::Reader;
use campanile_model::{Build, Builder};

/// Names that a build must have; each set that is absent lets everything through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    builders: Option<BTreeSet<String>>,
    /// At least one of them.
    tags: Option<BTreeSet<String>>,
    schedulers: Option<BTreeSet<String>>,
    branches: Option<BTreeSet<String>>,
}

impl Filter {
    /// Reads `builders`, or `tags` and `categories`; `schedulers`; `branches`.
    pub(super) fn read(reader: &Reader<'_>) -> Self {
        let builders = reader.texts("builders");
        let tags = [reader.texts("tags"), reader.texts("categories")];
        if builders.is_some() && tags.iter().any(Option::is_some) {
            reader.error("builders", "Please specify only builders or tags to include - not both.");
        }
        let (schedulers, branches) = (reader.texts("schedulers"), reader.texts("branches"));
        for (key, names) in [("builders", &builders), ("schedulers", &schedulers), ("branches", &branches)] {
            if names.as_ref().is_some_and(Vec::is_empty) {
                let text = format!("`{key}` is empty: no mail will ever be sent; leave it out for all {key}");
                reader.warning(key, text);
            }
        }
        let tags: BTreeSet<String> = tags.into_iter().flatten().flatten().collect();
        let set = |names: Option<Vec<String>>| names.map(|names| names.into_iter().collect());
        Self {
            builders: set(builders),
            // Without any tag named they are no filter.
            tags: (!tags.is_empty()).then_some(tags),
            schedulers: set(schedulers),
            branches: set(branches),
        }
    }

    /// The reason to pass the build over; none if it is let through.
    pub(super) fn refuses(&self, build: &Build) -> Option<Silence> {
        let lacks = |wanted: &Option<BTreeSet<String>>, has: &dyn Fn(&BTreeSet<String>) -> bool| {
            wanted.as_ref().is_some_and(|wanted| !has(wanted))
        };
        let property = |name: &str| build.properties.value(name).and_then(serde_json::Value::as_str);
        if lacks(&self.builders, &|names| names.contains(&build.builder)) {
            return Some(Silence::Builders);
        }
        if lacks(&self.tags, &|tags| build.tags.iter().any(|tag| tags.contains(tag))) {
            return Some(Silence::Tags);
        }
        if lacks(&self.schedulers, &|names| property("scheduler").is_some_and(|name| names.contains(name))) {
            return Some(Silence::Schedulers);
        }
        let of_sources = || build.source_stamps.iter().filter_map(|stamp| stamp.branch.as_deref());
        let on_branch = |names: &BTreeSet<String>| match property("branch") {
            Some(branch) => names.contains(branch),
            None => of_sources().any(|branch| names.contains(branch)),
        };
        lacks(&self.branches, &on_branch).then_some(Silence::Branches)
    }

    /// Builders and tags that are named and that none of these has.
    pub(super) fn unknown_names(&self, builders: &[Builder]) -> Vec<String> {
        let has_tag =
            |tag: &str| builders.iter().any(|builder| builder.tags.iter().any(|known| known == tag));
        let tagged = self.tags.iter().flatten().filter(|tag| !has_tag(tag));
        let unknown = unknown_builders(self.builders.as_ref(), builders).into_iter();
        unknown.chain(tagged.map(|tag| format!("no builder is known that has the tag `{tag}`"))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use campanile_model::SourceStamp;

    fn set(names: &[&str]) -> Option<BTreeSet<String>> {
        Some(names.iter().map(|&name| name.to_owned()).collect())
    }

    #[test]
    fn m_06_filters_are_exact_and_m_07_untagged_builders_never_pass() {
        let mut build = Build::new("linux", 1);
        let builders = |names| Filter { builders: set(names), ..Filter::default() };
        let tags = |names| Filter { tags: set(names), ..Filter::default() };
        assert_eq!(builders(&["Linux"]).refuses(&build), Some(Silence::Builders));
        assert_eq!(builders(&["linux"]).refuses(&build), None);
        assert_eq!(builders(&[]).refuses(&build), Some(Silence::Builders));
        assert_eq!(tags(&["fast"]).refuses(&build), Some(Silence::Tags));
        build.tags = vec!["slow".to_owned(), "fast".to_owned()];
        assert_eq!(tags(&["fast"]).refuses(&build), None);
        assert_eq!(Filter::default().refuses(&build), None);
    }

    #[test]
    fn m_04b_names_that_no_builder_has() {
        let filter = |builders, tags| Filter { builders, tags, ..Filter::default() };
        let known =
            [Builder { name: "linux".to_owned(), tags: vec!["fast".to_owned()], ..Builder::default() }];
        assert_eq!(filter(set(&["linux"]), None).unknown_names(&known), [""; 0]);
        assert_eq!(filter(None, set(&["fast"])).unknown_names(&known), [""; 0]);
        let told = filter(set(&["linux", "Linux"]), set(&["slow"])).unknown_names(&known);
        let wanted =
            ["no builder is known that is called `Linux`", "no builder is known that has the tag `slow`"];
        assert_eq!(told, wanted);
    }

    #[test]
    fn m_x_04_schedulers_and_branches_count_together_with_builders() {
        let filter = Filter {
            builders: set(&["linux"]),
            schedulers: set(&["nightly"]),
            branches: set(&["main"]),
            ..Filter::default()
        };
        let mut build = Build::new("linux", 1);
        assert_eq!(filter.refuses(&build), Some(Silence::Schedulers));
        build.properties.set("scheduler", "nightly", "Scheduler");
        assert_eq!(filter.refuses(&build), Some(Silence::Branches));
        let on = |branch: &str| SourceStamp { branch: Some(branch.to_owned()), ..SourceStamp::default() };
        build.source_stamps = vec![on("topic"), on("main")];
        assert_eq!(filter.refuses(&build), None);
        // The property says it more exactly than the sources.
        build.properties.set("branch", "topic", "Build");
        assert_eq!(filter.refuses(&build), Some(Silence::Branches));
        build.builder = "mac".to_owned();
        assert_eq!(filter.refuses(&build), Some(Silence::Builders));
    }
}
