//! Faults of the line and of the centre, C1 to C15 of the fault reference, on the real daemon before the real centre; where the
//! centre would never say such a thing, a proxy says it in its place.
//!
//! After each: nothing that was acknowledged is missing at the centre, nothing is there twice, the chain verifies and its head is
//! the centre's. C1 is in `e2e_outage`; C10, C12 and C13 are in `e2e_centre_identity`.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::faults::meddler::{Act, Asked, Meddler};
use tests::faults::proxy::{Fault, Proxy, Toward};
use tests::power::{Faults, Order};
use tests::site::audit::{Expected, audit};
use tests::site::button::{Button, Pressed};
use tests::site::load::Tally;
use tests::site::records::Records;
use tests::site::shopper::{Bought, settle};
use tests::site::till::Tender;
use tests::site::wait::{until, until_is};
use tests::site::{EPOCH, Site, SiteSettings};

const WITHIN: Duration = Duration::from_secs(30);
/// An alarm without an answer goes out on the next path after 10 s; what it takes beyond is the machine's.
const NEXT_PATH: Duration = Duration::from_secs(12);
/// Deadlines that are over soon, for faults in which nothing but their end is awaited.
const SOON: &str = "[uplink.deadlines]\nupload_ms = 1500\nalarm_ms = 1500\nalarm_second_path_ms = 700\n";
const BUTTON: &str = "btn-0001";

/// A site whose daemon reaches its centre through a proxy.
struct Bench<P> {
    site: Site,
    line: P,
    button: Button,
    pressed: Vec<Pressed>,
}

async fn behind_proxy(more: &str) -> Bench<Proxy> {
    let site = Site::prepare(&SiteSettings::default()).await.expect("a site");
    let centre = site.centre.api.base().strip_prefix("http://").expect("plain HTTP").parse().expect("an address");
    let line = Proxy::start(centre).await.expect("a port");
    let url = line.url();
    Bench::start(site, line, &[&url], more).await
}

async fn behind_meddler(more: &str) -> Bench<Meddler> {
    let site = Site::prepare(&SiteSettings::default()).await.expect("a site");
    let line = Meddler::start(site.centre.api.base()).await.expect("a port");
    let url = line.url().to_owned();
    Bench::start(site, line, &[&url], more).await
}

impl<P> Bench<P> {
    /// Both services run, the line has carried a first alarm, and a connection of each lane stands.
    async fn start(mut site: Site, line: P, urls: &[&str], more: &str) -> Self {
        site.gateway.reroute(urls, more).expect("its configuration");
        site.centre.start().await.expect("the centre runs");
        site.gateway.start().await.expect("the gateway runs");
        let button = site.button(BUTTON).await.expect("it is let in");
        let mut bench = Self { site, line, button, pressed: Vec::new() };
        for kind in ["water", "test"] {
            bench.press(kind).await;
        }
        bench.site.gateway.wait_delivered(WITHIN).await.expect("the line is good");
        bench
    }

    /// Presses; the PUBACK is here when it returns.
    async fn press(&mut self, kind: &str) -> Pressed {
        let pressed = self.button.press(kind).await.expect("it is acknowledged whatever the line does");
        self.pressed.push(pressed);
        pressed
    }

    /// Waits until the centre has the report, and says how long after the press.
    async fn at_centre(&self, pressed: &Pressed, within: Duration) -> Duration {
        let origin = format!("device:{BUTTON}/{}/{}", pressed.epoch, pressed.seq);
        let mut records = Records::open(&self.site.centre.database).await.expect("the centre's database");
        let has = async || records.has(&origin).await.ok().filter(|has| *has);
        until(&format!("the centre has {origin}"), within, has).await.expect("it arrives in time");
        pressed.at.elapsed()
    }

    async fn status(&self, what: &str, wanted: impl FnMut(&Value) -> bool) -> Value {
        self.site.gateway.wait_status(what, WITHIN, wanted).await.expect("it is shown")
    }

