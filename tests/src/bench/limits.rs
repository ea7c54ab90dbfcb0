//! Every bound of the measurements, with its reason.

use std::time::Duration;

/// How long all devices may take to log in: ten thousand TLS handshakes on one thread.
pub const CONNECT_WITHIN: Duration = Duration::from_secs(120);
/// Devices that log in at once: the door lets 256 strangers of one address stand before it.
pub const GREETINGS_AT_ONCE: usize = 128;
/// How long what is under way may take at the end of a measurement.
pub const DRAIN_WITHIN: Duration = Duration::from_secs(60);
/// How long a backlog may take to reach the centre.
pub const DELIVER_WITHIN: Duration = Duration::from_secs(120);
/// Seconds for each measurement, unless told otherwise.
pub const SECONDS: u64 = 5;
/// The most that may be asked for.
pub const SECONDS_MAX: u64 = 60;
/// How often each figure is measured: its median and spread are shown.
pub const ROUNDS: usize = 3;
/// Before a measurement, so that the queues are as full as they stay.
pub const WARM_UP: Duration = Duration::from_millis(500);
/// Before memory is read, so that what was used only to get there is given back.
pub const REST: Duration = Duration::from_secs(2);
