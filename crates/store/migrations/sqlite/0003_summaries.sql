-- Which builds a buildset led to, for one mail about all of them.
ALTER TABLE builds ADD COLUMN buildset INTEGER;
UPDATE builds SET buildset = data->>'buildset';
CREATE INDEX builds_by_buildset ON builds (tenant, buildset) WHERE buildset IS NOT NULL;

-- What people ask about by name: why was I (not) told of this?
CREATE INDEX events_told ON events (tenant, subject)
    WHERE name IN ('buildStarted', 'buildFinished', 'buildsetComplete', 'changeAdded', 'workerMissing');
