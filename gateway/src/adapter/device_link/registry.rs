//! Which connections stand, and which device is on which.
//!
//! **Invariant:** a device has at most one connection that counts; a later login of the same device ends the earlier.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mqtt_protocol_core::mqtt::packet::Qos;
use protocols::id::DeviceId;

use super::mailbox::Mailbox;
use super::session::{End, Login};

/// A session that outlives its connection. Commands are not in it: the core sends the open ones again.
#[derive(Debug, Clone, Copy)]
struct Kept {
    subscribed: Option<Qos>,
    /// Absent: as long as the process.
    until: Option<Instant>,
}

/// What there is of a device's session.
#[derive(Debug)]
enum Standing {
    /// This connection counts.
    Connected(u64),
    /// None does; this is kept until the next.
    Away(Kept),
}

#[derive(Debug, Default)]
struct Tables {
    mailboxes: HashMap<u64, Arc<Mailbox>>,
    devices: BTreeMap<DeviceId, Standing>,
    closing: bool,
}

/// The connections that have logged in.
#[derive(Debug, Default)]
pub(super) struct Registry {
    tables: Mutex<Tables>,
}

/// A login that came in.
#[derive(Debug)]
pub(super) struct Entered {
    /// The subscription of the earlier session, where one is taken up.
    pub resumed: Option<Option<Qos>>,
}

/// The daemon is on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Closing;

impl Registry {
    /// Enters connection `number` of `device`, ends the one before, and takes up its session where that is asked for.
    pub fn enter(
        &self,
        number: u64,
        device: &DeviceId,
        login: &Login,
        mailbox: &Arc<Mailbox>,
        now: Instant,
    ) -> Result<Entered, Closing> {
        let mut tables = self.lock();
        if tables.closing {
            return Err(Closing);
        }
        tables.mailboxes.insert(number, Arc::clone(mailbox));
        let resumed = match tables.devices.insert(device.clone(), Standing::Connected(number)) {
            Some(Standing::Connected(before)) => {
                if let Some(mailbox) = tables.mailboxes.get(&before) {
                    mailbox.end(End::TakenOver);
                }
                None
            }
            Some(Standing::Away(kept)) if login.resume && kept.until.is_none_or(|until| now < until) => {
                Some(kept.subscribed)
            }
            Some(Standing::Away(_)) | None => None,
        };
        Ok(Entered { resumed })
    }

    /// Forgets connection `number`; what the device asked to be kept of it is kept.
    pub fn leave(&self, number: u64, device: &DeviceId, subscribed: Option<Qos>, keep_session_s: u32, now: Instant) {
        let mut tables = self.lock();
        tables.mailboxes.remove(&number);
        // A connection that took over speaks for the device now.
        let Some(standing @ Standing::Connected(_)) = tables.devices.get_mut(device) else { return };
        if !matches!(standing, Standing::Connected(current) if *current == number) {
            return;
        }
        let until = match keep_session_s {
            0 => {
                tables.devices.remove(device);
                return;
            }
            u32::MAX => None,
            seconds => now.checked_add(Duration::from_secs(u64::from(seconds))),
        };
        *standing = Standing::Away(Kept { subscribed, until });
    }

    /// Ends the connection of a device and drops what was kept for it; whether it had a connection.
    pub fn cut(&self, device: &DeviceId) -> bool {
        let mut tables = self.lock();
        let number = match tables.devices.get(device) {
            Some(Standing::Connected(number)) => *number,
            Some(Standing::Away(_)) => {
                tables.devices.remove(device);
                return false;
            }
            None => return false,
        };
        let Some(mailbox) = tables.mailboxes.get(&number) else { return false };
        mailbox.end(End::Revoked);
        true
    }

    /// The letter box of connection `number`, while it stands.
    pub fn mailbox(&self, number: u64) -> Option<Arc<Mailbox>> {
        self.lock().mailboxes.get(&number).map(Arc::clone)
    }

    /// Connections that have logged in.
    pub fn len(&self) -> usize {
        self.lock().mailboxes.len()
    }

    /// Lets nobody in any more, and gives the letter boxes of all who are.
    pub fn close(&self) -> Vec<Arc<Mailbox>> {
        let mut tables = self.lock();
        tables.closing = true;
        tables.mailboxes.values().map(Arc::clone).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
