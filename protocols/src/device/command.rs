//! Commands, gateway to device. They are states, not steps: sent again, or by another gateway, they do no harm.

use heapless::Vec;
use serde::{Deserialize, Serialize};

use crate::id::{DeviceEpoch, Seq};
use crate::version;

/// The most sequence numbers in one command; of an alarm with more presses the newest are named.
pub const SEQS_PER_COMMAND_MAX: usize = 32;

/// How far an alarm has come; forward only.
///
/// ```text
/// raised -> accepted -> acknowledged -> dispatched -> on_site -> resolved
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmState {
    /// Durable on the gateway.
    Raised,
    /// Accepted by the centre.
    Accepted,
    /// A person has seen it.
    Acknowledged,
    /// Somebody was sent.
    Dispatched,
    /// Somebody is there.
    OnSite,
    /// Closed by a person, with a cause.
    Resolved,
}

impl AlarmState {
    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Accepted => "accepted",
            Self::Acknowledged => "acknowledged",
            Self::Dispatched => "dispatched",
            Self::OnSite => "on_site",
            Self::Resolved => "resolved",
        }
    }
}

/// The state of an alarm that the device raised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmCommand {
    /// The epoch of the reports.
    pub epoch: DeviceEpoch,
    /// The reports that were folded into the alarm.
    pub seqs: Vec<Seq, SEQS_PER_COMMAND_MAX>,
    /// How far the alarm has come.
    pub state: AlarmState,
}

/// Settings for the device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsCommand {
    /// Grows with each change; a device takes only newer ones.
    pub version: u32,
    /// Seconds between heartbeats.
    pub heartbeat_s: u32,
}

/// A command; one of the two parts is present.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Format version.
    pub v: u8,
    /// The state of an alarm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarm: Option<AlarmCommand>,
    /// Settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<SettingsCommand>,
}

impl Command {
    /// A command that tells the state of an alarm.
    #[must_use]
    pub const fn alarm(alarm: AlarmCommand) -> Self {
        Self { v: version::CURRENT, alarm: Some(alarm), settings: None }
    }

    /// A command that sets the device.
    #[must_use]
    pub const fn settings(settings: SettingsCommand) -> Self {
        Self { v: version::CURRENT, alarm: None, settings: Some(settings) }
    }
}
