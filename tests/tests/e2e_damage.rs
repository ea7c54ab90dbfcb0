//! A journal that is found damaged at the start: alarms go on, and people hear what to do.

use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions};
use sqlx::{ConnectOptions, Sqlite};
use tests::site::mqtt::Heard;
use tests::site::records::Records;
use tests::site::wait::{until, until_is};
use tests::site::{Site, SiteSettings};

const WITHIN: Duration = Duration::from_secs(60);
/// A press that is not acknowledged in this time waits for something.
const QUIET: Duration = Duration::from_secs(2);

/// Flips a byte of each stored alarm of a stopped gateway.
async fn flip_a_byte(site: &Site) {
    let flip = "UPDATE entry SET bytes = replace(bytes, 'sos', 'soS') WHERE kind = 'alarm.raised'";
    alter(site, sqlx::query(flip)).await;
}

/// Changes the journal of a stopped gateway.
async fn alter(site: &Site, query: Query<'_, Sqlite, SqliteArguments>) {
    let database = site.gateway.state.join("journal.db");
    let mut connection = SqliteConnectOptions::new().filename(database).connect().await.expect("the journal");
    let changed = query.execute(&mut connection).await.expect("altered");
    assert!(changed.rows_affected() > 0);
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await.expect("in the file");
}

/// A12.
#[tokio::test(flavor = "multi_thread")]
async fn a12_with_a_damaged_journal_a_press_still_reaches_the_centre_and_is_acknowledged_when_it_is_there() {
    let mut site = Site::start(&SiteSettings::default()).await.expect("a site");
    let mut button = site.button("btn-0001").await.expect("it is let in");
    button.press("sos").await.expect("acknowledged");
    site.gateway.wait_delivered(WITHIN).await.expect("it is at the centre");
    site.gateway.stop(WITHIN).await.expect("it ends");
    flip_a_byte(&site).await;

    site.centre.kill();
    site.gateway.launch().expect("it starts");
    let dead = |status: &Value| status["journal"]["storing"] == false;
    let status = site.gateway.wait_status("it runs without its journal", WITHIN, dead).await.expect("it runs");
    assert_eq!(status["sales_closed"], "storage_down", "{status}");
    let trouble = &status["degraded"][0];
    assert_eq!(trouble["part"], "journal", "{status}");
    let detail = trouble["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("damaged") && detail.contains("gateway journal init --replace"), "{detail}");
    let ready = site.gateway.api.get("/readyz").await.expect("an answer");
    let body: Value = serde_json::from_str(&ready.text).expect("JSON");
    assert_eq!((ready.status, &body["reasons"]), (503, &json!(["journal"])));

    let connect = async || button.reconnect().await.ok();
    until("the button is let in", WITHIN, connect).await.expect("alarms are taken");
    let press = json!({"v": 1, "epoch": 1, "seq": 2, "kind": "sos", "boot": 1}).to_string().into_bytes();
    button.connection().report(2, press).expect("sent");
    let early = button.connection().hear_within(QUIET).await;
    assert!(early.is_none(), "not acknowledged before the centre has it: {early:?}");
    site.centre.start().await.expect("the centre is back");
    let acknowledged =
        async { while !matches!(button.connection().hear().await, Heard::Acknowledged { tag: 2, .. }) {} };
    tokio::time::timeout(WITHIN, acknowledged).await.expect("acknowledged once the centre has it");
    let read = async || {
        let mut records = Records::open(&site.centre.database).await.expect("it is there");
        Ok(records.entries().await.expect("readable"))
    };
    let has = |entries: &Vec<tests::site::records::Record>| {
        entries.iter().any(|entry| entry.kind == "alarm.raised" && entry.origin == "device:btn-0001/1/2")
    };
    until_is("the press is at the centre", WITHIN, read, has).await.expect("it is there");
    let storage = async || site.centre.operator.read("/api/v1/alarms").await;
    until_is("the centre hears of the journal", WITHIN, storage, |all| all.to_string().contains("\"storage\""))
        .await
        .expect("an alarm of the gateway's own");
    site.gateway.check().expect("it runs on");

    // A person begins a new journal beside the running gateway, which notices it.
    site.gateway.tool_well(&["journal", "init", "--replace"]).await.expect("a new journal");
    let ended = until("its end", WITHIN, async || site.gateway.ended()).await.expect("it starts anew by itself");
    assert_eq!(ended.code(), Some(75));
    site.gateway.start().await.expect("it is well again");
    button.reconnect().await.expect("it is let in");
}

/// Changes the state of the stopped gateway by one statement with three values.
async fn change_state(site: &Site, statement: &'static str, values: (&str, &str, i64)) {
    alter(site, sqlx::query(statement).bind(values.0.to_owned()).bind(values.1.to_owned()).bind(values.2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_alarm_whose_record_is_damaged_is_told_at_once_and_stands_on_the_staff_page_as_before() {
    let mut site = Site::start(&SiteSettings::default()).await.expect("a site");
    let mut button = site.button("btn-0001").await.expect("it is let in");
    button.press("sos").await.expect("acknowledged");
    site.gateway.wait_delivered(WITHIN).await.expect("it is at the centre");
    site.gateway.stop(WITHIN).await.expect("it ends");
    let damage = "UPDATE state SET value = value || ? WHERE key LIKE ? AND sum <> ?";
    change_state(&site, damage, (" ", "alarm/btn-0001.%", 0)).await;

    site.gateway.start().await.expect("it takes alarms");
    let told = |status: &Value| status["degraded"][0]["part"] == "journal_rows";
    let status = site.gateway.wait_status("it tells of the record", WITHIN, told).await.expect("told");
    let detail = status["degraded"][0]["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("alarm/btn-0001.1.1") && detail.contains("taken up again"), "{detail}");
    let alarms = site.gateway.api.read("/api/v1/alarms").await.expect("the list");
    let sos = alarms.as_array().and_then(|all| all.iter().find(|alarm| alarm["kind"] == "sos"));
    assert_eq!(sos.map(|sos| &sos["state"]), Some(&json!("accepted")), "{alarms}");
    let centre = async || site.centre.operator.read("/api/v1/alarms").await;
    until_is("the centre hears of it", WITHIN, centre, |all| all.to_string().contains("journal_damaged"))
        .await
        .expect("a technical alarm");
    site.gateway.stop(WITHIN).await.expect("it ends");
    site.gateway.start().await.expect("it starts");
    let status = site.gateway.api.read("/api/v1/status").await.expect("the status");
    assert_eq!(status["degraded"], json!([]), "the record was saved anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_newer_release_keeps_ends_the_start_as_a_newer_journal_does() {
    let mut site = Site::start(&SiteSettings::default()).await.expect("a site");
    site.gateway.stop(WITHIN).await.expect("it ends");
    let (key, value) = ("novelty/1", "{}");
    // As a journal keeps it: the first 8 bytes of SHA-256(key ‖ 0 ‖ value).
    let digest = Sha256::digest(format!("{key}\0{value}"));
    let sum = i64::from_be_bytes(digest[..8].try_into().expect("8 bytes"));
    change_state(&site, "INSERT INTO state (key, value, sum) VALUES (?, ?, ?)", (key, value, sum)).await;
    site.gateway.launch().expect("it starts");
    let ended = until("its end", WITHIN, async || site.gateway.ended()).await.expect("it ends");
    assert_eq!(ended.code(), Some(74));
    let log = std::fs::read_to_string(site.gateway.log()).expect("its log");
    assert!(log.contains("novelty/1") && log.contains("install the release that wrote it"), "{log}");
}
