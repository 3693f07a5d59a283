//! Paths of the repository, the build output, the tools.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Top folder of the repository.
pub(crate) fn repo() -> PathBuf {
    // Cargo's word, as the repository may have moved since; tests of other packages have their own in the variable.
    let run_by_cargo = std::env::var_os("CARGO_PKG_NAME").is_some_and(|name| name == env!("CARGO_PKG_NAME"));
    let here = std::env::var_os("CARGO_MANIFEST_DIR")
        .filter(|_| run_by_cargo)
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    here.parent().map_or(here.clone(), Path::to_owned)
}

/// Build output: `CARGO_TARGET_DIR`, else `target` in the repository.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .and_then(|dir| std::path::absolute(dir).ok())
        .unwrap_or_else(|| repo().join("target"))
}

/// Callbacks in every language, a folder each.
pub(crate) fn guest_examples() -> PathBuf {
    repo().join("guest-examples")
}

/// The Rust workspace of callbacks.
pub(crate) fn guest_workspace() -> PathBuf {
    guest_examples().join("rust")
}

/// Callbacks for the engine's own tests.
pub(crate) fn test_guests() -> PathBuf {
    repo().join("tests/guests")
}

/// The contract between callbacks and the engine.
pub(crate) fn contract() -> PathBuf {
    repo().join("wit/0.1.1")
}

/// Folder of the built components.
pub(crate) fn components() -> PathBuf {
    target().join("guests")
}

/// The cargo that runs this program.
pub(crate) fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
