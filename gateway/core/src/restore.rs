//! The core's start: from what the journal kept, or from nothing.
//!
//! **Invariant:** values that every release wrote still load; one that does not load stops the start, with its key.

use std::collections::{BTreeMap, VecDeque};

use protocols::id::DeviceId;
use protocols::uplink::{CatalogueOrder, HotlistOrder, Lane, PolicyOrder};
use serde::Deserialize;

use crate::alarms::{Alarm, Alarms};
use crate::backoff::Backoff;
use crate::bypass::Bypass;
use crate::catalogue_age::{CONFIRMED_KEY, Confirmed};
use crate::core::{Core, CoreConfig, Quarantined, Storage};
use crate::device_tests::DeviceTests;
use crate::devices::{Device, DeviceRecord};
use crate::figures::Figures;
use crate::hurry::Hurry;
use crate::input::OutLane;
use crate::journal::{Head, Journal};
use crate::limits::{REPEATS_TOLD_AFTER_MS, RETRY_MS_MAX_ALARMS};
use crate::listening::{LISTENED_KEY, Listening};
use crate::orders::{OrdersLane, OrdersRecord};
use crate::outbox::{LaneRecord, OutboxLane};
use crate::policies::{ONE_POLICY_KEY, POLICIES_KEY, Policies, PoliciesRecord};
use crate::sales::{Sale, Sales};
use crate::time::Now;
use crate::timers::{Timer, Timers};

/// Where the core goes on from.
#[derive(Debug, Clone)]
pub struct Restored {
    /// The journal's head.
    pub head: Head,
    /// State keys and their JSON values.
    pub state: Vec<(String, String)>,
    /// Keys of those that were rebuilt from entries, and are damaged where they are kept; see [`Rebuild`](crate::Rebuild).
    pub rebuilt: Vec<String>,
}

/// Why the state could not be restored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// A value that this release does not understand.
    #[error(
        "the state under `{key}` is not readable by this release: install the release that wrote it, or a newer one"
    )]
    Value {
        /// The key.
        key: String,
    },
}

#[derive(Default)]
struct Parts {
    alarms: Alarms,
    sales: Sales,
    devices: BTreeMap<DeviceId, DeviceRecord>,
    lanes: BTreeMap<OutLane, LaneRecord>,
    orders: BTreeMap<Lane, OrdersRecord>,
    quarantine: BTreeMap<u64, Quarantined>,
    catalogue: Option<CatalogueOrder>,
    policies: Option<PoliciesRecord>,
    one_policy: Option<PolicyOrder>,
    hotlist: Option<HotlistOrder>,
    listened_ms: u64,
    catalogue_confirmed: Option<Confirmed>,
    device_tests: DeviceTests,
    figures: Figures,
}

impl Parts {
    fn take(&mut self, key: &str, value: &str) -> Result<(), RestoreError> {
        fn read<'a, T: Deserialize<'a>>(key: &str, value: &'a str) -> Result<T, RestoreError> {
            serde_json::from_str(value).map_err(|_| RestoreError::Value { key: key.to_owned() })
        }
        let unknown = || RestoreError::Value { key: key.to_owned() };
        match key.split_once('/') {
            Some(("alarm", _)) => {
                let mut alarm: Alarm = read(key, value)?;
                alarm.shown = Some(alarm.state);
                alarm.name_presses();
                self.alarms.insert(alarm);
            }
            Some(("sale", _)) => {
                let mut sale: Sale = read(key, value)?;
                sale.shown = Some(sale.view());
                self.sales.insert(sale);
            }
            Some(("device", name)) => {
                let id = name.parse().map_err(|_| unknown())?;
                self.devices.insert(id, read(key, value)?);
            }
            Some(("outbox", name)) => {
                let lane = OutLane::ALL.into_iter().find(|lane| lane.name() == name).ok_or_else(unknown)?;
                self.lanes.insert(lane, read(key, value)?);
            }
            Some(("orders", name)) => {
                let lane = [Lane::Alarms, Lane::Other].into_iter().find(|l| l.name() == name).ok_or_else(unknown)?;
                self.orders.insert(lane, read(key, value)?);
            }
            Some(("quarantine", _)) => {
                let entry: Quarantined = read(key, value)?;
                self.quarantine.insert(entry.n, entry);
            }
            Some(("test", name)) => {
                let id = name.parse().map_err(|_| unknown())?;
                self.device_tests.interrupted.insert(id, read(key, value)?);
            }
            Some(("figures", hour)) => self.figures.restore(hour.parse().map_err(|_| unknown())?, read(key, value)?),
            Some(_) => return Err(unknown()),
            None => match key {
                "catalogue" => self.catalogue = Some(read(key, value)?),
                POLICIES_KEY => self.policies = Some(read(key, value)?),
                ONE_POLICY_KEY => self.one_policy = Some(read(key, value)?),
                "hotlist" => self.hotlist = Some(read(key, value)?),
                LISTENED_KEY => self.listened_ms = read(key, value)?,
                CONFIRMED_KEY => self.catalogue_confirmed = Some(read(key, value)?),
                _ => return Err(unknown()),
            },
        }
        Ok(())
    }

