//! A target that records what it is given and does as it is told.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Semaphore;

use campanile_model::Event;
use campanile_targets::{Context, Fault, FaultCode, Outcome, Outgoing, Prepared, Target, Wanted};

/// The fate of an attempt.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Deliver,
    /// Fails with a transient fault.
    Defer,
    /// Is put off by itself, with a delay of the far side's.
    PutOff,
    /// Is told that there were too many, with a delay of the far side's.
    Limit,
    /// Fails for good.
    Refuse,
    Panic,
    /// Delivers when the test says so.
    Hang,
}

/// A target under a test's control.
pub(super) struct FakeTarget {
    name: String,
    ordering_key: Option<String>,
    /// Fates of the next attempts, and of all after those.
    steps: Mutex<VecDeque<Step>>,
    last_step: Step,
    /// Lets hanging attempts go, one for each permit.
    gate: Semaphore,
    /// Lets the first preparation go, where it is to hang.
    prepare_gate: Option<Semaphore>,
    /// Messages in the order in which attempts began, of all targets that share it.
    sent: Arc<Mutex<Vec<String>>>,
    prepared: AtomicUsize,
    in_flight: Arc<AtomicUsize>,
    closed: AtomicUsize,
    /// All attempts fail with a transient fault.
    is_down: AtomicBool,
    cooldown: Option<Duration>,
}

impl FakeTarget {
    pub(super) fn new(name: &str, steps: impl IntoIterator<Item = Step>) -> Self {
        Self {
            name: name.to_owned(),
            ordering_key: None,
            steps: Mutex::new(steps.into_iter().collect()),
            last_step: Step::Deliver,
            gate: Semaphore::new(0),
            prepare_gate: None,
            sent: Arc::default(),
            prepared: AtomicUsize::new(0),
            in_flight: Arc::default(),
            closed: AtomicUsize::new(0),
            is_down: AtomicBool::new(false),
            cooldown: None,
        }
    }

    /// All attempts hang.
    pub(super) fn hanging(name: &str) -> Self {
        Self { last_step: Step::Hang, ..Self::new(name, []) }
    }

    /// All its deliveries stay in order.
    pub(super) fn in_order(self) -> Self {
        Self { ordering_key: Some("key".to_owned()), ..self }
    }

    /// Wants to be left alone for so long after each attempt.
    pub(super) fn with_cooldown(self, cooldown: Duration) -> Self {
        Self { cooldown: Some(cooldown), ..self }
    }

    /// The first preparation hangs for ever.
    pub(super) fn with_hanging_preparation(self) -> Self {
        Self { prepare_gate: Some(Semaphore::new(0)), ..self }
    }

    /// Writes its attempts into the other one's list.
    pub(super) fn recording_with(self, other: &Self) -> Self {
        Self { sent: Arc::clone(&other.sent), ..self }
    }

    /// Lets one hanging attempt go, now or when it comes.
    pub(super) fn release_one(&self) {
        self.gate.add_permits(1);
    }

    /// Ends or begins an outage.
    pub(super) fn set_down(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::SeqCst);
    }

    pub(super) fn sent(&self) -> Vec<String> {
        self.sent.lock().unwrap().clone()
    }

    pub(super) fn prepared(&self) -> usize {
        self.prepared.load(Ordering::SeqCst)
    }

    /// Attempts that have neither ended nor been cancelled.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::SeqCst)
    }

    pub(super) fn closed(&self) -> usize {
        self.closed.load(Ordering::SeqCst)
    }
}

/// Counts an attempt for as long as its future lives.
struct Attempt(Arc<AtomicUsize>);

impl Attempt {
    fn begin(in_flight: &Arc<AtomicUsize>) -> Self {
        in_flight.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(in_flight))
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Target for FakeTarget {
    fn name(&self) -> &str {
        &self.name
    }

    fn wants(&self, _: &Event) -> Option<Wanted> {
        Some(Wanted { ordering_key: self.ordering_key.clone(), queue: None })
    }

    fn unwanted(&self, _: &Event) -> String {
        unreachable!("it wants all events")
    }

    /// Another message each time: who prepares a delivery twice is found out.
    async fn prepare(&self, event: &Event, _: &Context) -> Result<Prepared, Fault> {
        let count = self.prepared.fetch_add(1, Ordering::SeqCst) + 1;
        if let (1, Some(gate)) = (count, &self.prepare_gate) {
            gate.acquire().await.unwrap().forget();
        }
        let message = format!("{} at {}, prepared as number {count}", event.subject(), self.name);
        Ok(Prepared::Message { message: message.into_bytes(), version: None })
    }

    async fn send(&self, outgoing: Outgoing<'_>) -> Outcome {
        let _attempt = Attempt::begin(&self.in_flight);
        self.sent.lock().unwrap().push(String::from_utf8(outgoing.message.to_vec()).unwrap());
        if self.is_down.load(Ordering::SeqCst) {
            return Outcome::from(Fault::transient(FaultCode::Connection, "it is down"));
        }
        let step = self.steps.lock().unwrap().pop_front().unwrap_or(self.last_step);
        let fault = Fault::transient(FaultCode::Busy, "as it was told");
        match step {
            Step::Deliver => {}
            Step::Defer => return Outcome::Deferred { fault, not_before: None },
            Step::PutOff => {
                let fault = fault.tried_again_from(Duration::from_secs(30)).of_message();
                return Outcome::Deferred { fault, not_before: None };
            }
            Step::Limit => {
                let fault = fault.tried_again_from(Duration::from_secs(60)).asks_for_pause();
                return Outcome::Deferred { fault, not_before: None };
            }
            Step::Refuse => return Outcome::Refused(fault),
            Step::Panic => panic!("as it was told"),
            Step::Hang => self.gate.acquire().await.unwrap().forget(),
        }
        Outcome::Delivered("taken".to_owned())
    }

    async fn probe(&self) -> Result<String, Fault> {
        unreachable!("no test asks")
    }

    fn order_patience(&self) -> Option<Duration> {
        Some(Duration::from_secs(3_600))
    }

    fn cooldown(&self) -> Option<Duration> {
        self.cooldown
    }

    async fn close(&self) {
        self.closed.fetch_add(1, Ordering::SeqCst);
    }
}
