//! Faults of devices and of strangers, D1 to D18 of the fault reference, on the real daemon's listener, with bare bytes where no
//! client would send such a thing.
//!
//! Elsewhere: D11, for which a day has to pass, with the core; a CONNECT that trickles (D13) with the device link; D15 in `e2e_broker`;
//! D19 with the broker adapter. D14 with certificates cannot be yet, since devices log in with secrets.
//!
//! After each: the daemon is the one that was started, another room's press is acknowledged in time and at the centre, nothing that
//! was acknowledged is missing, nothing is there twice, and nothing is there that no device said.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::faults::packets::{Connect, Raw, packet, puback, publish, subscribe, text};
use tests::site::audit::{Expected, audit};
use tests::site::button::Button;
use tests::site::load::{ReportKey, Tally};
use tests::site::mqtt::Login;
use tests::site::records::{Record, Records, reports};
use tests::site::wait::until;
use tests::site::{EPOCH, Site, SiteSettings};
use tokio::io::AsyncWriteExt as _;

const WITHIN: Duration = Duration::from_secs(20);
/// Another room's press is acknowledged within this, whatever a device or a stranger does (I5); on an idle machine it takes
/// milliseconds.
const LOCAL: Duration = Duration::from_secs(2);
/// The device that misbehaves.
const BAD: &str = "btn-0001";
/// Another room's.
const GOOD: &str = "btn-0002";
const OWN: &[u8] = b"care/v1/btn-0001/event";
const VERSIONS: [u8; 2] = [4, 5];

struct Bench {
    site: Site,
    pid: Option<u32>,
    other: Button,
    acknowledged: Vec<ReportKey>,
}

impl Bench {
    async fn start() -> Self {
        let devices = [BAD, GOOD].map(str::to_owned).into();
        let site = Site::start(&SiteSettings { devices, ..SiteSettings::default() }).await.expect("a site");
        let pid = site.gateway.pid();
        let other = site.button(GOOD).await.expect("it is let in");
        Self { site, pid, other, acknowledged: Vec::new() }
    }

    fn login(&self) -> Login {
        self.site.login(BAD)
    }

    async fn stranger(&self) -> Raw {
        Raw::open(self.site.gateway.mqtt()).await.expect("it listens")
    }

    /// The device that misbehaves, logged in; a moment later where it came too often.
    async fn bad(&self, version: u8) -> Raw {
        let login = self.login();
        let log_in = async || Raw::log_in(&login, version, WITHIN).await.ok();
        until("it is let in", WITHIN, log_in).await.expect("its secret is right")
    }

    /// The other room presses so often; the longest wait for a PUBACK.
    async fn other_presses(&mut self, count: u32) -> Duration {
        let mut longest = Duration::ZERO;
        for _ in 0..count {
            let pressed = self.other.press("test").await.expect("another room is heard");
            longest = longest.max(pressed.acknowledged_after);
            self.acknowledged.push((GOOD.to_owned(), pressed.epoch, pressed.seq));
        }
        longest
    }

    /// A report of the bad device, PUBACKed.
    async fn bad_reports(&mut self, raw: &mut Raw, flags: u8, seq: u64, kind: &str) {
        assert!(raw.send(&publish(4, flags, OWN, Some(9), &report(seq, kind))).await);
        assert_eq!(raw.packet(WITHIN).await, Some(puback(9)), "{kind} {seq}");
        self.acknowledged.push((BAD.to_owned(), EPOCH, seq));
    }

    async fn entries(&self) -> Vec<Record> {
        let mut records = Records::open(&self.site.centre.database).await.expect("the centre's database");
        records.entries().await.expect("readable")
    }

    /// Waits until so many refusals with this reason are at the centre.
    async fn refusals(&self, reason: &str, at_least: usize) -> Vec<Value> {
        let look = async || {
            let bodies = self.entries().await.into_iter().filter(|entry| entry.kind == "report.refused");
            let found: Vec<Value> =
                bodies.filter_map(|entry| body(&entry)).filter(|body| body["reason"] == reason).collect();
            (found.len() >= at_least).then_some(found)
        };
        until(&format!("{at_least} refusals `{reason}`"), WITHIN, look).await.expect("they are recorded")
    }

