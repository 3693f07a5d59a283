-- A second build of the same buildset.
INSERT INTO builds (id, tenant, builder, number, finished, results, data, buildset) VALUES
(3, 'acme', 'linux', 3, 1700000200000000, 0, '{"builder":"linux","number":3,"url":null,"tags":["nightly"],"results":"success","text":["build","successful"],"reason":"push","worker":"w1","started":1700000150,"finished":1700000200,"properties":[],"source_stamps":[],"steps":[],"buildset":7,"requests":[9]}', 7);
