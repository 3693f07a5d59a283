//! Figures of the file: its size, and the backlog of each target.

use sqlx::sqlite::SqliteConnection;

use crate::{StoreError, StoreStats, TargetBacklog};
use campanile_model::Timestamp;

/// Reads all figures but the writer's.
pub(super) async fn read(reader: &mut SqliteConnection) -> Result<StoreStats, StoreError> {
    let (page, pages, free): (i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT page_size FROM pragma_page_size()), (SELECT page_count FROM pragma_page_count()), \
         (SELECT freelist_count FROM pragma_freelist_count())",
    )
    .fetch_one(&mut *reader)
    .await?;
    let rows: Vec<(String, String, i64, i64)> = sqlx::query_as(
        "SELECT tenant, target, count(*), min(created) FROM deliveries WHERE state = 'waiting' \
         GROUP BY tenant, target ORDER BY tenant, target",
    )
    .fetch_all(reader)
    .await?;
    let backlog = |(tenant, target, count, oldest): (String, String, i64, i64)| TargetBacklog {
        tenant,
        target,
        count: count.cast_unsigned(),
        oldest: Timestamp::from_micros(oldest),
    };
    Ok(StoreStats {
        bytes: (page * pages).cast_unsigned(),
        free_bytes: (page * free).cast_unsigned(),
        waiting: rows.into_iter().map(backlog).collect(),
        ..StoreStats::default()
    })
}
