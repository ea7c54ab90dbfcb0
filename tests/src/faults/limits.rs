//! Every bound of the fault proxies, with its reason.

use std::time::Duration;

/// Bytes passed on at once: as much as one read of a socket gives.
pub const CHUNK_LEN: usize = 16 * 1024;
/// With a limited bandwidth, bytes go on so often; shorter steps cost time of the machine and look the same.
pub const BANDWIDTH_STEP: Duration = Duration::from_millis(50);
/// Bytes of one request that the HTTP proxy reads: above every bound of the uplink.
pub const REQUEST_LEN_MAX: usize = 16 * 1024 * 1024;
/// How long the HTTP proxy waits for the real centre: longer than any poll.
pub const ANSWER_WAIT: Duration = Duration::from_secs(90);
/// Bytes of a mutated string: above every bound of the parsers that are tried, and small enough for millions.
pub const MUTATED_LEN_MAX: usize = 16 * 1024;
/// How deep a mutation nests: above the 128 of the JSON parser.
pub const NESTED_MAX: u64 = 200;
