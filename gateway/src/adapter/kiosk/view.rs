//! What the local interface shows of the core: the shapes of its answers, and the questions behind them.
//!
//! The event loop owns the core. A read travels to it as a [`Query`] and comes back through the one-shot sender inside.
//!
//! **Invariant:** no name of a person, identity number or card number is in any of these shapes.

use std::collections::BTreeMap;
use std::time::Duration;

use gateway_core::{AlarmEvent, DeviceTest, OutLane, ReaderState, Refusal, SaleId, SaleView};
use protocols::device::AlarmState;
use protocols::id::{ActorId, DeviceId, GatewayId, ReaderId};
use protocols::uplink::{CatalogueOrder, Clock, PolicyOrder, Urgency};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use super::limits::{QUERIES_MAX, VIEW_WAIT_MS};

/// `GET /api/v1/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatusView {
    /// The daemon's version.
    pub version: String,
    /// The gateway's name.
    pub gateway: GatewayId,
    /// Civil time at which the daemon started, RFC 3339.
    pub started_at: String,
    /// Seconds since then.
    pub uptime_s: u64,
    /// Civil time of this answer, RFC 3339.
    pub now: String,
    /// Whether that time can be trusted.
    pub clock: Clock,
    /// The line to the centre.
    pub uplink: UplinkView,
    /// The journal.
    pub journal: JournalView,
    /// The disk under the journal; absent where it does not say.
    pub disk: Option<DiskView>,
    /// The readers, by name.
    pub readers: Vec<ReaderView>,
    /// Why no sale can begin just now; absent when sales are open.
    pub sales_closed: Option<Refusal>,
    /// The rules that hold now; others may wait for their first day.
    pub policy: PolicyOrder,
    /// How many devices there are, and how they are.
    pub devices: DeviceCounts,
    /// Alarms that nobody has resolved.
    pub open_alarms: u32,
    /// What waits for the centre, one line per lane.
    pub lanes: Vec<LaneView>,
    /// Entries in quarantine.
    pub quarantined: u64,
    /// Sales of which it is not known whether they were paid.
    pub sales_unknown: u32,
    /// What does not work just now although the gateway runs; empty when all is well.
    pub degraded: Vec<TroubleView>,
}

/// A part that does not work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TroubleView {
    /// Which: a [`Part`](crate::troubles::Part)'s word.
    pub part: &'static str,
    /// Why and what to do about it, for technicians.
    pub detail: String,
    /// Whether alarms are not taken as promised because of it.
    pub alarms_concerned: bool,
}

/// The line to the centre.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UplinkView {
    /// Whether the centre answers.
    pub online: bool,
    /// Why its last answer was of no use: `unreachable`, `identity`, `busy`, `garbage`; absent while it answers.
    pub failure: Option<&'static str>,
    /// Civil time of its last usable answer since the start, RFC 3339.
    pub last_answer_at: Option<String>,
    /// Seconds since then.
    pub last_answer_age_s: Option<u64>,
}

/// The file system under the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DiskView {
    /// Bytes that the gateway may still write.
    pub free_bytes: u64,
    /// Bytes in all.
    pub total_bytes: u64,
    /// Whether so little is free that sales are closed.
    pub low: bool,
}

/// The journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JournalView {
    /// Its id.
    pub journal: String,
    /// The number of its last durable entry; 0 when it is empty.
    pub n: u64,
    /// That entry's hash, hex.
    pub hash: String,
    /// Whether it takes entries just now.
    pub storing: bool,
    /// The last look through all of it since the start; absent before the first.
    pub scrub: Option<ScrubView>,
}

/// A look through the whole journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScrubView {
    /// Civil time of its end, RFC 3339.
    pub ended_at: Option<String>,
    /// Entries that it looked at.
    pub entries: u64,
    /// Those that are damaged.
    pub damaged: u64,
    /// The first of them.
    pub first_damaged: Option<u64>,
}

/// A reader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReaderView {
    /// Its name.
    pub reader: ReaderId,
    /// What it can do.
    pub state: ReaderState,
    /// Whether its security module answers; absent where it has none, so that no purse can pay.
    pub psam: Option<bool>,
}

/// Devices by how they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DeviceCounts {
    /// All of them.
    pub total: u32,
    /// Heard within their time.
    pub well: u32,
    /// Not heard within their time.
    pub silent: u32,
    /// Never heard.
    pub never: u32,
}

/// A lane of the outbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LaneView {
    /// Which.
    pub lane: OutLane,
    /// Entries that the centre does not have yet.
    pub waiting: u64,
    /// Civil time at which the oldest of them was recorded, RFC 3339.
    pub oldest_at: Option<String>,
    /// Seconds since then.
    pub oldest_age_s: Option<u64>,
}

