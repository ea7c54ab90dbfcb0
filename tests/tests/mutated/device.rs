//! Payloads of devices and to them.

use protocols::device::{Command, EventReport, Heartbeat, PAYLOAD_LEN_MAX, encode};
use protocols::topic::Topic;
use serde::Serialize;

use crate::{reads, try_all};

fn fits(message: &impl Serialize) -> bool {
    encode(message, &mut [0; PAYLOAD_LEN_MAX]).is_ok()
}

#[test]
fn event_reports() {
    let originals: [&[u8]; 5] = [
        // Not the kind whose name is left when the control character is left out.
        br#"{"v":1,"seq":42,"kind":"\u0000sos"}"#,
        br#"{"v":1,"epoch":1,"seq":42,"kind":"sos","boot":17,"up_ms":123456,"at":1795000000000,"battery_mv":2980,"rssi_dbm":-67,"of":41,"detail":"left cord"}"#,
        br#"{"v":1,"seq":42,"kind":"sos"}"#,
        br#"{"kind":"earthquake","later":{"x":[1]},"seq":9007199254740991,"v":1}"#,
        br#"{"v":1,"epoch":4294967295,"seq":7,"kind":"cancel","of":6,"detail":null}"#,
    ];
    try_all("event reports", 250_000, &originals, |bytes, _| {
        if let Ok(report) = serde_json::from_slice::<EventReport>(bytes) {
            assert!(fits(&report), "{report:?}");
        }
        reads::<EventReport>(bytes)
    });
}

#[test]
fn heartbeats() {
    let originals: [&[u8]; 2] = [
        br#"{"v":1,"epoch":1,"boot":17,"up_ms":200000,"battery_mv":2980,"rssi_dbm":-67,"firmware":"1.0.3","reset":"power","stored":2,"lost":1,"settings":12,"faults":["button_stuck","cold"]}"#,
        br#"{"v":1,"later":true}"#,
    ];
    try_all("heartbeats", 100_000, &originals, |bytes, _| {
        if let Ok(heartbeat) = serde_json::from_slice::<Heartbeat>(bytes) {
            assert!(fits(&heartbeat), "{heartbeat:?}");
        }
        reads::<Heartbeat>(bytes)
    });
}

#[test]
fn commands() {
    let originals: [&[u8]; 3] = [
        br#"{"v":1,"alarm":{"epoch":1,"seqs":[42,43],"state":"accepted"}}"#,
        br#"{"v":1,"settings":{"version":12,"heartbeat_s":3600}}"#,
        br#"{"v":1,"alarm":{"epoch":1,"seqs":[1,2,3,4,5,6,7,8],"state":"on_site"},"settings":null}"#,
    ];
    try_all("commands", 100_000, &originals, |bytes, _| {
        if let Ok(command) = serde_json::from_slice::<Command>(bytes) {
            assert!(fits(&command), "{command:?}");
        }
        reads::<Command>(bytes)
    });
}

#[test]
fn topics() {
    let originals: [&[u8]; 3] = [b"care/v1/btn-0001/event", b"care/v1/a/status", b"care/v1/x_9-Z/command"];
    try_all("topics", 50_000, &originals, |bytes, _| {
        let Some(topic) =
            std::str::from_utf8(bytes).ok().and_then(|text| Topic::parse(text).map(|topic| (topic, text)))
        else {
            return false;
        };
        assert_eq!(topic.0.to_string(), topic.1);
        true
    });
}
