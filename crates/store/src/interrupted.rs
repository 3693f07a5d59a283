//! Work that was under way when the engine died, as a start finds it.

use super::DeliveryId;

/// Code of deliveries that were set aside because the engine died of them.
pub const POISON: &str = "poison";

/// Deliveries that an earlier run of the same name had leased and never ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TakenOver {
    /// Number of those that wait again. Whoever claims one must begin it alone ([`Store::begin_suspect`]).
    ///
    /// [`Store::begin_suspect`]: super::Store::begin_suspect
    pub suspects: u64,
    /// Those that the earlier run died of for the second time: they are dead.
    pub poisoned: Vec<Poisoned>,
}

/// A delivery that was set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poisoned {
    /// Tenant whose delivery it is.
    pub tenant: String,
    /// The delivery.
    pub delivery: DeliveryId,
    /// Name of its target.
    pub target: String,
}
