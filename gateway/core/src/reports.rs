//! What devices send: event reports and heartbeats.
//!
//! **Invariant:** a report is acknowledged only after its entry, or the entry of its duplicate, is durable.
//! **Invariant:** nothing that a known device sends is dropped: what cannot be understood raises an alarm instead.
//! **Invariant:** what a broker kept from earlier is no sign of life.

use protocols::device::{EventReport, Heartbeat, Kind};
use protocols::id::{DeviceEpoch, DeviceId, Seq};
use protocols::uplink::{AlarmBody, DeviceReportBody, Epoch, Origin, OwnAlarm, OwnAlarmBody, Source, Urgency, kind};
use protocols::version;

use crate::core::{Core, Held, LookUp, Storage};
use crate::devices::{Device, DeviceRecord, Known, Marks, Seen, WaitingReport};
use crate::effect::{AckCode, Effect};
use crate::input::{AckToken, LinkInput, LookUpFailed, NewestReports, OutLane, Ticket};
use crate::intake::is_press;
use crate::journal::{Draft, Identity, fingerprint};
use crate::limits::{ASK_AGAIN_AFTER_MS, ASKED_AGAIN_MAX, REPORT_WINDOW};
use crate::raising::own_alarm;
use crate::refusals::sample;
use crate::time::Now;
use crate::timers::Timer;

/// Milliseconds after which a device that nobody configured counts as silent: three missed hourly heartbeats.
const SILENT_AFTER_MS_DEFAULT: u64 = 3 * 3_600_000;

/// How soon somebody has to act on a kind; `None` for kinds that raise no alarm.
pub(crate) const fn urgency_of(kind: &Kind) -> Option<Urgency> {
    match kind {
        Kind::Sos | Kind::Fall | Kind::PullCord | Kind::Smoke | Kind::Gas | Kind::Co | Kind::Water => {
            Some(Urgency::Emergency)
        }
        Kind::BedExit | Kind::Inactivity | Kind::Wander | Kind::Unknown(_) => Some(Urgency::Urgent),
        Kind::Tamper | Kind::LowBattery | Kind::MainsLost | Kind::Fault => Some(Urgency::Technical),
        Kind::Service => Some(Urgency::Request),
        Kind::Cancel | Kind::MainsRestored | Kind::Restored | Kind::Test => None,
    }
}

/// A parsed report with the fingerprint of its bytes.
pub(crate) struct Report {
    pub device: DeviceId,
    pub report: EventReport,
    pub body: u64,
    pub ack: Option<AckToken>,
}

impl Core {
    pub(crate) fn handle_link(&mut self, input: LinkInput, now: &Now) {
        match input {
            LinkInput::Connected { device, session } => {
                self.device_mut(&device).session = Some(session);
                self.device_heard(&device, now);
                self.tell_device(&device);
            }
            LinkInput::Disconnected { device, session } => {
                let found = self.device_mut(&device);
                if found.session == Some(session) {
                    found.session = None;
                    found.commands.clear();
                }
            }
            LinkInput::Event { device, ack, payload, retained } => {
                if retained {
                    self.refuse_report(Some(&device), "retained", ack, AckCode::NotAuthorized, &payload, now);
                } else {
                    self.device_heard(&device, now);
                    self.take_event(device, ack, payload, now);
                }
            }
            LinkInput::Status { ack, retained: true, .. } => self.set_aside_retained(ack),
            LinkInput::Status { device, ack, payload, retained: false } => {
                self.take_heartbeat(&device, ack, &payload, now);
            }
            LinkInput::CommandTaken { device, command } => self.command_ended(&device, command, true),
            LinkInput::CommandGivenUp { device, command } => {
                self.emit(Effect::Count { name: "commands_given_up", label: "too_long" });
                self.command_ended(&device, command, false);
            }
            LinkInput::Refused { device, reason, ack, size, sample } => {
                self.link_refused(device.as_ref(), reason, ack, size, &sample, now);
            }
        }
    }

