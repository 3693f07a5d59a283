//! Builds the callbacks of `guest-examples/rust` and `tests/guests/rust`.
//!
//! Three ways are known, the first that is ready is taken: the wasm target of the toolchain in use, Debian's own
//! Rust with its standard library built from source, and the wasm target fetched by rustup. Only then is Debian's
//! Rust installed, if that is possible.

use super::{Built, Missing, component};
use crate::{install, place, run};
use anyhow::{Context, Result};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use wit_component::ComponentEncoder;

const TARGET: &str = "wasm32-unknown-unknown";
const COMPONENT_LINKER: &str = "wasm-component-ld";
const EXAMPLES: [&str; 8] = [
    "channel-words",
    "email-table",
    "gerrit-review",
    "html-mail",
    "push-packets",
    "short-mail",
    "sourcehut-dialect",
    "topological-previous",
];
const TEST_GUESTS: [&str; 20] = [
    "announce-panic",
    "bad-subject",
    "big-output",
    "deep-recursion",
    "eat-memory",
    "error",
    "gigabyte-result",
    "guess-builds",
    "header-injection",
    "host-call-loop",
    "log-flood",
    "loop",
    "panic",
    "previous-by-branch",
    "previous-none",
    "push-steered",
    "trap",
    "version-a",
    "version-b",
    "wrong-world",
];

/// How the callbacks are compiled.
enum Way {
    /// The toolchain in use has the target.
    Toolchain,
    /// Debian's Rust builds the standard library too, and needs a linker named.
    Debian { linker: PathBuf },
}

/// Builds every callback whose source changed, as cargo sees it.
pub(super) fn build(components: &Path) -> Result<Built> {
    let build_dir = place::target().join("guest-build");
    let mut cargo = find_way().ok_or_else(no_way)?.cargo();
    cargo.current_dir(place::guest_workspace());
    cargo.args(["build", "--locked", "--release", "--lib", "--examples", "--target", TARGET]);
    for package in EXAMPLES.iter().chain(&["test-guests"]) {
        cargo.args(["--package", package]);
    }
    run::shown(cargo.arg("--target-dir").arg(&build_dir))?;

    let cores = build_dir.join(TARGET).join("release");
    for name in EXAMPLES {
        componentize(&core(&cores, name), &component::path(components, name))?;
    }
    for name in TEST_GUESTS {
        componentize(&core(&cores.join("examples"), name), &component::path(components, name))?;
    }
    Ok(EXAMPLES.iter().chain(&TEST_GUESTS).map(|&name| name.to_owned()).collect())
}

/// Cargo for a project whose linker makes a component of what is compiled.
pub(super) fn project_cargo() -> Result<Command> {
    let way = find_way().ok_or_else(no_way)?;
    let mut cargo = way.cargo();
    if let Way::Debian { .. } = way {
        // Debian's Rust has none: that of the toolchain in use, else one from crates.io.
        let bundled = sysroot()
            .map(|root| root.join("lib/rustlib/x86_64-unknown-linux-gnu/bin").join(COMPONENT_LINKER));
        let linker = bundled.filter(|path| path.exists()).unwrap_or_else(|| PathBuf::from(COMPONENT_LINKER));
        cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
    }
    Ok(cargo)
}

fn no_way() -> Missing {
    Missing(format!(
        "no way found to build for {TARGET}; with rustup: `rustup target add {TARGET}`; \
         on Debian, as root: `apt-get install {}`",
        install::GUEST_PACKAGES.join(" ")
    ))
}

fn core(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{}.wasm", name.replace('-', "_")))
}

/// Wraps a core module into a component, unless the component is newer already.
fn componentize(core: &Path, component: &Path) -> Result<()> {
    if component::is_up_to_date(component, &[core.to_owned()])? {
        return Ok(());
    }
    let module = fs::read(core).with_context(|| format!("cannot read `{}`", core.display()))?;
    let bytes = ComponentEncoder::default()
        .validate(true)
        .module(&module)
        .and_then(ComponentEncoder::encode)
        .map_err(|error| anyhow::anyhow!("`{}` makes no component: {error:#}", core.display()))?;
    component::publish(component, &bytes)
}

fn find_way() -> Option<Way> {
    if toolchain_has_target() {
        return Some(Way::Toolchain);
    }
    if let Some(linker) = debian_linker() {
        return Some(Way::Debian { linker });
    }
    eprintln!("fetching {TARGET}");
    let mut fetch = Command::new("rustup");
    if run::succeeds_within(fetch.args(["target", "add", TARGET]), run::FETCH_LIMIT) && toolchain_has_target()
    {
        return Some(Way::Toolchain);
    }
    install::debian(&install::GUEST_PACKAGES);
    debian_linker().map(|linker| Way::Debian { linker })
}

fn toolchain_has_target() -> bool {
    sysroot().is_some_and(|root| root.join("lib/rustlib").join(TARGET).join("lib").is_dir())
}

fn sysroot() -> Option<PathBuf> {
    run::answer("rustc", &["--print", "sysroot"]).map(PathBuf::from)
}

/// The linker to use with Debian's Rust, if all that it needs is there.
fn debian_linker() -> Option<PathBuf> {
    let needed = ["/usr/bin/cargo", "/usr/bin/rustc", "/usr/lib/rustlib/src/rust/library/std"];
    if !needed.iter().all(|path| Path::new(path).exists()) {
        return None;
    }
    let bundled = sysroot().map(|root| root.join("lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld"));
    [Some(PathBuf::from("/usr/bin/wasm-ld")), bundled].into_iter().flatten().find(|path| path.exists())
}

impl Way {
    /// A cargo command whose environment holds nothing of the cargo that runs this program.
    fn cargo(&self) -> Command {
        match self {
            Self::Toolchain => {
                let mut cargo = Command::new(place::cargo());
                // It would replace the link arguments of the callbacks' own settings.
                cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
                cargo
            }
            Self::Debian { linker } => {
                let mut cargo = Command::new("/usr/bin/cargo");
                for (name, _) in std::env::vars_os().filter(|(name, _)| belongs_to_rust(name)) {
                    cargo.env_remove(name);
                }
                let old = std::env::var_os("PATH").unwrap_or_default();
                let mut path = OsString::from("/usr/bin:/bin:");
                path.push(old);
                cargo.env("PATH", path).env("RUSTC_BOOTSTRAP", "1");
                cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
                cargo.arg("-Zbuild-std=std,panic_abort");
                cargo
            }
        }
    }
}

/// Whether a variable steers rustup, rustc or cargo; where cargo keeps its downloads and how it fetches may stay.
fn belongs_to_rust(name: &std::ffi::OsStr) -> bool {
    let name = name.to_string_lossy();
    let kept = ["CARGO_HOME", "CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTR", "CARGO_SOURCE_"];
    let steers = name.starts_with("CARGO") || name.starts_with("RUST") || name == "LD_LIBRARY_PATH";
    steers && !kept.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::belongs_to_rust;

    #[test]
    fn only_what_steers_the_toolchain_is_cleared() {
        for name in ["RUSTUP_TOOLCHAIN", "RUSTC", "CARGO", "CARGO_TARGET_DIR", "LD_LIBRARY_PATH"] {
            assert!(belongs_to_rust(name.as_ref()), "{name}");
        }
        for name in ["HOME", "PATH", "CARGO_HOME", "CARGO_NET_OFFLINE"] {
            assert!(!belongs_to_rust(name.as_ref()), "{name}");
        }
    }
}
