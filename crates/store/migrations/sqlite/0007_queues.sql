-- Targets whose deliveries are a queue of their own: numbered, bounded, the oldest dropped when it is full.
CREATE TABLE queues (
    tenant TEXT NOT NULL,
    target TEXT NOT NULL,
    -- The number that the next one gets, and when the first one got 1.
    next INTEGER NOT NULL,
    started INTEGER NOT NULL,
    PRIMARY KEY (tenant, target)
) WITHOUT ROWID;

ALTER TABLE deliveries ADD COLUMN number INTEGER;
