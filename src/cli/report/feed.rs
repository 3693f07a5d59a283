//! The feed of a running command: its news and its output go to the engine in order, in batches, in the background.
//!
//! While no engine answers, the same batch is tried again under the same name, and what comes meanwhile waits in the
//! backlog.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::backlog::{Backlog, Totals};
use super::log_file::kept_in_part;
use super::receipt::Receipt;
use super::words::digits;
use crate::cli::client::{Client, Refusal};
use campanile_model::{Event, LogRef, now};

/// Longest pause between two tries.
const MAX_PAUSE: Duration = Duration::from_secs(10);
/// Time for which, when the command has ended, the engine may take nothing before that is given up.
const GRACE: Duration = Duration::from_secs(5);

/// The feed of one build.
pub(super) struct Feed {
    backlog: Arc<Backlog>,
    sender: JoinHandle<Option<Value>>,
    /// Batches that the engine has taken.
    taken: watch::Receiver<u64>,
}

impl Feed {
    /// Starts a feed; its output is this log.
    pub(super) fn start(client: Client, log: LogRef) -> Self {
        let name = format!("{}/{}", log.build.builder, log.build.number);
        let key = format!("report-{}-{}", std::process::id(), now().as_micros());
        let backlog = Arc::new(Backlog::new(log));
        let (progress, taken) = watch::channel(0);
        let sender = Sender { client, backlog: Arc::clone(&backlog), name, key, progress, warned: false };
        Self { backlog, sender: tokio::spawn(sender.run()), taken }
    }

    /// The backlog, for the command's output.
    pub(super) fn backlog(&self) -> Arc<Backlog> {
        Arc::clone(&self.backlog)
    }

    /// Adds an event.
    pub(super) fn news(&self, event: Value) {
        self.backlog.news(event);
    }

    /// Ends the feed: its last news was `last`. Waits until the engine has all of it, or has taken nothing for a time;
    /// returns its answer to that. None if it has not, and people have been told.
    pub(super) async fn finish(mut self, last: &Event) -> Option<Receipt> {
        self.backlog.close();
        let answer = loop {
            let progress = async {
                // Without a sender there is none any more.
                if self.taken.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                answer = &mut self.sender => break Some(answer),
                moved = timeout(GRACE, progress) => if moved.is_err() { break None },
            }
        };
        let Totals { lost, .. } = self.backlog.totals();
        if lost > 0 {
            eprintln!(
                "campanile: {} bytes of the output are not in the log: the engine did not take them in time",
                digits(lost)
            );
        }
        let Some(answer) = answer else {
            let build = &self.backlog.log().build;
            eprintln!(
                "campanile: no engine knows how {}/{} ended: tell it by `campanile report build-finished`",
                build.builder, build.number
            );
            return None;
        };
        // A task ends badly by a panic only, which has been told of.
        answer.ok()?.map(|answer| Receipt::new(last, answer))
    }
}

/// The task that sends what waits.
struct Sender {
    client: Client,
    backlog: Arc<Backlog>,
    /// The build, for people.
    name: String,
    /// The beginning of the batches' names.
    key: String,
    progress: watch::Sender<u64>,
    warned: bool,
}

impl Sender {
    /// Sends all; returns the last answer, or none if it was no use to go on.
    async fn run(mut self) -> Option<Value> {
        let mut answer = None;
        for number in 0_u64.. {
            let Some(batch) = self.backlog.next(number == 0).await else { break };
            let new = self.send(&Value::Array(batch), number).await?;
            self.backlog.taken();
            self.progress.send_replace(number);
            if number == 0
                && let Some(warning) = Receipt::of_start(&self.name, new.clone()).warning()
            {
                // Its output would go to the log of the other one.
                eprintln!("campanile: {warning}");
                self.backlog.abandon();
                return None;
            }
            answer = Some(new);
        }
        self.warn_of_cut_log().await;
        answer
    }

    /// Sends a batch until the engine has it; none if it will never take it.
    async fn send(&mut self, batch: &Value, number: u64) -> Option<Value> {
        let key = format!("{}-{number}", self.key);
        let mut pause = Duration::from_secs(1);
        loop {
            let error = match self.client.post_events(batch, Some(&key)).await {
                Ok(answer) => return Some(answer),
                Err(error) => error,
            };
            if error.downcast_ref::<Refusal>().is_some_and(|refusal| !refusal.may_pass()) {
                eprintln!("campanile: nothing more is told of {}: {error:#}", self.name);
                self.backlog.abandon();
                return None;
            }
            if !self.warned {
                eprintln!("campanile: {error:#}; the command runs all the same, and its news is tried again");
                self.warned = true;
            }
            self.backlog.pause(pause).await;
            pause = (pause * 2).min(MAX_PAUSE);
        }
    }

    /// Warns if the engine keeps only a part of the log. Whose token may tell and not look learns it from the log alone.
    async fn warn_of_cut_log(&self) {
        let log = self.backlog.log();
        let path = ["builds", &log.build.builder, &log.build.number.to_string()];
        let Ok(answer) = self.client.call(Method::GET, &path, &[], None).await else { return };
        let named = |list: Option<&Value>, name: &str| {
            let mut rows = list.and_then(Value::as_array).into_iter().flatten();
            rows.find(|row| row.get("name").and_then(Value::as_str) == Some(name)).cloned()
        };
        let step = named(answer.pointer("/build/steps"), &log.step);
        let kept = step.and_then(|step| named(step.get("logs"), &log.log)?.get("bytes")?.as_u64());
        let sent = self.backlog.totals().sent;
        if let Some(kept) = kept.filter(|kept| *kept < sent) {
            eprintln!("campanile: {}", kept_in_part(kept, sent));
        }
    }
}
