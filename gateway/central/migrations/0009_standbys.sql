-- Gateways that stand by for a device: they may take its alarms further. Only the gateway in `devices` watches over it.
CREATE TABLE device_standbys (
    device  TEXT NOT NULL REFERENCES devices (id),
    gateway TEXT NOT NULL REFERENCES gateways (id),
    PRIMARY KEY (device, gateway)
) WITHOUT ROWID;

-- Every gateway that a device is assigned to.
CREATE VIEW assignments (device, gateway) AS
SELECT id, gateway FROM devices WHERE gateway IS NOT NULL
UNION ALL
SELECT device, gateway FROM device_standbys;

-- 1: the device of the alarm was assigned to the gateway when the gateway told the alarm.
ALTER TABLE alarm_gateways ADD COLUMN assigned BIGINT NOT NULL DEFAULT 0;

UPDATE alarm_gateways SET assigned = 1
WHERE alarm LIKE 'device:%' AND EXISTS (SELECT 1 FROM assignments a
    WHERE a.device = substr(alarm, 8, instr(alarm, '/') - 8) AND a.gateway = alarm_gateways.gateway);
