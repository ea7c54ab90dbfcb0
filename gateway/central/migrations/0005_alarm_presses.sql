-- How often an alarm was pressed, the newest further press as its gateway recorded it, and whether the elder took it back
-- since the last press. Of alarms that were here before, presses that were told by count count as one.
ALTER TABLE alarms ADD COLUMN presses BIGINT NOT NULL DEFAULT 1;
ALTER TABLE alarms ADD COLUMN last_press_at TEXT;
ALTER TABLE alarms ADD COLUMN taken_back BIGINT NOT NULL DEFAULT 0;

UPDATE alarms SET
    presses = MAX(1, (SELECT COUNT(*) FROM alarm_events e WHERE e.alarm = alarms.origin AND e.variant = 0 AND e.what = 'repeated')
        + (follows IS NULL)),
    last_press_at = (SELECT MAX(at) FROM alarm_events e WHERE e.alarm = alarms.origin AND e.variant = 0 AND e.what = 'repeated'),
    taken_back = COALESCE((SELECT e.what = 'cancelled' FROM alarm_events e
        WHERE e.alarm = alarms.origin AND e.variant = 0 AND e.what IN ('repeated', 'cancelled') ORDER BY e.id DESC LIMIT 1), 0)
WHERE variant = 0;
