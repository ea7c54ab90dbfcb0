//! A gateway's disk: what is durable, and nothing else.
//!
//! **Invariant:** a group is there wholly or not at all.

use std::collections::{BTreeMap, BTreeSet};

use gateway_core::{Alarm, Group, Head, NewestReports, OutLane, Restored, Row, StateChange};
use protocols::id::{DeviceId, Seq};

/// What is durable.
#[derive(Debug, Default)]
pub struct Disk {
    /// The journal's id.
    pub journal: String,
    /// The journal, ascending by `n`.
    pub rows: Vec<Row>,
    /// State by key, JSON.
    pub state: BTreeMap<String, String>,
}

impl Disk {
    /// An empty one.
    #[must_use]
    pub fn new(journal: &str) -> Self {
        Self { journal: journal.to_owned(), ..Self::default() }
    }

    /// Puts an empty one in its place; gives the old one.
    pub fn replace(&mut self, journal: &str) -> Self {
        std::mem::replace(self, Self::new(journal))
    }

    /// Makes a group durable.
    pub fn take(&mut self, group: Group) {
        self.rows.extend(group.rows);
        for change in group.state {
            match change {
                StateChange::Put { key, value } => drop(self.state.insert(key, value)),
                StateChange::Delete { key } => drop(self.state.remove(&key)),
            }
        }
    }

    /// What a process that starts finds.
    #[must_use]
    pub fn restored(&self) -> Restored {
        let (n, hash) = self.rows.last().map_or((0, [0; 32]), |row| (row.n, row.hash));
        let state = self.state.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        Restored { head: Head { journal: self.journal.clone(), n, hash }, state, rebuilt: Vec::new() }
    }

    /// The newest reports of a device, at most `limit`.
    #[must_use]
    pub fn newest_reports(&self, device: &DeviceId, limit: usize) -> Option<NewestReports> {
        let source = format!("device:{device}");
        let of_device = || self.rows.iter().filter(|row| row.source == source);
        let epoch = of_device().filter_map(|row| row.epoch.parse::<u32>().ok()).max()?;
        let text = epoch.to_string();
        let mut recent: Vec<_> = of_device().filter(|row| row.epoch == text).map(|row| (row.seq, row.body)).collect();
        recent.sort_unstable();
        let recent = recent.split_off(recent.len().saturating_sub(limit));
        Some(NewestReports { epoch, recent })
    }

    /// The fingerprint of the report with this identity.
    #[must_use]
    pub fn find(&self, source: &str, epoch: &str, seq: u64) -> Option<u64> {
        self.rows.iter().find(|row| row.seq == seq && row.source == source && row.epoch == epoch).map(|row| row.body)
    }

    /// Entries of a lane above `after`, but for `except`, at most `max`.
    #[must_use]
    pub fn waiting(&self, lane: OutLane, after: u64, except: &[u64], max: usize) -> Vec<(u64, String)> {
        let except: BTreeSet<u64> = except.iter().copied().collect();
        self.rows
            .iter()
            .filter(|row| row.lane == lane && row.n > after && !except.contains(&row.n))
            .take(max)
            .map(|row| (row.n, row.bytes.clone()))
            .collect()
    }

    /// An alarm as it is kept, by its id.
    #[must_use]
    pub fn alarm(&self, id: &str) -> Option<Alarm> {
        serde_json::from_str(self.state.get(&format!("alarm/{id}"))?).ok()
    }

    /// All alarms that are kept.
    pub fn alarms(&self) -> impl Iterator<Item = Alarm> {
        let kept = self.state.iter().filter(|(key, _)| key.starts_with("alarm/"));
        kept.filter_map(|(_, value)| serde_json::from_str(value).ok())
    }

    /// The kept alarms that have one of these presses, of one epoch of a device: they are named by one of its presses, or by
    /// an entry of a gateway's own.
    pub fn alarms_with(&self, device: &str, epoch: u32, seqs: &[u64]) -> impl Iterator<Item = Alarm> {
        let named = [format!("alarm/{device}."), "alarm/gw-".to_owned()].into_iter().flat_map(|prefix| {
            let kept = self.state.range(prefix.clone()..).take_while(move |(key, _)| key.starts_with(&prefix));
            kept.filter_map(|(_, value)| serde_json::from_str::<Alarm>(value).ok())
        });
        let has =
            move |alarm: &Alarm| seqs.iter().any(|seq| Seq::new(*seq).is_some_and(|seq| alarm.has_press(epoch, seq)));
        named.filter(move |alarm| alarm.device.as_ref().is_some_and(|of| of.as_str() == device) && has(alarm))
    }
}
