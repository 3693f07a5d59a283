//! What can be asked of lists: newest first, so many, before a known one.

use super::DeliveryState;

/// How many of a list, and from where on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// At most so many.
    pub limit: u32,
    /// Only those older than this number or id.
    pub before: Option<i64>,
}

/// Which builds. Without a builder they are listed by when they became known, and `before` counts in those rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildQuery {
    /// Only this builder's; `page.before` is then a build number.
    pub builder: Option<String>,
    /// How many.
    pub page: Page,
}

/// Which deliveries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryQuery {
    /// Only those in this state.
    pub state: Option<DeliveryState>,
    /// Only this target's.
    pub target: Option<String>,
    /// Only those of this event.
    pub event: Option<i64>,
    /// How many; `before` is a delivery id.
    pub page: Page,
}
