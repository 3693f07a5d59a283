//! An engine with targets of the test's own, on a store that outlives it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::fake_target::FakeTarget;
use crate::{Checked, Clock, Engine, NODE, Tenant, check};
use campanile_callbacks::Runtime;
use campanile_model::{Build, Event, Results, Timestamp};
use campanile_store::{
    Delivery, DeliveryQuery, DeliveryState, Page, SqliteStore, Store, StoreOptions, TenantQuota,
};
use campanile_targets::Target;

/// Time that a stop has for what is in flight.
pub(super) const DRAIN: Duration = Duration::from_secs(30);

/// The world that an engine is started in, and started again.
pub(super) struct Harness {
    folder: tempfile::TempDir,
    runtime: Runtime,
    store: Arc<dyn Store>,
    clock: Clock,
    /// Ends the task that holds the clock.
    _clock_holder: std::sync::mpsc::Sender<()>,
}

impl Harness {
    /// Needs a runtime of one thread whose time is paused.
    pub(super) async fn new() -> Self {
        // A paused clock jumps to the next timer when the runtime has nothing to do, as while the store works on threads
        // of its own. Not so while a blocking task runs.
        let (holder, held) = std::sync::mpsc::channel();
        tokio::task::spawn_blocking(move || held.recv());
        // In memory where that can be had: a busy disk takes longer for a commit than `settle` waits.
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let folder = folder.unwrap();
        std::fs::write(
            folder.path().join("campanile.toml"),
            "[server]\nurl = \"https://ci.example.org/\"\nurl_style = \"default\"\n",
        )
        .unwrap();
        let runtime = Runtime::new(PathBuf::from("/nowhere"), &folder.path().join("cache")).unwrap();
        let url = format!("sqlite:{}", folder.path().join("store.db").display());
        let store = Arc::new(SqliteStore::open(&url, StoreOptions::default()).await.unwrap());
        let clock = Clock::of_tokio(Timestamp::from_seconds(1_700_000_000));
        Self { folder, runtime, store, clock, _clock_holder: holder }
    }

    /// Starts an engine whose own tenant has this target.
    pub(super) async fn start(&self, target: &Arc<FakeTarget>, concurrency: usize) -> Running {
        self.start_with_tenants(target, &[], concurrency).await
    }

    /// Starts an engine with further tenants, each with one target.
    pub(super) async fn start_with_tenants(
        &self,
        target: &Arc<FakeTarget>,
        others: &[(&str, &Arc<FakeTarget>)],
        concurrency: usize,
    ) -> Running {
        self.start_with_all(&[target], others, concurrency).await
    }

    /// Starts an engine whose own tenant has these targets.
    pub(super) async fn start_with_targets(
        &self,
        targets: &[&Arc<FakeTarget>],
        concurrency: usize,
    ) -> Running {
        self.start_with_all(targets, &[], concurrency).await
    }

    async fn start_with_all(
        &self,
        own: &[&Arc<FakeTarget>],
        others: &[(&str, &Arc<FakeTarget>)],
        concurrency: usize,
    ) -> Running {
        let settings = self.folder.path().join("campanile.toml");
        let engine = Engine::with_clock(
            settings,
            self.runtime.clone(),
            Arc::clone(&self.store),
            self.checked(own).await,
            self.clock.clone(),
        );
        for (name, target) in others {
            let tenant = Arc::new(engine.new_tenant(name, self.checked(&[target]).await).await);
            engine.tenants.rcu(|tenants| tenants.with(name, Some(Arc::clone(&tenant))));
        }
        let engine = Arc::new(engine);
        engine.open_own_targets().await;
        let (stop, stopped) = watch::channel(None);
        let workers = tokio::spawn(Arc::clone(&engine).run_deliveries(concurrency, stopped));
        Running { engine, stop, workers }
    }

    /// Claims under another name all that nobody has leased, for a minute; the ids.
    pub(super) async fn claimed_by_another(&self, tenant: &str) -> Vec<i64> {
        let quota = [(tenant.to_owned(), TenantQuota::each(1_000))].into();
        let claimed = self.store.claim("another", &quota, Duration::from_secs(60), self.clock.now()).await;
        claimed.unwrap().iter().map(|delivery| delivery.id).collect()
    }

    /// Takes all leases away from the engine, as a person with a shell may.
    pub(super) async fn release_all(&self) {
        for owner in ["another", NODE] {
            self.store.release(owner).await.unwrap();
        }
    }

    /// Settings without anything, and these targets.
    async fn checked(&self, targets: &[&Arc<FakeTarget>]) -> Checked {
        let (checked, problems) = check(&self.folder.path().join("campanile.toml"), &self.runtime).await;
        let mut checked = checked.unwrap_or_else(|| panic!("{problems:?}"));
        checked.targets = targets.iter().map(|target| Arc::clone(target) as Arc<dyn Target>).collect();
        checked
    }

