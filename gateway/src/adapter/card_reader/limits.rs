//! Every bound of the card readers, with its reason.

use std::time::Duration;

/// Readers that one gateway drives: a centre has a few kiosks, and PC/SC itself lists at most 16.
pub const READERS_MAX: usize = 8;

/// Bytes of a configured PC/SC reader name: PC/SC itself has at most 128 with the end mark.
pub const READER_NAME_LEN_MAX: usize = 127;

/// Dialogues that wait at one reader: the core runs one at a time and starts the next when it hears of the end, which
/// may be before the reader's thread has put the card down.
pub(super) const DIALOGUES_WAITING_MAX: usize = 2;

/// Words of the core that wait for one dialogue: it says one verdict and one order to proceed.
pub(super) const WORDS_WAITING_MAX: usize = 4;

/// Calls that wait at one PC/SC thread: whoever asks waits for the answer before the next call.
pub(super) const CALLS_WAITING_MAX: usize = 1;

/// Threads of one slot that are stuck in a PC/SC call before the slot is given up until one returns: a card that is
/// mute again and again must not fill the process with threads.
pub(super) const STUCK_THREADS_MAX: usize = 3;

/// How long PC/SC may take to power a card up and connect: a contact card may take more than a second for its answer to
/// reset and as long again for the protocol.
pub(super) const HOLD_WAIT: Duration = Duration::from_secs(5);

/// How long the end of a connection, or the question whether it still lives, may take.
pub(super) const RELEASE_WAIT: Duration = Duration::from_secs(3);

/// Tries to connect to a card that another program holds, and the pause between them: a program that lists cards holds
/// them for a moment only.
pub(super) const SHARING_TRIES_MAX: u32 = 10;
/// See [`SHARING_TRIES_MAX`].
pub(super) const SHARING_PAUSE: Duration = Duration::from_millis(100);

/// First and longest pause between tries to reach the PC/SC service, or to use a PSAM that failed.
pub(super) const RETRY_MIN: Duration = Duration::from_millis(200);
/// See [`RETRY_MIN`].
pub(super) const RETRY_MAX: Duration = Duration::from_secs(5);

/// How long the monitor waits for a change before it looks whether it is to stop.
pub(super) const MONITOR_WAIT: Duration = Duration::from_millis(500);

/// How often the stop looks whether the threads have ended.
pub(super) const STOP_LOOK: Duration = Duration::from_millis(10);

/// Octets taken from a reader as one answer: what PC/SC calls an extended answer, far above what a card may say, so that
/// the dialogue sees an answer that is too long as what it is.
pub(super) const ANSWER_LEN_MAX: usize = pcsc::MAX_BUFFER_SIZE_EXTENDED;

/// How long a card or PSAM may take for one command. The slowest honest ones take half a second.
pub const MUTE_MS: u64 = 3_000;
/// How long the core may take to judge a card. It answers at once unless the machine is overloaded.
pub const VERDICT_WAIT_MS: u64 = 5_000;
/// How long the journal may take to make an intent durable. An elder does not hold a card still for longer.
pub const INTENT_WAIT_MS: u64 = 10_000;
/// How long a dialogue waits for the PSAM while another one uses it, or while it is being identified.
pub const PSAM_WAIT_MS: u64 = 5_000;
/// The least and the most that any of these deadlines may be set to.
pub const DEADLINE_MS_MIN: u64 = 100;
/// See [`DEADLINE_MS_MIN`].
pub const DEADLINE_MS_MAX: u64 = 60_000;
/// How long a look at a card goes on beginning exchanges: a sale that is begun meanwhile waits for it, and nobody waits a
/// second to see a balance.
pub const LOOK_MAX: Duration = Duration::from_millis(800);
