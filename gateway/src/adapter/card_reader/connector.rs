//! The way to the card in one slot: a line at a time, replaced when its thread gets stuck.
//!
//! **Invariant:** a line whose thread is stuck is never used again, and at most `STUCK_THREADS_MAX` of a slot are waited for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gateway_core::NotRun;
use pcsc::Error;
use tracing::{error, warn};

use super::limits::{HOLD_WAIT, RELEASE_WAIT, SHARING_PAUSE, SHARING_TRIES_MAX};
use super::line::{Call, Line, LineError, Work};
use super::presence::Lying;
use super::slot::Slot;

/// Why a card cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum HoldError {
    /// Another program holds the card, and did not let it go in time.
    #[error("another program holds the card")]
    Shared,
    /// PC/SC says no: no card, no service.
    #[error("{0}")]
    Refused(Error),
    /// The card or PC/SC does not answer.
    #[error("no answer within the deadline")]
    Silent,
    /// There is no thread for it, or too many are stuck.
    #[error("no thread to speak to PC/SC")]
    NoThread,
}

impl HoldError {
    /// What it means for a dialogue.
    pub(super) fn means(self) -> NotRun {
        const NO_CARD: &[Error] = &[Error::NoSmartcard, Error::RemovedCard, Error::ResetCard, Error::NotTransacted];
        const FOREIGN: &[Error] = &[Error::ProtoMismatch, Error::UnsupportedCard, Error::CardUnsupported];
        const GONE: &[Error] = &[
            Error::NoService,
            Error::ServiceStopped,
            Error::Shutdown,
            Error::CommError,
            Error::InvalidHandle,
            Error::NoReadersAvailable,
            Error::UnknownReader,
            Error::ReaderUnavailable,
        ];
        match self {
            Self::Shared => NotRun::CardHeld,
            Self::Silent => NotRun::CardMute,
            Self::Refused(error) if NO_CARD.contains(&error) => NotRun::NoCard,
            Self::Refused(error) if FOREIGN.contains(&error) => NotRun::CardForeign,
            Self::Refused(error) if GONE.contains(&error) => NotRun::ReaderGone,
            Self::Refused(_) | Self::NoThread => NotRun::Broken,
        }
    }
}

/// What became of a line's thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Running,
    LeftBehind,
    Ended,
}

type SharedFate = Arc<Mutex<Fate>>;

fn lock(fate: &SharedFate) -> MutexGuard<'_, Fate> {
    fate.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The way to a card.
#[derive(Debug)]
pub(super) struct Connector {
    slot: Arc<Slot>,
    work: Work,
    mute: Duration,
    line: Option<(Line, SharedFate)>,
}

impl Connector {
    /// A connector whose cards count as mute after this long.
    pub(super) const fn new(slot: Arc<Slot>, work: Work, mute: Duration) -> Self {
        Self { slot, work, mute, line: None }
    }

    /// Takes the card exclusively, until [`Connector::release`].
    pub(super) fn hold(&mut self, card: &Lying) -> Result<(), HoldError> {
        let mut tries = 0_u32;
        loop {
            tries = tries.saturating_add(1);
            let version = self.slot.version();
            match self.call(Call::Hold(card.reader.clone()), HOLD_WAIT) {
                Ok(_) => return Ok(()),
                Err(LineError::Pcsc(Error::SharingViolation)) if tries < SHARING_TRIES_MAX => {
                    self.slot.wait(version, SHARING_PAUSE);
                }
                Err(LineError::Pcsc(Error::UnresponsiveCard | Error::UnpoweredCard) | LineError::Overdue) => {
                    return Err(HoldError::Silent);
                }
                Err(LineError::Pcsc(Error::SharingViolation)) => return Err(HoldError::Shared),
                Err(LineError::Pcsc(error)) => return Err(HoldError::Refused(error)),
                Err(LineError::Ended) => return Err(HoldError::NoThread),
            }
        }
    }

    /// Sends a command to the card that is held; the answer is what came, whatever it is.
    pub(super) fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, LineError> {
        self.call(Call::Transmit(command.into()), self.mute)
    }

    /// Whether the card that is held can still be spoken to, as far as PC/SC knows.
    pub(super) fn is_held(&mut self) -> bool {
        self.call(Call::Probe, RELEASE_WAIT).is_ok()
    }

    /// Lets the card go. Does no harm when none is held.
    pub(super) fn release(&mut self) {
        if self.line.is_some()
            && let Err(error) = self.call(Call::Release, RELEASE_WAIT)
        {
            warn!(slot = %self.slot.of, %error, "a card could not be let go");
        }
    }

    fn call(&mut self, call: Call, within: Duration) -> Result<Vec<u8>, LineError> {
        let (line, fate) = match self.line.take() {
            Some(line) => line,
            None => self.start().ok_or(LineError::Ended)?,
        };
        let result = line.call(call, within);
        match result {
            Ok(_) | Err(LineError::Pcsc(_)) => self.line = Some((line, fate)),
            Err(LineError::Overdue) => {
                drop(line);
                self.leave_behind(&fate);
            }
            Err(LineError::Ended) => error!(slot = %self.slot.of, "a PC/SC thread has ended by itself"),
        }
        result
    }

    fn start(&self) -> Option<(Line, SharedFate)> {
        if self.slot.is_given_up() {
            return None;
        }
        let fate = SharedFate::new(Mutex::new(Fate::Running));
        let (slot, of_thread) = (Arc::clone(&self.slot), Arc::clone(&fate));
        let at_end = move || {
            let mut fate = lock(&of_thread);
            if *fate == Fate::LeftBehind {
                warn!(slot = %slot.of, "a PC/SC call that was given up has returned");
                slot.thread_returned();
            }
            *fate = Fate::Ended;
        };
        match Line::start(self.work, at_end) {
            Ok(line) => Some((line, fate)),
            Err(error) => {
                error!(slot = %self.slot.of, kind = ?error.kind(), "no thread for PC/SC");
                None
            }
        }
    }

    /// The fate stays locked until the slot knows, so that a thread that returns just now is not counted for ever.
    fn leave_behind(&self, fate: &SharedFate) {
        let mut fate = lock(fate);
        if *fate == Fate::Running {
            warn!(slot = %self.slot.of, "a PC/SC call does not return; its thread is left behind");
            *fate = Fate::LeftBehind;
            self.slot.thread_stuck();
        }
    }
}

#[cfg(test)]
#[path = "connector_tests.rs"]
mod tests;
