INSERT INTO tokens (id, tenant, name, role, hash, created, expires) VALUES
('tk1', 'acme', 'workers', 'ingest', x'0101010101010101010101010101010101010101010101010101010101010101', 1700000500000000, NULL);
