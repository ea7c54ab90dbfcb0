-- Of a step: when it was taken, by the clock that took it where that could be trusted; who was sent and in how many minutes
-- they are there; who had the alarm before, where somebody took it over (`what` is then taken_over, or a step).
ALTER TABLE alarm_events ADD COLUMN at_ms BIGINT;
ALTER TABLE alarm_events ADD COLUMN responder TEXT;
ALTER TABLE alarm_events ADD COLUMN eta_min BIGINT;
ALTER TABLE alarm_events ADD COLUMN took_over TEXT;
UPDATE alarm_events SET at_ms = received_ms;

-- Of an alarm, kept with it: since when it waits, when each step was first taken, who has it, who comes.
ALTER TABLE alarms ADD COLUMN raised_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE alarms ADD COLUMN acknowledged_ms BIGINT;
ALTER TABLE alarms ADD COLUMN dispatched_ms BIGINT;
ALTER TABLE alarms ADD COLUMN on_site_ms BIGINT;
ALTER TABLE alarms ADD COLUMN resolved_ms BIGINT;
ALTER TABLE alarms ADD COLUMN cause TEXT;
ALTER TABLE alarms ADD COLUMN holder TEXT;
ALTER TABLE alarms ADD COLUMN held_ms BIGINT;
ALTER TABLE alarms ADD COLUMN responder TEXT;
ALTER TABLE alarms ADD COLUMN eta_ms BIGINT;

UPDATE alarms SET
    raised_ms = received_ms,
    acknowledged_ms = (SELECT MIN(e.at_ms) FROM alarm_events e WHERE e.alarm = alarms.origin AND e.variant = alarms.variant
        AND e.what = 'step' AND e.state >= 2 AND e.state <= alarms.state),
    dispatched_ms = (SELECT MIN(e.at_ms) FROM alarm_events e WHERE e.alarm = alarms.origin AND e.variant = alarms.variant
        AND e.what = 'step' AND e.state = 3 AND e.state <= alarms.state),
    on_site_ms = (SELECT MIN(e.at_ms) FROM alarm_events e WHERE e.alarm = alarms.origin AND e.variant = alarms.variant
        AND e.what = 'step' AND e.state = 4 AND e.state <= alarms.state),
    resolved_ms = (SELECT MIN(e.at_ms) FROM alarm_events e WHERE e.alarm = alarms.origin AND e.variant = alarms.variant
        AND e.what = 'step' AND e.state = 5 AND e.state <= alarms.state),
    cause = (SELECT e.cause FROM alarm_events e WHERE e.alarm = alarms.origin AND e.variant = alarms.variant
        AND e.what = 'step' AND e.state = 5 AND e.state <= alarms.state ORDER BY e.id LIMIT 1),
    (holder, held_ms) = (SELECT e.actor, e.at_ms FROM alarm_events e WHERE e.alarm = alarms.origin
        AND e.variant = alarms.variant AND e.what = 'step' AND e.state >= 2 AND e.state <= alarms.state
        ORDER BY e.state DESC, e.id LIMIT 1);

-- The list is searched by device, kind and urgency, newest first, and paged.
CREATE INDEX alarms_device ON alarms (device, received_ms);
CREATE INDEX alarms_kind ON alarms (kind, received_ms);
CREATE INDEX alarms_urgency ON alarms (urgency, received_ms);
