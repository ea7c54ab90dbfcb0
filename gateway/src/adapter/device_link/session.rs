//! One connection's MQTT state, without any input or output: bytes in, bytes and inputs of the core out.
//!
//! ```text
//! Greeting --CONNECT--> Deciding --let in--> Live --DISCONNECT, fault, close--> Ended
//!     |                     |                                                     ^
//!     +--- anything else ---+--- refused -----------------------------------------+
//! ```
//!
//! MQTT's packets and their rules are the crate's (`mqtt-protocol-core`). What it leaves to the server is here: who may
//! log in is asked outside, the own topics, QoS 2, packet identifier 0, and when to end a connection.
//!
//! **Invariant:** the device that a report belongs to is the one that logged in; topic and payload only agree with it.
//! **Invariant:** a PUBACK is written only by [`Session::acknowledge`], which is called with what the core said.
//! **Invariant:** after [`Received::End`] nothing more is read.

use std::collections::VecDeque;

use gateway_core::limits::SAMPLE_LEN_MAX;
use gateway_core::{AckCode, AckToken, CommandId, LinkInput, LinkRefusal, SessionId};
use mqtt_protocol_core::mqtt::common::Cursor;
use mqtt_protocol_core::mqtt::connection::{ConnectionOptions, Event};
use mqtt_protocol_core::mqtt::packet::{Property, Qos, SubEntry, v3_1_1, v5_0};
use mqtt_protocol_core::mqtt::result_code::{DisconnectReasonCode, MqttError};
use mqtt_protocol_core::mqtt::{Connection, Version as AnyVersion, role};
use protocols::device::PAYLOAD_LEN_MAX;
use protocols::id::DeviceId;
use protocols::topic::{Channel, Topic};
use zeroize::Zeroizing;

use super::limits;
use super::packets::{self, Grant, LoginRefusal, Packet, Version};

/// The first byte of every connection: a CONNECT, whose flags are zero (section 3.1.1 of both versions).
const CONNECT: u8 = 0x10;

/// What a CONNECT asks for.
#[derive(Debug)]
pub(super) struct Login {
    /// Client id and user name, where they are one device's name.
    pub device: Option<DeviceId>,
    /// The secret.
    pub secret: Zeroizing<Vec<u8>>,
    /// Seconds; 0 is none.
    pub keep_alive_s: u16,
    /// Whether an earlier session is to be taken up.
    pub resume: bool,
    /// How long the session is to outlive the connection, seconds; `u32::MAX` is for ever, 0 not at all.
    pub keep_session_s: u32,
    /// A reason that the packet itself gives to refuse it.
    pub refusal: Option<LoginRefusal>,
}

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The device said so.
    ByDevice,
    /// The device broke a rule.
    Refused(LinkRefusal),
    /// The login was refused.
    LoginRefused(LoginRefusal),
    /// A later login of the same device took over.
    TakenOver,
    /// Nothing was heard for too long.
    KeepAlive,
    /// Commands piled up, or a packet of ours could not be made.
    CannotServe,
    /// The daemon's shutdown ended it.
    Closed,
    /// The device was taken out of the directory, or its secret was changed.
    Revoked,
}

/// What a step of reading gave.
#[derive(Debug)]
pub(super) enum Received {
    /// Nothing for outside.
    Nothing,
    /// Somebody wants to log in; answer by [`Session::let_in`] or [`Session::turn_away`].
    Login(Login),
    /// For the core.
    Inputs(Vec<LinkInput>),
    /// One input for the core, the usual case.
    Input(LinkInput),
    /// The connection is over once what is in the output is written; the input says why, where the core should know.
    End(End, Option<LinkInput>),
}

#[derive(Debug)]
enum Phase {
    /// Only a CONNECT may come.
    Greeting,
    /// The login is being looked at.
    Deciding,
    /// Logged in.
    Live(DeviceId),
    /// Over.
    Ended,
}

/// The state machine of one connection.
pub(super) struct Session {
    mqtt: Connection<role::Server>,
    id: SessionId,
    phase: Phase,
    begun: bool,
    subscribed: Option<Qos>,
    foreign_reported: bool,
    unacked: u16,
    window: usize,
    in_flight: Vec<(u16, CommandId)>,
    waiting: VecDeque<(CommandId, Vec<u8>)>,
    settled: Vec<LinkInput>,
}

