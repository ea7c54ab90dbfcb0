//! Nobody is told that an alarm has come further than it durably has: on the gateway's disk, or at the centre.

use protocols::device::AlarmState;
use protocols::id::Seq;
use protocols::uplink::{Entry, FoldedSeqs, OwnAlarmBody, kind};

use super::Findings;
use crate::centre::{Centre, CentreAlarm};
use crate::disk::Disk;

const NAME: &str = "shown only when durable";

/// People are shown, or answered, a state of an alarm.
pub fn to_people(disk: &Disk, centre: &Centre, alarm: &str, state: AlarmState, findings: &mut Findings) {
    let here = disk.alarm(alarm).map(|alarm| alarm.state);
    let there = centre.alarms.values().find(|known| known.origin.alarm_id() == alarm).map(|known| known.state);
    let durable = here.max(there).max(centre.early_step(alarm));
    if durable.is_none_or(|durable| durable < state) {
        findings.note(NAME, &format!("{alarm} is shown as {} and is {durable:?}", state.name()));
    }
}

/// How far the alarms have come, but for their end, that presses were folded into: what happened to them before the presses
/// parted was true of these, too.
fn before_parting(disk: &Disk, device: &str, (epoch, seqs): (u32, &[u64])) -> Option<AlarmState> {
    let source = format!("device:{device}");
    let is_one = |body: &OwnAlarmBody| {
        let is_of = body.alarm.device.as_ref().is_some_and(|of| of.as_str() == device);
        let has = |run: &FoldedSeqs| seqs.iter().filter_map(|seq| Seq::new(*seq)).any(|seq| run.has(epoch, seq));
        is_of && body.folded_seqs.iter().any(has)
    };
    let entries = disk.rows.iter().filter(|row| row.kind == kind::ALARM_REPEATED).filter_map(|row| {
        let entry = serde_json::from_str::<Entry>(&row.bytes).ok()?;
        let own = row.source == source && row.epoch == epoch.to_string() && seqs.contains(&row.seq);
        (own || entry.body_as().is_ok_and(|body| is_one(&body))).then_some(entry)
    });
    let about = entries.filter_map(|entry| entry.about);
    let states = about.filter_map(|about| disk.alarm(&about.alarm_id())).map(|alarm| alarm.state);
    states.map(|state| state.min(AlarmState::OnSite)).max()
}

/// How far the alarm at the centre has come that has one of these presses.
fn at_centre_with(centre: &Centre, device: &str, (epoch, seqs): (u32, &[u64])) -> Option<AlarmState> {
    let origins: Vec<String> = seqs.iter().map(|seq| format!("device:{device}/{epoch}/{seq}")).collect();
    let is_one = |alarm: &&CentreAlarm| {
        origins.contains(&alarm.origin.to_string())
            || alarm.presses.iter().any(|(_, press)| origins.contains(&press.to_string()))
            || centre.folded.iter().any(|folded| {
                folded.alarm == alarm.origin.to_string() && seqs.iter().any(|seq| folded.has(device, epoch, *seq))
            })
    };
    let there = centre.alarms.values().filter(is_one).map(|alarm| alarm.state).max();
    let early = seqs.iter().filter_map(|seq| centre.early_step(&format!("{device}.{epoch}.{seq}"))).max();
    there.max(early)
}

/// A device is told a state of its presses, which are of one epoch.
pub fn to_device(
    disk: &Disk,
    centre: &Centre,
    device: &str,
    (epoch, seqs): (u32, &[u64]),
    state: AlarmState,
    findings: &mut Findings,
) {
    let mut durable = None;
    for alarm in disk.alarms_with(device, epoch, seqs) {
        durable = durable.max(Some(alarm.state));
        // Whoever presses again is told how far the alarm is, but for its end: that is not about a press which the centre
        // does not know of.
        let at_centre = centre.alarms.get(&alarm.origin.to_string()).map(|alarm| alarm.state.min(AlarmState::OnSite));
        durable = durable.max(at_centre);
    }
    // What follows takes longer to find, and is seldom needed.
    if durable < Some(state) {
        durable = durable.max(at_centre_with(centre, device, (epoch, seqs)));
    }
    if durable < Some(state) {
        durable = durable.max(before_parting(disk, device, (epoch, seqs)));
    }
    if durable < Some(state) {
        findings.note(NAME, &format!("{device} is told {} of {seqs:?}, which is {durable:?}", state.name()));
    }
}
