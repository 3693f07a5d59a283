//! Appends: loads all rows that a group of batches touches, projects their events in memory, writes the rows that
//! changed.
//!
//! Each table costs one statement for the whole group: rows go in and out as one JSON array (`json_each`), because a
//! statement's round trip to SQLite's thread costs more than the row. Joins with such an array are `CROSS JOIN`s: SQLite
//! then takes the array first and finds each of its rows by a key, whatever it thinks of their numbers.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use serde::Serialize;
use sqlx::sqlite::SqliteConnection;

use super::logs::PlainChunk;
use super::next_id::next_id;
use super::projection::{BuildKey, BuildSlot, BuilderSlot, LogTexts, Projection, StepSlot, key};
use super::queues::Queues;
use super::statement_batch::StatementBatch;
use super::{StoreOptions, deliveries, logs, polls};
use crate::{Appended, Batch, StoreError, StoredDelivery, parse};
use campanile_model::{Event, Timestamp};

/// Time for which the key of a batch is known (H-XALL-01).
const DEDUP: Duration = Duration::from_secs(24 * 3600);

/// Stores batches of tenants in order; one result each. Chunks of logs that are to be compressed are added to `full`.
pub(super) async fn append(
    tx: &mut SqliteConnection,
    batches: &[(&str, &Batch, Timestamp)],
    options: &StoreOptions,
    full: &mut Vec<PlainChunk>,
) -> Result<Vec<Appended>, StoreError> {
    if batches.is_empty() {
        return Ok(Vec::new());
    }
    let mut known_keys = load_dedup_keys(tx, batches).await?;
    let (mut projection, mut next_event, first_delivery) = load(tx, batches).await?;
    let mut queues = Queues::load(tx, batches).await?;
    let (mut events, mut deliveries, mut keyed) = (Vec::new(), Vec::new(), false);
    let mut next_delivery = first_delivery;
    let mut new_keys = Vec::new();
    let mut seen = BTreeMap::new();
    let mut results = Vec::with_capacity(batches.len());
    for (place, &(tenant, batch, now)) in batches.iter().enumerate() {
        if let Some(key) = &batch.dedup_key {
            let known = known_keys.entry((tenant.to_owned(), key.clone()));
            let last = known.or_insert(Timestamp::from_micros(i64::MIN));
            if *last > Timestamp::from_micros(i64::MIN) && now.since(*last) < DEDUP {
                results.push(Appended::Duplicate);
                continue;
            }
            // Known from here on, so that its twin in the same group is a duplicate too.
            *last = now;
            new_keys.push((tenant, key, now.as_micros()));
        }
        if let Some(looked) = &batch.seen {
            seen.insert((tenant, looked.poller.as_str()), looked);
        }
        projection.first_of_batch = None;
        let trace = batch.trace.map(|trace| trace.to_string());
        let mut ids = Vec::with_capacity(batch.events.len());
        let mut stored = Vec::new();
        for incoming in &batch.events {
            // A repeated fact has no deliveries either: people would be told twice.
            let Some(event) = projection.apply(tenant, &incoming.event, next_event, now) else {
                ids.push(None);
                continue;
            };
            let subject = event.subject();
            events.push((next_event, tenant, event.name(), subject, now.as_micros(), json(event.as_ref())));
            for delivery in &incoming.deliveries {
                keyed |= delivery.ordering_key.is_some();
                let (target, key) = (&delivery.target, &delivery.ordering_key);
                let number = queues.number(tenant, delivery, place, now);
                let due = delivery.queue.map_or(now, |queue| now.after(queue.delay)).as_micros();
                let row = (
                    next_delivery,
                    tenant,
                    next_event,
                    target,
                    key,
                    now.as_micros(),
                    due,
                    number,
                    trace.clone(),
                );
                deliveries.push(row);
                stored.push(StoredDelivery { id: next_delivery, event: next_event, target: target.clone() });
                next_delivery += 1;
            }
            ids.push(Some(next_event));
            next_event += 1;
        }
        results.push(Appended::Stored { ids, deliveries: stored, dropped: Vec::new() });
    }
    let mut writes = StatementBatch::default();
    writes.put(
        "INSERT INTO events (id, tenant, name, subject, at, payload) \
             SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5 FROM json_each(?)",
        &events,
    );
    writes.put(
        "INSERT INTO deliveries (id, tenant, event, target, ordering_key, state, created, not_before, due, number, \
         traceparent) \
         SELECT value->>0, value->>1, value->>2, value->>3, value->>4, 'waiting', value->>5, value->>6, value->>6, \
         value->>7, value->>8 FROM json_each(?)",
        &deliveries,
    );
    queues.save(&mut writes);
    writes.put("INSERT INTO dedup (tenant, key, at) SELECT value->>0, value->>1, value->>2 FROM json_each(?) WHERE true \
             ON CONFLICT DO UPDATE SET at = excluded.at", &new_keys);
    polls::keep(&seen, &mut writes);
    let logs = save(projection, &mut writes);
    writes.run(tx).await?;
    // Behind the rows, because one that comes right behind another of the same group is blocked by it.
    if keyed {
        deliveries::block_new(tx, first_delivery).await?;
    }
    for (place, new) in queues.make_room(tx).await? {
        if let Some(Appended::Stored { dropped, .. }) = results.get_mut(place) {
            dropped.push(new);
        }
    }
    // Behind the builds, which logs refer to.
    for ((build, step, log), text) in logs {
        logs::append(tx, build, &step, &log, text, options.max_log_bytes, full).await?;
    }
    Ok(results)
}