    /// What must be true after every fault; the reports that the devices made.
    async fn all_is_well(mut self) -> Vec<ReportKey> {
        let longest = self.other_presses(3).await;
        assert!(longest < LOCAL, "another room waited {longest:?}");
        let pressed = self.other.press("sos").await.expect("another room is heard");
        self.acknowledged.push((GOOD.to_owned(), pressed.epoch, pressed.seq));
        let path = format!("/api/v1/alarms/{}", pressed.alarm(GOOD));
        let shown =
            async || self.site.centre.operator.get(&path).await.ok().filter(tests::site::http::Answer::is_success);
        until("another room's alarm is at the centre", Duration::from_secs(10), shown).await.expect("in time");
        assert_eq!(self.site.gateway.pid(), self.pid);
        self.site.gateway.check().expect("the daemon lives");
        let load = Tally { acknowledged: self.acknowledged.iter().cloned().collect(), ..Tally::default() };
        let findings = audit(&self.site, &Expected { load, ..Expected::default() }, WITHIN).await;
        assert!(findings.is_empty(), "{}", findings.join("\n"));
        reports(&self.entries().await).into_keys().filter(|(device, ..)| device == BAD).collect()
    }
}

fn report(seq: u64, kind: &str) -> Vec<u8> {
    json!({"v": 1, "epoch": EPOCH, "seq": seq, "kind": kind, "boot": 1, "up_ms": 1000}).to_string().into_bytes()
}

fn body(entry: &Record) -> Option<Value> {
    serde_json::from_str::<Value>(&entry.bytes).ok()?.get("body").cloned()
}

/// D1.
#[tokio::test(flavor = "multi_thread")]
async fn d1_nobody_without_a_name_or_with_a_wrong_secret_is_let_in_and_guessing_is_slowed() {
    let bench = Bench::start().await;
    let device = BAD.as_bytes();
    for version in VERSIONS {
        for (user, secret) in [
            (None, None),
            (Some(device), None),
            (Some(device), Some(&b""[..])),
            (Some(device), Some(&b"guess"[..])),
            (Some(&b"admin"[..]), Some(&b"admin"[..])),
        ] {
            for client_id in [device, b""] {
                let mut raw = bench.stranger().await;
                let connect = Connect { version, client_id, user, secret, ..Connect::NOBODY };
                raw.send(&[connect.bytes(), publish(version, 2, OWN, Some(1), &report(1, "sos"))].concat()).await;
                let said = raw.rest(WITHIN).await.expect("it is closed");
                let let_in = said.first() == Some(&0x20) && said.get(3) == Some(&0);
                assert!(!let_in, "{connect:?}: {said:?}");
            }
        }
    }
    let mut answered = 0;
    for _ in 0..40 {
        let mut raw = bench.stranger().await;
        raw.send(&Connect { client_id: device, user: Some(device), secret: Some(b"guess"), ..Connect::NOBODY }.bytes())
            .await;
        answered += usize::from(!raw.rest(WITHIN).await.expect("it is closed").is_empty());
    }
    assert!(answered <= 3, "a guesser is told nothing any more: {answered}");
    bench.refusals("login", 1).await;
    assert_eq!(bench.all_is_well().await, []);
}

/// D2.
#[tokio::test(flavor = "multi_thread")]
async fn d2_names_with_wildcards_slashes_nul_or_broken_text_are_refused() {
    let bench = Bench::start().await;
    let secret = bench.login().secret;
    let names: [&[u8]; 12] = [
        b"+",
        b"#",
        b"btn-0001/#",
        b"btn-000+",
        b"btn-0001/",
        b"../btn-0001",
        b"$SYS",
        b"btn-0001\0",
        b"\0",
        b"\xFF\xFE",
        b"\xED\xA0\x80",
        &[b'x'; 60_000],
    ];
    for version in VERSIONS {
        for name in names {
            let mut raw = bench.stranger().await;
            let connect = Connect {
                version,
                client_id: name,
                user: Some(name),
                secret: Some(secret.as_bytes()),
                ..Connect::NOBODY
            };
            raw.send(&connect.bytes()).await;
            let said = raw.rest(WITHIN).await.expect("it is closed");
            assert!(said.get(3) != Some(&0), "{name:?}: {said:?}");
        }
    }
    assert_eq!(bench.all_is_well().await, []);
}

