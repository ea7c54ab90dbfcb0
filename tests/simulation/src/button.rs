//! A model of a button: it keeps each report until it is acknowledged, and sends it again after each connect.
//!
//! **Invariant:** resends are byte-identical, in the order of their numbers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use protocols::device::AlarmState;
use protocols::id::DeviceId;

/// A report of a device: its number and its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The epoch in which it was made.
    pub epoch: u32,
    /// Its number.
    pub seq: u64,
    /// `sos`, `cancel` …
    pub kind: &'static str,
    /// JSON.
    pub payload: String,
}

/// A connection to a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connection {
    /// Index of the gateway.
    pub gateway: usize,
    /// Its number, never used twice in a run.
    pub session: u64,
    /// No packet of it arrives before this moment: what one connection carries stays in order.
    pub arrives_from: u64,
}

/// A button.
#[derive(Debug)]
pub struct Button {
    /// Its name.
    pub id: DeviceId,
    /// Set at its provisioning.
    pub epoch: u32,
    /// The number of its next report.
    pub next_seq: u64,
    /// Reports that are not acknowledged, in the order of their numbers.
    pub waiting: VecDeque<Report>,
    /// The connection, while there is one.
    pub connection: Option<Connection>,
    /// Reports under way on the present connection, by packet identifier: epoch and number.
    pub packets: BTreeMap<u16, (u32, u64)>,
    /// The next packet identifier.
    pub next_packet: u16,
    /// Epoch and number of each report that was acknowledged.
    pub acknowledged: BTreeSet<(u32, u64)>,
    /// Until when it is away from any gateway: its battery is out, or the home's line is down.
    pub away_until: u64,
    /// The highest state that the device was told for each of its presses.
    pub told: BTreeMap<(u32, u64), AlarmState>,
}

impl Button {
    /// A button that was just provisioned.
    #[must_use]
    pub const fn new(id: DeviceId) -> Self {
        Self {
            id,
            epoch: 1,
            next_seq: 1,
            waiting: VecDeque::new(),
            connection: None,
            packets: BTreeMap::new(),
            next_packet: 1,
            acknowledged: BTreeSet::new(),
            away_until: 0,
            told: BTreeMap::new(),
        }
    }

    /// Somebody uses it: one more report waits.
    pub fn report(&mut self, kind: &'static str, of: Option<u64>) -> Report {
        let (seq, epoch) = (self.next_seq, self.epoch);
        self.next_seq = seq.saturating_add(1);
        let of = of.map_or_else(|| "null".to_owned(), |of| of.to_string());
        let payload = format!(r#"{{"v":1,"epoch":{epoch},"seq":{seq},"kind":"{kind}","of":{of}}}"#);
        let report = Report { epoch, seq, kind, payload };
        self.waiting.push_back(report.clone());
        report
    }

    /// A packet identifier for a report on the present connection.
    pub fn packet(&mut self, report: (u32, u64)) -> u16 {
        let packet = self.next_packet;
        self.next_packet = packet.checked_add(1).unwrap_or(1);
        self.packets.insert(packet, report);
        packet
    }

    /// The acknowledgement of a packet arrived; gives the report's number.
    pub fn acknowledged(&mut self, packet: u16) -> Option<u64> {
        let (epoch, seq) = self.packets.remove(&packet)?;
        self.waiting.retain(|report| (report.epoch, report.seq) != (epoch, seq));
        self.acknowledged.insert((epoch, seq));
        Some(seq)
    }

    /// Maintenance staff provision it anew: its numbers begin again in a new epoch. What waits is sent all the same.
    pub const fn provision(&mut self) {
        self.epoch = self.epoch.saturating_add(1);
        self.next_seq = 1;
    }
}
