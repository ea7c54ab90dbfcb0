//! The packets of devices, on the state machine that serves connections: before the login and after it, with lengths that were
//! made right again and with such as were not.

use gateway::adapter::device_link::Rehearsal;
use gateway_core::{AckCode, LinkInput};
use protocols::device::PAYLOAD_LEN_MAX;
use tests::faults::mutation::Mutator;
use tests::faults::packets::{Connect, packet, publish, subscribe, text};

use crate::try_all;

const DEVICE: &str = "btn-0001";
const OWN: &[u8] = b"care/v1/btn-0001/event";
/// More than one turn of a connection may ever write: an answer to each of a string's packets.
const WRITTEN_MAX: usize = 64 * 1024;

fn login(version: u8) -> Vec<u8> {
    let device = DEVICE.as_bytes();
    Connect { version, client_id: device, user: Some(device), secret: Some(b"0123456789abcdef"), ..Connect::NOBODY }
        .bytes()
}

fn with_will(version: u8) -> Vec<u8> {
    let device = DEVICE.as_bytes();
    let will = Some((&b"care/v1/btn-0001/status"[..], &b"{\"v\":1}"[..]));
    Connect { version, client_id: device, will, user: Some(device), secret: Some(b"x"), ..Connect::NOBODY }.bytes()
}

/// CONNECT of MQTT 5 with session expiry, receive maximum, packet size and a user property.
fn with_properties() -> Vec<u8> {
    let mut properties = vec![0x11, 0, 0, 0, 60, 0x21, 0, 8, 0x27, 0, 0, 4, 0, 0x26];
    properties.extend(text(b"k"));
    properties.extend(text(b"v"));
    let mut body = text(b"MQTT");
    body.extend([5, 0b1100_0000, 0, 60, u8::try_from(properties.len()).unwrap()]);
    body.extend(properties);
    for field in [DEVICE.as_bytes(), DEVICE.as_bytes(), b"secret"] {
        body.extend(text(field));
    }
    packet(0x10, &body)
}

fn greetings() -> Vec<Vec<u8>> {
    let report = br#"{"v":1,"epoch":1,"seq":1,"kind":"sos"}"#;
    let mut all = vec![with_properties()];
    for version in [4, 5] {
        all.extend([login(version), with_will(version)]);
        all.push([login(version), publish(version, 2, OWN, Some(1), report)].concat());
        all.push([login(version), subscribe(version, 1, "care/v1/btn-0001/command"), packet(0xC0, &[])].concat());
    }
    all
}

fn conversation(version: u8) -> Vec<Vec<u8>> {
    let report = br#"{"v":1,"epoch":1,"seq":1,"kind":"sos"}"#;
    let unsubscribe: &[u8] = if version == 5 { &[0, 2, 0] } else { &[0, 2] };
    let mut all = vec![
        publish(version, 2, OWN, Some(1), report),
        publish(version, 0, b"care/v1/btn-0001/status", None, b"{\"v\":1}"),
        publish(version, 10, OWN, Some(65_535), &[b'x'; 200]),
        [publish(version, 2, OWN, Some(2), report), publish(version, 2, OWN, Some(3), report)].concat(),
        subscribe(version, 1, "care/v1/btn-0001/command"),
        packet(0xA2, &[unsubscribe, &text(b"care/v1/btn-0001/command")].concat()),
        packet(0xC0, &[]),
        packet(0x40, &[0, 1]),
    ];
    if version == 5 {
        // Message expiry, a user property.
        let properties = [&[0x02, 0, 0, 0, 9, 0x26][..], &text(b"k"), &text(b"v")].concat();
        let body = [&text(OWN)[..], &[0, 9, u8::try_from(properties.len()).unwrap()], &properties, report].concat();
        all.push(packet(0x32, &body));
        all.push(packet(0xE0, &[0, 0]));
    }
    all
}

