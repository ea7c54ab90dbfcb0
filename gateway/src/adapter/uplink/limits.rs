//! Every bound of the uplink, with its reason. Deadlines are the defaults of [`Deadlines`](super::Deadlines).

/// To a connection with TLS, in milliseconds: three tries of a TCP handshake, then the next address.
pub const CONNECT_MS: u64 = 5_000;
/// One upload on one address, first byte to last: 512 KiB on a line of 0.3 Mbit/s.
pub const UPLOAD_MS: u64 = 20_000;
/// An alarm without an answer for so long goes out on the next path in parallel (DESIGN.md section 7).
pub const ALARM_SECOND_PATH_MS: u64 = 10_000;
/// An alarm on one path; with the second path in parallel an exchange ends within 30 s.
pub const ALARM_MS: u64 = 20_000;
/// An alarm's exchange that has had no answer for so long counts as stalled: a further alarm begins with another address.
/// A slow answer over a mobile line takes less.
pub const ALARM_STALLED_MS: u64 = 2_000;
/// A hold without an answer for so long goes out on the next path in parallel: the elder stands there, and the whole
/// of [`HOLD_WAIT_MS`](gateway_core::limits::HOLD_WAIT_MS) must leave room for it.
pub const HOLD_SECOND_PATH_MS: u64 = 3_000;
/// What is in an account, asked while somebody looks at the screen: then it shows the purse alone, and asks anew at the next
/// look.
pub const BALANCE_MS: u64 = 4_000;
/// How long the centre keeps a poll open, in seconds: below the idle limits of middle boxes (30 s and more).
pub const ORDER_WAIT_S: u64 = 25;
/// What a poll may take beyond its wait.
pub const ORDER_MARGIN_MS: u64 = 5_000;
/// The longest deadline that may be set: half an hour is no deadline any more, five minutes are long.
pub const DEADLINE_MS_MAX: u64 = 300_000;
/// The longest wait of a poll that may be set, in seconds: below the minute after which usual proxies cut a silent one.
pub const ORDER_WAIT_S_MAX: u64 = 55;
/// A name look-up; then the address that answered last is taken.
pub const LOOKUP_MS: u64 = 2_000;

/// Addresses of the centre: more would make one exchange last minutes.
pub const ADDRESSES_MAX: usize = 4;

/// Bytes of entries in one upload of alarms: gone in 2 s on a line of 0.3 Mbit/s.
pub const ALARM_UPLOAD_BYTES_MAX: usize = 64 * 1024;
/// Bytes of entries in one upload of the other lanes: within [`UPLOAD_MS`] on a slow line.
pub const UPLOAD_BYTES_MAX: usize = 512 * 1024;
/// Bytes of an answer to uploads and holds: 500 results with their reasons, ten times over.
pub const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of a page of orders: a hotlist of 100,000 cards.
pub const ORDERS_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bytes kept of a reason that the centre gives: a line on the staff page.
pub const REASON_LEN_MAX: usize = 200;
/// The longest `Retry-After` that is obeyed: an hour; beyond it a mistake there would silence a gateway for days.
pub const RETRY_AFTER_MS_MAX: u64 = 3_600_000;
/// The longest `Retry-After` that is obeyed for alarms and orders about them: some relief for a centre in distress, but
/// no centre postpones an alarm.
pub const ALARM_RETRY_AFTER_MS_MAX: u64 = 10_000;
/// Bytes of a token.
pub const TOKEN_LEN_MIN: usize = 16;
/// See [`TOKEN_LEN_MIN`].
pub const TOKEN_LEN_MAX: usize = 512;
/// Bytes of a token, certificate or key file.
pub const SECRET_FILE_LEN_MAX: u64 = 256 * 1024;

/// Uploads and polls waiting in one lane: the core has one under way in each, of alarms
/// [`ALARM_UPLOADS_MAX`](gateway_core::limits::ALARM_UPLOADS_MAX).
pub const LANE_QUEUE_LEN: usize = 4;
/// Alarms waiting to go out without a journal: every device of a large site at once.
pub const DIRECT_QUEUE_LEN: usize = 256;
/// Direct alarms under way at once.
pub const DIRECT_CONCURRENT: usize = 8;
/// Holds waiting: one for each kiosk, and a few that were given up.
pub const HOLD_QUEUE_LEN: usize = 32;
/// Holds under way at once: one slow hold does not delay another kiosk's.
pub const HOLD_CONCURRENT: usize = 8;

/// Silence on a connection before it is probed, in milliseconds; three probes at [`KEEPALIVE_INTERVAL_MS`] find a peer
/// that vanished within 30 s.
pub const KEEPALIVE_MS: u64 = 10_000;
/// Between probes.
pub const KEEPALIVE_INTERVAL_MS: u64 = 5_000;
/// Probes without an answer that end a connection.
pub const KEEPALIVE_RETRIES: u32 = 3;
/// Sent bytes without an acknowledgement for so long end a connection.
pub const TCP_USER_TIMEOUT_MS: u64 = 20_000;
/// An idle connection is kept for so long: longer than between two heartbeats of a quiet site costs nothing, but middle
/// boxes forget it.
pub const IDLE_CONNECTION_MS: u64 = 60_000;
/// Idle connections kept by one lane for one address: one exchange at a time needs one; further ones are opened anew.
pub const IDLE_CONNECTIONS_MAX: usize = 1;

/// An exchange that is under way at shutdown may end within this time; polls end at once.
pub const SHUTDOWN_GRACE_MS: u64 = 2_000;
