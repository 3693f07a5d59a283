//! The known name that a mistyped one most likely means.

/// The known name nearest to `typed`, where one is near: at most three edits away, and at most a third of its length.
/// Case, `_` and `-` don't count.
#[must_use]
pub fn nearest<'n>(typed: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let typed = typed.to_lowercase().replace(['_', '-'], "");
    known
        .map(|name| (strsim::levenshtein(&typed, &name.replace('_', "")), name))
        .min()
        .filter(|(distance, name)| *distance <= name.len().div_ceil(3).min(3))
        .map(|(_, name)| name)
}
