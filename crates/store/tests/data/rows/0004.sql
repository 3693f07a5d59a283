INSERT INTO polls (tenant, poller, source, state) VALUES ('acme', 'bells', 'https://example.org/r.git', '{"main":"1f0c"}');
