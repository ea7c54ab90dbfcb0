//! When the disk takes nothing, or cannot say whether it has a report: alarms and people's steps go straight to the centre, and count when the centre has them.
//!
//! The alarms live in memory, so that staff see them and devices hear how far they have come; each press is an alarm of
//! its own, as it is at the centre.
//!
//! **Invariant:** without a journal no report is taken but an alarm and what cannot be read, and none is acknowledged before
//! the centre accepted its alarm.
//! **Invariant:** without a journal a person's step counts, and is answered, only when the centre has it.
//! **Invariant:** it ends no press that the centre may not have: the centre's order about the end says which it ended.

use protocols::device::{AlarmState, EventReport};
use protocols::id::{DeviceId, Seq};
use protocols::uplink::{AlarmBody, Entry, Epoch, NO_STORAGE_EPOCH, Origin, Outcome, OwnAlarm, Source, Urgency, kind};

use crate::alarms::{Alarm, AlarmStep};
use crate::core::{Core, Held};
use crate::effect::{AckCode, DeskAnswer, Effect, Refusal};
use crate::input::{AckToken, Direct, OutLane, ReplyToken, Ticket, UplinkFailure};
use crate::journal::{entry_text, fingerprint};
use crate::limits::{
    ALARMS_WITHOUT_ENTRY_MAX, DIRECT_ACKS_MAX, DIRECT_ALARMS_MAX, DIRECT_UNREADABLE_MAX, UNREADABLE_ACKS_MAX,
};
use crate::reports::{alarm_body, readable};
use crate::steps::step_body;
use crate::time::Now;
use crate::timers::Timer;

/// An entry on its way.
#[derive(Debug)]
pub(crate) struct DirectEntry {
    /// The alarm that it is about.
    alarm: String,
    entry: String,
    accepted: bool,
    /// Whether it is the entry that the alarm of its id shows here. Not where another report had that id before.
    shown: bool,
    says: Says,
}

/// What an entry says.
#[derive(Debug)]
enum Says {
    /// A device's alarm: which report (epoch, number, fingerprint), and who waits.
    Press { device: DeviceId, report: (u32, u64, u64), acks: Vec<AckToken> },
    /// An alarm of the gateway's own.
    Own,
    /// That a device sends what cannot be read, and who waits.
    Unreadable { device: DeviceId, acks: Vec<AckToken> },
    /// A person's step.
    Step { step: AlarmStep, reply: ReplyToken },
}

impl Core {
    pub(crate) fn take_event_without_disk(
        &mut self,
        device: &DeviceId,
        ack: Option<AckToken>,
        payload: &[u8],
        now: &Now,
    ) {
        let Some(report) = readable(payload) else { return self.take_unreadable(device, ack, payload, now) };
        let Some((epoch, origin, body)) = alarm_of(device, &report) else { return };
        let press = (epoch, origin.seq);
        let key = (epoch, origin.seq.get(), fingerprint(payload));
        for known in self.direct.values_mut() {
            let Says::Press { device: from, report, acks } = &mut known.says else { continue };
            if from != device || *report != key {
                continue;
            }
            match (known.accepted, ack) {
                (true, Some(token)) => self.out.push_back(Effect::Ack { token, code: AckCode::Success }),
                // A resend comes on a newer connection: of the older ones nobody waits any more.
                (false, Some(token)) => keep_waiting(acks, token, DIRECT_ACKS_MAX),
                (_, None) => {}
            }
            return;
        }
        let says = Says::Press { device: device.clone(), report: key, acks: ack.into_iter().collect() };
        self.raise_without_disk(&origin, None, &body, Some(press), says, now);
    }

    /// Raises an alarm of the gateway's own, or counts it into the open one of its kind and device.
    pub(crate) fn raise_own_without_disk(&mut self, body: &AlarmBody, about: Option<&Origin>, now: &Now) {
        let open = self.alarms.open_of(body.device.as_ref(), &body.kind).map(str::to_owned);
        if let Some(alarm) = open.and_then(|id| self.alarms.get_mut(&id)) {
            return alarm.fold(None, body.urgency, &now.civil);
        }
        let Some(origin) = self.origin_without_disk(now) else { return };
        self.raise_without_disk(&origin, about, body, None, Says::Own, now);
    }