/// D3.
#[tokio::test(flavor = "multi_thread")]
async fn d3_a_device_speaks_for_no_other_whatever_topic_or_payload_says() {
    let mut bench = Bench::start().await;
    for version in VERSIONS {
        for topic in [
            "care/v1/btn-0002/event",
            "care/v1/btn-0002/status",
            "care/v1/btn-0002/command",
            "care/v1/btn-0001/command",
        ] {
            let mut raw = bench.bad(version).await;
            raw.send(&publish(version, 2, topic.as_bytes(), Some(1), &report(1, "sos"))).await;
            let said = raw.rest(WITHIN).await.expect("its connection is ended");
            assert!(said.first() != Some(&0x40), "{topic}: {said:?}");
        }
    }
    bench.refusals("foreign_topic", 8).await;
    // A payload that names another device says nothing: the connection does.
    let mut raw = bench.bad(4).await;
    let payload =
        json!({"v": 1, "epoch": EPOCH, "seq": 5, "kind": "fall", "device": GOOD, "source": "device:btn-0002"});
    raw.send(&publish(4, 2, OWN, Some(7), payload.to_string().as_bytes())).await;
    assert_eq!(raw.packet(WITHIN).await, Some(puback(7)));
    bench.acknowledged.push((BAD.to_owned(), EPOCH, 5));
    assert_eq!(bench.all_is_well().await, [(BAD.to_owned(), EPOCH, 5)]);
}

/// D4.
#[tokio::test(flavor = "multi_thread")]
async fn d4_nobody_listens_to_anything_but_its_own_commands() {
    let bench = Bench::start().await;
    let filters = [
        "#",
        "+/+/+/+",
        "$SYS/#",
        "$share/all/#",
        "$share/g/care/v1/btn-0001/command",
        "care/v1/+/command",
        "care/v1/btn-0002/command",
        "care/v1/btn-0001/event",
        "care/v1/btn-0001/#",
    ];
    for version in VERSIONS {
        for filter in filters {
            let mut raw = bench.bad(version).await;
            raw.send(&subscribe(version, 3, filter)).await;
            let (kind, said) = raw.packet(WITHIN).await.expect("a SUBACK");
            assert!(kind == 0x90 && said.last().is_some_and(|code| *code >= 0x80), "{filter}: {kind} {said:?}");
            raw.send(&packet(0xC0, &[])).await;
            assert_eq!(raw.packet(WITHIN).await, Some((0xD0, Vec::new())), "the connection lives");
        }
    }
    bench.refusals("foreign_subscription", 1).await;
    assert_eq!(bench.all_is_well().await, []);
}

/// D5.
#[tokio::test(flavor = "multi_thread")]
async fn d5_topics_that_cannot_be_cost_their_sender_the_connection_and_nobody_else_anything() {
    let bench = Bench::start().await;
    let topics: [&[u8]; 9] = [
        b"care/v1/btn-0001/+",
        b"care/v1/#",
        b"care/v1/btn-0001/event\0",
        b"\0",
        b"",
        b"care/\xFF",
        b"\xED\xA0\x80",
        &[b'x'; 65_535],
        &[b'/'; 65_000],
    ];
    for version in VERSIONS {
        for topic in topics {
            let mut raw = bench.bad(version).await;
            // It may be cut before all of it is written.
            raw.send(&publish(version, 2, topic, Some(1), &report(1, "sos"))).await;
            let said = raw.rest(WITHIN).await.expect("its connection is ended");
            assert!(said.first() != Some(&0x40), "{said:?}");
        }
    }
    bench.refusals("malformed", 1).await;
    bench.refusals("oversize", 1).await;
    assert_eq!(bench.all_is_well().await, []);
}

