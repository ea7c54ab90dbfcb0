//! The state machine: what it holds, how inputs reach their handlers, how effects come out.

use std::collections::{BTreeMap, VecDeque};

use protocols::id::{DeviceId, GatewayId, ReaderId};
use protocols::unit::UnixMs;
use protocols::uplink::{AlarmBody, CatalogueOrder, HotlistOrder, Lane, Origin, OwnAlarm, PolicyOrder};
use serde::{Deserialize, Serialize};

use crate::alarms::Alarms;
use crate::backoff::Backoff;
use crate::bypass::Bypass;
use crate::catalogue_age::{CatalogueAge, Confirmed};
use crate::device_tests::DeviceTests;
use crate::devices::{Device, Seen, WaitingReport};
use crate::effect::{Effect, Notice, SaleView};
use crate::figures::Figures;
use crate::hurry::Hurry;
use crate::input::{AckToken, Input, LinkInput, OutLane, ReaderState, StoreInput, Ticket};
use crate::journal::Journal;
use crate::limits::RETRY_MS_MIN;
use crate::listening::{LISTENED_KEY, Listening};
use crate::orders::OrdersLane;
use crate::outbox::OutboxLane;
use crate::policies::Policies;
use crate::sales::Sales;
use crate::time::{Mono, Now};
use crate::timers::{Timer, Timers};

/// What the core has to be told at its start, beside its restored state.
#[derive(Debug, Clone)]
pub struct CoreConfig {
    /// This gateway.
    pub gateway: GatewayId,
    /// The readers that sales may use.
    pub readers: Vec<ReaderId>,
    /// The devices of the devices file, each with the milliseconds after which it counts as silent.
    pub devices: Vec<(DeviceId, u64)>,
    /// The catalogue until the centre sends a newer one.
    pub catalogue: CatalogueOrder,
    /// How old the catalogue may be.
    pub catalogue_age: CatalogueAge,
    /// The policy where none of the centre's holds.
    pub policy: PolicyOrder,
    /// Below this a battery counts as low, millivolts.
    pub battery_low_mv: u16,
    /// How long a device is watched when staff try it, milliseconds.
    pub device_test_ms: u64,
    /// Draws the jitter of retries; another one for each gateway and start.
    pub jitter_seed: u64,
    /// Whether the journal takes commits.
    pub storage: Storage,
}

/// Whether the journal takes commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Storage {
    /// It does.
    Journal,
    /// It takes nothing: alarms go to the centre directly, sales are closed.
    Dead,
}

/// An entry that the centre would not take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    /// Its number.
    pub n: u64,
    /// The lane it was on.
    pub lane: OutLane,
    /// `conflict` or `refused`.
    pub outcome: protocols::uplink::Outcome,
    /// The centre's reason.
    pub reason: Option<String>,
}

/// What is done once everything recorded so far is durable.
#[derive(Debug)]
pub(crate) enum Held {
    /// Give an effect out.
    Effect(Effect),
    /// Show people how far an alarm has come.
    ShowAlarm { alarm: String, state: protocols::device::AlarmState },
    /// Show people what became of a sale.
    ShowSale(Box<SaleView>),
}

/// A report whose number the journal was asked about.
#[derive(Debug)]
pub(crate) enum LookUp {
    /// The marks of a device.
    Marks(DeviceId),
    /// One old report.
    Report { device: DeviceId, payload: Vec<u8>, ack: Option<AckToken> },
}

/// Reports that are too old for the marks and not durable yet, so that the journal does not find them, with the number of each
/// one's entry, or a later one.
pub(crate) type OldReports = BTreeMap<(DeviceId, u32, u64), Seen>;

