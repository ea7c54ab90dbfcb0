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

/// A command with the place in the row of identifiers that it takes.
#[derive(Debug, Clone)]
struct Sent {
    place: u64,
    command: CommandId,
    device: DeviceId,
}

/// The state of the adapter.
#[derive(Debug)]
pub(super) struct Relay {
    assigned: BTreeSet<DeviceId>,
    /// Devices from the market by their topic.
    market: BTreeMap<String, MarketDevice>,
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

    /// A connection stands; the filters to subscribe, a list for each packet.
    pub fn opened(&mut self) -> Vec<Vec<String>> {
        self.nobody = self.fresh_number();
        let own = |device: &DeviceId| {
            [Channel::Event, Channel::Status].map(|channel| Topic { device: device.clone(), channel }.to_string())
        };
        let filters: Vec<String> = self.assigned.iter().flat_map(own).chain(self.market.keys().cloned()).collect();
        let packets: Vec<Vec<String>> = filters.chunks(limits::FILTERS_PER_SUBSCRIBE).map(<[String]>::to_vec).collect();
        // A SUBSCRIBE takes an identifier, too.
        self.places = packets.len() as u64;
        packets
    }

    /// Does not listen to a device any more: what comes of it from now on is refused. What came before is still acknowledged.
    pub fn withdraw(&mut self, device: &DeviceId) -> Option<LinkInput> {
        self.assigned.remove(device);
        self.market.retain(|_, market| market.device != *device);
        let number = self.sessions.remove(device)?;
        Some(LinkInput::Disconnected { device: device.clone(), session: session(number) })
    }

    /// The connection is gone, and all that stood on it; what the core is told.
    pub fn closed(&mut self) -> Vec<LinkInput> {
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
        let oldest = self.in_flight.values().chain(self.handed.front()).map(|sent| sent.place).min();
        let next = self.places;
        let round = oldest.map_or(0, |oldest| next.saturating_sub(oldest));
        let open = self.in_flight.len().saturating_add(self.handed.len());
        if open >= limits::COMMANDS_IN_FLIGHT_MAX || round >= u64::from(limits::IDENTIFIERS) {
            return None;
        }
        let Waiting { command, device, payload } = self.waiting.pop_front()?;
        let topic = Topic { device: device.clone(), channel: Channel::Command }.to_string();
        self.handed.push_back(Sent { place: next, command, device });
        self.places = next.saturating_add(1);
        Some((topic, payload))
    }

    /// The client gave the command that was handed to it first this identifier.
    pub fn sent(&mut self, packet: u16) {
        if let Some(sent) = self.handed.pop_front() {
            self.in_flight.insert(packet, sent);
        }
    }

    /// The broker has the command with this identifier.
    pub fn taken(&mut self, packet: u16) -> Option<LinkInput> {
        let Sent { command, device, .. } = self.in_flight.remove(&packet)?;
        Some(LinkInput::CommandTaken { device, command })
    }

    fn fresh_number(&mut self) -> u64 {
        self.last_number = self.last_number.saturating_add(1);
        self.last_number
    }

    fn token(&self, number: u64, packet: Option<u16>) -> Option<AckToken> {
        packet.map(|packet| AckToken { session: session(number), packet })
    }
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
        let packets = Relay::new(many, &[]).opened();
        assert_eq!(packets.iter().map(Vec::len).collect::<Vec<_>>(), [100, 100, 40]);
        assert!(packets.concat().iter().all(|filter| !filter.contains(['#', '+'])));
        assert_eq!(relay().opened().concat()[..2], ["care/v1/a/event", "care/v1/a/status"]);
    }

    #[test]
    fn a_stale_acknowledgement_is_never_passed_on() {
        let mut relay = relay();
        relay.opened();
        let inputs = relay.delivered(event(1));
        assert!(matches!(inputs[0], LinkInput::Connected { .. }));
        let old = ack_of(&inputs[1]);
        assert_eq!(relay.closed().len(), 1);
        relay.opened();
        let new = ack_of(&relay.delivered(event(1))[1]);
        assert_eq!(relay.ack(old), None);
        assert_eq!(relay.ack(new), Some(1));
        assert_eq!(relay.ack(new), None, "and none twice");
    }

    #[test]
    fn d8_what_the_broker_kept_opens_no_session_and_can_be_acknowledged() {
        let mut relay = relay();
        relay.opened();
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
        relay.opened();
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
        relay.opened();
        let before = ack_of(&relay.delivered(event(1))[1]);
        let told = relay.withdraw(&"a".parse().unwrap());
        assert!(matches!(told, Some(LinkInput::Disconnected { .. })), "{told:?}");
        assert_eq!(relay.ack(before), Some(1));
        let after = relay.delivered(event(2));
        assert!(
            matches!(after.as_slice(), [LinkInput::Refused { reason: LinkRefusal::ForeignTopic, .. }]),
            "{after:?}"
        );
        assert!(relay.opened().concat().iter().all(|filter| !filter.contains("/a/")));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

        /// The client's own rule: identifiers 1 to 100 in turn, shared with SUBSCRIBE.
        #[test]
        fn an_identifier_is_never_used_before_it_came_back(steps in proptest::collection::vec(any::<u16>(), 1..2_000)) {
            let mut relay = relay();
            let mut next = u16::try_from(relay.opened().len()).unwrap() + 1;
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
