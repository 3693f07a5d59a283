//! What the file tells of itself: its size, and what waits.

use sqlx::sqlite::SqliteConnection;

use crate::{StoreError, StoreStats, Waiting};
use campanile_model::Timestamp;

/// All but what the writer counts.
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
    let waiting = |(tenant, target, count, oldest): (String, String, i64, i64)| Waiting {
        tenant,
        target,
        count: count.cast_unsigned(),
        oldest: Timestamp::from_micros(oldest),
    };
    Ok(StoreStats {
        bytes: (page * pages).cast_unsigned(),
        free_bytes: (page * free).cast_unsigned(),
        waiting: rows.into_iter().map(waiting).collect(),
        ..StoreStats::default()
    })
}
