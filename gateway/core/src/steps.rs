//! Steps of alarms: taken by people here, ordered by people at the centre, or reached by delivery.
//!
//! **Invariant:** a step that was taken before is a success and records nothing.

use protocols::device::AlarmState;
use protocols::id::ActorId;
use protocols::uplink::{AlarmBody, AlarmStateOrder, AlarmStepBody, Epoch, Origin, OwnAlarm, Source, Urgency, kind};

use crate::alarms::{Alarm, AlarmStep, Sent, lane_of};
use crate::core::{Core, Held, Storage};
use crate::effect::{DeskAnswer, Effect, Refusal};
use crate::input::{OutLane, ReplyToken};
use crate::journal::{Draft, Identity};
use crate::limits::{ALARMS_WITHOUT_ENTRY_MAX, CAUSE_LEN_MAX, PRESS_UNDELIVERED_MS};
use crate::raising::own_alarm;
use crate::time::Now;
use crate::timers::Timer;

/// The cause with which an alarm of the gateway's own ends that says of itself when it is over.
const CAUSE_OVER: &str = "over";

/// The body of the entry about a step.
pub(crate) fn step_body(step: &AlarmStep, by: ActorId) -> AlarmStepBody {
    let Sent { responder, eta_min } = step.sent.clone();
    AlarmStepBody { state: step.state, by, cause: step.cause.clone(), responder, eta_min }
}

impl Core {
    /// A person at this site takes an alarm further.
    pub(crate) fn step_alarm(&mut self, reply: ReplyToken, id: &str, mut step: AlarmStep, now: &Now) {
        let state = step.state;
        step.cause = step.cause.filter(|cause| !cause.trim().is_empty() && cause.len() <= CAUSE_LEN_MAX);
        if state == AlarmState::Resolved && step.cause.is_none() {
            return self.emit(Effect::Reply { token: reply, answer: DeskAnswer::Refused(Refusal::CauseMissing) });
        }
        let Some(alarm) = self.alarms.get(id) else {
            return self.emit(Effect::Reply { token: reply, answer: DeskAnswer::Refused(Refusal::AlarmUnknown) });
        };
        if state > alarm.state && self.config.storage == Storage::Dead {
            return self.step_without_disk(reply, id, step, now);
        }
        if state > alarm.state {
            self.tell_unrecorded(id, now);
        }
        let Some(alarm) = self.alarms.get(id) else { return };
        if state > alarm.state
            && let Some(by) = step.by.clone()
        {
            let (about, lane) = (alarm.origin.clone(), self.lane_of_step(alarm));
            self.record_step(&about, lane, &step_body(&step, by), now);
            self.advance_alarm(id, step);
        }
        let state = self.alarms.get(id).map_or(state, |alarm| alarm.state);
        let answer = DeskAnswer::Alarm { id: id.to_owned(), state };
        self.emit_durable(Effect::Reply { token: reply, answer });
    }

    /// A person at the centre took an alarm further. False when the alarm is not known here.
    pub(crate) fn order_alarm(&mut self, order: AlarmStateOrder, now: &Now) -> Option<bool> {
        let id = order.alarm.alarm_id();
        if self.alarms.get(&id).is_none() && !self.part_named_press(&order, now) && !self.adopt_alarm(&order) {
            return None;
        }
        if order.state == AlarmState::Resolved {
            let counted = self.alarms.get(&id).is_some_and(|alarm| alarm.unrecorded > 0);
            if counted && self.config.storage == Storage::Dead {
                // The centre does not know of these presses. The order is heard again when the disk takes an entry about them.
                return Some(false);
            }
            self.tell_unrecorded(&id, now);
            self.part_presses_on_their_way(&id, &order.presses, now);
        }
        let sent = Sent { responder: order.responder, eta_min: order.eta_min };
        let step = AlarmStep::new(order.state, Some(order.by), &order.at, order.cause).with(sent);
        Some(self.advance_alarm(&id, step))
    }

    /// Takes up an alarm that only the centre knows: its press went there while no disk took it, or by another gateway.
    /// Its device is to hear how far it has come all the same.
    fn adopt_alarm(&mut self, order: &AlarmStateOrder) -> bool {
        let (Source::Device(device), Epoch::Number(epoch)) = (&order.alarm.source, &order.alarm.epoch) else {
            return false;
        };
        let ours = self.devices.get(device).is_some_and(|device| device.record.assigned);
        if !ours || self.alarms.without_entry() >= ALARMS_WITHOUT_ENTRY_MAX {
            return false;
        }
        let mut body = AlarmBody {
            urgency: order.urgency.unwrap_or(Urgency::Urgent),
            detail: Some("known by the centre's word".to_owned()),
            ..own_alarm(OwnAlarm::Unknown, Some(device))
        };
        if let Some(kind) = &order.kind {
            body.kind.clone_from(kind);
        }
        self.alarms.insert(Alarm::new(order.alarm.clone(), 0, &body, Some((*epoch, order.alarm.seq)), &order.at));
        true
    }

