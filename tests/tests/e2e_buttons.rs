//! Devices over real MQTT: `mosquitto_pub` raises alarms, and whatever else it sends gets the answer that the protocol promises.

use std::time::Duration;

use serde_json::{Value, json};
use tests::site::mosquitto::{self, Version};
use tests::site::mqtt::Login;
use tests::site::process::Said;
use tests::site::records::{Record, Records};
use tests::site::wait::{until, until_is};
use tests::site::{Site, SiteSettings};

const WITHIN: Duration = Duration::from_secs(10);
const TOPIC: &str = "care/v1/btn-0001/event";

#[tokio::test(flavor = "multi_thread")]
async fn mosquitto_pub_raises_alarms_with_3_1_1_and_with_5() {
    let bench = Bench::start().await;
    for (version, kind, seq) in [(Version::V311, "sos", 1), (Version::V5, "fall", 2)] {
        let said = bench.publish(version, TOPIC, &report(seq, kind), &[]).await;
        assert!(said.status.success(), "{said:?}");
        let alarm = bench.alarm(&format!("btn-0001.1.{seq}")).await;
        assert_eq!((&alarm["kind"], &alarm["urgency"]), (&json!(kind), &json!("emergency")), "{alarm}");
    }
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_report_sent_again_is_acknowledged_and_is_one_alarm() {
    let bench = Bench::start().await;
    for version in [Version::V311, Version::V5, Version::V311] {
        let said = bench.publish(version, TOPIC, &report(7, "sos"), &[]).await;
        assert!(said.status.success(), "{said:?}");
    }
    assert_eq!(bench.alarm("btn-0001.1.7").await["presses"], 1);
    let again = bench.publish(Version::V5, TOPIC, &report(8, "sos"), &[]).await;
    assert!(again.status.success(), "{again:?}");
    let folded = |alarm: &Value| alarm["presses"] == 2;
    until_is("a further press is folded in", WITHIN, async || Ok(bench.alarm("btn-0001.1.7").await), folded)
        .await
        .expect("it is not dropped");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d1_a_wrong_password_is_refused_and_recorded() {
    let bench = Bench::start().await;
    let mut wrong = bench.site.login("btn-0001");
    wrong.secret = "0".repeat(wrong.secret.len());
    let stranger = Login { device: "btn-4711".to_owned(), ..wrong.clone() };
    for (login, version) in [(&wrong, Version::V311), (&wrong, Version::V5), (&stranger, Version::V311)] {
        let said = mosquitto::publish(login, version, TOPIC, &report(1, "sos"), &[]).await.expect("the tool runs");
        assert!(!said.status.success(), "{said:?}");
        assert!(!said.out.contains("received PUBACK"), "{said:?}");
    }
    bench.refusal("login", 3).await;
    let refused = bench.site.gateway.staff.read("/api/v1/refusals").await.expect("staff see them");
    let seen = |one: &Value| one["from"] == "device" && one["code"] == "login" && one["device"].is_null();
    assert_eq!(refused.as_array().map(|all| all.iter().filter(|one| seen(one)).count()), Some(3), "{refused}");
    let metrics = async || bench.site.gateway.api.get("/metrics").await.map(|answer| answer.text);
    let counted = |text: &String| text.lines().any(|line| line == "device_link_logins_refused 3");
    until_is("the monitoring sees them, too", WITHIN, metrics, counted).await.expect("they are counted");
    bench.end().await;
    assert!(bench.alarms().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn d3_a_report_on_another_devices_topic_ends_the_connection_and_is_recorded() {
    let bench = Bench::start().await;
    for version in [Version::V311, Version::V5] {
        let said = bench.publish(version, "care/v1/btn-0002/event", &report(1, "sos"), &[]).await;
        assert!(!said.out.contains("received PUBACK"), "{said:?}");
    }
    bench.refusal("foreign_topic", 2).await;
    bench.end().await;
    assert!(bench.alarms().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn d8_a_retained_event_is_refused_acknowledged_and_raises_nothing() {
    let bench = Bench::start().await;
    let said = bench.publish(Version::V311, TOPIC, &report(1, "sos"), &["-r"]).await;
    assert!(said.status.success() && said.out.contains("received PUBACK"), "{said:?}");
    let said = bench.publish(Version::V5, TOPIC, &report(1, "sos"), &["-r"]).await;
    assert!(said.out.contains("RC:135"), "not authorized: {said:?}");
    bench.refusal("retained", 2).await;
    bench.end().await;
    assert!(bench.alarms().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn d7_a_payload_of_2_kib_is_refused_acknowledged_and_kept_as_a_sample() {
    let bench = Bench::start().await;
    let payload = json!({"v": 1, "epoch": 1, "seq": 1, "kind": "sos", "detail": "x".repeat(2_048)}).to_string();
    let said = bench.publish(Version::V311, TOPIC, &payload, &[]).await;
    assert!(said.status.success() && said.out.contains("received PUBACK"), "{said:?}");
    let said = bench.publish(Version::V5, TOPIC, &payload, &[]).await;
    assert!(said.out.contains("RC:151"), "quota exceeded: {said:?}");
    let refused = bench.refusal("oversize", 2).await;
    assert_eq!(refused["size"], payload.len(), "{refused}");
    assert!(refused["sample"].as_str().is_some_and(|sample| sample.len() <= 128), "{refused}");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d7_broken_json_raises_a_technical_alarm_and_is_acknowledged() {
    let bench = Bench::start().await;
    let said = bench.publish(Version::V311, TOPIC, r#"{"v":1,"seq":"#, &[]).await;
    assert!(said.status.success() && said.out.contains("received PUBACK"), "{said:?}");
    let said = bench.publish(Version::V5, TOPIC, r#"{"v":1,"seq":1e999,"kind":[[[[]]]]}"#, &[]).await;
    assert!(said.out.contains("RC:153"), "payload format invalid: {said:?}");
    let alarm = bench.alarm_of_kind("unreadable").await;
    assert_eq!((&alarm["urgency"], &alarm["device"]), (&json!("technical"), &json!("btn-0001")), "{alarm}");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d7_an_unknown_kind_raises_an_urgent_alarm() {
    let bench = Bench::start().await;
    let said = bench.publish(Version::V311, TOPIC, &report(1, "earthquake"), &[]).await;
    assert!(said.status.success(), "{said:?}");
    let alarm = bench.alarm("btn-0001.1.1").await;
    assert_eq!((&alarm["kind"], &alarm["urgency"]), (&json!("unknown"), &json!("urgent")), "{alarm}");
    assert_eq!(alarm["detail"], "earthquake", "{alarm}");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g8_the_same_number_with_another_body_is_a_conflict_that_raises_an_alarm_of_its_own() {
    let bench = Bench::start().await;
    for kind in ["test", "sos"] {
        let said = bench.publish(Version::V311, TOPIC, &report(1, kind), &[]).await;
        assert!(said.status.success(), "{said:?}");
    }
    let alarm = bench.alarm_of_kind("conflict").await;
    assert_eq!(alarm["urgency"], "emergency", "{alarm}");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d10_a_cancel_never_closes_an_alarm_by_itself_in_whatever_order() {
    let bench = Bench::start().await;
    let cancel = json!({"v": 1, "epoch": 1, "seq": 2, "kind": "cancel", "of": 1}).to_string();
    for payload in [&cancel, &report(1, "sos")] {
        assert!(bench.publish(Version::V311, TOPIC, payload, &[]).await.status.success());
    }
    let later = json!({"v": 1, "epoch": 1, "seq": 3, "kind": "cancel", "of": 1}).to_string();
    assert!(bench.publish(Version::V311, TOPIC, &later, &[]).await.status.success());
    let taken_back = |alarm: &Value| alarm["taken_back"] == true;
    let alarm =
        until_is("it is shown as taken back", WITHIN, async || Ok(bench.alarm("btn-0001.1.1").await), taken_back)
            .await
            .expect("the cancel is known");
    assert_ne!(alarm["state"], "resolved", "{alarm}");
    bench.end().await;
}

fn report(seq: u64, kind: &str) -> String {
    json!({"v": 1, "epoch": 1, "seq": seq, "kind": kind, "boot": 1, "up_ms": 1000}).to_string()
}

/// A site whose daemon must live through the test.
struct Bench {
    site: Site,
    pid: Option<u32>,
}

impl Bench {
    async fn start() -> Self {
        let devices = ["btn-0001", "btn-0002"].map(str::to_owned).into();
        let site = Site::start(&SiteSettings { devices, ..SiteSettings::default() }).await.expect("a site");
        let pid = site.gateway.pid();
        Self { site, pid }
    }

    async fn publish(&self, version: Version, topic: &str, payload: &str, more: &[&str]) -> Said {
        let login = self.site.login("btn-0001");
        mosquitto::publish(&login, version, topic, payload, more).await.expect("the tool runs")
    }

    async fn alarms(&self) -> Vec<Value> {
        let alarms = self.site.gateway.api.read("/api/v1/alarms").await.expect("the list");
        alarms.as_array().expect("a list").clone()
    }

    async fn find(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let look = async || self.alarms().await.into_iter().find(|alarm| wanted(alarm));
        until(what, WITHIN, look).await.expect("the alarm is shown")
    }

    /// The alarm as the site shows it, after the centre has it too.
    async fn alarm(&self, id: &str) -> Value {
        let path = format!("/api/v1/alarms/{id}");
        let read = async || self.site.centre.operator.get(&path).await;
        until_is("the centre has the alarm", WITHIN, read, |answer| answer.status == 200).await.expect("it travels");
        self.find(id, |alarm| alarm["id"] == id).await
    }

    async fn alarm_of_kind(&self, kind: &str) -> Value {
        self.find(kind, |alarm| alarm["kind"] == kind).await
    }

    /// The first of so many refusals with this reason, as the centre has it.
    async fn refusal(&self, reason: &str, count: usize) -> Value {
        let look = async || {
            let mut records = Records::open(&self.site.centre.database).await.ok()?;
            let entries = records.entries().await.ok()?;
            let bodies = entries.iter().filter(|entry| entry.kind == "report.refused").filter_map(body);
            let found: Vec<Value> = bodies.filter(|body| body["reason"] == reason).collect();
            (found.len() == count).then(|| found.first().cloned()).flatten()
        };
        until(&format!("{count} refusals `{reason}` at the centre"), WITHIN, look).await.expect("they are recorded")
    }

    /// The daemon is the one that was started, takes a report, and nothing is in doubt.
    async fn end(&self) {
        assert_eq!(self.site.gateway.pid(), self.pid);
        let mut other = self.site.button("btn-0002").await.expect("it is let in");
        other.press("test").await.expect("the daemon lives");
        let status = self.site.gateway.wait_delivered(WITHIN).await.expect("everything is at the centre");
        assert_eq!(status["quarantined"], 0, "{status}");
        let verified = self.site.gateway.verify_journal().await;
        assert!(verified.is_ok(), "{verified:?}");
    }
}

fn body(entry: &Record) -> Option<Value> {
    let entry: Value = serde_json::from_str(&entry.bytes).ok()?;
    entry.get("body").cloned()
}
