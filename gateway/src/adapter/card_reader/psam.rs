//! The PSAM's slot: identified once after each insertion, lent to one dialogue at a time.
//!
//! ```text
//!              identified                lend
//!    Away ────────────────► Ready ◄──────────────► Lent
//!     ▲                       │     given back       │ taken out, or given back broken
//!     └──── taken out ────────┴──────────────────────┘
//! ```
//!
//! **Invariant:** two dialogues never share the PSAM: the way to it is one value, and whoever has it lent has it alone.
//! **Invariant:** the core knows a PSAM exactly as long as it may be used; another one, or the same one anew, is told as
//! gone first.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gateway_core::{CardInput, NotRun};
use protocols::card::dialogue::Answer;
use protocols::card::profile::FileId;
use protocols::card::psam::{Identify, PsamIdentity, Step};
use tokio::sync::mpsc;
use tracing::{info, warn};

use super::connector::Connector;
use super::limits::{RETRY_MAX, RETRY_MIN};
use super::line::Work;
use super::presence::{Insertion, Lying};
use super::slot::Slot;

/// The PSAM's slot.
#[derive(Debug)]
pub(super) struct Psam {
    pub(super) slot: Arc<Slot>,
    shelf: Mutex<Shelf>,
    changed: Condvar,
}

/// An identified PSAM, held.
#[derive(Debug)]
struct Held {
    connector: Connector,
    identity: PsamIdentity,
    insertion: Insertion,
}

#[derive(Debug)]
enum Shelf {
    /// None that could be used.
    Away,
    /// Identified, not in use.
    Ready(Box<Held>),
    /// In use by a dialogue; `revoked` when it was taken out since.
    Lent { insertion: Insertion, revoked: bool },
}

/// A PSAM that this dialogue has alone, until it is dropped.
#[derive(Debug)]
pub(super) struct Lease {
    psam: Arc<Psam>,
    /// Present until the drop.
    held: Option<Box<Held>>,
    broken: bool,
}

impl Lease {
    /// Which PSAM this is.
    pub(super) fn identity(&self) -> Option<PsamIdentity> {
        self.held.as_ref().map(|held| held.identity)
    }

    /// The way to it.
    pub(super) fn connector(&mut self) -> Option<&mut Connector> {
        self.held.as_mut().filter(|_| !self.broken).map(|held| &mut held.connector)
    }

    /// It did not answer: nobody may use it before it was identified anew.
    pub(super) const fn broke(&mut self) {
        self.broken = true;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(held) = self.held.take() else { return };
        let mut shelf = self.psam.lock();
        let revoked = !matches!(*shelf, Shelf::Lent { revoked: false, .. });
        let left_over = if self.broken || revoked {
            *shelf = Shelf::Away;
            Some(held)
        } else {
            *shelf = Shelf::Ready(held);
            None
        };
        drop(shelf);
        self.psam.changed.notify_all();
        self.psam.slot.nudge();
        // Its card is let go by its own thread.
        drop(left_over);
    }
}

impl Psam {
    pub(super) const fn new(slot: Arc<Slot>) -> Self {
        Self { slot, shelf: Mutex::new(Shelf::Away), changed: Condvar::new() }
    }

