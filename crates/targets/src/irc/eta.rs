//! Expected ends of running builds, as the last good ones tell (I-CMD-09, I-CMD-12, I-CMD-40).

use std::time::Duration;

use campanile_callbacks::{Status, StatusError};
use campanile_model::{Build, Results, now};

/// So many builds are looked at.
const EARLIER: u32 = 5;

/// Reckons what is left of the usual time; none if there were no good builds before.
pub(super) async fn expected(build: &Build, status: &dyn Status) -> Result<Option<Duration>, StatusError> {
    let earlier = status.earlier_builds(&build.id(), EARLIER).await?;
    let good = |build: &&Build| matches!(build.results, Some(Results::Success | Results::Warnings));
    let lengths: Vec<Duration> =
        earlier.iter().filter(good).filter_map(|build| Some(build.finished?.since(build.started))).collect();
    let Ok(count @ 1..) = u32::try_from(lengths.len()) else { return Ok(None) };
    let usual = lengths.iter().sum::<Duration>() / count;
    Ok(Some(usual.saturating_sub(now().since(build.started))))
}
