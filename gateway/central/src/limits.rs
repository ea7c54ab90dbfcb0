//! Every bound of the centre, with its reason.

use std::time::Duration;

/// Entries in one upload. A commit takes a few milliseconds of work per thousand, and an alarm waits for one commit.
pub const ENTRIES_PER_UPLOAD_MAX: usize = 2_000;
/// Entries of an upload that may wait that go into one commit: an alarm that comes meanwhile waits for one part, a few
/// milliseconds. With parts of 100 each entry costs half as much again, since every commit writes its pages of the index by origin.
pub const ENTRIES_PER_PART: usize = 250;
/// Bytes of one upload: its entries, escaped, with private records.
pub const UPLOAD_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bytes of one entry. The largest is a sale with many lines.
pub const ENTRY_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a journal's id, a PSAM's serial number or a stream's id as text.
pub const EPOCH_BYTES_MAX: usize = 64;
/// Bytes of the name of a kind of entry.
pub const KIND_BYTES_MAX: usize = 64;
/// Bytes of an entry's time of recording.
pub const RECORDED_AT_BYTES_MAX: usize = 64;
/// Lines of one sale: more than a kiosk shows.
pub const SALE_ITEMS_MAX: usize = 64;
/// Bytes of a body at every other address: nobody writes more by hand.
pub const BODY_BYTES_MAX: usize = 256 * 1024;
/// Time for a body to come: 8 MiB over a line of 2 Mbit/s.
pub const BODY_TIME: Duration = Duration::from_secs(40);
/// Time after which a connection on which nothing moves is closed: longer than every poll and sign of life.
pub const IDLE_TIME: Duration = Duration::from_secs(120);
/// Bytes of a catalogue. Some thousand services.
pub const CATALOGUE_BYTES_MAX: usize = 1024 * 1024;
/// Rules that may wait for their first day: as many as a gateway keeps.
pub const POLICIES_WAITING_MAX: usize = 24;
/// Services in a catalogue.
pub const SERVICES_MAX: usize = 4_000;
/// How long a catalogue still sets prices after another one replaced it. A hold needs the line, over which a gateway
/// hears of the new one within seconds; a sale that was chosen before takes some minutes at the kiosk.
pub const CATALOGUE_GRACE: Duration = Duration::from_secs(15 * 60);
/// The most versions of the catalogue that one hold is checked against, the newest first.
pub const CATALOGUES_ASKED: i64 = 8;
/// The highest count of presses of one alarm: a button that is stuck for years does not reach it, and sums stay whole.
pub const PRESSES_MAX: i64 = 1_000_000_000;
/// Bytes of a cause or a reason that a person writes.
pub const CAUSE_BYTES_MAX: usize = 500;
/// Bytes of an idempotency key.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 100;

/// Jobs that wait for the writer in each queue. A full queue is answered with 503 and `Retry-After`.
pub const WRITER_QUEUE: usize = 1_024;
/// Jobs in one commit.
pub const JOBS_PER_COMMIT_MAX: usize = 128;
/// Entries in one commit, over all its jobs; the job that crosses it is the last.
pub const WEIGHT_PER_COMMIT_MAX: usize = 4_000;
/// Rows in one multi-row statement. Larger statements gain nothing and cost memory for each prepared form.
pub const ROWS_PER_STATEMENT: usize = 100;
/// Pending debits asked about in one commit, so that what comes in meanwhile waits little.
pub const PROOFS_PER_COMMIT: i64 = 100;
/// Rows of the chain read in one step while the head moves over what came early.
pub const CHAIN_STEP: usize = 512;
/// Connections that read.
pub const READERS: u32 = 4;
/// How long a reader waits for a connection.
pub const READER_WAIT: Duration = Duration::from_secs(5);

/// Seconds of one long poll: below the idle time-outs of the usual proxies.
pub const POLL_WAIT_S_MAX: u64 = 55;
/// Orders in one page.
pub const ORDERS_PER_PAGE: i64 = 200;
/// How long an order about a resolved alarm stays for a gateway that did not ask.
pub const RESOLVED_ORDER_KEEP: Duration = Duration::from_secs(7 * 24 * 3600);
/// Gateways that stand by for one device: more do not stand in one house.
pub const STANDBYS_MAX: usize = 8;
/// Rows in one list of the interface for people.
pub const LIST_ROWS: i64 = 500;
/// Devices and gateways in one list: a district has some thousand.
pub const DEVICE_ROWS: i64 = 10_000;
/// Lines of one settlement that are shown.
pub const SETTLEMENT_LINES: i64 = 10_000;
/// Bytes of an entry that was not taken, as people see it.
pub const SHOWN_ENTRY_BYTES: usize = 2_000;
/// Bytes of a service's name or category.
pub const SERVICE_NAME_BYTES_MAX: usize = 200;
/// Bytes of each text about a person.
pub const PERSON_TEXT_BYTES_MAX: usize = 16 * 1024;
/// Seconds between heartbeats, at least: a battery's life hangs on it.
pub const HEARTBEAT_S_MIN: u32 = 5;
/// Seconds between heartbeats, at most: a day.
pub const HEARTBEAT_S_MAX: u32 = 86_400;
/// Cards on the hotlist: the whole list travels in one order.
pub const HOTLIST_CARDS_MAX: usize = 20_000;
/// Events that a slow listener may fall behind before it is told that it missed some.
pub const EVENTS_BEHIND_MAX: usize = 1_024;
/// Listeners to events at once.
pub const EVENT_LISTENERS_MAX: usize = 256;
/// Time between two signs of life to a listener.
pub const EVENT_KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The largest balance or amount, fen: what every JSON reader keeps exact.
pub const FEN_MAX: i64 = (1 << 53) - 1;

