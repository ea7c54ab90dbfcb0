//! The core's views in the shapes of the local interface.

use std::sync::Arc;

use gateway_core::{
    Alarm, AlarmStep, Core, DeviceView as CoreDevice, Hour, Mono, Now, OutLane, Quarantined, Refusal, SaleView, Sent,
    Spread, StatusView as CoreStatus, Storage,
};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use protocols::id::{DeviceId, GatewayId};
use protocols::unit::UnixMs;
use protocols::uplink::{Entry, Outcome, ReportRefusedBody};
use tokio::sync::oneshot;

use crate::adapter::kiosk::REFUSALS_KEPT;
use crate::adapter::kiosk::view::{
    AlarmView, DeviceCounts, DeviceView, DiskView, HourFiguresView, HourView, JournalView, LaneView, QuarantineView,
    Query, ReaderView, RefusedReportView, ScrubView, SpreadView, StatusView, StepView, Supervision, TroubleView,
    UplinkView,
};
use crate::adapter::store::{LaneQuery, Reader, Space};
use crate::deadlines::{age_s, next};
use crate::devices_file::DeviceDirectory;
use crate::limits::OLDEST_BYTES_MAX;
use crate::scrub::{Pass, Scrubbed};
use crate::troubles::{Part, Troubles};

/// What the answers need besides the core.
#[derive(Debug, Clone)]
pub struct Answers {
    /// This gateway.
    pub gateway: GatewayId,
    /// Civil time of the start.
    pub started_at: Arc<str>,
    /// The journal's reading side.
    pub reader: Option<Reader>,
    /// The room on the disk.
    pub space: Option<Space>,
    /// What the devices file says of each device.
    pub directory: Arc<DeviceDirectory>,
    /// The site's time zone.
    pub zone: TimeZone,
    /// What does not work just now.
    pub troubles: Troubles,
    /// The last look through the journal.
    pub scrubbed: Scrubbed,
}

impl Answers {
    /// Answers a question; what needs the disk is answered by a task of its own.
    pub fn answer(&self, core: &Core, query: Query, now: &Now) {
        match query {
            Query::Status(reply) => self.status(core, reply, now),
            Query::Catalogue(reply) => drop(reply.send(core.catalogue().clone())),
            Query::Sale(id, reply) => {
                let sale = core.sale(&id).map(|sale| waiting(core, sale, now));
                drop(reply.send(sale));
            }
            Query::Sales(reply) => {
                let sales = self.sales_of_today(core.sales(), now);
                drop(reply.send(sales.into_iter().map(|sale| waiting(core, sale, now)).collect()));
            }
            Query::Alarms { all, reply } => {
                drop(reply.send(core.alarms(all).into_iter().map(|seen| self.alarm(seen, now)).collect()))
            }
            Query::Devices(reply) => {
                drop(reply.send(core.devices().into_iter().map(|device| self.device(device, now)).collect()));
            }
            Query::Quarantine(reply) => self.quarantine(core.quarantine(), reply),
            Query::Figures(reply) => drop(reply.send(self.figures(core, now))),
            Query::Tests(reply) => drop(reply.send(core.device_tests(now))),
            Query::RefusedReports(reply) => self.refused_reports(reply),
        }
    }