type Step = Result<Received, MqttError>;

impl Session {
    /// A fresh connection.
    pub fn new(id: SessionId) -> Self {
        let options = ConnectionOptions::new().maximum_packet_size_recv(limits::PACKET_LEN_MAX);
        let mut mqtt = Connection::with_options(AnyVersion::Undetermined, options);
        mqtt.set_auto_ping_response(true);
        Self {
            mqtt,
            id,
            phase: Phase::Greeting,
            begun: false,
            subscribed: None,
            foreign_reported: false,
            unacked: 0,
            window: limits::COMMANDS_IN_FLIGHT_MAX,
            in_flight: Vec::new(),
            waiting: VecDeque::new(),
            settled: Vec::new(),
        }
    }

    /// The device, once logged in.
    pub fn device(&self) -> Option<&DeviceId> {
        match &self.phase {
            Phase::Live(device) => Some(device),
            Phase::Greeting | Phase::Deciding | Phase::Ended => None,
        }
    }

    /// The granted quality of the command subscription, if there is one; still known when the connection has ended.
    pub fn subscribed(&self) -> Option<Qos> {
        self.subscribed
    }

    /// Whether reading must pause until an acknowledgement went out.
    pub fn is_full(&self) -> bool {
        self.unacked >= limits::UNACKED_MAX
    }

    /// Publishes that wait for their acknowledgement.
    pub fn unacked(&self) -> u16 {
        self.unacked
    }

    /// Reads at most one packet from `bytes`; what is to be written is appended to `out`.
    pub fn receive(&mut self, bytes: &mut Cursor<&[u8]>, out: &mut Vec<u8>) -> Received {
        if matches!(self.phase, Phase::Ended) {
            bytes.set_position(bytes.get_ref().len() as u64);
            return Received::Nothing;
        }
        if !std::mem::replace(&mut self.begun, true) && bytes.remaining_slice().first() != Some(&CONNECT) {
            // Another protocol knocks: its bytes could announce a long packet, for which nobody needs to wait.
            return self.malformed(&[], out);
        }
        let events = self.mqtt.recv(bytes);
        let mut packet = None;
        let mut fault = None;
        for event in events {
            match event {
                Event::NotifyPacketReceived(received) => packet = Some(received),
                Event::RequestSendPacket { packet, .. } => append(out, &packet),
                Event::NotifyError(error) => fault = Some(error),
                Event::RequestClose => fault = fault.or(Some(MqttError::ProtocolError)),
                Event::NotifyPacketIdReleased(_) | Event::RequestTimerReset { .. } | Event::RequestTimerCancel(_) => {}
            }
        }
        if let Some(error) = fault {
            return self.broken(error, out);
        }
        let Some(packet) = packet else { return Received::Nothing };
        self.packet(packet, out).unwrap_or_else(|_| self.end(End::CannotServe, None, out))
    }

    fn broken(&mut self, error: MqttError, out: &mut Vec<u8>) -> Received {
        if error == MqttError::UnsupportedProtocolVersion && matches!(self.phase, Phase::Greeting) {
            out.extend(packets::version_refused().unwrap_or_default());
        }
        let reason = if error == MqttError::PacketTooLarge { LinkRefusal::Oversize } else { LinkRefusal::Malformed };
        let refused = self.refused(reason, None, &[]);
        self.phase = Phase::Ended;
        Received::End(End::Refused(reason), Some(refused))
    }