/// An alarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AlarmView {
    /// `{device}.{epoch}.{seq}`.
    pub id: String,
    /// `sos`, `fall` …
    pub kind: String,
    /// How soon somebody has to act.
    pub urgency: Urgency,
    /// The device; absent for the gateway's own.
    pub device: Option<DeviceId>,
    /// Where the device is, as the configuration words it.
    pub place: Option<String>,
    /// How far it has come.
    pub state: AlarmState,
    /// Civil time at which it was recorded, RFC 3339.
    pub raised_at: String,
    /// Seconds since then.
    pub age_s: u64,
    /// What has to happen next; absent once it is resolved.
    pub next: Option<NextView>,
    /// Civil time at which it happened, RFC 3339, where it was recorded late and its age is known.
    pub happened_at: Option<String>,
    /// Presses folded into it, the first included.
    pub presses: u32,
    /// Whether the elder took it back; it stays open until a person resolves it.
    pub taken_back: bool,
    /// Whether every press of it came while staff tried the device.
    pub during_test: bool,
    /// The device's own word.
    pub detail: Option<String>,
    /// Who was sent last, as a person wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub responder: Option<String>,
    /// Civil time at which they are there, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eta_at: Option<String>,
    /// The steps so far, the oldest first.
    pub steps: Vec<StepView>,
}

impl AlarmView {
    /// Without who took a step or was sent, and without what a person wrote: for whoever has not said who they are.
    pub fn leave_people_out(&mut self) {
        self.responder = None;
        for step in &mut self.steps {
            step.by = None;
            step.cause = None;
            step.responder = None;
        }
    }
}

/// What has to happen next with an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct NextView {
    /// The step's name in addresses: `acknowledge`, `dispatch`, `on_site`, `resolve`.
    pub step: &'static str,
    /// Seconds left for it; negative when it is overdue, absent where nothing presses.
    pub due_in_s: Option<i64>,
}

/// A line of an alarm's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepView {
    /// Whether a step was taken, or the button pressed again, or the alarm taken back.
    pub what: AlarmEvent,
    /// The state it led to; of a press or a take-back the state at that time.
    pub state: AlarmState,
    /// Civil time, RFC 3339.
    pub at: String,
    /// Who took it; absent where no person did.
    pub by: Option<ActorId>,
    /// The cause, where it was resolved.
    pub cause: Option<String>,
    /// Who was sent, where somebody said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub responder: Option<String>,
    /// In how many minutes they are there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eta_min: Option<u16>,
}

/// What supervision knows of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Supervision {
    /// Heard within its time.
    Well,
    /// Not heard within its time.
    Silent,
    /// Never heard.
    Never,
}

/// A device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeviceView {
    /// Its name.
    pub device: DeviceId,
    /// Where it is, as the configuration words it.
    pub place: Option<String>,
    /// What supervision knows.
    pub supervision: Supervision,
    /// Whether it is connected just now.
    pub connected: bool,
    /// Civil time at which it was last heard, RFC 3339.
    pub last_heard_at: Option<String>,
    /// Seconds since then.
    pub last_heard_age_s: Option<u64>,
    /// Seconds without a sign after which it counts as silent.
    pub silent_after_s: u32,
    /// Battery, millivolts; absent is unknown, not well.
    pub battery_mv: Option<u16>,
    /// Whether the battery is below its limit.
    pub battery_low: bool,
    /// Signal strength, dBm.
    pub rssi_dbm: Option<i16>,
    /// Its firmware.
    pub firmware: Option<String>,
    /// Reports that it still keeps for sending.
    pub stored: Option<u32>,
    /// Reports that it had to give up.
    pub lost: Option<u32>,
    /// Its faults.
    pub faults: Vec<String>,
}

/// An entry that the centre did not take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QuarantineView {
    /// Its number in the journal.
    pub n: u64,
    /// Its kind.
    pub kind: String,
    /// Its origin, `source/epoch/seq`.
    pub origin: String,
    /// `conflict` or `refused`.
    pub outcome: String,
    /// The centre's reason.
    pub reason: Option<String>,
    /// Civil time at which it was recorded, RFC 3339.
    pub recorded_at: String,
}

/// A report of a device, or a login as one, that was refused, as the journal has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusedReportView {
    /// When it was recorded, RFC 3339, UTC.
    pub at: String,
    /// The device, where it had logged in.
    pub device: Option<DeviceId>,
    /// The reason's word: `login`, `foreign_topic`, `retained`, `oversize` …
    pub code: String,
    /// Bytes of the payload.
    pub size: u64,
    /// Its beginning, or the name that a stranger gave.
    pub sample: Option<String>,
}

/// How values spread, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SpreadView {
    /// How many there were.
    pub count: u64,
    /// What half of them do not exceed, up to a quarter too high; absent without values, as the next two.
    pub p50: Option<u64>,
    /// What 99 of 100 do not exceed, up to a quarter too high.
    pub p99: Option<u64>,
    /// The greatest.
    pub max: Option<u64>,
}

