//! Reads `[events]`: secrets that other systems prove themselves by.

use std::collections::BTreeMap;

use super::{source, source_names};
use campanile_config::{Reader, Secret};

/// The other systems of the settings.
#[derive(Debug, Default)]
pub struct Sources {
    secrets: BTreeMap<&'static str, Vec<Secret>>,
}

impl Sources {
    /// Reads `[events.NAME]`; what is wrong is noted.
    #[must_use]
    pub fn from_settings(root: &Reader<'_>) -> Self {
        let mut sources = Self::default();
        let Some(table) = root.table("events") else { return sources };
        for name in source_names() {
            let Some(options) = table.table(name) else { continue };
            let secrets = options.secrets("secret");
            let none =
                options.item("secret").is_none_or(|item| item.list().is_some_and(|list| list.is_empty()));
            let proves = source(name).is_some_and(|source| source.proof().is_some());
            if !proves {
                let text = format!(
                    "`{name}` signs nothing: send `server.api_token` with its requests, and leave `secret` away"
                );
                options.error("secret", text);
            } else if none {
                options.error("secret", format!("`secret` is missing in `events.{name}`"));
            }
            options.finish();
            // Kept even if empty, so that a wrong secret opens nothing.
            sources.secrets.insert(name, secrets);
        }
        table.finish();
        sources
    }

    /// The secrets of a source, of which any will do; none if it has no table.
    #[must_use]
    pub fn secrets(&self, name: &str) -> Option<&[Secret]> {
        self.secrets.get(name).map(Vec::as_slice)
    }
}
