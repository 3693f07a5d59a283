//! The callbacks in Go: `make` with the toolchain that is there, and the adapter of the engine's wasmtime.

use super::make::{self, Callback};
use super::{Built, Missing, component};
use crate::tally::{Harness, Suite};
use crate::{place, run};
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;
use std::process::Command;
use wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER;

const HTML_MAIL: Callback = Callback {
    folder: "go/html-mail",
    shared: &[
        "guest-examples/go/campanile",
        "guest-examples/go/wit/export_campanile_notifier_message_formatter",
    ],
};

/// Builds `go-html-mail.wasm`.
pub(super) fn build(components: &Path) -> Result<Built> {
    let component = component::path(components, &HTML_MAIL.name());
    if !component::is_up_to_date(&component, &HTML_MAIL.inputs())? {
        find_go()?;
        let adapter = place::target().join("guest-build/go/reactor-adapter.wasm");
        let mut make = HTML_MAIL.make()?;
        if fs::read(&adapter).ok().as_deref() != Some(WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER) {
            fs::write(&adapter, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)
                .with_context(|| format!("cannot write `{}`", adapter.display()))?;
        }
        make.arg(format!("ADAPTER={}", adapter.display()));
        HTML_MAIL.build(&mut make, &component)?;
    }
    Ok(vec![HTML_MAIL.name()])
}

/// The mail's own tests.
pub(super) fn unit_tests() -> Result<Vec<Suite>> {
    find_go()?;
    let mut make = HTML_MAIL.make()?;
    make.arg("check");
    Ok(vec![Suite { command: make, harness: Harness::Go }])
}

/// Go must be there and have, or fetch, the modules that the bindings need.
fn find_go() -> Result<()> {
    make::is_there()?;
    let mut download = Command::new("go");
    download.current_dir(place::guest_examples().join("go")).args(["mod", "download"]);
    if run::succeeds_within(&mut download, run::FETCH_LIMIT) {
        return Ok(());
    }
    Err(Missing("no Go 1.25 or newer that can fetch modules; get it from https://go.dev".to_owned()).into())
}
