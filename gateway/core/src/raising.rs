//! Raising an alarm, folding a further press into an open one, and telling the centre of those that came too fast.
//!
//! **Invariant:** a press on an open alarm is never dropped: it has an entry of its own, or is counted with the alarm.

use protocols::id::{DeviceId, Seq};
use protocols::uplink::{AlarmBody, FoldedSeqs, Origin, OwnAlarm, OwnAlarmBody, Urgency, kind};

use crate::alarms::{Alarm, OnItsWay, lane_of};
use crate::core::{Core, Held, Storage};
use crate::effect::Effect;
use crate::input::OutLane;
use crate::journal::{Draft, Identity};
use crate::lateness::Undated;
use crate::limits::REPEATS_TOLD_AFTER_MS;
use crate::time::Now;
use crate::timers::Timer;

impl Core {
    /// Raises an alarm of its own.
    pub(crate) fn raise_alarm(
        &mut self,
        identity: Identity,
        about: Option<&Origin>,
        body: &OwnAlarmBody,
        fingerprint: u64,
        press: Option<(u32, Seq)>,
        now: &Now,
    ) {
        let recorded = self.journal.record(
            Draft {
                identity,
                kind: kind::ALARM_RAISED,
                about,
                body,
                fingerprint,
                lane: lane_of(body.alarm.urgency),
                private: None,
            },
            now,
        );
        self.watch_commit(&recorded, lane_of(body.alarm.urgency), now);
        let mut alarm = Alarm::new(recorded.origin, recorded.n, &body.alarm, press, &now.civil);
        if let (Some(boot), Some(up_ms)) = (body.alarm.boot, body.alarm.up_ms) {
            alarm.undated = Some(Undated { boot, up_ms, recorded: now.mono });
        }
        if let Some(known) = self.alarms.take_without_entry(&alarm.id) {
            alarm = alarm.go_on_from(known);
        }
        alarm.during_test = press.is_some() && self.is_tested(&body.alarm);
        let (id, state) = (alarm.id.clone(), alarm.state);
        self.figures.alarm(body.alarm.urgency);
        self.save_alarm(&alarm);
        self.alarms.insert(alarm);
        self.date_alarm(&id, now);
        self.watch_press(&id, false, now);
        self.after_durable(Held::ShowAlarm { alarm: id.clone(), state });
        self.tell_alarm(&id);
    }

    /// Folds a further press into an open alarm.
    pub(crate) fn fold_alarm(
        &mut self,
        id: &str,
        identity: Identity,
        body: &OwnAlarmBody,
        fingerprint: u64,
        press: Option<(u32, Seq)>,
        now: &Now,
    ) {
        let late = self.alarms.get(id).is_some_and(|alarm| self.is_press_on_its_way(alarm));
        let tested = self.is_tested(&body.alarm);
        let Some(alarm) = self.alarms.get_mut(id) else { return };
        alarm.during_test &= press.is_none() || tested;
        let more_urgent = body.alarm.urgency > alarm.urgency;
        alarm.fold(press, body.alarm.urgency, &now.civil);
        let (state, about, device) = (alarm.state, alarm.origin.clone(), alarm.device.clone());
        if !more_urgent && device.is_some_and(|device| !self.device_mut(&device).may_repeat(now.mono)) {
            return self.fold_without_entry(id, press, fingerprint, now);
        }
        let lane = if more_urgent { lane_of(body.alarm.urgency) } else { OutLane::AlarmNotes };
        let recorded = self.journal.record(
            Draft { identity, kind: kind::ALARM_REPEATED, about: Some(&about), body, fingerprint, lane, private: None },
            now,
        );
        let presses = press.map(|(epoch, seq)| FoldedSeqs::one(epoch, seq)).into_iter().collect();
        let way = OnItsWay { lane, origin: recorded.origin, presses, press: None, about: Some(about) };
        let Some(alarm) = self.alarms.get(id) else { return };
        let mut alarm = alarm.clone();
        alarm.sent(recorded.n, way, |n, way| self.has_centre(n, way.lane));
        if press.is_some() {
            (alarm.press_n, alarm.press_lane) = (recorded.n, lane);
        }
        self.alarms.replace(alarm.clone());
        self.save_alarm(&alarm);
        self.watch_press(id, late, now);
        self.after_durable(Held::ShowAlarm { alarm: id.to_owned(), state });
        self.tell_alarm(id);
    }