    fn packet(&mut self, packet: Packet, out: &mut Vec<u8>) -> Step {
        match packet {
            Packet::V3_1_1Connect(connect) => Ok(self.connect(login_v3(&connect), limits::COMMANDS_IN_FLIGHT_MAX)),
            Packet::V5_0Connect(connect) => {
                let window = receive_maximum(&connect);
                Ok(self.connect(login_v5(&connect), window))
            }
            Packet::V3_1_1Publish(p) => Ok(self.publish(&Publish::v3(&p), out)),
            Packet::V5_0Publish(p) => Ok(self.publish(&Publish::v5(&p), out)),
            Packet::V3_1_1Puback(p) => self.taken(p.packet_id(), out),
            Packet::V5_0Puback(p) => self.taken(p.packet_id(), out),
            Packet::V3_1_1Subscribe(p) => self.subscribe(p.packet_id(), p.entries(), out),
            Packet::V5_0Subscribe(p) => self.subscribe(p.packet_id(), p.entries(), out),
            Packet::V3_1_1Unsubscribe(p) => {
                self.unsubscribe(p.packet_id(), p.entries().iter().map(|filter| filter.as_str()), out)
            }
            Packet::V5_0Unsubscribe(p) => {
                self.unsubscribe(p.packet_id(), p.entries().iter().map(|filter| filter.as_str()), out)
            }
            Packet::V3_1_1Pingreq(_) | Packet::V5_0Pingreq(_) => Ok(self.only_live(out)),
            Packet::V3_1_1Disconnect(_) | Packet::V5_0Disconnect(_) => Ok(self.end(End::ByDevice, None, out)),
            // QoS 2 is not offered, extended authentication neither; the rest are a server's packets.
            Packet::V3_1_1Pubrec(_)
            | Packet::V3_1_1Pubrel(_)
            | Packet::V3_1_1Pubcomp(_)
            | Packet::V5_0Pubrec(_)
            | Packet::V5_0Pubrel(_)
            | Packet::V5_0Pubcomp(_)
            | Packet::V5_0Auth(_)
            | Packet::V3_1_1Connack(_)
            | Packet::V3_1_1Suback(_)
            | Packet::V3_1_1Unsuback(_)
            | Packet::V3_1_1Pingresp(_)
            | Packet::V5_0Connack(_)
            | Packet::V5_0Suback(_)
            | Packet::V5_0Unsuback(_)
            | Packet::V5_0Pingresp(_) => Ok(self.malformed(&[], out)),
        }
    }

    fn connect(&mut self, login: Login, window: usize) -> Received {
        self.phase = Phase::Deciding;
        self.window = window.min(limits::COMMANDS_IN_FLIGHT_MAX);
        Received::Login(login)
    }

    /// Lets the login in. `resumed` is the subscription of the earlier session that is taken up, if there is one to
    /// take up. The input says that commands can be sent.
    pub fn let_in(&mut self, device: DeviceId, resumed: Option<Option<Qos>>, out: &mut Vec<u8>) -> Received {
        self.subscribed = resumed.flatten();
        self.phase = Phase::Live(device.clone());
        let welcome = packets::welcome(self.version(), resumed.is_some());
        if !welcome.is_ok_and(|connack| self.send(connack, out)) {
            return self.end(End::CannotServe, None, out);
        }
        if self.subscribed.is_none() {
            return Received::Nothing;
        }
        Received::Input(LinkInput::Connected { device, session: self.id })
    }

    /// Refuses the login; `claimed` is the device that it said it is. With `silently` the peer is told nothing.
    pub fn turn_away(
        &mut self,
        why: LoginRefusal,
        claimed: Option<&DeviceId>,
        silently: bool,
        out: &mut Vec<u8>,
    ) -> Received {
        if !silently && let Ok(connack) = packets::turned_away(self.version(), why) {
            self.send(connack, out);
        }
        self.phase = Phase::Ended;
        // Only the last three are looked at after the secret was found right.
        let (reason, is_known) = match why {
            LoginRefusal::Name | LoginRefusal::Secret => (LinkRefusal::Login, false),
            LoginRefusal::Method => (LinkRefusal::Login, true),
            LoginRefusal::Will => (LinkRefusal::ForeignTopic, true),
            LoginRefusal::Rate => (LinkRefusal::Limit, true),
            LoginRefusal::Closing => return Received::End(End::LoginRefused(why), None),
        };
        let sample = claimed.map(|device| device.as_str().as_bytes().to_vec()).unwrap_or_default();
        let device = claimed.filter(|_| is_known).cloned();
        let refused = LinkInput::Refused { device, reason, ack: None, size: 0, sample };
        Received::End(End::LoginRefused(why), Some(refused))
    }

