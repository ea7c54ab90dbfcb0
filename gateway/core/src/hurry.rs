//! The time after a press: what may wait is taken in and sent on at a measured pace, so that disk, processors and centre are free
//! for the way of alarms.
//!
//! ```text
//! calm ──press──> hurry ──no press for HURRY_MS──> calm
//!                  │ ▲
//!                  └─┘ press
//! ```
//!
//! **Invariant:** what is held up only waits, in its order; when as much waits as would keep presses out, the pace ends.

use crate::limits::{DEFERRED_MAX, HURRY_MS, HURRY_REPORTS, HURRY_STEP_MS, HURRY_UPLOAD_EVERY_MS};
use crate::time::Mono;

/// Whether there is a hurry, and what was taken in it.
#[derive(Debug, Default)]
pub(crate) struct Hurry {
    now: Mono,
    until: Mono,
    /// The step of time under way, and the reports that were taken in it.
    step: (u64, usize),
    upload_at: Mono,
}

impl Hurry {
    /// The time now.
    pub const fn see(&mut self, now: Mono) {
        self.now = now;
    }

    /// Somebody pressed.
    pub fn press(&mut self) {
        self.until = self.now.after_ms(HURRY_MS);
    }

    /// Whether there is a hurry.
    pub fn is_on(&self) -> bool {
        self.now < self.until
    }

    /// Whether a report that may wait can be taken in now, while so many wait.
    pub fn has_room(&self, waiting: usize) -> bool {
        let (step, taken) = self.step;
        !self.is_on() || waiting >= DEFERRED_MAX / 2 || step != self.step_now() || taken < HURRY_REPORTS
    }

    /// A report that may wait was taken in.
    pub fn took(&mut self) {
        let now = self.step_now();
        let (step, taken) = self.step;
        self.step = (now, if step == now { taken.saturating_add(1) } else { 1 });
    }

    /// When there is room again.
    pub fn room_at(&self) -> Mono {
        Mono(self.step_now().saturating_add(1).saturating_mul(HURRY_STEP_MS))
    }

    /// Whether what may wait can leave for the centre now; else when.
    pub fn may_upload(&self) -> Result<(), Mono> {
        if !self.is_on() || self.now >= self.upload_at { Ok(()) } else { Err(self.upload_at) }
    }

    /// Some of what may wait left for the centre.
    pub fn uploaded(&mut self) {
        self.upload_at = self.now.after_ms(HURRY_UPLOAD_EVERY_MS);
    }

    const fn step_now(&self) -> u64 {
        self.now.0 / HURRY_STEP_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_press_reports_are_taken_at_a_pace_and_then_freely() {
        let mut hurry = Hurry::default();
        hurry.see(Mono(1_000));
        assert!((0..10_000).all(|_| hurry.has_room(0)), "nobody pressed");
        hurry.press();
        let mut taken = 0;
        for ms in 1_000..1_000 + HURRY_MS {
            hurry.see(Mono(ms));
            while hurry.has_room(0) {
                hurry.took();
                taken += 1;
            }
            assert!(hurry.room_at() > Mono(ms) && hurry.room_at() <= Mono(ms + HURRY_STEP_MS));
        }
        assert_eq!(taken, usize::try_from(HURRY_MS / HURRY_STEP_MS).expect("small") * HURRY_REPORTS);
        assert!(hurry.has_room(DEFERRED_MAX / 2), "presses are not kept out");
        hurry.see(Mono(1_000 + HURRY_MS));
        assert!(hurry.has_room(0) && !hurry.is_on());
    }
}