    /// The device, made known when it was not.
    pub(crate) fn device_mut(&mut self, id: &DeviceId) -> &mut Device {
        self.devices.entry(id.clone()).or_insert_with(|| Device::new(DeviceRecord::new(SILENT_AFTER_MS_DEFAULT)))
    }

    fn take_event(&mut self, device: DeviceId, ack: Option<AckToken>, payload: Vec<u8>, now: &Now) {
        if self.config.storage == Storage::Dead {
            self.take_event_without_disk(&device, ack, &payload, now);
            return;
        }
        let ticket = Ticket(self.fresh_number());
        match &mut self.device_mut(&device).marks {
            Marks::Loaded { .. } => self.take_event_with_marks(device, ack, payload, now),
            Marks::Loading(waiting) => waiting.push(WaitingReport { payload, ack }),
            marks @ Marks::Unloaded => {
                *marks = Marks::Loading(vec![WaitingReport { payload, ack }]);
                self.look_ups.insert(ticket, LookUp::Marks(device.clone()));
                self.emit(Effect::LoadReports { ticket, device, limit: REPORT_WINDOW });
            }
        }
    }

    pub(crate) fn handle_reports_loaded(
        &mut self,
        ticket: Ticket,
        found: Result<Option<NewestReports>, LookUpFailed>,
        now: &Now,
    ) {
        let Some(LookUp::Marks(id)) = self.look_ups.remove(&ticket) else { return };
        let device = self.device_mut(&id);
        let loaded = match found {
            Ok(found) => {
                let found = found.unwrap_or(NewestReports { epoch: 0, recent: Vec::new() });
                let newest = found.recent.iter().map(|(seq, _)| *seq).max().unwrap_or(0);
                device.progress.note_earlier((found.epoch, newest));
                Marks::Loaded {
                    epoch: found.epoch,
                    recent: found.recent.into_iter().map(|(seq, body)| (seq, Seen { body, n: 0 })).collect(),
                }
            }
            Err(LookUpFailed) => {
                // The next report asks again.
                if let Marks::Loading(waiting) = std::mem::replace(&mut device.marks, Marks::Unloaded) {
                    for report in waiting {
                        self.take_without_look_up(&id, report.ack, &report.payload, now);
                    }
                }
                return;
            }
        };
        if let Marks::Loading(waiting) = std::mem::replace(&mut device.marks, loaded) {
            for report in waiting {
                self.take_event_with_marks(id.clone(), report.ack, report.payload, now);
            }
        }
    }

    fn take_event_with_marks(&mut self, device: DeviceId, ack: Option<AckToken>, payload: Vec<u8>, now: &Now) {
        let Some(report) = readable(&payload) else { return self.take_unreadable(&device, ack, &payload, now) };
        let body = fingerprint(&payload);
        let known = self.known(&device, &report, body);
        let taken = Report { device, report, body, ack };
        match known {
            Known::New => self.record_report(taken, now),
            Known::Same => self.take_again(&taken, now),
            Known::Other => self.record_conflict(&taken, now),
            Known::AskJournal => {
                let ticket = Ticket(self.fresh_number());
                self.emit(Effect::FindOrigin {
                    ticket,
                    source: Source::Device(taken.device.clone()).to_string(),
                    epoch: taken.report.epoch.to_string(),
                    seq: taken.report.seq.get(),
                });
                self.look_ups.insert(ticket, LookUp::Report { device: taken.device, payload, ack });
            }
        }
    }

    /// What is known of a report without a look into the journal.
    fn known(&mut self, device: &DeviceId, report: &EventReport, body: u64) -> Known {
        let (epoch, seq) = (report.epoch, report.seq);
        let judged = |seen: u64| if seen == body { Known::Same } else { Known::Other };
        if let Some(seen) = self.seen_beside_marks(device, epoch, seq) {
            return judged(seen);
        }
        match self.device_mut(device).marks.look_up(epoch, seq.get(), body) {
            Known::AskJournal => self.alarms.counted_body(device, epoch, seq).map_or(Known::AskJournal, judged),
            known @ (Known::New | Known::Same | Known::Other) => known,
        }
    }

