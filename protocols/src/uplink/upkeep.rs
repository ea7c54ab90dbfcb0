//! What staff do to keep a site going: entries that were set aside, and devices that are tried out.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::id::{ActorId, DeviceId};

/// Body of `entry.sent_again`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntrySentAgainBody {
    /// The number of the entry that the centre had not taken.
    pub n: u64,
    /// Who wants it to be sent again.
    pub by: ActorId,
    /// The centre's reason of before.
    pub reason: Option<String>,
}

/// What came of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestResult {
    /// A report came in and the centre has it.
    Passed,
    /// A report came in; within the test's time the centre did not have it.
    NotAtCentre,
    /// Nothing came in.
    NothingCame,
    /// The gateway was started anew before anything came in.
    Interrupted,
}

/// Body of `device.tested`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceTestedBody {
    /// The device.
    pub device: DeviceId,
    /// Who tried it.
    pub by: ActorId,
    /// What came of it.
    pub result: TestResult,
    /// The kind of the first report that came in.
    pub kind: Option<String>,
    /// Milliseconds from its arrival until it was durable here.
    pub durable_ms: Option<u64>,
    /// Milliseconds from its arrival until the centre had it.
    pub centre_ms: Option<u64>,
}
