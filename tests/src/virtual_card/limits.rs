//! Every bound of the virtual reader, with its reason.

use std::time::Duration;

/// Exchanges kept per slot; a purchase has about ten, the longest fault round a few thousand. Older ones are dropped and counted.
pub const TRACE_LEN_MAX: usize = 20_000;

/// Pause between two tries to reach vpcd while pcscd is away.
pub const RECONNECT: Duration = Duration::from_millis(20);

/// How often a mute card looks whether anybody still waits for it.
pub const MUTE_LOOK: Duration = Duration::from_millis(50);

/// How long a slot without a chip sleeps when nothing wakes it.
pub const IDLE: Duration = Duration::from_secs(60);

/// How long pcscd may take from its start to its socket. It takes about 10 ms; a loaded test machine gets much more.
pub const PCSCD_READY: Duration = Duration::from_secs(20);

/// Pause between two looks at something outside that cannot wake us (a socket file of pcscd).
pub const POLL: Duration = Duration::from_millis(5);

/// The longest path that a Unix socket takes (`sun_path` is 108 bytes with its end mark).
pub const SOCKET_PATH_LEN_MAX: usize = 107;

/// Records in the card's transaction log, as on the cards in use.
pub const LOG_LEN: usize = 10;

/// Exchanges that wait to be printed by the program; a terminal that stands still loses the rest, and `trace` still has them.
pub const PRINT_QUEUE_LEN: usize = 1_000;
