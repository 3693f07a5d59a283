//! Claims: as many deliveries of each target as there are slots for, and when there will be something to claim.

use std::collections::BTreeMap;

use campanile_model::Timestamp;

/// Greatest numbers of deliveries to claim, by tenant; none of the tenants that are not named.
pub type ClaimQuota = BTreeMap<String, TenantQuota>;

/// Greatest numbers of deliveries to claim of a tenant's targets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TenantQuota {
    /// Of each target that `targets` does not name. The store may know some that the settings don't.
    pub each: u32,
    /// Of some targets, by name.
    pub targets: BTreeMap<String, u32>,
}

impl TenantQuota {
    /// The same number of each target.
    #[must_use]
    pub fn each(each: u32) -> Self {
        Self { each, targets: BTreeMap::new() }
    }

    /// The number of deliveries to claim of a target.
    #[must_use]
    pub fn of(&self, target: &str) -> u32 {
        self.targets.get(target).copied().unwrap_or(self.each)
    }

    /// True if nothing may be claimed of any target.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.each == 0 && self.targets.values().all(|quota| *quota == 0)
    }
}

/// A target that deliveries wait for, and the time at which the next one of them is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetDue {
    /// Tenant whose target it is.
    pub tenant: String,
    /// The target's name.
    pub target: String,
    /// End of a wait, or of a lease.
    pub due: Timestamp,
}
