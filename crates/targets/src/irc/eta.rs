//! Expected ends of running builds, as the last good ones tell (I-CMD-09, I-CMD-12, I-CMD-40).

use std::time::Duration;

use campanile_callbacks::{Status, StatusError};
use campanile_model::{Build, Results, now};

/// So many builds are looked at.
const EARLIER: u32 = 5;

/// Reckons what is left of the usual time; none if there were no good builds before, or its start is not known.
pub(super) async fn expected(build: &Build, status: &dyn Status) -> Result<Option<Duration>, StatusError> {
    let earlier = status.earlier_builds(&build.id(), EARLIER).await?;
    let good = |build: &&Build| matches!(build.results, Some(Results::Success | Results::Warnings));
    let lengths: Vec<Duration> = earlier.iter().filter(good).filter_map(Build::duration).collect();
    let Ok(count @ 1..) = u32::try_from(lengths.len()) else { return Ok(None) };
    let usual = lengths.iter().sum::<Duration>() / count;
    Ok(build.started.map(|started| usual.saturating_sub(now().since(started))))
}

#[cfg(test)]
mod tests {
    use campanile_callbacks::Sample;

    use super::*;

    #[tokio::test]
    async fn i_cmd_12_no_eta_without_a_start() {
        let sample = Sample::bundled();
        let mut build = Build { started: Some(now()), finished: None, results: None, ..sample.build.clone() };
        // Of a start that nobody told no end can be reckoned.
        let with = expected(&build, &sample).await.unwrap();
        build.started = None;
        assert_eq!((with.is_some(), expected(&build, &sample).await.unwrap()), (true, None));
    }
}
