//! What the daemon holds: memory and open files.

use crate::site::gateway::Gateway;

/// At one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Vitals {
    /// Memory in use, KiB.
    pub resident_kib: u64,
    /// Open files and sockets.
    pub descriptors: usize,
}

impl Vitals {
    /// Of the daemon that runs now.
    #[must_use]
    pub fn of(gateway: &Gateway) -> Option<Self> {
        let open = std::fs::read_dir(format!("/proc/{}/fd", gateway.pid()?)).ok()?;
        Some(Self { resident_kib: gateway.resident_kib()?, descriptors: open.count() })
    }
}
