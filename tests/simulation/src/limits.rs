//! Every bound of the simulator, with its reason. Times are virtual milliseconds.

use std::ops::Range;

/// How long faults last in one run: several heartbeats, back-offs at their longest and restarts fit in.
pub const FAULTY_MS: u64 = 180_000;
/// How long a run may take to come to rest after the last fault: the longest back-off, twice, and a poll.
pub const REST_MS: u64 = 120_000;
/// Gateways in one run.
pub const GATEWAYS: Range<u64> = 1..4;
/// Buttons in one run.
pub const BUTTONS: Range<u64> = 1..6;
/// From one press of a button to the next.
pub const PRESS_MS: Range<u64> = 20..30_000;
/// One way through a network that works.
pub const LATENCY_MS: Range<u64> = 1..400;
/// One commit.
pub const COMMIT_MS: Range<u64> = 1..60;
/// One look into the journal.
pub const LOOK_UP_MS: Range<u64> = 0..30;
/// The adapter's deadline of one request to the centre.
pub const DEADLINE_MS: u64 = 10_000;
/// How long the centre keeps a poll that has nothing to give: shorter than the real one's, so that an order waits little.
pub const POLL_MS: u64 = 1_000;
/// From the end of a process to its next start.
pub const DOWN_MS: Range<u64> = 10..20_000;
/// How long a disk takes nothing.
pub const DEAD_MS: Range<u64> = 1_000..60_000;
/// Of so many starts one finds a disk that takes nothing.
pub const DEAD_OF: u64 = 6;
/// From one fault of a kind to the next, where the dice choose that kind.
pub const FAULT_MS: Range<u64> = 500..40_000;
/// From the cut of a button's connection to its next try.
pub const RECONNECT_MS: Range<u64> = 5..8_000;
/// From one deed of a person to the next.
pub const PERSON_MS: Range<u64> = 200..20_000;
/// Events after which a run is given up: a core that makes work without end.
pub const EVENTS_MAX: u64 = 2_000_000;
/// Broken promises that one run names; more say nothing new.
pub const FINDINGS_MAX: usize = 20;