/// The state machine.
#[derive(Debug)]
pub struct Core {
    pub(crate) config: CoreConfig,
    pub(crate) journal: Journal<Held>,
    pub(crate) out: VecDeque<Effect>,
    pub(crate) timers: Timers,
    pub(crate) devices: BTreeMap<DeviceId, Device>,
    pub(crate) alarms: Alarms,
    pub(crate) sales: Sales,
    pub(crate) help: crate::help::Help,
    pub(crate) lanes: [OutboxLane; OutLane::ALL.len()],
    pub(crate) orders: [OrdersLane; 2],
    /// Orders about alarms up to here were carried out before some alarms were rebuilt, which is what they are heard again for.
    pub(crate) heard_before: u64,
    pub(crate) quarantine: BTreeMap<u64, Quarantined>,
    pub(crate) catalogue: CatalogueOrder,
    pub(crate) policies: Policies,
    pub(crate) hotlist: Option<HotlistOrder>,
    pub(crate) readers: BTreeMap<ReaderId, ReaderState>,
    pub(crate) online: bool,
    /// Why the centre gave no usable answer last; absent while it answers.
    pub(crate) uplink_failure: Option<&'static str>,
    /// When the centre last gave a usable answer, since the start.
    pub(crate) answered: Option<(Mono, UnixMs)>,
    pub(crate) listening: Listening,
    pub(crate) catalogue_confirmed: Confirmed,
    pub(crate) catalogue_confirmed_kept: Option<Confirmed>,
    pub(crate) catalogue_old: bool,
    pub(crate) storage_low: bool,
    pub(crate) look_ups: BTreeMap<Ticket, LookUp>,
    pub(crate) old_reports: OldReports,
    /// Presses that were only counted before this start: the journal does not find them.
    pub(crate) counted_before: BTreeMap<(DeviceId, u32, u64), u64>,
    /// Reports about which the journal could not be asked.
    pub(crate) asked_again: Vec<(DeviceId, WaitingReport)>,
    pub(crate) hurry: Hurry,
    pub(crate) device_tests: DeviceTests,
    pub(crate) figures: Figures,
    /// What devices sent that waits for the disk.
    pub(crate) deferred: VecDeque<LinkInput>,
    pub(crate) direct: BTreeMap<Ticket, crate::direct::DirectEntry>,
    pub(crate) bypass: Bypass,
    pub(crate) direct_backoff: Backoff,
    pub(crate) direct_seq: u64,
    pub(crate) next_number: u64,
}

impl Core {
    /// Takes one input. Effects come out by [`Core::poll_effect`].
    pub fn handle(&mut self, input: Input, now: &Now) {
        self.listening.see(now.mono);
        self.hurry.see(now.mono);
        self.policies.see(now);
        self.figures.see(now);
        match input {
            Input::Link(input) => self.take_in(input, now),
            Input::Store(StoreInput::Committed { group }) => self.handle_committed(group, now),
            Input::Store(StoreInput::RowDamaged { lane, n }) => self.row_is_damaged(lane, n, now),
            Input::Store(StoreInput::SpaceLow(low)) => self.space_is_low(low, now),
            Input::Store(StoreInput::OriginFound { ticket, body }) => self.handle_origin_found(ticket, body, now),
            Input::Store(StoreInput::ReportsLoaded { ticket, found }) => {
                self.handle_reports_loaded(ticket, found, now);
            }
            Input::Uplink(input) => self.handle_uplink(input, now),
            Input::Desk(input) => self.handle_desk(input, now),
            Input::Card(input) => self.handle_card(input, now),
            Input::DevicesListed(listed) => self.devices_listed(listed, now),
            Input::Trouble { kind, detail } => {
                let body = AlarmBody { detail: Some(detail), ..crate::raising::own_alarm(kind, None) };
                self.raise_or_fold_own(&body, None, now);
            }
            Input::Timer => {}
        }
        while let Some(timer) = self.timers.pop_due(now.mono) {
            self.handle_timer(timer, now);
        }
    }

