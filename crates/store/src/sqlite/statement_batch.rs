//! A batch of writing statements: one round trip to SQLite's thread, whose waking costs more than a statement does.

use serde::Serialize;
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use super::append::json;
use crate::StoreError;

/// Statements to run in order, each over the rows of one JSON array.
#[derive(Default)]
pub(super) struct StatementBatch {
    sql: String,
    rows: Vec<String>,
}

impl StatementBatch {
    /// Adds a statement with one `?` for its rows; none when there are no rows. It names the columns that it writes: a
    /// later column would otherwise shift the values.
    pub(super) fn put<T: Serialize>(&mut self, statement: &'static str, rows: &[T]) {
        if !rows.is_empty() {
            self.sql.push_str(statement);
            self.sql.push(';');
            self.rows.push(json(rows));
        }
    }

    /// Runs the statements in the order in which they were added.
    pub(super) async fn run(self, tx: &mut SqliteConnection) -> Result<(), StoreError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        // Safe: it was put together from constants alone.
        let mut query = sqlx::query(AssertSqlSafe(self.sql));
        for rows in self.rows {
            query = query.bind(rows);
        }
        query.execute(tx).await?;
        Ok(())
    }
}
