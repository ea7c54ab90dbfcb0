//! Disks that are slow, locked by others, or cannot be read, under the real daemon: an alarm reaches the centre all the same.

use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tests::power::{Faults, Order};
use tests::site::audit::{Expected, audit};
use tests::site::button::Button;
use tests::site::dice::Dice;
use tests::site::error::SiteError;
use tests::site::load::{Load, LoadSettings};
use tests::site::records::Records;
use tests::site::shopper::{Bought, SERVICE, settle};
use tests::site::till::{Tender, fresh_key, id_of, order};
use tests::site::wait::{until, until_is};
use tests::site::{EPOCH, Site, SiteSettings};

const WITHIN: Duration = Duration::from_secs(60);
/// I5: how long an alarm may take to the centre, whatever else fails.
const BOUND: Duration = Duration::from_secs(10);
/// What a sync takes on the slow disk.
const SLOW_MS: i64 = 5_000;
const ONE_SYNC: Duration = Duration::from_secs(5);
/// How long the service manager waits before it starts the daemon again.
const RESTART: Duration = Duration::from_secs(1);

const QUIET_LOAD: LoadSettings =
    LoadSettings { window: 4, pause: Some(Duration::from_millis(50)), count: None, kinds: &["test"] };

/// The status, of a daemon that is started again when it ended.
async fn status_of_a_service(site: &mut Site) -> Result<Value, SiteError> {
    if site.gateway.ended().is_some() {
        site.gateway.launch()?;
    }
    site.gateway.api.read("/api/v1/status").await
}

/// Presses, resends on every new connection, and starts the daemon again as the service manager does, until the centre has
/// the press; how long that took from the press.
async fn press_until_at_the_centre(site: &mut Site, button: &mut Button, seq: u64, kind: &str) -> Duration {
    let press = button.new_report(kind);
    let began = Instant::now();
    let mut sent = button.connection().report(seq, press.clone()).is_ok();
    let origin = format!("device:{}/{EPOCH}/{seq}", button.device());
    let mut records = Records::open(&site.centre.database).await.expect("it is there");
    let mut ended_at: Option<Instant> = None;
    let arrived = async || {
        if site.gateway.ended().is_some() && ended_at.get_or_insert_with(Instant::now).elapsed() > RESTART {
            ended_at = None;
            site.gateway.launch().expect("it starts");
        }
        if button.connection().is_closed() || !sent {
            sent = button.reconnect().await.is_ok() && button.connection().report(seq, press.clone()).is_ok();
        }
        records.has(&origin).await.ok()?.then_some(())
    };
    until("the press is at the centre", WITHIN, arrived).await.expect("it arrives");
    began.elapsed()
}

