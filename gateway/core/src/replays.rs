//! A report that comes again long after its device has gone on: nobody who waits for an acknowledgement sends that.
//!
//! A device sends a report again until it is acknowledged, however long it is out of reach, so a resend can be days old. But it is
//! not heard for hours without sending it again. So a number counts as settled when its device was heard at two moments that
//! are [`REPLAY_AFTER_MS`] apart, by heartbeats or newer reports, and neither it nor an older one came again meanwhile. What
//! comes again after that was recorded by somebody, or comes of a device that began to count anew: people have to look, since it
//! may be a press after all.
//!
//! **Invariant:** a resend whose acknowledgement was lost raises nothing.
//! **Invariant:** a replay has no effect of its own beside the alarm that tells of it.

use protocols::id::DeviceEpoch;
use protocols::uplink::{Epoch, Origin, OwnAlarm, OwnAlarmBody, Source, Urgency};

use crate::core::Core;
use crate::effect::{AckCode, Effect};
use crate::limits::REPLAY_AFTER_MS;
use crate::raising::own_alarm;
use crate::reports::{Report, urgency_of};
use crate::time::{Mono, Now};

/// An epoch and a number in it.
type Number = (DeviceEpoch, u64);

/// How far a device's numbers have come. All bounds are exclusive.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Progress {
    /// Numbers below are settled.
    settled: Number,
    /// Numbers below were known at `at`, when the device was heard.
    seen: Number,
    at: Mono,
    /// How often `at` has moved on since the start.
    moves: u32,
    /// Numbers below are known, or older than those that are.
    known: Number,
}

impl Progress {
    pub const fn new() -> Self {
        Self { settled: (0, 0), seen: (0, 0), at: Mono(0), moves: 0, known: (0, 0) }
    }

    /// The device was heard.
    pub fn heard(&mut self, now: Mono) {
        if now >= self.at.after_ms(REPLAY_AFTER_MS) {
            (self.settled, self.seen) = (self.seen, self.known);
            (self.at, self.moves) = (now, self.moves.saturating_add(1));
        }
    }

    /// A report with this number was recorded.
    pub fn note(&mut self, (epoch, seq): Number, now: Mono) {
        self.heard(now);
        self.known = self.known.max((epoch, seq.saturating_add(1)));
    }

    /// The newest number from before the start.
    pub fn note_earlier(&mut self, (epoch, seq): Number) {
        let below = (epoch, seq.saturating_add(1));
        self.known = self.known.max(below);
        if self.moves >= 1 {
            self.seen = self.seen.max(below);
        }
        if self.moves >= 2 {
            self.settled = self.settled.max(below);
        }
    }

    /// A known report with this number came again: whether it was settled.
    pub fn is_replay(&mut self, number: Number) -> bool {
        let settled = number < self.settled;
        if !settled {
            self.seen = self.seen.min(number);
        }
        settled
    }
}

impl Core {
    /// A report that was recorded before, with the same body: a success, and nothing else unless it is a replay.
    pub(crate) fn take_again(&mut self, taken: &Report, now: &Now) {
        let number = (taken.report.epoch, taken.report.seq.get());
        if self.device_mut(&taken.device).progress.is_replay(number) {
            self.record_replay(taken, now);
        }
        self.acknowledge(taken.ack, AckCode::Success);
    }

    fn record_replay(&mut self, taken: &Report, now: &Now) {
        let report = &taken.report;
        let origin = Origin {
            source: Source::Device(taken.device.clone()),
            epoch: Epoch::Number(report.epoch),
            seq: report.seq,
        };
        let mut body = own_alarm(OwnAlarm::Replayed, Some(&taken.device));
        if urgency_of(&report.kind).is_some_and(|urgency| urgency > Urgency::Technical) {
            body.urgency = Urgency::Urgent;
        }
        body.detail = Some(format!("{} number {}/{} came again", report.kind.name(), report.epoch, report.seq.get()));
        self.emit(Effect::Count { name: "reports_replayed", label: "device" });
        self.raise_or_fold(&OwnAlarmBody::from(body), Some(&origin), None, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = REPLAY_AFTER_MS;

    fn pressed_at_the_start() -> Progress {
        let mut progress = Progress::new();
        progress.note((1, 41), Mono(1));
        progress.note((1, 42), Mono(2));
        progress
    }

    #[test]
    fn a_press_is_settled_when_its_device_was_heard_for_long_without_it() {
        let mut progress = pressed_at_the_start();
        progress.heard(Mono(HOUR + 3));
        assert!(!progress.is_replay((1, 42)));
        let mut progress = pressed_at_the_start();
        for hour in 1..4 {
            progress.heard(Mono(hour * (HOUR + 3)));
        }
        assert!(progress.is_replay((1, 42)) && progress.is_replay((1, 41)) && progress.is_replay((0, 9)));
        assert!(!progress.is_replay((1, 43)));
    }

    #[test]
    fn a_device_that_was_away_for_days_resends_what_it_likes_in_any_order() {
        let mut progress = pressed_at_the_start();
        progress.heard(Mono(70 * HOUR));
        progress.note((1, 43), Mono(70 * HOUR + 1));
        for seq in [43, 41, 42] {
            assert!(!progress.is_replay((1, seq)), "{seq}");
        }
    }

    #[test]
    fn a_device_that_never_hears_its_acknowledgements_is_no_replay_however_long() {
        let mut progress = pressed_at_the_start();
        for hour in 1..50 {
            progress.heard(Mono(hour * HOUR));
            assert!(!progress.is_replay((1, 41)), "{hour}");
        }
    }

    #[test]
    fn what_was_pressed_before_the_start_is_settled_by_what_was_heard_since() {
        let mut progress = Progress::new();
        progress.note_earlier((1, 42));
        assert!(!progress.is_replay((1, 42)));
        let mut progress = Progress::new();
        (1..=2).for_each(|hour| progress.heard(Mono(hour * HOUR)));
        progress.note_earlier((1, 42));
        assert!(progress.is_replay((1, 42)));
    }
}
