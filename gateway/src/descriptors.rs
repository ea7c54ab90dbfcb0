//! Open files: how many the system allows, and how many of them connections may take.
//!
//! **Invariant:** connections of devices and pages never take the descriptors that the journal, the readers and the way to the
//! centre need: what is accepted can also be stored and sent.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::limits::{KIOSK_PART, OWN_DESCRIPTORS};

/// How many connections may be open at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Of devices.
    pub devices: usize,
    /// Of the local interface.
    pub kiosk: usize,
}

impl Room {
    /// What the limit leaves after the gateway's own need, after it was raised as far as this process may.
    #[must_use]
    pub fn of_this_process() -> Self {
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        let raised = current != maximum && setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok();
        let limit = if raised { maximum } else { current };
        let room = Self::within(limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX)));
        tracing::debug!(?limit, ?room, "open files");
        room
    }

    /// What a limit of so many open files leaves; one of each at least.
    fn within(limit: usize) -> Self {
        let left = limit.saturating_sub(OWN_DESCRIPTORS);
        let kiosk = (left / KIOSK_PART).max(1);
        Self { devices: left.saturating_sub(kiosk).max(1), kiosk }
    }

    /// The device connections of the configuration, as far as there is room; less is told in the log.
    #[must_use]
    pub fn for_devices(self, wanted: usize) -> usize {
        if self.devices < wanted {
            let (room, wanted) = (self.devices, wanted);
            tracing::warn!(room, wanted, "the limit of open files (LimitNOFILE) leaves room for fewer devices");
        }
        wanted.min(self.devices)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A20.
    #[test]
    fn a20_connections_leave_the_gateways_own_descriptors_alone() {
        for limit in [0, 1, 64, 256, 1_024, 65_536] {
            let room = Room::within(limit);
            assert!(room.devices > 0 && room.kiosk > 0, "{limit}: {room:?}");
            let all = room.devices + room.kiosk + OWN_DESCRIPTORS;
            assert!(all <= limit.max(OWN_DESCRIPTORS + 2), "{limit}: {room:?}");
        }
        assert!(Room::within(65_536).for_devices(12_000) == 12_000);
    }
}
