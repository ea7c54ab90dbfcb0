//! Devices: which reports of theirs are known, how they fare, and what they still have to be told.
//!
//! **Invariant:** `Marks::Loaded` holds the reports with the highest numbers of the device's newest epoch, all of them
//! or at least the last [`REPORT_WINDOW`]; so a number that is not in it and not below it is new for certain.

use std::collections::BTreeMap;

use protocols::device::{AlarmState, Heartbeat};
use protocols::id::DeviceEpoch;
use protocols::unit::UnixMs;
use serde::{Deserialize, Serialize};

use crate::input::{AckToken, CommandId, SessionId};
use crate::limits::{HEARD_KEPT_EVERY_MS_MAX, REPEATS_MAX, REPEATS_WINDOW_MS, REPORT_WINDOW};
use crate::replays::Progress;
use crate::time::Mono;

/// What the gateway knows of a report's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// Never seen.
    New,
    /// Seen, with this body.
    Same,
    /// Seen, with another body.
    Other,
    /// Too old for memory: the journal has to be asked.
    AskJournal,
}

/// A report that waits for the marks.
#[derive(Debug)]
pub(crate) struct WaitingReport {
    pub payload: Vec<u8>,
    pub ack: Option<AckToken>,
}

/// A report as the marks know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Its body's fingerprint.
    pub body: u64,
    /// Its entry's number, or a later one; 0 where the journal already had it.
    pub n: u64,
}

/// Which of a device's reports are known.
#[derive(Debug)]
pub(crate) enum Marks {
    /// Not asked for since the start.
    Unloaded,
    /// The journal was asked.
    Loading(Vec<WaitingReport>),
    /// Known.
    Loaded {
        /// The newest epoch.
        epoch: DeviceEpoch,
        /// The highest numbers.
        recent: BTreeMap<u64, Seen>,
    },
}

impl Marks {
    /// What is known of a number.
    pub fn look_up(&self, epoch: DeviceEpoch, seq: u64, body: u64) -> Known {
        let Self::Loaded { epoch: newest, recent } = self else { return Known::AskJournal };
        if epoch > *newest || (epoch == *newest && recent.is_empty()) {
            return Known::New;
        }
        if epoch < *newest {
            return Known::AskJournal;
        }
        match recent.get(&seq) {
            Some(seen) if seen.body == body => Known::Same,
            Some(_) => Known::Other,
            None if recent.len() < REPORT_WINDOW => Known::New,
            None => match recent.first_key_value() {
                Some((lowest, _)) if seq < *lowest => Known::AskJournal,
                Some(_) | None => Known::New,
            },
        }
    }

    /// Notes a report. Gives those of an older epoch that are let go although the journal does not find them yet: their
    /// numbers are above `durable_n`.
    pub fn note(&mut self, epoch: DeviceEpoch, seq: u64, seen: Seen, durable_n: u64) -> Vec<(DeviceEpoch, u64, Seen)> {
        let Self::Loaded { epoch: newest, recent } = self else { return Vec::new() };
        let mut let_go = Vec::new();
        if epoch > *newest {
            let older = std::mem::take(recent).into_iter().filter(|(_, seen)| seen.n > durable_n);
            let_go = older.map(|(seq, seen)| (*newest, seq, seen)).collect();
            *newest = epoch;
        }
        if epoch == *newest {
            recent.insert(seq, seen);
            while recent.len() > REPORT_WINDOW && recent.first_key_value().is_some_and(|(_, seen)| seen.n <= durable_n)
            {
                recent.pop_first();
            }
        }
        let_go
    }
}

/// What is kept of a device over restarts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRecord {
    /// Whether this gateway looks after it.
    pub assigned: bool,
    /// Milliseconds without a sign after which it counts as silent.
    pub silent_after_ms: u64,
    /// It counts as silent.
    pub silent: bool,
    /// Its battery counts as low.
    pub battery_low: bool,
    /// Reports that it had to give up, as it last said.
    pub lost: u32,
    /// Its faults, as it last said.
    pub faults: Vec<String>,
    /// The settings that it should have: version and seconds between heartbeats.
    pub settings: Option<(u32, u32)>,
    /// Its name is in the devices file or came by an order.
    pub heard_once: bool,
    /// When it was last heard, by the listening clock, as it was last kept.
    #[serde(default)]
    pub heard_listened_ms: Option<u64>,
    /// The centre's orders decide about it; else the devices file does.
    #[serde(default)]
    pub by_order: bool,
}

impl DeviceRecord {
    /// A device nothing is known of.
    #[must_use]
    pub const fn new(silent_after_ms: u64) -> Self {
        Self {
            assigned: true,
            silent_after_ms,
            silent: false,
            battery_low: false,
            lost: 0,
            faults: Vec::new(),
            settings: None,
            heard_once: false,
            heard_listened_ms: None,
            by_order: false,
        }
    }
}

impl DeviceRecord {
    /// How much later a sign of life has to be than the one kept to be kept, too: one part in eight of the silence.
    pub(crate) fn heard_kept_every_ms(&self) -> u64 {
        (self.silent_after_ms / 8).min(HEARD_KEPT_EVERY_MS_MAX)
    }
}

