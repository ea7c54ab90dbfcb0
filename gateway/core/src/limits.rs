//! Every bound of the core, with its reason.

/// Rows that may wait for a commit before everything but alarms waits before it becomes rows. So long is a group where there is a
/// flood: an alarm waits for the one under way and for its own, some milliseconds each; of the rate that longer groups give, nine
/// parts in ten remain.
pub const PENDING_ROWS_PAUSE: usize = 512;
/// How long after a press what may wait is held to a pace: the press, its entry and the centre's word are through in a part of it
/// even where the line is slow, and where one pressed others press.
pub const HURRY_MS: u64 = 1_000;
/// Reports that may wait taken in one [`HURRY_STEP_MS`] then: 1,600 a second, as many as ten thousand devices make that each
/// report every six seconds, and a part in thirty of what two small processors can do.
pub const HURRY_REPORTS: usize = 32;
/// See [`HURRY_REPORTS`]: so short that a report waits little for its turn, so long that most presses meet no commit under way.
pub const HURRY_STEP_MS: u64 = 20;
/// Between two uploads of what may wait in that time, each of [`HURRY_UPLOAD_ENTRIES`] at most.
pub const HURRY_UPLOAD_EVERY_MS: u64 = 100;
/// Entries of such an upload: what a centre takes in some milliseconds.
pub const HURRY_UPLOAD_ENTRIES: usize = 100;
/// Acknowledgements, commands, answers and state values that may wait for a commit before everything but alarms waits: four for
/// each report that may be under way at once, since one that is repeated is no row.
pub const PENDING_THINGS_PAUSE: usize = 16_384;
/// How long after the journal could not be asked about a report it is asked again: a fault of a moment is over by then.
pub const ASK_AGAIN_AFTER_MS: u64 = 5_000;
/// Reports for which the journal is asked again, all devices together, up to 256 KiB; what is more stays with its device.
pub const ASKED_AGAIN_MAX: usize = 256;
/// Reports that wait for the disk to catch up before nothing more is read from the devices: up to 16 MiB.
pub const DEFERRED_MAX: usize = 16_384;
/// Rows that may wait for a commit before nothing more is read from the devices: by alarms alone, every device of eight
/// large sites at once.
pub const PENDING_ROWS_MAX: usize = 16_384;
/// See [`PENDING_THINGS_PAUSE`] and [`PENDING_ROWS_MAX`].
pub const PENDING_THINGS_MAX: usize = 65_536;
/// Entries in one upload: a batch that a slow line still carries within the upload's deadline.
pub const UPLOAD_ENTRIES_MAX: usize = 500;
/// Uploads of alarms under way at once: a new alarm waits for no exchange that stalls, up to so many stalled ones.
pub const ALARM_UPLOADS_MAX: usize = 4;
/// Entries in a row that may be refused as a whole, each sent alone, before not they but the way to the centre is taken to
/// be at fault: a proxy's limit hits one entry among many, a wrong proxy every one.
pub const REFUSED_IN_A_ROW_MAX: u32 = 3;
/// Entries of a lane that may be refused as a whole and kept for another try.
pub const REFUSED_KEPT_MAX: usize = 64;
/// Presses that an open alarm keeps by number; older ones stay in the journal.
pub const ALARM_PRESSES_MAX: usize = 32;
/// Entries about further presses that an alarm keeps although the centre has them: more than one device gets in a minute,
/// which is longer than an order of the centre is under way while its answers come.
pub const DELIVERED_PRESSES_KEPT: usize = 8;
/// Epochs besides its first of which an open alarm keeps presses: a device is provisioned anew once in years.
pub const ALARM_EPOCHS_MAX: usize = 4;
/// Entries in [`REPEATS_WINDOW_MS`] about further presses of one device: a frightened person's presses are each told; of a
/// stuck button (ten a second) the count is told.
pub const REPEATS_MAX: u32 = 6;
/// Runs of numbers in one entry about presses that came too fast: one for a stuck button; more where other reports come
/// between, and then the entry is written at once.
pub const REPEATS_RANGES_MAX: usize = 64;
/// See [`REPEATS_MAX`].
pub const REPEATS_WINDOW_MS: u64 = 60_000;
/// How long presses that came too fast may wait to be told together: the centre's picture of an alarm is never older.
pub const REPEATS_TOLD_AFTER_MS: u64 = 10_000;
/// A press that took longer to be recorded than this is shown and told with its age: longer than a device takes to
/// connect and try again.
pub const LATE_PRESS_MS: u64 = 60_000;
/// How often the listening clock is kept while nothing else is: a fsync a minute, and a restart forgets no more.
pub const LISTENED_KEPT_EVERY_MS: u64 = 60_000;
/// How often at most a device's last sign of life is kept: of 2,000 devices seven small writes a second.
pub const HEARD_KEPT_EVERY_MS_MAX: u64 = 300_000;
/// After a start no device counts as silent before this, or its own time where that is shorter: it has to find its way
/// back first.
pub const SILENCE_AFTER_START_MS_MIN: u64 = 60_000;
/// How often the centre's word that there is no newer catalogue is kept: its age is counted in days.
pub const CATALOGUE_CONFIRMED_KEPT_EVERY_MS: u64 = 3_600_000;
/// Days after which prices that the centre has not confirmed are too old, unless configured: a line may be down for a
/// week, but after a month nobody vouches for them.
pub const CATALOGUE_AGE_DAYS_MAX: u32 = 30;
/// Rules that may wait for their first day: a year of months, and as many corrections again.
pub const POLICIES_WAITING_MAX: usize = 24;
/// Steps that an alarm's history keeps in memory; all of them stay in the journal.
pub const ALARM_HISTORY_MAX: usize = 64;
/// Closed alarms that the local interface can still show.
pub const CLOSED_ALARMS_MAX: usize = 100;
/// Closed sales that the local interface can still show.
pub const CLOSED_SALES_MAX: usize = 100;
/// Recent reports of a device whose bodies are compared in memory; older ones are looked up in the journal.
pub const REPORT_WINDOW: usize = 64;
/// How far apart a device must have been heard without a report for that report to be a replay when it comes again: longer than any
/// device waits between two tries, and than a broker that loses power forgets what it was told (half an hour with Debian's).
pub const REPLAY_AFTER_MS: u64 = 3_600_000;
/// Lines in one sale.
pub const SALE_ITEMS_MAX: usize = 20;
/// The most of one service in a sale.
pub const SALE_QUANTITY_MAX: u32 = 99;
/// How long after a kiosk's call for help a further one is the same call: somebody who is told that help is called waits so
/// long, and a child that hammers the button makes two entries a minute.
pub const HELP_AGAIN_AFTER_MS: u64 = 30_000;
/// Calls for help whose keys are remembered: more than kiosks at one gateway, several times over.
pub const HELP_KEYS_MAX: usize = 32;
/// The longest Idempotency-Key, in bytes.
pub const IDEMPOTENCY_KEY_LEN_MAX: usize = 64;
/// The longest cause given when an alarm is resolved, in bytes.
pub const CAUSE_LEN_MAX: usize = 200;
/// How long a sale waits for its card: long enough to find it in a bag.
pub const SALE_CARD_WAIT_MS: u64 = 90_000;
/// When a card that another program held is tried again.
pub const CARD_HELD_AGAIN_MS: u64 = 1_000;
/// How long a hold may go unanswered before the sale is refused and the hold voided; the elder stands there.
pub const HOLD_WAIT_MS: u64 = 8_000;
/// First and longest pause between tries of an upload or poll.
pub const RETRY_MS_MIN: u64 = 250;
/// See [`RETRY_MS_MIN`].
pub const RETRY_MS_MAX: u64 = 30_000;
/// The longest pause of the alarm lane: an alarm is worth a knock every few seconds.
pub const RETRY_MS_MAX_ALARMS: u64 = 5_000;
/// How long a press may be without the centre's word before staff here are alarmed: the second path goes out after 10 s,
/// and has as long again.
pub const PRESS_UNDELIVERED_MS: u64 = 20_000;
/// Bytes of a refused payload that are kept.
pub const SAMPLE_LEN_MAX: usize = 128;
/// Results above the cursor that a lane keeps before it waits for the gap.
pub const DONE_AHEAD_MAX: usize = 4_096;
/// Entries that may wait for the centre while no disk takes them: every device of a large site at once. Then those that
/// the centre has are forgotten first, and a further alarm stays with its device, which sends it again.
pub const DIRECT_ALARMS_MAX: usize = 1_024;
/// Of these, alarms about what a device sends and nobody can read, one for each device: a fault of many must leave room for
/// people's alarms. What is refused stays with its device.
pub const DIRECT_UNREADABLE_MAX: usize = 256;
/// Acknowledgements that wait for one of those: as many publishes as the links let a connection leave unacknowledged.
pub const UNREADABLE_ACKS_MAX: usize = 256;
/// How long a device's alarm may wait for its commit before it goes round the journal: an alarm's local bound is 2 s.
pub const BYPASS_AFTER_MS: u64 = 1_500;
/// Alarms that are kept for that: see [`DIRECT_ALARMS_MAX`]. Those beyond it wait for the commit.
pub const BYPASS_MAX: usize = 1_024;
/// Alarms without an entry of their own that are kept to tell devices their states: see [`DIRECT_ALARMS_MAX`].
pub const ALARMS_WITHOUT_ENTRY_MAX: usize = 1_024;
/// Acknowledgements that wait for one alarm without a journal: the newest publish on each link and a resend of each.
pub const DIRECT_ACKS_MAX: usize = 4;
/// Devices that may be tried at once: as many as two people carry.
pub const DEVICE_TESTS_MAX: usize = 16;
/// Tests that are shown, those that ended among them: a round through a corridor.
pub const DEVICE_TESTS_KEPT: usize = 64;
/// Reports that a test shows; a stuck button sends thousands.
pub const DEVICE_TEST_SIGNS_MAX: usize = 8;
/// Hours of which figures are kept: a day.
pub const FIGURES_HOURS: i64 = 24;
/// Hours that are held while the clock cannot be trusted: the day before, and a day of what such a clock says.
pub const FIGURES_HOURS_UNTRUSTED_MAX: usize = 48;
/// How often the figures of an hour are kept, with a group that is written anyway.
pub const FIGURES_KEPT_EVERY_MS: u64 = 60_000;
/// Presses whose time to the disk or the centre is measured at once; of those beyond it nothing is measured.
pub const FIGURES_PRESSES_MAX: usize = 4_096;
/// A look at a card that failed, or whose account could not be asked for, is done again after this: as often as a kiosk asks
/// what lies there, and too seldom to be in the way of a sale.
pub const LOOK_AGAIN_MS: u64 = 10_000;