    /// What must be true after every fault.
    async fn nothing_lost_and_nothing_twice(&self) {
        let key = |pressed: &Pressed| (BUTTON.to_owned(), pressed.epoch, pressed.seq);
        let load = Tally { acknowledged: self.pressed.iter().map(key).collect(), ..Tally::default() };
        let findings = audit(&self.site, &Expected { load, ..Expected::default() }, WITHIN).await;
        assert!(findings.is_empty(), "{}", findings.join("\n"));
    }
}

fn waiting(status: &Value) -> u64 {
    let lanes = status["lanes"].as_array().map(Vec::as_slice).unwrap_or_default();
    lanes.iter().filter_map(|lane| lane["waiting"].as_u64()).sum()
}

fn offline(status: &Value) -> bool {
    status["uplink"]["online"] == false && waiting(status) > 0
}

/// C2.
#[tokio::test(flavor = "multi_thread")]
async fn c2_a_peer_that_vanished_without_a_word_is_found_and_alarms_take_a_new_way_in_time() {
    // The lane of orders is found as late as its poll ends, 30 s by default; here sooner, with LONG as it is.
    let long = std::env::var_os("LONG").is_some();
    let more =
        if long { "" } else { "[uplink.deadlines]\norder_wait_s = 4\norder_margin_ms = 1000\nupload_ms = 8000\n" };
    let mut bench = behind_proxy(more).await;
    bench.line.vanish();
    let vanished = Instant::now();
    let alarm = bench.press("sos").await;
    let rest = bench.press("test").await;
    let took = bench.at_centre(&alarm, NEXT_PATH).await;
    bench.at_centre(&rest, WITHIN).await;
    let path = format!("/api/v1/alarms/{}/acknowledge", alarm.alarm(BUTTON));
    let answer = bench.site.centre.operator.post(&path, &json!({})).await.expect("an answer");
    assert!(answer.is_success(), "{answer:?}");
    bench.button.hear_state(alarm.seq, "acknowledged", WITHIN).await.expect("orders find a new way, too");
    assert!(vanished.elapsed() < WITHIN + Duration::from_secs(5), "all lanes after {:?}", vanished.elapsed());
    assert!(took < NEXT_PATH, "{took:?}");
    bench.nothing_lost_and_nothing_twice().await;
}

/// C2.
#[tokio::test(flavor = "multi_thread")]
async fn c2_a_line_that_is_half_open_for_everybody_loses_nothing_and_is_good_at_once_when_it_is_back() {
    let mut bench = behind_proxy(SOON).await;
    bench.line.set(Fault::HalfOpen);
    let alarm = bench.press("sos").await;
    bench.press("test").await;
    bench.status("the line is found to be down", offline).await;
    bench.line.set(Fault::None);
    let back = Instant::now();
    bench.at_centre(&alarm, WITHIN).await;
    assert!(
        back.elapsed() < Duration::from_secs(8),
        "the longest pause of the lane of alarms is 5 s: {:?}",
        back.elapsed()
    );
    bench.nothing_lost_and_nothing_twice().await;
}

/// C2.
#[tokio::test(flavor = "multi_thread")]
async fn c2_an_alarm_behind_a_stalled_one_does_not_wait_for_it() {
    let mut bench = behind_proxy("").await;
    bench.line.set(Fault::Stall);
    let first = bench.press("sos").await;
    let under_way = async || (bench.line.swallowed() > 0).then_some(());
    until("it is under way", WITHIN, under_way).await.expect("it goes out");
    bench.line.set(Fault::None);
    let second = bench.press("fall").await;
    let took = bench.at_centre(&second, WITHIN).await;
    assert!(took < Duration::from_secs(3), "{took:?}");
    let took = bench.at_centre(&first, NEXT_PATH).await;
    assert!(took < NEXT_PATH, "{took:?}");
    bench.nothing_lost_and_nothing_twice().await;
}

/// C3.
#[tokio::test(flavor = "multi_thread")]
async fn c3_what_the_centre_took_before_its_answer_was_lost_is_there_once() {
    let mut bench = behind_proxy(SOON).await;
    for after in [0, 1, 40, 150] {
        bench.line.set(Fault::Cut { toward: Toward::Client, after });
        let kind = if after == 40 { "test" } else { "sos" };
        let pressed = bench.press(kind).await;
        bench.at_centre(&pressed, WITHIN).await;
        bench.status("the answer is lost", |status| waiting(status) > 0).await;
        bench.line.set(Fault::None);
        bench.site.gateway.wait_delivered(WITHIN).await.expect("it is delivered");
    }
    bench.nothing_lost_and_nothing_twice().await;
}

