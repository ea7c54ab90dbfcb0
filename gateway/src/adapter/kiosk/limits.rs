//! Every bound of the local interface, with its reason.

/// The longest body of a request, bytes: twenty lines of a sale need 1,400.
pub const BODY_LEN_MAX: usize = 16 * 1024;
/// The most bytes of a request's head: a browser on one machine sends about 1,000.
pub const HEAD_LEN_MAX: usize = 16 * 1024;
/// Connections at a time: a handful of pages with six each, monitoring, and room.
pub const CONNECTIONS_MAX: usize = 128;
/// How long a client may take for the head of a request; ends idle and dawdling connections.
pub const HEAD_WAIT_MS: u64 = 30_000;
/// How long a request may take from its head to its answer: above every wait inside it.
pub const REQUEST_WAIT_MS: u64 = 15_000;
/// How long a person's wish waits for the core: a commit on a slow disk (5 s) and room.
pub const REPLY_WAIT_MS: u64 = 8_000;
/// How long a read waits for the core.
pub const VIEW_WAIT_MS: u64 = 5_000;
/// Wishes that may wait for an answer at a time: more than people who can stand at one centre's screens.
pub const WAITERS_MAX: usize = 64;
/// Questions to the core under way at a time.
pub const QUERIES_MAX: usize = 64;
/// Pages that may listen to events at a time.
pub const EVENT_STREAMS_MAX: usize = 32;
/// Notices that a slow page may lag behind before it is told to load everything anew.
pub const NOTICES_KEPT: usize = 256;
/// Seconds between signs of life on an event stream, so that a page notices a dead line.
pub const EVENT_KEEP_ALIVE_S: u64 = 10;
/// How long one event stream lives, so that an ended session loses its stream too; the page connects again by itself.
pub const EVENT_STREAM_S: u64 = 3_600;
/// Staff sessions at a time; the oldest ends.
pub const SESSIONS_MAX: usize = 64;
/// Minutes of a shift break after which a staff session ends: a screen left alone.
pub const SESSION_IDLE_S: u64 = 30 * 60;
/// The longest staff session: one long shift.
pub const SESSION_AGE_S: u64 = 12 * 3_600;
/// Wrong PINs before the first lock: people mistype.
pub const PIN_TRIES_FREE: u32 = 5;
/// The first lock, seconds; each further wrong PIN doubles it.
pub const PIN_LOCK_S_FIRST: u64 = 30;
/// The longest lock, seconds: 96 tries a day against a million PINs, and a nurse who mistyped is not shut out for the shift.
pub const PIN_LOCK_S_MAX: u64 = 15 * 60;
/// The shortest and longest PIN, digits.
pub const PIN_LEN_MIN: usize = 6;
/// See [`PIN_LEN_MIN`].
pub const PIN_LEN_MAX: usize = 12;
/// The longest credentials or lock file that is read, bytes.
pub const CREDENTIALS_LEN_MAX: u64 = 256 * 1024;
/// How long the end of the daemon waits for open requests.
pub const CLOSE_WAIT_MS: u64 = 5_000;
/// Pause after the system had no file handle for a connection.
pub const ACCEPT_PAUSE_MS: u64 = 100;
/// Refused requests, and as many refused reports of devices, that staff can look back on.
pub const REFUSALS_KEPT: usize = 100;
/// First and longest pause before an address that is taken is tried again: people wait before a dark screen, and a try
/// costs nothing.
pub const BIND_PAUSE_MS_MIN: u64 = 250;
/// See [`BIND_PAUSE_MS_MIN`].
pub const BIND_PAUSE_MS_MAX: u64 = 5_000;