    /// Sets the system's clock by so many days.
    pub(super) fn set_system_clock(&self, days: i64) {
        let micros = self.clock.now().as_micros() + days * 86_400 * 1_000_000;
        self.clock.set_system(Timestamp::from_micros(micros));
    }

    /// Lets so many days pass in which no engine is there.
    pub(super) fn leave_alone(&self, days: i64) {
        self.set_system_clock(days);
        let (_, now) = self.clock.follow().expect("days are more than a drift");
        self.clock.set(now);
    }

    /// The age of a delivery in whole days.
    pub(super) fn days_old(&self, delivery: &Delivery) -> u64 {
        self.clock.now().since(delivery.created).as_secs() / 86_400
    }

    /// All deliveries of a tenant, oldest first.
    pub(super) async fn deliveries(&self, tenant: &str) -> Vec<Delivery> {
        let page = Page { limit: 1_000, before: None };
        let query = DeliveryQuery { state: None, target: None, event: None, since: None, until: None, page };
        let mut deliveries = self.store.deliveries(tenant, &query).await.unwrap();
        deliveries.reverse();
        deliveries
    }

    /// Waits until a tenant's deliveries are in these states, oldest first.
    pub(super) async fn reaches(&self, tenant: &str, states: &[DeliveryState]) -> Vec<Delivery> {
        let are_so =
            |found: &[Delivery]| found.iter().map(|delivery| delivery.state).eq(states.iter().copied());
        self.until(tenant, &format!("deliveries are {states:?}"), are_so).await
    }

    /// Waits until an attempt of a tenant's oldest delivery has failed with this code.
    pub(super) async fn fails(&self, tenant: &str, code: &str) -> Delivery {
        let has_failed =
            |found: &[Delivery]| found.first().is_some_and(|first| first.code.as_deref() == Some(code));
        self.until(tenant, &format!("the first fails with `{code}`"), has_failed).await.remove(0)
    }

    async fn until(&self, tenant: &str, what: &str, is_so: impl Fn(&[Delivery]) -> bool) -> Vec<Delivery> {
        let began = Instant::now();
        loop {
            let found = self.deliveries(tenant).await;
            if is_so(&found) {
                return found;
            }
            assert!(began.elapsed() < PATIENCE, "it never comes that {what}: {found:#?}");
            tick().await;
        }
    }
}

/// An engine whose workers run.
pub(super) struct Running {
    pub(super) engine: Arc<Engine>,
    stop: watch::Sender<Option<tokio::time::Instant>>,
    workers: JoinHandle<Result<(), campanile_store::StoreError>>,
}

impl Running {
    fn tenant(&self, name: &str) -> Arc<Tenant> {
        self.engine.tenant_named(name).unwrap()
    }

    /// Takes in so many finished builds at once, from this number on.
    pub(super) async fn builds(&self, tenant: &str, numbers: std::ops::RangeInclusive<u64>) {
        let finished = |number| {
            let mut build = Build::new("linux", number);
            build.results = Some(Results::Failure);
            build.finished = Some(Timestamp::from_seconds(1_600_000_000));
            Event::BuildFinished { build: Box::new(build) }
        };
        self.engine.ingest(&self.tenant(tenant), numbers.map(finished).collect(), None).await.unwrap();
    }

    /// Has news of the end told.
    pub(super) fn announce_end(&self) -> JoinHandle<()> {
        let (engine, deadline) = (Arc::clone(&self.engine), tokio::time::Instant::now() + DRAIN);
        tokio::spawn(async move { engine.announce_end(deadline).await })
    }

    pub(super) fn begin_stop(&self) {
        self.stop.send(Some(tokio::time::Instant::now() + DRAIN)).unwrap();
    }

    pub(super) fn has_stopped(&self) -> bool {
        self.workers.is_finished()
    }

    pub(super) async fn stopped(&self) {
        eventually("the workers end", || self.has_stopped()).await;
    }
}

/// Longest real time that something may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Longest that a millisecond takes where nobody else wants the processor.
const CALM: Duration = Duration::from_millis(3);
/// Longest real time that is given to the engine at once.
const LONGEST_SETTLING: Duration = Duration::from_secs(2);

/// Waits until it is so.
pub(super) async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "it never comes that {what}");
        tick().await;
    }
}

/// Gives the engine real time to do all that it can do without the clock being moved: fifty moments in which the machine
/// had time for us, and more of them where others keep it busy.
pub(super) async fn settle() {
    let (mut calm, began) = (0, Instant::now());
    while calm < 50 && began.elapsed() < LONGEST_SETTLING {
        let moment = Instant::now();
        breathe().await;
        calm += u32::from(moment.elapsed() < CALM);
    }
}

/// Moves the clock, when all is quiet, and lets the engine act on it.
pub(super) async fn pass(time: Duration) {
    settle().await;
    tokio::time::advance(time).await;
    settle().await;
}

/// A moment of real time, and of the engine's: timers that are due at once wait for a millisecond.
async fn tick() {
    breathe().await;
    tokio::time::advance(Duration::from_millis(1)).await;
}

async fn breathe() {
    tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis(1))).await.unwrap();
}
