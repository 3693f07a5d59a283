-- Digest of the callback version that wrote the message.
ALTER TABLE deliveries ADD COLUMN callback_version TEXT;

-- Components that were put to use, so that a rollback needs no file.
CREATE TABLE callback_versions (
    id INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    callback TEXT NOT NULL,
    digest TEXT NOT NULL,
    origin TEXT NOT NULL,
    size INTEGER NOT NULL,
    at INTEGER NOT NULL,
    -- zstd
    component BLOB NOT NULL,
    UNIQUE (tenant, callback, digest)
);

-- What is called now. `file_digest` is what the settings' own file was when that was decided: another file wins.
CREATE TABLE callbacks_in_use (
    tenant TEXT NOT NULL,
    callback TEXT NOT NULL,
    digest TEXT NOT NULL,
    file_digest TEXT,
    PRIMARY KEY (tenant, callback)
) WITHOUT ROWID;

-- Calls that logged or failed; the newest ones of each tenant.
CREATE TABLE callback_log (
    id INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    callback TEXT NOT NULL,
    version TEXT NOT NULL,
    delivery INTEGER,
    at INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    micros INTEGER NOT NULL,
    peak_memory INTEGER NOT NULL,
    -- JSON: [{"level": …, "text": …}, …]
    lines TEXT NOT NULL
);
CREATE INDEX callback_log_by_tenant ON callback_log (tenant, callback);
