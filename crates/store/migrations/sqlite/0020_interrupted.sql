-- Odd: it was under way when the engine died. Even: after that, its next attempt has begun by itself and not ended. One that is
-- found at 4 at a start is what the engine dies of.
ALTER TABLE deliveries ADD COLUMN interrupted INTEGER NOT NULL DEFAULT 0;
-- Settings of tenants whose loading began and did not end, and how often: a start that dies of them leaves them out.
CREATE TABLE begun_loads (tenant TEXT PRIMARY KEY, version TEXT NOT NULL, begun INTEGER NOT NULL) WITHOUT ROWID;
