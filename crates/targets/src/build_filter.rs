//! The keys `builders` and `tags` of a target's table: the builders that it is for, both exact.

use std::collections::BTreeSet;

use crate::Silence;
use campanile_config::Reader;
use campanile_model::{Build, Builder, tags_match};

/// The builds that a target is told of; a key that is not there lets everything through.
pub(crate) struct BuildFilter {
    builders: Option<BTreeSet<String>>,
    /// At least one of them.
    tags: Vec<String>,
}

impl BuildFilter {
    /// Reads `builders` and `tags`.
    pub(crate) fn read(reader: &Reader<'_>) -> Self {
        let builders = reader.texts("builders").map(|builders| builders.into_iter().collect());
        Self { builders, tags: reader.texts("tags").unwrap_or_default() }
    }

    /// Gives the reason for which a build is passed over; none if it passes.
    pub(crate) fn refuses(&self, build: &Build) -> Option<Silence> {
        if self.builders.as_ref().is_some_and(|builders| !builders.contains(&build.builder)) {
            return Some(Silence::Builders);
        }
        (!tags_match(&build.tags, &self.tags)).then_some(Silence::Tags)
    }

    /// Lists names that no builder has, as `Target::unknown_names` does.
    pub(crate) fn unknown_names(&self, builders: &[Builder]) -> Vec<String> {
        unknown_builders(self.builders.as_ref(), builders)
    }
}

/// Picks the names that no builder has, each in a sentence (M-04b).
pub(crate) fn unknown_builders(names: Option<&BTreeSet<String>>, builders: &[Builder]) -> Vec<String> {
    let unknown =
        names.into_iter().flatten().filter(|name| !builders.iter().any(|builder| builder.name == **name));
    unknown.map(|name| format!("no builder is known that is called `{name}`")).collect()
}