    fn publish(&mut self, publish: &Publish<'_>, out: &mut Vec<u8>) -> Received {
        let Phase::Live(own) = &self.phase else { return self.malformed(&[], out) };
        if publish.qos == Qos::ExactlyOnce {
            return self.fault(LinkRefusal::Malformed, DisconnectReasonCode::QosNotSupported, publish.payload, out);
        }
        if publish.id == Some(0) {
            return self.malformed(publish.payload, out);
        }
        let channel = match Topic::parse(publish.topic) {
            Some(Topic { device, channel }) if device == *own && channel != Channel::Command => channel,
            Some(_) | None => return self.foreign_topic(publish, out),
        };
        let device = own.clone();
        let ack = publish.id.map(|packet| AckToken { session: self.id, packet });
        if ack.is_some() {
            self.unacked = self.unacked.saturating_add(1);
        }
        if publish.payload.len() > PAYLOAD_LEN_MAX {
            return Received::Input(self.refused(LinkRefusal::Oversize, ack, publish.payload));
        }
        let payload = publish.payload.to_vec();
        Received::Input(match channel {
            // Nothing is kept here, so the flag is a wish without effect: the heartbeat is of now.
            Channel::Status => LinkInput::Status { device, ack, payload, retained: false },
            Channel::Event | Channel::Command => LinkInput::Event { device, ack, payload, retained: publish.retained },
        })
    }

    fn foreign_topic(&mut self, publish: &Publish<'_>, out: &mut Vec<u8>) -> Received {
        // Section 3.3.2.1 of both versions: a topic name has no wildcard; 1.5.4: and no U+0000.
        if publish.topic.is_empty() || publish.topic.contains(['+', '#', '\0']) {
            let code = DisconnectReasonCode::TopicNameInvalid;
            return self.fault(LinkRefusal::Malformed, code, publish.topic.as_bytes(), out);
        }
        let code = DisconnectReasonCode::NotAuthorized;
        self.fault(LinkRefusal::ForeignTopic, code, publish.topic.as_bytes(), out)
    }

    fn subscribe(&mut self, id: u16, entries: &[SubEntry], out: &mut Vec<u8>) -> Step {
        let Phase::Live(device) = &self.phase else { return Ok(self.malformed(&[], out)) };
        if id == 0 || entries.len() > limits::FILTERS_MAX {
            return Ok(self.malformed(&[], out));
        }
        let device = device.clone();
        let own = Topic { device: device.clone(), channel: Channel::Command }.to_string();
        let before = self.subscribed;
        let mut inputs = Vec::new();
        let mut grants = Vec::with_capacity(entries.len());
        for entry in entries {
            grants.push(if entry.topic_filter() != own {
                inputs.extend(self.foreign_subscription(entry.topic_filter()));
                Grant::Refused
            } else if entry.sub_opts().qos() == Qos::AtMostOnce {
                self.subscribed = Some(Qos::AtMostOnce);
                Grant::AtMostOnce
            } else {
                self.subscribed = Some(Qos::AtLeastOnce);
                Grant::AtLeastOnce
            });
        }
        if before.is_none() && self.subscribed.is_some() {
            inputs.push(LinkInput::Connected { device, session: self.id });
        }
        self.send(packets::suback(self.version(), id, &grants)?, out);
        self.send_waiting(out)?;
        Ok(Received::Inputs(inputs))
    }

    /// The first of a connection is reported: each report becomes a record, and the device hears of every one.
    fn foreign_subscription(&mut self, filter: &str) -> Option<LinkInput> {
        if std::mem::replace(&mut self.foreign_reported, true) {
            return None;
        }
        Some(self.refused(LinkRefusal::ForeignSubscription, None, filter.as_bytes()))
    }