/// Removes keys of batches that had their day.
pub(super) async fn prune_dedup_keys(tx: &mut SqliteConnection, now: Timestamp) -> Result<(), StoreError> {
    let before = now.as_micros().saturating_sub(i64::try_from(DEDUP.as_micros()).unwrap_or(i64::MAX));
    sqlx::query("DELETE FROM dedup WHERE at <= ?").bind(before).execute(tx).await?;
    Ok(())
}

/// Writes a value as JSON.
pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("the model holds only JSON-able data with text keys")
}

/// Times at which batches with these keys were taken, by tenant and key.
type DedupKeys = HashMap<(String, String), Timestamp>;

async fn load_dedup_keys(
    tx: &mut SqliteConnection,
    batches: &[(&str, &Batch, Timestamp)],
) -> Result<DedupKeys, StoreError> {
    let keys: Vec<_> = batches
        .iter()
        .filter_map(|(tenant, batch, _)| batch.dedup_key.as_ref().map(|key| (tenant, key)))
        .collect();
    if keys.is_empty() {
        return Ok(DedupKeys::new());
    }
    let rows: Vec<(String, String, i64)> = sqlx::query_as(
        "SELECT d.tenant, d.key, d.at FROM json_each(?) j \
         CROSS JOIN dedup d ON d.tenant = j.value->>0 AND d.key = j.value->>1",
    )
    .bind(json(&keys))
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(|(tenant, key, at)| ((tenant, key), Timestamp::from_micros(at))).collect())
}

/// Rows that a group of batches touches.
#[derive(Default)]
struct Needs {
    /// Builds, with the need of the build itself, and the names of the steps; none for all.
    builds: BTreeMap<BuildKey, (bool, Option<BTreeSet<String>>)>,
    builders: HashSet<(String, String)>,
    buildsets: HashSet<(String, u64)>,
    changes: HashSet<String>,
}

impl Needs {
    /// Adds all rows that [`Projection::apply`] looks at for an event.
    fn add(&mut self, tenant: &str, event: &Event) {
        if let Some(id) = event.build_id() {
            self.builders.insert((tenant.to_owned(), id.builder.clone()));
            let (whole, steps) =
                self.builds.entry(key(tenant, &id)).or_insert((false, Some(BTreeSet::new())));
            match event {
                Event::BuildStarted { .. } | Event::BuildFinished { .. } => (*whole, *steps) = (true, None),
                Event::StepStarted { step, .. } | Event::StepFinished { step, .. } => {
                    if let Some(steps) = steps {
                        steps.insert(step.name.clone());
                    }
                }
                Event::StepTextChanged { step, .. } | Event::StepText2Changed { step, .. } => {
                    if let Some(steps) = steps {
                        steps.insert(step.clone());
                    }
                }
                _ => {}
            }
        }
        match event {
            Event::BuilderChangedState { builder, .. } => {
                self.builders.insert((tenant.to_owned(), builder.clone()));
            }
            Event::BuildsetSubmitted { buildset } | Event::BuildsetComplete { buildset } => {
                self.buildsets.insert((tenant.to_owned(), buildset.bsid));
            }
            Event::ChangeAdded { .. } => {
                self.changes.insert(tenant.to_owned());
            }
            _ => {}
        }
    }
}

