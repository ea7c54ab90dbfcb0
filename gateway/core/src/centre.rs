//! What the centre answers: deliveries, holds, orders, and whether it answers at all.

use protocols::uplink::{AlarmBody, Outcome, OwnAlarm, Results, UploadResult, Urgency};

use crate::core::{Core, Quarantined, Storage};
use crate::effect::{Effect, Notice};
use crate::input::{OutLane, UplinkFailure, UplinkInput};
use crate::limits::HURRY_UPLOAD_ENTRIES;
use crate::outbox::{ENTRY_DAMAGED, RefusedWhole, UPLOAD_REFUSED_WHOLE};
use crate::raising::own_alarm;
use crate::time::Now;
use crate::timers::Timer;

impl Core {
    pub(crate) fn handle_uplink(&mut self, input: UplinkInput, now: &Now) {
        match input {
            UplinkInput::Uploaded { lane, after, sent, result } => {
                self.handle_uploaded(lane, after, &sent, result, now);
            }
            UplinkInput::Direct(direct) => self.handle_direct(direct, now),
            UplinkInput::HoldAnswered { sale, result } => self.handle_hold(&sale, result, now),
            UplinkInput::BalanceAnswered { look, result } => self.handle_balance(&look, result),
            UplinkInput::Orders { lane, result } => self.handle_orders(lane, result, now),
        }
    }

    /// Starts the uploads that can start.
    pub(crate) fn start_uploads(&mut self) {
        for index in 0..self.lanes.len() {
            let Some(lane) = self.lanes.get_mut(index) else { continue };
            if self.timers.is_set(&Timer::UploadRetry(lane.lane)) {
                continue;
            }
            if lane.lane == OutLane::Rest
                && let Err(at) = self.hurry.may_upload()
            {
                self.timers.set_no_later(Timer::UploadPaced, at);
                continue;
            }
            while let Some(mut effect) = lane.start() {
                if let Effect::Upload { lane: OutLane::Rest, max, .. } = &mut effect
                    && self.hurry.is_on()
                {
                    *max = HURRY_UPLOAD_ENTRIES.min(*max);
                    self.hurry.uploaded();
                }
                self.out.push_back(effect);
            }
        }
    }

    fn handle_uploaded(
        &mut self,
        lane: OutLane,
        after: u64,
        sent: &[u64],
        result: Result<Results, UplinkFailure>,
        now: &Now,
    ) {
        let Some(found) = self.lanes.iter_mut().find(|l| l.lane == lane) else { return };
        let results = match result {
            Ok(results) => results,
            Err(UplinkFailure::RefusedWhole) => return self.upload_refused(lane, after, sent, now),
            Err(failure) => {
                found.failed(after);
                let at_least = self.note_failure(failure, now);
                return self.retry_later(lane, at_least, now);
            }
        };
        if sent.is_empty() {
            if let Some(gone) = found.nothing_to_send(after) {
                self.put_in_quarantine(lane, gone);
            }
            self.watch_aside(lane, now);
            return self.save_lane(lane);
        }
        let progress = found.answered(after, sent, results.results);
        self.note_success(now);
        if let Some(head) = results.head
            && head.n > self.journal.committed_n()
        {
            self.raise_journal_short(now);
        }
        if !progress.any() {
            return self.retry_later(lane, None, now);
        }
        if let Some(found) = self.lanes.iter_mut().find(|l| l.lane == lane) {
            found.backoff.reset();
            // Another upload of the lane may have failed on a way that is worse.
            self.timers.clear(&Timer::UploadRetry(lane));
        }
        if let Some(n) = progress.refused_alone {
            self.tell_refused(lane, n, now);
        }
        for n in &progress.delivered {
            self.figures.delivered(*n, now.mono);
            self.note_tests_delivered(*n, now);
            if let Some(id) = self.alarms.of_entry(*n).map(str::to_owned) {
                self.alarm_accepted(&id, now);
            }
        }
        for refused in progress.quarantined {
            self.put_in_quarantine(lane, refused);
        }
        self.watch_aside(lane, now);
        self.save_lane(lane);
        self.start_uploads();
    }

    /// Something on the way does not take this request as a whole: less of it may get through.
    fn upload_refused(&mut self, lane: OutLane, after: u64, sent: &[u64], now: &Now) {
        let Some(found) = self.lanes.iter_mut().find(|l| l.lane == lane) else { return };
        match found.refused_whole(after, sent) {
            RefusedWhole::GoOn => {
                self.emit(Effect::Count { name: "uplink_failures", label: "refused_whole" });
                self.watch_aside(lane, now);
                self.start_uploads();
            }
            RefusedWhole::WayAtFault => {
                let at_least = self.note_failure(UplinkFailure::RefusedWhole, now);
                self.retry_later(lane, at_least, now);
            }
            RefusedWhole::BackToQuarantine(n) => {
                let reason = Some(UPLOAD_REFUSED_WHOLE.to_owned());
                self.put_in_quarantine(lane, UploadResult { n: Some(n), outcome: Outcome::Refused, reason });
                self.save_lane(lane);
                self.start_uploads();
            }
        }
    }

