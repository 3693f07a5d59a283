-- Times are microseconds since the Unix epoch. Payloads are JSON text; columns beside them exist to be searched by.

CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    subject TEXT NOT NULL,
    at INTEGER NOT NULL,
    payload TEXT NOT NULL
);

CREATE TABLE builders (
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (tenant, name)
) WITHOUT ROWID;

-- `data` of a finished build holds its steps; those of a running one are in `steps`, so that a step's event does not
-- rewrite the whole build.
CREATE TABLE builds (
    id INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    builder TEXT NOT NULL,
    number INTEGER NOT NULL,
    finished INTEGER,
    results INTEGER,
    data TEXT NOT NULL,
    UNIQUE (tenant, builder, number)
);
CREATE INDEX builds_by_tenant ON builds (tenant);
-- The previous-build look-up; 5 is RETRY, which never counts as a previous build.
CREATE INDEX builds_earlier ON builds (tenant, builder, number)
    WHERE finished IS NOT NULL AND results IS NOT 5;

CREATE TABLE steps (
    build INTEGER NOT NULL REFERENCES builds (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    -- Order of appearance: the event that first told of the step, and the place in that event's list.
    event INTEGER NOT NULL,
    place INTEGER NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (build, name)
) WITHOUT ROWID;

CREATE TABLE changes (
    tenant TEXT NOT NULL,
    number INTEGER NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (tenant, number)
) WITHOUT ROWID;

CREATE TABLE buildsets (
    tenant TEXT NOT NULL,
    bsid INTEGER NOT NULL,
    complete INTEGER NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (tenant, bsid)
) WITHOUT ROWID;

CREATE TABLE requests (
    tenant TEXT NOT NULL,
    brid INTEGER NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (tenant, brid)
) WITHOUT ROWID;

CREATE TABLE workers (
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (tenant, name)
) WITHOUT ROWID;

CREATE TABLE logs (
    id INTEGER PRIMARY KEY,
    build INTEGER NOT NULL REFERENCES builds (id) ON DELETE CASCADE,
    step TEXT NOT NULL,
    name TEXT NOT NULL,
    -- 0 while it is uploaded; `touched` (seconds, by the database's clock) then tells an abandoned upload.
    visible INTEGER NOT NULL,
    touched INTEGER NOT NULL,
    next_seq INTEGER NOT NULL DEFAULT 0,
    -- Of the text that came in, header lines not counted.
    bytes INTEGER NOT NULL DEFAULT 0,
    newlines INTEGER NOT NULL DEFAULT 0,
    -- Whether the last line lacks its end.
    open INTEGER NOT NULL DEFAULT 0,
    header_bytes INTEGER NOT NULL DEFAULT 0,
    -- Where the middle was or would be dropped: no chunk has this number, it lies at this byte, and the text before
    -- it lacks a line end.
    gap_seq INTEGER,
    gap_byte INTEGER NOT NULL DEFAULT 0,
    gap_open INTEGER NOT NULL DEFAULT 0,
    tail_bytes INTEGER NOT NULL DEFAULT 0,
    dropped_bytes INTEGER NOT NULL DEFAULT 0,
    dropped_newlines INTEGER NOT NULL DEFAULT 0,
    -- What a reader gets, the line that stands for the dropped middle included.
    kept_bytes INTEGER NOT NULL DEFAULT 0,
    kept_lines INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX logs_visible ON logs (build, step, name) WHERE visible = 1;
CREATE INDEX logs_uploading ON logs (touched) WHERE visible = 0;

CREATE TABLE log_chunks (
    id INTEGER PRIMARY KEY,
    log INTEGER NOT NULL REFERENCES logs (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    header INTEGER NOT NULL,
    -- Counted in the text as it came in.
    first_byte INTEGER NOT NULL,
    first_line INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    newlines INTEGER NOT NULL,
    open INTEGER NOT NULL,
    -- 1: zstd; 0: plain, as the last chunk of a log that still grows.
    packed INTEGER NOT NULL,
    data BLOB NOT NULL
);
CREATE UNIQUE INDEX log_chunks_by_seq ON log_chunks (log, header, seq);
CREATE INDEX log_chunks_by_byte ON log_chunks (log, header, first_byte);

CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    event INTEGER NOT NULL,
    target TEXT NOT NULL,
    ordering_key TEXT,
    state TEXT NOT NULL,
    -- 1: an older one of the same ordering key waits. Kept as a column because finding it out for each row of a long
    -- queue at each claim is what makes a store slow just when a target is down.
    blocked INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    created INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    -- When it can be claimed: `not_before`, or the end of the lease while there is a `lease_owner`.
    due INTEGER NOT NULL,
    lease_owner TEXT,
    code TEXT,
    text TEXT,
    message BLOB
);
CREATE INDEX deliveries_due ON deliveries (blocked, due) WHERE state = 'waiting';
CREATE INDEX deliveries_by_key ON deliveries (tenant, target, ordering_key)
    WHERE state = 'waiting' AND ordering_key IS NOT NULL;
CREATE INDEX deliveries_by_tenant ON deliveries (tenant);
CREATE INDEX deliveries_by_state ON deliveries (tenant, state);
CREATE INDEX deliveries_by_target ON deliveries (tenant, target);
CREATE INDEX deliveries_by_event ON deliveries (event);

CREATE TABLE attempts (
    id INTEGER PRIMARY KEY,
    delivery INTEGER NOT NULL,
    at INTEGER NOT NULL,
    state TEXT NOT NULL,
    code TEXT,
    text TEXT NOT NULL
);
CREATE INDEX attempts_by_delivery ON attempts (delivery);

-- Counting a million rows at every look at the metrics would not do.
CREATE TABLE delivery_counts (state TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO delivery_counts VALUES ('waiting', 0), ('delivered', 0), ('silent', 0), ('dead', 0);
CREATE TRIGGER deliveries_counted_in AFTER INSERT ON deliveries BEGIN
    UPDATE delivery_counts SET count = count + 1 WHERE state = new.state;
END;
CREATE TRIGGER deliveries_counted_over AFTER UPDATE OF state ON deliveries WHEN old.state <> new.state BEGIN
    UPDATE delivery_counts SET count = count - 1 WHERE state = old.state;
    UPDATE delivery_counts SET count = count + 1 WHERE state = new.state;
END;

CREATE TABLE dedup (
    tenant TEXT NOT NULL,
    key TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (tenant, key)
) WITHOUT ROWID;
CREATE INDEX dedup_by_age ON dedup (at);
