-- Number of the first change that was told of together with this one (the commits of one push); those of earlier versions
-- have none.
ALTER TABLE changes ADD COLUMN told_with INTEGER;