/// Loads all that the batches touch, and the next free ids of events and deliveries.
async fn load(
    tx: &mut SqliteConnection,
    batches: &[(&str, &Batch, Timestamp)],
) -> Result<(Projection, i64, i64), StoreError> {
    let mut needs = Needs::default();
    for (tenant, batch, _) in batches {
        for incoming in &batch.events {
            needs.add(tenant, &incoming.event);
        }
    }
    // Asked each time and not remembered: another process may write the same file between two transactions.
    let (next_event, next_delivery, next_build): (i64, i64, i64) = sqlx::query_as(concat!(
        "SELECT ",
        next_id!("events"),
        ", ",
        next_id!("deliveries"),
        ", ",
        next_id!("builds")
    ))
    .fetch_one(&mut *tx)
    .await?;
    let mut projection = Projection { next_build, ..Projection::default() };
    if !needs.builders.is_empty() {
        let rows: Vec<(String, String, String)> = sqlx::query_as(
            "SELECT b.tenant, b.name, b.data FROM json_each(?) j \
             CROSS JOIN builders b ON b.tenant = j.value->>0 AND b.name = j.value->>1",
        )
        .bind(json(&needs.builders))
        .fetch_all(&mut *tx)
        .await?;
        for (tenant, name, data) in rows {
            let builder = Some(parse("a builder", &data)?);
            projection.builders.insert((tenant, name), BuilderSlot { builder, dirty: false });
        }
    }
    if !needs.builds.is_empty() {
        load_builds(tx, &needs, &mut projection).await?;
    }
    if !needs.buildsets.is_empty() {
        let keys: Vec<_> =
            needs.buildsets.iter().map(|(tenant, bsid)| (tenant, bsid.cast_signed())).collect();
        let rows: Vec<(String, i64, bool)> = sqlx::query_as(
            "SELECT b.tenant, b.bsid, b.complete FROM json_each(?) j \
             CROSS JOIN buildsets b ON b.tenant = j.value->>0 AND b.bsid = j.value->>1",
        )
        .bind(json(&keys))
        .fetch_all(&mut *tx)
        .await?;
        for (tenant, bsid, complete) in rows {
            projection.buildsets.insert((tenant, bsid.cast_unsigned()), (complete, None));
        }
    }
    if !needs.changes.is_empty() {
        let rows: Vec<(String, i64)> = sqlx::query_as(
            "SELECT j.value, coalesce((SELECT max(number) FROM changes c WHERE c.tenant = j.value), 0) + 1 \
             FROM json_each(?) j",
        )
        .bind(json(&needs.changes))
        .fetch_all(&mut *tx)
        .await?;
        projection.next_change =
            rows.into_iter().map(|(tenant, next)| (tenant, next.cast_unsigned())).collect();
    }
    Ok((projection, next_event, next_delivery))
}

/// Loads builds, and the steps of those that run. The data of a finished one is not needed: nothing changes it.
async fn load_builds(
    tx: &mut SqliteConnection,
    needs: &Needs,
    projection: &mut Projection,
) -> Result<(), StoreError> {
    let keys: Vec<_> = needs
        .builds
        .iter()
        .map(|((tenant, builder, number), (whole, _))| (tenant, builder, number, whole))
        .collect();
    let rows: Vec<(String, String, i64, i64, bool, Option<String>)> = sqlx::query_as(
        "SELECT b.tenant, b.builder, b.number, b.id, b.finished IS NOT NULL, \
         CASE WHEN j.value->>3 AND b.finished IS NULL THEN b.data END FROM json_each(?) j \
         CROSS JOIN builds b ON b.tenant = j.value->>0 AND b.builder = j.value->>1 AND b.number = j.value->>2",
    )
    .bind(json(&keys))
    .fetch_all(&mut *tx)
    .await?;
    let mut steps: Vec<(i64, Option<&str>)> = Vec::new();
    let mut of_row = HashMap::new();
    for (tenant, builder, number, id, finished, data) in rows {
        let key = (tenant, builder, number);
        if !finished && let Some((_, names)) = needs.builds.get(&key) {
            match names {
                None => steps.push((id, None)),
                Some(names) => steps.extend(names.iter().map(|name| (id, Some(name.as_str())))),
            }
        }
        let build = data.map(|data| parse("a build", &data)).transpose()?;
        of_row.insert(id, key.clone());
        projection.builds.insert(key, BuildSlot { id, finished, build, ..BuildSlot::default() });
    }
    if steps.is_empty() {
        return Ok(());
    }
    let rows: Vec<(i64, i64, i64, String)> = sqlx::query_as(
        "SELECT s.build, s.event, s.place, s.data FROM json_each(?) j CROSS JOIN steps s \
         ON s.build = j.value->>0 AND (j.value->>1 IS NULL OR s.name = j.value->>1) \
         ORDER BY s.build, s.event, s.place",
    )
    .bind(json(&steps))
    .fetch_all(&mut *tx)
    .await?;
    for (build, event, place, data) in rows {
        let step = parse("a step", &data)?;
        if let Some(slot) = of_row.get(&build).and_then(|key| projection.builds.get_mut(key)) {
            slot.steps.push(StepSlot { event, place, step, dirty: false });
        }
    }
    Ok(())
}

