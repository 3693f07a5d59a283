//! `campanile serve`: log, settings, parts, door, drain.

use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::services::Services;
use super::supervisor::Supervisor;
use super::watched::{Change, Watched};
use super::{ConfigOption, LogFormat};
use campanile_callbacks::Runtime;
use campanile_config::Problem;
use campanile_engine::{self as engine, Engine};
use campanile_http as http;
use campanile_store::{SqliteStore, Store, StoreOptions, sqlite};

#[derive(clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    config: ConfigOption,
    /// What the log looks like; `CAMPANILE_LOG` filters it
    #[arg(long, value_enum, default_value = "text", env = "CAMPANILE_LOG_FORMAT")]
    log_format: LogFormat,
}

pub(super) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    super::start_log(options.log_format);
    let mut hangup = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let Some(running) = Running::start(&options.config.config).await? else {
        return Ok(super::usage_error());
    };
    // For whoever started us on port 0, or waits for us.
    writeln!(std::io::stdout(), "campanile: listening on http://{}/", running.address)?;

    let supervisor = Supervisor::from_environment();
    let status = format!("listening on http://{}/", running.address);
    supervisor.ready(&status);
    let mut beside = JoinSet::new();
    beside.spawn(supervisor.clone().watch(Arc::clone(&running.engine)));
    let read_anew = async || {
        supervisor.reloading();
        reload(&running.engine).await;
        supervisor.ready(&status);
    };

    let mut watched = Watched::new(&running.engine).await;
    // Told apart from what is done meanwhile: a reload may compile components for minutes, and a stop waits for none.
    let stopped = async {
        tokio::select! {
            _ = terminate.recv() => None,
            _ = interrupt.recv() => None,
            () = running.engine.shutdown_requested() => None,
            ended = running.ended() => Some(ended),
        }
    };
    let follow_changes = async {
        loop {
            tokio::select! {
                _ = hangup.recv() => read_anew().await,
                change = watched.change(&running.engine) => match change {
                    Change::Settings => read_anew().await,
                    Change::Components => running.engine.refresh_components().await,
                    Change::Tenants => running.engine.refresh_tenants().await,
                },
            }
        }
    };
    let ended: Option<&str> = tokio::select! {
        ended = stopped => ended,
        () = follow_changes => None,
    };
    supervisor.stopping();
    beside.shutdown().await;
    tracing::info!("stopping: finishing what is under way");
    let stopped = running.stop().await;
    if let Some(service) = ended {
        let reason = stopped.err().map(|error| format!(" ({error:#})")).unwrap_or_default();
        bail!("the service `{service}` ended by itself{reason}: the log says more; start the engine anew");
    }
    stopped?;
    Ok(ExitCode::SUCCESS)
}

/// An engine at work.
pub(super) struct Running {
    pub(super) address: SocketAddr,
    pub(super) engine: Arc<Engine>,
    store: Arc<dyn Store>,
    /// All that brings something in.
    intake: Services,
    /// All that sends out.
    delivery: Services,
    shutdown_timeout: Duration,
    _lock: File,
}

impl Running {
    /// Starts everything that a settings file names; none if it has errors, which are then told.
    pub(super) async fn start(config: &Path) -> anyhow::Result<Option<Self>> {
        let runtime = runtime(config)?;
        let (checked, problems) = engine::check(config, &runtime).await;
        tell(&problems);
        let Some(checked) = checked else { return Ok(None) };
        let (listen, base_path, shutdown_timeout) = {
            let server = &checked.settings.server;
            (server.listen, server.base_path.clone(), server.shutdown_timeout)
        };
        let concurrency = checked.settings.concurrency;

        let lock = sqlite::upkeep::lock(&checked.settings.store_url)?;
        let store_options =
            StoreOptions { max_log_bytes: checked.settings.max_log_bytes, ..StoreOptions::default() };
        let store: Arc<dyn Store> =
            Arc::new(SqliteStore::open(&checked.settings.store_url, store_options).await?);
        let engine = Arc::new(Engine::new(config.to_owned(), runtime, Arc::clone(&store), checked));
        let lost = engine.restore_active_versions(&engine.tenant()).await;
        if !lost.is_empty() {
            tell(&lost);
            store.close().await;
            return Ok(None);
        }
        engine.warn_of_unknown_names(&engine.tenant()).await;
        engine.refresh_tenants().await;

        let listener = TcpListener::bind(listen).await.with_context(|| {
            format!("cannot listen on {listen}: is another engine running? change `server.listen`")
        })?;
        let address = listener.local_addr()?;
        // Before anything is taken in: a target that is not open yet may not want it, and news of the start comes first.
        // Until the door accepts them, connections wait in the listener's backlog.
        engine.open_own_targets().await;
        if let Err(error) = engine.announce_start().await {
            tracing::error!("nobody can be told of the start: {error}");
        }
        let noted = Arc::clone(&engine);
        let note_ended = move |name| noted.note_ended_service(name);
        let (intake, delivery) = (Services::new(note_ended.clone()), Services::new(note_ended));
        delivery.spawn_fallible("deliveries", |stop| Arc::clone(&engine).run_deliveries(concurrency, stop));
        intake.spawn("pollers", |stop| Arc::clone(&engine).run_pollers(stop));
        intake.spawn("retention", |stop| Arc::clone(&engine).run_retention(stop));
        let router = http::router(Arc::clone(&engine), &base_path);
        intake.spawn_fallible("door", |stop| http::serve(listener, router, stop));
        tracing::info!("listening on http://{address}/");
        Ok(Some(Self { address, engine, store, intake, delivery, shutdown_timeout, _lock: lock }))
    }

    /// Waits until a service ends by itself, and gives its name. Cancel safe.
    async fn ended(&self) -> &'static str {
        tokio::select! {
            service = self.intake.ended() => service,
            service = self.delivery.ended() => service,
            () = self.store.ended() => {
                tracing::error!(service = "store", "service ended by itself, the engine stops");
                self.engine.note_ended_service("store");
                "store"
            }
        }
    }

    /// Closes the door, lets requests and deliveries under way finish, and closes the store.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        let began = Instant::now();
        let deadline = began + self.shutdown_timeout;
        // The door first: news of the end is the last that anybody is told. A request that takes its time leaves the rest
        // some of it.
        let intake = self.intake.stop(began + self.shutdown_timeout / 2).await;
        self.engine.announce_end(deadline).await;
        let delivered = self.delivery.stop(deadline).await;
        self.engine.telemetry().flush().await;
        self.store.close().await;
        intake.and(delivered)
    }
}

/// The callback runtime, with its cache of artifacts beside the settings file.
pub(super) fn runtime(config: &Path) -> anyhow::Result<Runtime> {
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let folder = config.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        bail!("cannot read `{}`: there is no folder `{}`", config.display(), folder.display());
    }
    Ok(Runtime::new(program, &folder.join(".campanile-cache"))?)
}

/// Tells people what is wrong with the settings.
pub(super) fn tell(problems: &[Problem]) {
    for problem in problems {
        eprintln!("{problem}");
    }
}

async fn reload(engine: &Engine) {
    match engine.reload().await {
        Ok(problems) => {
            tell(&problems);
            tracing::info!("settings read anew");
            engine.refresh_tenants().await;
        }
        Err(problems) => {
            tell(&problems);
            tracing::error!("the settings have errors: going on with the old ones");
        }
    }
}
