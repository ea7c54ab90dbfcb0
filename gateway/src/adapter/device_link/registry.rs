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

#[derive(Debug, Default)]
struct DeviceSessions {
    current: Option<u64>,
    kept: Option<Kept>,
}

#[derive(Debug, Default)]
struct Tables {
    mailboxes: HashMap<u64, Arc<Mailbox>>,
    devices: BTreeMap<DeviceId, DeviceSessions>,
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
        let sessions = tables.devices.entry(device.clone()).or_default();
        let kept = sessions.kept.take().filter(|kept| login.resume && kept.until.is_none_or(|until| now < until));
        let before = sessions.current.replace(number);
        if let Some(mailbox) = before.and_then(|before| tables.mailboxes.get(&before)) {
            mailbox.end(End::TakenOver);
        }
        Ok(Entered { resumed: kept.map(|kept| kept.subscribed) })
    }

    /// Forgets connection `number`; what the device asked to be kept of it is kept.
    pub fn leave(&self, number: u64, device: &DeviceId, subscribed: Option<Qos>, keep_session_s: u32, now: Instant) {
        let mut tables = self.lock();
        tables.mailboxes.remove(&number);
        let Some(sessions) = tables.devices.get_mut(device) else { return };
        // The connection that took over speaks for the device now.
        if sessions.current != Some(number) {
            return;
        }
        sessions.current = None;
        sessions.kept = match keep_session_s {
            0 => None,
            u32::MAX => Some(Kept { subscribed, until: None }),
            seconds => Some(Kept { subscribed, until: now.checked_add(Duration::from_secs(u64::from(seconds))) }),
        };
        if sessions.kept.is_none() {
            tables.devices.remove(device);
        }
    }

    /// Ends the connection of a device and drops what was kept for it; whether it had a connection.
    pub fn cut(&self, device: &DeviceId) -> bool {
        let mut tables = self.lock();
        let Some(sessions) = tables.devices.get_mut(device) else { return false };
        sessions.kept = None;
        let current = sessions.current;
        let Some(mailbox) = current.and_then(|current| tables.mailboxes.get(&current)) else { return false };
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