    /// The next thing to do outside. A group commit comes last, so that everything handled before goes with it.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        if let Some(effect) = self.out.pop_front() {
            return Some(effect);
        }
        if !self.journal.is_ready() {
            return None;
        }
        for index in 0..self.lanes.len() {
            let Some(lane) = self.lanes.get_mut(index) else { continue };
            let rows = self.journal.pending_in(lane.lane);
            if rows > 0 {
                let mut record = lane.record.clone();
                record.waiting = record.waiting.saturating_add(rows);
                let key = lane_key(lane.lane);
                self.journal.put(key, &record);
            }
        }
        let listened = self.listening.ms();
        self.journal.put(LISTENED_KEY.to_owned(), &listened);
        self.keep_policies();
        self.keep_figures();
        Some(Effect::Commit(self.journal.start_group()))
    }

    /// When the core wants [`Input::Timer`], and why.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Mono, &'static str)> {
        self.timers.next()
    }

    /// Whether everything that was recorded is durable, and everything held for it was given out.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.out.is_empty() && self.journal.is_idle()
    }

    /// A number never used before in this process.
    pub(crate) const fn fresh_number(&mut self) -> u64 {
        self.next_number = self.next_number.saturating_add(1);
        self.next_number
    }

    /// Does `held` as soon as everything recorded so far is durable.
    pub(crate) fn after_durable(&mut self, held: Held) {
        if let Some(held) = self.journal.hold(held) {
            self.release(held);
        }
    }

    /// Gives an effect out as soon as everything recorded so far is durable.
    pub(crate) fn emit_durable(&mut self, effect: Effect) {
        self.after_durable(Held::Effect(effect));
    }

    /// Gives an effect out now: for what promises nothing.
    pub(crate) fn emit(&mut self, effect: Effect) {
        self.out.push_back(effect);
    }

    fn release(&mut self, held: Held) {
        match held {
            Held::Effect(effect) => self.out.push_back(effect),
            Held::ShowAlarm { alarm, state } => {
                if let Some(shown) = self.alarms.get_mut(&alarm) {
                    shown.shown = Some(state);
                }
                self.out.push_back(Effect::Notify(Notice::Alarm { alarm, state }));
            }
            Held::ShowSale(view) => self.show_sale(*view),
        }
    }

    fn handle_committed(&mut self, group: u64, now: &Now) {
        let Some((held, counts)) = self.journal.committed(group) else { return };
        let head = self.journal.committed_n();
        self.forget_committed(head);
        self.figures.durable(head, now.mono);
        self.note_tests_durable(head, now);
        for (lane, count) in self.lanes.iter_mut().zip(counts) {
            if count > 0 {
                lane.newest = head;
                if lane.lane == OutLane::Alarms && !lane.asked_to_wait {
                    self.timers.bring_forward(Timer::UploadRetry(lane.lane), now.mono.after_ms(RETRY_MS_MIN));
                }
            }
            lane.record.waiting = lane.record.waiting.saturating_add(count);
        }
        if self.look_ups.is_empty() {
            let durable_n = self.journal.committed_n();
            self.old_reports.retain(|_, seen| seen.n > durable_n);
        }
        for held in held {
            self.release(held);
        }
        self.take_deferred(now);
        self.start_uploads();
    }

    fn space_is_low(&mut self, low: bool, now: &Now) {
        let was_low = std::mem::replace(&mut self.storage_low, low);
        if low && !was_low {
            self.raise_or_fold_own(&crate::raising::own_alarm(OwnAlarm::StorageLow, None), None, now);
        }
    }

    fn handle_timer(&mut self, timer: Timer, now: &Now) {
        match timer {
            Timer::UploadRetry(_) => self.start_uploads(),
            Timer::RefusedRetry(lane) => self.retry_refused(lane),
            Timer::OrdersRetry(lane) => self.poll_orders(lane),
            Timer::DeviceSilent(device) => self.device_is_silent(&device, now),
            Timer::CardWait(sale) => self.card_wait_ended(&sale, now),
            Timer::CardHeld(reader) => self.try_held_card(&reader),
            Timer::HoldWait(sale) => self.hold_wait_ended(&sale, now),
            Timer::PressUndelivered(alarm) => self.press_undelivered(&alarm, now),
            Timer::AskAgain => self.ask_again(now),
            Timer::RepeatsDue(alarm) => self.tell_unrecorded(&alarm, now),
            Timer::KeepListened => self.keep_listened(now),
            Timer::CatalogueOld => self.watch_catalogue(now),
            Timer::CommitLate => self.go_round_journal(now),
            Timer::DirectRetry(ticket) => self.retry_direct(ticket),
            Timer::IntakePaced => self.take_deferred(now),
            Timer::UploadPaced => self.start_uploads(),
            Timer::DeviceTest(device) => self.device_test_ends(&device, now),
        }
    }

    /// Records a lane's counts that changed without a row.
    pub(crate) fn save_lane(&mut self, lane: OutLane) {
        if let Some(found) = self.lanes.iter().find(|l| l.lane == lane) {
            let mut record = found.record.clone();
            record.waiting = record.waiting.saturating_add(self.journal.unsettled_in(lane));
            self.journal.put(lane_key(lane), &record);
        }
    }

    /// The head of the journal, as far as it is durable.
    #[must_use]
    pub fn head(&self) -> (&str, u64) {
        (self.journal.id(), self.journal.committed_n())
    }

    /// The order that an origin of the centre names.
    pub(crate) fn centre_origin(lane: Lane, stream: &str, k: u64) -> Option<Origin> {
        Some(Origin {
            source: protocols::uplink::Source::Centre(lane.name().parse().ok()?),
            epoch: protocols::uplink::Epoch::Text(stream.to_owned()),
            seq: protocols::id::Seq::new(k)?,
        })
    }
}

/// The state key of a lane.
pub(crate) fn lane_key(lane: OutLane) -> String {
    format!("outbox/{}", lane.name())
}