/// A18.
#[tokio::test(flavor = "multi_thread")]
async fn a18_on_a_slow_disk_a_press_reaches_the_centre_in_its_bound_and_payments_are_unknown_until_they_are_settled() {
    let (mut site, faults) = Faults::site(&SiteSettings::with_cards().and_load(2)).await.expect("a site under faults");
    site.wait_catalogue().await.expect("the line is up");
    site.till().wait_reader("empty").await.expect("the reader is there");
    let mut button = site.button("btn-0001").await.expect("it is let in");
    let load = Load::start(site.load_logins(), EPOCH, &QUIET_LOAD, &mut Dice::new(18));
    load.progress(20, WITHIN).await.expect("reports are acknowledged");
    faults.order(Order::SyncDelayMs, SLOW_MS).expect("ordered");
    let slow = faults.made().expect("counted");
    until("a sync takes its time", WITHIN, async || (faults.made().ok()? > slow).then_some(())).await.expect("it does");

    let mut bought = Vec::new();
    for (seq, kind, tender) in [(1, "sos", Tender::Purse), (2, "fall", Tender::Account)] {
        let staff = site.gateway.staff.clone();
        let key = fresh_key();
        let ordered = async || id_of(order(&staff, &key, tender, SERVICE, 1).await.ok()?).ok();
        let sale = until("the order is taken", WITHIN, ordered).await.expect("taken");
        site.till().lay_card().await.expect("noticed");
        let took = press_until_at_the_centre(&mut site, &mut button, seq, kind).await;
        println!("a press during a {tender:?} payment: {took:?} to the centre");
        assert!(took < ONE_SYNC, "it waited for the disk: {took:?}");
        let end = site.till().wait_sale(&sale, WITHIN).await.expect("an end");
        println!("the payment: {}", end["state"]);
        site.till().take_card().await.expect("taken");
        bought.push(Bought { sale, tender, state: end["state"].as_str().unwrap_or_default().to_owned() });
    }
    faults.order(Order::SyncDelayMs, 0).expect("ordered");
    let load = load.finish(WITHIN).await.expect("every report is acknowledged");
    settle(&site.till()).await.expect("settled");
    site.gateway.check().expect("it ran on");
    let findings = audit(&site, &Expected { load, bought, ..Expected::default() }, WITHIN).await;
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

/// A22.
#[tokio::test(flavor = "multi_thread")]
async fn a22_while_another_program_locks_the_journal_a_press_reaches_the_centre_in_its_bound() {
    let (mut site, _faults) = Faults::site(&SiteSettings::default()).await.expect("a site under faults");
    let mut button = site.button("btn-0001").await.expect("it is let in");
    button.press("test").await.expect("acknowledged");
    let database = site.gateway.state.join("journal.db");
    let mut shell = SqliteConnectOptions::new().filename(database).connect().await.expect("the journal");
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut shell).await.expect("the lock is free");
    let took = press_until_at_the_centre(&mut site, &mut button, 2, "sos").await;
    println!("a press while another program holds the lock: {took:?} to the centre");
    assert!(took < BOUND, "{took:?}");
    let look = async || status_of_a_service(&mut site).await;
    let told = |status: &Value| status["degraded"][0]["part"] == "journal" && status["sales_closed"] == "storage_down";
    until_is("people hear of the lock", WITHIN, look, told).await.expect("told");
    let alarms = async || site.centre.operator.read("/api/v1/alarms").await;
    let storage = |all: &Value| all.to_string().contains("\"storage\"");
    until_is("the centre hears of it", WITHIN, alarms, storage).await.expect("told");
    sqlx::raw_sql("ROLLBACK").execute(&mut shell).await.expect("given back");
    shell.close().await.expect("closed");
    let look = async || status_of_a_service(&mut site).await;
    let well = |status: &Value| status["journal"]["storing"] == true;
    until_is("it stores again", WITHIN, look, well).await.expect("the lock is gone");
    let findings = audit(&site, &Expected::default(), WITHIN).await;
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

/// A7.
#[tokio::test(flavor = "multi_thread")]
async fn a7_pages_that_cannot_be_read_close_sales_and_send_alarms_round_the_journal() {
    let (mut site, faults) = Faults::site(&SiteSettings::default().and_load(2)).await.expect("a site under faults");
    let mut button = site.button("btn-0001").await.expect("it is let in");
    button.press("test").await.expect("acknowledged");
    site.gateway.wait_delivered(WITHIN).await.expect("it is at the centre");
    // A backlog in the file, of which nothing is in any cache.
    site.centre.kill();
    let load =
        Load::start(site.load_logins(), EPOCH, &LoadSettings { count: Some(500), ..QUIET_LOAD }, &mut Dice::new(7));
    let load = load.finish(WITHIN).await.expect("every report is acknowledged");
    site.gateway.stop(WITHIN).await.expect("it ends");
    site.gateway.start().await.expect("it starts");
    faults.order(Order::ReadError, 4_096).expect("ordered");
    site.centre.start().await.expect("the centre runs");
    button.reconnect().await.expect("it is let in");
    let took = press_until_at_the_centre(&mut site, &mut button, 2, "sos").await;
    println!("a press while pages cannot be read: {took:?} to the centre");
    assert!(took < BOUND, "{took:?}");
    assert!(faults.made().expect("counted") > 0, "nothing was ever read from the disk");
    let look = async || status_of_a_service(&mut site).await;
    let told = |status: &Value| status["degraded"][0]["part"] == "journal" && status["sales_closed"] == "storage_down";
    until_is("people hear of the pages", WITHIN, look, told).await.expect("told");
    let alarms = async || site.centre.operator.read("/api/v1/alarms").await;
    let storage = |all: &Value| all.to_string().contains("\"storage\"");
    until_is("the centre hears of it", WITHIN, alarms, storage).await.expect("told");

    // A start that cannot read them does without the journal, and tries again by itself.
    site.gateway.kill();
    site.gateway.launch().expect("it starts");
    let took = press_until_at_the_centre(&mut site, &mut button, 3, "fall").await;
    println!("a press after a start without the journal: {took:?} to the centre");
    assert!(took < BOUND, "{took:?}");
    faults.order(Order::ReadError, 0).expect("ordered");
    let look = async || status_of_a_service(&mut site).await;
    let well = |status: &Value| {
        status["journal"]["storing"] == true && status["degraded"].as_array().is_some_and(Vec::is_empty)
    };
    until_is("it reads again", WITHIN, look, well).await.expect("the pages are back");
    let findings = audit(&site, &Expected { load, ..Expected::default() }, WITHIN).await;
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}
