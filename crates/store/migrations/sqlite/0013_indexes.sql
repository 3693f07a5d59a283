-- What waits is a small part of what is kept, and is asked for all the time: by metrics, by pruning, when a target's far
-- side is back, at a start and at a stop. With `id` in the middle a target's are listed in their order; with `created`
-- the metrics need no look at the rows. It is written when a delivery is made and when it is settled, not at a claim.
CREATE INDEX deliveries_waiting ON deliveries (tenant, target, id, created) WHERE state = 'waiting';

-- What a tenant holds is summed up, and all of it goes with the tenant. New events come at the end of its part.
CREATE INDEX events_by_tenant ON events (tenant);
