//! The projection of events to builders, builds, steps, changes and logs, in memory: `append` fills it with all that a
//! group of batches touches, applies their events, and writes what changed.
//!
//! In memory, because in a group of batches later events build on earlier ones: a build that starts and ends in one group
//! is written once.
//!
//! Invariant: no I/O. Everything that `apply` looks at was loaded before; what is not there does not exist. An event of
//! a new kind must therefore be named in `append::Needs` too, or its rows are taken for new ones and replaced.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use super::merge;
use campanile_model::{
    Build, BuildId, BuildRequest, Builder, BuilderState, Buildset, Change, Event, LogChannel, LogRef, Step,
    Timestamp, Worker,
};

/// Key of a build: tenant, builder, number.
pub(super) type BuildKey = (String, String, i64);

/// Key of another row: tenant, and its name or number.
pub(super) type TenantKey<K> = (String, K);

/// A build that is touched.
#[derive(Debug, Default)]
pub(super) struct BuildSlot {
    /// Row of the database.
    pub(super) id: i64,
    pub(super) finished: bool,
    /// The build, loaded only when some event needs it.
    pub(super) build: Option<Build>,
    pub(super) dirty: bool,
    pub(super) steps: Vec<StepSlot>,
    /// True if it ended in this group: its rows in `steps` have become part of it, and go.
    pub(super) ended: bool,
}

/// A step of a running build; `event` and `place` are its order of appearance.
#[derive(Debug)]
pub(super) struct StepSlot {
    pub(super) event: i64,
    pub(super) place: i64,
    pub(super) step: Step,
    pub(super) dirty: bool,
}

/// A builder that is touched; `None` is a row to delete, or that there is not yet.
#[derive(Debug)]
pub(super) struct BuilderSlot {
    pub(super) builder: Option<Builder>,
    pub(super) dirty: bool,
}

/// Text for a log, in order.
pub(super) type LogText = Vec<(LogChannel, String)>;

/// Texts by row of the build, step and name of the log.
pub(super) type LogTexts = BTreeMap<(i64, String, String), LogText>;

/// All rows that a group of batches looks at and changes.
#[derive(Debug, Default)]
pub(super) struct Projection {
    /// Row for the next new build.
    pub(super) next_build: i64,
    pub(super) builds: HashMap<BuildKey, BuildSlot>,
    pub(super) builders: HashMap<TenantKey<String>, BuilderSlot>,
    /// Number of the next change by tenant.
    pub(super) next_change: HashMap<String, u64>,
    /// Tenant, change, and number of the first change of the batch.
    pub(super) changes: Vec<(String, Change, u64)>,
    /// Number of the first change of the batch at hand; changes of one batch were told of together.
    pub(super) first_of_batch: Option<u64>,
    /// Completeness and data; those that did not change have no data.
    pub(super) buildsets: HashMap<TenantKey<u64>, (bool, Option<Buildset>)>,
    pub(super) requests: HashMap<TenantKey<u64>, BuildRequest>,
    pub(super) workers: HashMap<TenantKey<String>, Worker>,
    /// Texts to append.
    pub(super) logs: LogTexts,
}

/// Makes the key of a build.
pub(super) fn key(tenant: &str, id: &BuildId) -> BuildKey {
    (tenant.to_owned(), id.builder.clone(), id.number.cast_signed())
}

