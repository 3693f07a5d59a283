//! Tokens for the API, by their hashes.

use sqlx::sqlite::SqliteConnection;

use super::writer::OperationResult;
use crate::{Role, StoreError, Token, TokenHash};
use campanile_model::Timestamp;

/// Adds a token.
pub(super) async fn add(
    tx: &mut SqliteConnection,
    token: &Token,
    hash: &TokenHash,
) -> Result<OperationResult, StoreError> {
    let Token { id, tenant, name, role, created, expires } = token;
    sqlx::query(
        "INSERT INTO tokens (id, tenant, name, role, hash, created, expires) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(id)
    .bind(tenant)
    .bind(name)
    .bind(role.name())
    .bind(hash.as_slice())
    .bind(created.as_micros())
    .bind(expires.map(Timestamp::as_micros))
    .execute(tx)
    .await?;
    Ok(OperationResult::Done)
}

/// Removes a token of a tenant.
pub(super) async fn revoke(
    tx: &mut SqliteConnection,
    tenant: &str,
    id: &str,
) -> Result<OperationResult, StoreError> {
    let gone =
        sqlx::query("DELETE FROM tokens WHERE tenant = ? AND id = ?").bind(tenant).bind(id).execute(tx);
    Ok(OperationResult::Found(gone.await?.rows_affected() > 0))
}

/// Id, tenant, name, role, hash, created, expires.
type Row = (String, String, String, String, Vec<u8>, i64, Option<i64>);

/// Lists all tokens, oldest first.
pub(super) async fn all(reader: &mut SqliteConnection) -> Result<Vec<(Token, TokenHash)>, StoreError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, tenant, name, role, hash, created, expires FROM tokens ORDER BY created, id",
    )
    .fetch_all(reader)
    .await?;
    rows.into_iter()
        .map(|(id, tenant, name, role, hash, created, expires)| {
            let corrupt =
                |why: &'static str| StoreError::Corrupt { what: format!("token {id}"), source: why.into() };
            let role = Role::from_name(&role).ok_or_else(|| corrupt("its role is unknown"))?;
            let hash = TokenHash::try_from(hash).map_err(|_| corrupt("its hash has another length"))?;
            let (created, expires) = (Timestamp::from_micros(created), expires.map(Timestamp::from_micros));
            Ok((Token { id, tenant, name, role, created, expires }, hash))
        })
        .collect()
}