    /// The fingerprint of a report of which neither marks nor journal know yet.
    fn seen_beside_marks(&self, device: &DeviceId, epoch: DeviceEpoch, seq: Seq) -> Option<u64> {
        if self.old_reports.is_empty() && self.counted_before.is_empty() {
            return None;
        }
        let key = (device.clone(), epoch, seq.get());
        let recorded = self.old_reports.get(&key).map(|seen| seen.body);
        recorded.or_else(|| self.counted_before.get(&key).copied())
    }

    /// A report of which it is not known whether the journal has it. An alarm goes straight to the centre, which counts it
    /// once by its origin, and is acknowledged when the centre has it. For anything else the journal is asked again.
    fn take_without_look_up(&mut self, device: &DeviceId, ack: Option<AckToken>, payload: &[u8], now: &Now) {
        self.emit(Effect::Count { name: "look_ups_failed", label: "report" });
        if self.alarms.open_of(None, "journal_unreadable").is_none() {
            self.raise_or_fold_own(&own_alarm(OwnAlarm::JournalUnreadable, None), None, now);
        }
        let raises_alarm = readable(payload).is_none_or(|report| urgency_of(&report.kind).is_some());
        if raises_alarm || self.asked_again.len() >= ASKED_AGAIN_MAX {
            return self.take_event_without_disk(device, ack, payload, now);
        }
        self.asked_again.push((device.clone(), WaitingReport { payload: payload.to_vec(), ack }));
        if !self.timers.is_set(&Timer::AskAgain) {
            self.timers.set(Timer::AskAgain, now.mono.after_ms(ASK_AGAIN_AFTER_MS));
        }
    }

    /// Asks the journal again about what it could not tell.
    pub(crate) fn ask_again(&mut self, now: &Now) {
        for (device, WaitingReport { payload, ack }) in std::mem::take(&mut self.asked_again) {
            self.take_event(device, ack, payload, now);
        }
    }

    pub(crate) fn handle_origin_found(&mut self, ticket: Ticket, found: Result<Option<u64>, LookUpFailed>, now: &Now) {
        let Some(LookUp::Report { device, payload, ack }) = self.look_ups.remove(&ticket) else { return };
        let Ok(report) = serde_json::from_slice::<EventReport>(&payload) else { return };
        let taken = Report { device, report, body: fingerprint(&payload), ack };
        let key = (taken.device.clone(), taken.report.epoch, taken.report.seq.get());
        let recorded = self.old_reports.get(&key).map(|seen| seen.body);
        let found = match (found, recorded) {
            (Ok(found), recorded) => found.or(recorded),
            (Err(LookUpFailed), Some(recorded)) => Some(recorded),
            (Err(LookUpFailed), None) => return self.take_without_look_up(&taken.device, ack, &payload, now),
        };
        match found {
            Some(seen) if seen == taken.body => self.take_again(&taken, now),
            Some(_) => self.record_conflict(&taken, now),
            None => {
                let body = taken.body;
                self.record_report(taken, now);
                self.old_reports.insert(key, Seen { body, n: self.journal.last_n() });
            }
        }
    }

    /// Acknowledges once everything recorded so far is durable.
    pub(crate) fn acknowledge(&mut self, ack: Option<AckToken>, code: AckCode) {
        if let Some(token) = ack {
            self.emit_durable(Effect::Ack { token, code });
        }
    }

