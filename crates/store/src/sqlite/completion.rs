//! Completion of a build with what was found out about it later.

use sqlx::sqlite::SqliteConnection;

use super::append::json;
use super::writer::OperationResult;
use crate::{StoreError, parse};
use campanile_model::Build;

/// Completes a build, if it is known.
pub(super) async fn complete_build(
    tx: &mut SqliteConnection,
    tenant: &str,
    build: &Build,
) -> Result<OperationResult, StoreError> {
    let row: Option<(i64, String)> =
        sqlx::query_as("SELECT id, data FROM builds WHERE tenant = ? AND builder = ? AND number = ?")
            .bind(tenant)
            .bind(&build.builder)
            .bind(build.number.cast_signed())
            .fetch_optional(&mut *tx)
            .await?;
    if let Some((id, data)) = row {
        let mut known: Build = parse("a build", &data)?;
        known.fill_from(build);
        sqlx::query("UPDATE builds SET data = ? WHERE id = ?")
            .bind(json(&known))
            .bind(id)
            .execute(tx)
            .await?;
    }
    Ok(OperationResult::Done)
}
