//! How fast a backlog is taken. Not run by default; in a release build:
//! `cargo test --release -p central --test backlog -- --ignored --nocapture`

use std::time::Instant;

use central::intake::{self, shape};
use central::issuer::Issuer;
use central::store::{Priority, Store};
use protocols::id::GatewayId;
use protocols::uplink::EntryUpload;
use serde_json::{Value, json};

const ENTRIES: u64 = 100_000;
const PER_UPLOAD: usize = 1_000;

fn entry(n: u64) -> Value {
    let device = format!("btn-{:04}", n % 2_000);
    let kind = if n.is_multiple_of(10) { "alarm.raised" } else { "device.reported" };
    let body = if n.is_multiple_of(10) {
        json!({"kind": "sos", "urgency": "emergency", "device": device, "boot": 17, "up_ms": 123_456, "at": null,
            "battery_mv": 2980, "rssi_dbm": -67, "detail": null})
    } else {
        json!({"kind": "test", "device": device, "of": null, "boot": 17, "up_ms": 123_456, "at": null,
            "battery_mv": 2980, "rssi_dbm": -67, "detail": null})
    };
    json!({"v": 1, "origin": {"source": format!("device:{device}"), "epoch": 1, "seq": n}, "kind": kind, "about": null,
        "recorded_at": "2026-11-24T10:00:00.000+08:00", "clock": "trusted", "body": body})
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn a_backlog_of_100_000_entries_is_taken() {
    let directory = std::env::temp_dir().join(format!("central-backlog-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    let (store, _writer) = Store::open(&directory.join("central.db")).await.expect("a store");
    let add = "INSERT INTO gateways (id, token_hash, trusted) VALUES ('gw-1', x'00', 1)";
    let done = store.writer.run(Priority::Person, 1, move |tx| {
        Box::pin(async move {
            sqlx::query(add).execute(&mut tx.conn).await?;
            Ok(())
        })
    });
    done.await.expect("a gateway");
    let mut hash = shape::FIRST_HASH;
    let mut uploads: Vec<EntryUpload> = Vec::new();
    for n in 1..=ENTRIES {
        let entry = entry(n).to_string();
        hash = shape::link(&hash, &entry);
        uploads.push(EntryUpload { n: Some(n), entry, hash: hex::encode(hash), private: None });
    }
    let gateway: GatewayId = "gw-1".parse().expect("a name");
    let issuer = std::sync::Arc::new(Issuer::without_keys());
    let started = Instant::now();
    let mut head = 0;
    for batch in uploads.chunks(PER_UPLOAD) {
        let items = shape::read_all(&gateway, batch.to_vec());
        let (gateway, issuer) = (gateway.clone(), issuer.clone());
        let results = store.writer.run(Priority::Bulk, items.len(), move |tx| {
            Box::pin(async move { intake::take(tx, &issuer, &gateway, "j0000000000000001", items).await })
        });
        head = results.await.expect("taken").head.expect("a head").n;
    }
    let took = started.elapsed().as_secs_f64();
    assert_eq!(head, ENTRIES);
    eprintln!("{ENTRIES} entries in {took:.2} s: {:.0} per second", 100_000.0 / took);
    std::fs::remove_dir_all(&directory).ok();
}
