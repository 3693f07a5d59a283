//! Reads `[control]`.

use std::sync::Arc;

use super::buildbot::Buildbot;
use super::http::Http;
use super::{Control, NotConfigured};
use crate::buildbot::{self, ConnectedMaster, Master};
use campanile_config::Reader;
use campanile_outbound::Outbound;

/// The control that `[control]` sets up.
pub struct ControlSettings {
    /// The way to the CI; one that refuses everything if none is named.
    pub control: Arc<dyn Control>,
    /// `shutdown` ends the engine rather than the CI.
    pub shutdown_ends_engine: bool,
}

/// Reads `[control]`. `connected` is the master of `[buildbot]`, which a Buildbot without an address of its own is.
#[must_use]
pub fn from_settings(
    root: &Reader<'_>,
    outbound: &Outbound,
    connected: Option<&ConnectedMaster>,
) -> ControlSettings {
    let nothing = || Arc::new(NotConfigured) as Arc<dyn Control>;
    let Some(table) = root.table("control") else {
        return ControlSettings { control: nothing(), shutdown_ends_engine: false };
    };
    let shutdown_ends_engine = match table.text("shutdown").as_deref() {
        None | Some("ci") => false,
        Some("engine") => !table.deny_to_tenants("shutdown", "it ends the engine for everybody"),
        Some(other) => {
            table.error("shutdown", format!("`shutdown` must be `ci` or `engine`, not `{other}`"));
            false
        }
    };
    let control = if shutdown_ends_engine && table.item("kind").is_none() {
        None
    } else {
        read(&table, outbound, connected)
    };
    table.finish();
    ControlSettings { control: control.unwrap_or_else(nothing), shutdown_ends_engine }
}

fn read(
    table: &Reader<'_>,
    outbound: &Outbound,
    connected: Option<&ConnectedMaster>,
) -> Option<Arc<dyn Control>> {
    match table.required_text("kind")?.as_str() {
        "http" => {
            let (url, token) = (buildbot::address(table), table.secret("token"));
            let client = outbound.client_for(table);
            Some(Arc::new(Http { client: client?, url: url?, token }))
        }
        "buildbot" => {
            let scheduler = table.text("scheduler");
            let master = match connected {
                Some(connected) if table.item("url").is_none() => Arc::clone(&connected.master),
                _ => Arc::new(Master::from_table(table, "control", outbound)?),
            };
            Some(Arc::new(Buildbot { master, scheduler }))
        }
        other => {
            table.error("kind", format!("`kind` must be `http` or `buildbot`, not `{other}`"));
            None
        }
    }
}
