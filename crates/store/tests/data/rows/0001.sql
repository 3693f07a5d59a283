-- One build that failed, with its log; one that runs; all that they came from; deliveries in each state.
INSERT INTO events (id, tenant, name, subject, at, payload) VALUES
(1, 'acme', 'builderAdded', 'linux', 1700000000000000, '{"event":"builderAdded","builder":{"name":"linux","description":"All of it","tags":["nightly"],"state":"idle","workers":["w1"]}}'),
(2, 'acme', 'workerConnected', 'w1', 1700000001000000, '{"event":"workerConnected","worker":{"name":"w1","admin":"ada@example.org","host":null,"access_uri":null,"version":null,"connected":true,"paused":false,"last_message":null,"notify":[]}}'),
(3, 'acme', 'changeAdded', '1f0c', 1700000002000000, '{"event":"changeAdded","change":{"number":1,"who":"ada","committer":null,"files":["a.c"],"comments":"fix","revision":"1f0c","branch":"main","when":1700000002,"category":null,"revlink":"","repository":"","project":"","codebase":"","properties":[],"src":null}}'),
(4, 'acme', 'buildsetSubmitted', 'buildset 7', 1700000003000000, '{"event":"buildsetSubmitted","buildset":{"bsid":7,"external_idstring":null,"reason":"push","submitted_at":1700000003,"complete":false,"complete_at":null,"results":null,"source_stamps":[],"properties":[]}}'),
(5, 'acme', 'requestSubmitted', 'linux', 1700000003000000, '{"event":"requestSubmitted","request":{"brid":8,"bsid":7,"builder":"linux","priority":0,"claimed":false,"claimed_at":null,"complete":false,"results":null,"submitted_at":1700000003,"complete_at":null,"waited_for":false}}'),
(6, 'acme', 'buildStarted', 'linux #1', 1700000004000000, '{"event":"buildStarted","build":{"builder":"linux","number":1,"url":null,"tags":["nightly"],"results":null,"text":[],"reason":"push","worker":"w1","started":1700000004,"finished":null,"properties":[["owner","ada","Build"]],"source_stamps":[],"steps":[],"buildset":7,"requests":[8]}}'),
(7, 'acme', 'buildFinished', 'linux #1', 1700000009000000, '{"event":"buildFinished","build":{"builder":"linux","number":1,"url":null,"tags":["nightly"],"results":"failure","text":["failed","compile"],"reason":"push","worker":"w1","started":1700000004,"finished":1700000009,"properties":[["owner","ada","Build"]],"source_stamps":[],"steps":[{"name":"compile","text":["compile","failed"],"text2":[],"results":"failure","started":1700000005,"finished":1700000008,"urls":{},"hidden":false,"logs":[]}],"buildset":7,"requests":[8]}}'),
(8, 'acme', 'buildStarted', 'linux #2', 1700000010000000, '{"event":"buildStarted","build":{"builder":"linux","number":2,"url":null,"tags":["nightly"],"results":null,"text":[],"reason":"force","worker":"w1","started":1700000010,"finished":null,"properties":[],"source_stamps":[],"steps":[],"buildset":null,"requests":[]}}'),
(9, 'acme', 'stepStarted', 'linux #2', 1700000011000000, '{"event":"stepStarted","build":{"builder":"linux","number":2},"step":{"name":"compile","text":[],"text2":[],"results":null,"started":1700000011,"finished":null,"urls":{},"hidden":false,"logs":[]}}');

INSERT INTO builders (tenant, name, data) VALUES
('acme', 'linux', '{"name":"linux","description":"All of it","tags":["nightly"],"state":"idle","workers":["w1"]}');

INSERT INTO builds (id, tenant, builder, number, finished, results, data) VALUES
(1, 'acme', 'linux', 1, 1700000009000000, 2, '{"builder":"linux","number":1,"url":null,"tags":["nightly"],"results":"failure","text":["failed","compile"],"reason":"push","worker":"w1","started":1700000004,"finished":1700000009,"properties":[["owner","ada","Build"]],"source_stamps":[],"steps":[{"name":"compile","text":["compile","failed"],"text2":[],"results":"failure","started":1700000005,"finished":1700000008,"urls":{},"hidden":false,"logs":[]}],"buildset":7,"requests":[8]}'),
(2, 'acme', 'linux', 2, NULL, NULL, '{"builder":"linux","number":2,"url":null,"tags":["nightly"],"results":null,"text":[],"reason":"force","worker":"w1","started":1700000010,"finished":null,"properties":[],"source_stamps":[],"steps":[],"buildset":null,"requests":[]}');

