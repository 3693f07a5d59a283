//! Slots: the attempts that may be under way at once, of the engine, of each tenant, and of each target.

use std::collections::BTreeMap;

use super::Tenants;

/// Attempts of a target at once that says nothing of it itself.
const TARGET_SLOTS: usize = 8;

/// The slots that there are; with others beside it a tenant may have fewer.
pub(super) struct Slots {
    /// All together.
    pub(super) engine: usize,
    pub(super) tenants: BTreeMap<String, TenantSlots>,
}

/// A tenant's slots.
#[derive(Debug)]
pub(super) struct TenantSlots {
    /// All together.
    pub(super) max: usize,
    /// Of each target that `targets` does not name.
    pub(super) each: usize,
    pub(super) targets: BTreeMap<String, usize>,
}

impl TenantSlots {
    pub(super) fn new(max: usize) -> Self {
        Self { max, each: TARGET_SLOTS.min(max), targets: BTreeMap::new() }
    }

    pub(super) fn of(&self, target: &str) -> usize {
        self.targets.get(target).copied().unwrap_or(self.each)
    }
}

impl Slots {
    /// A target's slots.
    pub(super) fn of(&self, tenant: &str, target: &str) -> usize {
        self.of_tenant(tenant).of(target)
    }

    /// Leaves a target `most` slots.
    pub(super) fn limit(&mut self, tenant: &str, target: &str, most: usize) {
        let most = self.of(tenant, target).min(most);
        if let Some(slots) = self.tenants.get_mut(tenant) {
            slots.targets.insert(target.to_owned(), most);
        }
    }

    /// A tenant's slots. One that has just gone may finish what was claimed of it, one by one.
    pub(super) fn of_tenant(&self, tenant: &str) -> &TenantSlots {
        static OF_GONE: TenantSlots = TenantSlots { max: 1, each: 1, targets: BTreeMap::new() };
        self.tenants.get(tenant).unwrap_or(&OF_GONE)
    }
}

impl Tenants {
    /// Shares `concurrency` slots out. With others beside it, even the operator's own tenant leaves some: no limit of its
    /// settings binds it, and news of all its builds would take all slots.
    pub(super) fn slots(&self, concurrency: usize) -> Slots {
        let mut all = self.iter();
        let own_max = if self.iter().count() == 1 { concurrency } else { concurrency - concurrency / 4 };
        let maxima = std::iter::once(own_max).chain(std::iter::repeat(concurrency));
        let tenants = all.by_ref().zip(maxima).map(|(tenant, max)| {
            let max = tenant.limits().in_flight.unwrap_or(max).clamp(1, max.max(1));
            let of_target = |slots: usize| slots.clamp(1, max);
            let targets = tenant.targets().iter();
            let targets = targets
                .filter_map(|target| Some((target.name().to_owned(), of_target(target.max_in_flight()?))));
            (tenant.name().to_owned(), TenantSlots { targets: targets.collect(), ..TenantSlots::new(max) })
        });
        Slots { engine: concurrency, tenants: tenants.collect() }
    }
}
