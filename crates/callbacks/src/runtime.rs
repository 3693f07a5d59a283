//! The one WebAssembly engine of the process: its settings, its ticker, its lanes, and the interfaces that guests link.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use wasmtime::component::{Component, HasSelf, InstancePre, Linker};
use wasmtime::{Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use super::bindings::host::campanile::notifier::{logging, status};
use super::call_lane::CallLane;
use super::compile::{CompileError, Compiler, MAX_COMPONENT, code_settings};
use super::cpu_budget::CpuBudget;
use super::epoch_ticker::{EpochTicker, TickGuard};
use super::fair_semaphore::{FairPermit, FairSemaphore, Share};
use super::host_state::HostState;
use super::inspect::inspect;
use super::kind::Kind;
use super::template_renderer::{RenderPool, TemplateRenderer};

/// Calls of compiled components that can be under way at once, in all.
const COMPILED_CALLS: usize = 48;
/// The same of interpreted ones. They have their own, so that compiled ones never wait for an instance that one holds which
/// waits for its lane.
const INTERPRETED_CALLS: usize = 16;
/// Calls that can be under way at once, in all.
#[allow(clippy::cast_possible_truncation)] // 64
const MAX_CALLS: u32 = (COMPILED_CALLS + INTERPRETED_CALLS) as u32;
/// Core modules that one component may have instances of. Script languages' have some 40 (docs/callbacks.md).
const MAX_MODULES: u32 = 64;
/// Memories that one component may have.
const MAX_MEMORIES: u32 = 4;
/// Tables that one component may have.
const MAX_TABLES: u32 = 20;
/// No component may have more memory than this, whatever its own limit.
pub(super) const MAX_MEMORY: usize = 128 << 20;

/// Compiles, links and runs components. One a process; cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    engine: Engine,
    linker: Arc<Linker<HostState>>,
    /// For guests whose language runtime asks for WASI.
    with_wasi: Arc<Linker<HostState>>,
    interpreter_lane: Arc<CallLane>,
    slow_lane: Arc<CallLane>,
    compiler: Arc<Compiler>,
    templates: RenderPool,
    ticker: Arc<EpochTicker>,
    /// As many as the pool has room for, in turns by tenant.
    compiled_calls: FairSemaphore,
    interpreted_calls: FairSemaphore,
}

/// A component that can be instantiated.
pub(super) struct Linked {
    pub(super) digest: String,
    pub(super) interpreted: bool,
    /// The callbacks among its exports, by name; their types are not checked yet.
    pub(super) exports: Vec<Kind>,
    pub(super) instance: InstancePre<HostState>,
}

