//! What one connection to the broker carries, without any input or output: publishes in, inputs of the core out;
//! acknowledgements and commands of the core in, packets out.
//!
//! A broker hides who is connected, so each device that is heard on a connection gets a session of its own there: from the
//! first publish that comes of it until the connection to the broker is lost.
//!
//! **Invariant:** an acknowledgement is passed on only on the connection on which its publish came: after a reconnect the
//! broker delivers again, under an identifier that may by then be another publish's.
//! **Invariant:** what the broker kept from earlier (retained) opens no session: it comes at each connect, whoever is there.
//! **Invariant:** a packet identifier is not used again before it came back: the client counts identifiers round, and would
//! get stuck for good on one that is still open.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use gateway_core::limits::SAMPLE_LEN_MAX;
use gateway_core::{AckToken, CommandId, LinkId, LinkInput, LinkRefusal, SessionId};
use protocols::device::PAYLOAD_LEN_MAX;
use protocols::id::DeviceId;
use protocols::topic::{Channel, Topic};

use super::limits;
use super::market::{MarketDevice, Meaning};

/// A publish that the broker delivered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delivered<'p> {
    pub topic: &'p str,
    /// Absent at QoS 0.
    pub packet: Option<u16>,
    pub retained: bool,
    pub payload: &'p [u8],
}

/// Commands pile up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooMany;

#[derive(Debug)]
struct Waiting {
    command: CommandId,
    device: DeviceId,
    payload: Vec<u8>,
}

/// What is told to the broker in one packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// Filters to subscribe.
    Listen(Vec<String>),
    /// A filter to subscribe no more; the client puts one into a packet.
    Leave(String),
}

/// What was published, with the place in the row of identifiers that it takes.
#[derive(Debug, Clone)]
struct Sent {
    place: u64,
    what: Published,
}

/// What the broker has acknowledged.
#[derive(Debug)]
pub(super) enum Taken {
    /// A command, with what the core is told.
    Command(LinkInput),
    /// A probe.
    Probe,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Published {
    Command(CommandId, DeviceId),
    Probe,
}

/// The state of the adapter.
#[derive(Debug)]
pub(super) struct Relay {
    assigned: BTreeSet<DeviceId>,
    /// Devices from the market by their topic.
    market: BTreeMap<String, MarketDevice>,
    /// All that the settings have, whether they are assigned or not.
    market_known: BTreeMap<DeviceId, MarketDevice>,
    /// Whether a connection stands.
    open: bool,
    /// What the broker is to be told about the subscriptions of this connection.
    changes: VecDeque<Change>,
    last_number: u64,
    /// For publishes of devices that hear no commands, and for what was kept.
    nobody: u64,
    sessions: BTreeMap<DeviceId, u64>,
    devices: BTreeMap<u64, DeviceId>,
    unacked: BTreeSet<u16>,
    places: u64,
    waiting: VecDeque<Waiting>,
    handed: VecDeque<Sent>,
    in_flight: BTreeMap<u16, Sent>,
}

impl Relay {
    /// Devices that are from the market do not speak the own protocol.
    pub fn new(mut assigned: BTreeSet<DeviceId>, market: &[MarketDevice]) -> Self {
        for device in market {
            assigned.remove(&device.device);
        }
        Self {
            assigned,
            market: market.iter().map(|device| (device.topic.clone(), device.clone())).collect(),
            market_known: market.iter().map(|device| (device.device.clone(), device.clone())).collect(),
            open: false,
            changes: VecDeque::new(),
            last_number: 0,
            nobody: 0,
            sessions: BTreeMap::new(),
            devices: BTreeMap::new(),
            unacked: BTreeSet::new(),
            places: 0,
            waiting: VecDeque::new(),
            handed: VecDeque::new(),
            in_flight: BTreeMap::new(),
        }
    }

    /// A connection stands; the filters to subscribe, a list for each packet, the adapter's `own` before those of devices.
    pub fn opened(&mut self, own: Option<String>) -> Vec<Vec<String>> {
        self.nobody = self.fresh_number();
        self.open = true;
        let filters: Vec<String> = own
            .into_iter()
            .chain(self.assigned.iter().flat_map(own_filters))
            .chain(self.market.keys().cloned())
            .collect();
        let packets: Vec<Vec<String>> = filters.chunks(limits::FILTERS_PER_SUBSCRIBE).map(<[String]>::to_vec).collect();
        // A SUBSCRIBE takes an identifier, too.
        self.places = packets.len() as u64;
        packets
    }

