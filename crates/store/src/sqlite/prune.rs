//! Pruning: removes old rows, a bounded number of them at a time, because the writer does nothing else meanwhile.
//!
//! Rows are looked at in the order of their ids, which is the order in which they came. The newest event, delivery,
//! change and so on stay however old they are: the next one's number comes from them, and no number is given twice.

use std::collections::BTreeMap;
use std::time::Duration;

use sqlx::sqlite::SqliteConnection;

use super::append::json;
use super::writer::OperationResult;
use crate::retention::PrunePart;
use crate::{PruneCursor, Pruned, Retention, StoreError};
use campanile_model::Timestamp;

/// Rows of a table that are looked at in one transaction.
const PAGE: u32 = 500;
/// Pieces of logs that go in one transaction, or all of one build: each of them is pages of the file.
const LOG_PIECES: i64 = 2_000;

/// Takes one step of the walk.
pub(super) async fn step(
    tx: &mut SqliteConnection,
    retention: &Retention,
    from: PruneCursor,
    now: Timestamp,
) -> Result<OperationResult, StoreError> {
    let pruned = match from.part {
        PrunePart::Events => events(tx, retention, from.after, now).await?,
        PrunePart::Builds => builds(tx, retention, from.after, now).await?,
        PrunePart::Records => records(tx, &Cutoffs::at(now, retention)).await?,
    };
    Ok(OperationResult::Pruned(pruned))
}

/// Moments before which rows are old, in the database's form.
struct Cutoffs {
    /// For tenants with no moment of their own.
    all: i64,
    /// By tenant.
    of: BTreeMap<String, i64>,
}

impl Cutoffs {
    /// Computes the moments from ages.
    fn at(now: Timestamp, retention: &Retention) -> Self {
        let before = |keep: &Duration| {
            now.as_micros().saturating_sub(i64::try_from(keep.as_micros()).unwrap_or(i64::MAX))
        };
        // Nothing is from before the beginning.
        let all = retention.keep.as_ref().map_or(i64::MIN, before);
        Self { all, of: retention.of.iter().map(|(tenant, keep)| (tenant.clone(), before(keep))).collect() }
    }

    /// Finds the moment of a tenant.
    fn of(&self, tenant: &str) -> i64 {
        self.of.get(tenant).copied().unwrap_or(self.all)
    }

    /// Finds the latest moment: rows from after it are old for nobody.
    fn latest(&self) -> i64 {
        self.of.values().copied().fold(self.all, i64::max)
    }

    /// Writes the moments by tenant, for `coalesce((SELECT value FROM json_each(?) WHERE key = tenant), ?)`.
    fn by_tenant(&self) -> String {
        serde_json::to_string(&self.of).unwrap_or_else(|_| "{}".to_owned())
    }
}

/// Finds the time by which builds and changes count as old: now, or the time of the oldest event with a delivery that has
/// yet to be prepared. That one may ask for builds and changes as they were when its event came, so for these the clock
/// stands still. Costs a look at each waiting delivery.
async fn waiting_horizon(tx: &mut SqliteConnection, now: Timestamp) -> Result<Timestamp, StoreError> {
    let oldest: Option<i64> = sqlx::query_scalar(
        "SELECT min(e.at) FROM deliveries d JOIN events e ON e.id = d.event \
         WHERE d.state = 'waiting' AND d.message IS NULL",
    )
    .fetch_one(tx)
    .await?;
    Ok(oldest.map_or(now, |oldest| now.min(Timestamp::from_micros(oldest))))
}

