//! Compiling components in a process of its own with limits, and the private cache of finished code.
//!
//! Compiling is the dangerous part of hostile WebAssembly: some hundred kilobytes can cost minutes and gigabytes.

use std::io::Read as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;
use wasmtime::Engine;

use super::runtime::code_settings;

/// No larger component is looked at.
const MAX_COMPONENT: usize = 32 << 20;
/// Address space of the compiling process.
const COMPILER_MEMORY: u64 = 3 << 30;
/// CPU time of the compiling process.
const COMPILER_SECONDS: u64 = 60;

/// Why a component can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// The WebAssembly engine itself did not start.
    #[error("the WebAssembly engine does not start: {0}")]
    Engine(String),
    /// The file can't be read.
    #[error("cannot read `{path}`: {reason}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// It is no component, or it needs what callbacks don't get.
    #[error("{0}")]
    Refused(String),
    /// It took too much to compile.
    #[error("compiling it took more than {COMPILER_SECONDS} s or {} GiB", COMPILER_MEMORY >> 30)]
    TooCostly,
    /// The cache of finished code failed.
    #[error("the cache of compiled callbacks failed: {0}")]
    Cache(String),
}

/// Turns components into finished code, by way of the cache.
pub(super) struct Compiler {
    program: PathBuf,
    cache: PathBuf,
    settings_hash: String,
    /// One at a time: compiling is heavy, and the same component must not be compiled twice.
    turn: tokio::sync::Mutex<()>,
}

impl Compiler {
    pub(super) fn new(program: PathBuf, cache: PathBuf, engine: &Engine) -> Result<Self, CompileError> {
        use std::hash::{Hash as _, Hasher as _};
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&cache)
            .and_then(|()| std::fs::set_permissions(&cache, std::fs::Permissions::from_mode(0o700)))
            .map_err(|error| CompileError::Cache(format!("{}: {error}", cache.display())))?;
        let mut hasher = std::hash::DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let settings_hash = format!("{:016x}", hasher.finish());
        Ok(Self { program, cache, settings_hash, turn: tokio::sync::Mutex::new(()) })
    }

    /// The digest of a component, and the file of its finished code.
    pub(super) async fn compile(&self, wasm: Vec<u8>) -> Result<(String, PathBuf), CompileError> {
        if wasm.len() > MAX_COMPONENT {
            return Err(CompileError::Refused(format!("it is larger than {} MiB", MAX_COMPONENT >> 20)));
        }
        let digest = hex(&Sha256::digest(&wasm));
        let code = self.cache.join(format!("{digest}-{}.cwasm", self.settings_hash));
        let _turn = self.turn.lock().await;
        if !code.exists() {
            self.run_compiler(&wasm, &code).await?;
        }
        Ok((digest, code))
    }

    async fn run_compiler(&self, wasm: &[u8], code: &Path) -> Result<(), CompileError> {
        let cache_error = |error: std::io::Error| CompileError::Cache(error.to_string());
        let partial = tempfile::NamedTempFile::new_in(&self.cache).map_err(cache_error)?;
        let mut child = tokio::process::Command::new(&self.program)
            .arg("compile-component")
            .arg(partial.path())
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(cache_error)?;
        if let Some(mut stdin) = child.stdin.take() {
            // A child that stops reading has said why on stderr.
            let _ = stdin.write_all(wasm).await;
        }
        let waited = tokio::time::timeout(Duration::from_secs(COMPILER_SECONDS), child.wait_with_output());
        let output = waited.await.map_err(|_| CompileError::TooCostly)?.map_err(cache_error)?;
        match output.status.code() {
            Some(0) => partial.persist(code).map(drop).map_err(|error| cache_error(error.error)),
            Some(1) => {
                let text = String::from_utf8_lossy(&output.stderr);
                Err(CompileError::Refused(text.trim().chars().take(2_000).collect()))
            }
            _ => Err(CompileError::TooCostly),
        }
    }
}

/// What the hidden command `compile-component OUTPUT` does: limits itself, reads a component from standard input and
/// writes finished code. Exit code 1: refused, with the reason on standard error.
#[must_use]
pub fn compile_component(output: &Path) -> std::process::ExitCode {
    match compile_within_limits(output) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            std::process::ExitCode::FAILURE
        }
    }
}

fn compile_within_limits(output: &Path) -> Result<(), String> {
    let limit = |value| Rlimit { current: Some(value), maximum: Some(value) };
    setrlimit(Resource::As, limit(COMPILER_MEMORY)).map_err(|error| error.to_string())?;
    setrlimit(Resource::Cpu, limit(COMPILER_SECONDS)).map_err(|error| error.to_string())?;
    setrlimit(Resource::Core, limit(0)).map_err(|error| error.to_string())?;
    let mut wasm = Vec::new();
    std::io::stdin().lock().read_to_end(&mut wasm).map_err(|error| error.to_string())?;
    let engine = Engine::new(&code_settings()).map_err(|error| format!("{error:#}"))?;
    if wasm.get(..8).is_some_and(|head| head == b"\0asm\x01\0\0\0") {
        return Err(
            "it is a core module, not a component: wrap it with `wasm-tools component new`".to_owned()
        );
    }
    let code =
        engine.precompile_component(&wasm).map_err(|error| format!("it is no valid component: {error:#}"))?;
    std::fs::write(output, code).map_err(|error| error.to_string())
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
