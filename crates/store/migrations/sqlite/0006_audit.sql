-- Who asked the CI for what. Kept for good: few, small, and wanted when something has gone wrong long ago.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    place TEXT NOT NULL,
    what TEXT NOT NULL,
    answer TEXT NOT NULL
);
CREATE INDEX audit_by_tenant ON audit (tenant, id);