    fn record_report(&mut self, taken: Report, now: &Now) {
        let Report { device, report, body, ack } = taken;
        self.device_mut(&device).progress.note((report.epoch, report.seq.get()), now.mono);
        let origin =
            Origin { source: Source::Device(device.clone()), epoch: Epoch::Number(report.epoch), seq: report.seq };
        let entry = self.journal.last_n().saturating_add(1);
        match (&report.kind, urgency_of(&report.kind)) {
            (_, Some(urgency)) => self.record_alarm_report(&device, &report, origin, body, urgency, now),
            (Kind::Cancel, None) => self.record_cancel(&device, &report, origin, body, now),
            (_, None) => self.record_plain_report(&device, &report, origin, body, now),
        }
        let (n, durable_n) = (self.journal.last_n(), self.journal.committed_n());
        if n >= entry {
            self.note_tested(&device, &report, entry, now);
            if let Some(urgency) = urgency_of(&report.kind) {
                self.figures.recorded(entry, urgency, now.mono);
            }
        }
        let marks = &mut self.device_mut(&device).marks;
        for (epoch, seq, seen) in marks.note(report.epoch, report.seq.get(), Seen { body, n }, durable_n) {
            self.old_reports.insert((device.clone(), epoch, seq), seen);
        }
        self.acknowledge(ack, AckCode::Success);
    }

    fn record_alarm_report(
        &mut self,
        device: &DeviceId,
        report: &EventReport,
        origin: Origin,
        fingerprint: u64,
        urgency: Urgency,
        now: &Now,
    ) {
        if is_press(urgency) {
            self.hurry.press();
        }
        let body = OwnAlarmBody::from(alarm_body(device, report, urgency));
        let open = self.alarms.open_of(Some(device), &body.alarm.kind).map(str::to_owned);
        let press = Some((report.epoch, report.seq));
        // It went to the centre before, while no disk took it or could be asked: it is an alarm of its own already.
        let open = open.filter(|_| self.alarms.get(&origin.alarm_id()).is_none_or(|known| known.n > 0));
        match open {
            Some(id) => self.fold_alarm(&id, Identity::Given(origin), &body, fingerprint, press, now),
            None => self.raise_alarm(Identity::Given(origin), None, &body, fingerprint, press, now),
        }
    }

    fn record_cancel(&mut self, device: &DeviceId, report: &EventReport, origin: Origin, fingerprint: u64, now: &Now) {
        let found = report.of.and_then(|of| self.alarms.with_press(device, report.epoch, of)).map(str::to_owned);
        let Some(id) = found else {
            return self.record_plain_report(device, report, origin, fingerprint, now);
        };
        let Some(alarm) = self.alarms.get_mut(&id) else { return };
        alarm.take_back(&now.civil);
        let alarm = alarm.clone();
        let body = alarm_body(device, report, alarm.urgency);
        self.journal.record(
            Draft {
                identity: Identity::Given(origin),
                kind: kind::ALARM_CANCELLED,
                about: Some(&alarm.origin),
                body: &body,
                fingerprint,
                lane: OutLane::AlarmNotes,
                private: None,
            },
            now,
        );
        self.save_alarm(&alarm);
        self.after_durable(Held::ShowAlarm { alarm: id, state: alarm.state });
    }

    fn record_plain_report(
        &mut self,
        device: &DeviceId,
        report: &EventReport,
        origin: Origin,
        fingerprint: u64,
        now: &Now,
    ) {
        let body = DeviceReportBody {
            kind: report.kind.name().to_owned(),
            device: device.clone(),
            of: report.of.map(Seq::get),
            boot: report.boot,
            up_ms: report.up_ms,
            at: report.at,
            battery_mv: report.battery_mv,
            rssi_dbm: report.rssi_dbm,
            detail: report.detail.as_ref().map(|detail| detail.as_str().to_owned()),
        };
        self.journal.record(
            Draft {
                identity: Identity::Given(origin),
                kind: kind::DEVICE_REPORTED,
                about: None,
                body: &body,
                fingerprint,
                lane: OutLane::Rest,
                private: None,
            },
            now,
        );
    }