    fn status(&self, core: &Core, reply: oneshot::Sender<StatusView>, now: &Now) {
        let seen = core.status();
        let devices = core.devices();
        let mut view = StatusView {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            gateway: self.gateway.clone(),
            started_at: self.started_at.to_string(),
            uptime_s: now.mono.0 / 1_000,
            now: now.civil.to_string(),
            clock: now.clock,
            uplink: UplinkView {
                online: seen.online,
                failure: seen.uplink_failure,
                last_answer_at: seen.answered.and_then(|(_, wall)| self.civil(wall)),
                last_answer_age_s: seen.answered.map(|(mono, _)| since_s(mono, now)),
            },
            journal: JournalView {
                journal: seen.journal.clone(),
                n: seen.head,
                hash: String::new(),
                storing: seen.storage == Storage::Journal,
                scrub: self.scrubbed.last().map(|pass| self.scrub(pass)),
            },
            disk: self.space.as_ref().and_then(disk),
            readers: seen
                .readers
                .iter()
                .map(|(reader, state)| ReaderView { reader: reader.clone(), state: *state, psam: Some(seen.psam) })
                .collect(),
            sales_closed: sales_closed(&seen),
            policy: core.policy(now).clone(),
            devices: count(&devices),
            open_alarms: u32::try_from(seen.open_alarms).unwrap_or(u32::MAX),
            lanes: seen
                .lanes
                .iter()
                .map(|lane| LaneView { lane: lane.lane, waiting: lane.waiting, oldest_at: None, oldest_age_s: None })
                .collect(),
            sales_unknown: u32::try_from(seen.sales_unknown).unwrap_or(u32::MAX),
            quarantined: seen.quarantined as u64,
            degraded: self.troubles.now().into_iter().map(trouble).collect(),
        };
        let Some(reader) = self.reader.clone() else {
            drop(reply.send(view));
            return;
        };
        let cursors = seen.lanes.map(|lane| (lane.lane, lane.cursor, lane.waiting));
        let wall = now.wall;
        tokio::spawn(async move {
            view.journal.hash = hash_at(&reader, view.journal.n).await.unwrap_or_default();
            for (line, (lane, cursor, waiting)) in view.lanes.iter_mut().zip(cursors) {
                if waiting > 0 {
                    line.oldest_at = oldest(&reader, lane, cursor).await;
                    line.oldest_age_s = line.oldest_at.as_deref().and_then(|at| age_s(at, wall));
                }
            }
            drop(reply.send(view));
        });
    }

    /// Sales of this civil day, and those that have not ended, whenever they began.
    fn sales_of_today(&self, mut sales: Vec<SaleView>, now: &Now) -> Vec<SaleView> {
        let today = self.day(Timestamp::from_millisecond(now.wall.0).ok());
        sales.retain(|sale| is_open(sale) || self.day(sale.started_at.parse().ok()) == today);
        sales
    }

    fn day(&self, at: Option<Timestamp>) -> Option<Date> {
        at.map(|at| jiff::ZonedDateTime::new(at, self.zone.clone()).date())
    }

    fn scrub(&self, pass: Pass) -> ScrubView {
        ScrubView {
            ended_at: self.civil(pass.ended_at),
            entries: pass.entries,
            damaged: pass.damaged,
            first_damaged: pass.first_damaged,
        }
    }

    fn figures(&self, core: &Core, now: &Now) -> Vec<HourView> {
        let hour = |(from, hour): (i64, Option<Hour>)| HourView {
            from: self.civil(UnixMs(from)).unwrap_or_default(),
            figures: hour.map(|hour| HourFiguresView {
                ran_s: hour.ran_ms / 1_000,
                durable_ms: spread(&hour.durable),
                accepted_ms: spread(&hour.accepted),
                alarms: hour.alarms,
                silent: hour.silent,
            }),
        };
        core.figures(now).into_iter().map(hour).collect()
    }

    fn device(&self, device: CoreDevice, now: &Now) -> DeviceView {
        let heartbeat = device.heartbeat;
        DeviceView {
            place: self.place(&device.id),
            device: device.id,
            supervision: supervision(&device.record),
            connected: device.connected,
            last_heard_at: device.heard_at.and_then(|(_, wall)| self.civil(wall)),
            last_heard_age_s: device.heard_at.map(|(mono, _)| since_s(mono, now)),
            silent_after_s: u32::try_from(device.record.silent_after_ms / 1_000).unwrap_or(u32::MAX),
            battery_mv: heartbeat.as_ref().and_then(|heartbeat| heartbeat.battery_mv),
            battery_low: device.record.battery_low,
            rssi_dbm: heartbeat.as_ref().and_then(|heartbeat| heartbeat.rssi_dbm),
            stored: heartbeat.as_ref().map(|heartbeat| heartbeat.stored),
            firmware: heartbeat.and_then(|heartbeat| heartbeat.firmware).map(String::from),
            lost: Some(device.record.lost),
            faults: device.record.faults,
        }
    }

