//! Completion of a build with what was found out about it later: steps and changes of a master, changes that pushes told of.

use sqlx::sqlite::SqliteConnection;

use super::append::json;
use super::writer::OperationResult;
use crate::{StoreError, parse};
use campanile_model::{Build, BuildId};

/// Completes a build, if it is known.
pub(super) async fn complete_build(
    tx: &mut SqliteConnection,
    tenant: &str,
    build: &Build,
) -> Result<OperationResult, StoreError> {
    if let Some((row, mut known)) = load(tx, tenant, &build.id()).await? {
        known.fill_from(build);
        sqlx::query("UPDATE builds SET data = ? WHERE id = ?")
            .bind(json(&known))
            .bind(row)
            .execute(tx)
            .await?;
    }
    Ok(OperationResult::Done)
}

/// Gives a build changes and the rule by which they are its, if it is known.
pub(super) async fn set_changes(
    tx: &mut SqliteConnection,
    tenant: &str,
    build: &Build,
    rule: &str,
) -> Result<OperationResult, StoreError> {
    if let Some((row, mut known)) = load(tx, tenant, &build.id()).await? {
        known.take_changes(build);
        sqlx::query("UPDATE builds SET data = ?, changes_rule = ? WHERE id = ?")
            .bind(json(&known))
            .bind(rule)
            .bind(row)
            .execute(tx)
            .await?;
    }
    Ok(OperationResult::Done)
}

/// Loads a build with its row.
async fn load(
    tx: &mut SqliteConnection,
    tenant: &str,
    id: &BuildId,
) -> Result<Option<(i64, Build)>, StoreError> {
    let row: Option<(i64, String)> =
        sqlx::query_as("SELECT id, data FROM builds WHERE tenant = ? AND builder = ? AND number = ?")
            .bind(tenant)
            .bind(&id.builder)
            .bind(id.number.cast_signed())
            .fetch_optional(tx)
            .await?;
    row.map(|(row, data)| Ok((row, parse("a build", &data)?))).transpose()
}
