//! Every bound of the test site, with its reason.

use std::ops::Range;
use std::time::Duration;

/// How long a program may take from its start to `/readyz`. A debug build needs well below a second; a loaded test machine
/// gets much more.
pub const READY: Duration = Duration::from_secs(30);

/// How long a program that does one thing and ends may take: a debug build verifies some 100,000 entries meanwhile.
pub const TOOL: Duration = Duration::from_secs(30);

/// Pause between two looks at something outside that cannot wake us.
pub const POLL: Duration = Duration::from_millis(10);

/// How long one HTTP request may take; above every wait inside both services.
pub const HTTP: Duration = Duration::from_secs(20);

/// How long a device waits for its CONNACK and for the PUBACK of one report.
pub const ACKNOWLEDGED: Duration = Duration::from_secs(20);

/// Ports of sites: below those that the system gives to outgoing connections, so that a program that is restarted finds its port
/// free.
pub const PORTS: Range<u16> = 20_000..32_000;

/// Lines of each log that a failed test shows; the whole log is named beside them.
pub const LOG_LINES_SHOWN: usize = 120;

/// Reports that one connection has under way at most; the client library's own limit is 100.
pub const WINDOW_MAX: usize = 100;

/// Pause before a device that was cut off tries again.
pub const RECONNECT: Duration = Duration::from_millis(20);

/// Requests that wait for the client's event loop: a window, subscriptions and room.
pub const CLIENT_QUEUE: usize = 2 * WINDOW_MAX;

/// Readings of the account at most: a gateway that records something of its own meanwhile is read again.
pub const READINGS_MAX: u32 = 5;

/// Broken promises that one account names; more say nothing new.
pub const FINDINGS_MAX: usize = 50;
