//! The keys `builders`, `tags`, `schedulers`, `branches`, `projects` and `repositories` of a target's table: the builds that
//! it is told of (M-02, M-06, M-07, M-X-04, M-FLT-01 to M-FLT-03).

use crate::Silence;
use crate::fault::FilterKey;
use crate::name_filter::NameFilter;
use campanile_config::Reader;
use campanile_model::{Build, Builder};

/// The builds that a target is told of; a key that is not there lets everything through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct BuildFilter {
    builders: Option<NameFilter>,
    tags: Option<NameFilter>,
    schedulers: Option<NameFilter>,
    branches: Option<NameFilter>,
    projects: Option<NameFilter>,
    repositories: Option<NameFilter>,
}

impl BuildFilter {
    /// Reads the keys. Tags may be called `categories` too; without any named they are no filter.
    pub(crate) fn read(reader: &Reader<'_>) -> Self {
        let filter = Self {
            builders: NameFilter::read(reader, &["builders"]),
            tags: NameFilter::read(reader, &["tags", "categories"]).filter(|tags| !tags.is_empty()),
            schedulers: NameFilter::read(reader, &["schedulers"]),
            branches: NameFilter::read(reader, &["branches"]),
            projects: NameFilter::read(reader, &["projects"]),
            repositories: NameFilter::read(reader, &["repositories"]),
        };
        for (key, names) in filter.keys() {
            if names.is_some_and(NameFilter::is_empty) {
                let key = key.name();
                let text = format!("`{key}` is empty: nothing will ever be told; leave it out for all {key}");
                reader.warning(key, text);
            }
        }
        filter
    }

    fn keys(&self) -> [(FilterKey, Option<&NameFilter>); 6] {
        [
            (FilterKey::Builders, self.builders.as_ref()),
            (FilterKey::Tags, self.tags.as_ref()),
            (FilterKey::Schedulers, self.schedulers.as_ref()),
            (FilterKey::Branches, self.branches.as_ref()),
            (FilterKey::Projects, self.projects.as_ref()),
            (FilterKey::Repositories, self.repositories.as_ref()),
        ]
    }

    /// Gives the reason for which a build is passed over; none if it passes.
    pub(crate) fn refuses(&self, build: &Build) -> Option<Silence> {
        let refused = self.keys().into_iter().find_map(|(key, names)| {
            let names = names.filter(|names| !names_of(build, key, |of_build| names.passes(of_build)))?;
            Some((key, names.lets_nothing_through()))
        })?;
        let (key, can_never_match) = refused;
        Some(Silence::Filtered { key, can_never_match })
    }

    /// True if a builder passes, as far as builders are asked for.
    pub(crate) fn wants_builder(&self, builder: &Builder) -> bool {
        let wants = |names: &Option<NameFilter>, has: &mut dyn Iterator<Item = &str>| {
            names.as_ref().is_none_or(|names| names.passes(has))
        };
        wants(&self.builders, &mut std::iter::once(&*builder.name))
            && wants(&self.tags, &mut builder.tags.iter().map(String::as_str))
    }

    /// Lists builders and tags that are named and that none of these has, as `Target::unknown_names` does (M-04b).
    pub(crate) fn unknown_names(&self, builders: &[Builder]) -> Vec<String> {
        let names: Vec<&str> = builders.iter().map(|builder| &*builder.name).collect();
        let tags: Vec<&str> = builders.iter().flat_map(|builder| &builder.tags).map(String::as_str).collect();
        let unknown = |filter: &Option<NameFilter>, known: &[&str]| -> Vec<String> {
            let unknown = filter.iter().flat_map(|filter| filter.unknown(known));
            unknown.map(str::to_owned).collect()
        };
        let unknown_builders = unknown(&self.builders, &names).into_iter();
        let unknown_builders =
            unknown_builders.map(|name| format!("no builder is known that is called `{name}`"));
        let unknown_tags = unknown(&self.tags, &tags).into_iter();
        let unknown_tags = unknown_tags.map(|tag| format!("no builder is known that has the tag `{tag}`"));
        unknown_builders.chain(unknown_tags).collect()
    }
}