    /// The PSAM for one dialogue. Waits while another one has it, or while it is being identified, but not for one that
    /// is not there.
    ///
    /// # Errors
    /// [`NotRun::PsamBusy`]: another dialogue kept it. [`NotRun::PsamGone`]: it is not there, or was not identified.
    pub(super) fn lend(self: &Arc<Self>, within: Duration) -> Result<Lease, NotRun> {
        let until = Instant::now().checked_add(within).ok_or(NotRun::PsamGone)?;
        let mut shelf = self.lock();
        loop {
            match std::mem::replace(&mut *shelf, Shelf::Away) {
                Shelf::Ready(held) => {
                    *shelf = Shelf::Lent { insertion: held.insertion, revoked: false };
                    return Ok(Lease { psam: Arc::clone(self), held: Some(held), broken: false });
                }
                other @ (Shelf::Away | Shelf::Lent { .. }) => *shelf = other,
            }
            let left = until.saturating_duration_since(Instant::now());
            if self.slot.is_stopping() || self.slot.lying().is_none() {
                return Err(NotRun::PsamGone);
            }
            if left.is_zero() {
                let lent = matches!(*shelf, Shelf::Lent { revoked: false, .. });
                return Err(if lent { NotRun::PsamBusy } else { NotRun::PsamGone });
            }
            shelf = self.changed.wait_timeout(shelf, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread that looks after the PSAM.
pub(super) struct Keeper {
    pub(super) psam: Arc<Psam>,
    pub(super) purse_df: FileId,
    pub(super) work: Work,
    pub(super) mute: Duration,
    pub(super) inputs: mpsc::Sender<CardInput>,
    /// What the core believes.
    told: Option<PsamIdentity>,
    retry: Duration,
    /// Of the last try that failed, and when the next one may be.
    failed: Option<(Insertion, Instant)>,
}

impl Keeper {
    pub(super) const fn new(
        psam: Arc<Psam>,
        purse_df: FileId,
        work: Work,
        mute: Duration,
        inputs: mpsc::Sender<CardInput>,
    ) -> Self {
        Self { psam, purse_df, work, mute, inputs, told: None, retry: RETRY_MIN, failed: None }
    }

    /// Runs until the slot is stopped.
    pub(super) fn run(&mut self) {
        let slot = Arc::clone(&self.psam.slot);
        while !slot.is_stopping() {
            let version = slot.version();
            let pause = self.look();
            slot.wait(version, pause);
        }
        self.take_away(None);
    }

    /// Brings everything in line with what lies in the slot; gives how long to wait before the next look.
    fn look(&mut self) -> Duration {
        let lying = self.psam.slot.lying();
        let at_hand = self.take_away(lying.as_ref().map(|lying| lying.insertion));
        if at_hand {
            return RETRY_MAX;
        }
        self.tell(None);
        // Whoever waits for a PSAM that has gone need not wait any longer.
        self.psam.changed.notify_all();
        let Some(lying) = lying else { return RETRY_MAX };
        if matches!(*self.psam.lock(), Shelf::Lent { .. }) {
            return RETRY_MAX;
        }
        if let Some((insertion, at)) = self.failed
            && insertion == lying.insertion
            && at > Instant::now()
        {
            return at.saturating_duration_since(Instant::now());
        }
        self.try_identify(&lying)
    }

    /// Puts a PSAM away that is not the one of this insertion; whether that one is at hand.
    fn take_away(&self, insertion: Option<Insertion>) -> bool {
        let mut shelf = self.psam.lock();
        let old = match &mut *shelf {
            Shelf::Away => return false,
            Shelf::Ready(held) if Some(held.insertion) == insertion => return true,
            Shelf::Ready(_) => std::mem::replace(&mut *shelf, Shelf::Away),
            Shelf::Lent { insertion: lent, revoked } => {
                *revoked |= Some(*lent) != insertion;
                return !*revoked;
            }
        };
        drop(shelf);
        // Its card is let go by its own thread.
        drop(old);
        false
    }

    fn try_identify(&mut self, lying: &Lying) -> Duration {
        match self.identify(lying) {
            Some(held) => {
                self.retry = RETRY_MIN;
                self.failed = None;
                let identity = held.identity;
                *self.psam.lock() = Shelf::Ready(Box::new(held));
                self.psam.changed.notify_all();
                self.tell(Some(identity));
                RETRY_MAX
            }
            None => {
                let same = self.failed.is_some_and(|(insertion, _)| insertion == lying.insertion);
                self.retry = if same { self.retry.saturating_mul(2).min(RETRY_MAX) } else { RETRY_MIN };
                self.failed = Instant::now().checked_add(self.retry).map(|at| (lying.insertion, at));
                self.retry
            }
        }
    }

    fn identify(&self, lying: &Lying) -> Option<Held> {
        let mut connector = Connector::new(Arc::clone(&self.psam.slot), self.work, self.mute);
        if let Err(error) = connector.hold(lying) {
            warn!(%error, "the PSAM cannot be used");
            return None;
        }
        let (mut identify, mut step) = Identify::begin(self.purse_df);
        loop {
            let transmit = match step {
                Step::Transmit(transmit) => transmit,
                Step::Done(Ok(identity)) => return Some(Held { connector, identity, insertion: lying.insertion }),
                Step::Done(Err(failure)) => {
                    warn!(%failure, "the PSAM cannot be identified");
                    return None;
                }
            };
            step = match connector.transmit(&transmit.command.to_bytes()) {
                Ok(answer) => identify.next(Answer::Received(&answer)),
                Err(error) => {
                    warn!(stage = %transmit.stage, %error, "the PSAM does not answer");
                    identify.next(Answer::NoAnswer)
                }
            };
        }
    }

    fn tell(&mut self, psam: Option<PsamIdentity>) {
        if self.told == psam {
            return;
        }
        info!(there = psam.is_some(), "PSAM");
        self.told = psam;
        drop(self.inputs.blocking_send(CardInput::Psam(psam)));
    }
}
