//! Silence is an alarm: a gateway that has not heard a device of its own for too long has that on record.

use protocols::uplink::{Entry, OwnAlarm, OwnAlarmBody, kind};

use super::Findings;
use crate::disk::Disk;

/// Whether an alarm says that a device is silent.
pub fn is_open(disk: &Disk, device: &str) -> bool {
    disk.alarms().any(|alarm| {
        alarm.is_open()
            && alarm.kind == OwnAlarm::DeviceSilent.word()
            && alarm.device.is_some_and(|of| of.as_str() == device)
    })
}

/// A running gateway has not heard a device for longer than it may be silent. `rows`: how many its journal had when it last
/// heard it.
pub fn now((gateway, disk): (usize, &Disk), device: &str, rows: usize, findings: &mut Findings) {
    let is_silence = |bytes: &str| {
        let body = serde_json::from_str::<Entry>(bytes).ok().and_then(|entry| entry.body_as::<OwnAlarmBody>().ok());
        body.is_some_and(|body| {
            body.alarm.kind == OwnAlarm::DeviceSilent.word()
                && body.alarm.device.is_some_and(|of| of.as_str() == device)
        })
    };
    let alarms = [kind::ALARM_RAISED, kind::ALARM_REPEATED];
    let mut rows = disk.rows.iter().skip(rows).filter(|row| alarms.contains(&row.kind.as_str()));
    if !rows.any(|row| is_silence(&row.bytes)) {
        findings.note("silence is an alarm", &format!("gateway {gateway} does not miss {device}"));
    }
}
