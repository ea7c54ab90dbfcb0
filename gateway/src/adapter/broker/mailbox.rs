//! What the core has for the broker, until the adapter's task takes it.
//!
//! **Invariant:** whoever puts something in never waits. Acknowledgements are as many as the publishes that wait for one;
//! commands beyond their bound are not taken.

use std::sync::{Mutex, MutexGuard, PoisonError};

use gateway_core::{AckToken, CommandId, SessionId};
use protocols::id::DeviceId;
use tokio::sync::Notify;

use super::limits;

/// Another word about who is assigned to this gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Assignment {
    /// This device, too.
    Assign(DeviceId),
    /// This device no more.
    Withdraw(DeviceId),
}

/// What was taken out.
#[derive(Debug, Default)]
pub(super) struct Mail {
    pub acks: Vec<AckToken>,
    pub commands: Vec<(SessionId, CommandId, Vec<u8>)>,
    /// In the order in which they were made.
    pub assignments: Vec<Assignment>,
}

#[derive(Debug, Default)]
pub(super) struct Mailbox {
    mail: Mutex<Mail>,
    wake: Notify,
}

impl Mailbox {
    pub fn ack(&self, token: AckToken) {
        self.lock().acks.push(token);
        self.wake.notify_one();
    }

    /// One for each device that is put into the devices file or taken out, which is read every few seconds.
    pub fn assignment(&self, assignment: Assignment) {
        self.lock().assignments.push(assignment);
        self.wake.notify_one();
    }

    /// Whether there was room.
    pub fn command(&self, session: SessionId, command: CommandId, payload: Vec<u8>) -> bool {
        let mut mail = self.lock();
        if mail.commands.len() >= limits::COMMANDS_WAITING_MAX {
            return false;
        }
        mail.commands.push((session, command, payload));
        drop(mail);
        self.wake.notify_one();
        true
    }

    pub fn take(&self) -> Mail {
        std::mem::take(&mut *self.lock())
    }

    pub async fn filled(&self) {
        self.wake.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Mail> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
