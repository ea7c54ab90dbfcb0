//! What the core has for one connection, until the connection's task takes it: acknowledgements, commands, the end.
//!
//! **Invariant:** whoever puts something in never waits; what is put in is bounded, since acknowledgements are as many as
//! the publishes that wait for one and commands beyond their bound end the connection.

use std::sync::{Mutex, MutexGuard, PoisonError};

use gateway_core::{AckCode, CommandId};
use tokio::sync::Notify;

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

/// A connection's letter box.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    mail: Mutex<Mail>,
    wake: Notify,
}

impl Mailbox {
    /// An acknowledgement.
    pub fn ack(&self, packet: u16, code: AckCode) {
        self.lock().acks.push((packet, code));
        self.wake.notify_one();
    }

    /// Several acknowledgements.
    pub fn acks(&self, acks: impl Iterator<Item = (u16, AckCode)>) {
        self.lock().acks.extend(acks);
        self.wake.notify_one();
    }

    /// A command; too many that nobody takes end the connection.
    pub fn command(&self, command: CommandId, payload: Vec<u8>) {
        let mut mail = self.lock();
        if mail.commands.len() < limits::COMMANDS_WAITING_MAX {
            mail.commands.push((command, payload));
        } else {
            mail.end = mail.end.or(Some(End::CannotServe));
        }
        drop(mail);
        self.wake.notify_one();
    }

    /// The end; the first reason stands.
    pub fn end(&self, end: End) {
        let mut mail = self.lock();
        mail.end = mail.end.or(Some(end));
        drop(mail);
        self.wake.notify_one();
    }

    /// No more reading.
    pub fn stop_reading(&self) {
        self.lock().stop_reading = true;
        self.wake.notify_one();
    }

    /// Takes what is there; `stop_reading` stays.
    pub fn take(&self) -> Mail {
        let mut mail = self.lock();
        let stop_reading = mail.stop_reading;
        std::mem::replace(&mut *mail, Mail { stop_reading, ..Mail::default() })
    }

    /// Waits until something was put in since the last wait.
    pub async fn filled(&self) {
        self.wake.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Mail> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
