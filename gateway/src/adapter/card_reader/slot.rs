//! One slot of a reader, as its monitor, its dialogues and its PC/SC threads share it.
//!
//! **Invariant:** the states of one reader are told in the order in which they came about: deciding and telling are one step.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gateway_core::{CardInput, NotRun, ReaderState};
use protocols::id::ReaderId;
use tokio::sync::mpsc;
use tracing::{error, info};

use super::presence::{Insertion, Lying, Presence, Sight};

/// Whose slot it is.
#[derive(Debug)]
pub(super) enum Use {
    /// A reader for cards, whose states the core hears.
    Reader(ReaderId),
    /// The PSAM's.
    Psam,
}

impl std::fmt::Display for Use {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Reader(id) => id.fmt(f),
            Self::Psam => f.write_str("psam"),
        }
    }
}

/// A slot.
#[derive(Debug)]
pub(super) struct Slot {
    /// Whose it is.
    pub(super) of: Use,
    /// The PC/SC name that is configured, or how it begins.
    pub(super) pcsc: String,
    inputs: mpsc::Sender<CardInput>,
    /// Held while a change is made and told; taken before `state`, which is never held while something is told.
    telling: Mutex<()>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    presence: Presence,
    /// Goes up with everything that somebody may wait for.
    version: u64,
    stopping: bool,
}

impl Slot {
    pub(super) const fn new(of: Use, pcsc: String, inputs: mpsc::Sender<CardInput>) -> Self {
        let state = Mutex::new(State { presence: Presence::new(), version: 0, stopping: false });
        Self { of, pcsc, inputs, telling: Mutex::new(()), state, changed: Condvar::new() }
    }

    /// The monitor looked.
    pub(super) fn see(&self, sight: Sight) {
        self.change(|presence| presence.see(sight));
    }

    /// The card did not answer in time.
    pub(super) fn fell_silent(&self, insertion: Insertion) {
        self.change(|presence| presence.fell_silent(insertion));
    }

    /// A thread is stuck in a PC/SC call and was left behind.
    pub(super) fn thread_stuck(&self) {
        self.change(|presence| {
            presence.thread_stuck();
            if presence.is_given_up() {
                error!(slot = %self.of, "too many PC/SC calls do not return; the reader is out of use until one does");
            }
        });
    }

    /// A thread that was left behind has returned.
    pub(super) fn thread_returned(&self) {
        self.change(Presence::thread_returned);
    }

    /// Whether so many threads are stuck that no more are started.
    pub(super) fn is_given_up(&self) -> bool {
        self.lock().presence.is_given_up()
    }

    /// The card that can be spoken to.
    pub(super) fn lying(&self) -> Option<Lying> {
        self.lock().presence.lying()
    }

    /// Why there is no card that can be spoken to.
    pub(super) fn why_not(&self) -> NotRun {
        match self.lock().presence.state() {
            ReaderState::Gone => NotRun::ReaderGone,
            ReaderState::Mute => NotRun::CardMute,
            // It went, and may just have been laid on anew: then the core hears of it.
            ReaderState::Empty | ReaderState::Card => NotRun::NoCard,
        }
    }

    /// Something changed that is not this slot's own, for which [`Slot::wait`] is to look again.
    pub(super) fn nudge(&self) {
        let mut state = self.lock();
        state.version = state.version.wrapping_add(1);
        self.changed.notify_all();
    }

    /// Everybody who waits here is to end.
    pub(super) fn stop(&self) {
        self.lock().stopping = true;
        self.nudge();
    }

    /// Whether the end was ordered.
    pub(super) fn is_stopping(&self) -> bool {
        self.lock().stopping
    }

    /// Counts what changed, for [`Slot::wait`].
    pub(super) fn version(&self) -> u64 {
        self.lock().version
    }

    /// Waits until something changed since `version`, or for `within`.
    pub(super) fn wait(&self, version: u64, within: Duration) {
        let state = self.lock();
        let unchanged = |state: &mut State| state.version == version && !state.stopping;
        drop(self.changed.wait_timeout_while(state, within, unchanged).unwrap_or_else(PoisonError::into_inner));
    }

    fn change(&self, change: impl FnOnce(&mut Presence)) {
        let _telling = self.telling.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.lock();
        change(&mut state.presence);
        // The service also wakes the monitor when somebody connects, which changes nothing here.
        let Some(news) = state.presence.news() else { return };
        state.version = state.version.wrapping_add(1);
        drop(state);
        self.changed.notify_all();
        self.tell(news);
    }

    /// The core takes it when it can: whoever watches the slot may wait for that. A core that has ended hears nothing.
    fn tell(&self, news: ReaderState) {
        info!(slot = %self.of, state = ?news, "reader");
        if let Use::Reader(id) = &self.of {
            drop(self.inputs.blocking_send(CardInput::Reader { reader: id.clone(), state: news }));
        }
    }

    /// What a thread that panicked left is still true: each change is one assignment.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
