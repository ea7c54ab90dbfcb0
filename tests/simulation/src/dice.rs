//! Random choices that a printed seed repeats: SplitMix64 (Steele, Lea, Flood 2014).

use std::time::Duration;

/// A source of choices.
#[derive(Debug, Clone)]
pub struct Dice {
    state: u64,
}

/// Gives the seed of an earlier run to a test, decimal.
pub const SEED_VARIABLE: &str = "SEED";

impl Dice {
    /// From this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// From the environment's seed, or a fresh one; returns it too, to be printed.
    ///
    /// # Panics
    /// When the system gives no random numbers, or the environment's seed is no number.
    #[must_use]
    pub fn from_environment() -> (Self, u64) {
        let seed = match std::env::var(SEED_VARIABLE) {
            Ok(text) => text.parse().expect("the seed is a decimal number"),
            Err(_) => getrandom::u64().expect("the system gives random numbers"),
        };
        (Self::new(seed), seed)
    }

    /// Another one, whose choices do not depend on how many of these are made.
    #[must_use]
    pub fn split(&mut self) -> Self {
        Self::new(self.draw())
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.draw().checked_rem(bound).unwrap_or(0)
    }

    /// A time between both.
    pub fn between(&mut self, shortest: Duration, longest: Duration) -> Duration {
        let span = longest.saturating_sub(shortest).as_micros();
        let span = u64::try_from(span).unwrap_or(u64::MAX).saturating_add(1);
        shortest.saturating_add(Duration::from_micros(self.below(span)))
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let index = self.below(u64::try_from(from.len()).ok().filter(|len| *len > 0)?);
        from.get(usize::try_from(index).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_choices() {
        let choices = |seed| {
            let mut dice = Dice::new(seed);
            (0..100).map(|_| dice.below(10)).collect::<Vec<_>>()
        };
        assert_eq!(choices(7), choices(7));
        assert_ne!(choices(7), choices(8));
    }

    #[test]
    fn the_published_first_numbers_of_seed_1234567() {
        let mut dice = Dice::new(1_234_567);
        assert_eq!(dice.draw(), 6_457_827_717_110_365_317);
        assert_eq!(dice.draw(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn a_time_lies_between_its_bounds() {
        let mut dice = Dice::new(1);
        let (shortest, longest) = (Duration::from_millis(5), Duration::from_millis(6));
        assert!((0..1_000).all(|_| (shortest..=longest).contains(&dice.between(shortest, longest))));
    }
}
