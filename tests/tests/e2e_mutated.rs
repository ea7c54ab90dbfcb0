//! Some thousands of byte strings made wrong over real sockets, against the real daemon and the real centre; millions more are tried
//! without sockets in `mutated`.

use std::time::Duration;

use reqwest::Method;
use tests::faults::mutation::Mutator;
use tests::faults::packets::{Raw, connect, packet, puback, publish, subscribe};
use tests::site::audit::{Expected, audit};
use tests::site::button::Button;
use tests::site::load::Tally;
use tests::site::{Site, SiteSettings};

const WITHIN: Duration = Duration::from_secs(30);
const BAD: &str = "btn-0001";
const GOOD: &str = "btn-0002";
const OWN: &[u8] = b"care/v1/btn-0001/event";
const REPORT: &[u8] =
    br#"{"v":1,"epoch":1,"seq":42,"kind":"sos","boot":17,"up_ms":123456,"battery_mv":2980,"detail":"left cord"}"#;
const SEED: u64 = 20_261_124;
/// Payloads that are sent before their acknowledgements are read.
const AT_ONCE: u16 = 50;

fn count(ordinary: u64) -> u64 {
    if std::env::var_os("LONG").is_some() { ordinary * 10 } else { ordinary }
}

async fn site() -> (Site, Button) {
    let devices = [BAD, GOOD].map(str::to_owned).into();
    let site = Site::start(&SiteSettings { devices, ..SiteSettings::default() }).await.expect("a site");
    let other = site.button(GOOD).await.expect("it is let in");
    (site, other)
}

/// The daemon is the one that was started, and another room's alarm is at the centre.
async fn all_is_well(site: &mut Site, mut other: Button, pid: Option<u32>) {
    let pressed = other.press("sos").await.expect("another room is heard");
    assert_eq!(site.gateway.pid(), pid);
    site.gateway.check().expect("the daemon lives");
    let acknowledged = [(GOOD.to_owned(), pressed.epoch, pressed.seq)].into();
    let findings =
        audit(site, &Expected { load: Tally { acknowledged, ..Tally::default() }, ..Expected::default() }, WITHIN)
            .await;
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_whose_packets_are_wrong_are_cut_and_nobody_else_is() {
    let (mut site, other) = site().await;
    let (pid, login) = (site.gateway.pid(), site.login(BAD));
    let mut guess = login.clone();
    guess.secret = "0".repeat(guess.secret.len());
    let originals = [4, 5].into_iter().flat_map(|version| {
        let greeting = connect(version, &guess);
        let press = publish(version, 2, OWN, Some(1), REPORT);
        [
            greeting.clone(),
            [greeting.clone(), press].concat(),
            [greeting, subscribe(version, 1, "#"), packet(0xC0, &[])].concat(),
        ]
    });
    let mut mutator = Mutator::new(SEED, originals.collect());
    for _ in 0..count(2_000) {
        let bytes = mutator.draw();
        let mut raw = Raw::open(login.address).await.expect("it listens");
        raw.send(&bytes).await;
        // It may be closed already.
        tokio::io::AsyncWriteExt::shutdown(&mut raw.socket).await.ok();
        assert!(raw.rest(WITHIN).await.is_some(), "left hanging after {bytes:?}");
    }
    all_is_well(&mut site, other, pid).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_that_are_wrong_are_each_acknowledged_and_cost_nobody_anything() {
    let (mut site, other) = site().await;
    let (pid, login) = (site.gateway.pid(), site.login(BAD));
    let mut mutator = Mutator::new(SEED, vec![REPORT.to_vec(), br#"{"v":1,"seq":7,"kind":"cancel","of":6}"#.to_vec()]);
    let mut raw = Raw::log_in(&login, 4, WITHIN).await.expect("its secret is right");
    for _ in 0..count(1_500) / u64::from(AT_ONCE) {
        let mut group = Vec::new();
        for id in 1..=AT_ONCE {
            let mut payload = mutator.draw();
            // Longer packets rightly end the connection.
            payload.truncate(4_096);
            group.extend(publish(4, 2, OWN, Some(id), &payload));
        }
        assert!(raw.send(&group).await, "it is read");
        // They come in the order in which each is durable.
        let mut missing: std::collections::BTreeSet<(u8, Vec<u8>)> = (1..=AT_ONCE).map(puback).collect();
        while !missing.is_empty() {
            let answer = raw.packet(WITHIN).await.expect("every payload is acknowledged");
            assert!(missing.remove(&answer), "{answer:?}");
        }
    }
    all_is_well(&mut site, other, pid).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_wrong_get_an_answer_from_both_services_and_end_neither() {
    let (mut site, mut other) = site().await;
    let pid = site.gateway.pid();
    let order = br#"{"reader":"kiosk-1","items":[{"service":"meal-lunch","quantity":1}],"tender":"purse"}"#.to_vec();
    let upload = br#"{"v":1,"journal":"7b1c","entries":[{"n":1,"entry":"{\"v\":1}","hash":"ab","private":{"salt":"5a","bytes":"{}"}}]}"#;
    let hold = br#"{"v":1,"origin":{"source":"gateway:gw-demo","epoch":"7b1c","seq":9},"card":"00003100000012345678","proof":{"challenge":"1122334455667788","response":"9c2b4dd8c4fec173"},"items":[],"amount":2500}"#;
    let centre = site.centre.api.with_token(&site.centre.district.gateway.token);
    let gateway = &site.centre.district.gateway.id;
    let places = [
        (site.gateway.staff.clone(), "/api/v1/sales".to_owned(), order),
        (centre.clone(), format!("/v1/gateways/{gateway}/holds"), hold.to_vec()),
        (centre, format!("/v1/gateways/{gateway}/entries"), upload.to_vec()),
    ];
    site.gateway.wait_delivered(WITHIN).await.expect("both services run");
    for (api, place, original) in places {
        let mut mutator = Mutator::new(SEED, vec![original]);
        for number in 0..count(400) {
            let body = String::from_utf8_lossy(&mutator.draw()).into_owned();
            let key = format!("mutated-{number}");
            let answer =
                api.send(Method::POST, &place, &[("Idempotency-Key", &key)], Some(body)).await.expect("an answer");
            assert!(answer.status < 500 || answer.status == 503, "{answer:?}");
        }
    }
    // The centre has met journals that nobody has, so the account of this site does not balance; but it goes on.
    other.press("sos").await.expect("another room is heard");
    site.gateway.wait_delivered(WITHIN).await.expect("the centre takes it");
    assert_eq!(site.gateway.pid(), pid);
    site.gateway.check().expect("the daemon lives");
    assert!(site.centre.runs());
}
