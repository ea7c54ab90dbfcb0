//! Nobody is told that an alarm has come further than it durably has.

use protocols::device::AlarmState;

use super::Findings;
use crate::simulation::disk::Disk;

const NAME: &str = "shown only when durable";

/// People are shown, or answered, a state of an alarm.
pub fn to_people(disk: &Disk, alarm: &str, state: AlarmState, findings: &mut Findings) {
    let durable = disk.alarm(alarm).map(|alarm| alarm.state);
    if durable.is_none_or(|durable| durable < state) {
        findings.note(NAME, &format!("{alarm} is shown as {} and is {durable:?} on the disk", state.name()));
    }
}

/// A device is told a state of its presses.
pub fn to_device(disk: &Disk, device: &str, epoch: u32, seqs: &[u64], state: AlarmState, findings: &mut Findings) {
    let durable = disk
        .state
        .iter()
        .filter(|(key, _)| key.starts_with("alarm/"))
        .filter_map(|(_, value)| serde_json::from_str::<gateway_core::Alarm>(value).ok())
        .filter(|alarm| alarm.device.as_ref().is_some_and(|of| of.as_str() == device))
        .filter(|alarm| {
            alarm
                .presses_by_epoch()
                .any(|(of, pressed)| of == epoch && pressed.iter().any(|seq| seqs.contains(&seq.get())))
        })
        .map(|alarm| alarm.state)
        .max();
    if durable.is_none_or(|durable| durable < state) {
        findings.note(NAME, &format!("{device} is told {} of {seqs:?}, on the disk it is {durable:?}", state.name()));
    }
}