    fn place(&self, device: &DeviceId) -> Option<String> {
        self.directory.devices().get(device).and_then(|known| known.place.clone())
    }

    fn alarm(&self, seen: Alarm, now: &Now) -> AlarmView {
        let place = seen.device.as_ref().and_then(|device| self.place(device));
        let happened_at = seen.late_by_ms.and_then(|late| self.before(&seen.opened_at, late));
        let (responder, eta_at) = self.who_comes(&seen.history);
        AlarmView { place, happened_at, responder, eta_at, ..alarm(seen, now) }
    }

    /// The civil time so many milliseconds before another.
    fn before(&self, at: &str, ms: u64) -> Option<String> {
        let at: Timestamp = at.parse().ok()?;
        self.civil(UnixMs(at.as_millisecond().checked_sub(i64::try_from(ms).ok()?)?))
    }

    /// Who was sent last, and when they are there.
    fn who_comes(&self, history: &[AlarmStep]) -> (Option<String>, Option<String>) {
        let Some(step) = history.iter().rfind(|step| step.sent != Sent::default()) else { return (None, None) };
        let eta_at = step.sent.eta_min.and_then(|minutes| {
            let at: Timestamp = step.at.parse().ok()?;
            self.civil(UnixMs(at.as_millisecond().checked_add(i64::from(minutes).checked_mul(60_000)?)?))
        });
        (step.sent.responder.clone(), eta_at)
    }

    fn civil(&self, at: UnixMs) -> Option<String> {
        let zoned = jiff::ZonedDateTime::new(Timestamp::from_millisecond(at.0).ok()?, self.zone.clone());
        Some(zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string())
    }

    fn refused_reports(&self, reply: oneshot::Sender<Vec<RefusedReportView>>) {
        let reader = self.reader.clone();
        tokio::spawn(async move {
            let found = match reader {
                Some(reader) => reader.refused_reports(REFUSALS_KEPT).await,
                None => Ok(Vec::new()),
            };
            let found = found.unwrap_or_else(|failure| {
                tracing::error!(%failure, "the journal could not be asked for refused reports");
                Vec::new()
            });
            drop(reply.send(found.iter().filter_map(|entry| refused_report(entry)).collect()));
        });
    }

    fn quarantine(&self, entries: Vec<Quarantined>, reply: oneshot::Sender<Vec<QuarantineView>>) {
        let reader = self.reader.clone();
        tokio::spawn(async move {
            let mut views = Vec::with_capacity(entries.len());
            for entry in entries.into_iter().rev() {
                views.push(quarantined(reader.as_ref(), entry).await);
            }
            drop(reply.send(views));
        });
    }
}

/// The sale with how long it still waits for its card.
fn waiting(core: &Core, sale: SaleView, now: &Now) -> SaleView {
    let card_wait_left_ms = core.card_wait_left_ms(&sale.id, now);
    SaleView { card_wait_left_ms, ..sale }
}

fn is_open(sale: &SaleView) -> bool {
    matches!(sale.state, "awaiting_card" | "in_progress" | "unknown")
}

fn trouble((part, detail): (Part, String)) -> TroubleView {
    TroubleView { part: part.word(), detail, alarms_concerned: part.concerns_alarms() }
}

/// The shape of a refused report; `None` for bytes that are none.
fn refused_report(entry: &str) -> Option<RefusedReportView> {
    let entry: Entry = serde_json::from_str(entry).ok()?;
    let body: ReportRefusedBody = serde_json::from_str(entry.body.get()).ok()?;
    let at: Timestamp = entry.recorded_at.parse().ok()?;
    Some(RefusedReportView {
        at: at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        device: body.device,
        code: body.reason,
        size: body.size,
        sample: body.sample,
    })
}

async fn hash_at(reader: &Reader, n: u64) -> Option<String> {
    let row = reader.row(n).await.ok()??;
    Some(hex::encode(row.0))
}