    fn unsubscribe<'f>(&mut self, id: u16, filters: impl Iterator<Item = &'f str>, out: &mut Vec<u8>) -> Step {
        let Phase::Live(device) = &self.phase else { return Ok(self.malformed(&[], out)) };
        if id == 0 {
            return Ok(self.malformed(&[], out));
        }
        let own = Topic { device: device.clone(), channel: Channel::Command }.to_string();
        let existed: Vec<bool> = filters.map(|filter| filter == own && self.subscribed.take().is_some()).collect();
        self.send(packets::unsuback(self.version(), id, &existed)?, out);
        Ok(Received::Nothing)
    }

    fn taken(&mut self, id: u16, out: &mut Vec<u8>) -> Step {
        let Some(device) = self.device().cloned() else { return Ok(self.malformed(&[], out)) };
        let Some(place) = self.in_flight.iter().position(|(packet, _)| *packet == id) else {
            return Ok(self.malformed(&[], out));
        };
        let (_, command) = self.in_flight.swap_remove(place);
        self.send_waiting(out)?;
        Ok(Received::Input(LinkInput::CommandTaken { device, command }))
    }

    /// Writes the PUBACK that the core gave out.
    pub fn acknowledge(&mut self, packet: u16, code: AckCode, out: &mut Vec<u8>) {
        self.unacked = self.unacked.saturating_sub(1);
        if matches!(self.phase, Phase::Live(_))
            && let Ok(puback) = packets::puback(self.version(), packet, code)
        {
            self.send(puback, out);
        }
    }

    /// Sends a command now, or when the device has room and has subscribed.
    ///
    /// # Errors
    /// [`End::CannotServe`] when too many wait.
    pub fn command(&mut self, command: CommandId, payload: Vec<u8>, out: &mut Vec<u8>) -> Result<(), End> {
        if !matches!(self.phase, Phase::Live(_)) {
            return Ok(());
        }
        if self.waiting.len() >= limits::COMMANDS_WAITING_MAX {
            return Err(End::CannotServe);
        }
        self.waiting.push_back((command, payload));
        self.send_waiting(out).map_err(|_| End::CannotServe)
    }

    /// What became of commands that no packet of the device will answer; to be told to the core once everything that
    /// was put in the output is written.
    pub fn settled(&mut self) -> Vec<LinkInput> {
        std::mem::take(&mut self.settled)
    }

    fn send_waiting(&mut self, out: &mut Vec<u8>) -> Result<(), MqttError> {
        let (Phase::Live(device), Some(qos)) = (&self.phase, self.subscribed) else { return Ok(()) };
        let device = device.clone();
        let topic = Topic { device: device.clone(), channel: Channel::Command }.to_string();
        while self.in_flight.len() < self.window {
            let Some((command, payload)) = self.waiting.pop_front() else { break };
            let id = if qos == Qos::AtMostOnce { None } else { Some(self.mqtt.acquire_packet_id()?) };
            let publish = packets::command(self.version(), id, &topic, payload)?;
            match (self.send(publish, out), id) {
                (true, Some(id)) => self.in_flight.push((id, command)),
                (true, None) => self.settled.push(LinkInput::CommandTaken { device: device.clone(), command }),
                (false, id) => {
                    id.map(|id| self.mqtt.release_packet_id(id));
                    self.settled.push(LinkInput::CommandGivenUp { device: device.clone(), command });
                }
            }
        }
        Ok(())
    }

    /// Ends the connection from our side; MQTT 5 hears why.
    pub fn end(&mut self, end: End, input: Option<LinkInput>, out: &mut Vec<u8>) -> Received {
        let code = match end {
            End::ByDevice | End::LoginRefused(_) => None,
            End::Refused(_) => Some(DisconnectReasonCode::ProtocolError),
            End::TakenOver => Some(DisconnectReasonCode::SessionTakenOver),
            End::KeepAlive => Some(DisconnectReasonCode::KeepAliveTimeout),
            End::CannotServe => Some(DisconnectReasonCode::QuotaExceeded),
            End::Closed => Some(DisconnectReasonCode::ServerShuttingDown),
            End::Revoked => Some(DisconnectReasonCode::NotAuthorized),
        };
        self.say_goodbye(code, out);
        Received::End(end, input)
    }

    fn fault(&mut self, reason: LinkRefusal, code: DisconnectReasonCode, about: &[u8], out: &mut Vec<u8>) -> Received {
        let refused = self.refused(reason, None, about);
        self.say_goodbye(Some(code), out);
        Received::End(End::Refused(reason), Some(refused))
    }

    fn malformed(&mut self, about: &[u8], out: &mut Vec<u8>) -> Received {
        self.fault(LinkRefusal::Malformed, DisconnectReasonCode::ProtocolError, about, out)
    }

    fn only_live(&mut self, out: &mut Vec<u8>) -> Received {
        if matches!(self.phase, Phase::Live(_)) { Received::Nothing } else { self.malformed(&[], out) }
    }

    fn say_goodbye(&mut self, code: Option<DisconnectReasonCode>, out: &mut Vec<u8>) {
        let was_live = matches!(self.phase, Phase::Live(_));
        self.phase = Phase::Ended;
        if was_live
            && self.version() == Version::V5
            && let Some(code) = code
            && let Ok(disconnect) = packets::disconnect(code)
        {
            self.send(disconnect, out);
        }
    }

    fn refused(&self, reason: LinkRefusal, ack: Option<AckToken>, about: &[u8]) -> LinkInput {
        let sample = about.get(..SAMPLE_LEN_MAX).unwrap_or(about).to_vec();
        LinkInput::Refused { device: self.device().cloned(), reason, ack, size: about.len() as u64, sample }
    }

    fn version(&self) -> Version {
        match self.mqtt.get_protocol_version() {
            AnyVersion::V5_0 => Version::V5,
            AnyVersion::V3_1_1 | AnyVersion::Undetermined => Version::V3,
        }
    }

    /// Writes a packet; not, when it is above the size that the device takes.
    fn send(&mut self, packet: Packet, out: &mut Vec<u8>) -> bool {
        let mut written = false;
        for event in self.mqtt.send(packet) {
            match event {
                Event::RequestSendPacket { packet, .. } => {
                    append(out, &packet);
                    written = true;
                }
                Event::NotifyError(_)
                | Event::NotifyPacketReceived(_)
                | Event::RequestClose
                | Event::NotifyPacketIdReleased(_)
                | Event::RequestTimerReset { .. }
                | Event::RequestTimerCancel(_) => {}
            }
        }
        written
    }
}

