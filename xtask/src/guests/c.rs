//! The callbacks in C: `make` with Zig's compiler, from a Python environment of its own.

use super::make::{self, Callback};
use super::{Built, Missing, component};
use crate::tally::{Harness, Suite};
use crate::{install, place, run};
use anyhow::Result;
use std::path::Path;

const HTML_MAIL: Callback = Callback { folder: "c/html-mail", shared: &["guest-examples/c/campanile"] };
const COMPILER: &str = "ziglang==0.17.0";

/// Builds `c-html-mail.wasm`.
pub(super) fn build(components: &Path) -> Result<Built> {
    let component = component::path(components, &HTML_MAIL.name());
    if !component::is_up_to_date(&component, &HTML_MAIL.inputs())? {
        make::is_there()?;
        let python = install::venv("guest-zig", &[COMPILER])
            .map_err(|error| Missing(format!("{COMPILER} cannot be installed from PyPI: {error:#}")))?;
        let mut make = HTML_MAIL.make()?;
        make.arg(format!("ZIG='{}' -m ziglang", python.display()));
        let cache = place::target().join("guest-zig/cache");
        make.env("ZIG_GLOBAL_CACHE_DIR", &cache).env("ZIG_LOCAL_CACHE_DIR", &cache);
        HTML_MAIL.build(&mut make, &component)?;
    }
    Ok(vec![HTML_MAIL.name()])
}

/// The mail's own tests, natively compiled.
pub(super) fn unit_tests() -> Result<Vec<Suite>> {
    make::is_there()?;
    if run::answer("cc", &["--version"]).is_none() {
        return Err(Missing("no C compiler `cc`".to_owned()).into());
    }
    let mut make = HTML_MAIL.make()?;
    make.arg("check");
    Ok(vec![Suite { command: make, harness: Harness::TapLines }])
}
