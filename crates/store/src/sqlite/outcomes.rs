//! Results of workers: prepared messages, and settlements of deliveries.
//!
//! Those of a transaction are written together, in one round trip to SQLite's thread for each of the two kinds.

use std::collections::HashSet;

use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use super::statement_batch::StatementBatch;
use crate::{DeliveryId, Settlement, StoreError, Wait};
use campanile_model::Timestamp;

/// Delivery, its message, and the digest of the callback version that wrote it.
pub(super) type Saved<'a> = (DeliveryId, &'a [u8], Option<&'a str>);

/// Keeps prepared messages with their deliveries.
pub(super) async fn save_messages(tx: &mut SqliteConnection, saved: &[Saved<'_>]) -> Result<(), StoreError> {
    if saved.is_empty() {
        return Ok(());
    }
    // Bound one by one: as JSON, their bytes would have to be encoded.
    let sql = "UPDATE deliveries SET message = ?, callback_version = ? WHERE id = ?;".repeat(saved.len());
    // Safe: a constant, repeated. Not to be remembered: the next group has another length.
    let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(saved.len() == 1);
    for (id, message, version) in saved {
        query = query.bind(*message).bind(*version).bind(id);
    }
    query.execute(tx).await?;
    Ok(())
}

/// Delivery, its settlement, and the time of that.
pub(super) type Settled<'a> = (DeliveryId, &'a Settlement, Timestamp);

/// Records settlements. A delivery that was settled meanwhile by whoever took the lease over stays so, but the attempt
/// counts: the message went out twice, and the list of attempts must show it.
pub(super) async fn settle(tx: &mut SqliteConnection, settled: &[Settled<'_>]) -> Result<(), StoreError> {
    let mut rest = settled.to_vec();
    // A delivery is twice in a group only if its lease ran out: then the first one counts, as it would alone. In one
    // `UPDATE ... FROM` it would be arbitrary which.
    while !rest.is_empty() {
        let mut seen = HashSet::new();
        let (round, again) = rest.into_iter().partition(|(id, ..)| seen.insert(*id));
        settle_each_once(tx, round).await?;
        rest = again;
    }
    Ok(())
}

/// Records settlements of different deliveries.
async fn settle_each_once(tx: &mut SqliteConnection, settled: Vec<Settled<'_>>) -> Result<(), StoreError> {
    let rows: Vec<_> = settled
        .iter()
        .map(|(id, settlement, now)| {
            let Settlement { state, attempted, code, text, not_before, wait } = settlement;
            let (not_before, held) = (not_before.as_micros(), u8::from(*wait != Wait::ForFarSide));
            (*id, state.name(), code, text, not_before, u8::from(*attempted), now.as_micros(), held)
        })
        .collect();
    let mut leaving: Vec<_> = settled
        .iter()
        .filter(|(_, settlement, _)| settlement.wait == Wait::OutOfOrder)
        .map(|(id, ..)| (*id,))
        .collect();
    leaving.sort_unstable();
    let mut writes = StatementBatch::default();
    // A delivery that was pruned or whose tenant is gone has no attempts.
    writes.put(
        "INSERT INTO attempts (delivery, at, state, code, text) \
         SELECT d.id, r.value->>6, r.value->>1, r.value->>2, r.value->>3 \
         FROM json_each(?) r CROSS JOIN deliveries d ON d.id = r.value->>0 WHERE r.value->>5",
        &rows,
    );
    writes.put(
        "UPDATE deliveries SET attempts = attempts + 1 \
         WHERE id IN (SELECT value->>0 FROM json_each(?) WHERE value->>5)",
        &rows,
    );
    writes.put(
        "UPDATE deliveries AS d SET state = r.value->>1, code = r.value->>2, text = r.value->>3, \
         not_before = r.value->>4, due = r.value->>4, lease_owner = NULL, held = r.value->>7 \
         FROM json_each(?) r WHERE d.id = r.value->>0 AND d.state = 'waiting'",
        &rows,
    );
    writes.put(FREE_NEXT, &rows);
    // One after the other: of two of a key in one group, the second is free only when the first has left.
    for leaving in leaving.chunks(1) {
        writes.put(
            "UPDATE deliveries SET blocked = 0 WHERE id IN (SELECT (SELECT min(o.id) FROM deliveries o \
             WHERE o.state = 'waiting' AND o.tenant = d.tenant AND o.target = d.target \
             AND o.ordering_key = d.ordering_key AND o.id > d.id) \
             FROM json_each(?) r CROSS JOIN deliveries d ON d.id = r.value->>0 \
             WHERE d.ordering_key IS NOT NULL AND d.state = 'waiting' AND d.blocked = 0)",
            leaving,
        );
        writes.put(
            "UPDATE deliveries SET ordering_key = NULL WHERE id IN (SELECT value->>0 FROM json_each(?)) \
             AND state = 'waiting' AND blocked = 0",
            leaving,
        );
    }
    writes.run(tx).await
}

/// Frees the next one of each key that a settled delivery has left, and only the next: were two of them free, they could
/// be sent side by side and overtake each other.
pub(super) const FREE_NEXT: &str = "UPDATE deliveries SET blocked = 0 WHERE id IN (SELECT (SELECT min(o.id) FROM deliveries o \
     WHERE o.state = 'waiting' AND o.tenant = d.tenant AND o.target = d.target AND o.ordering_key = d.ordering_key) \
     FROM json_each(?) r CROSS JOIN deliveries d ON d.id = r.value->>0 \
     WHERE d.ordering_key IS NOT NULL AND d.state <> 'waiting')";
