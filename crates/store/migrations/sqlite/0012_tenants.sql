-- Each tenant's deliveries are claimed by themselves, so that nobody waits behind another's.
DROP INDEX deliveries_due;
CREATE INDEX deliveries_due ON deliveries (tenant, due) WHERE state = 'waiting' AND blocked = 0;
