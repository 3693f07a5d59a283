//! Which callback a key in the table of a target names.

use super::Parts;
use crate::callbacks::{Callback, Kind};
use crate::config::Reader;

/// The callback that a key names, if it is there and can be one of this kind; else the error is noted, with those that
/// would fit.
pub(super) fn read(reader: &Reader<'_>, parts: &Parts<'_>, key: &str, kind: Kind) -> Option<Callback> {
    let name = reader.text(key)?;
    if let Some(callback) = parts.callbacks.get(&name).filter(|callback| callback.can_be(kind)) {
        return Some(callback.clone());
    }
    // A callback whose component could not be loaded has its own error already.
    let what = if parts.callbacks.contains_key(&name) || parts.settings.callbacks.contains_key(&name) {
        format!("callback `{name}` exports no {}", kind.name())
    } else {
        format!("there is no callback `{name}`")
    };
    let known: Vec<String> = parts
        .callbacks
        .values()
        .filter(|callback| callback.can_be(kind))
        .map(|c| format!("`{}`", c.name()))
        .collect();
    let hint = if known.is_empty() {
        "none of `[callbacks]` fits".to_owned()
    } else {
        format!("those that fit are {}", known.join(", "))
    };
    reader.error(key, format!("{what}: {hint}"));
    None
}