impl Projection {
    /// Applies an event. Returns it as it is to be stored and told of, completed with what was known before; none if it
    /// repeats a known fact.
    pub(super) fn apply<'e>(
        &mut self,
        tenant: &str,
        event: &'e Event,
        event_id: i64,
        now: Timestamp,
    ) -> Option<Cow<'e, Event>> {
        match event {
            Event::BuilderAdded { builder } => {
                let slot = BuilderSlot { builder: Some(builder.clone()), dirty: true };
                self.builders.insert((tenant.to_owned(), builder.name.clone()), slot);
            }
            Event::BuilderRemoved { builder } => {
                let slot = BuilderSlot { builder: None, dirty: true };
                self.builders.insert((tenant.to_owned(), builder.clone()), slot);
            }
            Event::BuilderChangedState { builder, state } => {
                let slot = self.builder(tenant, builder);
                if let Some(builder) = &mut slot.builder {
                    builder.state = *state;
                    slot.dirty = true;
                }
            }
            Event::BuildsetSubmitted { buildset } => {
                let mut buildset = buildset.clone();
                merge::date_changes(&mut buildset.source_stamps, &[], now);
                let slot = self.buildsets.entry((tenant.to_owned(), buildset.bsid)).or_default();
                // A late `submitted` must not reopen what is complete: its end would be told twice.
                if !slot.0 {
                    *slot = (buildset.complete, Some(buildset.clone()));
                }
                return Some(Cow::Owned(Event::BuildsetSubmitted { buildset }));
            }
            Event::BuildsetComplete { buildset } => {
                let slot = self.buildsets.entry((tenant.to_owned(), buildset.bsid)).or_default();
                if slot.0 {
                    return None;
                }
                let mut buildset = buildset.clone();
                merge::date_changes(&mut buildset.source_stamps, &[], now);
                *slot = (true, Some(Buildset { complete: true, ..buildset.clone() }));
                return Some(Cow::Owned(Event::BuildsetComplete { buildset }));
            }
            Event::RequestSubmitted { request } | Event::RequestCancelled { request } => {
                self.requests.insert((tenant.to_owned(), request.brid), request.clone());
            }
            Event::BuildStarted { build } => return self.start(tenant, build, event_id, now),
            Event::BuildFinished { build } => return self.finish(tenant, build, now),
            Event::StepStarted { build, step } => {
                let mut step = step.clone();
                step.started = step.started.or(Some(now));
                self.step(tenant, build, event_id, step);
            }
            Event::StepFinished { build, step } => {
                let mut step = step.clone();
                step.finished = step.finished.or(Some(now));
                self.step(tenant, build, event_id, step);
            }
            Event::StepTextChanged { build, step, text } => {
                let step = Step { name: step.clone(), text: text.clone(), ..Step::default() };
                self.step(tenant, build, event_id, step);
            }
            Event::StepText2Changed { build, step, text2 } => {
                let step = Step { name: step.clone(), text2: text2.clone(), ..Step::default() };
                self.step(tenant, build, event_id, step);
            }
            Event::LogStarted { log } => drop(self.log(tenant, log)),
            Event::LogChunk { log, channel, text } => {
                self.log(tenant, log).push((*channel, text.clone()));
            }
            Event::ChangeAdded { change } => {
                let number = self.next_change.entry(tenant.to_owned()).or_insert(1);
                let mut change = change.clone();
                change.number = *number;
                *number += 1;
                if !change.when.is_known() {
                    change.when = now;
                }
                change.clamp_time(now);
                let first = *self.first_of_batch.get_or_insert(change.number);
                self.changes.push((tenant.to_owned(), (*change).clone(), first));
                return Some(Cow::Owned(Event::ChangeAdded { change }));
            }
            Event::WorkerConnected { worker } => {
                self.worker(tenant, Worker { connected: true, ..worker.clone() });
            }
            Event::WorkerDisconnected { worker } | Event::WorkerMissing { worker } => {
                self.worker(tenant, Worker { connected: false, ..worker.clone() });
            }
            Event::WorkerPaused { worker } => {
                self.worker(tenant, Worker { paused: true, ..worker.clone() });
            }
            Event::WorkerUnpaused { worker } => {
                self.worker(tenant, Worker { paused: false, ..worker.clone() });
            }
            // Estimates are of no use later; and a log's end, or the engine's, changes nothing that is kept.
            Event::BuildEtaUpdate { .. }
            | Event::StepEtaUpdate { .. }
            | Event::LogFinished { .. }
            | Event::Start {}
            | Event::Shutdown {} => {}
        }
        Some(Cow::Borrowed(event))
    }

    /// Starts a build; none if it runs already, which a second start only completes (M-EV-09), or has ended, as when its
    /// events come out of order.
    fn start<'e>(
        &mut self,
        tenant: &str,
        event: &Build,
        event_id: i64,
        now: Timestamp,
    ) -> Option<Cow<'e, Event>> {
        let mut build = event.clone();
        let steps = std::mem::take(&mut build.steps);
        let tags = self.tags(tenant, &build.builder);
        let slot = self.build(tenant, &build.id());
        if slot.finished {
            return None;
        }
        let known = slot.build.take().unwrap_or_else(|| Build::new(&build.builder, build.number));
        // Nothing but a start gives a running build one: what only its steps and logs told of has none yet.
        let first_start = known.started;
        merge::date_changes(&mut build.source_stamps, &known.source_stamps, now);
        merge::complete_build(&mut build, known);
        if build.tags.is_empty() {
            build.tags = tags;
        }
        // It runs, whatever it says: with an end of its own it would be finished without `buildFinished` ever being
        // told of.
        (build.finished, build.results) = (None, None);
        for (place, step) in (0..).zip(steps) {
            slot.merge_step(step, event_id, place);
        }
        let first_step = slot.steps.iter().filter_map(|slot| slot.step.started).min();
        // A second start's time would make the build shorter than it is.
        build.started = first_start.or(build.started).or(first_step).or(Some(now));
        slot.build = Some(build.clone());
        slot.dirty = true;
        if first_start.is_some() {
            return None;
        }
        build.steps = slot.steps.iter().map(|slot| slot.step.clone()).collect();
        Some(Cow::Owned(Event::BuildStarted { build: Box::new(build) }))
    }

    /// Ends a build; none if it has ended before (M-EV-04). Its start stays unknown if nobody told of it (M-B-08).
    fn finish<'e>(&mut self, tenant: &str, event: &Build, now: Timestamp) -> Option<Cow<'e, Event>> {
        let mut build = event.clone();
        let tags = self.tags(tenant, &build.builder);
        let slot = self.build(tenant, &build.id());
        if slot.finished {
            return None;
        }
        let known = slot.build.take().unwrap_or_else(|| Build::new(&build.builder, build.number));
        merge::date_changes(&mut build.source_stamps, &known.source_stamps, now);
        merge::complete_build(&mut build, known);
        build.finished = build.finished.or(Some(now));
        let steps = std::mem::take(&mut slot.steps);
        if build.steps.is_empty() {
            build.steps = steps.into_iter().map(|slot| slot.step).collect();
        }
        build.started = build.started.or_else(|| build.first_step_started());
        if build.tags.is_empty() {
            build.tags = tags;
        }
        (slot.finished, slot.ended, slot.dirty) = (true, true, true);
        slot.build = Some(build.clone());
        Some(Cow::Owned(Event::BuildFinished { build: Box::new(build) }))
    }

    /// The tags of its builder, which a build without tags has; asked for once more at its end, when they may be known.
    fn tags(&self, tenant: &str, builder: &str) -> Vec<String> {
        let slot = self.builders.get(&(tenant.to_owned(), builder.to_owned()));
        slot.and_then(|slot| slot.builder.as_ref()).map(|builder| builder.tags.clone()).unwrap_or_default()
    }

    /// Finds the slot of a build; of one that nobody told of only the name is known.
    fn build(&mut self, tenant: &str, id: &BuildId) -> &mut BuildSlot {
        let key = key(tenant, id);
        if !self.builds.contains_key(&key) {
            self.builder(tenant, &id.builder);
            let build = Some(Build::new(&id.builder, id.number));
            let slot = BuildSlot { id: self.next_build, build, dirty: true, ..BuildSlot::default() };
            self.next_build += 1;
            self.builds.insert(key.clone(), slot);
        }
        self.builds.entry(key).or_default()
    }

    /// Finds the slot of a builder; one that nobody told of exists by its name alone.
    fn builder(&mut self, tenant: &str, name: &str) -> &mut BuilderSlot {
        let slot = self
            .builders
            .entry((tenant.to_owned(), name.to_owned()))
            .or_insert(BuilderSlot { builder: None, dirty: false });
        if slot.builder.is_none() {
            // It builds, so it is not offline, whatever else is unknown.
            let state = BuilderState::Idle;
            slot.builder = Some(Builder { name: name.to_owned(), state, ..Builder::default() });
            slot.dirty = true;
        }
        slot
    }

    /// Takes a worker as it is told of.
    fn worker(&mut self, tenant: &str, worker: Worker) {
        self.workers.insert((tenant.to_owned(), worker.name.clone()), worker);
    }

    /// Takes news of a step.
    fn step(&mut self, tenant: &str, build: &BuildId, event_id: i64, step: Step) {
        let slot = self.build(tenant, build);
        // What a finished build came to stays as it was told (M-CB-01).
        if !slot.finished {
            slot.merge_step(step, event_id, 0);
        }
    }

    /// Finds the text of a log, which exists from now on.
    fn log(&mut self, tenant: &str, log: &LogRef) -> &mut LogText {
        let build = self.build(tenant, &log.build).id;
        self.logs.entry((build, log.step.clone(), log.log.clone())).or_default()
    }
}

impl BuildSlot {
    /// Adds a step, or completes the one of this name. Names are few, so they are looked through.
    fn merge_step(&mut self, mut step: Step, event: i64, place: i64) {
        match self.steps.iter_mut().find(|slot| slot.step.name == step.name) {
            Some(slot) => {
                merge::complete_step(&mut step, std::mem::take(&mut slot.step));
                (slot.step, slot.dirty) = (step, true);
            }
            None => self.steps.push(StepSlot { event, place, step, dirty: true }),
        }
    }
}
