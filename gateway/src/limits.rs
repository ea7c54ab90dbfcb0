//! Every bound of the daemon's own, with its reason; each adapter has those of its own beside it.

use std::ops::RangeInclusive;
use std::time::Duration;

/// Reports that wait between the sockets and the core: about two groups, then the sockets are not read.
pub const LINK_QUEUE: usize = 4_096;
/// Everything else that waits for the core; senders wait when it is full.
pub const QUEUE: usize = 256;
/// Inputs of one adapter that are taken in one turn: enough to fill a group, few enough to look around again soon.
pub const INPUTS_PER_TURN: usize = 1_024;
/// How often the loop looks around when nothing happens: the watchdog of the service manager waits 30 s.
pub const IDLE_LOOK: Duration = Duration::from_secs(1);
/// How long what is under way may take at the end: the service manager kills after 20 s.
pub const GRACE: Duration = Duration::from_secs(8);
/// The same after a commit failed: an alarm's local bound is 2 s, and the start anew needs most of it.
pub const GRACE_AFTER_FAILURE: Duration = Duration::from_millis(200);
/// Open files that the gateway keeps for itself: the journal with its six readers, sockets that listen, the way to the centre
/// with its lanes, the card readers, and room.
pub const OWN_DESCRIPTORS: usize = 52;
/// The part of the rest that the local interface may take, at most.
pub const KIOSK_PART: usize = 4;
/// From one attempt to store on a disk that takes nothing to the next, seconds: that is a new start, which cuts all devices
/// off, where the journal cannot even be opened.
pub const STORAGE_RETRY_S: RangeInclusive<u16> = 1..=3_600;
/// How long a device may be watched when staff try it, seconds: time to walk to it and press, and no longer than a round.
pub const DEVICE_TEST_S: RangeInclusive<u16> = 10..=600;
/// The same where the configuration says nothing: time to walk to it, press, and press again.
pub const DEVICE_TEST_S_DEFAULT: u16 = 180;
/// The first pause of those where the journal is open, and an attempt costs nothing: somebody's lock is soon gone.
pub const STORAGE_RETRY_FIRST: Duration = Duration::from_secs(1);
/// From one look at the free space to the next: a full disk is seen before a flood fills the rest.
pub const SPACE_LOOK: Duration = Duration::from_secs(5);
/// From one update of the figures in `/metrics` to the next.
pub const FIGURES: Duration = Duration::from_secs(1);
/// Bytes read to see when the oldest entry of a lane was recorded: as long as an entry may be.
pub const OLDEST_BYTES_MAX: usize = 64 * 1024;
/// Longest configuration file, bytes.
pub const CONFIG_LEN_MAX: u64 = 1024 * 1024;
/// Longest line in which a PIN is read, bytes.
pub const PIN_BYTES_MAX: u64 = 64;
/// Damaged state records that are named to people; more say nothing new.
pub const KEYS_TOLD_MAX: usize = 5;
/// Entries in one read while damaged records are rebuilt: half a megabyte.
pub const REBUILD_READ_MAX: u64 = 1_000;
/// From how many devices that leave the devices file at once people hear of them: one is everyday work.
pub const REMOVED_TOLD_FROM: usize = 2;
/// How many of them are named.
pub const REMOVED_NAMED_MAX: usize = 10;
/// Seconds in which somebody has to acknowledge an emergency: 97.5 of 100 calls are answered in this time (TSA), and then the next
/// person is called.
pub const ACKNOWLEDGE_S: i64 = 60;
/// The same for a wish: it is no alarm, but an elder waits for a word.
pub const ACKNOWLEDGE_S_REQUEST: i64 = 15 * 60;
/// The same for a fault: what a life may hang on has to be mended or replaced in two hours (JGJ/T 484).
pub const ACKNOWLEDGE_S_TECHNICAL: i64 = 2 * 3_600;
/// Seconds from the acknowledgement until somebody has to be on the way: seen is not yet helped.
pub const DISPATCH_S: i64 = 3 * 60;
/// Seconds from then until somebody has to be there, where nobody said when: the quarter-hour circle of the city.
pub const ON_SITE_S: i64 = 15 * 60;
