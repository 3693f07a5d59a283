-- The greatest ids of rows that are gone. An id is given once: whoever still holds that of a removed row (an upload under
-- way, a page of a list, a message that was sent) must not meet another row by it, least of all another tenant's.
CREATE TABLE high_water (name TEXT PRIMARY KEY, last INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO high_water VALUES
    ('events', 0), ('deliveries', 0), ('builds', 0), ('logs', 0), ('callback_log', 0), ('audit', 0);

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
