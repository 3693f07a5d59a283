-- The trace that a delivery belongs to, as `traceparent` writes it: its spans join it after a restart too.
ALTER TABLE deliveries ADD COLUMN traceparent TEXT;
