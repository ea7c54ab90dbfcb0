//! The thread that watches all slots: readers and cards that come and go, the PC/SC service that comes and goes.
//!
//! ```text
//! no service ── back-off 0.2 → 5 s ──► context ─► list, assign ─► wait for a change ─► tell the slots ─┐
//!     ▲   every slot gone                               ▲                                             │
//!     └───────────── any error of the service ──────────┴─────────────────────────────────────────────┘
//! ```
//!
//! **Invariant:** the context is this thread's own, so a mute card never holds it up, and it is dropped after an error: one
//! that has lost its service never finds it again, and says that it is valid all the same.

use std::ffi::CString;
use std::sync::Arc;
use std::time::Duration;

use pcsc::{Context, Error, PNP_NOTIFICATION, ReaderState, Scope, State};
use tracing::{info, warn};

use super::limits::{MONITOR_WAIT, RETRY_MAX, RETRY_MIN};
use super::presence::{Sight, assign};
use super::slot::Slot;

/// Watches these slots.
pub(super) struct Monitor {
    pub(super) slots: Vec<Arc<Slot>>,
}

impl Monitor {
    /// Runs until the slots are stopped.
    pub(super) fn run(&self) {
        let mut pause = RETRY_MIN;
        let mut told = None;
        while !self.is_stopping() {
            let (error, watched) = match Context::establish(Scope::System) {
                Ok(context) => {
                    info!("the PC/SC service is there");
                    (self.watch(&context), true)
                }
                Err(error) => (error, false),
            };
            if self.is_stopping() {
                return;
            }
            for slot in &self.slots {
                slot.see(Sight::Gone);
            }
            if watched || told != Some(error) {
                warn!(%error, "the PC/SC service is not there; trying again");
                told = Some(error);
            }
            pause = if watched { RETRY_MIN } else { pause };
            self.sleep(pause);
            pause = pause.saturating_mul(2).min(RETRY_MAX);
        }
    }

    /// Watches until the context fails or the end is ordered.
    fn watch(&self, context: &Context) -> Error {
        let mut held: Vec<Option<CString>> = vec![None; self.slots.len()];
        loop {
            let listed = match context.list_readers_owned() {
                Ok(listed) => listed,
                Err(error) => return error,
            };
            let wanted: Vec<&str> = self.slots.iter().map(|slot| slot.pcsc.as_str()).collect();
            held = assign(&wanted, &held, &listed);
            for (slot, _) in self.slots.iter().zip(&held).filter(|(_, reader)| reader.is_none()) {
                slot.see(Sight::Gone);
            }
            if let Err(error) = self.watch_readers(context, &held, &listed) {
                return error;
            }
        }
    }

    /// Watches these readers until the list of readers is another one. The notification of new readers only wakes this
    /// thread: what it counts differs between versions of the service, so the list itself is compared.
    fn watch_readers(&self, context: &Context, held: &[Option<CString>], listed: &[CString]) -> Result<(), Error> {
        let mut slots = Vec::new();
        let mut states = Vec::new();
        for (slot, reader) in self.slots.iter().zip(held) {
            if let Some(reader) = reader {
                slots.push(slot);
                states.push(ReaderState::new(reader.clone(), State::UNAWARE));
            }
        }
        states.push(ReaderState::new(PNP_NOTIFICATION(), State::UNAWARE));
        loop {
            match context.get_status_change(MONITOR_WAIT, &mut states) {
                Ok(()) => {
                    for (slot, state) in slots.iter().zip(&states) {
                        slot.see(sight_of(state));
                    }
                    states.iter_mut().for_each(ReaderState::sync_current_state);
                }
                Err(Error::Timeout) => {}
                Err(Error::UnknownReader) => {
                    self.sleep(RETRY_MIN);
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
            if self.is_stopping() {
                return Err(Error::Cancelled);
            }
            if context.list_readers_owned()? != listed {
                return Ok(());
            }
        }
    }

    fn is_stopping(&self) -> bool {
        self.slots.iter().any(|slot| slot.is_stopping())
    }

    fn sleep(&self, pause: Duration) {
        if let Some(slot) = self.slots.first() {
            slot.wait(slot.version(), pause);
        }
    }
}

fn sight_of(state: &ReaderState) -> Sight {
    let seen = state.event_state();
    if seen.intersects(State::UNKNOWN | State::IGNORE | State::UNAVAILABLE) {
        Sight::Gone
    } else if seen.contains(State::PRESENT) {
        let mute = seen.contains(State::MUTE);
        Sight::Card { reader: state.name().to_owned(), count: state.event_count(), mute }
    } else {
        Sight::Empty
    }
}