/// C3.
#[tokio::test(flavor = "multi_thread")]
async fn c3_a_request_that_is_cut_anywhere_is_sent_again_whole() {
    let mut bench = behind_proxy(SOON).await;
    for after in [0, 7, 200, 600] {
        bench.line.set(Fault::Cut { toward: Toward::Target, after });
        bench.press("sos").await;
        bench.press("test").await;
        bench.status("the line is found to be down", offline).await;
        bench.line.set(Fault::None);
        bench.site.gateway.wait_delivered(WITHIN).await.expect("it is delivered");
    }
    bench.nothing_lost_and_nothing_twice().await;
}

/// C4.
#[tokio::test(flavor = "multi_thread")]
async fn c4_an_answer_of_something_else_is_no_acknowledgement() {
    let mut bench = behind_meddler(SOON).await;
    let portal = "<!doctype html><title>Log in to this network</title>";
    let lies = [
        portal,
        "",
        "{}",
        "null",
        "{\"v\":1,\"results\":[],\"head\":null}",
        "{\"v\":2,\"results\":[{\"n\":1,\"outcome\":\"accepted\",\"reason\":null}],\"head\":null}",
        "[{\"n\":1,\"outcome\":\"accepted\"}]",
    ];
    for lie in lies {
        bench.line.script(move |_| Act::say(200, lie));
        bench.press("sos").await;
        bench.press("test").await;
        let before = bench.line.seen().len();
        let entries = |asked: &Asked| asked.is_entries();
        bench.line.wait_seen("tries", 2, WITHIN, entries).await.expect("it tries");
        bench.line.wait_seen("more tries", before.saturating_add(2), WITHIN, |_| true).await.expect("and goes on");
        bench.status("nothing counts as delivered", |status| waiting(status) >= 2).await;
        bench.line.pass();
        bench.site.gateway.wait_delivered(WITHIN).await.expect("it is delivered");
    }
    bench.nothing_lost_and_nothing_twice().await;
}

/// C4.
#[tokio::test(flavor = "multi_thread")]
async fn c4_noise_in_place_of_answers_is_no_acknowledgement() {
    let mut bench = behind_proxy(SOON).await;
    bench.line.set(Fault::Garbage);
    let alarm = bench.press("sos").await;
    bench.at_centre(&alarm, WITHIN).await;
    bench.status("noise acknowledges nothing", offline).await;
    bench.line.set(Fault::None);
    bench.nothing_lost_and_nothing_twice().await;
}

/// C5.
#[tokio::test(flavor = "multi_thread")]
async fn c5_an_answer_for_fewer_or_other_entries_marks_only_those_that_it_names() {
    let mut bench = behind_meddler(SOON).await;
    bench.line.script(|_| Act::say(500, ""));
    for _ in 0..6 {
        bench.press("test").await;
    }
    bench.press("sos").await;
    bench.status("all of them wait", |status| waiting(status) == 7).await;
    let before = bench.line.seen().len();
    bench.line.script(|asked| {
        if !asked.is_entries() {
            return Act::Pass;
        }
        Act::change(|answer| {
            let Some(results) = answer["results"].as_array_mut() else { return };
            results.truncate(1);
            for n in [0, 4_711, u64::MAX] {
                results.push(json!({"n": n, "outcome": "accepted", "reason": null}));
            }
        })
    });
    bench.site.gateway.wait_delivered(WITHIN).await.expect("one after the other");
    let entries = |asked: &Asked| asked.body["entries"].as_array().map_or(0, Vec::len);
    let sizes: Vec<usize> =
        bench.line.seen().iter().skip(before).filter(|asked| asked.is_entries()).map(entries).collect();
    assert!((1..=6).all(|size| sizes.contains(&size)), "each upload is one entry shorter: {sizes:?}");
    bench.line.pass();
    bench.nothing_lost_and_nothing_twice().await;
}

