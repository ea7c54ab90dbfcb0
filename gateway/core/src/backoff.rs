//! Pauses between tries: doubling, bounded, with jitter, so that a thousand gateways do not knock at once.

use crate::limits::RETRY_MS_MIN;

/// The pauses of one path.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    ms_max: u64,
    tries: u32,
    seed: u64,
}

impl Backoff {
    /// Pauses of at most `ms_max`; gateways with different `seed`s draw different ones.
    pub const fn new(ms_max: u64, seed: u64) -> Self {
        Self { ms_max, tries: 0, seed }
    }

    /// A try succeeded.
    pub const fn reset(&mut self) {
        self.tries = 0;
    }

    /// The pause before the next try: half to all of the doubled pause, at least `at_least` milliseconds.
    pub fn next_ms(&mut self, at_least: Option<u64>) -> u64 {
        let doubled = RETRY_MS_MIN.saturating_mul(1 << self.tries.min(16)).min(self.ms_max);
        self.tries = self.tries.saturating_add(1);
        // SplitMix64's step and finaliser: spread, not secrecy, is all that jitter needs.
        self.seed = self.seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.seed;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        let half = doubled / 2;
        let jittered = half.saturating_add(mixed % half.saturating_add(1));
        match at_least {
            Some(floor) => floor.saturating_add(mixed % floor.saturating_add(1).min(1_000)).max(jittered),
            None => jittered,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_bound_and_start_anew_after_a_success() {
        let mut backoff = Backoff::new(5_000, 7);
        let first = backoff.next_ms(None);
        assert!((125..=250).contains(&first), "{first}");
        for _ in 0..40 {
            assert!(backoff.next_ms(None) <= 5_000);
        }
        backoff.reset();
        assert!(backoff.next_ms(None) <= 250);
        assert!(backoff.next_ms(Some(9_000)) >= 9_000);
    }

    #[test]
    fn gateways_with_other_seeds_draw_other_pauses() {
        let draws = |seed| {
            let mut backoff = Backoff::new(30_000, seed);
            (0..8).map(|_| backoff.next_ms(None)).collect::<Vec<_>>()
        };
        assert_ne!(draws(1), draws(2));
    }

    /// C7.
    #[test]
    fn c7_a_thousand_gateways_that_were_told_the_same_pause_come_back_spread_over_a_second() {
        let mut tenths = [0_u32; 10];
        for seed in 0..1_000 {
            let pause = Backoff::new(30_000, seed).next_ms(Some(2_000));
            assert!((2_000..=3_000).contains(&pause), "{pause}");
            tenths[usize::try_from((pause - 2_000) / 100).expect("small").min(9)] += 1;
        }
        assert!(tenths.iter().all(|count| (50..=150).contains(count)), "{tenths:?}");
    }
}
