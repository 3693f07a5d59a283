-- What a request asks for stands in its buildset, which is found by its number.
CREATE INDEX events_of_buildsets ON events (tenant, subject) WHERE name IN ('buildsetSubmitted', 'buildsetComplete');
