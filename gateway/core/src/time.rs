//! Time as the core sees it: handed in with every input.
//!
//! **Invariant:** timers and order go by [`Mono`]; wall time is only recorded.

use std::sync::Arc;

use protocols::unit::UnixMs;
use protocols::uplink::Clock;

/// Milliseconds on a clock that never goes back; its zero is the start of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize)]
pub struct Mono(pub u64);

impl Mono {
    /// The moment `ms` later; the end of time instead of an overflow.
    #[must_use]
    pub const fn after_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

/// The time that comes with an input.
#[derive(Debug, Clone)]
pub struct Now {
    /// For timers.
    pub mono: Mono,
    /// For records, Unix milliseconds.
    pub wall: UnixMs,
    /// The same as civil time of the site with its offset, RFC 3339, for `recorded_at`.
    pub civil: Arc<str>,
    /// Whether the wall clock can be trusted.
    pub clock: Clock,
}
