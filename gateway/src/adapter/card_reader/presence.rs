//! What is known of one slot: what the monitor sees in it, what its dialogues found out, and what that is in one word.
//!
//! ```text
//! the monitor:  Gone ◄──► Empty ◄──► Card, numbered anew each time one is laid on
//! a dialogue:   Card ──── no answer in time ───► Mute, until the card is taken away
//! the threads:  any  ──── too many are stuck ──► Gone, until one returns
//! ```
//!
//! **Invariant:** an insertion has one number and is told as a card once.

use std::ffi::{CStr, CString};

use gateway_core::ReaderState;

use super::limits::STUCK_THREADS_MAX;

/// What the monitor sees in a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sight {
    /// The reader or the service is not there.
    Gone,
    /// No card.
    Empty,
    /// A card.
    Card {
        /// The reader's PC/SC name just now.
        reader: CString,
        /// PC/SC's count of insertions and removals.
        count: u32,
        /// The card did not even answer to its reset.
        mute: bool,
    },
}

/// The number of one insertion; none is used twice in a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Insertion(u64);

/// A card that lies there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lying {
    /// The reader's PC/SC name.
    pub(super) reader: CString,
    /// Which insertion.
    pub(super) insertion: Insertion,
}

/// What is known of a slot.
#[derive(Debug)]
pub(super) struct Presence {
    sight: Sight,
    insertion: Insertion,
    /// The insertion that fell silent.
    silent: Option<Insertion>,
    /// Threads that are stuck in a call.
    stuck: usize,
    told: Option<(ReaderState, Insertion)>,
}

impl Presence {
    pub(super) const fn new() -> Self {
        Self { sight: Sight::Gone, insertion: Insertion(0), silent: None, stuck: 0, told: None }
    }

    /// The monitor looked.
    pub(super) fn see(&mut self, sight: Sight) {
        let same = match (&self.sight, &sight) {
            (Sight::Card { reader: old, count: before, .. }, Sight::Card { reader: new, count: now, .. }) => {
                old == new && before == now
            }
            (Sight::Gone | Sight::Empty | Sight::Card { .. }, Sight::Gone | Sight::Empty | Sight::Card { .. }) => false,
        };
        if matches!(sight, Sight::Card { .. }) && !same {
            self.insertion = Insertion(self.insertion.0.saturating_add(1));
        }
        self.sight = sight;
    }

    /// A card did not answer in time. One that has gone in the meantime is not mute but gone.
    pub(super) fn fell_silent(&mut self, insertion: Insertion) {
        self.silent = Some(insertion);
    }

    /// A thread is stuck in a call.
    pub(super) const fn thread_stuck(&mut self) {
        self.stuck = self.stuck.saturating_add(1);
    }

    /// A stuck thread has returned.
    pub(super) const fn thread_returned(&mut self) {
        self.stuck = self.stuck.saturating_sub(1);
    }

    /// Whether so many threads are stuck that the slot is given up for now.
    pub(super) const fn is_given_up(&self) -> bool {
        self.stuck >= STUCK_THREADS_MAX
    }

    /// The card that can be spoken to.
    pub(super) fn lying(&self) -> Option<Lying> {
        match (&self.sight, self.state()) {
            (Sight::Card { reader, .. }, ReaderState::Card) => {
                Some(Lying { reader: reader.clone(), insertion: self.insertion })
            }
            (
                Sight::Gone | Sight::Empty | Sight::Card { .. },
                ReaderState::Gone | ReaderState::Empty | ReaderState::Card | ReaderState::Mute,
            ) => None,
        }
    }

    /// The state, if it has not been told yet; it counts as told from now on.
    pub(super) fn news(&mut self) -> Option<ReaderState> {
        let state = self.state();
        let news = match self.told {
            Some((told, insertion)) => told != state || state == ReaderState::Card && insertion != self.insertion,
            None => true,
        };
        self.told = Some((state, self.insertion));
        news.then_some(state)
    }

    /// The slot in one word.
    pub(super) fn state(&self) -> ReaderState {
        match &self.sight {
            _ if self.is_given_up() => ReaderState::Gone,
            Sight::Gone => ReaderState::Gone,
            Sight::Empty => ReaderState::Empty,
            Sight::Card { mute: true, .. } => ReaderState::Mute,
            Sight::Card { .. } if self.silent == Some(self.insertion) => ReaderState::Mute,
            Sight::Card { .. } => ReaderState::Card,
        }
    }
}

/// Which configured slot has which of the readers that PC/SC lists. A slot keeps its reader as long as that is listed;
/// a full name comes before one that only begins so; otherwise the order of the configuration decides.
pub(super) fn assign(wanted: &[&str], held: &[Option<CString>], listed: &[CString]) -> Vec<Option<CString>> {
    let mut assigned: Vec<Option<CString>> = vec![None; wanted.len()];
    let fits = |pass: usize, slot: usize, wish: &str, reader: &CStr| match pass {
        0 => held.get(slot).is_some_and(|held| held.as_deref() == Some(reader)),
        1 => reader.to_bytes() == wish.as_bytes(),
        _ => reader.to_bytes().starts_with(wish.as_bytes()),
    };
    for pass in 0..3 {
        for (slot, wish) in wanted.iter().enumerate() {
            if assigned.get(slot).is_some_and(Option::is_some) {
                continue;
            }
            let free = |reader: &&CString| !assigned.contains(&Some((*reader).clone()));
            let found = listed.iter().filter(free).find(|reader| fits(pass, slot, wish, reader)).cloned();
            if let Some(place) = assigned.get_mut(slot) {
                *place = found;
            }
        }
    }
    assigned
}

#[cfg(test)]
#[path = "presence_tests.rs"]
mod tests;
