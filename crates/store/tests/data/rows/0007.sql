-- A queue of which one packet went out, and the second one waits.
INSERT INTO queues (tenant, target, next, started) VALUES ('acme', 'packets', 3, 1700000400000000);
INSERT INTO deliveries (id, tenant, event, target, ordering_key, state, blocked, attempts, created, not_before, due, lease_owner, code, text, message, number) VALUES
(7, 'acme', 9, 'packets', '', 'delivered', 0, 1, 1700000400000000, 1700000400000000, 1700000400000000, NULL, NULL, '200', x'7b7d', 1),
(8, 'acme', 9, 'packets', '', 'waiting', 0, 0, 1700000401000000, 1700000401000000, 1700000401000000, NULL, NULL, NULL, NULL, 2);
