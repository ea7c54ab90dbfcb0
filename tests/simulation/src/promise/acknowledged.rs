//! Acknowledged means durable, and what was acknowledged reaches the centre.

use std::collections::BTreeSet;

use super::Findings;
use crate::button::Button;
use crate::centre::Centre;
use crate::disk::Disk;

const NAME: &str = "acknowledged means durable";

/// A gateway acknowledges a report now: its disk has to have it or, where the disk takes nothing or cannot be asked, the centre.
pub fn now(disk: &Disk, centre: &Centre, device: &str, epoch: u32, seq: u64, findings: &mut Findings) {
    let source = format!("device:{device}");
    let origin = format!("{source}/{epoch}/{seq}");
    let recorded = disk.find(&source, &epoch.to_string(), seq).is_some() || centre.has(&origin);
    // A press that came too fast for an entry of its own is kept with its alarm.
    if !recorded && disk.alarms_with(device, epoch, &[seq]).next().is_none() {
        findings.note(NAME, &format!("{device}/{epoch}/{seq} is acknowledged and not on the disk"));
    }
}

/// At rest: everything that a button was told to forget is at the centre, but for what was `gone` with a disk.
pub fn at_rest(buttons: &[Button], centre: &Centre, gone: &BTreeSet<String>, findings: &mut Findings) {
    for button in buttons {
        let device = button.id.as_str();
        for (epoch, seq) in &button.acknowledged {
            let origin = format!("device:{device}/{epoch}/{seq}");
            let by_number = centre.folded.iter().any(|folded| folded.has(device, *epoch, *seq));
            if !centre.has(&origin) && !by_number && !gone.contains(&origin) {
                findings.note(NAME, &format!("{origin} was acknowledged and is not at the centre"));
            }
        }
        if !button.waiting.is_empty() {
            let first = button.waiting.front().map_or(0, |report| report.seq);
            findings.note(NAME, &format!("{device} has {} reports left, from {first}", button.waiting.len()));
        }
    }
}