/// Seconds after which a gateway counts as silent, where the configuration does not say.
pub const GATEWAY_SILENT_S: u64 = 180;
/// The fewest such seconds: a poll and its pauses.
pub const GATEWAY_SILENT_S_MIN: u64 = 5;
/// The most such seconds: a day.
pub const GATEWAY_SILENT_S_MAX: u64 = 86_400;
/// Between two looks at the gateways, at least.
pub const SUPERVISION_PAUSE_MIN: Duration = Duration::from_secs(1);
/// Between two looks at the gateways, at most.
pub const SUPERVISION_PAUSE_MAX: Duration = Duration::from_secs(30);

/// Connections at once: 2,000 gateways with two lanes and uploads, with room.
pub const CONNECTIONS_MAX: usize = 10_000;
/// Time for a TLS handshake.
pub const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// TLS handshakes at once.
pub const HANDSHAKES_MAX: usize = 256;
/// How long open requests may take to finish after the signal to stop.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(8);
/// Bytes of a configuration or key file.
pub const CONFIG_BYTES_MAX: u64 = 256 * 1024;

/// Characters of a password, at least.
pub const PASSWORD_CHARS_MIN: usize = 10;
/// Bytes of a password, at most: nobody types more.
pub const PASSWORD_BYTES_MAX: usize = 256;
/// Passwords compared at once: each takes 19 MiB and some tens of milliseconds.
pub const PASSWORD_CHECKS_MAX: usize = 2;
/// Wrong passwords of one name before it is locked.
pub const LOGIN_TRIES_FREE: u32 = 5;
/// The first lock, seconds; each further wrong password doubles it.
pub const LOGIN_LOCK_S_FIRST: u64 = 30;
/// The longest lock, seconds: somebody who forgot is not shut out of a whole shift.
pub const LOGIN_LOCK_S_MAX: u64 = 15 * 60;
/// Names that nobody bears whose tries are counted, each for itself; the one whose lock ends first is forgotten for a further
/// one. To have one forgotten takes as many tries, which each cost a comparison.
pub const LOGIN_NAMES_UNKNOWN_MAX: usize = 1_000;
/// How long a session lives that nobody uses, milliseconds: a shift.
pub const SESSION_IDLE_MS: i64 = 12 * 3_600 * 1_000;
/// How long a session lives at most, milliseconds: a day. A page that is left open says again and again that somebody is there.
pub const SESSION_MS_MAX: i64 = 24 * 3_600 * 1_000;
/// How often it is noted that a session is used, milliseconds: not with each request.
pub const SESSION_TOUCH_MS: i64 = 5 * 60 * 1_000;
/// Sessions of one operator; the oldest ends. More screens nobody has.
pub const SESSIONS_PER_OPERATOR_MAX: i64 = 16;
/// How long somebody is at a board who says nothing more: three times as long as a page takes to say it again.
pub const PRESENCE_TIME: Duration = Duration::from_secs(30);
/// How long before its gateway recorded it an alarm may have been raised, milliseconds: a year. More is no age.
pub const ALARM_AGE_MS_MAX: i64 = 366 * 86_400 * 1_000;
/// Bytes of an alarm's id.
pub const ALARM_ID_BYTES_MAX: usize = 200;
/// Bytes of what is searched for.
pub const SEARCH_BYTES_MAX: usize = 200;
/// People in one answer to a search: who seeks among more writes more.
pub const PEOPLE_FOUND_MAX: i64 = 50;
/// Further presses in the view of one alarm, the newest; their number stands with it.
pub const HISTORY_REPEATED: i64 = 50;
/// Alarms of the same home in the view of one.
pub const SAME_HOME_ROWS: i64 = 20;
/// Alarms that a device raised before, in the view of one.
pub const BEFORE_ROWS: i64 = 5;
/// Days that figures are about, at most: a year.
pub const FIGURE_DAYS_MAX: u16 = 366;
/// Days that figures are drawn by the hour for.
pub const FIGURE_DAYS_BY_HOUR: u16 = 2;
/// Causes that figures count by name; the rest is one line.
pub const FIGURE_CAUSES_MAX: usize = 20;
