//! What people and monitors may see of the core. Only what is durable, where it promises anything.

use protocols::id::{DeviceId, ReaderId};
use protocols::unit::UnixMs;
use protocols::uplink::{CatalogueOrder, Lane};
use serde::Serialize;

use crate::alarms::Alarm;
use crate::catalogue_age::WhenOld;
use crate::core::{Core, Quarantined, Storage};
use crate::devices::{DeviceRecord, LastHeartbeat};
use crate::effect::SaleView;
use crate::input::{OutLane, ReaderState};
use crate::time::Mono;

/// A device as people see it.
#[derive(Debug, Clone, Serialize)]
pub struct DeviceView {
    /// Its id.
    pub id: DeviceId,
    /// What is kept of it.
    #[serde(flatten)]
    pub record: DeviceRecord,
    /// Whether it is connected.
    pub connected: bool,
    /// Its last heartbeat since the start.
    pub heartbeat: Option<LastHeartbeat>,
    /// When it was last heard since the start.
    pub heard_at: Option<(Mono, UnixMs)>,
}

/// A lane as people see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LaneView {
    /// The lane.
    pub lane: OutLane,
    /// Entries that the centre does not have yet, durable or not.
    pub waiting: u64,
    /// Every entry of the lane up to here is at the centre or in quarantine.
    pub cursor: u64,
}

/// The whole at a glance.
#[derive(Debug, Clone, Serialize)]
pub struct StatusView {
    /// The journal's id.
    pub journal: String,
    /// The last durable entry.
    pub head: u64,
    /// Whether the journal takes commits.
    pub storage: Storage,
    /// Whether the disk is nearly full and sales are closed.
    pub storage_low: bool,
    /// Whether the centre answers.
    pub online: bool,
    /// Why its last answer was of no use: `unreachable`, `identity`, `busy`, `garbage`; absent while it answers.
    pub uplink_failure: Option<&'static str>,
    /// When it last gave a usable answer, since the start.
    pub answered: Option<(Mono, UnixMs)>,
    /// Whether sales are closed since the centre has not confirmed the prices for too long.
    pub closed_by_age: bool,
    /// The lanes, the most urgent first.
    pub lanes: [LaneView; OutLane::ALL.len()],
    /// The readers.
    pub readers: Vec<(ReaderId, ReaderState)>,
    /// Whether the security module is there.
    pub psam: bool,
    /// Alarms that a person still has to act on.
    pub open_alarms: usize,
    /// Devices that this gateway looks after.
    pub devices: usize,
    /// Those of them that count as silent.
    pub devices_silent: usize,
    /// Entries in quarantine.
    pub quarantined: usize,
    /// Sales in doubt.
    pub sales_unknown: usize,
}

impl Core {
    /// The whole at a glance.
    #[must_use]
    pub fn status(&self) -> StatusView {
        let (journal, head) = self.head();
        let devices = self.devices.values().filter(|device| device.record.assigned);
        StatusView {
            journal: journal.to_owned(),
            head,
            storage: self.config.storage,
            storage_low: self.storage_low,
            online: self.online,
            uplink_failure: self.uplink_failure,
            answered: self.answered,
            closed_by_age: self.catalogue_old && self.config.catalogue_age.when_old == WhenOld::Close,
            lanes: self.lanes.each_ref().map(|lane| LaneView {
                lane: lane.lane,
                waiting: lane
                    .record
                    .waiting
                    .saturating_add(self.journal.unsettled_in(lane.lane))
                    .saturating_add(self.summaries_due(lane.lane)),
                cursor: lane.record.cursor,
            }),
            readers: self.readers.iter().map(|(reader, state)| (reader.clone(), *state)).collect(),
            psam: self.sales.psam.is_some(),
            open_alarms: self.alarms.iter().filter(|alarm| alarm.shown.is_some() && alarm.is_open()).count(),
            devices: devices.clone().count(),
            devices_silent: devices.filter(|device| device.record.silent).count(),
            quarantined: self.quarantine.len(),
            sales_unknown: self.sales.by_id.values().filter(|sale| sale.is_unknown()).count(),
        }
    }

    /// Entries that are still to be written about presses that came too fast for entries of their own.
    fn summaries_due(&self, lane: OutLane) -> u64 {
        if lane == OutLane::AlarmNotes {
            self.alarms.iter().filter(|alarm| alarm.unrecorded > 0).count() as u64
        } else {
            0
        }
    }

    /// The alarms, the newest first: open ones, or the last closed ones too. The state shown is the durable one.
    #[must_use]
    pub fn alarms(&self, all: bool) -> Vec<Alarm> {
        let mut alarms: Vec<Alarm> = self
            .alarms
            .iter()
            .filter_map(|alarm| {
                let state = alarm.shown?;
                let mut shown = alarm.clone();
                shown.state = state;
                shown.history.retain(|step| step.state <= state);
                (all || shown.is_open()).then_some(shown)
            })
            .collect();
        // Those without an entry are of the time since the disk died.
        alarms.sort_by(|a, b| (b.n == 0, b.n, &b.opened_at, &b.id).cmp(&(a.n == 0, a.n, &a.opened_at, &a.id)));
        alarms
    }

    /// One sale, as far as it is durable.
    #[must_use]
    pub fn sale(&self, id: &str) -> Option<SaleView> {
        self.sales.by_id.get(id)?.shown.clone()
    }

    /// The sales that are remembered, the newest first.
    #[must_use]
    pub fn sales(&self) -> Vec<SaleView> {
        let mut sales: Vec<SaleView> = self.sales.by_id.values().filter_map(|sale| sale.shown.clone()).collect();
        sales.sort_by(|a, b| b.started_at.cmp(&a.started_at).then_with(|| a.id.cmp(&b.id)));
        sales
    }

    /// The devices, by name.
    #[must_use]
    pub fn devices(&self) -> Vec<DeviceView> {
        self.devices
            .iter()
            .map(|(id, device)| DeviceView {
                id: id.clone(),
                record: device.record.clone(),
                connected: device.session.is_some(),
                heartbeat: device.heartbeat.as_deref().cloned(),
                heard_at: device.heard,
            })
            .collect()
    }

    /// Entries that the centre would not take.
    #[must_use]
    pub fn quarantine(&self) -> Vec<Quarantined> {
        self.quarantine.values().cloned().collect()
    }

    /// What can be ordered, and for how much.
    #[must_use]
    pub const fn catalogue(&self) -> &CatalogueOrder {
        &self.catalogue
    }

    /// The stream of a lane of orders and the last that was carried out.
    #[must_use]
    pub fn orders_after(&self, lane: Lane) -> Option<(&str, u64)> {
        let orders = self.orders.iter().find(|orders| orders.lane == lane)?;
        Some((&orders.record.stream, orders.record.after))
    }
}
