//! Journal entries and what the centre says of them.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::origin::Origin;

/// Bytes of a hash of the chain: SHA-256.
pub const HASH_LEN: usize = 32;

/// Whether the recording clock could be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// Synchronised since boot, and not below the last time that was recorded.
    Trusted,
    /// Anything else.
    Untrusted,
}

/// The kinds of entries that a gateway of this version writes. A centre keeps kinds it does not know.
pub mod kind {
    /// An alarm; body [`AlarmBody`](super::super::AlarmBody).
    pub const ALARM_RAISED: &str = "alarm.raised";
    /// A further press on an open alarm, named in `about`; body [`AlarmBody`](super::super::AlarmBody).
    pub const ALARM_REPEATED: &str = "alarm.repeated";
    /// The elder took an alarm back; it stays open until a person closes it. Body [`AlarmBody`](super::super::AlarmBody).
    pub const ALARM_CANCELLED: &str = "alarm.cancelled";
    /// An alarm reached its gateway late: how long before; body [`AlarmDatedBody`](super::super::AlarmDatedBody).
    pub const ALARM_DATED: &str = "alarm.dated";
    /// A person took an open alarm a step further; body [`AlarmStepBody`](super::super::AlarmStepBody).
    pub const ALARM_STATE: &str = "alarm.state";
    /// A report that is no alarm (test, service, restored …); body [`DeviceReportBody`](super::super::DeviceReportBody).
    pub const DEVICE_REPORTED: &str = "device.reported";
    /// A change in a device's supervision; body [`DeviceStateBody`](super::super::DeviceStateBody).
    pub const DEVICE_STATE: &str = "device.state";
    /// A report that was not taken, with its reason; body [`ReportRefusedBody`](super::super::ReportRefusedBody).
    pub const REPORT_REFUSED: &str = "report.refused";
    /// A card is about to be charged; body [`SaleIntentBody`](super::super::SaleIntentBody).
    pub const SALE_INTENT: &str = "sale.intent";
    /// What became of a sale, named in `about`; body [`SaleOutcomeBody`](super::super::SaleOutcomeBody).
    pub const SALE_OUTCOME: &str = "sale.outcome";
    /// What became of an order; body [`OrderResultBody`](super::super::OrderResultBody).
    pub const ORDER_RESULT: &str = "order.result";
    /// Staff gave an entry that the centre had not taken back to its lane; body [`EntrySentAgainBody`](super::super::EntrySentAgainBody).
    pub const ENTRY_SENT_AGAIN: &str = "entry.sent_again";
    /// Staff tried a device out; body [`DeviceTestedBody`](super::super::DeviceTestedBody).
    pub const DEVICE_TESTED: &str = "device.tested";
}

/// One fact, as the gateway records it. Encoded once; the bytes are hashed, stored and sent as they are.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    /// Format version.
    pub v: u8,
    /// The identity that the fact got where it arose.
    pub origin: Origin,
    /// What kind of fact.
    pub kind: String,
    /// The origin of the fact that this one speaks of.
    pub about: Option<Origin>,
    /// Civil time of recording with offset, RFC 3339.
    pub recorded_at: String,
    /// Whether that time could be trusted.
    pub clock: Clock,
    /// The fact itself; its shape goes by `kind`.
    pub body: Box<RawValue>,
}

impl Entry {
    /// The body as a typed value.
    ///
    /// # Errors
    /// The body is not of that shape.
    pub fn body_as<'a, T: Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.body.get())
    }
}

/// Personal data beside an entry, never in it: the body's `private_hmac` = HMAC-SHA256(`salt`, `bytes`).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrivateRecord {
    /// Random salt, 32 bytes as hex.
    pub salt: String,
    /// The exact text that was hashed.
    pub bytes: String,
}

impl core::fmt::Debug for PrivateRecord {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("PrivateRecord(..)")
    }
}

/// One entry on its way to the centre.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryUpload {
    /// Its number in the journal; absent for an alarm that no disk would take.
    pub n: Option<u64>,
    /// The exact bytes that were hashed.
    pub entry: String,
    /// `hash(n)` = SHA-256(`hash(n-1)` ‖ bytes) as hex; empty where `n` is absent.
    pub hash: String,
    /// Personal data that belongs to it.
    pub private: Option<PrivateRecord>,
}

/// Body of `POST /v1/gateways/{gateway}/entries`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uploads {
    /// Format version.
    pub v: u8,
    /// The journal's id.
    pub journal: String,
    /// The entries, ascending by `n`.
    pub entries: Vec<EntryUpload>,
}

/// What the centre did with one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Taken.
    Accepted,
    /// Was taken before.
    Duplicate,
    /// The key was taken with another body; kept for people to see.
    Conflict,
    /// Can never be taken; `reason` says why.
    Refused,
}

impl Outcome {
    /// Whether the entry counts as delivered.
    #[must_use]
    pub const fn is_delivered(self) -> bool {
        matches!(self, Self::Accepted | Self::Duplicate)
    }
}

/// The result of one entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadResult {
    /// The entry's number; absent as it was sent.
    pub n: Option<u64>,
    /// What the centre did.
    pub outcome: Outcome,
    /// Why, where it was not taken.
    pub reason: Option<String>,
}

/// The end of the gapless, verified prefix of a journal at the centre.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The last number of the prefix.
    pub n: u64,
    /// Its hash, hex.
    pub hash: String,
    /// The centre's signature, where it signs.
    pub signature: Option<String>,
}

/// Answer to [`Uploads`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Results {
    /// Format version.
    pub v: u8,
    /// One result for each entry, in the order sent.
    pub results: Vec<UploadResult>,
    /// The verified prefix.
    pub head: Option<Head>,
}
