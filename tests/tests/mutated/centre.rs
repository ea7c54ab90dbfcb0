//! What the centre reads from its gateways.

use central::intake::shape::{Item, read_all};
use protocols::id::GatewayId;
use protocols::uplink::{EntryUpload, HoldRequest, PrivateRecord, Uploads};

use crate::{reads, try_all};

fn gateway() -> GatewayId {
    "gw-01".parse().unwrap()
}

#[test]
fn uploads() {
    let originals: [&[u8]; 2] = [
        br#"{"v":1,"journal":"7b1c","entries":[{"n":1042,"entry":"{\"v\":1}","hash":"ab","private":{"salt":"5a","bytes":"{\"card\":\"00\"}"}},{"n":null,"entry":"{\"v\":1}","hash":"","private":null}]}"#,
        br#"{"v":1,"journal":"7b1c","entries":[]}"#,
    ];
    try_all("uploads", 150_000, &originals, |bytes, _| {
        if let Ok(uploads) = serde_json::from_slice::<Uploads>(bytes) {
            let count = uploads.entries.len();
            assert_eq!(read_all(&gateway(), uploads.entries).len(), count);
        }
        reads::<Uploads>(bytes)
    });
}

/// Entries of every kind that has a body of its own.
const ENTRIES: &[(&str, &str)] = &[
    (
        "alarm.raised",
        r#"{"kind":"sos","urgency":"emergency","device":"btn-0001","boot":17,"up_ms":123456,"at":-1,"battery_mv":2980,"rssi_dbm":-67,"detail":null}"#,
    ),
    (
        "alarm.repeated",
        r#"{"kind":"sos","urgency":"emergency","device":"btn-0001","boot":null,"up_ms":null,"at":null,"battery_mv":null,"rssi_dbm":null,"detail":null,"folded":594,"folded_seqs":[{"epoch":1,"from":7,"to":600}]}"#,
    ),
    ("alarm.dated", r#"{"age_ms":10800000,"boot":17,"up_ms":123456}"#),
    ("alarm.state", r#"{"state":"resolved","by":"nurse-1","cause":"helped_up"}"#),
    (
        "device.reported",
        r#"{"kind":"restored","device":"smoke-2","of":41,"boot":null,"up_ms":null,"at":null,"battery_mv":null,"rssi_dbm":null,"detail":"kitchen"}"#,
    ),
    ("device.state", r#"{"device":"btn-0001","trouble":"battery_low","detail":"2410"}"#),
    ("report.refused", r#"{"device":null,"reason":"oversize","size":2048,"sample":"{\"v\":1"}"#),
    (
        "sale.intent",
        r#"{"sale":"s-1","tender":"purse","items":[{"service":"meal-lunch","provider":"canteen-1","quantity":2,"unit_price":1250}],"amount":2500,"catalogue":3,"purse":{"counter":7,"old_balance":10000,"transaction_type":6,"terminal":"310000000042","psam":"31000000000000000042","terminal_seq":42,"date":"20261124","time":"093000","mac1":"7518df38","key_version":1,"algorithm":0},"private_hmac":"00ff"}"#,
    ),
    (
        "sale.outcome",
        r#"{"sale":"s-1","outcome":"paid","reason":null,"purse":{"tac":"5f169176","mac2":"bf4eac96","transaction_proof":"a5717b4f9909f538","log_record":"0008","new_balance":7500}}"#,
    ),
    ("order.result", r#"{"kind":"hotlist","verdict":"refused","reason":"unreadable"}"#),
];

#[test]
fn entries() {
    let originals: Vec<Vec<u8>> = ENTRIES
        .iter()
        .map(|(kind, body)| {
            let about = match *kind {
                "sale.outcome" => r#"{"source":"terminal:gw-01","epoch":"31","seq":7}"#,
                "order.result" => r#"{"source":"centre:main","epoch":"c9","seq":18}"#,
                kind if kind.starts_with("alarm") && kind != "alarm.raised" => {
                    r#"{"source":"device:btn-0001","epoch":1,"seq":42}"#
                }
                _ => "null",
            };
            format!(
                r#"{{"v":1,"origin":{{"source":"gateway:gw-01","epoch":"7b1c","seq":9}},"kind":"{kind}","about":{about},"recorded_at":"2026-11-24T09:30:00.125+08:00","clock":"trusted","body":{body}}}"#
            )
            .into_bytes()
        })
        .collect();
    let originals: Vec<&[u8]> = originals.iter().map(Vec::as_slice).collect();
    let gateway = gateway();
    try_all("entries", 150_000, &originals, |bytes, mutator| {
        let Ok(entry) = String::from_utf8(bytes.to_vec()) else { return false };
        let private = (mutator.dice().below(2) == 0)
            .then(|| PrivateRecord { salt: "5a".to_owned(), bytes: r#"{"card":"00003100000012345678"}"#.to_owned() });
        let upload = EntryUpload { n: Some(9), entry, hash: "00".repeat(32), private };
        let read = read_all(&gateway, vec![upload]);
        let [Item { entry, .. }] = read.as_slice() else { panic!("one upload is one item") };
        // An original of a sale has no private record that fits.
        entry.is_ok() || is_sale(bytes)
    });
}

fn is_sale(bytes: &[u8]) -> bool {
    bytes.windows(13).any(|part| part == b"\"sale.intent\"")
}

#[test]
fn holds() {
    let originals: [&[u8]; 1] = [
        br#"{"v":1,"origin":{"source":"gateway:gw-01","epoch":"7b1c","seq":9},"card":"00003100000012345678","proof":{"challenge":"1122334455667788","response":"9c2b4dd8c4fec173"},"items":[{"service":"meal-lunch","provider":"canteen-1","quantity":2,"unit_price":1250}],"amount":2500}"#,
    ];
    try_all("holds", 75_000, &originals, |bytes, _| reads::<HoldRequest>(bytes));
}
