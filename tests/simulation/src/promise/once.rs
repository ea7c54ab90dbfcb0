//! Exactly once, by origin.

use std::collections::BTreeSet;

use protocols::uplink::{FoldedSeqs, kind};

use super::Findings;
use crate::disk::Disk;

const NAME: &str = "exactly once, by origin";

/// At rest: no report has two entries in one journal, or an entry and a count.
pub fn at_rest(gateway: usize, disk: &Disk, findings: &mut Findings) {
    let mut seen = BTreeSet::new();
    for row in disk.rows.iter().filter(|row| row.source.starts_with("device:")) {
        if !seen.insert((row.source.clone(), row.epoch.clone(), row.seq)) {
            findings.note(NAME, &format!("gateway {gateway} has {}/{}/{} twice", row.source, row.epoch, row.seq));
        }
    }
    for row in disk.rows.iter().filter(|row| row.kind == kind::ALARM_REPEATED && row.source.starts_with("gateway:")) {
        for (source, run) in runs(&row.bytes) {
            for seq in run.from.get()..=run.to.get() {
                if !seen.insert((source.clone(), run.epoch.to_string(), seq)) {
                    findings.note(NAME, &format!("gateway {gateway} counts {source}/{}/{seq} twice", run.epoch));
                }
            }
        }
    }
}

fn runs(bytes: &str) -> Vec<(String, FoldedSeqs)> {
    let Ok(entry) = serde_json::from_str::<protocols::uplink::Entry>(bytes) else { return Vec::new() };
    let Ok(body) = entry.body_as::<protocols::uplink::OwnAlarmBody>() else { return Vec::new() };
    let device = body.alarm.device.as_ref().map(ToString::to_string).unwrap_or_default();
    body.folded_seqs.into_iter().map(|run| (format!("device:{device}"), run)).collect()
}
