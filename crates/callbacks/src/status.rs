//! The engine's facts about one tenant: the `master_status` of Buildbot's callbacks.
//!
//! Targets read through the same door as guests do, so that both see the same builds and logs.

use async_trait::async_trait;

use super::CallRecord;
use campanile_model::{Build, BuildId, Builder, Buildset, LogRef, LogSummary};

/// Facts of one tenant: its builds and logs, its title and pages.
#[async_trait]
pub trait Status: Send + Sync {
    /// Title of the installation.
    fn title(&self) -> &str;
    /// Address that its pages start with, with a final slash.
    fn url(&self) -> Option<&str>;
    /// Page of a build (M-URL-02), if pages are known.
    fn url_for(&self, id: &BuildId) -> Option<String>;
    /// Link to a build's page: the one that it came with, if that may be linked (M-URL-04, M-URL-07), else as pages are
    /// known.
    fn url_of(&self, build: &Build) -> Option<String> {
        build.link().map(str::to_owned).or_else(|| self.url_for(&build.id()))
    }
    /// Link to a log's page, by the same rule.
    fn url_of_log(&self, log: &LogSummary, place: &LogRef) -> Option<String> {
        log.link().map(str::to_owned).or_else(|| self.log_url_for(place))
    }
    /// Page of a build request (M-URL-02), if there are such pages.
    fn url_for_request(&self, brid: u64) -> Option<String> {
        let _ = brid;
        None
    }
    /// Page of a step's log: the build's page with `/steps/STEP/logs/LOG` (M-URL-03).
    fn log_url_for(&self, log: &LogRef) -> Option<String>;
    /// A finished or running build.
    async fn build(&self, id: &BuildId) -> Result<Option<Build>, StatusError>;
    /// Finished builds of the same builder with a lower number, newest first, RETRY left out (M-18).
    async fn earlier_builds(&self, before: &BuildId, limit: u32) -> Result<Vec<Build>, StatusError>;
    /// Builders sorted by name, naturally (M-BLD-08).
    async fn builders(&self) -> Result<Vec<Builder>, StatusError>;
    /// Builds of a builder that have not finished, lowest number first.
    async fn running_builds(&self, builder: &str) -> Result<Vec<Build>, StatusError>;
    /// The builder's finished build with the highest number, RETRY left out (M-BLD-07).
    async fn last_build(&self, builder: &str) -> Result<Option<Build>, StatusError> {
        let after_all = BuildId { builder: builder.to_owned(), number: u64::MAX };
        Ok(self.earlier_builds(&after_all, 1).await?.pop())
    }
    /// Finished builds of a buildset: by their first request, then by number (M-22).
    async fn builds_of_buildset(&self, bsid: u64) -> Result<Vec<Build>, StatusError>;
    /// A buildset as it was submitted, or as it was when it was complete.
    async fn buildset(&self, bsid: u64) -> Result<Option<Buildset>, StatusError>;
    /// The last lines of a log without header lines, at most `max_bytes`.
    async fn log_tail(
        &self,
        log: &LogRef,
        lines: u32,
        max_bytes: usize,
    ) -> Result<Option<String>, StatusError>;
    /// A part of a log without header lines.
    async fn log_read(&self, log: &LogRef, offset: u64, limit: usize)
    -> Result<Option<Vec<u8>>, StatusError>;
    /// Takes the record of a call, for the tenant's callback log and the metrics. Quick, and never fails.
    fn record(&self, call: CallRecord);
}

/// The store behind it did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StatusError(pub String);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sample;

    #[test]
    fn m_url_04_m_url_07_the_senders_own_page_wins_if_it_may_be_linked() {
        let sample = Sample::bundled();
        let mut build = Build::new("b", 1);
        let known = sample.url_for(&build.id());
        assert!(known.as_deref().is_some_and(|url| url.ends_with("builders/b/builds/1")), "{known:?}");
        for (url, link) in [
            (None, known.as_deref()),
            (Some("http://elsewhere/"), Some("http://elsewhere/")),
            (Some("javascript:alert(1)"), known.as_deref()),
            (Some("/job/1"), known.as_deref()),
        ] {
            build.url = url.map(str::to_owned);
            assert_eq!(sample.url_of(&build).as_deref(), link, "{url:?}");
        }
        let place = LogRef { build: build.id(), step: "s".to_owned(), log: "stdio".to_owned() };
        let log = LogSummary { url: Some("data:text/html,x".to_owned()), ..LogSummary::default() };
        assert_eq!(sample.url_of_log(&log, &place), sample.log_url_for(&place));
    }
}