impl Runtime {
    /// Starts the engine. `program` is this program itself, which compiles in a process of its own; `cache` is a
    /// private folder for artifacts.
    ///
    /// # Errors
    /// When the machine refuses the address space, or the folder can't be made.
    pub fn new(program: PathBuf, cache: &Path) -> Result<Self, CompileError> {
        let mut pool = PoolingAllocationConfig::new();
        // A pool, so that a call costs no mapping of memory. It has room for all calls at once, each of a component that has
        // all that it may have: one that is allowed and finds the pool empty would fail for what others hold. The room is
        // addresses, not memory.
        pool.total_component_instances(MAX_CALLS)
            .total_core_instances(MAX_CALLS * MAX_MODULES)
            .total_memories(MAX_CALLS * MAX_MEMORIES)
            .total_tables(MAX_CALLS * MAX_TABLES)
            .total_stacks(MAX_CALLS)
            .max_memory_size(MAX_MEMORY)
            .table_elements(20_000)
            .max_core_instances_per_component(MAX_MODULES)
            .max_memories_per_component(MAX_MEMORIES)
            .max_tables_per_component(MAX_TABLES)
            .max_component_instance_size(4 << 20)
            // Without these two, every call's madvise stops the other threads too.
            .linear_memory_keep_resident(1 << 20)
            .table_keep_resident(64 << 10)
            .pagemap_scan(Enabled::Auto);
        let mut config = code_settings();
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        let engine = Engine::new(&config).map_err(|error| CompileError::Engine(format!("{error:#}")))?;

        let failed = |error: wasmtime::Error| CompileError::Engine(format!("{error:#}"));
        let mut linker = Linker::new(&engine);
        status::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut HostState| state).map_err(failed)?;
        logging::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut HostState| state)
            .map_err(failed)?;
        let mut with_wasi = linker.clone();
        wasmtime_wasi::p2::add_to_linker_async(&mut with_wasi).map_err(failed)?;

        let lane = |name| CallLane::start(name).map_err(|error| CompileError::Engine(error.to_string()));
        let (interpreter_lane, slow_lane) =
            (Arc::new(lane("callback-scripts")?), Arc::new(lane("callback-slow")?));
        let ticker = EpochTicker::start(&engine).map_err(|error| CompileError::Engine(error.to_string()))?;
        let templates = RenderPool::new(Some(program.clone()));
        let compiler = Compiler::new(program, cache, &engine)?;
        Ok(Self {
            engine,
            linker: Arc::new(linker),
            with_wasi: Arc::new(with_wasi),
            interpreter_lane,
            slow_lane,
            compiler: Arc::new(compiler),
            templates,
            ticker: Arc::new(ticker),
            // Nobody has all of them: not even the operator's own callbacks, which no limit binds.
            compiled_calls: FairSemaphore::new(COMPILED_CALLS, COMPILED_CALLS / 4 * 3),
            interpreted_calls: FairSemaphore::new(INTERPRETED_CALLS, INTERPRETED_CALLS / 4 * 3),
        })
    }

    /// The renderer of the templates of a tenant, whose budget this is.
    #[must_use]
    pub fn template_renderer(&self, budget: &CpuBudget) -> TemplateRenderer {
        self.templates.for_tenant(budget.share())
    }

    /// Looks at a component, compiles it or takes its artifact from the cache, and links it.
    pub(super) async fn load(&self, budget: &CpuBudget, wasm: Vec<u8>) -> Result<Linked, CompileError> {
        if wasm.len() > MAX_COMPONENT {
            return Err(CompileError::too_large(wasm.len() as u64, MAX_COMPONENT as u64));
        }
        // Compiling costs; a component that can't be used is refused before.
        let outside = inspect(&wasm)?;
        let validation_errors = outside.validation_errors();
        if !validation_errors.is_empty() {
            return Err(CompileError::Refused(validation_errors.join("; ")));
        }
        let (digest, code) = self.compiler.compile(budget, &wasm).await?;
        let component = self.map_code(&code)?;
        let linker = if outside.wants_wasi() { &self.with_wasi } else { &self.linker };
        let instance = linker
            .instantiate_pre(&component)
            .map_err(|error| CompileError::Refused(format!("it does not fit the contract: {error:#}")))?;
        Ok(Linked { digest, interpreted: outside.is_interpreted(), exports: outside.kinds(), instance })
    }

    /// The lane of calls that take longer than a tick.
    pub(super) fn slow_lane(&self) -> &CallLane {
        &self.slow_lane
    }

    /// The lane of interpreted guests.
    pub(super) fn interpreter_lane(&self) -> &CallLane {
        &self.interpreter_lane
    }

    /// Room for a compiled call's instance. A call that finds all of it taken waits here: the pool would refuse it.
    pub(super) async fn compiled_call(&self, share: Share) -> FairPermit {
        self.compiled_calls.acquire(share).await
    }

    /// Room for an interpreted call's instance.
    pub(super) async fn interpreted_call(&self, share: Share) -> FairPermit {
        self.interpreted_calls.acquire(share).await
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// To be held while a call is under way.
    pub(super) fn keep_ticking(&self) -> TickGuard<'_> {
        self.ticker.keep_ticking()
    }

    #[allow(unsafe_code)]
    fn map_code(&self, code: &Path) -> Result<Component, CompileError> {
        // SAFETY: the file was written by this program's own compiler process into a folder that only its user can
        // enter, under a name made from the component's digest and the engine's settings, and renamed there whole.
        unsafe { Component::deserialize_file(&self.engine, code) }
            // The code itself is whole: its checksum was right.
            .map_err(|error| CompileError::Refused(format!("it does not fit the engine's limits: {error:#}")))
    }
}