/// C6.
#[tokio::test(flavor = "multi_thread")]
async fn c6_a_centre_at_one_byte_a_second_is_given_up_at_the_total_deadline() {
    let mut bench = behind_proxy(SOON).await;
    bench.line.set(Fault::Trickle(Duration::from_secs(1)));
    let before = bench.line.connections();
    let alarm = bench.press("sos").await;
    let rest = bench.press("test").await;
    // Each read gets its byte in time; only a deadline for the whole makes it connect anew.
    let tries = async || (bench.line.connections() >= before.saturating_add(4)).then_some(());
    until("it gives up and tries again", Duration::from_secs(15), tries).await.expect("a total deadline");
    bench.status("nothing counts as delivered", offline).await;
    bench.line.set(Fault::None);
    for pressed in [alarm, rest] {
        bench.at_centre(&pressed, WITHIN).await;
    }
    bench.nothing_lost_and_nothing_twice().await;
}

/// C6.
#[tokio::test(flavor = "multi_thread")]
async fn c6_a_line_of_two_kilobytes_a_second_carries_alarms_first_and_all_in_the_end() {
    let mut bench = behind_proxy("").await;
    bench.line.set(Fault::Bandwidth(2_000));
    for _ in 0..10 {
        bench.press("test").await;
    }
    let alarm = bench.press("sos").await;
    let took = bench.at_centre(&alarm, NEXT_PATH).await;
    assert!(took < Duration::from_secs(5), "{took:?}");
    bench.line.set(Fault::Delay(Duration::from_millis(200)));
    bench.nothing_lost_and_nothing_twice().await;
}

/// C11.
#[tokio::test(flavor = "multi_thread")]
async fn c11_results_that_come_twice_or_in_another_order_change_nothing() {
    let mut bench = behind_meddler("").await;
    bench.line.script(|asked| {
        if !asked.is_entries() {
            return Act::Pass;
        }
        Act::change(|answer| {
            let Some(results) = answer["results"].as_array_mut() else { return };
            results.reverse();
            let again = results.clone();
            results.extend(again);
        })
    });
    for kind in ["test", "sos", "test", "fall", "test"] {
        bench.press(kind).await;
    }
    bench.nothing_lost_and_nothing_twice().await;
}

/// C11.
#[tokio::test(flavor = "multi_thread")]
async fn c11_orders_that_come_again_or_late_take_no_alarm_back_to_an_earlier_state() {
    let mut bench = behind_meddler("[uplink.deadlines]\norder_wait_s = 1\n").await;
    let alarm = bench.press("sos").await;
    bench.at_centre(&alarm, WITHIN).await;
    let id = alarm.alarm(BUTTON);
    let operator = bench.site.centre.operator.clone();
    let step = async |word: &str| {
        let answer = operator.post(&format!("/api/v1/alarms/{id}/{word}"), &json!({})).await.expect("an answer");
        assert!(answer.is_success(), "{answer:?}");
    };
    step("acknowledge").await;
    bench.button.hear_state(alarm.seq, "acknowledged", WITHIN).await.expect("the first order");
    step("dispatch").await;
    bench.button.hear_state(alarm.seq, "dispatched", WITHIN).await.expect("the second order");
    // The line repeats the older order with its own number, with a later one, and both the other way round.
    let order = move |k: u64, state: &str| {
        let origin = json!({"source": format!("device:{BUTTON}"), "epoch": EPOCH, "seq": alarm.seq});
        json!({"k": k, "kind": "alarm.state", "body": {"alarm": origin, "state": state, "by": "operator", "at": "2026-11-24T10:00:00+08:00"}})
    };
    bench.line.script(move |asked| {
        if !asked.is_orders("alarms") {
            return Act::Pass;
        }
        Act::change(move |page| {
            let highest =
                page["orders"].as_array().and_then(|orders| orders.last()).and_then(|last| last["k"].as_u64());
            let k = highest.unwrap_or(900);
            let Some(orders) = page["orders"].as_array_mut() else { return };
            orders.extend([order(k.saturating_add(2), "dispatched"), order(k.saturating_add(1), "acknowledged")]);
            orders.extend([order(1, "acknowledged"), order(1, "acknowledged")]);
        })
    });
    let polls = bench.line.seen().len();
    let orders = |asked: &Asked| asked.is_orders("alarms");
    bench.line.wait_seen("more polls", polls.saturating_add(4), WITHIN, |_| true).await.expect("it polls on");
    assert!(bench.line.seen().iter().any(orders));
    bench.line.pass();
    let shown = bench.site.gateway.api.read("/api/v1/alarms").await.expect("the list");
    let shown = shown.as_array().and_then(|all| all.iter().find(|one| one["id"] == id.as_str())).cloned();
    assert_eq!(shown.map(|one| one["state"].clone()), Some(json!("dispatched")));
    let read = async || bench.site.centre.operator.read(&format!("/api/v1/alarms/{id}")).await;
    until_is("the centre's own state", WITHIN, read, |one| one["state"] == "dispatched").await.expect("no step back");
    let states: Vec<Value> =
        bench.button.commands().iter().map(|command| command.body["alarm"]["state"].clone()).collect();
    let last = states.iter().rposition(|state| state == "dispatched").expect("it was heard");
    assert!(!states.iter().skip(last).any(|state| state == "acknowledged"), "{states:?}");
    bench.nothing_lost_and_nothing_twice().await;
}

