//! The services of an engine at work, each a task: who ends is logged, and who is told to end is waited for.

use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use futures_util::FutureExt as _;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use campanile_engine::Stop;

/// Services that are told together to end. Dropped, they are cut off.
pub(super) struct Services {
    /// Told the name of one that has ended by itself.
    note_ended: Arc<dyn Fn(&'static str) + Send + Sync>,
    stop: watch::Sender<Option<Instant>>,
    tasks: std::sync::Mutex<JoinSet<anyhow::Result<()>>>,
    /// Names of those that have ended before they were told to.
    ended: Mutex<mpsc::Receiver<&'static str>>,
    tell_ended: mpsc::Sender<&'static str>,
}

impl Services {
    pub(super) fn new(note_ended: impl Fn(&'static str) + Send + Sync + 'static) -> Self {
        // The first one is enough: then all are told to end.
        let (tell_ended, ended) = mpsc::channel(1);
        Self {
            note_ended: Arc::new(note_ended),
            stop: watch::Sender::new(None),
            tasks: std::sync::Mutex::default(),
            ended: Mutex::new(ended),
            tell_ended,
        }
    }

    /// Starts a service that cannot fail.
    pub(super) fn spawn<F>(&self, name: &'static str, begin: impl FnOnce(Stop) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.spawn_fallible(name, |stop| begin(stop).map(Ok::<(), std::convert::Infallible>));
    }

    /// Starts a service.
    pub(super) fn spawn_fallible<F, E>(&self, name: &'static str, begin: impl FnOnce(Stop) -> F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: std::error::Error + Send + Sync + 'static,
    {
        let work = begin(self.stop.subscribe());
        let (note_ended, stop, tell_ended) =
            (Arc::clone(&self.note_ended), self.stop.subscribe(), self.tell_ended.clone());
        let mut tasks = self.tasks.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        tasks.spawn(async move {
            let ended = std::panic::AssertUnwindSafe(work).catch_unwind().await;
            let result = match ended {
                Ok(result) => result.with_context(|| format!("the service `{name}` failed")),
                Err(_) => Err(anyhow!("the service `{name}` panicked; this is a bug in campanile")),
            };
            if stop.borrow().is_none() {
                let reason = result.as_ref().err().map(|error| format!(": {error:#}")).unwrap_or_default();
                tracing::error!(service = name, "service ended by itself, the engine stops{reason}");
                note_ended(name);
                // Fails when nobody asks any more, or another one has ended before.
                let _ = tell_ended.try_send(name);
            }
            result
        });
    }

    /// Waits until one of them ends by itself. Cancel safe.
    pub(super) async fn ended(&self) -> &'static str {
        match self.ended.lock().await.recv().await {
            Some(name) => name,
            // Never: we hold a sender.
            None => std::future::pending().await,
        }
    }

    /// Tells all of them to end by this time, and waits for them.
    ///
    /// # Errors
    /// When one of them failed.
    pub(super) async fn stop(self, deadline: Instant) -> anyhow::Result<()> {
        self.stop.send_replace(Some(deadline));
        let mut tasks = self.tasks.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut all = Ok(());
        while let Some(ended) = tasks.join_next().await {
            all = all.and(ended.map_err(anyhow::Error::from).flatten());
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn services() -> (Services, Arc<std::sync::Mutex<Vec<&'static str>>>) {
        let noted = Arc::<std::sync::Mutex<Vec<_>>>::default();
        let note = Arc::clone(&noted);
        (Services::new(move |name| note.lock().unwrap().push(name)), noted)
    }

    async fn until_stop(mut stop: Stop) {
        let _ = stop.wait_for(Option::is_some).await;
    }

    #[tokio::test]
    async fn m_dlv_11_a_service_that_ends_by_itself_is_named() {
        for way in ["returns", "fails", "panics"] {
            let (services, noted) = services();
            services.spawn("door", until_stop);
            services.spawn_fallible("deliveries", async move |_| match way {
                "returns" => Ok(()),
                "fails" => Err(std::io::Error::other("no")),
                _ => panic!("as it was told"),
            });
            assert_eq!(
                (services.ended().await, noted.lock().unwrap().as_slice()),
                ("deliveries", &["deliveries"][..]),
                "{way}"
            );
            let stopped = services.stop(Instant::now() + Duration::from_secs(9)).await;
            let text = stopped.err().map(|error| format!("{error:#}"));
            match way {
                "returns" => assert_eq!(text, None),
                "fails" => assert_eq!(text.unwrap(), "the service `deliveries` failed: no"),
                _ => assert!(text.unwrap().contains("`deliveries` panicked")),
            }
        }
    }

    #[tokio::test]
    async fn m_dlv_11_who_is_told_to_end_is_not_missed() {
        let (services, noted) = services();
        services.spawn("door", until_stop);
        services.stop(Instant::now()).await.unwrap();
        assert!(noted.lock().unwrap().is_empty());
    }
}