    /// Listens to a device from now on; false when there are too many.
    pub fn assign(&mut self, device: &DeviceId) -> bool {
        if self.assigned.len().saturating_add(self.market.len()) >= limits::DEVICES_MAX {
            return false;
        }
        let filters = if let Some(market) = self.market_known.get(device) {
            self.market.insert(market.topic.clone(), market.clone());
            vec![market.topic.clone()]
        } else {
            self.assigned.insert(device.clone());
            own_filters(device).to_vec()
        };
        self.listen(filters);
        true
    }

    /// Does not listen to a device any more: what comes of it from now on is refused. What came before is still acknowledged.
    pub fn withdraw(&mut self, device: &DeviceId) -> Option<LinkInput> {
        self.assigned.remove(device);
        self.market.retain(|_, market| market.device != *device);
        let filters = match self.market_known.get(device) {
            Some(market) => vec![market.topic.clone()],
            None => own_filters(device).to_vec(),
        };
        // A connection that comes later begins with the filters as they are by then.
        if self.open {
            self.changes.extend(filters.into_iter().map(Change::Leave));
        }
        let number = self.sessions.remove(device)?;
        Some(LinkInput::Disconnected { device: device.clone(), session: session(number) })
    }

    /// Many that come one after the other go in one packet.
    fn listen(&mut self, filters: Vec<String>) {
        if !self.open {
            return;
        }
        match self.changes.back_mut() {
            Some(Change::Listen(last)) if last.len() < limits::FILTERS_PER_SUBSCRIBE => last.extend(filters),
            Some(Change::Listen(_) | Change::Leave(_)) | None => self.changes.push_back(Change::Listen(filters)),
        }
    }

    /// The next change to tell the broker, when an identifier is surely free: it takes one.
    pub fn next_change(&mut self) -> Option<Change> {
        if !self.has_identifier() {
            return None;
        }
        let change = self.changes.pop_front()?;
        self.places = self.places.saturating_add(1);
        Some(change)
    }

    /// The connection is gone, and all that stood on it; what the core is told.
    pub fn closed(&mut self) -> Vec<LinkInput> {
        self.open = false;
        self.changes.clear();
        self.unacked.clear();
        self.waiting.clear();
        self.handed.clear();
        self.in_flight.clear();
        self.devices.clear();
        let sessions = std::mem::take(&mut self.sessions);
        let gone = |(device, number)| LinkInput::Disconnected { device, session: session(number) };
        sessions.into_iter().map(gone).collect()
    }

    /// The broker delivered a publish; what the core is told.
    pub fn delivered(&mut self, publish: Delivered<'_>) -> Vec<LinkInput> {
        self.unacked.extend(publish.packet);
        if self.market.contains_key(publish.topic) {
            return self.delivered_by_market(publish);
        }
        let topic = Topic::parse(publish.topic);
        let own = topic.filter(|topic| topic.channel != Channel::Command && self.assigned.contains(&topic.device));
        let Some(Topic { device, channel }) = own else {
            // Left over from an earlier assignment; the broker keeps the session with its subscriptions.
            let ack = self.token(self.nobody, publish.packet);
            return vec![refused(None, LinkRefusal::ForeignTopic, ack, publish.topic.as_bytes())];
        };
        let mut inputs = Vec::new();
        let number = match self.sessions.get(&device) {
            Some(number) => *number,
            None if publish.retained => self.nobody,
            None => {
                let number = self.fresh_number();
                self.sessions.insert(device.clone(), number);
                self.devices.insert(number, device.clone());
                inputs.push(LinkInput::Connected { device: device.clone(), session: session(number) });
                number
            }
        };
        let ack = self.token(number, publish.packet);
        inputs.push(if publish.payload.len() > PAYLOAD_LEN_MAX {
            refused(Some(device), LinkRefusal::Oversize, ack, publish.payload)
        } else if channel == Channel::Status {
            LinkInput::Status { device, ack, payload: publish.payload.to_vec(), retained: publish.retained }
        } else {
            LinkInput::Event { device, ack, payload: publish.payload.to_vec(), retained: publish.retained }
        });
        inputs
    }

