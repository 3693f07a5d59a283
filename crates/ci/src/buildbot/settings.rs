//! Reads `[buildbot]`, and the keys that `[control]` has in common with it.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::Master;
use campanile_config::Reader;
use campanile_outbound::Outbound;

/// The master that is asked for parts of builds that its reporters left out.
#[derive(Clone)]
pub struct ConnectedMaster {
    /// The way to it.
    pub master: Arc<Master>,
    /// Time that an event waits for a master that does not answer.
    pub patience: Duration,
}

/// Reads `[buildbot]`.
#[must_use]
pub fn from_settings(root: &Reader<'_>, outbound: &Outbound) -> Option<ConnectedMaster> {
    let table = root.table("buildbot")?;
    let master = Master::from_table(&table, "buildbot", outbound);
    let patience = table.duration("patience").unwrap_or(Duration::from_secs(300));
    table.finish();
    Some(ConnectedMaster { master: Arc::new(master?), patience })
}

impl Master {
    /// Reads `url`, `token`, `user`, `password` and the certificates from a table of this name.
    #[must_use]
    pub(crate) fn from_table(table: &Reader<'_>, name: &'static str, outbound: &Outbound) -> Option<Self> {
        let url = address(table);
        let token = table.secret("token");
        let client = outbound.client_for(table);
        let login = table.login();
        Some(Self::new(client?, url?, token, login, name))
    }
}

/// Reads `url`, the address that a CI's pages start with.
pub fn address(table: &Reader<'_>) -> Option<Url> {
    let text = table.required_text("url")?;
    let url = Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    if url.as_ref().is_none_or(|url| url.password().is_some()) {
        let what = "`url` must be an address such as https://ci.example.org/, without a password";
        table.error("url", what);
        return None;
    }
    url
}
