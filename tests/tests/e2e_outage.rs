//! C1: the centre away; everything is taken meanwhile and arrives afterwards, alarms first.

use std::time::Duration;

use serde_json::Value;
use tests::site::audit::{Expected, audit};
use tests::site::dice::Dice;
use tests::site::load::{Load, LoadSettings, Tally};
use tests::site::records::Records;
use tests::site::till::{Tender, fresh_key, order};
use tests::site::{Site, SiteSettings};

/// A week without a line.
const REPORTS: u64 = 50_000;
const DEVICES: u64 = 20;
const WITHIN: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn c1_fifty_thousand_reports_made_while_the_centre_is_away_all_arrive_afterwards_alarms_first() {
    let mut site = Site::prepare(&SiteSettings::default().and_load(DEVICES as usize)).await.expect("a site");
    site.gateway.start().await.expect("it needs no centre");
    let mut dice = Dice::new(1);
    let each = REPORTS / DEVICES;
    let backlog = LoadSettings { window: 100, pause: None, count: Some(each), kinds: &["test"] };
    let mut load = Load::start(site.load_logins(), 1, &backlog, &mut dice).finish(WITHIN).await.expect("acknowledged");
    assert_eq!(load.acknowledged.len() as u64, REPORTS);
    // The alarms come last, behind the whole backlog.
    let alarms = LoadSettings { window: 1, pause: None, count: Some(1), kinds: &["sos"] };
    let pressed = Load::start(site.load_logins(), 2, &alarms, &mut dice).finish(WITHIN).await.expect("acknowledged");
    merge(&mut load, pressed);
    site.centre.start().await.expect("the centre is back");
    site.gateway.wait_delivered(WITHIN).await.expect("everything arrives");

    let entries = Records::open(&site.centre.database).await.expect("it is there").entries().await.expect("readable");
    let last_alarm = entries.iter().filter(|entry| entry.kind == "alarm.raised").map(|entry| entry.id).max();
    let others = entries.iter().filter(|entry| entry.kind == "device.reported");
    let before = others.filter(|entry| Some(entry.id) < last_alarm).count() as u64;
    assert!(before < REPORTS / 4, "{before} of {REPORTS} other reports came before the last alarm");
    let findings = audit(&site, &Expected { load, ..Expected::default() }, WITHIN).await;
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_centre_the_account_is_refused_and_the_purse_offered_and_the_purse_pays() {
    let mut site = Site::start(&SiteSettings::with_cards()).await.expect("a site");
    site.wait_catalogue().await.expect("the line is up");
    site.till().wait_reader("empty").await.expect("the reader is there");
    site.centre.kill();
    let down = |status: &Value| status["uplink"]["online"] == false;
    site.gateway.wait_status("the line is down", WITHIN, down).await.expect("it notices");
    let refused = order(&site.gateway.staff, &fresh_key(), Tender::Account, "meal-lunch", 1).await.expect("an answer");
    assert_eq!((refused.status, refused.code().as_str()), (503, "offline"), "{refused:?}");
    assert!(refused.text.contains("purse"), "the purse is offered: {refused:?}");
    let (sale, _) = site.till().buy(Tender::Purse, "meal-lunch", 2).await.expect("it ends");
    assert_eq!((&sale["state"], &sale["amount"]), (&"paid".into(), &2_500.into()), "{sale}");
    site.centre.start().await.expect("the centre is back");
    let findings = audit(&site, &Expected::default(), WITHIN).await;
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

fn merge(one: &mut Tally, other: Tally) {
    one.acknowledged.extend(other.acknowledged);
    one.sent.extend(other.sent);
    one.resent += other.resent;
    one.latencies.extend(other.latencies);
}
