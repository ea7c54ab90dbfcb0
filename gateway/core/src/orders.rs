//! Orders from the centre: taken once each, answered by an entry each.
//!
//! **Invariant:** the cursor of a lane moves in the transaction of the order's effect, so an order is carried out once.

use protocols::id::DeviceId;
use protocols::uplink::{
    AlarmStateOrder, CatalogueOrder, DeviceAssignOrder, DeviceUnassignOrder, HotlistOrder, Lane, Order, OrderPage,
    OrderResultBody, OrderVerdict, PolicyOrder, SaleSettledOrder, SettingsOrder, kind, order_kind,
};
use serde::{Deserialize, Serialize};

use crate::backoff::Backoff;
use crate::core::{Core, Storage};
use crate::effect::{Effect, Notice};
use crate::input::{OutLane, UplinkFailure};
use crate::journal::{Draft, Identity};
use crate::limits::{RETRY_MS_MAX, RETRY_MS_MAX_ALARMS};
use crate::sales::unhex;
use crate::time::Now;
use crate::timers::Timer;

/// How far the orders of a lane were carried out, as it is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OrdersRecord {
    /// The stream; empty before the first.
    pub stream: String,
    /// The last order of it that was carried out.
    pub after: u64,
}

/// The orders of one lane.
#[derive(Debug)]
pub(crate) struct OrdersLane {
    pub lane: Lane,
    pub record: OrdersRecord,
    pub backoff: Backoff,
}

impl OrdersLane {
    pub const fn new(lane: Lane, record: OrdersRecord, seed: u64) -> Self {
        let ms_max = match lane {
            Lane::Alarms => RETRY_MS_MAX_ALARMS,
            Lane::Other => RETRY_MS_MAX,
        };
        Self { lane, record, backoff: Backoff::new(ms_max, seed) }
    }
}

/// What became of an order: done, already so, or why not.
pub(crate) type Verdict = Result<bool, OrderRefusal>;

/// Why an order is not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OrderRefusal {
    /// Its body is not that of its kind.
    Unreadable,
    /// Its kind is not known here.
    UnknownKind,
    /// No such alarm.
    AlarmUnknown,
    /// No such sale.
    SaleUnknown,
    /// The sale has not ended.
    SaleUnderWay,
    /// A sale cannot be settled as that.
    OutcomeUnfit,
    /// More rules wait for their day than are kept.
    TooManyPolicies,
}

impl OrderRefusal {
    /// The word in the result that the centre's people see.
    const fn word(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::UnknownKind => "unknown_kind",
            Self::AlarmUnknown => "alarm_unknown",
            Self::SaleUnknown => "sale_unknown",
            Self::SaleUnderWay => "sale_under_way",
            Self::OutcomeUnfit => "outcome_unfit",
            Self::TooManyPolicies => "too_many_policies",
        }
    }
}

impl Core {
    /// Asks for the next orders of a lane.
    pub(crate) fn poll_orders(&mut self, lane: Lane) {
        if let Some(found) = self.orders.iter().find(|orders| orders.lane == lane) {
            let (stream, after) = (found.record.stream.clone(), found.record.after);
            self.emit_durable(Effect::PollOrders { lane, stream, after, wait: self.online });
        }
    }

    pub(crate) fn handle_orders(&mut self, lane: Lane, result: Result<OrderPage, UplinkFailure>, now: &Now) {
        let page = match result {
            Ok(page) => page,
            Err(failure) => {
                let at_least = self.note_failure(failure, now);
                if let Some(orders) = self.orders.iter_mut().find(|orders| orders.lane == lane) {
                    let pause = orders.backoff.next_ms(at_least);
                    self.timers.set(Timer::OrdersRetry(lane), now.mono.after_ms(pause));
                }
                return;
            }
        };
        self.note_success(now);
        let Some(orders) = self.orders.iter_mut().find(|orders| orders.lane == lane) else { return };
        orders.backoff.reset();
        let mut moved = false;
        if orders.record.stream != page.stream {
            orders.record = OrdersRecord { stream: page.stream.clone(), after: 0 };
            if lane == Lane::Alarms {
                self.heard_before = 0;
            }
            moved = true;
        }
        let mut after = orders.record.after;
        let mut fresh = page.orders;
        fresh.retain(|order| {
            let is_fresh = order.k > after;
            after = after.max(order.k);
            is_fresh
        });
        moved |= !fresh.is_empty();
        fresh.sort_by_key(|order| !self.is_about_unknown_alarm(order));
        let mut confirmed = true;
        for order in fresh {
            if self.is_heard_in_vain(lane, &order) {
                continue;
            }
            let taken = self.carry_out(lane, &page.stream, &order, now);
            confirmed &= taken || order.kind != order_kind::CATALOGUE;
        }
        if moved && let Some(orders) = self.orders.iter_mut().find(|orders| orders.lane == lane) {
            orders.record.after = after;
            let record = orders.record.clone();
            self.journal.put(format!("orders/{}", lane.name()), &record);
        }
        if lane == Lane::Other && confirmed {
            self.confirm_catalogue(now);
        }
        self.poll_orders(lane);
    }

