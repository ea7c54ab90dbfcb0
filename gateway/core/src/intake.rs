//! What devices send while the disk cannot keep up: alarms are taken at once, everything else waits in a queue.
//!
//! **Invariant:** no report that is no emergency delays one: while rows wait for a commit, only emergencies add to them.
//! **Invariant:** after a press, what may wait is taken at the pace of [`hurry`](crate::hurry), and only while no press is kept out.
//! **Invariant:** what waits is taken in the order in which it came, and is not acknowledged before.

use protocols::device::Kind;
use protocols::uplink::Urgency;
use serde::Deserialize;

use crate::core::{Core, Storage};
use crate::input::LinkInput;
use crate::limits::{DEFERRED_MAX, PENDING_ROWS_MAX, PENDING_ROWS_PAUSE, PENDING_THINGS_MAX, PENDING_THINGS_PAUSE};
use crate::reports::urgency_of;
use crate::time::Now;
use crate::timers::Timer;

impl Core {
    /// Whether nothing more should be handed in for now: too much is on its way to the disk, and too much waits behind
    /// it.
    #[must_use]
    pub fn is_intake_paused(&self) -> bool {
        self.deferred.len() >= DEFERRED_MAX
            || self.journal.pending_rows() >= PENDING_ROWS_MAX
            || self.journal.pending_things() >= PENDING_THINGS_MAX
    }

    fn is_behind(&self) -> bool {
        self.journal.pending_rows() >= PENDING_ROWS_PAUSE || self.journal.pending_things() >= PENDING_THINGS_PAUSE
    }

    /// Takes an input of a device, now, or when the disk has caught up and presses are through.
    pub(crate) fn take_in(&mut self, input: LinkInput, now: &Now) {
        let keeps_up = !self.hurry.is_on() && self.deferred.is_empty() && !self.is_behind();
        if keeps_up || self.config.storage == Storage::Dead || !may_wait(&input) {
            return self.handle_link(input, now);
        }
        self.deferred.push_back(input);
        self.take_deferred(now);
    }

    /// The disk has caught up somewhat, or it is their turn: takes what waited.
    pub(crate) fn take_deferred(&mut self, now: &Now) {
        while !self.is_behind()
            && self.hurry.has_room(self.deferred.len())
            && let Some(input) = self.deferred.pop_front()
        {
            self.hurry.took();
            self.handle_link(input, now);
        }
        if !self.deferred.is_empty() && !self.is_behind() {
            self.timers.set_no_later(Timer::IntakePaced, self.hurry.room_at());
        }
    }
}

/// Of a report as much as says whether it may wait.
#[derive(Deserialize)]
struct KindOf {
    kind: Kind,
}

/// Whether an input may wait behind presses. A take-back may not: it belongs between the presses around it.
fn may_wait(input: &LinkInput) -> bool {
    match input {
        LinkInput::Event { retained: true, .. } | LinkInput::Refused { .. } => true,
        LinkInput::Event { payload, .. } => {
            let Ok(KindOf { kind }) = serde_json::from_slice(payload) else { return true };
            match urgency_of(&kind) {
                Some(urgency) => !is_press(urgency),
                None => kind != Kind::Cancel,
            }
        }
        LinkInput::Connected { .. }
        | LinkInput::Disconnected { .. }
        | LinkInput::Status { .. }
        | LinkInput::CommandTaken { .. }
        | LinkInput::CommandGivenUp { .. } => false,
    }
}

/// Whether somebody needs somebody.
pub(crate) const fn is_press(urgency: Urgency) -> bool {
    match urgency {
        Urgency::Emergency | Urgency::Urgent | Urgency::Request => true,
        Urgency::Technical | Urgency::Test => false,
    }
}
