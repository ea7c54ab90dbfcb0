//! The listening clock: how long this gateway has been there to hear anybody, over all its restarts.
//!
//! It stands still while the gateway is off, so that a power cut makes no device silent; and it goes on over restarts, so
//! that a gateway which restarts often still notices a dead device. No wall clock is needed for it.
//!
//! **Invariant:** it never goes back, but by what was not kept yet: less than [`LISTENED_KEPT_EVERY_MS`].

use protocols::id::DeviceId;

use crate::core::{Core, Storage};
use crate::limits::{LISTENED_KEPT_EVERY_MS, SILENCE_AFTER_START_MS_MIN};
use crate::time::{Mono, Now};
use crate::timers::Timer;

/// The state key of the clock.
pub(crate) const LISTENED_KEY: &str = "listened";

/// The clock.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Listening {
    before_ms: u64,
    started: Mono,
    seen: Mono,
}

impl Listening {
    /// Goes on from what was kept.
    pub const fn new(before_ms: u64, now: Mono) -> Self {
        Self { before_ms, started: now, seen: now }
    }

    /// Notes that time went on.
    pub fn see(&mut self, now: Mono) {
        self.seen = self.seen.max(now);
    }

    /// Milliseconds listened so far.
    pub const fn ms(&self) -> u64 {
        self.before_ms.saturating_add(self.seen.0.saturating_sub(self.started.0))
    }
}

impl Core {
    /// Sets the moments at which devices count as silent, from when they were last heard before the start.
    pub(crate) fn watch_silences(&mut self, now: &Now) {
        let listened = self.listening.ms();
        let due: Vec<(DeviceId, u64)> = self
            .devices
            .iter()
            // One that was silent before, too: whether it was back since, without that having become durable, is not known.
            .filter(|(_, device)| device.record.assigned)
            .map(|(id, device)| {
                let after = device.record.silent_after_ms;
                let unheard = device.record.heard_listened_ms.map_or(0, |heard| listened.saturating_sub(heard));
                // What was heard since the record was last kept is not known.
                let unheard = unheard.saturating_sub(device.record.heard_kept_every_ms());
                let left = after.saturating_sub(unheard).max(SILENCE_AFTER_START_MS_MIN.min(after));
                (id.clone(), left)
            })
            .collect();
        for (device, left) in due {
            self.timers.set(Timer::DeviceSilent(device), now.mono.after_ms(left));
        }
        if self.config.storage == Storage::Journal {
            self.timers.set(Timer::KeepListened, now.mono.after_ms(LISTENED_KEPT_EVERY_MS));
        }
    }

    /// Keeps the clock, and what counts from it.
    pub(crate) fn keep_listened(&mut self, now: &Now) {
        let listened = self.listening.ms();
        self.journal.put(LISTENED_KEY.to_owned(), &listened);
        self.keep_catalogue_confirmed();
        let unheard: Vec<DeviceId> = self
            .devices
            .iter()
            .filter(|(_, device)| device.record.assigned && device.record.heard_listened_ms.is_none())
            .map(|(id, _)| id.clone())
            .collect();
        for id in unheard {
            self.device_mut(&id).record.heard_listened_ms = Some(listened);
            self.save_device(&id);
        }
        self.timers.set(Timer::KeepListened, now.mono.after_ms(LISTENED_KEPT_EVERY_MS));
    }
}
