//! Every bound of the simulator, with its reason. Times are virtual milliseconds.

use std::ops::Range;

/// How long faults last in one run: several heartbeats, back-offs at their longest and restarts fit in.
pub const FAULTY_MS: u64 = 180_000;
/// How long a run may take to come to rest after the last fault: the longest back-off, twice, and a poll.
pub const REST_MS: u64 = 190_000;
/// Gateways in one run.
pub const GATEWAYS: Range<u64> = 1..4;
/// Buttons in one run.
pub const BUTTONS: Range<u64> = 1..6;
/// From one press of a button to the next.
pub const PRESS_MS: Range<u64> = 20..30_000;
/// One way through a network that works.
pub const LATENCY_MS: Range<u64> = 1..400;
/// One commit.
pub const COMMIT_MS: Range<u64> = 1..60;
/// A commit while another program has the disk: often longer than an alarm waits for it.
pub const SLOW_COMMIT_MS: Range<u64> = 500..8_000;
/// Of so many commits one is slow.
pub const SLOW_COMMIT_OF: u64 = 40;
/// One look into the journal.
pub const LOOK_UP_MS: Range<u64> = 0..30;
/// The adapter's deadline of one request to the centre.
pub const DEADLINE_MS: u64 = 10_000;
/// How long the centre keeps a poll that has nothing to give: shorter than the real one's, so that an order waits little.
pub const POLL_MS: u64 = 2_500;
/// From the end of a process to its next start.
pub const DOWN_MS: Range<u64> = 10..20_000;
/// How long a disk takes nothing.
pub const DEAD_MS: Range<u64> = 1_000..60_000;
/// Of so many starts one finds a disk that takes nothing.
pub const DEAD_OF: u64 = 6;
/// From one fault of a kind to the next, where the dice choose that kind.
pub const FAULT_MS: Range<u64> = 500..40_000;
/// From the cut of a button's connection to its next try.
pub const RECONNECT_MS: Range<u64> = 5..8_000;
/// From one deed of a person to the next.
pub const PERSON_MS: Range<u64> = 200..20_000;
/// Events after which a run is given up: a core that makes work without end.
pub const EVENTS_MAX: u64 = 2_000_000;
/// Broken promises that one run names; more say nothing new.
pub const FINDINGS_MAX: usize = 20;
/// When buttons are used although nothing breaks any more, and one use is a flood: long enough after the last fault that all
/// back-offs are over.
pub const CALM_MS: Range<u64> = 260_000..280_000;
/// Reports of one device at once in calm.
pub const FLOOD: usize = 30;
/// How long after it became durable an alarm may come to the centre in calm: a commit under way, the shortest pause of the
/// uplink, an answer under way, and the way itself.
pub const FIRST_WITHIN_MS: u64 = 2_000;
/// From one heartbeat of a button to the next.
pub const HEARTBEAT_MS: Range<u64> = 8_000..15_000;
/// After this a gateway counts a device of its own as silent: three heartbeats.
pub const SILENT_AFTER_MS: u64 = 45_000;
/// How long after that it may take until silence is on record: a commit.
pub const SILENCE_SLACK_MS: u64 = 2_000;
/// From one look at silence to the next.
pub const WATCH_MS: u64 = 5_000;
/// How long a button is away with its battery out.
pub const AWAY_MS: Range<u64> = 5_000..120_000;
/// How late a request may come that the network kept: far beyond the adapter's deadline.
pub const LATE_MS: Range<u64> = 400..90_000;
/// Of so many looks into the journal one fails.
pub const LOOK_UP_FAILS_OF: u64 = 60;
/// Where wall clocks jump to, relative to the right time: back to 2000, a year back, a day back, right, a minute and ten years
/// ahead.
pub const JUMPS_MS: [i64; 6] = [-843_000_000_000, -31_536_000_000, -86_400_000, 0, 60_000, 315_360_000_000];
/// Citizen cards in one run.
pub const CARDS: u64 = 3;
/// What a purse holds at first, fen: about a dozen lunches, so that some cards run empty.
pub const PURSE_FEN: u32 = 15_000;
/// What an account holds at first, fen.
pub const ACCOUNT_FEN: u64 = 10_000;
/// What lunch costs, fen.
pub const LUNCH_FEN: u64 = 1_250;
/// From one customer to the next, all kiosks together.
pub const CUSTOMER_MS: Range<u64> = 500..15_000;
/// From an order to the card, or to a change of mind.
pub const LAY_MS: Range<u64> = 50..4_000;
/// How long a card lies there: often too short for a purchase.
pub const VISIT_MS: Range<u64> = 30..5_000;
/// One exchange with a card.
pub const EXCHANGE_MS: Range<u64> = 10..150;
/// How long a reader's thread waits for a word of the core.
pub const UNDER_WAY_MS: Range<u64> = 10_000..10_001;
/// Of so many debits one goes out to a card that is being taken away.
pub const TORN_OF: u64 = 6;
/// Of so many debits one has a MAC2 that the security module rejects.
pub const MAC2_REJECTED_OF: u64 = 30;
/// From when on each card comes once more to each kiosk, when nothing breaks any more.
pub const SETTLE_FROM_MS: u64 = 285_000;
/// How long it lies there: a dialogue for each sale in doubt.
pub const SETTLE_VISIT_MS: u64 = 6_000;