/// The first packet's length made right again: then what is in it is looked at, too.
fn reframed(bytes: &[u8]) -> Vec<u8> {
    let Some((first, rest)) = bytes.split_first() else { return Vec::new() };
    let length = rest.iter().position(|byte| byte & 0x80 == 0).map_or(0, |at| at.saturating_add(1).min(4));
    packet(*first, rest.get(length..).unwrap_or_default())
}

fn drawn(bytes: &[u8], mutator: &mut Mutator) -> Vec<u8> {
    if mutator.dice().below(2) == 0 { reframed(bytes) } else { bytes.to_vec() }
}

/// Reads a string in pieces; whether the connection lives on.
fn read(link: &mut Rehearsal, bytes: &[u8], mutator: &mut Mutator) -> bool {
    let mut rest = bytes;
    while !rest.is_empty() && !link.is_over() {
        let size = match mutator.dice().below(3) {
            0 => rest.len(),
            1 => 1 + usize::try_from(mutator.dice().below(7)).unwrap(),
            _ => 1 + rest.len() / 2,
        };
        let (piece, later) = rest.split_at(size.min(rest.len()));
        rest = later;
        for input in link.receive(piece) {
            let ack = match input {
                LinkInput::Event { device, ack, payload, .. } | LinkInput::Status { device, ack, payload, .. } => {
                    assert_eq!(device.as_str(), DEVICE, "a device speaks for itself only");
                    assert!(payload.len() <= PAYLOAD_LEN_MAX);
                    ack
                }
                LinkInput::Refused { ack, sample, .. } => {
                    assert!(sample.len() <= gateway_core::limits::SAMPLE_LEN_MAX);
                    ack
                }
                LinkInput::Connected { device, .. } => {
                    assert_eq!(device.as_str(), DEVICE);
                    None
                }
                LinkInput::Disconnected { .. } | LinkInput::CommandTaken { .. } | LinkInput::CommandGivenUp { .. } => {
                    None
                }
            };
            if let Some(token) = ack {
                assert_ne!(token.packet, 0);
                link.acknowledge(token, AckCode::Success);
            }
        }
    }
    assert!(link.take_written().len() <= WRITTEN_MAX);
    !link.is_over()
}

#[test]
fn greetings_of_strangers() {
    let originals = greetings();
    let originals: Vec<&[u8]> = originals.iter().map(Vec::as_slice).collect();
    let mut number = 0;
    try_all("MQTT before the login", 250_000, &originals, |bytes, mutator| {
        number += 1;
        let mut link = Rehearsal::new(number);
        let bytes = drawn(bytes, mutator);
        // A name that was changed may still be one; then it is that device's connection, and no concern of this test.
        let named = bytes.windows(DEVICE.len()).filter(|part| *part == DEVICE.as_bytes()).count();
        if named < 2 {
            link.receive(&bytes);
            return !link.is_over();
        }
        read(&mut link, &bytes, mutator)
    });
}

fn conversations(version: u8, count: u64) {
    let originals = conversation(version);
    let originals: Vec<&[u8]> = originals.iter().map(Vec::as_slice).collect();
    let (mut link, mut number) = (Rehearsal::new(0), 0);
    let mut unused = Mutator::new(0, vec![Vec::new()]);
    assert!(read(&mut link, &login(version), &mut unused), "it is let in");
    try_all(&format!("MQTT {version} after the login"), count, &originals, |bytes, mutator| {
        // A string that left a packet half done, or ended the connection, is followed by a fresh one.
        if link.is_over() || mutator.dice().below(4) == 0 {
            number += 1;
            link = Rehearsal::new(number);
            assert!(read(&mut link, &login(version), mutator), "it is let in");
        }
        let bytes = drawn(bytes, mutator);
        // A goodbye, and an acknowledgement of what was never sent, rightly end it.
        read(&mut link, &bytes, mutator) || bytes.first().is_some_and(|first| matches!(first & 0xF0, 0xE0 | 0x40))
    });
}

#[test]
fn conversations_of_3_1_1() {
    conversations(4, 250_000);
}

#[test]
fn conversations_of_5() {
    conversations(5, 250_000);
}
