//! Orders, centre to gateway, by long poll: `GET /v1/gateways/{gateway}/orders?lane=…&stream=…&after=…&wait_s=…`.
//!
//! **Invariant:** orders of a stream and lane are numbered upwards; each is answered by one `order.result` entry whose
//! `about` is `centre:{lane}` / stream / `k`.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::alarm::Urgency;
use super::origin::Origin;
use super::service::CatalogueService;
use crate::device::AlarmState;
use crate::id::{ActorId, DeviceId};
use crate::unit::Points;
use crate::uplink::SaleOutcome;

/// A lane of orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// Orders about alarms; never behind another.
    Alarms,
    /// All others.
    Other,
}

impl Lane {
    /// The value of the query parameter.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alarms => "alarms",
            Self::Other => "other",
        }
    }
}

/// The kinds of orders.
pub mod order_kind {
    /// Body [`AlarmStateOrder`](super::AlarmStateOrder); lane alarms.
    pub const ALARM_STATE: &str = "alarm.state";
    /// Body [`HotlistOrder`](super::HotlistOrder).
    pub const HOTLIST: &str = "hotlist";
    /// Body [`CatalogueOrder`](super::CatalogueOrder).
    pub const CATALOGUE: &str = "catalogue";
    /// Body [`PolicyOrder`](super::PolicyOrder).
    pub const POLICY: &str = "policy";
    /// Body [`DeviceAssignOrder`](super::DeviceAssignOrder).
    pub const DEVICE_ASSIGN: &str = "device.assign";
    /// Body [`DeviceUnassignOrder`](super::DeviceUnassignOrder).
    pub const DEVICE_UNASSIGN: &str = "device.unassign";
    /// Body [`SettingsOrder`](super::SettingsOrder).
    pub const SETTINGS: &str = "settings";
    /// Body [`SaleSettledOrder`](super::SaleSettledOrder).
    pub const SALE_SETTLED: &str = "sale.settled";
}

/// One order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Order {
    /// Its number in the stream and lane, from 1.
    pub k: u64,
    /// What is ordered.
    pub kind: String,
    /// Its shape goes by `kind`.
    pub body: Box<RawValue>,
}

/// A page of orders.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OrderPage {
    /// Format version.
    pub v: u8,
    /// The stream; another one than asked for starts anew, with a snapshot, at `k` = 1.
    pub stream: String,
    /// The orders after `after`, ascending; empty when the wait ended.
    pub orders: Vec<Order>,
}

/// A person at the centre took an alarm further.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmStateOrder {
    /// The alarm, by the origin of its `alarm.raised`.
    pub alarm: Origin,
    /// How far it has come.
    pub state: AlarmState,
    /// Who did it.
    pub by: ActorId,
    /// When, RFC 3339.
    pub at: String,
    /// The cause, when it was resolved.
    pub cause: Option<String>,
    /// When it was resolved: the further presses that it ended with, by the origins of their entries, those that this gateway
    /// told of first; the newest [`ENDED_PRESSES_MAX`]. Any other that the gateway folded into it is an alarm of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub presses: Vec<Origin>,
    /// The ended alarm that the gateway folded this alarm's first press into, where the centre ended that one without it: what
    /// the gateway folded in after that press goes with it. Absent where the press is an alarm of its own beside the others:
    /// it came to the centre while no disk took it, or by another gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<Origin>,
    /// What kind of alarm it is: its press may have gone to the centre while no disk here took it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// How soon somebody has to act.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub urgency: Option<Urgency>,
    /// When somebody was sent: who, as a person wrote it. See [`RESPONDER_CHARS_MAX`].
    ///
    /// [`RESPONDER_CHARS_MAX`]: super::RESPONDER_CHARS_MAX
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub responder: Option<String>,
    /// When somebody was sent: in how many minutes they will be there, from `at`; 1 to [`ETA_MIN_MAX`].
    ///
    /// [`ETA_MIN_MAX`]: super::ETA_MIN_MAX
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eta_min: Option<u16>,
}

/// Further presses that an order names at most: as many as a gateway keeps of one alarm.
pub const ENDED_PRESSES_MAX: usize = 32;

/// What became of a sale that the gateway left as unknown: the issuer has proved it, or people at the centre have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaleSettledOrder {
    /// The sale, by the origin of its intent.
    pub sale: Origin,
    /// [`SaleOutcome::Paid`] or [`SaleOutcome::Cancelled`]; any other is refused.
    pub outcome: SaleOutcome,
    /// When it was decided, RFC 3339.
    pub at: String,
}

/// Cards that must not pay.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HotlistOrder {
    /// Grows with each change.
    pub version: u32,
    /// Keyed hashes of the cards' serial numbers: HMAC-SHA256(`salt`, serial number as lower-case hex text), as hex.
    pub cards: Vec<String>,
    /// The key of those hashes, hex.
    pub salt: String,
}

impl core::fmt::Debug for HotlistOrder {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "HotlistOrder(version {}, {} cards)", self.version, self.cards.len())
    }
}

/// What can be ordered, and for how much.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogueOrder {
    /// Grows with each change.
    pub version: u32,
    /// The services.
    pub services: Vec<CatalogueService>,
}

/// Rules with a date from which they hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyOrder {
    /// Grows with each change.
    pub version: u32,
    /// The first day on which it holds, `YYYY-MM-DD`, civil time of the centre.
    pub from: String,
    /// The most one sale may cost, fen.
    pub sale_max: Points,
}

/// A device now belongs to this gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceAssignOrder {
    /// The device.
    pub device: DeviceId,
    /// Seconds without a sign after which it counts as silent.
    pub silent_after_s: u32,
}

/// A device no longer belongs to this gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceUnassignOrder {
    /// The device.
    pub device: DeviceId,
}

/// Settings for one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsOrder {
    /// The device.
    pub device: DeviceId,
    /// Grows with each change.
    pub version: u32,
    /// Seconds between heartbeats.
    pub heartbeat_s: u32,
}

/// What a gateway did with an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderVerdict {
    /// In force.
    Done,
    /// Was in force before, or something newer is.
    Stale,
    /// Not understood or not possible; `reason` says why.
    Refused,
}

/// Body of `order.result`; `about` names the order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderResultBody {
    /// The order's kind.
    pub kind: String,
    /// What was done.
    pub verdict: OrderVerdict,
    /// Why it was refused.
    pub reason: Option<String>,
}
