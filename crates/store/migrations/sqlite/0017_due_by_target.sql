-- Each target's deliveries are claimed by themselves, so that nobody waits behind another's, within a tenant neither.
DROP INDEX deliveries_due;
CREATE INDEX deliveries_due ON deliveries (tenant, target, due) WHERE state = 'waiting' AND blocked = 0;
