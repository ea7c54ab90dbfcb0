//! Acknowledged means durable, and what was acknowledged reaches the centre.

use super::Findings;
use crate::simulation::button::Button;
use crate::simulation::centre::Centre;
use crate::simulation::disk::Disk;

const NAME: &str = "acknowledged means durable";

/// A gateway acknowledges a report now: its disk has to have it or, where the disk takes nothing, the centre.
pub fn now(disk: &Disk, beside: Option<&Centre>, device: &str, epoch: u32, seq: u64, findings: &mut Findings) {
    let source = format!("device:{device}");
    let origin = format!("{source}/{epoch}/{seq}");
    let recorded =
        disk.find(&source, &epoch.to_string(), seq).is_some() || beside.is_some_and(|centre| centre.has(&origin));
    if !recorded && !is_counted(disk, device, epoch, seq) {
        findings.note(NAME, &format!("{device}/{epoch}/{seq} is acknowledged and not on the disk"));
    }
}

/// A press that came too fast for an entry of its own is kept with its alarm.
fn is_counted(disk: &Disk, device: &str, epoch: u32, seq: u64) -> bool {
    disk.state
        .range("alarm/".to_owned()..)
        .take_while(|(key, _)| key.starts_with("alarm/"))
        .filter_map(|(_, value)| serde_json::from_str::<gateway_core::Alarm>(value).ok())
        .filter(|alarm| alarm.device.as_ref().is_some_and(|of| of.as_str() == device))
        .any(|alarm| {
            alarm.presses_by_epoch().any(|(of, seqs)| of == epoch && seqs.iter().any(|pressed| pressed.get() == seq))
        })
}

/// At rest: everything that a button was told to forget is at the centre.
pub fn at_rest(buttons: &[Button], centre: &Centre, findings: &mut Findings) {
    for button in buttons {
        let device = button.id.as_str();
        for (epoch, seq) in &button.acknowledged {
            let origin = format!("device:{device}/{epoch}/{seq}");
            let by_number = centre
                .folded
                .iter()
                .any(|(of, of_epoch, from, to)| of == device && of_epoch == epoch && (from..=to).contains(&seq));
            if !centre.has(&origin) && !by_number {
                findings.note(NAME, &format!("{origin} was acknowledged and is not at the centre"));
            }
        }
        if !button.waiting.is_empty() {
            let first = button.waiting.front().map_or(0, |report| report.seq);
            findings.note(NAME, &format!("{device} has {} reports left, from {first}", button.waiting.len()));
        }
    }
}