async fn oldest(reader: &Reader, lane: OutLane, after: u64) -> Option<String> {
    let query = LaneQuery { lane, after, except: &[], max: 1, max_bytes: OLDEST_BYTES_MAX };
    let batch = reader.read_lane(query).await.ok()?;
    let entry: Entry = serde_json::from_str(&batch.entries.first()?.entry).ok()?;
    Some(entry.recorded_at)
}

async fn quarantined(reader: Option<&Reader>, entry: Quarantined) -> QuarantineView {
    let text = match reader {
        Some(reader) => reader.row(entry.n).await.ok().flatten().map(|(_, bytes)| bytes),
        None => None,
    };
    let parsed: Option<Entry> = text.and_then(|text| serde_json::from_str(&text).ok());
    QuarantineView {
        n: entry.n,
        kind: parsed.as_ref().map(|entry| entry.kind.clone()).unwrap_or_default(),
        origin: parsed.as_ref().map(|entry| entry.origin.to_string()).unwrap_or_default(),
        outcome: match entry.outcome {
            Outcome::Conflict => "conflict",
            Outcome::Refused => "refused",
            Outcome::Accepted => "accepted",
            Outcome::Duplicate => "duplicate",
        }
        .to_owned(),
        reason: entry.reason,
        recorded_at: parsed.map(|entry| entry.recorded_at).unwrap_or_default(),
    }
}

fn sales_closed(seen: &CoreStatus) -> Option<Refusal> {
    if seen.storage == Storage::Dead || seen.storage_low {
        Some(Refusal::StorageDown)
    } else if seen.closed_by_age {
        Some(Refusal::CatalogueOld)
    } else if !seen.psam {
        Some(Refusal::PsamGone)
    } else {
        None
    }
}

const fn supervision(record: &gateway_core::DeviceRecord) -> Supervision {
    if record.silent {
        Supervision::Silent
    } else if record.heard_once {
        Supervision::Well
    } else {
        Supervision::Never
    }
}

fn count(devices: &[CoreDevice]) -> DeviceCounts {
    let of = |wanted| {
        let found = devices.iter().filter(|device| device.record.assigned && supervision(&device.record) == wanted);
        u32::try_from(found.count()).unwrap_or(u32::MAX)
    };
    let (well, silent, never) = (of(Supervision::Well), of(Supervision::Silent), of(Supervision::Never));
    DeviceCounts { total: well.saturating_add(silent).saturating_add(never), well, silent, never }
}

fn disk(space: &Space) -> Option<DiskView> {
    let (free_bytes, total_bytes) = space.free_and_total_bytes().ok()?;
    Some(DiskView { free_bytes, total_bytes, low: space.is_low() })
}

const fn since_s(then: Mono, now: &Now) -> u64 {
    now.mono.0.saturating_sub(then.0) / 1_000
}

fn spread(spread: &Spread) -> SpreadView {
    SpreadView { count: spread.count(), p50: spread.percentile(50), p99: spread.percentile(99), max: spread.max() }
}

fn alarm(alarm: Alarm, now: &Now) -> AlarmView {
    AlarmView {
        age_s: age_s(&alarm.opened_at, now.wall).unwrap_or(0),
        next: next(&alarm, now.wall),
        during_test: alarm.during_test,
        id: alarm.id,
        kind: alarm.kind,
        urgency: alarm.urgency,
        device: alarm.device,
        place: None,
        state: alarm.state,
        raised_at: alarm.opened_at,
        happened_at: None,
        presses: u32::try_from(alarm.presses).unwrap_or(u32::MAX),
        taken_back: alarm.cancelled,
        detail: alarm.detail,
        responder: None,
        eta_at: None,
        steps: alarm.history.into_iter().map(step).collect(),
    }
}

fn step(step: AlarmStep) -> StepView {
    let Sent { responder, eta_min } = step.sent;
    StepView { what: step.what, state: step.state, at: step.at, by: step.by, cause: step.cause, responder, eta_min }
}

#[cfg(test)]
#[path = "answers_tests.rs"]
mod tests;
