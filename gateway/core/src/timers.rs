//! The core's alarm clock: at most one moment for each purpose.

use std::collections::{BTreeMap, BTreeSet};

use protocols::id::{DeviceId, ReaderId};
use protocols::uplink::Lane;

use crate::input::{OutLane, SaleId, Ticket};
use crate::time::Mono;

/// What a moment is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// A lane may try again.
    UploadRetry(OutLane),
    /// An entry of a lane that was refused as a whole may be tried again.
    RefusedRetry(OutLane),
    /// Orders may be asked for again.
    OrdersRetry(Lane),
    /// A device has been silent for too long.
    DeviceSilent(DeviceId),
    /// Nobody laid a card on.
    CardWait(SaleId),
    /// A card that another program held may be free.
    CardHeld(ReaderId),
    /// The centre did not answer a hold.
    HoldWait(SaleId),
    /// The centre should have the newest press of an alarm.
    PressUndelivered(String),
    /// Presses that came too fast for entries of their own are told together.
    RepeatsDue(String),
    /// The journal is asked again about what it could not tell.
    AskAgain,
    /// The listening clock is kept.
    KeepListened,
    /// The catalogue may have become too old.
    CatalogueOld,
    /// An alarm has waited for its commit for too long.
    CommitLate,
    /// An alarm without a journal may be sent again.
    DirectRetry(Ticket),
    /// In a hurry, some of what waits may be taken in.
    IntakePaced,
    /// In a hurry, some of what may wait may leave for the centre.
    UploadPaced,
    /// The test of a device is over.
    DeviceTest(DeviceId),
}

impl Timer {
    /// The reason of the wake-up, for logs and the simulator.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::UploadRetry(_) => "upload retry",
            Self::RefusedRetry(_) => "refused entry retry",
            Self::OrdersRetry(_) => "orders retry",
            Self::DeviceSilent(_) => "device silent",
            Self::CardWait(_) => "card wait",
            Self::CardHeld(_) => "card held",
            Self::HoldWait(_) => "hold wait",
            Self::PressUndelivered(_) => "press undelivered",
            Self::RepeatsDue(_) => "repeats due",
            Self::AskAgain => "ask the journal again",
            Self::KeepListened => "keep the listening clock",
            Self::CatalogueOld => "catalogue old",
            Self::CommitLate => "commit late",
            Self::DirectRetry(_) => "direct alarm retry",
            Self::IntakePaced => "pace of what is taken in",
            Self::UploadPaced => "pace of what leaves",
            Self::DeviceTest(_) => "device test over",
        }
    }
}

/// All moments that are set.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    by_time: BTreeSet<(Mono, Timer)>,
    by_purpose: BTreeMap<Timer, Mono>,
}

impl Timers {
    /// Sets the moment for a purpose, in place of the one before.
    pub fn set(&mut self, timer: Timer, at: Mono) {
        self.clear(&timer);
        self.by_time.insert((at, timer.clone()));
        self.by_purpose.insert(timer, at);
    }

    /// Sets the moment for a purpose, unless an earlier one is set: for a moment that moves on with every report, and of which
    /// it is enough to look again when the earlier one comes.
    pub fn set_no_later(&mut self, timer: Timer, at: Mono) {
        if self.by_purpose.get(&timer).is_none_or(|set| *set > at) {
            self.set(timer, at);
        }
    }

    /// Brings a moment that is set forward to `at`, where it is later.
    pub fn bring_forward(&mut self, timer: Timer, at: Mono) {
        if self.by_purpose.get(&timer).is_some_and(|set| *set > at) {
            self.set(timer, at);
        }
    }

    /// Takes a moment away.
    pub fn clear(&mut self, timer: &Timer) {
        if let Some(at) = self.by_purpose.remove(timer) {
            self.by_time.remove(&(at, timer.clone()));
        }
    }

    /// The moment that is set for a purpose.
    pub fn at(&self, timer: &Timer) -> Option<Mono> {
        self.by_purpose.get(timer).copied()
    }

    /// Whether a moment is set for a purpose.
    pub fn is_set(&self, timer: &Timer) -> bool {
        self.by_purpose.contains_key(timer)
    }

    /// The next moment and its reason.
    pub fn next(&self) -> Option<(Mono, &'static str)> {
        self.by_time.first().map(|(at, timer)| (*at, timer.name()))
    }

    /// Takes the first purpose whose moment has come.
    pub fn pop_due(&mut self, now: Mono) -> Option<Timer> {
        if self.by_time.first()?.0 > now {
            return None;
        }
        let (_, timer) = self.by_time.pop_first()?;
        self.by_purpose.remove(&timer);
        Some(timer)
    }
}
