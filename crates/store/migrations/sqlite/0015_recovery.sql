-- 1: its time is its own (the far side put off this one alone): it is not hurried when others get through.
ALTER TABLE deliveries ADD COLUMN held INTEGER NOT NULL DEFAULT 0;

-- Targets that deliveries wait for and that are not in the settings, and since when.
CREATE TABLE orphans (
    tenant TEXT NOT NULL,
    target TEXT NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (tenant, target)
) WITHOUT ROWID;

-- When an engine was last at work, by the clock that times are kept in.
CREATE TABLE engine_clock (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    seen INTEGER NOT NULL
);