    /// Whether an alarm is about a device under test.
    fn is_tested(&self, body: &AlarmBody) -> bool {
        body.device.as_ref().is_some_and(|device| self.device_tests.is_tested(device))
    }

    /// A press that came too fast: it is counted with the alarm, durable before it is acknowledged, and told to the
    /// centre together with others.
    fn fold_without_entry(&mut self, id: &str, press: Option<(u32, Seq)>, fingerprint: u64, now: &Now) {
        let Some(alarm) = self.alarms.get_mut(id) else { return };
        let room = alarm.count_unrecorded(press, fingerprint);
        let (state, alarm) = (alarm.state, alarm.clone());
        self.save_alarm(&alarm);
        self.emit(Effect::Count { name: "alarm_repeats_counted", label: "device" });
        let timer = Timer::RepeatsDue(id.to_owned());
        if !room {
            self.tell_unrecorded(id, now);
        } else if !self.timers.is_set(&timer) {
            self.timers.set(timer, now.mono.after_ms(REPEATS_TOLD_AFTER_MS));
        }
        self.after_durable(Held::ShowAlarm { alarm: id.to_owned(), state });
        self.tell_alarm(id);
    }

    /// Tells the centre of presses that came too fast for entries of their own. Not while no disk takes the entry: its number
    /// would be another one's later.
    pub(crate) fn tell_unrecorded(&mut self, id: &str, now: &Now) {
        if self.config.storage == Storage::Dead {
            return;
        }
        self.timers.clear(&Timer::RepeatsDue(id.to_owned()));
        let Some(alarm) = self.alarms.get_mut(id).filter(|alarm| alarm.unrecorded > 0) else { return };
        let folded = std::mem::take(&mut alarm.unrecorded);
        let folded_seqs = std::mem::take(&mut alarm.unrecorded_seqs);
        let about = alarm.origin.clone();
        let own = body_of_kind(&alarm.kind, alarm.device.as_ref());
        let body = OwnAlarmBody {
            folded: Some(folded),
            folded_seqs,
            ..OwnAlarmBody::from(AlarmBody { urgency: alarm.urgency, ..own })
        };
        let recorded = self.journal.record(
            Draft {
                identity: Identity::Own,
                kind: kind::ALARM_REPEATED,
                about: Some(&about),
                body: &body,
                fingerprint: 0,
                lane: OutLane::AlarmNotes,
                private: None,
            },
            now,
        );
        let Some(alarm) = self.alarms.get(id) else { return };
        let mut alarm = alarm.clone();
        let presses = body.folded_seqs;
        let way =
            OnItsWay { lane: OutLane::AlarmNotes, origin: recorded.origin, presses, press: None, about: Some(about) };
        alarm.sent(recorded.n, way, |n, way| self.has_centre(n, way.lane));
        if alarm.press_n > 0 {
            (alarm.press_n, alarm.press_lane) = (recorded.n, OutLane::AlarmNotes);
        }
        self.alarms.replace(alarm.clone());
        self.save_alarm(&alarm);
    }

    /// Raises an alarm of the gateway's own, or folds it into the open one of its kind and device.
    pub(crate) fn raise_or_fold_own(&mut self, body: &AlarmBody, about: Option<&Origin>, now: &Now) {
        self.raise_or_fold(&OwnAlarmBody::from(body.clone()), about, None, now);
    }

    pub(crate) fn raise_or_fold(
        &mut self,
        body: &OwnAlarmBody,
        about: Option<&Origin>,
        press: Option<(u32, Seq)>,
        now: &Now,
    ) {
        if self.config.storage == Storage::Dead {
            return self.raise_own_without_disk(&body.alarm, about, now);
        }
        let open = self.alarms.open_of(body.alarm.device.as_ref(), &body.alarm.kind).map(str::to_owned);
        match open {
            Some(id) => self.fold_alarm(&id, Identity::Own, body, 0, press, now),
            None => self.raise_alarm(Identity::Own, about, body, 0, press, now),
        }
    }
}

/// The body of a technical alarm of the gateway's own.
pub(crate) fn own_alarm(found: OwnAlarm, device: Option<&DeviceId>) -> AlarmBody {
    body_of_kind(found.word(), device)
}

fn body_of_kind(kind: &str, device: Option<&DeviceId>) -> AlarmBody {
    AlarmBody {
        kind: kind.to_owned(),
        urgency: Urgency::Technical,
        device: device.cloned(),
        boot: None,
        up_ms: None,
        at: None,
        battery_mv: None,
        rssi_dbm: None,
        detail: None,
    }
}