/// D6.
#[tokio::test(flavor = "multi_thread")]
async fn d6_a_payload_of_256_mb_is_cut_when_it_is_announced_and_memory_stays_flat() {
    let bench = Bench::start().await;
    let before = bench.site.gateway.resident_kib().expect("it runs");
    let announced = [&[0x32, 0xFF, 0xFF, 0xFF, 0x7F][..], &text(OWN), &[0, 1], &[b'x'; 4_096]].concat();
    for round in 0..30_u8 {
        let version = VERSIONS[usize::from(round % 2)];
        let mut raw = bench.bad(version).await;
        raw.send(&announced).await;
        raw.rest(LOCAL).await.expect("it is cut at its announcement, not at a time limit");
    }
    // Announced within the limit, and then silence: cut by the keep-alive.
    let login = bench.login();
    let device = login.device.as_bytes();
    let connect = Connect {
        keep_alive_s: 1,
        client_id: device,
        user: Some(device),
        secret: Some(login.secret.as_bytes()),
        ..Connect::NOBODY
    };
    let stall = async || {
        let mut raw = bench.stranger().await;
        raw.send(&connect.bytes()).await;
        let (_, said) = raw.packet(WITHIN).await?;
        (said == [0, 0]).then_some(raw)
    };
    let mut raw = until("it is let in", WITHIN, stall).await.expect("its secret is right");
    let whole = publish(4, 2, OWN, Some(1), &report(1, "sos"));
    raw.send(&whole[..whole.len() - 3]).await;
    assert_eq!(raw.rest(Duration::from_secs(5)).await.expect("it is cut"), b"");
    let after = bench.site.gateway.resident_kib().expect("it runs");
    assert!(after < before + 16 * 1024, "{before} KiB, then {after} KiB");
    assert_eq!(bench.all_is_well().await, []);
}

/// D7.
#[tokio::test(flavor = "multi_thread")]
async fn d7_payloads_of_every_wrong_kind_are_acknowledged_told_and_kept_capped() {
    let bench = Bench::start().await;
    let deep = [vec![b'['; 500], vec![b']'; 500]].concat();
    let payloads: [&[u8]; 15] = [
        &deep,
        br#"{"v":1,"seq":1e400,"kind":"sos"}"#,
        br#"{"v":1,"seq":NaN,"kind":"sos"}"#,
        br#"{"v":1,"seq":-1,"kind":"sos"}"#,
        br#"{"v":1,"seq":18446744073709551616,"kind":"sos"}"#,
        br#"{"v":1,"seq":1.5,"kind":"sos"}"#,
        br#"{"v":1,"seq":1,"seq":2,"kind":"sos"}"#,
        br#"{"v":1,"seq":"1","kind":"sos"}"#,
        br#"{"v":1,"seq":1,"kind":7}"#,
        br#"{"v":99,"seq":1,"kind":"sos"}"#,
        br#"{"seq":1,"kind":"sos"}"#,
        b"[]",
        b"",
        b"\xFF\xFE\x00",
        br#"{"v":1,"seq":1,"kind":"sos","epoch":4294967296}"#,
    ];
    for version in VERSIONS {
        let mut raw = bench.bad(version).await;
        for (at, payload) in payloads.iter().enumerate() {
            let id = u16::try_from(at + 1).expect("few");
            raw.send(&publish(version, 2, OWN, Some(id), payload)).await;
            let (kind, said) = raw.packet(WITHIN).await.expect("an answer");
            assert_eq!((kind, said.get(..2)), (0x40, Some(&id.to_be_bytes()[..])), "{payload:?}");
            assert!(version == 4 || said.get(2) == Some(&0x99), "payload format invalid: {said:?}");
        }
    }
    let unreadable = |alarm: &Value| alarm["kind"] == "unreadable" && alarm["device"] == BAD;
    let shown = bench.site.gateway.api.read("/api/v1/alarms").await.expect("the list");
    let shown: Vec<&Value> = shown.as_array().expect("a list").iter().filter(|alarm| unreadable(alarm)).collect();
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert!(shown[0]["detail"].as_str().is_none_or(|detail| detail.len() <= 1_024), "{shown:?}");
    assert_eq!(bench.all_is_well().await, []);
}

