//! Builds the callbacks of `guest-examples/rust` and `tests/guests/rust`.
//!
//! Three ways are known, the first that is ready is taken: the wasm target of the toolchain in use, Debian's own
//! Rust with its standard library built from source, and the wasm target fetched by rustup. Only then is Debian's
//! Rust installed, if that is possible.
//!
//! Toolchains of rustup have a linker that makes components. Where it is missing, `campanile-guest-tools` makes them
//! of the core modules, and has to be compiled for it.

use super::{Built, Missing, component};
use crate::{guest_tools, install, place, run};
use anyhow::{Context as _, Result};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-unknown-unknown";
const COMPONENT_LINKER: &str = "wasm-component-ld";
const LINKER_SETTING: &str = "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER";
/// The example that the demo plays with.
pub(super) const HTML_MAIL: &str = "html-mail";
const EXAMPLES: [&str; 9] = [
    "channel-words",
    "email-table",
    "gerrit-review",
    HTML_MAIL,
    "page-mail",
    "push-packets",
    "short-mail",
    "sourcehut-dialect",
    "topological-previous",
];
const TEST_GUESTS: [&str; 21] = [
    "announce-panic",
    "bad-subject",
    "big-output",
    "deep-recursion",
    "eat-memory",
    "error",
    "everything-told",
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

/// A way to compile the callbacks.
enum Way {
    /// The toolchain in use has the target.
    Toolchain,
    /// Debian's Rust builds the standard library too, and needs a linker named.
    Debian { linker: PathBuf },
}

/// Output of the linker at the end of a compilation.
enum Linked {
    Component,
    CoreModule,
}

/// Builds every callback whose source changed, as cargo sees it.
pub(super) fn build(components: &Path) -> Result<Built> {
    build_selected(components, &EXAMPLES, &TEST_GUESTS)
}

/// Builds the html mail alone, if its source changed.
pub(super) fn build_html_mail(components: &Path) -> Result<Built> {
    build_selected(components, &[HTML_MAIL], &[])
}

fn build_selected(components: &Path, examples: &[&str], test_guests: &[&str]) -> Result<Built> {
    let build_dir = place::target().join("guest-build");
    let (mut cargo, linked) = find_way().ok_or_else(no_way)?.component_cargo();
    cargo.current_dir(place::guest_workspace());
    cargo.args(["build", "--locked", "--release", "--target", TARGET, "--lib"]);
    for package in examples {
        cargo.args(["--package", package]);
    }
    if !test_guests.is_empty() {
        cargo.args(["--examples", "--package", "test-guests"]);
    }
    run::shown(cargo.arg("--target-dir").arg(&build_dir))?;

    let release = build_dir.join(TARGET).join("release");
    for name in examples {
        publish(&artifact(&release, name), &linked, &component::path(components, name))?;
    }
    for name in test_guests {
        publish(&artifact(&release.join("examples"), name), &linked, &component::path(components, name))?;
    }
    Ok(examples.iter().chain(test_guests).map(|&name| name.to_owned()).collect())
}

/// Cargo for a project whose linker makes a component of what is compiled.
pub(super) fn project_cargo() -> Result<Command> {
    let way = find_way().ok_or_else(no_way)?;
    let mut cargo = way.cargo();
    if let Way::Debian { .. } = way {
        // Debian's Rust has none: that of the toolchain in use, else one from crates.io.
        cargo.env(LINKER_SETTING, bundled(COMPONENT_LINKER).unwrap_or_else(|| COMPONENT_LINKER.into()));
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

fn artifact(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{}.wasm", name.replace('-', "_")))
}

/// Puts a component of what was linked into its place, unless the one there is newer already.
fn publish(artifact: &Path, linked: &Linked, component: &Path) -> Result<()> {
    if component::is_up_to_date(component, &[artifact.to_owned()])? {
        return Ok(());
    }
    match linked {
        Linked::Component => {
            let bytes =
                fs::read(artifact).with_context(|| format!("cannot read `{}`", artifact.display()))?;
            component::publish(component, &bytes)
        }
        Linked::CoreModule => {
            component::publish_by(component, |part| guest_tools::componentize(artifact, part))
        }
    }
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
    Some(PathBuf::from("/usr/bin/wasm-ld")).filter(|path| path.exists()).or_else(|| bundled("rust-lld"))
}

/// Path of a program that comes with the toolchain in use.
fn bundled(program: &str) -> Option<PathBuf> {
    let libraries = PathBuf::from(run::answer("rustc", &["--print", "target-libdir"])?);
    let program = libraries.parent()?.join("bin").join(format!("{program}{}", std::env::consts::EXE_SUFFIX));
    program.exists().then_some(program)
}

impl Way {
    /// A cargo command that makes components, where the linker for it is there, else core modules.
    fn component_cargo(&self) -> (Command, Linked) {
        let mut cargo = self.cargo();
        let bundled = bundled(COMPONENT_LINKER);
        if bundled.is_none() && run::answer(COMPONENT_LINKER, &["--version"]).is_none() {
            eprintln!(
                "there is no {COMPONENT_LINKER}: components are made by campanile-guest-tools, built first"
            );
            return (cargo, Linked::CoreModule);
        }
        match (self, bundled) {
            (Self::Debian { .. }, Some(bundled)) => cargo.env(LINKER_SETTING, bundled),
            // By the name that projects of `campanile new` have it by: cargo would compile anew what both depend on.
            _ => cargo.env(LINKER_SETTING, COMPONENT_LINKER),
        };
        (cargo, Linked::Component)
    }

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
                cargo.env(LINKER_SETTING, linker);
                // Without features: no unwinder and no reader of debug sections, which a callback has no use for.
                cargo.args(["-Zbuild-std=std,panic_abort", "-Zbuild-std-features="]);
                cargo
            }
        }
    }
}

/// True when a variable steers rustup, rustc or cargo; where cargo keeps its downloads and how it fetches may stay.
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
