//! The few packets of MQTT 3.1.1 that the measured devices send and read (sections 3.1 to 3.9 of its standard).

use std::io::Write;

use serde::Deserialize;

/// CONNACK: let in, no session kept.
pub const WELCOME: [u8; 4] = [0x20, 0x02, 0x00, 0x00];
/// The identifier of the one SUBSCRIBE.
const SUBSCRIBE_ID: u16 = u16::MAX;

/// What comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard<'p> {
    /// A report was acknowledged.
    Puback(u16),
    /// A publish with QoS 1.
    Command {
        /// Its identifier.
        id: u16,
        /// Its payload.
        payload: &'p [u8],
    },
    /// Anything else.
    Other,
}

/// CONNECT, without keep-alive.
#[must_use]
pub fn connect(client: &str, secret: Option<&str>, clean: bool) -> Vec<u8> {
    let mut body = vec![0x00, 0x04, b'M', b'Q', b'T', b'T', 0x04];
    body.push(u8::from(clean) << 1 | if secret.is_some() { 0xC0 } else { 0 });
    body.extend([0, 0]);
    text(&mut body, client);
    if let Some(secret) = secret {
        text(&mut body, client);
        text(&mut body, secret);
    }
    packet(0x10, &body)
}

/// SUBSCRIBE to one filter, QoS 1.
#[must_use]
pub fn subscribe(filter: &str) -> Vec<u8> {
    let mut body = SUBSCRIBE_ID.to_be_bytes().to_vec();
    text(&mut body, filter);
    body.push(1);
    packet(0x82, &body)
}

/// A heartbeat, QoS 0.
#[must_use]
pub fn heartbeat(device: &str) -> Vec<u8> {
    let mut body = Vec::new();
    text(&mut body, &format!("care/v1/{device}/status"));
    body.extend(br#"{"v":1,"epoch":1,"boot":17,"up_ms":200000,"battery_mv":2980,"rssi_dbm":-67,"firmware":"1.0.3"}"#);
    packet(0x30, &body)
}

/// Appends a report, QoS 1.
pub fn report(out: &mut Vec<u8>, topic: &str, packet: u16, (epoch, seq): (u32, u64), kind: &str) {
    out.push(0x32);
    let length_at = out.len();
    // Every report is between 128 and 16,383 bytes long, so its length takes two bytes.
    out.extend([0, 0]);
    text(out, topic);
    out.extend(packet.to_be_bytes());
    let body = write!(
        out,
        r#"{{"v":1,"epoch":{epoch},"seq":{seq},"kind":"{kind}","boot":17,"up_ms":123456,"battery_mv":2980,"rssi_dbm":-67}}"#
    );
    // Writing into memory does not fail.
    drop(body);
    let length = out.len().saturating_sub(length_at).saturating_sub(2);
    let (low, high) = (length % 128, length / 128);
    if let Some([first, second]) = out.get_mut(length_at..length_at.saturating_add(2)) {
        (*first, *second) = (u8::try_from(low).unwrap_or(0) | 0x80, u8::try_from(high).unwrap_or(0));
    }
}

/// Appends a PUBACK.
pub fn puback(out: &mut Vec<u8>, id: u16) {
    let [high, low] = id.to_be_bytes();
    out.extend([0x40, 0x02, high, low]);
}

/// Calls `heard` with each whole packet; gives how many bytes they are.
pub fn each(bytes: &[u8], mut heard: impl FnMut(Heard<'_>)) -> usize {
    let mut taken = 0_usize;
    while let Some((packet, length)) = bytes.get(taken..).and_then(first) {
        heard(packet);
        taken = taken.saturating_add(length);
    }
    taken
}

/// The numbers of the presses of which a command says that the centre has them, or more.
#[must_use]
pub fn accepted(payload: &[u8]) -> Option<Vec<u64>> {
    #[derive(Deserialize)]
    struct Command {
        alarm: Told,
    }
    #[derive(Deserialize)]
    struct Told {
        seqs: Vec<u64>,
        state: String,
    }
    let told = serde_json::from_slice::<Command>(payload).ok()?.alarm;
    (told.state != "raised").then_some(told.seqs)
}

/// The first packet and its length, when all of it is there.
fn first(bytes: &[u8]) -> Option<(Heard<'_>, usize)> {
    let kind = *bytes.first()?;
    let mut length = 0_usize;
    let mut at = 1_usize;
    loop {
        let byte = *bytes.get(at)?;
        length |= usize::from(byte & 0x7F) << (7 * at.saturating_sub(1));
        at = at.saturating_add(1);
        if byte & 0x80 == 0 {
            break;
        }
        if at > 4 {
            return None;
        }
    }
    let end = at.saturating_add(length);
    let body = bytes.get(at..end)?;
    let heard = match kind {
        0x40 => number(body).map_or(Heard::Other, Heard::Puback),
        0x32 | 0x3A => publish(body).unwrap_or(Heard::Other),
        _ => Heard::Other,
    };
    Some((heard, end))
}

fn publish(body: &[u8]) -> Option<Heard<'_>> {
    let behind = body.get(usize::from(number(body)?).saturating_add(2)..)?;
    Some(Heard::Command { id: number(behind)?, payload: behind.get(2..)? })
}

fn number(bytes: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.first()?, *bytes.get(1)?]))
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend(u16::try_from(text.len()).unwrap_or(0).to_be_bytes());
    out.extend(text.as_bytes());
}

fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![kind];
    let mut left = body.len();
    loop {
        let low = u8::try_from(left % 128).unwrap_or(0);
        left /= 128;
        out.push(low | if left > 0 { 0x80 } else { 0 });
        if left == 0 {
            break;
        }
    }
    out.extend(body);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_read_whole_however_they_are_cut() {
        let mut bytes = Vec::new();
        puback(&mut bytes, 7);
        let mut command = vec![0x32];
        let mut body = Vec::new();
        text(&mut body, "care/v1/a/command");
        body.extend([0, 9]);
        body.extend(br#"{"v":1,"alarm":{"epoch":1,"seqs":[3,4],"state":"accepted"}}"#);
        command.push(u8::try_from(body.len()).expect("short"));
        command.extend(&body);
        bytes.extend(&command);
        bytes.extend([0xD0, 0x00]);
        for cut in 0..=bytes.len() {
            let mut seen = Vec::new();
            let taken = each(&bytes[..cut], |packet| seen.push(format!("{packet:?}")));
            let whole = each(&bytes[taken..], |packet| seen.push(format!("{packet:?}")));
            assert_eq!((taken + whole, seen.len()), (bytes.len(), 3), "cut at {cut}");
        }
        let mut seqs = None;
        each(&bytes, |packet| {
            if let Heard::Command { id: 9, payload } = packet {
                seqs = accepted(payload);
            }
        });
        assert_eq!(seqs, Some(vec![3, 4]));
        assert_eq!(accepted(br#"{"v":1,"alarm":{"epoch":1,"seqs":[3],"state":"raised"}}"#), None);
    }

    #[test]
    fn a_report_has_its_length_in_front_and_a_payload_that_the_gateway_reads() {
        let mut out = Vec::new();
        report(&mut out, "care/v1/load-0001/event", 5, (3, 42), "sos");
        let length = usize::from(out[1] & 0x7F) + 128 * usize::from(out[2]);
        assert_eq!(out.len(), length + 3);
        let payload = &out[3 + 2 + "care/v1/load-0001/event".len() + 2..];
        let read: protocols::device::EventReport = serde_json::from_slice(payload).expect("a report");
        assert_eq!(read.seq.get(), 42);
    }
}