    /// Raises an alarm about what a device sends and nobody can read, or counts it into the one that is open. The device is
    /// answered when the centre has the alarm.
    pub(crate) fn take_unreadable_without_disk(
        &mut self,
        body: &AlarmBody,
        device: &DeviceId,
        ack: Option<AckToken>,
        now: &Now,
    ) {
        for known in self.direct.values_mut() {
            let Says::Unreadable { device: from, acks } = &mut known.says else { continue };
            let open = self.alarms.get(&known.alarm).is_none_or(Alarm::is_open);
            if from != device || !open {
                continue;
            }
            match (known.accepted, ack) {
                (true, Some(token)) => {
                    self.out.push_back(Effect::Ack { token, code: AckCode::PayloadFormatInvalid });
                }
                (false, Some(token)) => keep_waiting(acks, token, UNREADABLE_ACKS_MAX),
                (_, None) => {}
            }
            if let Some(alarm) = self.alarms.get_mut(&known.alarm) {
                alarm.fold(None, body.urgency, &now.civil);
            }
            return;
        }
        let is_one = |entry: &DirectEntry| matches!(entry.says, Says::Unreadable { .. });
        let full = self.direct.values().filter(|entry| is_one(entry)).count() >= DIRECT_UNREADABLE_MAX;
        if full && !self.forget_accepted(is_one) {
            return self.emit(Effect::Count { name: "direct_alarms_waiting_full", label: "unreadable" });
        }
        let Some(origin) = self.origin_without_disk(now) else { return };
        let says = Says::Unreadable { device: device.clone(), acks: ack.into_iter().collect() };
        self.raise_without_disk(&origin, None, body, None, says, now);
    }

    /// Tells the centre, once after the start, that this gateway cannot store anything.
    pub(crate) fn report_dead_storage(&mut self, now: &Now) {
        let mut body = crate::raising::own_alarm(OwnAlarm::Storage, None);
        body.urgency = Urgency::Urgent;
        self.raise_own_without_disk(&body, None, now);
    }

    /// A person at this site takes an alarm further; it counts when the centre has it.
    pub(crate) fn step_without_disk(&mut self, reply: ReplyToken, id: &str, step: AlarmStep, now: &Now) {
        let about = self.alarms.get(id).map(|alarm| alarm.origin.clone());
        let by = step.by.clone();
        let (Some(about), Some(by), Some(origin), true) =
            (about, by, self.origin_without_disk(now), self.has_room_without_disk())
        else {
            let answer = DeskAnswer::Refused(Refusal::StepNotTaken);
            return self.emit(Effect::Reply { token: reply, answer });
        };
        let body = step_body(&step, by);
        let entry = entry_text(&origin, kind::ALARM_STATE, Some(&about), now, &body);
        self.send_without_disk(id.to_owned(), entry, Says::Step { step, reply });
    }

    pub(crate) fn handle_direct(&mut self, direct: Direct, now: &Now) {
        if self.went_round(&direct, now) {
            return;
        }
        let ticket = direct.ticket;
        if self.direct.get(&ticket).is_none_or(|entry| entry.accepted) {
            return;
        }
        match direct.result {
            Ok(result) if result.outcome.is_delivered() => {
                self.direct_backoff.reset();
                self.note_success(now);
                self.direct_accepted(ticket, now);
            }
            // The centre has raised it beside the alarm that had its number before.
            Ok(result) if result.outcome == Outcome::Conflict && self.raises_alarm(ticket) => {
                self.direct_backoff.reset();
                self.note_success(now);
                self.direct_accepted(ticket, now);
                self.show_conflict(ticket, now);
            }
            Ok(_) => {
                self.emit(Effect::Count { name: "direct_alarms_refused", label: "centre" });
                self.give_step_up(ticket);
            }
            Err(failure) => {
                let at_least = self.note_failure(failure, now);
                if failure == UplinkFailure::RefusedWhole {
                    self.tell_refused(OutLane::Alarms, 0, now);
                }
                if !self.give_step_up(ticket) {
                    let pause = self.direct_backoff.next_ms(at_least);
                    self.timers.set(Timer::DirectRetry(ticket), now.mono.after_ms(pause));
                }
            }
        }
    }

