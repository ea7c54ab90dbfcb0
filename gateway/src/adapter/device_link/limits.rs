//! Every bound of the device link, with its reason.

use std::time::Duration;

/// The largest MQTT packet that is read, in bytes: a payload that is too long by some is still read, so that its device
/// gets an answer and the refusal a sample; anything larger is not a mistake of one of our devices.
pub const PACKET_LEN_MAX: u32 = 8 * 1024;
/// Publishes of one connection that may wait for their acknowledgement; then reading pauses. A resending device has a
/// handful; a bridge with many sensors fills a group commit with this.
pub const UNACKED_MAX: u16 = 256;
/// Publishes of QoS 0 of one connection at once, then one every [`QOS_0_REFILL`]; reading pauses meanwhile. Nothing else
/// slows them down, since they wait for no acknowledgement; a heartbeat comes once in minutes or hours.
pub const QOS_0_BURST: u32 = 256;
/// See [`QOS_0_BURST`].
pub const QOS_0_REFILL: Duration = Duration::from_millis(5);
/// Commands to one device that may be under way; a button handles one at a time.
pub const COMMANDS_IN_FLIGHT_MAX: usize = 8;
/// Commands to one device that may wait behind those; a connection whose device lets more pile up is ended, and the core
/// sends the open ones again at the next.
pub const COMMANDS_WAITING_MAX: usize = 64;
/// Bytes read at once; one buffer for each worker thread, not for each connection.
pub const READ_BUFFER_LEN: usize = 16 * 1024;
/// Topic filters in one SUBSCRIBE that are looked at; a device has one.
pub const FILTERS_MAX: usize = 16;

/// Connections in all, unless the settings say otherwise: 10,000 devices and some that come back before they are missed.
pub const CONNECTIONS_MAX_DEFAULT: usize = 12_000;
/// Connections from one address, unless the settings say otherwise: a flat behind one router has dozens, a test bench
/// thousands.
pub const CONNECTIONS_PER_ADDRESS_MAX_DEFAULT: usize = 4_096;
/// Connections in all that have not logged in yet: each can hold memory and a descriptor for [`GREETING_TIMEOUT`].
pub const STRANGERS_MAX: usize = 1_024;
/// Connections from one address that have not logged in yet, so that one host cannot use up [`STRANGERS_MAX`].
pub const STRANGERS_PER_ADDRESS_MAX: usize = 256;
/// Addresses whose failed logins are counted each on its own; those beyond share one count.
pub const ADDRESSES_MAX: usize = 4_096;

/// Failed logins of one address that are answered and reported at once; after that one every [`FAILURE_REFILL`].
/// A right secret is let in always: behind one address there may be more than the one who guesses.
pub const FAILURES_BURST: u32 = 10;
/// See [`FAILURES_BURST`].
pub const FAILURE_REFILL: Duration = Duration::from_secs(5);
/// Connects of one device at once, then one every [`CONNECT_REFILL`]: a device on the edge of its radio cell comes back
/// often, one that comes back a hundred times a second is broken.
pub const CONNECTS_BURST: u32 = 30;
/// See [`CONNECTS_BURST`].
pub const CONNECT_REFILL: Duration = Duration::from_millis(200);
/// Refusals of strangers that are reported at once, then one every [`STRANGER_REFILL`]; all are counted. Each report
/// becomes a record on disk, which nobody without an identity may fill.
pub const STRANGER_REPORTS_BURST: u32 = 20;
/// See [`STRANGER_REPORTS_BURST`].
pub const STRANGER_REFILL: Duration = Duration::from_secs(10);

/// How long a connection may take from its start to a complete CONNECT, the TLS handshake included.
pub const GREETING_TIMEOUT: Duration = Duration::from_secs(10);
/// Silence after which a connection without keep-alive is ended: longer than the longest time after which a device
/// counts as silent by default, so that supervision notices first.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(4 * 3600);
/// How long a peer may refuse to take bytes.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection that we end stays half open, so that the peer reads why.
pub const LINGER_TIMEOUT: Duration = Duration::from_millis(500);
/// Bytes that are read and thrown away meanwhile.
pub const LINGER_LEN_MAX: usize = 64 * 1024;
/// How long acknowledgements that are under way may take at shutdown: a group commit on a slow disk.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(3);
/// Pauses after a failed accept (too many open files): first and longest.
pub const ACCEPT_PAUSE_MIN: Duration = Duration::from_millis(20);
/// See [`ACCEPT_PAUSE_MIN`].
pub const ACCEPT_PAUSE_MAX: Duration = Duration::from_secs(1);
/// First and longest pause before an address that is taken is tried again: a press at this moment has nowhere to go.
pub const BIND_PAUSE_MIN: Duration = Duration::from_millis(100);
/// See [`BIND_PAUSE_MIN`].
pub const BIND_PAUSE_MAX: Duration = Duration::from_secs(2);
/// Connections that the kernel holds ready for us: all devices of a building come back at once after a power cut.
pub const BACKLOG: u32 = 1_024;