/// D8.
#[tokio::test(flavor = "multi_thread")]
async fn d8_an_alarm_with_the_retained_flag_raises_nothing_and_is_recorded() {
    let bench = Bench::start().await;
    for version in VERSIONS {
        let mut raw = bench.bad(version).await;
        raw.send(&publish(version, 0b0011, OWN, Some(1), &report(1, "sos"))).await;
        assert_eq!(raw.packet(WITHIN).await.map(|(kind, _)| kind), Some(0x40));
        raw.send(&publish(version, 0b0001, OWN, None, &report(2, "sos"))).await;
    }
    bench.refusals("retained", 4).await;
    assert_eq!(bench.all_is_well().await, []);
}

/// D9.
#[tokio::test(flavor = "multi_thread")]
async fn d9_a_thousand_repeats_with_and_without_dup_are_each_acknowledged_and_are_one_alarm() {
    let mut bench = Bench::start().await;
    let mut raw = bench.bad(4).await;
    let press = report(1, "sos");
    for flags in [0b0010, 0b1010] {
        let all: Vec<u8> = (1..=1_000).flat_map(|id| publish(4, flags, OWN, Some(id), &press)).collect();
        let (mut reading, mut writing) = raw.socket.split();
        let read = async {
            let mut acknowledged = vec![0; 4_000];
            tokio::io::AsyncReadExt::read_exact(&mut reading, &mut acknowledged).await.expect("every PUBACK");
            acknowledged
        };
        let (written, acknowledged) = tokio::join!(writing.write_all(&all), tokio::time::timeout(WITHIN, read));
        written.expect("it is read");
        let acknowledged = acknowledged.expect("in time");
        assert!(
            acknowledged.chunks(4).zip(1_u16..).all(|(ack, id)| ack == [&[0x40, 2][..], &id.to_be_bytes()].concat())
        );
    }
    bench.acknowledged.push((BAD.to_owned(), EPOCH, 1));
    let alarms = bench.site.gateway.api.read("/api/v1/alarms").await.expect("the list");
    assert_eq!((&alarms[0]["id"], &alarms[0]["presses"]), (&json!("btn-0001.1.1"), &json!(1)), "{alarms}");
    assert_eq!(bench.all_is_well().await, [(BAD.to_owned(), EPOCH, 1)]);
}

/// D10.
#[tokio::test(flavor = "multi_thread")]
async fn d10_a_take_back_that_comes_before_its_press_leaves_the_alarm_open() {
    let mut bench = Bench::start().await;
    let mut raw = bench.bad(4).await;
    let cancel = json!({"v": 1, "epoch": EPOCH, "seq": 2, "kind": "cancel", "of": 1}).to_string();
    let both =
        [publish(4, 2, OWN, Some(2), cancel.as_bytes()), publish(4, 2, OWN, Some(1), &report(1, "sos"))].concat();
    raw.send(&both).await;
    for id in [2, 1] {
        assert_eq!(raw.packet(WITHIN).await, Some(puback(id)));
        bench.acknowledged.push((BAD.to_owned(), EPOCH, u64::from(id)));
    }
    let alarms = bench.site.gateway.api.read("/api/v1/alarms").await.expect("the list");
    assert_eq!(alarms[0]["id"], "btn-0001.1.1", "{alarms}");
    assert_ne!(alarms[0]["state"], "resolved", "{alarms}");
    assert_eq!(bench.all_is_well().await.len(), 2);
}

/// D12.
#[tokio::test(flavor = "multi_thread")]
async fn d12_a_device_that_connects_a_hundred_times_a_second_with_a_last_will_delays_no_other() {
    let mut bench = Bench::start().await;
    let idle = bench.other_presses(50).await;
    let login = bench.login();
    let flapping = tokio::spawn(async move {
        let device = login.device.as_bytes();
        let connect = Connect {
            client_id: device,
            will: Some((b"care/v1/btn-0001/status", b"{}")),
            user: Some(device),
            secret: Some(login.secret.as_bytes()),
            ..Connect::NOBODY
        };
        let (mut let_in, mut refused) = (0_u32, 0_u32);
        for _ in 0..300 {
            let due = tokio::time::Instant::now() + Duration::from_millis(10);
            let mut raw = Raw::open(login.address).await.expect("it listens");
            raw.send(&connect.bytes()).await;
            match raw.packet(WITHIN).await {
                Some((0x20, said)) if said == [0, 0] => let_in += 1,
                _ => refused += 1,
            }
            drop(raw);
            tokio::time::sleep_until(due).await;
        }
        (let_in, refused)
    });
    let mut longest = Duration::ZERO;
    while !flapping.is_finished() {
        longest = longest.max(bench.other_presses(1).await);
    }
    let (let_in, refused) = flapping.await.expect("it ends");
    println!("{let_in} let in, {refused} told to slow down; another room's longest wait {longest:?}, idle {idle:?}");
    assert!(let_in >= 30 && refused > 100, "{let_in} let in, {refused} refused");
    assert!(longest < LOCAL, "{longest:?}");
    bench.refusals("limit", 1).await;
    assert_eq!(bench.all_is_well().await, []);
}

