-- What is old goes: the counts go with it, and the logs of a build are found without looking at all logs.
CREATE TRIGGER deliveries_counted_out AFTER DELETE ON deliveries BEGIN
    UPDATE delivery_counts SET count = count - 1 WHERE state = old.state;
END;
CREATE INDEX logs_by_build ON logs (build);