    /// Sends an alarm again that the centre has not answered.
    pub(crate) fn retry_direct(&mut self, ticket: Ticket) {
        if let Some(alarm) = self.direct.get(&ticket)
            && !alarm.accepted
        {
            let entry = alarm.entry.clone();
            self.emit(Effect::UploadDirect { ticket, entry });
        }
    }

    fn direct_accepted(&mut self, ticket: Ticket, now: &Now) {
        let Some(entry) = self.direct.get_mut(&ticket) else { return };
        entry.accepted = true;
        let alarm = entry.alarm.clone();
        match &mut entry.says {
            Says::Press { acks, .. } => {
                for token in std::mem::take(acks) {
                    self.out.push_back(Effect::Ack { token, code: AckCode::Success });
                }
                self.alarm_accepted(&alarm, now);
            }
            Says::Unreadable { acks, .. } => {
                for token in std::mem::take(acks) {
                    self.out.push_back(Effect::Ack { token, code: AckCode::PayloadFormatInvalid });
                }
                self.alarm_accepted(&alarm, now);
            }
            Says::Own => self.alarm_accepted(&alarm, now),
            Says::Step { step, reply } => {
                let (step, token) = (step.clone(), *reply);
                self.direct.remove(&ticket);
                let Some(found) = self.alarms.get(&alarm) else { return };
                let state = found.state.max(step.state);
                if step.state < AlarmState::Resolved || !found.has_presses_on_their_way() {
                    self.advance_alarm(&alarm, step);
                }
                self.emit(Effect::Reply { token, answer: DeskAnswer::Alarm { id: alarm, state } });
            }
        }
    }

    fn raises_alarm(&self, ticket: Ticket) -> bool {
        self.direct.get(&ticket).is_some_and(|entry| match entry.says {
            Says::Press { .. } | Says::Own | Says::Unreadable { .. } => true,
            Says::Step { .. } => false,
        })
    }

    /// A press whose number another report had before, so that the alarm of its id is not about it: people here see it under
    /// an id of its own.
    fn show_conflict(&mut self, ticket: Ticket, now: &Now) {
        let Some(entry) = self.direct.get(&ticket).filter(|entry| !entry.shown) else { return };
        let Says::Press { device, report: (epoch, seq, _), .. } = &entry.says else { return };
        let (device, press) = (device.clone(), Seq::new(*seq).map(|seq| (*epoch, seq)));
        let read: Option<(Origin, AlarmBody)> = serde_json::from_str::<Entry>(&entry.entry)
            .ok()
            .and_then(|entry| entry.body_as().ok().map(|body| (entry.origin, body)));
        let Some((about, mut body)) = read else { return };
        body.detail = Some(format!("number used twice, now for {}", body.kind));
        body.kind = OwnAlarm::Conflict.word().to_owned();
        self.emit(Effect::Count { name: "reports_conflicting", label: "device" });
        let open = self.alarms.open_of(Some(&device), &body.kind).map(str::to_owned);
        if let Some(alarm) = open.and_then(|id| self.alarms.get_mut(&id)) {
            return alarm.fold(press, body.urgency, &now.civil);
        }
        let Some(origin) = self.origin_without_disk(now) else { return };
        self.raise_without_disk(&origin, Some(&about), &body, press, Says::Own, now);
    }

    /// A step that the centre does not have is not tried again behind a person's back; false for what is no step.
    fn give_step_up(&mut self, ticket: Ticket) -> bool {
        let Some(Says::Step { reply, .. }) = self.direct.get(&ticket).map(|entry| &entry.says) else { return false };
        let token = *reply;
        self.direct.remove(&ticket);
        self.emit(Effect::Reply { token, answer: DeskAnswer::Refused(Refusal::StepNotTaken) });
        true
    }