    /// The centre has accepted an alarm.
    pub(crate) fn alarm_accepted(&mut self, id: &str, now: &Now) {
        let waited = self.alarms.get_mut(id).is_some_and(|alarm| alarm.direct.take().is_some());
        let advanced = self.advance_alarm(id, AlarmStep::new(AlarmState::Accepted, None, &now.civil, None));
        if waited
            && !advanced
            && let Some(alarm) = self.alarms.get(id).cloned()
        {
            self.save_alarm(&alarm);
        }
    }

    fn record_step(&mut self, about: &Origin, lane: OutLane, body: &AlarmStepBody, now: &Now) {
        self.journal.record(
            Draft {
                identity: Identity::Own,
                kind: kind::ALARM_STATE,
                about: Some(about),
                body,
                fingerprint: 0,
                lane,
                private: None,
            },
            now,
        );
    }

    /// Ends an alarm of the gateway's own whose cause is over, in the gateway's name.
    pub(crate) fn end_own(&mut self, own: OwnAlarm, now: &Now) {
        let Some(id) = self.alarms.open_of(None, own.word()).map(str::to_owned) else { return };
        let (Some(alarm), Ok(by)) = (self.alarms.get(&id), self.config.gateway.as_str().parse::<ActorId>()) else {
            return;
        };
        let (about, lane) = (alarm.origin.clone(), self.lane_of_step(alarm));
        let (state, cause) = (AlarmState::Resolved, Some(CAUSE_OVER.to_owned()));
        let step = AlarmStep::new(state, Some(by.clone()), &now.civil, cause);
        self.record_step(&about, lane, &step_body(&step, by), now);
        self.advance_alarm(&id, step);
    }

    /// Watches that the newest press of an alarm reaches the centre. `late`: an earlier one has not yet, and is given no
    /// more time by this one.
    pub(crate) fn watch_press(&mut self, id: &str, late: bool, now: &Now) {
        let Some(alarm) = self.alarms.get(id) else { return };
        let somebody_waits = match alarm.urgency {
            Urgency::Emergency | Urgency::Urgent => !alarm.seqs.is_empty(),
            Urgency::Request | Urgency::Technical | Urgency::Test => false,
        };
        let timer = Timer::PressUndelivered(id.to_owned());
        if somebody_waits && !(late && self.timers.is_set(&timer)) {
            self.timers.set(timer, now.mono.after_ms(PRESS_UNDELIVERED_MS));
        }
    }

    /// Whether the centre does not have the newest press of an alarm.
    pub(crate) fn is_press_on_its_way(&self, alarm: &Alarm) -> bool {
        match alarm.press_n {
            0 => alarm.state < AlarmState::Accepted,
            n => !self.has_centre(n, alarm.press_lane),
        }
    }

    /// The lane of an entry about what somebody does with an alarm: it does not overtake the presses before it, which
    /// would be alarms of their own at the centre once the alarm is resolved there.
    pub(crate) fn lane_of_step(&self, alarm: &Alarm) -> OutLane {
        let behind = alarm.press_n > 0 && self.is_press_on_its_way(alarm);
        if behind { alarm.press_lane } else { lane_of(alarm.urgency) }
    }

    /// The centre should have the newest press by now; if not, people here have to know.
    pub(crate) fn press_undelivered(&mut self, id: &str, now: &Now) {
        let Some(alarm) = self.alarms.get(id).filter(|alarm| alarm.is_open()) else { return };
        if !self.is_press_on_its_way(alarm) {
            return;
        }
        let mut body = own_alarm(OwnAlarm::Undelivered, alarm.device.as_ref());
        body.urgency = Urgency::Urgent;
        body.detail = Some(id.to_owned());
        self.raise_or_fold_own(&body, None, now);
    }

    pub(crate) fn advance_alarm(&mut self, id: &str, step: AlarmStep) -> bool {
        let state = step.state;
        let Some(alarm) = self.alarms.get_mut(id) else { return false };
        if !alarm.advance(step) {
            return false;
        }
        let alarm = alarm.clone();
        self.save_alarm(&alarm);
        if state == AlarmState::Resolved {
            for forgotten in self.alarms.close(id) {
                self.journal.delete(format!("alarm/{forgotten}"));
            }
        }
        self.after_durable(Held::ShowAlarm { alarm: id.to_owned(), state });
        self.tell_alarm(id);
        true
    }
}
