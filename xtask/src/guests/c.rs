//! The callbacks in C: `make` with Zig's compiler, from a Python environment of its own.

use super::make::Callback;
use super::{Built, Missing};
use crate::tally::{Harness, Suite};
use crate::{install, place, run};
use anyhow::Result;
use std::path::{Path, PathBuf};

const HTML_MAIL: Callback = Callback { folder: "c/html-mail", shared: &["guest-examples/c/campanile"] };
const COMPILER: &str = "ziglang==0.17.0";

/// Builds `c-html-mail.wasm`, unless it is up to date.
pub(super) fn build(components: &Path) -> Result<Built> {
    HTML_MAIL.build(components, |make| {
        make.arg(format!("ZIG='{}' -m ziglang", zig()?.display()));
        let cache = place::target().join("guest-zig/cache");
        make.env("ZIG_GLOBAL_CACHE_DIR", &cache).env("ZIG_LOCAL_CACHE_DIR", &cache);
        Ok(())
    })
}

/// The mail's own tests.
pub(super) fn unit_tests() -> Result<Vec<Suite>> {
    if run::answer("cc", &["--version"]).is_none() {
        return Err(Missing("no `cc`; install a C compiler".to_owned()).into());
    }
    let mut make = HTML_MAIL.make()?;
    make.arg("check");
    Ok(vec![Suite { command: make, harness: Harness::TapLines }])
}

/// The Python whose module `ziglang` is the compiler.
pub(super) fn zig() -> Result<PathBuf> {
    install::venv("guest-zig", &[COMPILER])
        .map_err(|error| Missing(format!("{COMPILER} cannot be installed: {error:#}")).into())
}
