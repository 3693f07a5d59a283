//! The callbacks in Go: `make` with the toolchain that is there, and the adapter of the engine's wasmtime.

use super::make::Callback;
use super::{Built, Missing};
use crate::tally::{Harness, Suite};
use crate::{guest_tools, place, run};
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::Command;

const HTML_MAIL: Callback = Callback {
    folder: "go/html-mail",
    shared: &[
        "guest-examples/go/campanile",
        "guest-examples/go/wit/export_campanile_notifier_message_formatter",
    ],
};

/// Builds `go-html-mail.wasm`, unless it is up to date.
pub(super) fn build(components: &Path) -> Result<Built> {
    HTML_MAIL.build(components, |make| {
        make.arg(format!("ADAPTER={}", adapter()?.display()));
        Ok(())
    })
}

/// The mail's own tests.
pub(super) fn unit_tests() -> Result<Vec<Suite>> {
    find_go()?;
    let mut make = HTML_MAIL.make()?;
    make.arg("check");
    Ok(vec![Suite { command: make, harness: Harness::Go }])
}

/// Writes the module that turns WASI preview 1, which Go speaks, into that of components; fails without Go.
pub(super) fn adapter() -> Result<PathBuf> {
    find_go()?;
    let adapter = place::target().join("guest-build/go/reactor-adapter.wasm");
    guest_tools::write_go_adapter(&adapter)?;
    Ok(adapter)
}

/// Fails unless Go is there and has, or can fetch, the modules that the bindings need.
fn find_go() -> Result<(), Missing> {
    let mut download = Command::new("go");
    download.current_dir(place::guest_examples().join("go")).args(["mod", "download"]);
    if run::succeeds_within(&mut download, run::FETCH_LIMIT) {
        return Ok(());
    }
    Err(Missing("no Go 1.25 or newer that can fetch modules; get it from https://go.dev".to_owned()))
}
