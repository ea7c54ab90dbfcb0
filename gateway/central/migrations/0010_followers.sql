-- A press that was here is sought in the alarm that it is about and in those that follow that one.
CREATE INDEX alarms_follows ON alarms (follows) WHERE follows IS NOT NULL;