    /// A number used twice with different bodies: kept, shown, and an alarm of its own when it could be one.
    fn record_conflict(&mut self, taken: &Report, now: &Now) {
        let origin = Origin {
            source: Source::Device(taken.device.clone()),
            epoch: Epoch::Number(taken.report.epoch),
            seq: taken.report.seq,
        };
        let urgency = urgency_of(&taken.report.kind).unwrap_or(Urgency::Technical);
        let mut body = alarm_body(&taken.device, &taken.report, urgency);
        body.detail = Some(format!("number used twice, now for {}", body.kind));
        body.kind = OwnAlarm::Conflict.word().to_owned();
        self.emit(Effect::Count { name: "reports_conflicting", label: "device" });
        // The device hears how far its report has come, as of any alarm of its own.
        let press = urgency_of(&taken.report.kind).map(|_| (taken.report.epoch, taken.report.seq));
        let body = OwnAlarmBody { report: Some(origin.clone()), ..OwnAlarmBody::from(body) };
        self.raise_or_fold(&body, Some(&origin), press, now);
        self.acknowledge(taken.ack, AckCode::Success);
    }

    /// An event report or a heartbeat that cannot be read.
    pub(crate) fn take_unreadable(&mut self, device: &DeviceId, ack: Option<AckToken>, payload: &[u8], now: &Now) {
        self.emit(Effect::Count { name: "reports_refused", label: "unreadable" });
        let body = AlarmBody { detail: Some(sample(payload)), ..own_alarm(OwnAlarm::Unreadable, Some(device)) };
        match self.config.storage {
            Storage::Journal => {
                self.raise_or_fold_own(&body, None, now);
                self.acknowledge(ack, AckCode::PayloadFormatInvalid);
            }
            Storage::Dead => self.take_unreadable_without_disk(&body, device, ack, now),
        }
    }

    /// A heartbeat that a broker kept comes again at each connect, whether the device lives or not: it is counted, and
    /// no entry is made of it.
    fn set_aside_retained(&mut self, ack: Option<AckToken>) {
        self.emit(Effect::Count { name: "heartbeats_set_aside", label: "retained" });
        if let Some(token) = ack {
            self.emit(Effect::Ack { token, code: AckCode::Success });
        }
    }

    /// One that cannot be read is a sign of life, too: the device has power and a line, so it is not silent. That
    /// nobody knows what it says is an alarm of its own, which stays open beside it.
    fn take_heartbeat(&mut self, id: &DeviceId, ack: Option<AckToken>, payload: &[u8], now: &Now) {
        self.device_heard(id, now);
        self.device_mut(id).progress.heard(now.mono);
        match serde_json::from_slice::<Heartbeat>(payload) {
            Ok(heartbeat) if version::is_supported(heartbeat.v) => {
                self.judge_heartbeat(id, &heartbeat, now);
                if let Some(token) = ack {
                    self.emit(Effect::Ack { token, code: AckCode::Success });
                }
            }
            Ok(_) | Err(_) => self.take_unreadable(id, ack, payload, now),
        }
    }
}

/// A report of a version that this release reads.
pub(crate) fn readable(payload: &[u8]) -> Option<EventReport> {
    serde_json::from_slice(payload).ok().filter(|report: &EventReport| version::is_supported(report.v))
}

/// The body of an alarm that a report raises.
pub(crate) fn alarm_body(device: &DeviceId, report: &EventReport, urgency: Urgency) -> AlarmBody {
    let (kind, detail) = match &report.kind {
        Kind::Unknown(name) => ("unknown".to_owned(), Some(name.as_str().to_owned())),
        Kind::Sos
        | Kind::Cancel
        | Kind::Fall
        | Kind::PullCord
        | Kind::Smoke
        | Kind::Gas
        | Kind::Co
        | Kind::Water
        | Kind::BedExit
        | Kind::Inactivity
        | Kind::Wander
        | Kind::Tamper
        | Kind::LowBattery
        | Kind::MainsLost
        | Kind::MainsRestored
        | Kind::Restored
        | Kind::Fault
        | Kind::Service
        | Kind::Test => (report.kind.name().to_owned(), None),
    };
    AlarmBody {
        kind,
        urgency,
        device: Some(device.clone()),
        boot: report.boot,
        up_ms: report.up_ms,
        at: report.at,
        battery_mv: report.battery_mv,
        rssi_dbm: report.rssi_dbm,
        detail: detail.or_else(|| report.detail.as_ref().map(|detail| detail.as_str().to_owned())),
    }
}
