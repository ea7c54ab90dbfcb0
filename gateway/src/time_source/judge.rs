//! Whether a reading of the wall clock can be trusted, and what the time most likely is when it cannot. Pure.
//!
//! ```text
//!   trusted  =  synchronised since boot
//!               and not below the newest trusted time, of this run or an earlier one
//!               and not stepped forward by more than STEP_MS_MAX since the last trusted reading of this run
//! ```
//!
//! The last condition keeps a clock that somebody set years ahead from becoming the new floor, under which every right
//! time would be untrusted for years. It ends when the clock is right again, or with the process.
//!
//! **Invariant:** only a trusted reading raises the floor.

use gateway_core::Mono;
use protocols::unit::UnixMs;
use protocols::uplink::Clock;

/// A step forward that synchronisation may make while the gateway runs: an hour. More is no correction of drift.
const STEP_MS_MAX: i64 = 3_600_000;

/// Both clocks, read together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) mono: Mono,
    pub(super) wall: UnixMs,
}

impl Reading {
    /// The wall time that a clock without steps would show at `mono`.
    fn carried_to(self, mono: Mono) -> i64 {
        let passed = i64::try_from(mono.0.saturating_sub(self.mono.0)).unwrap_or(i64::MAX);
        self.wall.0.saturating_add(passed)
    }
}

/// What is known of the right time.
#[derive(Debug)]
pub(super) struct Judge {
    /// The newest trusted time.
    floor: Option<UnixMs>,
    /// The last trusted reading of this run.
    anchor: Option<Reading>,
}

impl Judge {
    /// `floor`: the newest time that an earlier run trusted.
    pub(super) const fn new(floor: Option<UnixMs>) -> Self {
        Self { floor, anchor: None }
    }

    /// Judges a reading that goes on record.
    pub(super) fn record(&mut self, reading: Reading, synchronised: bool) -> Clock {
        let below = self.floor.is_some_and(|floor| reading.wall < floor);
        if !synchronised || below || self.has_leapt(reading) {
            return Clock::Untrusted;
        }
        self.floor = Some(reading.wall);
        self.anchor = Some(reading);
        Clock::Trusted
    }

    fn has_leapt(&self, reading: Reading) -> bool {
        self.anchor.is_some_and(|anchor| reading.wall.0 > anchor.carried_to(reading.mono).saturating_add(STEP_MS_MAX))
    }

    /// The best that is known of the time: the wall clock, unless it leapt or lies behind what is known.
    pub(super) fn best(&self, reading: Reading) -> UnixMs {
        let known = match (self.anchor, self.floor) {
            (Some(anchor), _) => anchor.carried_to(reading.mono),
            // The floor is as old as this run, at least.
            (None, Some(floor)) => Reading { mono: Mono(0), wall: floor }.carried_to(reading.mono),
            (None, None) => return reading.wall,
        };
        let behind = reading.wall.0 < known.saturating_sub(STEP_MS_MAX);
        if self.has_leapt(reading) || behind { UnixMs(known) } else { reading.wall }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_795_397_400_000;
    const YEAR: i64 = 365 * 86_400_000;

    const fn at(mono: u64, wall: i64) -> Reading {
        Reading { mono: Mono(mono), wall: UnixMs(wall) }
    }

    #[test]
    fn b1_an_unsynchronised_clock_is_untrusted_whatever_it_shows() {
        let mut judge = Judge::new(None);
        assert_eq!(judge.record(at(0, 0), false), Clock::Untrusted);
        assert_eq!(judge.record(at(1, NOW), false), Clock::Untrusted);
        assert_eq!(judge.record(at(2, NOW), true), Clock::Trusted);
    }

    #[test]
    fn b1_a_clock_below_the_last_record_is_untrusted_though_it_calls_itself_synchronised() {
        let mut judge = Judge::new(Some(UnixMs(NOW)));
        assert_eq!(judge.record(at(0, NOW - 1), true), Clock::Untrusted);
        assert_eq!(judge.record(at(1, NOW), true), Clock::Trusted);
    }

    #[test]
    fn the_first_synchronisation_may_step_by_any_time() {
        let mut judge = Judge::new(None);
        assert_eq!(judge.record(at(0, 0), false), Clock::Untrusted);
        assert_eq!(judge.record(at(60_000, NOW), true), Clock::Trusted);
    }

    #[test]
    fn b2_a_clock_that_leapt_ten_years_is_untrusted_and_trusted_again_once_it_is_right() {
        let mut judge = Judge::new(None);
        assert_eq!(judge.record(at(0, NOW), true), Clock::Trusted);
        assert_eq!(judge.record(at(1_000, NOW + 10 * YEAR), true), Clock::Untrusted);
        assert_eq!(judge.record(at(2_000, NOW + 2_000), true), Clock::Trusted);
        assert_eq!(judge.record(at(3_000, NOW + 3_000 + STEP_MS_MAX), true), Clock::Trusted);
    }

    #[test]
    fn b2_certificates_are_not_thrown_away_for_a_clock_that_leapt() {
        let mut judge = Judge::new(None);
        judge.record(at(0, NOW), true);
        assert_eq!(judge.best(at(1_000, NOW + 10 * YEAR)), UnixMs(NOW + 1_000));
        assert_eq!(judge.best(at(1_000, NOW - YEAR)), UnixMs(NOW + 1_000));
        assert_eq!(judge.best(at(1_000, NOW + 5_000)), UnixMs(NOW + 5_000));
    }

    #[test]
    fn b3_a_clock_that_jumped_back_is_untrusted_until_it_has_caught_up() {
        let mut judge = Judge::new(None);
        assert_eq!(judge.record(at(0, NOW), true), Clock::Trusted);
        assert_eq!(judge.record(at(1_000, NOW - YEAR), true), Clock::Untrusted);
        assert_eq!(judge.record(at(2_000, NOW + 2_000), true), Clock::Trusted);
    }

    #[test]
    fn b1_without_synchronisation_the_last_record_carries_on() {
        let judge = Judge::new(Some(UnixMs(NOW)));
        assert_eq!(judge.best(at(60_000, 0)), UnixMs(NOW + 60_000));
        assert_eq!(judge.best(at(60_000, NOW + YEAR)), UnixMs(NOW + YEAR));
        assert_eq!(Judge::new(None).best(at(0, 7)), UnixMs(7));
    }

    #[test]
    fn b6_a_suspension_is_no_leap() {
        let mut judge = Judge::new(None);
        assert_eq!(judge.record(at(0, NOW), true), Clock::Trusted);
        let night: u64 = 8 * 3_600_000;
        assert_eq!(judge.record(at(night, NOW + night.cast_signed()), true), Clock::Trusted);
    }

    proptest! {
        #[test]
        fn whatever_the_clock_does_trusted_times_never_go_back(
            steps in proptest::collection::vec((0_u64..10_000_000, any::<i64>(), any::<bool>()), 1..40),
        ) {
            let (mut judge, mut mono, mut newest) = (Judge::new(None), 0_u64, i64::MIN);
            for (passed, wall, synchronised) in steps {
                mono = mono.saturating_add(passed);
                let _ = judge.best(at(mono, wall));
                if judge.record(at(mono, wall), synchronised) == Clock::Trusted {
                    prop_assert!(wall >= newest && synchronised);
                    newest = wall;
                }
            }
        }
    }
}