/// What a command under way says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    /// The state of an alarm, told about its presses of one epoch, and how many presses it had then in all.
    Alarm { alarm: String, epoch: DeviceEpoch, state: AlarmState, presses: u64 },
    /// Settings.
    Settings,
}

/// What is kept of a device's last heartbeat: what is asked for later. The rest was judged when it came, and as a whole it is six
/// times as long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastHeartbeat {
    /// When it came.
    #[serde(skip)]
    pub at: Mono,
    /// Boot count.
    pub boot: Option<u32>,
    /// Milliseconds since that boot.
    pub up_ms: Option<u64>,
    /// Battery voltage, millivolts; absent is unknown, not well.
    pub battery_mv: Option<u16>,
    /// Signal strength, dBm.
    pub rssi_dbm: Option<i16>,
    /// Version of the firmware.
    pub firmware: Option<Box<str>>,
    /// Reports that wait in the device for an acknowledgement.
    pub stored: u32,
}

impl LastHeartbeat {
    pub(crate) fn new(heartbeat: &Heartbeat, at: Mono) -> Self {
        Self {
            at,
            boot: heartbeat.boot,
            up_ms: heartbeat.up_ms,
            battery_mv: heartbeat.battery_mv,
            rssi_dbm: heartbeat.rssi_dbm,
            firmware: heartbeat.firmware.as_deref().map(Box::from),
            stored: heartbeat.stored,
        }
    }
}

/// A device. There are ten thousand: see the test of its size.
#[derive(Debug)]
pub(crate) struct Device {
    pub record: DeviceRecord,
    pub marks: Marks,
    /// How far its numbers have come.
    pub progress: Progress,
    pub session: Option<SessionId>,
    /// Apart, since a device has none before its first.
    pub heartbeat: Option<Box<LastHeartbeat>>,
    pub heard: Option<(Mono, UnixMs)>,
    /// Since when entries about further presses are counted, and how many there were.
    pub repeats: (Mono, u32),
    /// Commands that the device has not taken yet.
    pub commands: BTreeMap<CommandId, Told>,
}

impl Device {
    pub const fn new(record: DeviceRecord) -> Self {
        Self {
            record,
            marks: Marks::Unloaded,
            progress: Progress::new(),
            session: None,
            heartbeat: None,
            heard: None,
            repeats: (Mono(0), 0),
            commands: BTreeMap::new(),
        }
    }

    /// Whether one more entry about a further press may be written now; counts it if so.
    pub fn may_repeat(&mut self, now: Mono) -> bool {
        let (since, count) = self.repeats;
        if now >= since.after_ms(REPEATS_WINDOW_MS) {
            self.repeats = (now, 1);
            return true;
        }
        if count >= REPEATS_MAX {
            return false;
        }
        self.repeats = (since, count.saturating_add(1));
        true
    }

    /// Whether a command about the presses of one epoch of `alarm` is under way; of any where `epoch` is `None`.
    pub fn is_being_told(&self, alarm: &str, epoch: Option<DeviceEpoch>) -> bool {
        self.commands.values().any(|told| {
            matches!(told, Told::Alarm { alarm: of, epoch: about, .. }
                if of == alarm && epoch.is_none_or(|epoch| epoch == *about))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_of_which_little_is_known_takes_little_memory() {
        let (device, heartbeat) = (size_of::<Device>(), size_of::<LastHeartbeat>());
        assert!(device <= 256 && heartbeat <= 64, "{device} bytes, and {heartbeat} for its last heartbeat");
    }

    const fn seen(number: u64) -> Seen {
        Seen { body: number, n: number }
    }

    fn marks(seqs: std::ops::RangeInclusive<u64>) -> Marks {
        let mut marks = Marks::Loaded { epoch: 1, recent: BTreeMap::new() };
        for seq in seqs {
            marks.note(1, seq, seen(seq), seq);
        }
        marks
    }

    #[test]
    fn numbers_in_the_window_are_told_apart_and_older_ones_are_looked_up() {
        let marks = marks(1..=100);
        assert_eq!(marks.look_up(1, 100, 100), Known::Same);
        assert_eq!(marks.look_up(1, 100, 7), Known::Other);
        assert_eq!(marks.look_up(1, 101, 7), Known::New);
        assert_eq!(marks.look_up(1, 36, 36), Known::AskJournal);
        assert_eq!(marks.look_up(0, 100, 100), Known::AskJournal);
        assert_eq!(marks.look_up(2, 1, 1), Known::New);
    }

    #[test]
    fn a_number_that_was_skipped_inside_the_window_is_new() {
        let mut marks = marks(1..=3);
        marks.note(1, 9, seen(9), 9);
        assert_eq!(marks.look_up(1, 5, 5), Known::New);
    }

    #[test]
    fn a_new_epoch_starts_the_window_anew() {
        let mut marks = marks(1..=100);
        assert_eq!(marks.note(2, 1, seen(101), 99), [(1, 100, seen(100))], "the last one is not durable yet");
        assert_eq!(marks.look_up(2, 1, 101), Known::Same);
        assert_eq!(marks.look_up(1, 100, 100), Known::AskJournal);
    }
}