    /// A device from the market hears no commands, so its session is not announced.
    fn delivered_by_market(&mut self, publish: Delivered<'_>) -> Vec<LinkInput> {
        let ack = self.token(self.nobody, publish.packet);
        let Some(market) = self.market.get(publish.topic) else { return Vec::new() };
        let device = market.device.clone();
        vec![if publish.payload.len() > limits::MARKET_PAYLOAD_LEN_MAX {
            refused(Some(device), LinkRefusal::Oversize, ack, publish.payload)
        } else {
            match market.read(publish.payload) {
                Meaning::Event(payload) => LinkInput::Event { device, ack, payload, retained: publish.retained },
                Meaning::Status(payload) => LinkInput::Status { device, ack, payload, retained: publish.retained },
            }
        }]
    }

    /// The identifier to acknowledge to the broker; `None` when the publish came on another connection.
    pub fn ack(&mut self, token: AckToken) -> Option<u16> {
        let number = token.session.number;
        let is_current = number == self.nobody || self.devices.contains_key(&number);
        if is_current && self.unacked.remove(&token.packet) { Some(token.packet) } else { None }
    }

    /// Whether a connection stands.
    pub const fn is_open(&self) -> bool {
        self.open
    }

    /// Publishes that wait for the core.
    pub fn unacked(&self) -> usize {
        self.unacked.len()
    }

    /// Takes a command for a device that was heard on this connection; `false` when it was not.
    pub fn command(&mut self, to: SessionId, command: CommandId, payload: Vec<u8>) -> Result<bool, TooMany> {
        let Some(device) = self.devices.get(&to.number) else { return Ok(false) };
        if self.waiting.len() >= limits::COMMANDS_WAITING_MAX {
            return Err(TooMany);
        }
        self.waiting.push_back(Waiting { command, device: device.clone(), payload });
        Ok(true)
    }

    /// The next command to publish, topic and payload, when an identifier is surely free.
    pub fn next_command(&mut self) -> Option<(String, Vec<u8>)> {
        let next = self.places;
        let open = self.in_flight.len().saturating_add(self.handed.len());
        if open >= limits::COMMANDS_IN_FLIGHT_MAX || !self.has_identifier() {
            return None;
        }
        let Waiting { command, device, payload } = self.waiting.pop_front()?;
        let topic = Topic { device: device.clone(), channel: Channel::Command }.to_string();
        self.handed.push_back(Sent { place: next, what: Published::Command(command, device) });
        self.places = next.saturating_add(1);
        Some((topic, payload))
    }

    /// Whether a probe may be published now; then it must be. One that the broker has not acknowledged keeps the next back.
    pub fn next_probe(&mut self) -> bool {
        let under_way = self.in_flight.values().chain(&self.handed).any(|sent| sent.what == Published::Probe);
        if !self.open || under_way || !self.has_identifier() {
            return false;
        }
        self.handed.push_back(Sent { place: self.places, what: Published::Probe });
        self.places = self.places.saturating_add(1);
        true
    }

    /// The client gave the command or probe that was handed to it first this identifier.
    pub fn sent(&mut self, packet: u16) {
        if let Some(sent) = self.handed.pop_front() {
            self.in_flight.insert(packet, sent);
        }
    }

    /// The broker has what was published with this identifier.
    pub fn taken(&mut self, packet: u16) -> Option<Taken> {
        Some(match self.in_flight.remove(&packet)?.what {
            Published::Command(command, device) => Taken::Command(LinkInput::CommandTaken { device, command }),
            Published::Probe => Taken::Probe,
        })
    }

    /// Whether the client's next identifier has surely come back.
    fn has_identifier(&self) -> bool {
        let oldest = self.in_flight.values().chain(self.handed.front()).map(|sent| sent.place).min();
        oldest.is_none_or(|oldest| self.places.saturating_sub(oldest) < u64::from(limits::IDENTIFIERS))
    }

