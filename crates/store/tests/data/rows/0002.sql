-- A component that was pushed (`a component`, by zstd) and has written a message, and a call of it that logged.
INSERT INTO callback_versions (tenant, callback, digest, origin, size, at, component) VALUES
('acme', 'formatter', 'd1', 'pushed', 11, 1700000100000000, x'28b52ffd04585900006120636f6d706f6e656e74ce1c472d');
INSERT INTO callbacks_in_use (tenant, callback, digest, file_digest) VALUES ('acme', 'formatter', 'd1', 'd0');
INSERT INTO callback_log (tenant, callback, version, delivery, at, outcome, micros, peak_memory, lines) VALUES
('acme', 'formatter', 'd1', 1, 1700000100000000, 'ok', 120, 65536, '[{"level":"info","text":"hello"}]');
UPDATE deliveries SET callback_version = 'd1' WHERE id = 1;
