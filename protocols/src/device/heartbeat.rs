//! The heartbeat: a device is alive, and how it fares.

use heapless::{String, Vec};
use serde::{Deserialize, Serialize};

use crate::id::DeviceEpoch;

/// The longest firmware version, in bytes.
pub const FIRMWARE_LEN_MAX: usize = 24;
/// The longest word (reset cause, fault name), in bytes.
pub const WORD_LEN_MAX: usize = 24;
/// The most faults in one heartbeat.
pub const FAULTS_MAX: usize = 8;

/// A sign of life, device to gateway; the first publish after each connect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Format version.
    pub v: u8,
    /// Set anew at each provisioning.
    #[serde(default)]
    pub epoch: DeviceEpoch,
    /// Boot count.
    #[serde(default)]
    pub boot: Option<u32>,
    /// Milliseconds since boot.
    #[serde(default)]
    pub up_ms: Option<u64>,
    /// Battery voltage, millivolts; absent is unknown, not well.
    #[serde(default)]
    pub battery_mv: Option<u16>,
    /// Signal strength, dBm.
    #[serde(default)]
    pub rssi_dbm: Option<i16>,
    /// Version of the firmware.
    #[serde(default)]
    pub firmware: Option<String<FIRMWARE_LEN_MAX>>,
    /// Cause of the last reset.
    #[serde(default)]
    pub reset: Option<String<WORD_LEN_MAX>>,
    /// Reports that wait in the device for an acknowledgement.
    #[serde(default)]
    pub stored: u32,
    /// Reports that the device had to give up since its provisioning.
    #[serde(default)]
    pub lost: u32,
    /// Version of the settings in force.
    #[serde(default)]
    pub settings: u32,
    /// Faults that stand.
    #[serde(default)]
    pub faults: Vec<String<WORD_LEN_MAX>, FAULTS_MAX>,
}