    fn devices(&mut self, listed: Vec<(DeviceId, u64)>) -> BTreeMap<DeviceId, Device> {
        let mut records = std::mem::take(&mut self.devices);
        let file: BTreeMap<DeviceId, u64> = listed.into_iter().collect();
        for (id, record) in records.iter_mut().filter(|(_, record)| !record.by_order) {
            let listed = file.get(id).copied();
            record.assigned = listed.is_some();
            record.silent_after_ms = listed.unwrap_or(record.silent_after_ms);
        }
        for (id, silent_after_ms) in file {
            records.entry(id).or_insert_with(|| DeviceRecord::new(silent_after_ms));
        }
        // Collected, not inserted one by one: that fills the map's nodes, which would be half empty.
        records.into_iter().map(|(id, record)| (id, Device::new(record))).collect()
    }
}

impl Core {
    /// Goes on from what the journal kept. What was under way when the process ended is concluded at once.
    ///
    /// # Errors
    /// [`RestoreError::Value`]: a state value of an unknown key or shape; nothing was changed.
    pub fn restore(mut config: CoreConfig, restored: Restored, now: &Now) -> Result<Self, RestoreError> {
        let mut parts = Parts::default();
        for (key, value) in &restored.state {
            parts.take(key, value)?;
        }
        parts.alarms.sort_closed();
        parts.sales.sort_settled();
        let seed = config.jitter_seed;
        let devices = parts.devices(std::mem::take(&mut config.devices));
        let lanes = OutLane::ALL.map(|lane| {
            let mut outbox =
                OutboxLane::new(lane, parts.lanes.remove(&lane).unwrap_or_default(), seed.wrapping_add(lane as u64));
            outbox.newest = restored.head.n;
            outbox
        });
        let orders = [Lane::Alarms, Lane::Other].map(|lane| {
            OrdersLane::new(lane, parts.orders.remove(&lane).unwrap_or_default(), seed.wrapping_add(16 + lane as u64))
        });
        let newer = |ours: CatalogueOrder, kept: Option<CatalogueOrder>| match kept {
            Some(kept) if kept.version >= ours.version => kept,
            Some(_) | None => ours,
        };
        let listening = Listening::new(parts.listened_ms, now.mono);
        let mut core = Self {
            journal: Journal::new(config.gateway.clone(), restored.head, config.storage == Storage::Journal),
            out: VecDeque::new(),
            timers: Timers::default(),
            devices,
            counted_before: parts.alarms.counted(),
            alarms: parts.alarms,
            sales: parts.sales,
            help: crate::help::Help::default(),
            lanes,
            orders,
            quarantine: parts.quarantine,
            catalogue: newer(config.catalogue.clone(), parts.catalogue),
            policies: Policies::new(config.policy.clone(), parts.policies, parts.one_policy),
            hotlist: parts.hotlist,
            heard_before: 0,
            readers: BTreeMap::new(),
            online: false,
            uplink_failure: None,
            answered: None,
            listening,
            catalogue_confirmed: parts.catalogue_confirmed.unwrap_or_else(|| Confirmed::now(now, listening.ms())),
            catalogue_confirmed_kept: parts.catalogue_confirmed,
            catalogue_old: false,
            storage_low: false,
            look_ups: BTreeMap::new(),
            old_reports: BTreeMap::new(),
            asked_again: Vec::new(),
            hurry: Hurry::default(),
            device_tests: parts.device_tests,
            figures: parts.figures,
            deferred: VecDeque::new(),
            direct: BTreeMap::new(),
            bypass: Bypass::default(),
            direct_backoff: Backoff::new(RETRY_MS_MAX_ALARMS, seed.wrapping_add(32)),
            direct_seq: 0,
            next_number: 0,
            config,
        };
        core.take_up_rebuilt(&restored.rebuilt);
        core.start(now);
        Ok(core)
    }

    fn start(&mut self, now: &Now) {
        self.watch_silences(now);
        let pressed: Vec<String> = self
            .alarms
            .iter()
            .filter(|alarm| alarm.is_open() && alarm.press_n > 0)
            .map(|alarm| alarm.id.clone())
            .collect();
        for alarm in pressed {
            self.watch_press(&alarm, false, now);
        }
        let unrecorded: Vec<String> =
            self.alarms.iter().filter(|alarm| alarm.unrecorded > 0).map(|alarm| alarm.id.clone()).collect();
        for alarm in unrecorded {
            self.timers.set(Timer::RepeatsDue(alarm), now.mono.after_ms(REPEATS_TOLD_AFTER_MS));
        }
        match self.config.storage {
            Storage::Journal => {
                self.conclude_interrupted_sales(now);
                self.conclude_interrupted_tests(now);
            }
            Storage::Dead => self.report_dead_storage(now),
        }
        self.send_direct_again();
        self.watch_catalogue(now);
        self.start_uploads();
        self.poll_orders(Lane::Alarms);
        // What cannot be stored is not taken: those orders stay at the centre until the disk is back.
        if self.config.storage == Storage::Journal {
            self.poll_orders(Lane::Other);
        }
    }
}