INSERT INTO steps (build, name, event, place, data) VALUES
(2, 'compile', 9, 0, '{"name":"compile","text":[],"text2":[],"results":null,"started":1700000011,"finished":null,"urls":{},"hidden":false,"logs":[]}');

INSERT INTO changes (tenant, number, data) VALUES
('acme', 1, '{"number":1,"who":"ada","committer":null,"files":["a.c"],"comments":"fix","revision":"1f0c","branch":"main","when":1700000002,"category":null,"revlink":"","repository":"","project":"","codebase":"","properties":[],"src":null}');

INSERT INTO buildsets (tenant, bsid, complete, data) VALUES
('acme', 7, 0, '{"bsid":7,"external_idstring":null,"reason":"push","submitted_at":1700000003,"complete":false,"complete_at":null,"results":null,"source_stamps":[],"properties":[]}');

INSERT INTO requests (tenant, brid, data) VALUES
('acme', 8, '{"brid":8,"bsid":7,"builder":"linux","priority":0,"claimed":false,"claimed_at":null,"complete":false,"results":null,"submitted_at":1700000003,"complete_at":null,"waited_for":false}');

INSERT INTO workers (tenant, name, data) VALUES
('acme', 'w1', '{"name":"w1","admin":"ada@example.org","host":null,"access_uri":null,"version":null,"connected":true,"paused":false,"last_message":null,"notify":[]}');

-- Two pieces: `one\ntwo\n` by zstd, `three` plain; and a header line.
INSERT INTO logs (id, build, step, name, visible, touched, next_seq, bytes, newlines, open, header_bytes, kept_bytes, kept_lines) VALUES
(1, 1, 'compile', 'stdio', 1, 1700000008, 3, 13, 2, 1, 7, 13, 3);
INSERT INTO log_chunks (log, seq, header, first_byte, first_line, bytes, newlines, open, packed, data) VALUES
(1, 0, 1, 0, 0, 7, 1, 0, 0, x'24206d616b650a'),
(1, 1, 0, 0, 0, 8, 2, 0, 1, x'28b52ffd00484100006f6e650a74776f0a'),
(1, 2, 0, 8, 2, 5, 0, 1, 0, x'7468726565');

INSERT INTO deliveries (id, tenant, event, target, ordering_key, state, blocked, attempts, created, not_before, due, lease_owner, code, text, message) VALUES
(1, 'acme', 6, 'mail', NULL, 'delivered', 0, 1, 1700000004000000, 1700000004000000, 1700000004000000, NULL, NULL, 'queued as 4F1', x'6d657373616765'),
(2, 'acme', 6, 'push', 'linux', 'dead', 0, 1, 1700000004000000, 1700000004000000, 1700000004000000, NULL, 'refused', '400 Bad Request', x'7b7d'),
(3, 'acme', 6, 'irc', NULL, 'silent', 0, 0, 1700000004000000, 1700000004000000, 1700000004000000, NULL, 'not_wanted', 'nobody there has asked', NULL),
(4, 'acme', 7, 'mail', NULL, 'waiting', 0, 0, 1700000009000000, 1700000009000000, 1700000009000000, NULL, NULL, NULL, NULL),
(5, 'acme', 7, 'push', 'linux', 'waiting', 0, 1, 1700000009000000, 1700000009000000, 1700000909000000, 'engine', 'unavailable', '503', x'7b22626964223a317d'),
(6, 'acme', 8, 'push', 'linux', 'waiting', 1, 0, 1700000010000000, 1700000010000000, 1700000010000000, NULL, NULL, NULL, NULL);

INSERT INTO attempts (delivery, at, state, code, text) VALUES
(1, 1700000005000000, 'delivered', NULL, 'queued as 4F1'),
(2, 1700000005000000, 'dead', 'refused', '400 Bad Request'),
(5, 1700000010000000, 'waiting', 'unavailable', '503');

INSERT INTO dedup (tenant, key, at) VALUES ('acme', 'hook-1', 1700000004000000);
