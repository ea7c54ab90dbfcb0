//! Bodies of the entries about alarms and devices.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::origin::Origin;
use crate::device::AlarmState;
use crate::id::{ActorId, DeviceEpoch, DeviceId, Seq};

/// How soon somebody has to act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Urgency {
    /// A test: nobody has to.
    Test,
    /// Something is broken.
    Technical,
    /// A wish, such as the green button's: somebody should ask when there is time.
    Request,
    /// A person should be asked soon.
    Urgent,
    /// A life may hang on it.
    Emergency,
}

/// Body of `alarm.raised`, `alarm.repeated` and `alarm.cancelled`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmBody {
    /// `sos`, `fall` …; `unknown` and `unreadable` for reports nobody understood; `conflict` for a number used twice;
    /// `storage` and the like for the gateway's own.
    pub kind: String,
    /// How soon somebody has to act.
    pub urgency: Urgency,
    /// The device it is about.
    pub device: Option<DeviceId>,
    /// Boot count when it happened.
    pub boot: Option<u32>,
    /// Milliseconds since that boot when it happened.
    pub up_ms: Option<u64>,
    /// The device's own time, Unix milliseconds; only recorded.
    pub at: Option<i64>,
    /// Battery, millivolts.
    pub battery_mv: Option<u16>,
    /// Signal strength, dBm.
    pub rssi_dbm: Option<i16>,
    /// The device's own word; of an unknown kind its name; of an unreadable payload its first bytes.
    pub detail: Option<String>,
}

/// Body of an alarm's entry with what only its gateway knows. Such an entry has an identity of the gateway's own: what
/// stands under a device's identity is the same from every gateway that hears the device. Reads as an [`AlarmBody`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnAlarmBody {
    /// The alarm.
    #[serde(flatten)]
    pub alarm: AlarmBody,
    /// Of a `conflict`: the origin of the report whose number was used twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Origin>,
    /// Of an `alarm.repeated`: how many further presses it stands for, where they came too fast for one entry each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folded: Option<u64>,
    /// Which they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub folded_seqs: Vec<FoldedSeqs>,
}

/// Reports of one epoch with consecutive numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoldedSeqs {
    /// The device's epoch.
    pub epoch: DeviceEpoch,
    /// The first number.
    pub from: Seq,
    /// The last number.
    pub to: Seq,
}

impl FoldedSeqs {
    /// One report.
    #[must_use]
    pub const fn one(epoch: DeviceEpoch, seq: Seq) -> Self {
        Self { epoch, from: seq, to: seq }
    }

    /// Whether a report is among them.
    #[must_use]
    pub fn has(&self, epoch: DeviceEpoch, seq: Seq) -> bool {
        self.epoch == epoch && (self.from..=self.to).contains(&seq)
    }
}

impl From<AlarmBody> for OwnAlarmBody {
    fn from(alarm: AlarmBody) -> Self {
        Self { alarm, report: None, folded: None, folded_seqs: Vec::new() }
    }
}

/// Body of `alarm.dated`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmDatedBody {
    /// How long before its gateway recorded it the alarm was raised, milliseconds.
    pub age_ms: u64,
    /// Boot count of the device at that time.
    pub boot: u32,
    /// Milliseconds from that boot.
    pub up_ms: u64,
}

/// Body of `alarm.state`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmStepBody {
    /// The step that was taken.
    pub state: AlarmState,
    /// Who took it.
    pub by: ActorId,
    /// The cause, when it was resolved.
    pub cause: Option<String>,
    /// Who was sent, as a person wrote it: at most [`RESPONDER_CHARS_MAX`] characters, none of them a control character.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub responder: Option<String>,
    /// In how many minutes they will be there: 1 to [`ETA_MIN_MAX`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eta_min: Option<u16>,
}

/// Characters of the name of somebody who is sent.
pub const RESPONDER_CHARS_MAX: usize = 64;

/// The most minutes after which somebody who is sent is there: four hours.
pub const ETA_MIN_MAX: u16 = 240;

/// Whether a text can name somebody who is sent.
#[must_use]
pub fn is_responder(text: &str) -> bool {
    !text.trim().is_empty() && text.chars().count() <= RESPONDER_CHARS_MAX && !text.chars().any(char::is_control)
}

/// Whether somebody who is sent can be there in so many minutes.
#[must_use]
pub fn is_eta_min(minutes: u16) -> bool {
    (1..=ETA_MIN_MAX).contains(&minutes)
}

/// Body of `device.reported`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceReportBody {
    /// `test`, `service`, `restored`, `mains_restored` …
    pub kind: String,
    /// The device.
    pub device: DeviceId,
    /// The number of the report that this one speaks of.
    pub of: Option<u64>,
    /// Boot count when it happened.
    pub boot: Option<u32>,
    /// Milliseconds since that boot when it happened.
    pub up_ms: Option<u64>,
    /// The device's own time, Unix milliseconds; only recorded.
    pub at: Option<i64>,
    /// Battery, millivolts.
    pub battery_mv: Option<u16>,
    /// Signal strength, dBm.
    pub rssi_dbm: Option<i16>,
    /// The device's own word.
    pub detail: Option<String>,
}

/// What supervision found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceTrouble {
    /// Nothing heard within the stated time.
    Silent,
    /// Heard again.
    Back,
    /// Battery below its limit.
    BatteryLow,
    /// Battery well again.
    BatteryOk,
    /// The device had to give up reports.
    LostReports,
    /// The device has a fault.
    Fault,
    /// The device's faults are over.
    FaultOver,
}

/// Body of `device.state`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceStateBody {
    /// The device.
    pub device: DeviceId,
    /// What was found.
    pub trouble: DeviceTrouble,
    /// More of it: a fault's name, a number lost, millivolts.
    pub detail: Option<String>,
}

/// Body of `report.refused`: something a device sent that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportRefusedBody {
    /// The device, where it is known.
    pub device: Option<DeviceId>,
    /// A word: `retained`, `foreign_topic`, `oversize`, `unsupported_version` …
    pub reason: String,
    /// Bytes of the payload.
    pub size: u64,
    /// The first bytes of the payload as text, capped.
    pub sample: Option<String>,
}
