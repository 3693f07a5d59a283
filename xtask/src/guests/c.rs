//! The callbacks in C: `make` with Zig's compiler, from a Python environment of its own.

use super::Built;
use super::make::Callback;
use crate::{install, place, run};
use anyhow::Result;
use std::path::Path;
use std::process::Command;

const HTML_MAIL: Callback = Callback { folder: "c/html-mail", shared: &["guest-examples/c/campanile"] };
const COMPILER: &str = "ziglang==0.17.0";

/// Builds `c-html-mail.wasm` into `dir`.
pub(crate) fn build(dir: &Path) -> Result<Built> {
    let component = HTML_MAIL.component(dir);
    if !HTML_MAIL.is_fresh(&component) {
        if run::answer("make", &["--version"]).is_none() {
            return Ok(Built::Missing("install `make`".to_owned()));
        }
        let Some(python) = install::python("guest-zig", &[COMPILER]) else {
            return Ok(Built::Missing(format!("install Python 3 with `venv`; it is to fetch {COMPILER}")));
        };
        let mut make = HTML_MAIL.make()?;
        make.arg(format!("ZIG='{}' -m ziglang", python.display()));
        let cache = place::target().join("guest-zig/cache");
        make.env("ZIG_GLOBAL_CACHE_DIR", &cache).env("ZIG_LOCAL_CACHE_DIR", &cache);
        HTML_MAIL.build(&mut make, &component)?;
    }
    Ok(Built::Components(vec![component]))
}

/// The mail's own tests, which report in TAP; none without a C compiler.
pub(crate) fn tests() -> Result<Option<Command>> {
    if run::answer("make", &["--version"]).is_none() || run::answer("cc", &["--version"]).is_none() {
        return Ok(None);
    }
    let mut make = HTML_MAIL.make()?;
    make.arg("check");
    Ok(Some(make))
}
