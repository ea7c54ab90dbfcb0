//! The state machine against arbitrary bytes: it never panics, ends at most itself, and acknowledges nothing by itself.

use mqtt_protocol_core::mqtt::packet::GenericPacketTrait;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const NUMBER: SessionId = SessionId { link: gateway_core::LinkId::Device, number: 7 };

/// What came of some bytes.
#[derive(Debug, PartialEq)]
struct Outcome {
    inputs: Vec<String>,
    out: Vec<u8>,
    end: Option<End>,
    unacked: u16,
}

fn outcome(session: &mut Session, chunks: &[&[u8]], mut out: Vec<u8>) -> Outcome {
    let (mut inputs, mut end) = (Vec::new(), None);
    for chunk in chunks {
        let mut cursor = Cursor::new(*chunk);
        while (cursor.position() as usize) < chunk.len() {
            let before = cursor.position();
            let mut received = session.receive(&mut cursor, &mut out);
            let ended = matches!(received, Received::End(..));
            assert!(ended || cursor.position() > before, "each step takes bytes");
            if let Received::Login(login) = &received {
                let claimed = login.device.clone();
                received = session.turn_away(LoginRefusal::Secret, claimed.as_ref(), false, &mut out);
            }
            match received {
                Received::Nothing => {}
                Received::Login(_) => unreachable!("answered above"),
                Received::Input(input) => inputs.push(input),
                Received::Inputs(more) => inputs.extend(more),
                Received::End(why, input) => {
                    assert_eq!(end, None, "it ends once");
                    end = Some(why);
                    inputs.extend(input);
                }
            }
        }
    }
    check_inputs(session, &inputs);
    let inputs = inputs.iter().map(|input| format!("{input:?}")).collect();
    Outcome { inputs, out, end, unacked: session.unacked() }
}

fn check_inputs(session: &Session, inputs: &[LinkInput]) {
    let mut to_acknowledge = 0;
    for input in inputs {
        let (device, ack) = match input {
            LinkInput::Event { device, ack, payload, .. } | LinkInput::Status { device, ack, payload, .. } => {
                assert!(payload.len() <= PAYLOAD_LEN_MAX);
                (Some(device), *ack)
            }
            LinkInput::Refused { device, ack, sample, .. } => {
                assert!(sample.len() <= SAMPLE_LEN_MAX);
                (device.as_ref(), *ack)
            }
            LinkInput::Connected { device, .. }
            | LinkInput::Disconnected { device, .. }
            | LinkInput::CommandTaken { device, .. }
            | LinkInput::CommandGivenUp { device, .. } => (Some(device), None),
        };
        assert!(device.is_none_or(|device| device.as_str() == "a"), "only the device that logged in");
        if let Some(token) = ack {
            assert_ne!(token.packet, 0);
            to_acknowledge += 1;
        }
    }
    assert_eq!(session.unacked(), to_acknowledge);
}

fn logged_in(version: u8) -> (Session, Vec<u8>) {
    let (mut session, mut out) = (Session::new(NUMBER), Vec::new());
    let mut connect = b"\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01a".to_vec();
    if version == 5 {
        connect = b"\x10\x0e\0\x04MQTT\x05\x02\0\x3c\0\0\x01a".to_vec();
    }
    let Received::Login(_) = session.receive(&mut Cursor::new(&connect), &mut out) else { panic!("a login") };
    session.let_in("a".parse().unwrap(), None, &mut out);
    out.clear();
    (session, out)
}

/// Packets that are right, nearly right and wrong.
fn packets(version: u8) -> impl Strategy<Value = Vec<u8>> {
    let topic = prop_oneof![
        4 => Just("care/v1/a/event".to_owned()),
        2 => Just("care/v1/a/status".to_owned()),
        1 => Just("care/v1/a/command".to_owned()),
        1 => Just("care/v1/b/event".to_owned()),
        1 => "[a+#/\u{0}é]{0,6}",
    ];
    let publish = (topic.clone(), 0..8_u8, any::<u16>(), vec(any::<u8>(), 0..1_100)).prop_map(
        move |(topic, flags, id, payload)| {
            let mut body = (topic.len() as u16).to_be_bytes().to_vec();
            body.extend_from_slice(topic.as_bytes());
            if flags & 0b0110 != 0 {
                body.extend(id.to_be_bytes());
            }
            if version == 5 {
                body.push(0);
            }
            body.extend(payload);
            frame(0x30 | flags, &body)
        },
    );
    let subscribe = (topic, 0..3_u16, 0..3_u8).prop_map(move |(topic, id, qos)| {
        let mut body = id.to_be_bytes().to_vec();
        if version == 5 {
            body.push(0);
        }
        body.extend((topic.len() as u16).to_be_bytes());
        body.extend_from_slice(topic.as_bytes());
        body.push(qos);
        frame(0x82, &body)
    });
    let anything = (any::<u8>(), vec(any::<u8>(), 0..40)).prop_map(|(kind, body)| frame(kind, &body));
    prop_oneof![8 => publish, 2 => subscribe, 2 => Just(vec![0xC0, 0]), 1 => anything, 1 => vec(any::<u8>(), 1..20)]
}

fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    let mut len = body.len();
    while len > 127 {
        bytes.push((len % 128) as u8 | 0x80);
        len /= 128;
    }
    bytes.push(len as u8);
    bytes.extend_from_slice(body);
    bytes
}

/// The first bytes of the packets in `out`.
fn kinds(mut out: &[u8]) -> Vec<u8> {
    let mut kinds = Vec::new();
    while let [kind, rest @ ..] = out {
        kinds.push(*kind);
        let digits = rest.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
        let len = rest[..digits].iter().rev().fold(0_usize, |len, byte| len << 7 | usize::from(byte & 0x7F));
        out = &rest[digits + len..];
    }
    kinds
}

fn in_pieces<'b>(bytes: &'b [u8], cuts: &[prop::sample::Index]) -> Vec<&'b [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    at.extend([0, bytes.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_before_the_login_never_panic(bytes in vec(any::<u8>(), 0..400)) {
        outcome(&mut Session::new(NUMBER), &[&bytes], Vec::new());
    }

    #[test]
    fn an_arbitrary_connect_never_panics_and_asks_at_most_once(body in vec(any::<u8>(), 0..60), version in 0..7_u8) {
        let mut connect = b"\0\x04MQTT".to_vec();
        connect.push(version);
        connect.extend(body);
        outcome(&mut Session::new(NUMBER), &[&frame(0x10, &connect)], Vec::new());
    }

    #[test]
    fn bytes_after_the_login_give_the_same_however_they_are_cut_and_no_acknowledgement(
        (version, packets) in prop_oneof![Just(4_u8), Just(5_u8)].prop_flat_map(|v| (Just(v), vec(packets(v), 1..12))),
        cuts in vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let bytes = packets.concat();
        let (mut session, out) = logged_in(version);
        let whole = outcome(&mut session, &[&bytes], out);
        let (mut session, out) = logged_in(version);
        let cut = outcome(&mut session, &in_pieces(&bytes, &cuts), out);
        prop_assert_eq!(&whole, &cut);
        prop_assert!(!kinds(&whole.out).contains(&0x40), "a PUBACK is the core's to give");
    }

    #[test]
    fn commands_and_their_acknowledgements_in_any_order_never_panic(
        steps in vec((0..4_u8, 0..12_u16), 1..80),
        version in prop_oneof![Just(4_u8), Just(5_u8)],
    ) {
        let (mut session, mut out) = logged_in(version);
        let mut taken = Vec::new();
        let mut sent = 0_u64;
        for (what, id) in steps {
            let received = match what {
                0 => session.receive(&mut Cursor::new(&frame(0x82, &subscribe_body(version))), &mut out),
                1 => session.receive(&mut Cursor::new(&frame(0x40, &id.to_be_bytes())), &mut out),
                2 => { session.acknowledge(id, AckCode::Success, &mut out); Received::Nothing }
                _ => {
                    sent += 1;
                    match session.command(CommandId(sent), b"{}".to_vec(), &mut out) {
                        Ok(()) => Received::Nothing,
                        Err(end) => session.end(end, None, &mut out),
                    }
                }
            };
            if let Received::Input(LinkInput::CommandTaken { command, .. }) = received {
                prop_assert!(command.0 <= sent && !taken.contains(&command));
                taken.push(command);
            }
            prop_assert!(session.in_flight.len() <= limits::COMMANDS_IN_FLIGHT_MAX);
            prop_assert!(session.waiting.len() <= limits::COMMANDS_WAITING_MAX);
        }
    }
}

fn subscribe_body(version: u8) -> Vec<u8> {
    let properties: &[u8] = if version == 5 { &[0] } else { &[] };
    [&[0, 1], properties, &[0, 17], b"care/v1/a/command", &[1]].concat()
}

#[test]
fn a_small_machine_is_enough_for_a_connection() {
    assert!(std::mem::size_of::<Session>() <= 1_024, "{} bytes", std::mem::size_of::<Session>());
    assert_eq!(
        packets::puback(Version::V3, 9, AckCode::QuotaExceeded).unwrap().to_continuous_buffer(),
        [0x40, 2, 0, 9]
    );
}
