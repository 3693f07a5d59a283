PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);
INSERT INTO _sqlx_migrations VALUES(1,'init','2026-11-23 12:00:00',1,X'445ae3e0e611695f4a65b356641651069617b84d4415907906bad266c5c38696e2e137acc115a1bd0aac77707d86e44e',1000000);
INSERT INTO _sqlx_migrations VALUES(2,'callbacks','2026-11-23 12:00:00',1,X'30fdcab3273ea11ada9c5afbb4be70034c98c2767b7defe1f4deed9093afac0201355feea363877c9b7213ffcfe8a354',1000000);
INSERT INTO _sqlx_migrations VALUES(3,'summaries','2026-11-23 12:00:00',1,X'15c07499cb7aef75a33fc965993729c03b0077f1b57e75526b93b38941e4c5239e7bf3306546cbf4f30d3083f04b36bd',1000000);
INSERT INTO _sqlx_migrations VALUES(4,'polls','2026-11-23 12:00:00',1,X'fbfdd6e65397f1a5c0ea0695c7a9e51471cf339a2e46295eae7054301b7896500a5f3f5066e5f335711518917e3886cf',1000000);
INSERT INTO _sqlx_migrations VALUES(5,'running','2026-11-23 12:00:00',1,X'3d395f1a3cd3d0e8b8731a621a49659736cfb3eeb1fd51a88459f470c814131aa9d348fd504d4d02bc73d1f740a670eb',1000000);
INSERT INTO _sqlx_migrations VALUES(6,'audit','2026-11-23 12:00:00',1,X'1ab3981e4e105627265a95a5e272320d95332540f153769d69b85f4329243fd1e62c40d7c9cfd9ad78d3042a2c71eaa6',1000000);
INSERT INTO _sqlx_migrations VALUES(7,'queues','2026-11-23 12:00:00',1,X'ca309c6e9c2a6193baa7f948d19b3bd6dc3f7a346f5fae6d6b3fefe47503adb4e4f120b16bec47d6e16d265defc2e91f',1000000);
INSERT INTO _sqlx_migrations VALUES(8,'retention','2026-11-23 12:00:00',1,X'9e034ef2e544915fa8b7c990e94a33592412ca237af1a7dc0fc21b2785292b5de9f888e9adc30dc67c39d6cbd3b0e947',1000000);
INSERT INTO _sqlx_migrations VALUES(9,'traces','2026-11-23 12:00:00',1,X'8803d37a088697b2dabf959e7528c7d4af461d575998b5ccf1550968a54ee71f46750646695b31f4169b90ab5e40afe6',1000000);
INSERT INTO _sqlx_migrations VALUES(10,'tokens','2026-11-23 12:00:00',1,X'170dcf6f91919a002cffa74012c85f8b6ef2c0b6666293391d777fdc48820b66abeddf214511ccafeab946c82f5928a0',1000000);
INSERT INTO _sqlx_migrations VALUES(12,'tenants','2026-11-23 12:00:00',1,X'86dbe1b93b325f17124b61bc7e794f6f0b16f79cf31d344791e9b08c9a3cb29ba141574a61325bd8bc35099070bd2158',1000000);
INSERT INTO _sqlx_migrations VALUES(13,'indexes','2026-11-23 12:00:00',1,X'cf4ad849c111a22bcc705fe5eb5ed550d1f217538a9bc707c5286e3a7e876f28fcc3483b203ff04c889e3d7d5bf1a6fa',1000000);
INSERT INTO _sqlx_migrations VALUES(14,'changes_of_builds','2026-11-23 12:00:00',1,X'fec3d8feb33efbabab608371e1736117e2f8958893a8c7922d01034a5cb83908f78142448f539681bc343e26d5614706',1000000);
INSERT INTO _sqlx_migrations VALUES(15,'recovery','2026-11-23 12:00:00',1,X'd302d758633b74d15fa5395be0db7c0536fc5cde32b8e0ab7cce710d3cd6e000e275e6c5f08c3802b0c04edabcdb6505',1000000);
INSERT INTO _sqlx_migrations VALUES(16,'high_water','2026-11-23 12:00:00',1,X'8e71991113fe6b7efba2b9b0b5ae68fd8ddb1ebe88ecb77de4950634771ce548974a9441a58264cb20cdc8815398098c',1000000);
INSERT INTO _sqlx_migrations VALUES(17,'due_by_target','2026-11-23 12:00:00',1,X'4754cc23e2c3a03b1e13e7cbef86ae5d2d6163bfbaf353f83f5c0cc8213757f52841274a89e52efe17eaa0108bb90368',1000000);
INSERT INTO _sqlx_migrations VALUES(18,'pushes','2026-11-23 12:00:00',1,X'2591c9f4e256862374ce28237cda34acb18eb2faf11e4b663ccbdee9cc8ee153e0255b687e1ea0930f94b7291c7ea61d',1000000);
INSERT INTO _sqlx_migrations VALUES(19,'lease_tokens','2026-11-23 12:00:00',1,X'90102d2b21a152bca6409451de3cdbd23722a46b57d28eb79f44666825867236b3799c64ed853e15dc38a454e5aceae0',1000000);
CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    subject TEXT NOT NULL,
    at INTEGER NOT NULL,
    payload TEXT NOT NULL
);
INSERT INTO events VALUES(1,'acme','builderAdded','linux',1700000000000000,'{"event":"builderAdded","builder":{"name":"linux","description":"All of it","tags":["nightly"],"state":"idle","workers":["w1"]}}');
INSERT INTO events VALUES(2,'acme','workerConnected','w1',1700000001000000,'{"event":"workerConnected","worker":{"name":"w1","admin":"ada@example.org","host":null,"access_uri":null,"version":null,"connected":true,"paused":false,"last_message":null,"notify":[]}}');
INSERT INTO events VALUES(3,'acme','changeAdded','1f0c',1700000002000000,'{"event":"changeAdded","change":{"number":1,"who":"ada","committer":null,"files":["a.c"],"comments":"fix","revision":"1f0c","branch":"main","when":1700000002,"category":null,"revlink":"","repository":"","project":"","codebase":"","properties":[],"src":null}}');
INSERT INTO events VALUES(4,'acme','buildsetSubmitted','buildset 7',1700000003000000,'{"event":"buildsetSubmitted","buildset":{"bsid":7,"external_idstring":null,"reason":"push","submitted_at":1700000003,"complete":false,"complete_at":null,"results":null,"source_stamps":[],"properties":[]}}');
INSERT INTO events VALUES(5,'acme','requestSubmitted','linux',1700000003000000,'{"event":"requestSubmitted","request":{"brid":8,"bsid":7,"builder":"linux","priority":0,"claimed":false,"claimed_at":null,"complete":false,"results":null,"submitted_at":1700000003,"complete_at":null,"waited_for":false}}');
INSERT INTO events VALUES(6,'acme','buildStarted','linux #1',1700000004000000,'{"event":"buildStarted","build":{"builder":"linux","number":1,"url":null,"tags":["nightly"],"results":null,"text":[],"reason":"push","worker":"w1","started":1700000004,"finished":null,"properties":[["owner","ada","Build"]],"source_stamps":[],"steps":[],"buildset":7,"requests":[8]}}');
INSERT INTO events VALUES(7,'acme','buildFinished','linux #1',1700000009000000,'{"event":"buildFinished","build":{"builder":"linux","number":1,"url":null,"tags":["nightly"],"results":"failure","text":["failed","compile"],"reason":"push","worker":"w1","started":1700000004,"finished":1700000009,"properties":[["owner","ada","Build"]],"source_stamps":[],"steps":[{"name":"compile","text":["compile","failed"],"text2":[],"results":"failure","started":1700000005,"finished":1700000008,"urls":{},"hidden":false,"logs":[]}],"buildset":7,"requests":[8]}}');
INSERT INTO events VALUES(8,'acme','buildStarted','linux #2',1700000010000000,'{"event":"buildStarted","build":{"builder":"linux","number":2,"url":null,"tags":["nightly"],"results":null,"text":[],"reason":"force","worker":"w1","started":1700000010,"finished":null,"properties":[],"source_stamps":[],"steps":[],"buildset":null,"requests":[]}}');
INSERT INTO events VALUES(9,'acme','stepStarted','linux #2',1700000011000000,'{"event":"stepStarted","build":{"builder":"linux","number":2},"step":{"name":"compile","text":[],"text2":[],"results":null,"started":1700000011,"finished":null,"urls":{},"hidden":false,"logs":[]}}');
CREATE TABLE builders (
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (tenant, name)
) WITHOUT ROWID;
INSERT INTO builders VALUES('acme','linux','{"name":"linux","description":"All of it","tags":["nightly"],"state":"idle","workers":["w1"]}');
CREATE TABLE builds (
    id INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    builder TEXT NOT NULL,
    number INTEGER NOT NULL,
    finished INTEGER,
    results INTEGER,
    data TEXT NOT NULL, buildset INTEGER, changes_rule TEXT,
    UNIQUE (tenant, builder, number)
);
INSERT INTO builds VALUES(1,'acme','linux',1,1700000009000000,2,'{"builder":"linux","number":1,"url":null,"tags":["nightly"],"results":"failure","text":["failed","compile"],"reason":"push","worker":"w1","started":1700000004,"finished":1700000009,"properties":[["owner","ada","Build"]],"source_stamps":[],"steps":[{"name":"compile","text":["compile","failed"],"text2":[],"results":"failure","started":1700000005,"finished":1700000008,"urls":{},"hidden":false,"logs":[]}],"buildset":7,"requests":[8]}',7,NULL);
INSERT INTO builds VALUES(2,'acme','linux',2,NULL,NULL,'{"builder":"linux","number":2,"url":null,"tags":["nightly"],"results":null,"text":[],"reason":"force","worker":"w1","started":1700000010,"finished":null,"properties":[],"source_stamps":[],"steps":[],"buildset":null,"requests":[]}',NULL,NULL);
INSERT INTO builds VALUES(3,'acme','linux',3,1700000200000000,0,'{"builder":"linux","number":3,"url":null,"tags":["nightly"],"results":"success","text":["build","successful"],"reason":"push","worker":"w1","started":1700000150,"finished":1700000200,"properties":[],"source_stamps":[],"steps":[],"buildset":7,"requests":[9]}',7,NULL);
CREATE TABLE steps (
    build INTEGER NOT NULL REFERENCES builds (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    -- Order of appearance: the event that first told of the step, and the place in that event's list.
    event INTEGER NOT NULL,
    place INTEGER NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (build, name)
) WITHOUT ROWID;
INSERT INTO steps VALUES(2,'compile',9,0,'{"name":"compile","text":[],"text2":[],"results":null,"started":1700000011,"finished":null,"urls":{},"hidden":false,"logs":[]}');
CREATE TABLE changes (
    tenant TEXT NOT NULL,
    number INTEGER NOT NULL,
    data TEXT NOT NULL, told_with INTEGER,
    PRIMARY KEY (tenant, number)
) WITHOUT ROWID;
INSERT INTO changes VALUES('acme',1,'{"number":1,"who":"ada","committer":null,"files":["a.c"],"comments":"fix","revision":"1f0c","branch":"main","when":1700000002,"category":null,"revlink":"","repository":"","project":"","codebase":"","properties":[],"src":null}',NULL);
CREATE TABLE buildsets (
    tenant TEXT NOT NULL,
    bsid INTEGER NOT NULL,
    complete INTEGER NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (tenant, bsid)
) WITHOUT ROWID;
INSERT INTO buildsets VALUES('acme',7,0,'{"bsid":7,"external_idstring":null,"reason":"push","submitted_at":1700000003,"complete":false,"complete_at":null,"results":null,"source_stamps":[],"properties":[]}');
CREATE TABLE requests (
    tenant TEXT NOT NULL,
    brid INTEGER NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (tenant, brid)
) WITHOUT ROWID;
INSERT INTO requests VALUES('acme',8,'{"brid":8,"bsid":7,"builder":"linux","priority":0,"claimed":false,"claimed_at":null,"complete":false,"results":null,"submitted_at":1700000003,"complete_at":null,"waited_for":false}');
CREATE TABLE workers (
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (tenant, name)
) WITHOUT ROWID;
INSERT INTO workers VALUES('acme','w1','{"name":"w1","admin":"ada@example.org","host":null,"access_uri":null,"version":null,"connected":true,"paused":false,"last_message":null,"notify":[]}');
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
INSERT INTO logs VALUES(1,1,'compile','stdio',1,1700000008,3,13,2,1,7,NULL,0,0,0,0,0,13,3);
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
INSERT INTO log_chunks VALUES(1,1,0,1,0,0,7,1,0,0,X'24206d616b650a');
INSERT INTO log_chunks VALUES(2,1,1,0,0,0,8,2,0,1,X'28b52ffd00484100006f6e650a74776f0a');
INSERT INTO log_chunks VALUES(3,1,2,0,8,2,5,0,1,0,X'7468726565');
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
, callback_version TEXT, number INTEGER, traceparent TEXT, held INTEGER NOT NULL DEFAULT 0, lease_token INTEGER);
INSERT INTO deliveries VALUES(1,'acme',6,'mail',NULL,'delivered',0,1,1700000004000000,1700000004000000,1700000004000000,NULL,NULL,'queued as 4F1',X'6d657373616765','d1',NULL,NULL,0,NULL);
INSERT INTO deliveries VALUES(2,'acme',6,'push','linux','dead',0,1,1700000004000000,1700000004000000,1700000004000000,NULL,'refused','400 Bad Request',X'7b7d',NULL,NULL,NULL,0,NULL);
INSERT INTO deliveries VALUES(3,'acme',6,'irc',NULL,'silent',0,0,1700000004000000,1700000004000000,1700000004000000,NULL,'not_wanted','nobody there has asked',NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO deliveries VALUES(4,'acme',7,'mail',NULL,'waiting',0,0,1700000009000000,1700000009000000,1700000009000000,NULL,NULL,NULL,NULL,NULL,NULL,'00-00000000000000000000000000000007-0000000000000008-01',0,NULL);
INSERT INTO deliveries VALUES(5,'acme',7,'push','linux','waiting',0,1,1700000009000000,1700000009000000,1700000909000000,'engine','unavailable','503',X'7b22626964223a317d',NULL,NULL,NULL,0,NULL);
INSERT INTO deliveries VALUES(6,'acme',8,'push','linux','waiting',1,0,1700000010000000,1700000010000000,1700000010000000,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO deliveries VALUES(7,'acme',9,'packets','','delivered',0,1,1700000400000000,1700000400000000,1700000400000000,NULL,NULL,'200',X'7b7d',NULL,1,NULL,0,NULL);
INSERT INTO deliveries VALUES(8,'acme',9,'packets','','waiting',0,0,1700000401000000,1700000401000000,1700000401000000,NULL,NULL,NULL,NULL,NULL,2,NULL,0,NULL);
CREATE TABLE attempts (
    id INTEGER PRIMARY KEY,
    delivery INTEGER NOT NULL,
    at INTEGER NOT NULL,
    state TEXT NOT NULL,
    code TEXT,
    text TEXT NOT NULL
, lease_token INTEGER);
INSERT INTO attempts VALUES(1,1,1700000005000000,'delivered',NULL,'queued as 4F1',NULL);
INSERT INTO attempts VALUES(2,2,1700000005000000,'dead','refused','400 Bad Request',NULL);
INSERT INTO attempts VALUES(3,5,1700000010000000,'waiting','unavailable','503',NULL);
CREATE TABLE delivery_counts (state TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO delivery_counts VALUES('dead',1);
INSERT INTO delivery_counts VALUES('delivered',2);
INSERT INTO delivery_counts VALUES('silent',1);
INSERT INTO delivery_counts VALUES('waiting',4);
CREATE TABLE dedup (
    tenant TEXT NOT NULL,
    key TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (tenant, key)
) WITHOUT ROWID;
INSERT INTO dedup VALUES('acme','hook-1',1700000004000000);
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
INSERT INTO callback_versions VALUES(1,'acme','formatter','d1','pushed',11,1700000100000000,X'28b52ffd04585900006120636f6d706f6e656e74ce1c472d');
CREATE TABLE callbacks_in_use (
    tenant TEXT NOT NULL,
    callback TEXT NOT NULL,
    digest TEXT NOT NULL,
    file_digest TEXT,
    PRIMARY KEY (tenant, callback)
) WITHOUT ROWID;
INSERT INTO callbacks_in_use VALUES('acme','formatter','d1','d0');
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
INSERT INTO callback_log VALUES(1,'acme','formatter','d1',1,1700000100000000,'ok',120,65536,'[{"level":"info","text":"hello"}]');
CREATE TABLE polls (
    tenant TEXT NOT NULL,
    poller TEXT NOT NULL,
    -- What was looked at; of another source nothing is known.
    source TEXT NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (tenant, poller)
) WITHOUT ROWID;
INSERT INTO polls VALUES('acme','bells','https://example.org/r.git','{"main":"1f0c"}');
CREATE TABLE audit (
    id INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    place TEXT NOT NULL,
    what TEXT NOT NULL,
    answer TEXT NOT NULL
);
INSERT INTO audit VALUES(1,'acme',1700000300000000,'IRC user <ada>','irc.example.org/#ci','force linux','forced build #2');
CREATE TABLE queues (
    tenant TEXT NOT NULL,
    target TEXT NOT NULL,
    -- The number that the next one gets, and when the first one got 1.
    next INTEGER NOT NULL,
    started INTEGER NOT NULL,
    PRIMARY KEY (tenant, target)
) WITHOUT ROWID;
INSERT INTO queues VALUES('acme','packets',3,1700000400000000);
CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    created INTEGER NOT NULL,
    expires INTEGER
) WITHOUT ROWID;
INSERT INTO tokens VALUES('tk1','acme','workers','ingest',X'0101010101010101010101010101010101010101010101010101010101010101',1700000500000000,NULL);
CREATE TABLE orphans (
    tenant TEXT NOT NULL,
    target TEXT NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (tenant, target)
) WITHOUT ROWID;
CREATE TABLE engine_clock (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    seen INTEGER NOT NULL
);
CREATE TABLE high_water (name TEXT PRIMARY KEY, last INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO high_water VALUES('audit',0);
INSERT INTO high_water VALUES('builds',0);
INSERT INTO high_water VALUES('callback_log',0);
INSERT INTO high_water VALUES('deliveries',0);
INSERT INTO high_water VALUES('events',0);
INSERT INTO high_water VALUES('logs',0);
CREATE INDEX builds_by_tenant ON builds (tenant);
CREATE INDEX builds_earlier ON builds (tenant, builder, number)
    WHERE finished IS NOT NULL AND results IS NOT 5;
CREATE UNIQUE INDEX logs_visible ON logs (build, step, name) WHERE visible = 1;
CREATE INDEX logs_uploading ON logs (touched) WHERE visible = 0;
CREATE UNIQUE INDEX log_chunks_by_seq ON log_chunks (log, header, seq);
CREATE INDEX log_chunks_by_byte ON log_chunks (log, header, first_byte);
CREATE INDEX deliveries_by_key ON deliveries (tenant, target, ordering_key)
    WHERE state = 'waiting' AND ordering_key IS NOT NULL;
CREATE INDEX deliveries_by_tenant ON deliveries (tenant);
CREATE INDEX deliveries_by_state ON deliveries (tenant, state);
CREATE INDEX deliveries_by_target ON deliveries (tenant, target);
CREATE INDEX deliveries_by_event ON deliveries (event);
CREATE INDEX attempts_by_delivery ON attempts (delivery);
CREATE TRIGGER deliveries_counted_in AFTER INSERT ON deliveries BEGIN
    UPDATE delivery_counts SET count = count + 1 WHERE state = new.state;
END;
CREATE TRIGGER deliveries_counted_over AFTER UPDATE OF state ON deliveries WHEN old.state <> new.state BEGIN
    UPDATE delivery_counts SET count = count - 1 WHERE state = old.state;
    UPDATE delivery_counts SET count = count + 1 WHERE state = new.state;
END;
CREATE INDEX dedup_by_age ON dedup (at);
CREATE INDEX callback_log_by_tenant ON callback_log (tenant, callback);
CREATE INDEX builds_by_buildset ON builds (tenant, buildset) WHERE buildset IS NOT NULL;
CREATE INDEX events_told ON events (tenant, subject)
    WHERE name IN ('buildStarted', 'buildFinished', 'buildsetComplete', 'changeAdded', 'workerMissing');
CREATE INDEX builds_running ON builds (tenant, builder, number) WHERE finished IS NULL;
CREATE INDEX audit_by_tenant ON audit (tenant, id);
CREATE TRIGGER deliveries_counted_out AFTER DELETE ON deliveries BEGIN
    UPDATE delivery_counts SET count = count - 1 WHERE state = old.state;
END;
CREATE INDEX logs_by_build ON logs (build);
CREATE INDEX deliveries_waiting ON deliveries (tenant, target, id, created) WHERE state = 'waiting';
CREATE INDEX events_by_tenant ON events (tenant);
CREATE INDEX changes_by_revision ON changes (tenant, data ->> 'revision');
CREATE TRIGGER events_given AFTER DELETE ON events BEGIN
    UPDATE high_water SET last = max(last, old.id) WHERE name = 'events';
END;
CREATE TRIGGER deliveries_given AFTER DELETE ON deliveries BEGIN
    UPDATE high_water SET last = max(last, old.id) WHERE name = 'deliveries';
END;
CREATE TRIGGER builds_given AFTER DELETE ON builds BEGIN
    UPDATE high_water SET last = max(last, old.id) WHERE name = 'builds';
END;
CREATE TRIGGER logs_given AFTER DELETE ON logs BEGIN
    UPDATE high_water SET last = max(last, old.id) WHERE name = 'logs';
END;
CREATE TRIGGER callback_log_given AFTER DELETE ON callback_log BEGIN
    UPDATE high_water SET last = max(last, old.id) WHERE name = 'callback_log';
END;
CREATE TRIGGER audit_given AFTER DELETE ON audit BEGIN
    UPDATE high_water SET last = max(last, old.id) WHERE name = 'audit';
END;
CREATE INDEX deliveries_due ON deliveries (tenant, target, due) WHERE state = 'waiting' AND blocked = 0;
COMMIT;
