//! What the core has for one connection, until the connection's task takes it: acknowledgements, commands, the end.
//!
//! **Invariant:** whoever puts something in never waits; what is put in is bounded, since acknowledgements are as many as
//! the publishes that wait for one and commands beyond their bound end the connection.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use gateway_core::{AckCode, CommandId};

use super::limits;
use super::session::End;

/// What was taken out.
#[derive(Debug, Default)]
pub(super) struct Mail {
    /// Packet identifiers with their codes, in the core's order.
    pub acks: Vec<(u16, AckCode)>,
    /// Commands in the core's order.
    pub commands: Vec<(CommandId, Vec<u8>)>,
    /// The connection is to be ended.
    pub end: Option<End>,
    /// Nothing more is to be read: the daemon shuts down.
    pub stop_reading: bool,
}

#[derive(Debug, Default)]
struct Inside {
    mail: Mail,
    /// Something was put in since mail was last taken.
    is_filled: bool,
    reader: Option<Waker>,
}

/// A connection's letter box.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    inside: Mutex<Inside>,
}

impl Mailbox {
    /// An acknowledgement.
    pub fn ack(&self, packet: u16, code: AckCode) {
        self.put(|mail| mail.acks.push((packet, code)));
    }

    /// Several acknowledgements.
    pub fn acks(&self, acks: impl Iterator<Item = (u16, AckCode)>) {
        self.put(|mail| mail.acks.extend(acks));
    }

    /// A command; too many that nobody takes end the connection.
    pub fn command(&self, command: CommandId, payload: Vec<u8>) {
        self.put(|mail| {
            if mail.commands.len() < limits::COMMANDS_WAITING_MAX {
                mail.commands.push((command, payload));
            } else {
                mail.end = mail.end.or(Some(End::CannotServe));
            }
        });
    }

    /// The end; the first reason stands.
    pub fn end(&self, end: End) {
        self.put(|mail| mail.end = mail.end.or(Some(end)));
    }

    /// No more reading.
    pub fn stop_reading(&self) {
        self.put(|mail| mail.stop_reading = true);
    }

    /// Takes what is there; `stop_reading` stays.
    pub fn take(&self) -> Mail {
        let mut inside = self.lock();
        inside.is_filled = false;
        let stop_reading = inside.mail.stop_reading;
        std::mem::replace(&mut inside.mail, Mail { stop_reading, ..Mail::default() })
    }

    /// Ready when something was put in since mail was last taken; else `context` is woken when something is. One reader waits
    /// at a time.
    pub fn poll_filled(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut inside = self.lock();
        if inside.is_filled {
            return Poll::Ready(());
        }
        if !inside.reader.as_ref().is_some_and(|reader| reader.will_wake(context.waker())) {
            inside.reader = Some(context.waker().clone());
        }
        Poll::Pending
    }

    fn put(&self, what: impl FnOnce(&mut Mail)) {
        let mut inside = self.lock();
        what(&mut inside.mail);
        inside.is_filled = true;
        let reader = inside.reader.take();
        drop(inside);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_wakes_the_reader_and_stays_until_it_is_taken() {
        let (mailbox, mut context) = (Mailbox::default(), Context::from_waker(Waker::noop()));
        assert!(mailbox.poll_filled(&mut context).is_pending());
        mailbox.stop_reading();
        assert!(mailbox.poll_filled(&mut context).is_ready());
        assert!(mailbox.poll_filled(&mut context).is_ready(), "looking takes nothing");
        assert!(mailbox.take().stop_reading);
        assert!(mailbox.poll_filled(&mut context).is_pending(), "what was taken is no news");
        assert!(mailbox.take().stop_reading, "but it still stands");
    }
}