/// What happened in one hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HourFiguresView {
    /// Seconds of it in which the daemon ran.
    pub ran_s: u64,
    /// Alarms that began, by urgency; those that did not occur are left out.
    pub alarms: BTreeMap<Urgency, u32>,
    /// Devices that fell silent.
    pub silent: u32,
    /// From the arrival of a press until it was durable here.
    pub durable_ms: SpreadView,
    /// From the arrival of a press until the centre had it.
    pub accepted_ms: SpreadView,
}

/// One hour of `GET /api/v1/figures`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HourView {
    /// Civil time of its beginning, RFC 3339.
    pub from: String,
    /// What happened; absent where the daemon did not run and nobody knows.
    pub figures: Option<HourFiguresView>,
}

/// A question to the core, with the way back.
#[derive(Debug)]
pub enum Query {
    /// How everything is.
    Status(oneshot::Sender<StatusView>),
    /// What can be ordered.
    Catalogue(oneshot::Sender<CatalogueOrder>),
    /// One sale.
    Sale(SaleId, oneshot::Sender<Option<SaleView>>),
    /// Sales of this civil day, and those that have not ended, the newest first.
    Sales(oneshot::Sender<Vec<SaleView>>),
    /// Open alarms, in any order; with `all` the last 100, the newest first.
    Alarms {
        /// Closed ones too.
        all: bool,
        /// The way back.
        reply: oneshot::Sender<Vec<AlarmView>>,
    },
    /// Every device, by name.
    Devices(oneshot::Sender<Vec<DeviceView>>),
    /// Entries that the centre did not take, the newest first.
    Quarantine(oneshot::Sender<Vec<QuarantineView>>),
    /// The last 24 hours, the oldest first.
    Figures(oneshot::Sender<Vec<HourView>>),
    /// Tests of devices under way and the last ones that ended, the newest first.
    Tests(oneshot::Sender<Vec<DeviceTest>>),
    /// The last `REFUSALS_KEPT` refused reports of devices, the newest first.
    RefusedReports(oneshot::Sender<Vec<RefusedReportView>>),
}

/// Why a question got no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ViewError {
    /// Too many questions under way.
    #[error("too many questions are under way")]
    Busy,
    /// No answer within `VIEW_WAIT_MS`, or the core ended.
    #[error("the core did not answer in time")]
    Late,
}

/// Asks the core.
#[derive(Debug, Clone)]
pub struct CoreView {
    queries: mpsc::Sender<Query>,
}

impl CoreView {
    /// The asking end and the end for the event loop.
    #[must_use]
    pub fn channel() -> (Self, mpsc::Receiver<Query>) {
        let (queries, received) = mpsc::channel(QUERIES_MAX);
        (Self { queries }, received)
    }

    async fn ask<T>(&self, question: impl FnOnce(oneshot::Sender<T>) -> Query) -> Result<T, ViewError> {
        let (reply, answer) = oneshot::channel();
        self.queries.try_send(question(reply)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => ViewError::Busy,
            mpsc::error::TrySendError::Closed(_) => ViewError::Late,
        })?;
        match tokio::time::timeout(Duration::from_millis(VIEW_WAIT_MS), answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) | Err(_) => Err(ViewError::Late),
        }
    }

    /// How everything is.
    pub async fn status(&self) -> Result<StatusView, ViewError> {
        self.ask(Query::Status).await
    }

    /// What can be ordered.
    pub async fn catalogue(&self) -> Result<CatalogueOrder, ViewError> {
        self.ask(Query::Catalogue).await
    }

    /// One sale.
    pub async fn sale(&self, id: SaleId) -> Result<Option<SaleView>, ViewError> {
        self.ask(|reply| Query::Sale(id, reply)).await
    }

    /// Sales of this civil day, and those that have not ended.
    pub async fn sales(&self) -> Result<Vec<SaleView>, ViewError> {
        self.ask(Query::Sales).await
    }

    /// Open alarms; with `all` the last 100.
    pub async fn alarms(&self, all: bool) -> Result<Vec<AlarmView>, ViewError> {
        self.ask(|reply| Query::Alarms { all, reply }).await
    }

    /// Every device.
    pub async fn devices(&self) -> Result<Vec<DeviceView>, ViewError> {
        self.ask(Query::Devices).await
    }

    /// Entries that the centre did not take.
    pub async fn quarantine(&self) -> Result<Vec<QuarantineView>, ViewError> {
        self.ask(Query::Quarantine).await
    }

    /// The last 24 hours.
    pub async fn figures(&self) -> Result<Vec<HourView>, ViewError> {
        self.ask(Query::Figures).await
    }

    /// Tests of devices.
    pub async fn tests(&self) -> Result<Vec<DeviceTest>, ViewError> {
        self.ask(Query::Tests).await
    }

    /// Reports of devices that were refused lately.
    pub async fn refused_reports(&self) -> Result<Vec<RefusedReportView>, ViewError> {
        self.ask(Query::RefusedReports).await
    }
}
