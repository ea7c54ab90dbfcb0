//! A token bucket: how often something may happen.

use std::time::{Duration, Instant};

/// Lets `burst` through at once and then one every `refill`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket {
    tokens: u32,
    burst: u32,
    refill: Duration,
    at: Instant,
}

impl Bucket {
    /// A full one.
    pub fn new(burst: u32, refill: Duration, now: Instant) -> Self {
        Self { tokens: burst, burst, refill, at: now }
    }

    /// Whether one more may pass.
    pub fn take(&mut self, now: Instant) -> bool {
        self.fill(now);
        match self.tokens.checked_sub(1) {
            Some(left) => {
                self.tokens = left;
                true
            }
            None => false,
        }
    }

    /// Lets one pass that can no longer be held up; whether the next may pass at once.
    pub fn take_and_look(&mut self, now: Instant) -> bool {
        self.take(now) && self.tokens > 0
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_nanos();
        let more = u32::try_from(passed.checked_div(self.refill.as_nanos()).unwrap_or(0)).unwrap_or(u32::MAX);
        if more > 0 {
            self.tokens = self.tokens.saturating_add(more).min(self.burst);
            self.at = now;
        }
    }

    /// Whether nothing has passed lately.
    pub fn is_full(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.tokens == self.burst
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_the_burst_one_passes_for_each_refill() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let mut bucket = Bucket::new(3, second, now);
        let passed = (0..10).filter(|_| bucket.take(now)).count();
        assert_eq!(passed, 3);
        assert!(bucket.take(now + second));
        assert!(!bucket.take(now + second));
        assert!(bucket.is_full(now + second * 9));
        let passed = (0..10).filter(|_| bucket.take(now + second * 1_000)).count();
        assert_eq!(passed, 3, "it never holds more than the burst");
    }
}