/// D13.
#[tokio::test(flavor = "multi_thread")]
async fn d13_ten_thousand_connections_of_one_host_leave_those_that_stand_alone() {
    let mut bench = Bench::start().await;
    let mut standing = bench.bad(4).await;
    let before = bench.site.gateway.resident_kib().expect("it runs");
    let address = bench.site.gateway.mqtt();
    let flood = tokio::spawn(async move {
        let mut held = Vec::new();
        for number in 0..10_000_u32 {
            let Ok(mut raw) = Raw::open(address).await else { break };
            if number % 2 == 0 {
                // The first bytes of a CONNECT, and no more.
                raw.send(&[0x10, 60, 0]).await;
            }
            held.push(raw);
        }
        held
    });
    let (mut longest, begun) = (Duration::ZERO, Instant::now());
    while !flood.is_finished() {
        longest = longest.max(bench.other_presses(1).await);
    }
    let flooded = begun.elapsed();
    let held = flood.await.expect("it ends");
    bench.bad_reports(&mut standing, 2, 1, "sos").await;
    let grown = bench.site.gateway.resident_kib().expect("it runs").saturating_sub(before);
    println!("{} connections in {flooded:?}; another room's longest wait {longest:?}; {grown} KiB more", held.len());
    assert!(held.len() >= 9_000, "{}", held.len());
    assert!(longest < LOCAL && grown < 64 * 1024, "{longest:?}, {grown} KiB");
    drop(held);
    let reconnected = async || bench.other.reconnect().await.ok();
    until("a device is let in again", WITHIN, reconnected).await.expect("the places are free");
    assert_eq!(bench.all_is_well().await, [(BAD.to_owned(), EPOCH, 1)]);
}

/// D14.
#[tokio::test(flavor = "multi_thread")]
async fn d14_a_connection_is_taken_over_only_with_the_devices_own_secret() {
    let mut bench = Bench::start().await;
    let mut standing = bench.bad(4).await;
    let thief = bench.site.login(GOOD);
    let device = BAD.as_bytes();
    for version in VERSIONS {
        for user in [device, GOOD.as_bytes()] {
            let mut raw = bench.stranger().await;
            let secret = Some(thief.secret.as_bytes());
            let connect = Connect { version, client_id: device, user: Some(user), secret, ..Connect::NOBODY };
            raw.send(&connect.bytes()).await;
            let said = raw.rest(WITHIN).await.expect("it is closed");
            assert!(said.get(3) != Some(&0), "{said:?}");
        }
    }
    bench.bad_reports(&mut standing, 2, 1, "sos").await;
    let mut own = bench.bad(4).await;
    assert!(standing.rest(WITHIN).await.is_some(), "its own later connection takes over");
    bench.bad_reports(&mut own, 2, 2, "test").await;
    assert_eq!(bench.all_is_well().await.len(), 2);
}

/// D16.
#[tokio::test(flavor = "multi_thread")]
async fn d16_a_press_acknowledged_in_the_moment_of_a_kill_is_there_after_the_restart() {
    let mut bench = Bench::start().await;
    for seq in 1..=8 {
        let mut raw = bench.bad(4).await;
        let kind = if seq % 2 == 0 { "sos" } else { "test" };
        bench.bad_reports(&mut raw, 2, seq, kind).await;
        bench.site.gateway.kill();
        bench.site.gateway.verify_journal().await.expect("the chain verifies");
        bench.site.gateway.start().await.expect("it starts again");
    }
    bench.pid = bench.site.gateway.pid();
    bench.other.reconnect().await.expect("it is let in");
    assert_eq!(bench.all_is_well().await.len(), 8);
}