    fn fresh_number(&mut self) -> u64 {
        self.last_number = self.last_number.saturating_add(1);
        self.last_number
    }

    fn token(&self, number: u64, packet: Option<u16>) -> Option<AckToken> {
        packet.map(|packet| AckToken { session: session(number), packet })
    }
}

/// What a device that speaks the own protocol publishes on.
fn own_filters(device: &DeviceId) -> [String; 2] {
    [Channel::Event, Channel::Status].map(|channel| Topic { device: device.clone(), channel }.to_string())
}

fn session(number: u64) -> SessionId {
    SessionId { link: LinkId::Broker, number }
}

fn refused(device: Option<DeviceId>, reason: LinkRefusal, ack: Option<AckToken>, about: &[u8]) -> LinkInput {
    let sample = about.get(..SAMPLE_LEN_MAX).unwrap_or(about).to_vec();
    LinkInput::Refused { device, reason, ack, size: about.len() as u64, sample }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn relay() -> Relay {
        Relay::new(["a", "b"].map(|id| id.parse().unwrap()).into(), &[])
    }

    fn event(packet: u16) -> Delivered<'static> {
        Delivered { topic: "care/v1/a/event", packet: Some(packet), retained: false, payload: b"{}" }
    }

    fn ack_of(input: &LinkInput) -> AckToken {
        match input {
            LinkInput::Event { ack, .. } | LinkInput::Status { ack, .. } | LinkInput::Refused { ack, .. } => {
                ack.unwrap()
            }
            LinkInput::Connected { .. }
            | LinkInput::Disconnected { .. }
            | LinkInput::CommandTaken { .. }
            | LinkInput::CommandGivenUp { .. } => {
                panic!("{input:?} needs no acknowledgement")
            }
        }
    }

    #[test]
    fn each_assigned_device_is_subscribed_by_name_and_never_by_wildcard() {
        let many = (0..120).map(|n| format!("d{n}").parse().unwrap()).collect();
        let packets = Relay::new(many, &[]).opened(None);
        assert_eq!(packets.iter().map(Vec::len).collect::<Vec<_>>(), [100, 100, 40]);
        assert!(packets.concat().iter().all(|filter| !filter.contains(['#', '+'])));
        assert_eq!(relay().opened(None).concat()[..2], ["care/v1/a/event", "care/v1/a/status"]);
    }

    #[test]
    fn a_stale_acknowledgement_is_never_passed_on() {
        let mut relay = relay();
        relay.opened(None);
        let inputs = relay.delivered(event(1));
        assert!(matches!(inputs[0], LinkInput::Connected { .. }));
        let old = ack_of(&inputs[1]);
        assert_eq!(relay.closed().len(), 1);
        relay.opened(None);
        let new = ack_of(&relay.delivered(event(1))[1]);
        assert_eq!(relay.ack(old), None);
        assert_eq!(relay.ack(new), Some(1));
        assert_eq!(relay.ack(new), None, "and none twice");
    }

    #[test]
    fn d8_what_the_broker_kept_opens_no_session_and_can_be_acknowledged() {
        let mut relay = relay();
        relay.opened(None);
        for (topic, packet) in [("care/v1/a/event", 1), ("care/v1/a/status", 2)] {
            let inputs = relay.delivered(Delivered { topic, retained: true, ..event(packet) });
            let ([LinkInput::Event { retained: true, .. }] | [LinkInput::Status { retained: true, .. }]) =
                inputs.as_slice()
            else {
                panic!("{inputs:?}")
            };
            assert_eq!(relay.ack(ack_of(&inputs[0])), Some(packet));
        }
        assert!(matches!(relay.delivered(event(3))[..], [LinkInput::Connected { .. }, LinkInput::Event { .. }]));
    }

    #[test]
    fn a_publish_of_a_device_that_is_not_assigned_is_refused_and_acknowledged() {
        let mut relay = relay();
        relay.opened(None);
        for topic in ["care/v1/c/event", "care/v1/a/command", "x"] {
            let inputs = relay.delivered(Delivered { topic, ..event(9) });
            let [LinkInput::Refused { device: None, reason: LinkRefusal::ForeignTopic, .. }] = inputs.as_slice() else {
                panic!("{inputs:?}")
            };
            assert_eq!(relay.ack(ack_of(&inputs[0])), Some(9));
        }
    }

