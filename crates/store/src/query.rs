//! Queries of lists: filters, and pages that go from the newest to older ones.

use super::DeliveryState;
use campanile_model::Timestamp;

/// One page of a list, newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Greatest number of rows.
    pub limit: u32,
    /// Only rows older than this number or id; none for the newest.
    pub before: Option<i64>,
}

/// Query of builds. Without a builder they are listed by when they became known, and `page.before` is the number of rows
/// to pass over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildQuery {
    /// Only this builder's; `page.before` is then a build number.
    pub builder: Option<String>,
    /// Page of the result.
    pub page: Page,
}

/// Query of a tenant's deliveries; all filters must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryQuery {
    /// Only those in this state.
    pub state: Option<DeliveryState>,
    /// Only this target's.
    pub target: Option<String>,
    /// Only those of this event.
    pub event: Option<i64>,
    /// Only those whose age counts from this time or a later one.
    pub since: Option<Timestamp>,
    /// Only those whose age counts from before this time.
    pub until: Option<Timestamp>,
    /// Page of the result; `before` is a delivery id.
    pub page: Page,
}
