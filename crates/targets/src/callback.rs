//! Keys of a target's table that name callbacks, and `on_callback_error`.

use campanile_callbacks::{Callback, Kind};
use campanile_config::Reader;

use crate::{Fault, FaultCode, Parts};

/// Reads the callback that a key names. Where there is none, or it can't be one of this kind, the error is noted with
/// those that would fit.
pub(crate) fn read(reader: &Reader<'_>, parts: &Parts<'_>, key: &str, kind: Kind) -> Option<Callback> {
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

/// The fate of a delivery whose callback failed (M-44).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnCallbackError {
    /// The built-in text or rule takes its place.
    Default,
    /// The delivery is tried again.
    Retry,
    /// The delivery is given up.
    Dead,
}

impl OnCallbackError {
    /// Reads `on_callback_error`; `default` stands for one that is not there.
    pub(crate) fn read(reader: &Reader<'_>, default: Self) -> Self {
        match reader.text("on_callback_error").as_deref() {
            None => default,
            Some("default") => Self::Default,
            Some("retry") => Self::Retry,
            Some("dead") => Self::Dead,
            Some(other) => {
                let text = format!("`on_callback_error` must be `default`, `retry` or `dead`, not `{other}`");
                reader.error("on_callback_error", text);
                default
            }
        }
    }

    /// Lets what is built in take the callback's place, or makes the fault that the delivery fails with.
    ///
    /// # Errors
    /// With this text, for `retry` and `dead`.
    pub(crate) fn judge(self, text: impl Into<String>) -> Result<(), Fault> {
        match self {
            Self::Default => Ok(()),
            Self::Retry => Err(Fault::transient(FaultCode::Callback, text).of_message()),
            Self::Dead => Err(Fault::permanent(FaultCode::Callback, text)),
        }
    }
}