fn append(out: &mut Vec<u8>, packet: &Packet) {
    use mqtt_protocol_core::mqtt::packet::GenericPacketTrait;
    out.extend_from_slice(&packet.to_continuous_buffer());
}

/// What counts of a PUBLISH.
struct Publish<'p> {
    topic: &'p str,
    qos: Qos,
    id: Option<u16>,
    retained: bool,
    payload: &'p [u8],
}

impl<'p> Publish<'p> {
    fn v3(p: &'p v3_1_1::Publish) -> Self {
        Self {
            topic: p.topic_name(),
            qos: p.qos(),
            id: p.packet_id(),
            retained: p.retain(),
            payload: p.payload().as_slice(),
        }
    }

    fn v5(p: &'p v5_0::Publish) -> Self {
        Self {
            topic: p.topic_name(),
            qos: p.qos(),
            id: p.packet_id(),
            retained: p.retain(),
            payload: p.payload().as_slice(),
        }
    }
}

/// The device that client id and user name both name.
fn claimed(client_id: &str, user_name: Option<&str>) -> Option<DeviceId> {
    if user_name == Some(client_id) { client_id.parse().ok() } else { None }
}

/// A last will may only be a heartbeat of the device itself. It is not kept: a device that went away unasked is no
/// sign of life, and the gateway notices its silence.
fn will_refusal(device: Option<&DeviceId>, will_topic: Option<&str>) -> Option<LoginRefusal> {
    let topic = Topic::parse(will_topic?);
    let own = topic.is_some_and(|topic| Some(&topic.device) == device && topic.channel == Channel::Status);
    if own { None } else { Some(LoginRefusal::Will) }
}

fn login_v3(connect: &v3_1_1::Connect) -> Login {
    let device = claimed(connect.client_id(), connect.user_name());
    Login {
        refusal: will_refusal(device.as_ref(), connect.will_topic()),
        device,
        secret: Zeroizing::new(connect.password().unwrap_or_default().to_vec()),
        keep_alive_s: connect.keep_alive(),
        resume: !connect.clean_session(),
        keep_session_s: if connect.clean_session() { 0 } else { u32::MAX },
    }
}

fn login_v5(connect: &v5_0::Connect) -> Login {
    let device = claimed(connect.client_id(), connect.user_name());
    let has_method = connect.props().iter().any(|property| matches!(property, Property::AuthenticationMethod(_)));
    let keep_session_s = connect.props().iter().find_map(|property| {
        if let Property::SessionExpiryInterval(interval) = property { Some(interval.val()) } else { None }
    });
    Login {
        refusal: if has_method {
            Some(LoginRefusal::Method)
        } else {
            will_refusal(device.as_ref(), connect.will_topic())
        },
        device,
        secret: Zeroizing::new(connect.password().unwrap_or_default().to_vec()),
        keep_alive_s: connect.keep_alive(),
        resume: !connect.clean_start(),
        keep_session_s: keep_session_s.unwrap_or(0),
    }
}

fn receive_maximum(connect: &v5_0::Connect) -> usize {
    let most = connect.props().iter().find_map(|property| {
        if let Property::ReceiveMaximum(most) = property { Some(usize::from(most.val())) } else { None }
    });
    most.unwrap_or(limits::COMMANDS_IN_FLIGHT_MAX)
}

#[cfg(test)]
mod tests;