/// Prunes events without waiting deliveries, with their settled deliveries and the rows that they brought.
async fn events(
    tx: &mut SqliteConnection,
    retention: &Retention,
    after: i64,
    now: Timestamp,
) -> Result<Pruned, StoreError> {
    let old = Cutoffs::at(now, retention);
    let page: Vec<(i64, i64, String, String)> =
        sqlx::query_as("SELECT id, at, name, tenant FROM events WHERE id > ? ORDER BY id LIMIT ?")
            .bind(after)
            .bind(PAGE)
            .fetch_all(&mut *tx)
            .await?;
    // Clocks go back now and then: only a whole page of young ones is the end.
    let Some(last) =
        page.last().map(|(id, ..)| *id).filter(|_| page.iter().any(|(_, at, ..)| *at < old.latest()))
    else {
        return Ok(Pruned { next: Some(PruneCursor::builds(0)), ..Pruned::default() });
    };
    let old_for_more = Cutoffs::at(waiting_horizon(tx, now).await?, retention);
    let candidates: Vec<i64> = page
        .iter()
        .filter(|(_, at, name, tenant)| {
            *at < if brings_more(name) { old_for_more.of(tenant) } else { old.of(tenant) }
        })
        .map(|(id, ..)| *id)
        .collect();
    let gone: Vec<i64> = sqlx::query_scalar(
        "SELECT e.id FROM json_each(?1) j CROSS JOIN events e ON e.id = j.value \
         WHERE e.id < (SELECT max(id) FROM events) AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.event = e.id \
         AND (d.state = 'waiting' OR max(d.created, d.not_before) >= \
         coalesce((SELECT value FROM json_each(?2) WHERE key = e.tenant), ?3) \
         OR d.id = (SELECT max(id) FROM deliveries)))",
    )
    .bind(json(&candidates))
    .bind(old.by_tenant())
    .bind(old.all)
    .fetch_all(&mut *tx)
    .await?;
    let gone = json(&gone);
    delete(
        tx,
        "DELETE FROM attempts WHERE delivery IN \
         (SELECT d.id FROM json_each(?) j CROSS JOIN deliveries d ON d.event = j.value)",
        &gone,
    )
    .await?;
    let deliveries =
        delete(tx, "DELETE FROM deliveries WHERE event IN (SELECT value FROM json_each(?))", &gone).await?;
    let changes = delete(
        tx,
        "DELETE FROM changes WHERE (tenant, number) IN (SELECT e.tenant, e.payload->>'$.change.number' \
         FROM json_each(?) j CROSS JOIN events e ON e.id = j.value WHERE e.name = 'changeAdded') \
         AND number < (SELECT max(c.number) FROM changes c WHERE c.tenant = changes.tenant)",
        &gone,
    )
    .await?;
    let buildsets = delete(
        tx,
        "DELETE FROM buildsets WHERE complete AND (tenant, bsid) IN (SELECT e.tenant, e.payload->>'$.buildset.bsid' \
         FROM json_each(?) j CROSS JOIN events e ON e.id = j.value WHERE e.name = 'buildsetComplete')",
        &gone,
    )
    .await?;
    let requests = delete(
        tx,
        "DELETE FROM requests WHERE (tenant, brid) IN (SELECT e.tenant, e.payload->>'$.request.brid' \
         FROM json_each(?) j CROSS JOIN events e ON e.id = j.value \
         WHERE e.name IN ('requestSubmitted', 'requestCancelled'))",
        &gone,
    )
    .await?;
    let events = delete(tx, "DELETE FROM events WHERE id IN (SELECT value FROM json_each(?))", &gone).await?;
    let next = if page.len() < PAGE as usize { PruneCursor::builds(0) } else { PruneCursor::events(last) };
    let requests = buildsets + requests;
    Ok(Pruned { events, deliveries, changes, requests, next: Some(next), ..Pruned::default() })
}

/// Tells if rows that the event brought go with it.
fn brings_more(event: &str) -> bool {
    matches!(event, "changeAdded" | "buildsetComplete" | "requestSubmitted" | "requestCancelled")
}

