-- The origin of the entry that told of a further press or a take-back, so that the end of an alarm can name what it ended with.
ALTER TABLE alarm_events ADD COLUMN entry TEXT;
