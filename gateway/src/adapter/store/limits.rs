//! Every bound of the journal, with its reason.

/// Rows in one INSERT: larger statements gain nothing and bind more variables than a prepared statement should keep.
pub const INSERT_ROWS_MAX: usize = 100;
/// Entries in one block of the origin index, as a shift: 4,096, whose index pages stay in the cache.
pub const ORIGIN_BLOCK_SHIFT: u32 = 12;
/// How long a foreign lock on the file is waited for: an alarm's local bound is 2 s.
pub const BUSY_WAIT_MS: u64 = 2_000;
/// Connections that read: three lanes, a look-up by origin, a page for staff, the daily scrub.
pub const READERS_MAX: u32 = 6;
/// How long a read waits for a free connection.
pub const READER_WAIT_MS: u64 = 5_000;
/// Groups between the core and the writer. The core keeps one under way; one more may be handed over meanwhile.
pub const GROUPS_MAX: usize = 2;
/// Page cache of the writer, KiB: the pages that a commit changes at 2,000 devices.
pub const WRITER_CACHE_KIB: u32 = 8_192;
/// Page cache of each reading connection, KiB.
pub const READER_CACHE_KIB: u32 = 1_024;
/// Commits between two looks at the length of the write-ahead log.
pub const COMMITS_PER_LOOK: u32 = 32;
/// Rows between two looks at the length of the write-ahead log.
pub const ROWS_PER_LOOK: usize = 1_024;
/// Pages in the write-ahead log from which it is brought into the file: 16 MiB.
pub const WAL_PAGES: i64 = 4_096;
/// Pages that the writer itself brings into the file between two commits: a few milliseconds' work.
pub const WAL_REST_PAGES: i64 = 512;
/// Pages in the log from which the writer brings all of it into the file, however long that takes: 128 MiB.
pub const WAL_PAGES_MAX: i64 = 32_768;
/// Entries whose chain is verified when the journal is opened; the older ones are left to `verify`. A second's work.
pub const CHAIN_AT_OPEN_MAX: u64 = 1_000_000;
/// Entries that are read and checked as one pack: half a megabyte.
pub const PACK_ROWS: u64 = 1_000;
/// Packs that are read before the first of them is checked: enough to keep two processors busy.
pub const PACKS_AHEAD: usize = 4;
/// Bytes set aside so that alarms can still be stored when the disk is full: some 20,000 entries.
pub const RESERVE_BYTES: u64 = 16 << 20;
/// The reserve is never more than this part of the disk.
pub const RESERVE_PART: u64 = 16;
/// Free bytes below which sales close, before a card is touched.
pub const LOW_BYTES: u64 = 64 << 20;
/// "Low" is never more than this part of the disk.
pub const LOW_PART: u64 = 8;
/// Free bytes below which no writer is started: a group that fills the last pages would only end the process again.
pub const FREE_MIN_BYTES: u64 = 256 << 10;
/// Entries that `show` reads at once.
pub const SHOW_ROWS: u64 = 500;
