//! The memory of pollers.

use std::collections::BTreeMap;

use sqlx::sqlite::SqliteConnection;

use super::append::json;
use super::statement_batch::StatementBatch;
use crate::{PollState, Seen, StoreError, parse};

/// Adds the statement that keeps the memory of pollers, by tenant and poller.
pub(super) fn keep(seen: &BTreeMap<(&str, &str), &Seen>, writes: &mut StatementBatch) {
    let rows: Vec<_> = seen
        .iter()
        .map(|((tenant, poller), seen)| (tenant, poller, &seen.source, json(&seen.state)))
        .collect();
    writes.put(
        "REPLACE INTO polls (tenant, poller, source, state) \
             SELECT value->>0, value->>1, value->>2, value->>3 FROM json_each(?)",
        &rows,
    );
}

/// Reads the memory of a poller of a source.
pub(super) async fn seen(
    reader: &mut SqliteConnection,
    tenant: &str,
    poller: &str,
    source: &str,
) -> Result<Option<PollState>, StoreError> {
    let state: Option<String> =
        sqlx::query_scalar("SELECT state FROM polls WHERE tenant = ? AND poller = ? AND source = ?")
            .bind(tenant)
            .bind(poller)
            .bind(source)
            .fetch_optional(reader)
            .await?;
    state.map(|state| parse("what a poller has seen", &state)).transpose()
}
