//! Which builders a target is for: `builders` and `tags`, both exact.

use std::collections::BTreeSet;

use super::Silence;
use campanile_config::Reader;
use campanile_model::{Build, Builder, tags_match};

/// What a build must be like; what is not named lets everything through.
pub(super) struct BuildFilter {
    builders: Option<BTreeSet<String>>,
    /// At least one of them.
    tags: Vec<String>,
}

impl BuildFilter {
    /// Reads `builders` and `tags`.
    pub(super) fn read(reader: &Reader<'_>) -> Self {
        let builders = reader.texts("builders").map(|builders| builders.into_iter().collect());
        Self { builders, tags: reader.texts("tags").unwrap_or_default() }
    }

    /// Why the build is passed over, if it is.
    pub(super) fn refuses(&self, build: &Build) -> Option<Silence> {
        if self.builders.as_ref().is_some_and(|builders| !builders.contains(&build.builder)) {
            return Some(Silence::Builders);
        }
        (!tags_match(&build.tags, &self.tags)).then_some(Silence::Tags)
    }

    /// As `Target::unknown_names`.
    pub(super) fn unknown_names(&self, builders: &[Builder]) -> Vec<String> {
        unknown_builders(self.builders.as_ref(), builders)
    }
}

/// Those of the names that no builder has, each in a sentence (M-04b).
pub(super) fn unknown_builders(names: Option<&BTreeSet<String>>, builders: &[Builder]) -> Vec<String> {
    let unknown =
        names.into_iter().flatten().filter(|name| !builders.iter().any(|builder| builder.name == **name));
    unknown.map(|name| format!("no builder is known that is called `{name}`")).collect()
}