    fn raise_without_disk(
        &mut self,
        origin: &Origin,
        about: Option<&Origin>,
        body: &AlarmBody,
        press: Option<(u32, Seq)>,
        says: Says,
        now: &Now,
    ) {
        if !self.has_room_without_disk() {
            return self.emit(Effect::Count { name: "direct_alarms_waiting_full", label: "device" });
        }
        let id = origin.alarm_id();
        let entry = entry_text(origin, kind::ALARM_RAISED, about, now, body);
        let ticket = self.send_without_disk(id.clone(), entry.clone(), says);
        if self.alarms.get(&id).is_some() || self.alarms.without_entry() >= ALARMS_WITHOUT_ENTRY_MAX {
            return;
        }
        if let Some(sent) = self.direct.get_mut(&ticket) {
            sent.shown = true;
        }
        let mut alarm = Alarm::new(origin.clone(), 0, body, press, &now.civil);
        alarm.direct = Some(entry);
        self.alarms.insert(alarm);
        self.watch_press(&id, false, now);
        self.after_durable(Held::ShowAlarm { alarm: id, state: AlarmState::Raised });
    }

    /// Sends again what went straight to the centre before this start and is not known to be there: its device may have been
    /// answered meanwhile, by a life that could keep nothing.
    pub(crate) fn send_direct_again(&mut self) {
        // However far people here took it meanwhile.
        let unanswered = self.alarms.iter().filter(|alarm| alarm.n == 0);
        let sent = unanswered.filter_map(|alarm| Some((alarm.id.clone(), alarm.direct.clone()?)));
        for (id, entry) in sent.take(DIRECT_ALARMS_MAX).collect::<Vec<_>>() {
            self.send_without_disk(id, entry, Says::Own);
        }
    }

    fn send_without_disk(&mut self, alarm: String, entry: String, says: Says) -> Ticket {
        let ticket = Ticket(self.fresh_number());
        self.direct.insert(ticket, DirectEntry { alarm, entry: entry.clone(), accepted: false, shown: false, says });
        self.emit(Effect::UploadDirect { ticket, entry });
        ticket
    }

    /// Whether one more may wait. What the centre has makes room; a later order about it takes its alarm up again.
    fn has_room_without_disk(&mut self) -> bool {
        if self.direct.len() < DIRECT_ALARMS_MAX {
            return true;
        }
        self.forget_accepted(|_| true)
    }

    /// Forgets one such entry that the centre has; false when there is none.
    fn forget_accepted(&mut self, such: impl Fn(&DirectEntry) -> bool) -> bool {
        let done = self.direct.iter().find(|(_, entry)| entry.accepted && such(entry)).map(|(ticket, _)| *ticket);
        let Some(entry) = done.and_then(|ticket| self.direct.remove(&ticket)) else { return false };
        self.alarms.forget(&entry.alarm);
        true
    }

    fn origin_without_disk(&mut self, now: &Now) -> Option<Origin> {
        self.direct_seq = self.direct_seq.saturating_add(1).max(u64::try_from(now.wall.0).unwrap_or(0));
        Some(Origin {
            source: Source::Gateway(self.config.gateway.clone()),
            epoch: Epoch::Text(NO_STORAGE_EPOCH.to_owned()),
            seq: Seq::new(self.direct_seq)?,
        })
    }
}

/// One more who waits; the oldest waits no longer when there are too many.
fn keep_waiting(acks: &mut Vec<AckToken>, token: AckToken, at_most: usize) {
    if acks.len() >= at_most {
        acks.remove(0);
    }
    acks.push(token);
}

/// The alarm that a report raises, if it raises one. Any other is not acknowledged, so its device keeps it.
fn alarm_of(device: &DeviceId, report: &EventReport) -> Option<(u32, Origin, AlarmBody)> {
    let urgency = crate::reports::urgency_of(&report.kind)?;
    let origin = Origin { source: Source::Device(device.clone()), epoch: Epoch::Number(report.epoch), seq: report.seq };
    Some((report.epoch, origin, alarm_body(device, report, urgency)))
}
