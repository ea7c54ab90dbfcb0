//! At rest every gateway knows of each alarm the highest step that anybody took, and every step is at the centre.

use super::Findings;
use crate::centre::Centre;
use crate::disk::Disk;

const NAME: &str = "the state is the highest step known";

/// At rest.
pub fn at_rest(gateway: usize, disk: &Disk, centre: &Centre, findings: &mut Findings) {
    for alarm in disk.alarms() {
        let origin = alarm.origin.to_string();
        match centre.alarms.get(&origin) {
            // A press that two gateways folded into different alarms counts where the centre first heard of it; the alarm that
            // the other gateway makes of it is ended there by hand.
            None if is_told_by_another(gateway, &origin, centre) => {}
            None => findings.note(NAME, &format!("gateway {gateway} has {origin}, the centre has not")),
            Some(known) if known.state != alarm.state => {
                let (here, there) = (alarm.state.name(), known.state.name());
                findings.note(NAME, &format!("{origin} is {here} at gateway {gateway} and {there} at the centre"));
            }
            Some(_) => {}
        }
    }
}

fn is_told_by_another(gateway: usize, origin: &str, centre: &Centre) -> bool {
    centre
        .alarms
        .values()
        .flat_map(|alarm| &alarm.presses)
        .any(|(of, press)| *of != gateway && press.to_string() == *origin)
}