/// Asks about the names that a build has by a key.
fn names_of(build: &Build, key: FilterKey, ask: impl FnOnce(&mut dyn Iterator<Item = &str>) -> bool) -> bool {
    let property = |name: &str| build.properties.value(name).and_then(serde_json::Value::as_str);
    let stamps = build.source_stamps.iter();
    match key {
        FilterKey::Builders => ask(&mut std::iter::once(&*build.builder)),
        FilterKey::Tags => ask(&mut build.tags.iter().map(String::as_str)),
        FilterKey::Schedulers => ask(&mut property("scheduler").into_iter()),
        // The property says it more exactly than the sources.
        FilterKey::Branches => match property("branch") {
            Some(branch) => ask(&mut std::iter::once(branch)),
            None => ask(&mut stamps.filter_map(|stamp| stamp.branch.as_deref())),
        },
        FilterKey::Projects => ask(&mut stamps.map(|stamp| &*stamp.project).filter(|name| !name.is_empty())),
        FilterKey::Repositories => {
            ask(&mut stamps.map(|stamp| &*stamp.repository).filter(|name| !name.is_empty()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use campanile_model::SourceStamp;

    fn set(names: &[&str]) -> Option<NameFilter> {
        NameFilter::new(&names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()).ok()
    }

    fn key(filter: &BuildFilter, build: &Build) -> Option<FilterKey> {
        filter.refuses(build).map(|silence| match silence {
            Silence::Filtered { key, .. } => key,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn m_06_names_are_case_sensitive_and_m_07_untagged_builders_never_pass() {
        let mut build = Build::new("linux", 1);
        let builders = |names| BuildFilter { builders: set(names), ..BuildFilter::default() };
        let tags = |names| BuildFilter { tags: set(names), ..BuildFilter::default() };
        assert_eq!(key(&builders(&["Linux"]), &build), Some(FilterKey::Builders));
        assert_eq!(key(&builders(&["linux"]), &build), None);
        assert_eq!(key(&builders(&[]), &build), Some(FilterKey::Builders));
        assert_eq!(key(&tags(&["fast"]), &build), Some(FilterKey::Tags));
        build.tags = vec!["slow".to_owned(), "fast".to_owned()];
        assert_eq!(key(&tags(&["fast"]), &build), None);
        assert_eq!(key(&BuildFilter::default(), &build), None);
    }

    #[test]
    fn m_04b_names_that_no_builder_has() {
        let filter = |builders, tags| BuildFilter { builders, tags, ..BuildFilter::default() };
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
        let filter = BuildFilter {
            builders: set(&["linux"]),
            schedulers: set(&["nightly"]),
            branches: set(&["main"]),
            ..BuildFilter::default()
        };
        let mut build = Build::new("linux", 1);
        assert_eq!(key(&filter, &build), Some(FilterKey::Schedulers));
        build.properties.set("scheduler", "nightly", "Scheduler");
        assert_eq!(key(&filter, &build), Some(FilterKey::Branches));
        let on = |branch: &str| SourceStamp { branch: Some(branch.to_owned()), ..SourceStamp::default() };
        build.source_stamps = vec![on("topic"), on("main")];
        assert_eq!(key(&filter, &build), None);
        // The property says it more exactly than the sources.
        build.properties.set("branch", "topic", "Build");
        assert_eq!(key(&filter, &build), Some(FilterKey::Branches));
        build.builder = "mac".to_owned();
        assert_eq!(key(&filter, &build), Some(FilterKey::Builders));
    }

    #[test]
    fn m_flt_01_projects_and_repositories_of_any_source() {
        let filter = BuildFilter {
            projects: set(&["bells"]),
            repositories: set(&["https://github.com/ada/*"]),
            ..BuildFilter::default()
        };
        let mut build = Build::new("linux", 1);
        assert_eq!(key(&filter, &build), Some(FilterKey::Projects));
        let of = |project: &str, repository: &str| SourceStamp {
            project: project.to_owned(),
            repository: repository.to_owned(),
            ..SourceStamp::default()
        };
        build.source_stamps =
            vec![of("", "https://github.com/eve/lib"), of("bells", "https://github.com/eve/bells")];
        assert_eq!(key(&filter, &build), Some(FilterKey::Repositories));
        build.source_stamps.push(of("", "https://github.com/ada/bells"));
        assert_eq!(key(&filter, &build), None);
    }

    #[test]
    fn m_flt_03_a_filter_that_nothing_can_pass_says_so() {
        let filter = BuildFilter { branches: set(&["main", "!m*"]), ..BuildFilter::default() };
        let told = filter.refuses(&Build::new("linux", 1)).unwrap().to_string();
        assert!(told.contains("which nothing can pass"), "{told}");
        let filter = BuildFilter { branches: set(&["main"]), ..BuildFilter::default() };
        let told = filter.refuses(&Build::new("linux", 1)).unwrap().to_string();
        assert_eq!(told, "the build's branch is not among the target's `branches`");
    }
}