/// C11.
#[tokio::test(flavor = "multi_thread")]
async fn c11_an_answer_that_comes_again_is_no_answer_to_the_next_hold() {
    let (site, line) = with_cards_behind_meddler().await;
    let first = buy(&site, "meal-delivery").await;
    assert_eq!(first.state, "paid");
    line.script(|asked| if asked.place.ends_with("/holds") { Act::Again } else { Act::Pass });
    // It costs more than the first one: the points that were set aside are not for it.
    let second = buy(&site, "meal-lunch").await;
    assert_ne!(second.state, "paid", "another sale's points paid it");
    line.pass();
    settle(&site.till()).await.expect("settled");
    let third = buy(&site, "meal-delivery").await;
    assert_eq!(third.state, "paid");
    let expected = Expected { bought: vec![first, second, third], ..Expected::default() };
    let findings = audit(&site, &expected, WITHIN).await;
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

/// C11.
#[tokio::test(flavor = "multi_thread")]
async fn c11_an_answer_that_comes_again_delivers_no_alarm_that_no_disk_took() {
    let settings = SiteSettings::default();
    let (mut site, faults) = Faults::site(&settings).await.expect("a site under faults");
    let line = Meddler::start(site.centre.api.base()).await.expect("a port");
    site.gateway.stop(WITHIN).await.expect("it ends");
    site.gateway.reroute(&[line.url()], SOON).expect("its configuration");
    site.gateway.start().await.expect("it starts");
    site.wait_catalogue().await.expect("the line is up");
    let mut button = site.button(BUTTON).await.expect("it is let in");
    // Each sync takes longer than an alarm waits for a disk: alarms go past it.
    faults.order(Order::SyncDelayMs, 4_000).expect("ordered");
    let beside = |asked: &Asked| {
        let entries = asked.body["entries"].as_array().map(Vec::as_slice).unwrap_or_default();
        entries.iter().any(|entry| entry["n"].is_null() && entry["entry"].is_string())
    };
    let first = button.new_report("sos");
    button.connection().report(1, first).expect("it is connected");
    line.wait_seen("the first alarm goes past the disk", 1, WITHIN, beside).await.expect("it does");
    let mut records = Records::open(&site.centre.database).await.expect("the centre's database");
    let arrived = async || records.has(&format!("device:{BUTTON}/{EPOCH}/1")).await.ok().filter(|has| *has);
    until("the centre has it", WITHIN, arrived).await.expect("it arrives");
    line.script(move |asked| if beside(asked) { Act::Again } else { Act::Pass });
    let second = button.new_report("fall");
    let before = line.seen().len();
    button.connection().report(2, second).expect("it is connected");
    let tries = move |asked: &Asked| beside(asked) && asked.brings("\"seq\":2}");
    line.wait_seen("it is tried again and again", 2, WITHIN, tries).await.expect("the answer is not for it");
    assert!(line.seen().len() > before);
    line.pass();
    let arrived = async || records.has(&format!("device:{BUTTON}/{EPOCH}/2")).await.ok().filter(|has| *has);
    until("the centre has it", WITHIN, arrived).await.expect("it arrives");
    faults.order(Order::SyncDelayMs, 0).expect("ordered");
    let findings = audit(&site, &Expected::default(), WITHIN).await;
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

/// A site with cards whose daemon reaches its centre through an HTTP proxy.
async fn with_cards_behind_meddler() -> (Site, Meddler) {
    let mut site = Site::prepare(&SiteSettings::with_cards()).await.expect("a site");
    let line = Meddler::start(site.centre.api.base()).await.expect("a port");
    site.gateway.reroute(&[line.url()], "").expect("its configuration");
    site.centre.start().await.expect("the centre runs");
    site.gateway.start().await.expect("the gateway runs");
    site.wait_catalogue().await.expect("the line is up");
    site.till().wait_reader("empty").await.expect("the reader is there");
    (site, line)
}

/// A purchase from the account.
async fn buy(site: &Site, service: &str) -> Bought {
    let (sale, _) = site.till().buy(Tender::Account, service, 1).await.expect("it ends");
    let text = |name: &str| sale[name].as_str().unwrap_or_default().to_owned();
    Bought { sale: text("id"), tender: Tender::Account, state: text("state") }
}

/// C7.
#[tokio::test(flavor = "multi_thread")]
async fn c7_a_busy_centre_is_left_alone_as_long_as_it_says_and_a_bit_and_alarms_are_not_put_off_for_long() {
    let mut bench = behind_meddler("").await;
    bench.line.script(|asked| {
        let busy =
            |after: &str| Act::Say { status: 503, headers: vec![("retry-after", after.to_owned())], body: Vec::new() };
        match (asked.is_entries(), asked.brings("\"kind\":\"alarm")) {
            (true, true) => busy("86400"),
            (true, false) => busy("2"),
            (false, _) => Act::Pass,
        }
    });
    bench.press("test").await;
    let tries = |asked: &Asked| asked.is_entries() && asked.brings("device.reported");
    let before = bench.line.seen().iter().filter(|asked| tries(asked)).count();
    let seen = bench.line.wait_seen("tries", before.saturating_add(3), WITHIN, tries).await.expect("it tries again");
    let pauses: Vec<Duration> =
        seen.iter().skip(before).zip(seen.iter().skip(before.saturating_add(1))).map(|(a, b)| b.at - a.at).collect();
    let obeyed = |pause: &&Duration| **pause >= Duration::from_secs(2) && **pause < Duration::from_secs(4);
    assert!(pauses.iter().filter(obeyed).count() >= 2 && pauses.iter().all(|pause| obeyed(&pause)), "{pauses:?}");
    let alarm = bench.press("sos").await;
    bench.status("the alarm is put off", |status| status["uplink"]["failure"] == "busy" && waiting(status) >= 2).await;
    bench.line.pass();
    // A day was asked for; 10 s and a bit are obeyed.
    let took = bench.at_centre(&alarm, Duration::from_secs(15)).await;
    assert!(took < Duration::from_secs(15), "{took:?}");
    bench.nothing_lost_and_nothing_twice().await;
}

/// C8.
#[tokio::test(flavor = "multi_thread")]
async fn c8_one_entry_that_is_refused_goes_to_quarantine_is_shown_and_the_rest_flows_on() {
    let mut bench = behind_meddler(SOON).await;
    bench.line.script(|asked| if asked.brings("\"mains_restored\"") { Act::say(413, "too large") } else { Act::Pass });
    bench.press("test").await;
    let poisonous = bench.press("mains_restored").await;
    bench.pressed.pop();
    for kind in ["test", "sos", "test"] {
        bench.press(kind).await;
    }
    for pressed in bench.pressed.clone() {
        bench.at_centre(&pressed, WITHIN).await;
    }
    let told = async || bench.site.centre.operator.read("/api/v1/alarms").await;
    let has = |alarms: &Value| alarms.to_string().contains("\"upload_refused\"");
    until_is("people hear of it", WITHIN, told, has).await.expect("a technical alarm");
    bench.status("it is set aside", |status| status["quarantined"] == 1 && waiting(status) == 0).await;
    let shown = bench.site.gateway.staff.read("/api/v1/quarantine").await.expect("staff see it");
    let origin = format!("device:{BUTTON}/{EPOCH}/{}", poisonous.seq);
    assert_eq!(shown[0]["origin"], origin.as_str(), "{shown}");
    let tries = |asked: &&Asked| asked.brings("\"mains_restored\"");
    assert!(bench.line.seen().iter().filter(tries).count() < 20, "it is not tried for ever");
    bench.site.gateway.verify_journal().await.expect("it is in the journal still");
}

/// C8.
#[tokio::test(flavor = "multi_thread")]
async fn c8_an_entry_that_the_centre_can_never_take_is_in_quarantine_with_its_reason_and_never_deleted() {
    let mut bench = behind_meddler(SOON).await;
    bench.line.script(|asked| {
        if !asked.brings("\"mains_restored\"") {
            return Act::Pass;
        }
        let marked: Vec<Value> = asked.body["entries"].as_array().cloned().unwrap_or_default();
        Act::change(move |answer| {
            let poisonous = |n: &Value| {
                marked.iter().any(|entry| {
                    entry["n"] == *n && entry["entry"].as_str().is_some_and(|e| e.contains("mains_restored"))
                })
            };
            for result in answer["results"].as_array_mut().into_iter().flatten() {
                if poisonous(&result["n"]) {
                    (result["outcome"], result["reason"]) = (json!("refused"), json!("body"));
                }
            }
        })
    });
    for kind in ["test", "mains_restored", "test", "sos"] {
        bench.press(kind).await;
    }
    bench.status("one is set aside", |status| status["quarantined"] == 1).await;
    let shown = bench.site.gateway.staff.read("/api/v1/quarantine").await.expect("staff see it");
    let one = &shown[0];
    assert_eq!(
        (&one["kind"], &one["outcome"], &one["reason"]),
        (&json!("device.reported"), &json!("refused"), &json!("body"))
    );
    bench.line.pass();
    bench.nothing_lost_and_nothing_twice().await;
}

/// A line on which the centre's word about a mains report is a refusal with this reason.
fn refusing(reason: &'static str) -> impl Fn(&Asked) -> Act + Send + Sync + 'static {
    move |asked| {
        let entries: Vec<Value> = asked.body["entries"].as_array().cloned().unwrap_or_default();
        let is_it = |entry: &&Value| entry["entry"].as_str().is_some_and(|entry| entry.contains("mains_restored"));
        let Some(n) = entries.iter().find(is_it).map(|entry| entry["n"].clone()) else { return Act::Pass };
        Act::change(move |answer| {
            for result in answer["results"].as_array_mut().into_iter().flatten().filter(|result| result["n"] == n) {
                (result["outcome"], result["reason"]) = (json!("refused"), json!(reason));
            }
        })
    }
}

/// C8.
#[tokio::test(flavor = "multi_thread")]
async fn c8_what_staff_send_again_is_refused_with_its_new_reason_or_taken_also_over_a_kill() {
    let mut bench = behind_meddler(SOON).await;
    bench.line.script(refusing("body"));
    bench.press("mains_restored").await;
    bench.status("it is set aside", |status| status["quarantined"] == 1).await;
    let quarantine = async || bench.site.gateway.staff.read("/api/v1/quarantine").await;
    let n = quarantine().await.expect("staff see it")[0]["n"].as_u64().expect("a number");
    let path = format!("/api/v1/quarantine/{n}/send_again");
    bench.line.script(refusing("version"));
    let sent = bench.site.gateway.staff.post(&path, &json!({})).await.expect("an answer");
    assert!(sent.is_success(), "{sent:?}");
    let reason = |shown: &Value| shown[0]["reason"] == "version";
    until_is("the centre refuses it again", WITHIN, quarantine, reason).await.expect("the new reason");
    bench.line.script(|asked| if asked.is_entries() { Act::say(503, "later") } else { Act::Pass });
    let sent = bench.site.gateway.staff.post(&path, &json!({})).await.expect("an answer");
    assert!(sent.is_success(), "{sent:?}");
    bench.site.gateway.kill();
    bench.site.gateway.start().await.expect("it starts again");
    bench.status("it is out of quarantine and waits", |status| status["quarantined"] == 0 && waiting(status) > 0).await;
    bench.line.pass();
    bench.status("the centre has it", |status| status["quarantined"] == 0 && waiting(status) == 0).await;
    bench.nothing_lost_and_nothing_twice().await;
}

/// C9.
#[tokio::test(flavor = "multi_thread")]
async fn c9_an_identity_that_is_not_taken_stops_nothing_here_loses_nothing_and_is_an_alarm() {
    let mut bench = behind_meddler(SOON).await;
    for status in [401, 403] {
        bench.line.script(move |_| Act::say(status, ""));
        let alarm = bench.press("sos").await;
        bench.press("test").await;
        bench.status("it is told apart", |status| status["uplink"]["failure"] == "identity").await;
        let shown = async || bench.site.gateway.api.read("/api/v1/alarms").await;
        let has = |alarms: &Value| alarms.to_string().contains("\"uplink_identity\"");
        until_is("people here are told", WITHIN, shown, has).await.expect("an alarm of its own");
        let tries = bench.line.seen().len();
        bench.line.wait_seen("alarms keep trying", tries.saturating_add(4), WITHIN, |_| true).await.expect("they do");
        let waits = bench.status("all of it waits", |status| waiting(status) >= 2).await;
        assert_eq!(waits["quarantined"], 0, "it is no fault of the entries");
        bench.line.pass();
        bench.at_centre(&alarm, WITHIN).await;
    }
    bench.nothing_lost_and_nothing_twice().await;
}

/// C14.
#[tokio::test(flavor = "multi_thread")]
async fn c14_a_redirect_is_not_followed() {
    let mut bench = behind_meddler(SOON).await;
    let elsewhere = Meddler::start(bench.site.centre.api.base()).await.expect("a port");
    let url = elsewhere.url().to_owned();
    for status in [301, 302, 307, 308] {
        let url = url.clone();
        bench.line.script(move |asked| Act::Say {
            status,
            headers: vec![("location", format!("{url}{}", asked.place))],
            body: Vec::new(),
        });
        bench.press("sos").await;
        bench.press("test").await;
        bench.status("it is no answer", offline).await;
        bench.line.pass();
        bench.site.gateway.wait_delivered(WITHIN).await.expect("it is delivered");
    }
    assert!(elsewhere.seen().is_empty(), "{:?}", elsewhere.seen());
    bench.nothing_lost_and_nothing_twice().await;
}

/// 64 MiB of blanks, packed by `gzip`.
async fn bomb() -> Vec<u8> {
    let words = ["-c", "head -c 67108864 /dev/zero | gzip -9"];
    let said = tokio::process::Command::new("sh").args(words).output().await.expect("gzip is everywhere");
    assert!((1_000..1_000_000).contains(&said.stdout.len()), "{}", said.stdout.len());
    said.stdout
}

/// C15.
#[tokio::test(flavor = "multi_thread")]
async fn c15_endless_and_packed_answers_are_cut_off_and_memory_stays_flat() {
    let mut bench = behind_meddler(SOON).await;
    let packed = bomb().await;
    let before = bench.site.gateway.resident_kib().expect("it runs");
    for round in 0..3_u32 {
        let packed = packed.clone();
        bench.line.script(move |_| match round {
            0 => Act::Endless,
            1 => Act::Say { status: 200, headers: vec![("content-encoding", "gzip".to_owned())], body: packed.clone() },
            // Longer than an answer may be, in one piece.
            _ => Act::Say { status: 200, headers: Vec::new(), body: vec![b' '; 32 * 1024 * 1024] },
        });
        bench.press("sos").await;
        bench.press("test").await;
        bench.status("it is no answer", offline).await;
        let tries = bench.line.seen().len();
        bench.line.wait_seen("several of them", tries.saturating_add(4), WITHIN, |_| true).await.expect("it goes on");
        bench.line.pass();
        bench.site.gateway.wait_delivered(WITHIN).await.expect("it is delivered");
    }
    let after = bench.site.gateway.resident_kib().expect("it runs");
    assert!(after < before + 48 * 1024, "{before} KiB, then {after} KiB");
    bench.nothing_lost_and_nothing_twice().await;
}
