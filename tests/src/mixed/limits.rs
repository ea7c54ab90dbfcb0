//! Every bound of the mixed load, with its reason.

use std::ops::RangeInclusive;
use std::time::Duration;

/// Devices that report: so many that alarms of several are open at any moment.
pub const DEVICES: usize = 40;
/// From one report of a device to its next: together 400 in a second while nothing is broken, which a debug build carries.
pub const REPORT_PAUSE: Duration = Duration::from_millis(100);
/// Reports that a device has under way at most.
pub const WINDOW: usize = 8;

/// Put into the account and on the card, fen: more than anybody spends in an hour.
pub const MORE_FEN: u32 = 5_000_000;

/// Between two troubles: time in which everything is well.
pub const QUIET: RangeInclusive<Duration> = Duration::from_millis(200)..=Duration::from_millis(2_000);
/// How long a trouble lasts: shorter than the deadlines of the lanes, and longer than some of them in a short run.
pub const TROUBLE: RangeInclusive<Duration> = Duration::from_millis(200)..=Duration::from_millis(2_500);
/// Between a kill and the next start.
pub const DOWN: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_millis(800);
/// How long a line is cut that lost bytes, so that both ends notice.
pub const CUT: Duration = Duration::from_millis(100);
/// A daemon whose commit failed has ended after so long: one sync, and its own deadlines.
pub const ENDED: Duration = Duration::from_secs(15);
/// In one of so many troubles a process is killed, too.
pub const DOUBLE_TROUBLE: u64 = 4;

/// Between two steps of a person.
pub const STEP: RangeInclusive<Duration> = Duration::from_millis(50)..=Duration::from_millis(500);
/// One of so many alarms is resolved at once.
pub const RESOLVED_AT_ONCE: u64 = 8;

/// A run that is shorter has deadlines that are over soon: in the default ones a single stalled poll would outlast it.
pub const SHORT: Duration = Duration::from_secs(300);
/// Of a run, the daemon is killed in the first two of so many parts, and lives through the last one.
pub const PARTS: u32 = 3;
/// Of the last part, the first of so many pieces warms the daemon up; its memory is looked at after each.
pub const WARM: u32 = 4;

/// How long everything may take to come to rest after the last trouble: the longest deadline and back-off several times.
pub const REST: Duration = Duration::from_secs(180);

/// What the daemon may have more in memory at the end of its last life than when it was warm, KiB: pages of its journal that
/// the allocator and SQLite keep, and the list of the last alarms; not a byte for each report.
pub const MORE_RESIDENT_KIB: u64 = 16 * 1_024;
/// Open files that the daemon may have more at rest than before the load: idle connections to the local interface and the centre.
pub const MORE_DESCRIPTORS: usize = 24;
/// From a press to the centre while nothing is broken, at the 99th percentile. Beyond it something is wrong whatever the
/// machine is: an alarm that stalled goes out anew after 10 s.
pub const ARRIVED: Duration = Duration::from_secs(30);
