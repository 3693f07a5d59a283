-- Each claim has a token: what is written under a lease that was lost since is told apart from its successor's writing.
ALTER TABLE deliveries ADD COLUMN lease_token INTEGER;
-- Of a settlement that is stored twice, since nobody knew if the first time was durable, the attempt is listed once.
ALTER TABLE attempts ADD COLUMN lease_token INTEGER;
