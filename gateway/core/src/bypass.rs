//! An alarm that its commit keeps waiting goes round the journal: straight to the centre, as where no disk takes anything.
//!
//! A disk that takes seconds for a sync, or a program that holds a lock on the file, would keep a press from people for as
//! long as two commits take. What goes round is the same entry without a number. It is recorded, acknowledged and uploaded as
//! any other when its commit is done, and is a duplicate at the centre then.
//!
//! **Invariant:** nothing is promised to a device for what goes round the journal: its commit alone does that.
//! **Invariant:** only what is not durable is kept here, and no more than [`BYPASS_MAX`] of it.

use std::collections::VecDeque;

use protocols::uplink::Source;

use crate::core::Core;
use crate::effect::Effect;
use crate::input::{Direct, OutLane, Ticket};
use crate::journal::Recorded;
use crate::limits::{BYPASS_AFTER_MS, BYPASS_MAX};
use crate::time::{Mono, Now};
use crate::timers::Timer;

/// An alarm whose commit is not done.
#[derive(Debug)]
struct Uncommitted {
    n: u64,
    entry: String,
    due: Mono,
    ticket: Option<Ticket>,
}

/// Alarms whose commits are not done, ascending by number.
#[derive(Debug, Default)]
pub(crate) struct Bypass {
    alarms: VecDeque<Uncommitted>,
}

impl Core {
    /// A device's alarm was recorded just now: it may wait for its commit only so long.
    pub(crate) fn watch_commit(&mut self, recorded: &Recorded, lane: OutLane, now: &Now) {
        let of_device = matches!(recorded.origin.source, Source::Device(_));
        let Some(entry) = self.journal.last_text().filter(|_| of_device && lane == OutLane::Alarms) else { return };
        if self.bypass.alarms.len() >= BYPASS_MAX {
            return self.emit(Effect::Count { name: "alarms_bypass_full", label: "device" });
        }
        let due = now.mono.after_ms(BYPASS_AFTER_MS);
        self.bypass.alarms.push_back(Uncommitted { n: recorded.n, entry: entry.to_owned(), due, ticket: None });
        if !self.timers.is_set(&Timer::CommitLate) {
            self.timers.set(Timer::CommitLate, due);
        }
    }

    /// Sends what has waited for its commit for too long.
    pub(crate) fn go_round_journal(&mut self, now: &Now) {
        let mut late = Vec::new();
        for alarm in self.bypass.alarms.iter_mut().filter(|alarm| alarm.ticket.is_none() && alarm.due <= now.mono) {
            self.next_number = self.next_number.saturating_add(1);
            let ticket = Ticket(self.next_number);
            alarm.ticket = Some(ticket);
            late.push(Effect::UploadDirect { ticket, entry: alarm.entry.clone() });
        }
        for effect in late {
            self.emit(Effect::Count { name: "alarms_round_the_journal", label: "device" });
            self.emit(effect);
        }
        self.set_commit_late();
    }

    /// Everything up to this number is durable.
    pub(crate) fn forget_committed(&mut self, committed: u64) {
        self.bypass.alarms.retain(|alarm| alarm.n > committed);
        self.set_commit_late();
    }

    /// The centre's answer about an alarm that went round; false where it is about another.
    pub(crate) fn went_round(&mut self, direct: &Direct, now: &Now) -> bool {
        let ticket = Some(direct.ticket);
        let Some(index) = self.bypass.alarms.iter().position(|alarm| alarm.ticket == ticket) else { return false };
        match &direct.result {
            // Whatever it says of the entry, it says again when that comes with its number.
            Ok(_) => {
                self.direct_backoff.reset();
                self.note_success(now);
            }
            Err(failure) => {
                let at_least = self.note_failure(*failure, now);
                let pause = self.direct_backoff.next_ms(at_least);
                if let Some(alarm) = self.bypass.alarms.get_mut(index) {
                    (alarm.ticket, alarm.due) = (None, now.mono.after_ms(pause));
                }
                self.set_commit_late();
            }
        }
        true
    }

    fn set_commit_late(&mut self) {
        match self.bypass.alarms.iter().filter(|alarm| alarm.ticket.is_none()).map(|alarm| alarm.due).min() {
            Some(due) => self.timers.set(Timer::CommitLate, due),
            None => self.timers.clear(&Timer::CommitLate),
        }
    }
}