/// Adds statements for the rows that changed; returns the texts of logs, which are appended behind these.
fn save(projection: Projection, writes: &mut StatementBatch) -> LogTexts {
    let (mut builds, mut ended, mut steps) = (Vec::new(), Vec::new(), Vec::new());
    for ((tenant, builder, number), slot) in &projection.builds {
        if let Some(build) = slot.build.as_ref().filter(|_| slot.dirty) {
            let finished = build.finished.map(Timestamp::as_micros);
            let results = build.results.map(campanile_model::Results::code);
            let buildset = build.buildset.map(u64::cast_signed);
            builds.push((slot.id, tenant, builder, number, finished, results, json(build), buildset));
        }
        if slot.ended {
            ended.push(slot.id);
        }
        for known in slot.steps.iter().filter(|known| known.dirty) {
            steps.push((slot.id, &known.step.name, known.event, known.place, json(&known.step)));
        }
    }
    writes.put("INSERT INTO builds (id, tenant, builder, number, finished, results, data, buildset) SELECT value->>0, \
             value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7 FROM json_each(?) \
             WHERE true ON CONFLICT (id) DO UPDATE SET finished = excluded.finished, results = excluded.results, \
             data = excluded.data, buildset = excluded.buildset", &builds);
    writes.put("DELETE FROM steps WHERE build IN (SELECT value FROM json_each(?))", &ended);
    writes.put(
        "INSERT INTO steps (build, name, event, place, data) \
             SELECT value->>0, value->>1, value->>2, value->>3, value->>4 FROM json_each(?) WHERE true \
             ON CONFLICT DO UPDATE SET data = excluded.data",
        &steps,
    );
    let (mut builders, mut removed) = (Vec::new(), Vec::new());
    for ((tenant, name), slot) in projection.builders.iter().filter(|(_, slot)| slot.dirty) {
        match &slot.builder {
            Some(builder) => builders.push((tenant, name, json(builder))),
            None => removed.push((tenant, name)),
        }
    }
    writes.put(
        "REPLACE INTO builders (tenant, name, data) SELECT value->>0, value->>1, value->>2 FROM json_each(?)",
        &builders,
    );
    writes.put(
        "DELETE FROM builders WHERE (tenant, name) IN (SELECT value->>0, value->>1 FROM json_each(?))",
        &removed,
    );
    let changes: Vec<_> = projection
        .changes
        .iter()
        .map(|(tenant, change, first)| {
            (tenant, change.number.cast_signed(), json(change), first.cast_signed())
        })
        .collect();
    writes.put(
        "INSERT INTO changes (tenant, number, data, told_with) \
             SELECT value->>0, value->>1, value->>2, value->>3 FROM json_each(?)",
        &changes,
    );
    let buildsets: Vec<_> = projection
        .buildsets
        .iter()
        .filter_map(|((tenant, bsid), (complete, data))| {
            data.as_ref().map(|data| (tenant, bsid.cast_signed(), i64::from(*complete), json(data)))
        })
        .collect();
    writes.put(
        // The news of a set's end may leave out its source stamps and properties: what was known of them stays.
        "INSERT INTO buildsets (tenant, bsid, complete, data) \
         SELECT value->>0, value->>1, value->>2, value->>3 FROM json_each(?) WHERE true \
         ON CONFLICT DO UPDATE SET complete = excluded.complete, data = json_set(excluded.data, \
         '$.source_stamps', json(iif(json_array_length(excluded.data, '$.source_stamps') > 0, \
         excluded.data->'source_stamps', buildsets.data->'source_stamps')), \
         '$.properties', json(iif(excluded.data->>'properties' IN ('[]', '{}'), \
         buildsets.data->'properties', excluded.data->'properties')))",
        &buildsets,
    );
    let requests: Vec<_> =
        projection.requests.iter().map(|((tenant, id), r)| (tenant, id.cast_signed(), json(r))).collect();
    writes.put(
        "REPLACE INTO requests (tenant, brid, data) SELECT value->>0, value->>1, value->>2 FROM json_each(?)",
        &requests,
    );
    let workers: Vec<_> =
        projection.workers.iter().map(|((tenant, name), worker)| (tenant, name, json(worker))).collect();
    writes.put(
        "REPLACE INTO workers (tenant, name, data) SELECT value->>0, value->>1, value->>2 FROM json_each(?)",
        &workers,
    );
    projection.logs
}
