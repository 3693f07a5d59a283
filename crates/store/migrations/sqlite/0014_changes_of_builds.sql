-- A build that is told of by its revision gets the changes that pushes told of, which are looked up by it.
CREATE INDEX changes_by_revision ON changes (tenant, data ->> 'revision');

-- The rule by which a build has changes that were not told with it, in words.
ALTER TABLE builds ADD COLUMN changes_rule TEXT;
