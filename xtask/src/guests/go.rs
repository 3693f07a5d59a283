//! The callbacks in Go: `make` with the toolchain that is there, and the adapter of the engine's wasmtime.

use super::Built;
use super::make::Callback;
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

/// Builds `go-html-mail.wasm` into `dir`.
pub(crate) fn build(dir: &Path) -> Result<Built> {
    let component = HTML_MAIL.component(dir);
    if !HTML_MAIL.is_fresh(&component) {
        if !is_ready() {
            return Ok(Built::Missing(
                "install `make` and Go 1.25 or newer; it is to fetch modules".to_owned(),
            ));
        }
        let adapter = place::target().join("guest-build/go/reactor-adapter.wasm");
        let mut make = HTML_MAIL.make()?;
        if fs::read(&adapter).ok().as_deref() != Some(WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER) {
            fs::write(&adapter, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)
                .with_context(|| format!("cannot write `{}`", adapter.display()))?;
        }
        make.arg(format!("ADAPTER={}", adapter.display()));
        HTML_MAIL.build(&mut make, &component)?;
    }
    Ok(Built::Components(vec![component]))
}

/// The mail's own tests, as `go test -v` shows them; none without Go.
pub(crate) fn tests() -> Result<Option<Command>> {
    if !is_ready() {
        return Ok(None);
    }
    let mut make = HTML_MAIL.make()?;
    make.arg("check");
    Ok(Some(make))
}

/// Whether Go is there and has, or can fetch, the modules that the bindings need.
fn is_ready() -> bool {
    let mut download = Command::new("go");
    download.current_dir(place::repo().join("guest-examples/go")).args(["mod", "download"]);
    run::answer("make", &["--version"]).is_some() && run::succeeds_within(&mut download, run::FETCH_LIMIT)
}
