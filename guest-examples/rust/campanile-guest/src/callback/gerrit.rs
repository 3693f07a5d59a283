//! The callbacks of Gerrit targets: a review of one build, a word at its start, a review of a whole buildset.

use crate::bindings::gerrit::{BuildInfo, Label, Review};
use crate::bindings::types::{Build, Results};

/// What a review of one build is made from.
#[derive(Clone, Debug)]
pub struct ReviewRequest {
    /// Name of the builder.
    pub builder: String,
    /// The build as it was when it finished.
    pub build: Build,
    /// Its outcome.
    pub results: Results,
    /// The settings' `reviewArg`, as JSON.
    pub arg: Option<String>,
}

/// What a word at the start of a build is made from.
#[derive(Clone, Debug)]
pub struct StartRequest {
    /// Name of the builder.
    pub builder: String,
    /// The build as it was when it began.
    pub build: Build,
    /// The settings' `startArg`, as JSON.
    pub arg: Option<String>,
}

/// What a review of a whole buildset is made from.
#[derive(Clone, Debug)]
pub struct SummaryRequest {
    /// Its builds.
    pub builds: Vec<BuildInfo>,
    /// Outcome of all of them together.
    pub results: Results,
    /// The settings' `summaryArg`, as JSON.
    pub arg: Option<String>,
}

impl Review {
    /// A review with one vote.
    pub fn vote(message: impl Into<String>, label: impl Into<String>, score: i32) -> Self {
        Self { message: message.into(), labels: vec![Label { name: label.into(), score }] }
    }
}

/// Exports `fn(&ReviewRequest, &dyn Status) -> Result<Option<Review>, String>` as a `reviewCB`.
#[macro_export]
macro_rules! review_callback {
    ($review:path) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use $crate::bindings::gerrit_review;
            use $crate::bindings::gerrit_review::exports::campanile::notifier::review_callback;

            struct Callback;

            impl review_callback::Guest for Callback {
                fn review_build(
                    builder: String,
                    build: $crate::Build,
                    results: $crate::Results,
                    arg: Option<String>,
                ) -> Result<Option<$crate::Review>, String> {
                    $crate::report_panics();
                    $review(&$crate::ReviewRequest { builder, build, results, arg }, &$crate::Engine)
                }
            }

    gerrit_review::export!(Callback with_types_in gerrit_review);
        };
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn(&$crate::ReviewRequest, &dyn $crate::Status) -> Result<Option<$crate::Review>, String> =
            $review;
    };
}

/// Exports `fn(&StartRequest, &dyn Status) -> Result<Option<String>, String>` as a `startCB`.
#[macro_export]
macro_rules! start_callback {
    ($announce:path) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use $crate::bindings::gerrit_start;
            use $crate::bindings::gerrit_start::exports::campanile::notifier::start_callback;

            struct Callback;

            impl start_callback::Guest for Callback {
                fn announce_start(
                    builder: String,
                    build: $crate::Build,
                    arg: Option<String>,
                ) -> Result<Option<String>, String> {
                    $crate::report_panics();
                    $announce(&$crate::StartRequest { builder, build, arg }, &$crate::Engine)
                }
            }

    gerrit_start::export!(Callback with_types_in gerrit_start);
        };
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn(&$crate::StartRequest, &dyn $crate::Status) -> Result<Option<String>, String> = $announce;
    };
}

/// Exports `fn(&SummaryRequest, &dyn Status) -> Result<Option<Review>, String>` as a `summaryCB`.
#[macro_export]
macro_rules! summary_callback {
    ($summarize:path) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use $crate::bindings::gerrit_summary;
            use $crate::bindings::gerrit_summary::exports::campanile::notifier::summary_callback;

            struct Callback;

            impl summary_callback::Guest for Callback {
                fn summarize(
                    builds: Vec<$crate::BuildInfo>,
                    results: $crate::Results,
                    arg: Option<String>,
                ) -> Result<Option<$crate::Review>, String> {
                    $crate::report_panics();
                    $summarize(&$crate::SummaryRequest { builds, results, arg }, &$crate::Engine)
                }
            }

    gerrit_summary::export!(Callback with_types_in gerrit_summary);
        };
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn(&$crate::SummaryRequest, &dyn $crate::Status) -> Result<Option<$crate::Review>, String> =
            $summarize;
    };
}