/// Prunes finished builds, and their logs with them.
async fn builds(
    tx: &mut SqliteConnection,
    retention: &Retention,
    after: i64,
    now: Timestamp,
) -> Result<Pruned, StoreError> {
    let old = Cutoffs::at(now, retention);
    let page: Vec<(i64, Option<i64>)> =
        sqlx::query_as("SELECT id, finished FROM builds WHERE id > ? ORDER BY id LIMIT ?")
            .bind(after)
            .bind(PAGE)
            .fetch_all(&mut *tx)
            .await?;
    let over = Ok(Pruned { next: Some(PruneCursor::records()), ..Pruned::default() });
    if !page.iter().any(|(_, finished)| finished.is_none_or(|finished| finished < old.latest())) {
        return over;
    }
    let Some((last, _)) = page.last() else { return over };
    let clock = waiting_horizon(tx, now).await?;
    let rows: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT b.id, (SELECT count(*) FROM logs l JOIN log_chunks c ON c.log = l.id WHERE l.build = b.id) \
         FROM json_each(?1) j CROSS JOIN builds b ON b.id = j.value \
         WHERE b.finished < coalesce((SELECT value FROM json_each(?2) WHERE key = b.tenant), ?5) AND b.id < (SELECT max(id) FROM builds) AND (SELECT count(*) FROM (SELECT 1 FROM builds n \
         INDEXED BY builds_earlier WHERE n.tenant = b.tenant AND n.builder = b.builder AND n.number > b.number \
         AND n.finished IS NOT NULL AND n.results IS NOT 5 AND n.finished <= ?3 LIMIT ?4)) >= ?4 ORDER BY b.id",
    )
    .bind(json(&page.iter().map(|(id, _)| id).collect::<Vec<_>>()))
    .bind(Cutoffs::at(clock, retention).by_tenant())
    .bind(clock.as_micros())
    .bind(retention.builds)
    .bind(Cutoffs::at(clock, retention).all)
    .fetch_all(&mut *tx)
    .await?;
    let mut pieces = 0;
    let within = |(_, more): &&(i64, i64)| {
        let first = pieces == 0;
        pieces += more.max(&1);
        first || pieces <= LOG_PIECES
    };
    let gone: Vec<i64> = rows.iter().take_while(within).map(|(id, _)| *id).collect();
    let builds =
        delete(tx, "DELETE FROM builds WHERE id IN (SELECT value FROM json_each(?))", &json(&gone)).await?;
    let next = match gone.last() {
        Some(id) if gone.len() < rows.len() => PruneCursor::builds(*id),
        _ if page.len() < PAGE as usize => PruneCursor::records(),
        _ => PruneCursor::builds(*last),
    };
    Ok(Pruned { builds, next: Some(next), ..Pruned::default() })
}

/// Prunes the call log and the audit log, oldest first.
async fn records(tx: &mut SqliteConnection, old: &Cutoffs) -> Result<Pruned, StoreError> {
    let mut counts = [0; 2];
    for (count, statement) in counts.iter_mut().zip([
        "DELETE FROM callback_log WHERE id IN (SELECT id FROM (SELECT id, at, tenant FROM callback_log ORDER BY id \
         LIMIT ?1) WHERE at < coalesce((SELECT value FROM json_each(?2) WHERE key = tenant), ?3)) \
         AND id < (SELECT max(id) FROM callback_log)",
        "DELETE FROM audit WHERE id IN (SELECT id FROM (SELECT id, at, tenant FROM audit ORDER BY id LIMIT ?1) \
         WHERE at < coalesce((SELECT value FROM json_each(?2) WHERE key = tenant), ?3)) \
         AND id < (SELECT max(id) FROM audit)",
    ]) {
        let query = sqlx::query(statement).bind(PAGE).bind(old.by_tenant()).bind(old.all);
        *count = query.execute(&mut *tx).await?.rows_affected();
    }
    for (tenant, old) in &old.of {
        // Others' entries, which are kept longer, don't stand before these.
        for (count, statement) in counts.iter_mut().zip([
            "DELETE FROM callback_log WHERE id IN (SELECT id FROM callback_log WHERE tenant = ?3 AND at < ?2 LIMIT ?1) \
             AND id < (SELECT max(id) FROM callback_log)",
            "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE tenant = ?3 AND at < ?2 LIMIT ?1) \
             AND id < (SELECT max(id) FROM audit)",
        ]) {
            let query = sqlx::query(statement).bind(PAGE).bind(old).bind(tenant);
            *count += query.execute(&mut *tx).await?.rows_affected();
        }
    }
    let [calls, audit] = counts;
    let next = (calls + audit > 0).then(PruneCursor::records);
    Ok(Pruned { calls, audit, next, ..Pruned::default() })
}

/// Runs a deletion for the ids of a JSON array; returns the number of rows.
async fn delete(tx: &mut SqliteConnection, statement: &'static str, rows: &str) -> Result<u64, StoreError> {
    Ok(sqlx::query(statement).bind(rows).execute(tx).await?.rows_affected())
}
