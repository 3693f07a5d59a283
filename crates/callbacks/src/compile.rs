//! Compiling components, in a process of its own with limits.
//!
//! Compiling is the dangerous part of hostile WebAssembly: some hundred kilobytes can cost minutes and gigabytes, and
//! the compiler can't be stopped from within. A process can be limited and killed, and takes nothing down with it.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, setrlimit};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;
use wasmtime::{Config, Engine};

use super::cache::Cache;
use super::cpu_budget::CpuBudget;
use super::fair_semaphore::FairSemaphore;
use campanile_config::RegularFile;

/// Size of the largest component that is looked at, in bytes.
pub const MAX_COMPONENT: usize = 32 << 20;
/// Components that are compiled side by side.
const COMPILERS: usize = 2;
/// Address space of the compiling process, in bytes.
const COMPILER_MEMORY: u64 = 3 << 30;
/// CPU time of the compiling process; wall time too.
const COMPILER_SECONDS: u64 = 60;

/// Reasons for a component to be unusable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// The WebAssembly engine itself did not start.
    #[error("the WebAssembly engine does not start: {0}")]
    Engine(String),
    /// The file can't be read.
    #[error("cannot read `{path}`: {reason}")]
    Read {
        /// The component's file.
        path: PathBuf,
        /// The system's own words.
        reason: String,
    },
    /// It is no component, or it needs what callbacks don't get.
    #[error("{0}")]
    Refused(String),
    /// It took too much to compile.
    #[error("compiling it took more than {COMPILER_SECONDS} s or {} GiB", COMPILER_MEMORY >> 30)]
    TooCostly,
    /// Its tenant has had more compiled than it may.
    #[error(
        "compiling this tenant's components has taken all of the time that it may: push it again in some minutes"
    )]
    OverLimit,
    /// The cache of artifacts failed.
    #[error("the cache of compiled callbacks failed: {0}")]
    Cache(String),
}

impl CompileError {
    /// Refusal of a component that is larger than allowed; sizes in bytes.
    #[must_use]
    pub fn too_large(size: u64, most: u64) -> Self {
        let (unit, shift) = if most >= 1 << 20 { ("MiB", 20) } else { ("bytes", 0) };
        Self::Refused(format!("it has {} {unit}; at most {} are taken", size >> shift, most >> shift))
    }
}

/// Settings that artifacts depend on; the engine and the compiler process must agree on them.
pub(super) fn code_settings() -> Config {
    let mut config = Config::new();
    config.wasm_component_model(true);
    config.concurrency_support(false);
    config.epoch_interruption(true);
    config.memory_init_cow(true);
    config
}

/// Compiles components to artifacts, by way of the cache.
pub(super) struct Compiler {
    program: PathBuf,
    cache: Cache,
    /// Compilers that may run: each one takes a core and up to 3 GiB. A tenant has one, so that those of two who don't
    /// mean well are needed to have all.
    permits: FairSemaphore,
}

impl Compiler {
    pub(super) fn new(program: PathBuf, cache: &Path, engine: &Engine) -> Result<Self, CompileError> {
        use std::hash::{Hash as _, Hasher as _};
        let mut hasher = std::hash::DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let settings = format!("{:016x}", hasher.finish());
        let cache = Cache::open(cache.to_owned(), settings)
            .map_err(|error| CompileError::Cache(format!("{}: {error}", cache.display())))?;
        Ok(Self { program, cache, permits: FairSemaphore::new(COMPILERS, 1) })
    }

    /// The digest of a component, and the file of its artifact. Compiles it unless that is cached, in the turn of its tenant,
    /// whose budget the time counts to, however it ends.
    pub(super) async fn compile(
        &self,
        budget: &CpuBudget,
        wasm: &[u8],
    ) -> Result<(String, PathBuf), CompileError> {
        let digest = hex::encode(Sha256::digest(wasm));
        // A component that is cached never waits behind those that are being compiled.
        if let Some(code) = self.cache.find(&digest) {
            return Ok((digest, code));
        }
        let _permit = self.permits.acquire(budget.share()).await;
        // Looked for again: of two loads of the same component, the second one has waited for the first.
        let code = match self.cache.find(&digest) {
            Some(code) => code,
            None => {
                let began = Instant::now();
                let code = self.run_compiler(wasm, &digest).await;
                budget.compiled(began.elapsed());
                code?
            }
        };
        Ok((digest, code))
    }

    async fn run_compiler(&self, wasm: &[u8], digest: &str) -> Result<PathBuf, CompileError> {
        let cache_error = |error: std::io::Error| CompileError::Cache(error.to_string());
        let partial = self.cache.new_entry().map_err(cache_error)?;
        let mut child = tokio::process::Command::new(&self.program)
            .arg("compile-component")
            .arg(partial.path())
            // The compiler needs no secret of ours, should a component ever take it over.
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(cache_error)?;
        if let Some(mut stdin) = child.stdin.take() {
            // A child that stops reading has given its reason on standard error.
            let _ = stdin.write_all(wasm).await;
        }
        let waited = tokio::time::timeout(Duration::from_secs(COMPILER_SECONDS), child.wait_with_output());
        let output = waited.await.map_err(|_| CompileError::TooCostly)?.map_err(cache_error)?;
        match output.status.code() {
            Some(0) => self.cache.keep(digest, partial).map_err(cache_error),
            Some(1) => {
                let text = String::from_utf8_lossy(&output.stderr);
                Err(CompileError::Refused(text.trim().chars().take(2_000).collect()))
            }
            // Killed by a limit: out of memory aborts, out of CPU time is a signal.
            _ => Err(CompileError::TooCostly),
        }
    }
}

/// Reads a component's file, unless it is too large to be looked at, or no regular file.
///
/// # Errors
/// When it can't be read, or is one of these.
pub async fn read_component(path: &Path) -> Result<Vec<u8>, CompileError> {
    let failed =
        |error: std::io::Error| CompileError::Read { path: path.to_owned(), reason: error.to_string() };
    let size = tokio::fs::metadata(path).await.map_err(failed)?.len();
    if size > MAX_COMPONENT as u64 {
        return Err(CompileError::too_large(size, MAX_COMPONENT as u64));
    }
    let file = RegularFile::new(path);
    let read = tokio::task::spawn_blocking(move || file.read(MAX_COMPONENT as u64)).await;
    read.map_err(|stopped| failed(std::io::Error::other(stopped)))?.map_err(failed)
}

/// Runs the hidden command `compile-component OUTPUT`: limits itself, reads a component from standard input and writes
/// its artifact. Exit code 1: refused, with the reason on standard error.
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
    // Before the first byte is read. The hard limits too, so that nothing in this process can lift them.
    let limit = |value| Rlimit { current: Some(value), maximum: Some(value) };
    setrlimit(Resource::As, limit(COMPILER_MEMORY)).map_err(|error| error.to_string())?;
    setrlimit(Resource::Cpu, limit(COMPILER_SECONDS)).map_err(|error| error.to_string())?;
    setrlimit(Resource::Core, limit(0)).map_err(|error| error.to_string())?;
    let mut wasm = Vec::new();
    std::io::stdin().lock().read_to_end(&mut wasm).map_err(|error| error.to_string())?;
    let engine = Engine::new(&code_settings()).map_err(|error| format!("{error:#}"))?;
    let code =
        engine.precompile_component(&wasm).map_err(|error| format!("it is no valid component: {error:#}"))?;
    std::fs::write(output, code).map_err(|error| error.to_string())
}
