//! The directory: who a device says it is, and whether it is.
//!
//! **Invariant:** asking for an unknown device takes as long as asking for a known one with a wrong secret.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use protocols::id::DeviceId;

use super::{Device, DevicesFileError, SecretHash, load};

/// Why a device is not let in. The peer is told the same for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// No such device.
    #[error("no such device")]
    UnknownDevice,
    /// Another secret.
    #[error("wrong secret")]
    WrongSecret,
}

type Devices = BTreeMap<DeviceId, Device>;

/// The devices that may log in; shared, and replaced as a whole.
#[derive(Debug)]
pub struct DeviceDirectory {
    devices: RwLock<Arc<Devices>>,
    nobody: SecretHash,
}

impl DeviceDirectory {
    /// A directory of `devices`; of two with one id the later stands.
    #[must_use]
    pub fn new(devices: Vec<Device>) -> Self {
        let nobody = SecretHash::with_salt([0; 16], b"nobody");
        Self { devices: RwLock::new(Arc::new(by_id(devices))), nobody }
    }

    /// Reads a devices file.
    ///
    /// # Errors
    /// [`DevicesFileError`].
    pub fn from_file(path: &Path) -> Result<Self, DevicesFileError> {
        load(path).map(Self::new)
    }

    /// Puts other devices in place of all; connections that stand are not touched.
    pub fn replace(&self, devices: Vec<Device>) {
        *self.devices.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(by_id(devices));
    }

    /// Every device, by id.
    #[must_use]
    pub fn devices(&self) -> Arc<BTreeMap<DeviceId, Device>> {
        Arc::clone(&self.devices.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether `secret` is the one of `id`.
    ///
    /// # Errors
    /// [`LoginError`].
    pub fn verify(&self, id: &DeviceId, secret: &[u8]) -> Result<(), LoginError> {
        let devices = self.devices();
        let Some(device) = devices.get(id) else {
            let _same_work = self.nobody.matches(secret);
            return Err(LoginError::UnknownDevice);
        };
        if device.secret_hash.matches(secret) { Ok(()) } else { Err(LoginError::WrongSecret) }
    }
}

fn by_id(devices: Vec<Device>) -> Devices {
    devices.into_iter().map(|device| (device.id.clone(), device)).collect()
}
