//! Encodes the hostile components of `tests/guests/wat`, which no compiler would write.

use super::{Built, component};
use crate::{guest_tools, place};
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;

/// Encodes what changed.
pub(super) fn build(components: &Path) -> Result<Built> {
    let folder = place::test_guests().join("wat");
    let mut names = Built::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot read `{}`", folder.display()))? {
        let source = entry?.path();
        let Some(name) = source.file_stem().and_then(|stem| stem.to_str()) else { continue };
        let component = component::path(components, name);
        if !component::is_up_to_date(&component, std::slice::from_ref(&source))? {
            component::publish_by(&component, |part| guest_tools::encode(&source, part))?;
        }
        names.push(name.to_owned());
    }
    names.sort();
    Ok(names)
}