    #[test]
    fn a_device_that_is_withdrawn_is_refused_and_what_came_before_is_still_acknowledged() {
        let mut relay = relay();
        relay.opened(None);
        let before = ack_of(&relay.delivered(event(1))[1]);
        let told = relay.withdraw(&"a".parse().unwrap());
        assert!(matches!(told, Some(LinkInput::Disconnected { .. })), "{told:?}");
        assert_eq!(relay.ack(before), Some(1));
        let after = relay.delivered(event(2));
        assert!(
            matches!(after.as_slice(), [LinkInput::Refused { reason: LinkRefusal::ForeignTopic, .. }]),
            "{after:?}"
        );
        assert!(relay.opened(None).concat().iter().all(|filter| !filter.contains("/a/")));
    }

    #[test]
    fn a_device_that_is_assigned_later_is_subscribed_on_the_connection_that_stands_and_on_each_later_one() {
        let mut relay = relay();
        let late: DeviceId = "c".parse().unwrap();
        relay.opened(None);
        assert!(relay.assign(&late) && relay.assign(&"d".parse().unwrap()));
        let filters = ["c", "d"].map(|id| [format!("care/v1/{id}/event"), format!("care/v1/{id}/status")]).concat();
        assert_eq!(relay.next_change(), Some(Change::Listen(filters)));
        assert_eq!(relay.next_change(), None);
        let inputs = relay.delivered(Delivered { topic: "care/v1/c/event", ..event(1) });
        assert!(matches!(inputs[..], [LinkInput::Connected { .. }, LinkInput::Event { .. }]), "{inputs:?}");
        relay.withdraw(&late);
        assert_eq!(relay.next_change(), Some(Change::Leave("care/v1/c/event".to_owned())));
        assert_eq!(relay.next_change(), Some(Change::Leave("care/v1/c/status".to_owned())));
        relay.closed();
        assert!(relay.assign(&late));
        assert_eq!(relay.next_change(), None, "nothing is told to a broker that is not there");
        assert!(relay.opened(None).concat().contains(&"care/v1/c/event".to_owned()));
    }

    #[test]
    fn more_devices_than_can_be_subscribed_are_not_assigned() {
        let mut relay = Relay::new((0..limits::DEVICES_MAX).map(|n| format!("d{n}").parse().unwrap()).collect(), &[]);
        assert!(!relay.assign(&"one-more".parse().unwrap()));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

        /// The client's own rule: identifiers 1 to 100 in turn, shared with SUBSCRIBE.
        #[test]
        fn an_identifier_is_never_used_before_it_came_back(steps in proptest::collection::vec(any::<u16>(), 1..2_000)) {
            let mut relay = relay();
            let mut next = u16::try_from(relay.opened(None).len()).unwrap() + 1;
            relay.delivered(event(1));
            let to = session(*relay.sessions.values().next().unwrap());
            let (mut open, mut n) = (BTreeSet::new(), 0);
            for step in steps {
                n += 1;
                relay.command(to, CommandId(n), Vec::new()).unwrap();
                while relay.next_command().is_some() {
                    prop_assert!(open.insert(next), "identifier {} is still open", next);
                    relay.sent(next);
                    next = if next == limits::IDENTIFIERS { 1 } else { next + 1 };
                }
                // Devices come and go meanwhile; each change takes an identifier, too.
                if step % 5 == 0 {
                    let device = "c".parse().unwrap();
                    if step % 2 == 0 { relay.assign(&device); } else { relay.withdraw(&device); }
                }
                while relay.next_change().is_some() {
                    prop_assert!(!open.contains(&next), "identifier {} is still open", next);
                    next = if next == limits::IDENTIFIERS { 1 } else { next + 1 };
                }
                if step % 3 != 0 {
                    let pick = usize::from(step) % open.len();
                    let packet = *open.iter().nth(pick).unwrap();
                    open.remove(&packet);
                    prop_assert!(relay.taken(packet).is_some());
                }
                relay.waiting.truncate(50);
            }
        }
    }
}
