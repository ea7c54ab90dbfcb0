//! The event report: one press, fall, smoke, test, told by a device to its gateway.

use core::fmt;

use heapless::String;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::{DeviceEpoch, Seq};

/// The longest kind that is kept of a kind nobody knows, in bytes; the rest is cut.
pub const KIND_LEN_MAX: usize = 24;
/// The longest detail, in bytes.
pub const DETAIL_LEN_MAX: usize = 128;

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// The emergency button.
    Sos,
    /// The elder takes an alarm back; never closes it by itself. `of` names it.
    Cancel,
    /// A fall detector.
    Fall,
    /// A pull cord.
    PullCord,
    /// Smoke.
    Smoke,
    /// Combustible gas.
    Gas,
    /// Carbon monoxide.
    Co,
    /// Water on the floor.
    Water,
    /// Out of bed for too long.
    BedExit,
    /// No sign of activity for too long.
    Inactivity,
    /// Left the safe area.
    Wander,
    /// The housing was opened.
    Tamper,
    /// The battery is low.
    LowBattery,
    /// Mains power is gone.
    MainsLost,
    /// Mains power is back.
    MainsRestored,
    /// What `of` reported is over.
    Restored,
    /// The device found a fault in itself.
    Fault,
    /// The green button: the person would like to order something.
    Service,
    /// A test press or an automatic test.
    Test,
    /// A kind that this version does not know, cut to [`KIND_LEN_MAX`] bytes; it raises an urgent alarm.
    Unknown(String<KIND_LEN_MAX>),
}

/// Every known kind with its name on the wire.
const NAMES: [(Kind, &str); 19] = [
    (Kind::Sos, "sos"),
    (Kind::Cancel, "cancel"),
    (Kind::Fall, "fall"),
    (Kind::PullCord, "pull_cord"),
    (Kind::Smoke, "smoke"),
    (Kind::Gas, "gas"),
    (Kind::Co, "co"),
    (Kind::Water, "water"),
    (Kind::BedExit, "bed_exit"),
    (Kind::Inactivity, "inactivity"),
    (Kind::Wander, "wander"),
    (Kind::Tamper, "tamper"),
    (Kind::LowBattery, "low_battery"),
    (Kind::MainsLost, "mains_lost"),
    (Kind::MainsRestored, "mains_restored"),
    (Kind::Restored, "restored"),
    (Kind::Fault, "fault"),
    (Kind::Service, "service"),
    (Kind::Test, "test"),
];

impl Kind {
    /// The kind that a name on the wire stands for.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        for (kind, known) in &NAMES {
            if *known == name {
                return kind.clone();
            }
        }
        let mut kept = String::new();
        // A control character is replaced, not left out: what is left could be the name of a known kind.
        for c in name.chars().map(|c| if c.is_control() { '?' } else { c }) {
            if kept.push(c).is_err() {
                break;
            }
        }
        Self::Unknown(kept)
    }

    /// The name on the wire.
    #[must_use]
    pub fn name(&self) -> &str {
        if let Self::Unknown(name) = self {
            return name;
        }
        NAMES.iter().find(|(kind, _)| kind == self).map_or("unknown", |(_, name)| name)
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

struct KindVisitor;

impl Visitor<'_> for KindVisitor {
    type Value = Kind;
    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("the name of an event kind")
    }
    fn visit_str<E: de::Error>(self, name: &str) -> Result<Kind, E> {
        Ok(Kind::from_name(name))
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(KindVisitor)
    }
}

/// A report of one event, device to gateway, QoS 1. Resends are byte-identical.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventReport {
    /// Format version.
    pub v: u8,
    /// Set anew at each provisioning of the device.
    #[serde(default)]
    pub epoch: DeviceEpoch,
    /// Grows with each report, over reboots too.
    pub seq: Seq,
    /// What happened.
    pub kind: Kind,
    /// Boot count when it happened.
    #[serde(default)]
    pub boot: Option<u32>,
    /// Milliseconds since that boot when it happened.
    #[serde(default)]
    pub up_ms: Option<u64>,
    /// The device's own idea of the time, Unix milliseconds; only recorded.
    #[serde(default)]
    pub at: Option<i64>,
    /// Battery voltage, millivolts; absent is unknown, not well.
    #[serde(default)]
    pub battery_mv: Option<u16>,
    /// Signal strength, dBm.
    #[serde(default)]
    pub rssi_dbm: Option<i16>,
    /// The sequence number that `cancel` and `restored` speak of.
    #[serde(default)]
    pub of: Option<Seq>,
    /// A short word of the device's own, such as the fault's name.
    #[serde(default)]
    pub detail: Option<String<DETAIL_LEN_MAX>>,
}