/// D17. That a device is silent is told after a minute at the least, so it is awaited with `LONG=1` only; the core's own tests turn
/// the clock.
#[tokio::test(flavor = "multi_thread")]
async fn d17_a_low_battery_and_silence_are_told_to_people_until_somebody_sees_to_them() {
    let mut bench = Bench::start().await;
    bench
        .site
        .gateway
        .tool_well(&["device", "add", "btn-0003", "--kind", "button", "--silent-after-s", "60"])
        .await
        .expect("added");
    let mut raw = bench.bad(4).await;
    let weak = json!({"v": 1, "epoch": EPOCH, "boot": 1, "up_ms": 5, "battery_mv": 2100, "rssi_dbm": -60, "firmware": "1.0.0",
        "reset": "power", "stored": 0, "lost": 0, "settings": 0, "faults": []});
    raw.send(&publish(4, 2, b"care/v1/btn-0001/status", Some(9), weak.to_string().as_bytes())).await;
    assert_eq!(raw.packet(WITHIN).await, Some(puback(9)));
    let mut wanted = vec![("device_battery_low", WITHIN)];
    if std::env::var_os("LONG").is_some() {
        wanted.push(("device_silent", Duration::from_secs(90)));
    }
    for (kind, within) in wanted {
        let told = async || {
            let alarms = bench.site.centre.operator.read("/api/v1/alarms?open=1").await.ok()?;
            alarms["alarms"].as_array()?.iter().any(|alarm| alarm["kind"] == kind).then_some(())
        };
        until(&format!("the centre shows `{kind}`"), within, told).await.expect("it is told");
    }
    bench.other_presses(1).await;
    assert_eq!(bench.all_is_well().await, []);
}

/// D18.
#[tokio::test(flavor = "multi_thread")]
async fn d18_a_stuck_button_is_acknowledged_each_time_told_by_count_and_delays_no_other_room() {
    let mut bench = Bench::start().await;
    let idle = bench.other_presses(50).await;
    let mut raw = bench.bad(4).await;
    // A hundred a second, ten times what a stuck button makes.
    let stuck = tokio::spawn(async move {
        let mut longest = Duration::ZERO;
        for seq in 1..=300_u64 {
            let due = tokio::time::Instant::now() + Duration::from_millis(10);
            let sent = Instant::now();
            raw.send(&publish(4, 2, OWN, Some(1), &report(seq, "sos"))).await;
            assert_eq!(raw.packet(WITHIN).await, Some(puback(1)), "press {seq}");
            longest = longest.max(sent.elapsed());
            tokio::time::sleep_until(due).await;
        }
        longest
    });
    let mut longest = Duration::ZERO;
    while !stuck.is_finished() {
        longest = longest.max(bench.other_presses(1).await);
    }
    let own = stuck.await.expect("each press is acknowledged");
    println!("another room's longest wait {longest:?}, idle {idle:?}; the stuck button's own {own:?}");
    assert!(longest < LOCAL && own < LOCAL, "{longest:?}, {own:?}");
    bench.acknowledged.extend((1..=300).map(|seq| (BAD.to_owned(), EPOCH, seq)));
    let told = async || {
        let alarm = bench.site.centre.operator.read("/api/v1/alarms/btn-0001.1.1").await.ok()?;
        (alarm["presses"].as_u64()? >= 300).then_some(())
    };
    until("all presses are told by count", Duration::from_secs(30), told).await.expect("none is dropped");
    let entries = bench.entries().await;
    let of_it = |kind: &str| entries.iter().filter(|entry| entry.kind == kind && entry.bytes.contains(BAD)).count();
    assert_eq!(of_it("alarm.raised"), 1);
    assert!(of_it("alarm.repeated") <= 20, "{} entries about 300 presses", of_it("alarm.repeated"));
    bench.all_is_well().await;
}