    /// Sees to it that entries that stand aside are tried again.
    fn watch_aside(&mut self, lane: OutLane, now: &Now) {
        let Some(found) = self.lanes.iter_mut().find(|l| l.lane == lane) else { return };
        let timer = Timer::RefusedRetry(lane);
        if !found.has_aside() {
            found.aside_backoff.reset();
            return self.timers.clear(&timer);
        }
        if !self.timers.is_set(&timer) {
            let pause = found.aside_backoff.next_ms(None);
            self.timers.set(timer, now.mono.after_ms(pause));
        }
    }

    pub(crate) fn retry_refused(&mut self, lane: OutLane) {
        if let Some(found) = self.lanes.iter_mut().find(|l| l.lane == lane) {
            found.retry_aside();
        }
        self.start_uploads();
    }

    /// One entry is refused as a whole where others get through.
    pub(crate) fn tell_refused(&mut self, lane: OutLane, n: u64, now: &Now) {
        let mut body = own_alarm(OwnAlarm::UploadRefused, None);
        body.urgency = match lane {
            OutLane::Alarms => Urgency::Urgent,
            OutLane::AlarmNotes | OutLane::Sales | OutLane::Rest => Urgency::Technical,
        };
        body.detail = Some(format!("entry {n}"));
        if self.alarms.open_of(None, &body.kind).is_none() {
            self.raise_or_fold_own(&body, None, now);
        }
    }

    pub(crate) fn put_in_quarantine(&mut self, lane: OutLane, refused: UploadResult) {
        let Some(n) = refused.n else { return };
        let entry = Quarantined { n, lane, outcome: refused.outcome, reason: refused.reason };
        self.journal.put(format!("quarantine/{n:020}"), &entry);
        self.quarantine.insert(n, entry);
        self.emit(Effect::Count { name: "entries_quarantined", label: lane.name() });
    }

    /// A row of the journal does not fit its hash: it is never sent, people are told, and the rest of its lane flows on.
    pub(crate) fn row_is_damaged(&mut self, lane: OutLane, n: u64, now: &Now) {
        if self.quarantine.contains_key(&n) {
            return;
        }
        if let Some(found) = self.lanes.iter_mut().find(|l| l.lane == lane) {
            found.leave_out(n);
        }
        let reason = Some(ENTRY_DAMAGED.to_owned());
        self.put_in_quarantine(lane, UploadResult { n: Some(n), outcome: Outcome::Refused, reason });
        self.save_lane(lane);
        let body = AlarmBody { detail: Some(format!("entry {n}")), ..own_alarm(OwnAlarm::JournalDamaged, None) };
        self.raise_or_fold_own(&body, None, now);
    }

    fn retry_later(&mut self, lane: OutLane, at_least: Option<u64>, now: &Now) {
        let Some(found) = self.lanes.iter_mut().find(|l| l.lane == lane) else { return };
        let pause = found.backoff.next_ms(at_least);
        found.asked_to_wait = at_least.is_some();
        self.timers.set(Timer::UploadRetry(lane), now.mono.after_ms(pause));
    }

    /// The centre did not answer as it should; gives the least pause that it asked for.
    pub(crate) fn note_failure(&mut self, failure: UplinkFailure, now: &Now) -> Option<u64> {
        let (label, at_least) = match failure {
            UplinkFailure::Unreachable => ("unreachable", None),
            UplinkFailure::Identity => ("identity", None),
            UplinkFailure::Busy { retry_after_ms } => ("busy", retry_after_ms),
            UplinkFailure::RefusedWhole => ("refused_whole", None),
            UplinkFailure::Garbage => ("garbage", None),
        };
        self.emit(Effect::Count { name: "uplink_failures", label });
        self.uplink_failure = Some(label);
        // Nothing is dropped and alarms keep trying, but no try will help: people here have to know (DESIGN.md section 7).
        if failure == UplinkFailure::Identity
            && self.config.storage == Storage::Journal
            && self.alarms.open_of(None, OwnAlarm::UplinkIdentity.word()).is_none()
        {
            let body = AlarmBody { urgency: Urgency::Urgent, ..own_alarm(OwnAlarm::UplinkIdentity, None) };
            self.raise_or_fold_own(&body, None, now);
        }
        if std::mem::replace(&mut self.online, false) {
            self.emit(Effect::Notify(Notice::Uplink { online: false }));
        }
        at_least
    }

    /// The centre answered.
    pub(crate) fn note_success(&mut self, now: &Now) {
        self.uplink_failure = None;
        self.answered = Some((now.mono, now.wall));
        self.end_own(OwnAlarm::UplinkIdentity, now);
        if !std::mem::replace(&mut self.online, true) {
            self.emit(Effect::Notify(Notice::Uplink { online: true }));
        }
    }

    /// The centre has more of this journal than the disk: its tail was lost, and people have to know.
    fn raise_journal_short(&mut self, now: &Now) {
        let body = own_alarm(OwnAlarm::JournalShort, None);
        if self.alarms.open_of(None, &body.kind).is_none() {
            self.raise_or_fold_own(&body, None, now);
        }
    }
}
