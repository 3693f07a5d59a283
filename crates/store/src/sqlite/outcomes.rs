//! Results of workers: prepared messages, and settlements of deliveries.
//!
//! Those of a transaction are written together, in one round trip to SQLite's thread for each of the two kinds.

use std::collections::HashSet;

use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use super::statement_batch::StatementBatch;
use crate::{Lease, Settlement, StoreError, Wait};
use campanile_model::Timestamp;

/// Lease, message, and the digest of the callback version that wrote it.
pub(super) type Saved<'a> = (&'a Lease, &'a [u8], Option<&'a str>);

/// Keeps prepared messages with their deliveries.
///
/// # Errors
/// [`StoreError::LeaseLost`] when one of the leases is lost, whichever it is; done alone, the others are not.
pub(super) async fn save_messages(tx: &mut SqliteConnection, saved: &[Saved<'_>]) -> Result<(), StoreError> {
    if saved.is_empty() {
        return Ok(());
    }
    // Bound one by one: as JSON, their bytes would have to be encoded.
    let one = "UPDATE deliveries SET message = ?, callback_version = ? WHERE id = ? AND lease_token = ? AND tenant = ?;";
    let sql = one.repeat(saved.len());
    // Safe: a constant, repeated. Not to be remembered: the next group has another length.
    let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(saved.len() == 1);
    for (lease, message, version) in saved {
        query = query.bind(*message).bind(*version);
        query = query.bind(lease.delivery).bind(lease.token).bind(&lease.tenant);
    }
    let done = query.execute(tx).await?.rows_affected();
    match saved.first() {
        Some((lease, ..)) if done < saved.len() as u64 => Err(StoreError::LeaseLost(lease.delivery)),
        _ => Ok(()),
    }
}

/// Lease, the settlement of its delivery, and the time of that.
pub(super) type Settled<'a> = (&'a Lease, &'a Settlement, Timestamp);

/// Records settlements. A delivery whose lease was lost stays as whoever took it over has left it, but the attempt counts:
/// the message went out twice, and the list of attempts must show it. One that is recorded again counts once.
pub(super) async fn settle(tx: &mut SqliteConnection, settled: &[Settled<'_>]) -> Result<(), StoreError> {
    let mut rest = settled.to_vec();
    // A delivery is twice in a group if its lease ran out, or if a settlement is stored again: then the first one counts,
    // as it would alone. In one `UPDATE ... FROM` it would be arbitrary which.
    while !rest.is_empty() {
        let mut seen = HashSet::new();
        let (round, again) = rest.into_iter().partition(|(lease, ..)| seen.insert(lease.delivery));
        settle_each_once(tx, round).await?;
        rest = again;
    }
    Ok(())
}

/// Records settlements of different deliveries.
async fn settle_each_once(tx: &mut SqliteConnection, settled: Vec<Settled<'_>>) -> Result<(), StoreError> {
    let rows: Vec<_> = settled
        .iter()
        .map(|(lease, settlement, now)| {
            let Lease { tenant, delivery, token } = lease;
            let Settlement { state, attempted, code, text, not_before, wait } = settlement;
            let (not_before, held) = (not_before.as_micros(), u8::from(*wait != Wait::ForFarSide));
            let attempted = u8::from(*attempted);
            (delivery, state.name(), code, text, not_before, attempted, now.as_micros(), held, token, tenant)
        })
        .collect();
    let mut writes = StatementBatch::default();
    // Before the leases end, by which they are known as those of these settlements.
    put_leaving(&mut writes, &settled);
    // A delivery that was pruned or whose tenant is gone has no attempts.
    writes.put(
        "UPDATE deliveries AS d SET attempts = attempts + 1 FROM json_each(?) r \
         WHERE d.id = r.value->>0 AND d.tenant = r.value->>9 AND r.value->>5 AND NOT EXISTS \
         (SELECT 1 FROM attempts a WHERE a.delivery = d.id AND a.lease_token = r.value->>8)",
        &rows,
    );
    writes.put(
        "INSERT INTO attempts (delivery, at, state, code, text, lease_token) \
         SELECT d.id, r.value->>6, r.value->>1, r.value->>2, r.value->>3, r.value->>8 \
         FROM json_each(?) r CROSS JOIN deliveries d ON d.id = r.value->>0 \
         WHERE d.tenant = r.value->>9 AND r.value->>5 AND NOT EXISTS \
         (SELECT 1 FROM attempts a WHERE a.delivery = d.id AND a.lease_token = r.value->>8)",
        &rows,
    );
    writes.put(
        "UPDATE deliveries AS d SET state = r.value->>1, code = r.value->>2, text = r.value->>3, \
         not_before = r.value->>4, due = r.value->>4, lease_owner = NULL, lease_token = NULL, held = r.value->>7, \
         interrupted = 0 \
         FROM json_each(?) r WHERE d.id = r.value->>0 AND d.lease_token = r.value->>8 AND d.tenant = r.value->>9 \
         AND d.state = 'waiting'",
        &rows,
    );
    writes.put(FREE_NEXT, &rows);
    writes.run(tx).await
}

/// Takes those out of the order of their key that have held up others long enough. One after the other: of two of a key
/// in one group, the second is free only when the first has left.
fn put_leaving(writes: &mut StatementBatch, settled: &[Settled<'_>]) {
    let mut leaving: Vec<_> = settled
        .iter()
        .filter(|(_, settlement, _)| settlement.wait == Wait::OutOfOrder)
        .map(|(lease, ..)| (lease.delivery, lease.token, &lease.tenant))
        .collect();
    leaving.sort_unstable();
    for leaving in leaving.chunks(1) {
        writes.put(
            "UPDATE deliveries SET blocked = 0 WHERE id IN (SELECT (SELECT min(o.id) FROM deliveries o \
             WHERE o.state = 'waiting' AND o.tenant = d.tenant AND o.target = d.target \
             AND o.ordering_key = d.ordering_key AND o.id > d.id) \
             FROM json_each(?) r CROSS JOIN deliveries d ON d.id = r.value->>0 \
             WHERE d.ordering_key IS NOT NULL AND d.state = 'waiting' AND d.blocked = 0 \
             AND d.lease_token = r.value->>1 AND d.tenant = r.value->>2)",
            leaving,
        );
        writes.put(
            "UPDATE deliveries AS d SET ordering_key = NULL FROM json_each(?) r WHERE d.id = r.value->>0 \
             AND d.lease_token = r.value->>1 AND d.tenant = r.value->>2 AND d.state = 'waiting' AND d.blocked = 0",
            leaving,
        );
    }
}

/// Frees the next one of each key that a settled delivery has left, and only the next: were two of them free, they could
/// be sent side by side and overtake each other.
pub(super) const FREE_NEXT: &str = "UPDATE deliveries SET blocked = 0 WHERE id IN (SELECT (SELECT min(o.id) FROM deliveries o \
     WHERE o.state = 'waiting' AND o.tenant = d.tenant AND o.target = d.target AND o.ordering_key = d.ordering_key) \
     FROM json_each(?) r CROSS JOIN deliveries d ON d.id = r.value->>0 \
     WHERE d.ordering_key IS NOT NULL AND d.state <> 'waiting')";
