//! Every bound of the broker adapter, with its reason.

use std::time::Duration;

/// The client's packet identifiers go round after as many (the crate's default).
pub const IDENTIFIERS: u16 = 100;
/// Commands that may wait for the broker's PUBACK; well below [`IDENTIFIERS`], so that there is always room to go on.
pub const COMMANDS_IN_FLIGHT_MAX: usize = 32;
/// Commands that may wait behind those; a broker that lets more pile up is connected anew, and the core sends the open
/// ones again.
pub const COMMANDS_WAITING_MAX: usize = 4_096;
/// Inputs that may wait for room in the core's intake before the broker is not read any more.
pub const INPUTS_WAITING_MAX: usize = 256;
/// Requests to the client that may wait: as many acknowledgements as one group commit gives.
pub const REQUESTS_MAX: usize = 2_048;
/// Topic filters in one SUBSCRIBE: small enough for every broker's packet limit.
pub const FILTERS_PER_SUBSCRIBE: usize = 100;
/// The most devices behind a broker: their subscriptions fit into the client's places at once.
pub const DEVICES_MAX: usize = 10_000;
/// The largest packet that is read. MQTT 3.1.1 cannot tell the broker a limit, and a packet that is not read comes again
/// at each connect and stands in the way of all others; so this is far above what any device sends, and the broker has
/// to be given a limit of its own.
pub const PACKET_LEN_MAX: usize = 1024 * 1024;

/// The longest topic of a device from the market, in bytes: names that people gave, with the path before them.
pub const MARKET_TOPIC_LEN_MAX: usize = 256;
/// The longest message of a device from the market, in bytes: some carry their whole state with each press.
pub const MARKET_PAYLOAD_LEN_MAX: usize = 8 * 1024;
/// Rules for one device: a remote control has a few buttons with a few gestures each.
pub const MARKET_RULES_MAX: usize = 32;

/// Keep-alive, unless the settings say otherwise: a broker that is gone is noticed within twice as long.
pub const KEEP_ALIVE_S_DEFAULT: u16 = 10;
/// How long connecting may take, in seconds.
pub const CONNECT_TIMEOUT_S: u64 = 5;
/// First and longest pause between tries to connect; each is drawn between half of it and all of it.
pub const RECONNECT_MS_MIN: u64 = 250;
/// See [`RECONNECT_MS_MIN`]. Alarms may wait behind it.
pub const RECONNECT_MS_MAX: u64 = 10_000;
/// How long there may be no connection before people are told: a broker that is started anew is back sooner.
pub const TOLD_AFTER: Duration = Duration::from_secs(3);
/// How long acknowledgements that are under way may take at shutdown: a group commit on a slow disk.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(3);
/// How long the goodbye may take.
pub const GOODBYE_TIMEOUT: Duration = Duration::from_millis(500);

/// A probe goes through the broker and back so often, unless the settings say otherwise: a press that the broker loses must not
/// be the first to show that it loses.
pub const PROBE_EVERY_S_DEFAULT: u16 = 30;
/// How long a probe may take while no report comes in: as long as an alarm may take to a person here, several times over.
pub const PROBE_DEADLINE: Duration = Duration::from_secs(10);
/// How long there is no probe where the broker ends the connection at each: a press may wait a second for the next connection, but
/// not every half minute.
pub const PROBE_PAUSE: Duration = Duration::from_secs(3_600);
