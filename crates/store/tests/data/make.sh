#!/usr/bin/env bash
# Writes a dump of a store at the newest version of its schema, for the test `migrations` to open once there is a newer
# one: the migrations one after the other, after each of them the rows (`rows/NNNN.sql`) that an engine of that version
# wrote. A dump that is there already is left alone: it stands for stores that people have.
#
# Needs `sqlite3` and `sha384sum`.
set -euo pipefail
cd "$(dirname "$0")"
store=$(mktemp -d)/store.db
trap 'rm -r "$(dirname "$store")"' EXIT
run() { sqlite3 -bail "$store" >/dev/null; }

# As sqlx writes it.
run <<'SQL'
CREATE TABLE _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);
SQL
for migration in ../../migrations/sqlite/*.sql; do
    name=$(basename "$migration" .sql)
    version=${name%%_*}
    checksum=$(sha384sum "$migration" | cut -d' ' -f1)
    run <"$migration"
    run <<SQL
INSERT INTO _sqlx_migrations (version, description, installed_on, success, checksum, execution_time)
VALUES ($((10#$version)), '${name#*_}', '2026-11-23 12:00:00', TRUE, x'$checksum', 1000000);
SQL
    if [ -f "rows/$version.sql" ]; then run <"rows/$version.sql"; fi
    if [ ! -f "$version.sql" ]; then
        sqlite3 "$store" .dump >"$version.sql"
        echo "$version.sql"
    fi
done
