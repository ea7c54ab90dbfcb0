//! What devices send while the disk cannot keep up: alarms are taken at once, everything else waits in a queue.
//!
//! **Invariant:** no report that is no emergency delays one: while rows wait for a commit, only emergencies add to them.
//! **Invariant:** what waits is taken in the order in which it came, and is not acknowledged before.

use protocols::device::{EventReport, Kind};
use protocols::uplink::Urgency;

use crate::core::{Core, Storage};
use crate::input::LinkInput;
use crate::limits::{DEFERRED_MAX, PENDING_ROWS_MAX, PENDING_ROWS_PAUSE, PENDING_THINGS_MAX, PENDING_THINGS_PAUSE};
use crate::reports::urgency_of;
use crate::time::Now;

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

    /// Takes an input of a device, now or when the disk has caught up.
    pub(crate) fn take_in(&mut self, input: LinkInput, now: &Now) {
        let behind = self.config.storage == Storage::Journal && (!self.deferred.is_empty() || self.is_behind());
        if behind && may_wait(&input) {
            self.deferred.push_back(input);
        } else {
            self.handle_link(input, now);
        }
    }

    /// The disk has caught up somewhat: takes what waited.
    pub(crate) fn take_deferred(&mut self, now: &Now) {
        while !self.is_behind()
            && let Some(input) = self.deferred.pop_front()
        {
            self.handle_link(input, now);
        }
    }
}

/// Whether an input may wait behind alarms. A take-back may not: it belongs between the presses around it.
fn may_wait(input: &LinkInput) -> bool {
    match input {
        LinkInput::Event { payload, retained, .. } => {
            if *retained {
                return true;
            }
            let Ok(report) = serde_json::from_slice::<EventReport>(payload) else { return true };
            match urgency_of(&report.kind) {
                Some(Urgency::Emergency | Urgency::Urgent | Urgency::Request) => false,
                Some(Urgency::Technical | Urgency::Test) => true,
                None => report.kind != Kind::Cancel,
            }
        }
        LinkInput::Refused { .. } => true,
        LinkInput::Connected { .. }
        | LinkInput::Disconnected { .. }
        | LinkInput::Status { .. }
        | LinkInput::CommandTaken { .. }
        | LinkInput::CommandGivenUp { .. } => false,
    }
}