    /// Carries an order out and answers it; false where it is refused.
    fn carry_out(&mut self, lane: Lane, stream: &str, order: &Order, now: &Now) -> bool {
        let verdict = self.obey(order, now);
        if self.config.storage == Storage::Dead {
            // The cursor is not kept either: once the disk is back the order comes again, and is answered then.
            return verdict.is_ok();
        }
        let body = OrderResultBody {
            kind: order.kind.clone(),
            verdict: match verdict {
                Ok(true) => OrderVerdict::Done,
                Ok(false) => OrderVerdict::Stale,
                Err(_) => OrderVerdict::Refused,
            },
            reason: verdict.err().map(|refusal| refusal.word().to_owned()),
        };
        let about = Self::centre_origin(lane, stream, order.k);
        self.journal.record(
            Draft {
                identity: Identity::Own,
                kind: kind::ORDER_RESULT,
                about: about.as_ref(),
                body: &body,
                fingerprint: 0,
                lane: OutLane::Rest,
                private: None,
            },
            now,
        );
        verdict.is_ok()
    }

    fn obey(&mut self, order: &Order, now: &Now) -> Verdict {
        fn read<'a, T: Deserialize<'a>>(order: &'a Order) -> Result<T, OrderRefusal> {
            serde_json::from_str(order.body.get()).map_err(|_| OrderRefusal::Unreadable)
        }
        match order.kind.as_str() {
            order_kind::ALARM_STATE => {
                let body: AlarmStateOrder = read(order)?;
                self.order_alarm(body, now).ok_or(OrderRefusal::AlarmUnknown)
            }
            order_kind::CATALOGUE => {
                let body: CatalogueOrder = read(order)?;
                Ok(self.take_catalogue(body))
            }
            order_kind::HOTLIST => {
                let body: HotlistOrder = read(order)?;
                // By a salt that is none no card would ever be found: the list before stays.
                unhex(&body.salt).ok_or(OrderRefusal::Unreadable)?;
                Ok(self.take_hotlist(body))
            }
            order_kind::POLICY => {
                let body: PolicyOrder = read(order)?;
                self.take_policy(body)
            }
            order_kind::DEVICE_ASSIGN => {
                let body: DeviceAssignOrder = read(order)?;
                Ok(self.assign_device(&body, now))
            }
            order_kind::DEVICE_UNASSIGN => {
                let body: DeviceUnassignOrder = read(order)?;
                Ok(self.unassign_device(&body.device))
            }
            order_kind::SETTINGS => {
                let body: SettingsOrder = read(order)?;
                Ok(self.set_device(&body))
            }
            order_kind::SALE_SETTLED => {
                let body: SaleSettledOrder = read(order)?;
                self.settle_by_order(&body, now)
            }
            _ => Err(OrderRefusal::UnknownKind),
        }
    }

    fn take_catalogue(&mut self, order: CatalogueOrder) -> bool {
        if order.version <= self.catalogue.version {
            return false;
        }
        self.journal.put("catalogue".to_owned(), &order);
        self.catalogue = order;
        true
    }

    fn take_hotlist(&mut self, order: HotlistOrder) -> bool {
        if self.hotlist.as_ref().is_some_and(|hotlist| order.version <= hotlist.version) {
            return false;
        }
        self.journal.put("hotlist".to_owned(), &order);
        self.hotlist = Some(order);
        true
    }

    fn assign_device(&mut self, order: &DeviceAssignOrder, now: &Now) -> bool {
        let silent_after_ms = u64::from(order.silent_after_s).saturating_mul(1_000);
        let device = self.device_mut(&order.device);
        let changed =
            !device.record.assigned || !device.record.by_order || device.record.silent_after_ms != silent_after_ms;
        device.record.assigned = true;
        device.record.by_order = true;
        device.record.silent_after_ms = silent_after_ms;
        if !device.record.silent {
            self.timers.set(Timer::DeviceSilent(order.device.clone()), now.mono.after_ms(silent_after_ms));
        }
        self.device_changed(&order.device, changed)
    }

    fn unassign_device(&mut self, id: &DeviceId) -> bool {
        let device = self.device_mut(id);
        let changed = std::mem::replace(&mut device.record.assigned, false) || !device.record.by_order;
        device.record.by_order = true;
        let session = device.session;
        self.timers.clear(&Timer::DeviceSilent(id.clone()));
        let changed = self.device_changed(id, changed);
        if let Some(session) = session {
            self.emit_durable(Effect::Close { session });
        }
        changed
    }

    fn set_device(&mut self, order: &SettingsOrder) -> bool {
        let device = self.device_mut(&order.device);
        if device.record.settings.is_some_and(|(version, _)| version >= order.version) {
            return false;
        }
        device.record.settings = Some((order.version, order.heartbeat_s));
        self.device_changed(&order.device, true);
        self.tell_settings(&order.device);
        true
    }

    fn device_changed(&mut self, id: &DeviceId, changed: bool) -> bool {
        if changed {
            self.save_device(id);
            self.emit_durable(Effect::Notify(Notice::Device { device: id.clone() }));
        }
        changed
    }
}
