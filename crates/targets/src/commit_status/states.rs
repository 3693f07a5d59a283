//! States of commits: a forge's names for them, and which result of a build is which (GS-MAP).

use std::collections::BTreeMap;

use campanile_model::Results;

/// Tells the state that a result is.
pub(super) type StateOf = fn(Results) -> &'static str;

/// A forge's names for the states of a commit.
pub(super) struct StateNames {
    /// All that settings may name.
    pub(super) states: &'static [&'static str],
    /// Those of what isn't over: a later status takes their place before they are sent.
    pub(super) transient: &'static [&'static str],
    /// The state of a build that was asked for.
    pub(super) requested: &'static str,
    /// The state of one that runs.
    pub(super) running: &'static str,
    /// The state of one that ended in no known way.
    pub(super) unknown: &'static str,
    /// From results to states, by the names that `state_mapping` may have; the first is the default.
    pub(super) mappings: &'static [(&'static str, StateOf)],
}

/// The state of each result, as the settings have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mapping {
    states: BTreeMap<&'static str, &'static str>,
    unknown: &'static str,
}

impl Mapping {
    /// Takes all of a forge's mapping over (GS-MAP-01).
    pub(super) fn new(names: &StateNames, state: Option<StateOf>) -> Self {
        let states =
            |state: StateOf| Results::ALL.iter().map(|results| (results.name(), state(*results))).collect();
        Self { states: state.map(states).unwrap_or_default(), unknown: names.unknown }
    }

    /// Gives one result another state (GS-MAP-02).
    pub(super) fn set(&mut self, results: Results, state: &'static str) {
        self.states.insert(results.name(), state);
    }

    /// Tells the state of a build that ended.
    pub(super) fn state(&self, results: Option<Results>) -> &'static str {
        results.and_then(|results| self.states.get(results.name()).copied()).unwrap_or(self.unknown)
    }
}
