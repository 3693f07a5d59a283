//! Steps that bring a file to the form that this program reads. A released step is never changed: stores hold its
//! checksum. `tests/migrations.rs` opens a store of each earlier form.

use std::borrow::Cow;
use std::sync::LazyLock;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr as _};

/// Takes a step from its file, whose name begins with its number.
macro_rules! steps {
    ($($version:literal $description:literal $file:literal),* $(,)?) => {
        &[$(($version, $description, include_str!(concat!("../../migrations/sqlite/", $file)))),*]
    };
}

/// Number, description and statements of each step.
const STEPS: &[(i64, &str, &str)] = steps![
    1 "init" "0001_init.sql",
    2 "callbacks" "0002_callbacks.sql",
    3 "summaries" "0003_summaries.sql",
    4 "polls" "0004_polls.sql",
    5 "running" "0005_running.sql",
    6 "audit" "0006_audit.sql",
    7 "queues" "0007_queues.sql",
    8 "retention" "0008_retention.sql",
    9 "traces" "0009_traces.sql",
    10 "tokens" "0010_tokens.sql",
    12 "tenants" "0012_tenants.sql",
    13 "indexes" "0013_indexes.sql",
    14 "changes_of_builds" "0014_changes_of_builds.sql",
    15 "recovery" "0015_recovery.sql",
    16 "high_water" "0016_high_water.sql",
    17 "due_by_target" "0017_due_by_target.sql",
    18 "pushes" "0018_pushes.sql",
    19 "lease_tokens" "0019_lease_tokens.sql",
    20 "interrupted" "0020_interrupted.sql",
];

/// All steps, in order. Not by sqlx's macro: that builds a second SQLite, for the compiler.
pub(super) static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let step = |(version, description, sql): &(i64, &'static str, &'static str)| {
        let sql = AssertSqlSafe(*sql).into_sql_str();
        Migration::new(*version, Cow::Borrowed(*description), MigrationType::Simple, sql, false)
    };
    Migrator { migrations: STEPS.iter().map(step).collect(), ..Migrator::DEFAULT }
});

#[cfg(test)]
mod tests {
    use super::STEPS;

    #[test]
    fn every_file_of_the_folder_is_a_step() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite");
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let steps: Vec<_> =
            STEPS.iter().map(|(version, name, _)| format!("{version:04}_{name}.sql")).collect();
        assert_eq!(files, steps);
    }
}
