//! Queues of targets: numbers for new deliveries, and room made by dropping the oldest ones (P-PKT-01, P-Q-02).

use std::collections::{HashMap, HashSet};

use sqlx::sqlite::SqliteConnection;

use super::append::json;
use super::statement_batch::StatementBatch;
use crate::{Batch, Dropped, NewDelivery, Queue, StoreError};
use campanile_model::Timestamp;

/// The queues that a group of batches adds to.
#[derive(Default)]
pub(super) struct Queues(HashMap<(String, String), Slot>);

/// A queue that is added to.
struct Slot {
    /// Number of the next delivery.
    next: i64,
    started: Timestamp,
    /// Last delivery that was added: its batch, the bounds of the queue, and its ordering key.
    added: Option<(usize, Queue, String)>,
}

impl Queues {
    /// Loads the queues that batches add to.
    pub(super) async fn load(
        tx: &mut SqliteConnection,
        batches: &[(&str, &Batch, Timestamp)],
    ) -> Result<Self, StoreError> {
        let mut needed = HashSet::new();
        for (tenant, batch, _) in batches {
            let deliveries = batch.events.iter().flat_map(|incoming| &incoming.deliveries);
            needed.extend(deliveries.filter(|new| new.queue.is_some()).map(|new| (*tenant, &new.target)));
        }
        if needed.is_empty() {
            return Ok(Self::default());
        }
        let rows: Vec<(String, String, i64, i64)> = sqlx::query_as(
            "SELECT q.tenant, q.target, q.next, q.started FROM json_each(?) j \
             CROSS JOIN queues q ON q.tenant = j.value->>0 AND q.target = j.value->>1",
        )
        .bind(json(&needed))
        .fetch_all(tx)
        .await?;
        let slot = |next, started| Slot { next, started: Timestamp::from_micros(started), added: None };
        Ok(Self(
            rows.into_iter()
                .map(|(tenant, target, next, started)| ((tenant, target), slot(next, started)))
                .collect(),
        ))
    }

    /// Gives a new delivery its number, if it goes to a queue.
    pub(super) fn number(
        &mut self,
        tenant: &str,
        new: &NewDelivery,
        batch: usize,
        now: Timestamp,
    ) -> Option<i64> {
        let queue = new.queue?;
        let slot = self.0.entry((tenant.to_owned(), new.target.clone())).or_insert(Slot {
            next: 1,
            started: now,
            added: None,
        });
        let number = slot.next;
        slot.next += 1;
        slot.added = Some((batch, queue, new.ordering_key.clone().unwrap_or_default()));
        Some(number)
    }

    /// Adds the statement that keeps the next numbers.
    pub(super) fn save(&self, writes: &mut StatementBatch) {
        let rows: Vec<_> = self
            .0
            .iter()
            .filter(|(_, slot)| slot.added.is_some())
            .map(|((tenant, target), slot)| (tenant, target, slot.next, slot.started.as_micros()))
            .collect();
        writes.put(
            "REPLACE INTO queues (tenant, target, next, started) SELECT value->>0, value->>1, value->>2, value->>3 FROM json_each(?)",
            &rows,
        );
    }

    /// Drops the oldest deliveries that wait in queues that have grown too long, but none that is leased: it may be out
    /// already. Each result has the position of the batch that caused it.
    pub(super) async fn make_room(
        self,
        tx: &mut SqliteConnection,
    ) -> Result<Vec<(usize, Dropped)>, StoreError> {
        let mut all = Vec::new();
        for ((tenant, target), slot) in self.0 {
            let Some((batch, queue, key)) = slot.added else { continue };
            let oldest: Option<i64> = sqlx::query_scalar(
                "SELECT number FROM deliveries WHERE state = 'waiting' AND tenant = ? AND target = ? \
                 AND ordering_key = ? AND lease_owner IS NULL AND number IS NOT NULL ORDER BY id LIMIT 1",
            )
            .bind(&tenant)
            .bind(&target)
            .bind(&key)
            .fetch_optional(&mut *tx)
            .await?;
            // Numbers go up by one, and leave the queue at its front: so the first and the last one tell its length.
            let first_kept = slot.next - i64::from(queue.max);
            if oldest.is_none_or(|oldest| oldest >= first_kept) {
                continue;
            }
            let text = format!("the queue was full ({} packets): the oldest were dropped", queue.max);
            let dropped = sqlx::query(
                "UPDATE deliveries SET state = 'silent', code = 'dropped', text = ?, message = NULL WHERE id IN \
                 (SELECT id FROM deliveries WHERE state = 'waiting' AND tenant = ? AND target = ? \
                  AND ordering_key = ? AND lease_owner IS NULL AND number < ?)",
            )
            .bind(text)
            .bind(&tenant)
            .bind(&target)
            .bind(&key)
            .bind(first_kept)
            .execute(&mut *tx)
            .await?
            .rows_affected();
            // As after a settlement: the oldest one that is left goes next.
            sqlx::query(
                "UPDATE deliveries SET blocked = 0 WHERE id = (SELECT min(id) FROM deliveries WHERE state = 'waiting' \
                 AND tenant = ? AND target = ? AND ordering_key = ?)",
            )
            .bind(&tenant)
            .bind(&target)
            .bind(&key)
            .execute(&mut *tx)
            .await?;
            all.push((batch, Dropped { target, count: dropped }));
        }
        Ok(all)
    }
}
