//! The broker adapter with Debian's mosquitto, which each test starts for itself, stops and kills.

#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "a test fails by panicking")]

mod mosquitto;

use std::collections::BTreeSet;
use std::time::Duration;

use gateway::adapter::broker::{Broker, BrokerHandle, BrokerSettings, BrokerSettingsError, MarketDevice};
use gateway::troubles::{Part, Troubles};
use gateway_core::{AckCode, AckToken, CommandId, LinkInput, LinkRefusal};
use protocols::id::DeviceId;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use mosquitto::{DEADLINE, Mosquitto};

struct Rig {
    handle: BrokerHandle,
    troubles: Troubles,
    inputs: mpsc::Receiver<LinkInput>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// Two that speak the own protocol, and one from the market.
fn devices() -> Vec<DeviceId> {
    ["a", "b", "btn-0100"].map(|id| id.parse().unwrap()).into()
}

fn settings(port: u16) -> BrokerSettings {
    BrokerSettings {
        host: "127.0.0.1".to_owned(),
        port,
        client_id: "gateway-test".to_owned(),
        user: None,
        password_file: None,
        keep_alive_s: 5,
        network_is_trusted: false,
        probe_every_s: 0,
        market: Vec::new(),
    }
}

impl Rig {
    fn start(broker: &Mosquitto, room: usize) -> Self {
        Self::with(&settings(broker.port), room)
    }

    fn with(settings: &BrokerSettings, room: usize) -> Self {
        let (sender, inputs) = mpsc::channel(room);
        let adapter = Broker::new(settings, devices(), sender).unwrap();
        let handle = adapter.handle();
        let (stop, stopped) = oneshot::channel();
        let troubles = Troubles::default();
        let task = tokio::spawn(adapter.run(troubles.clone(), async { stopped.await.unwrap_or(()) }));
        Self { handle, troubles, inputs, stop, task }
    }

    async fn input(&mut self) -> LinkInput {
        timeout(DEADLINE, self.inputs.recv()).await.expect("an input comes in time").expect("the adapter runs")
    }

    async fn event(&mut self) -> (AckToken, String) {
        loop {
            match self.input().await {
                LinkInput::Event { ack, payload, .. } => return (ack.unwrap(), String::from_utf8(payload).unwrap()),
                LinkInput::Connected { .. } | LinkInput::Disconnected { .. } => {}
                other => panic!("an event was expected, {other:?} came"),
            }
        }
    }

    /// Waits until the adapter has connected so many times.
    async fn connected(&self, times: u64) {
        let until = async {
            while self.handle.stats().connects < times {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(DEADLINE, until).await.expect("the adapter connects in time");
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        timeout(DEADLINE, self.task).await.expect("the adapter ends in time").unwrap();
    }
}

#[tokio::test]
async fn d16_a_report_is_acknowledged_to_the_broker_only_when_the_core_says_so() {
    let broker = Mosquitto::start().await;
    let mut rig = Rig::start(&broker, 64);
    rig.connected(1).await;
    broker.subscribed(6).await;
    broker.publish("care/v1/a/event", "one").await;
    let LinkInput::Connected { device, .. } = rig.input().await else { panic!("the device is heard") };
    assert_eq!(device.as_str(), "a");
    let (old, payload) = rig.event().await;
    assert_eq!(payload, "one");
    rig.stop().await;

    // Not acknowledged: it comes again, to another process under the same client id.
    let mut rig = Rig::start(&broker, 64);
    let (token, payload) = rig.event().await;
    assert_eq!(payload, "one");
    rig.handle.ack(token, AckCode::Success);
    rig.stop().await;

    let mut rig = Rig::start(&broker, 64);
    rig.connected(1).await;
    broker.publish("care/v1/a/status", "two").await;
    assert!(matches!(rig.input().await, LinkInput::Connected { .. }));
    assert!(matches!(rig.input().await, LinkInput::Status { .. }), "acknowledged: it does not come again");
    rig.handle.ack(old, AckCode::Success);
    rig.stop().await;
}

#[tokio::test]
async fn what_comes_while_the_gateway_is_away_waits_at_the_broker() {
    let broker = Mosquitto::start().await;
    let rig = Rig::start(&broker, 64);
    rig.connected(1).await;
    broker.subscribed(6).await;
    rig.stop().await;
    for n in 0..20 {
        broker.publish("care/v1/b/event", &n.to_string()).await;
    }
    let mut rig = Rig::start(&broker, 64);
    for n in 0..20 {
        let (token, payload) = rig.event().await;
        assert_eq!(payload, n.to_string(), "in order");
        rig.handle.ack(token, AckCode::Success);
    }
    rig.stop().await;
}

#[tokio::test]
async fn commands_reach_a_device_and_are_taken_when_the_broker_has_them() {
    let broker = Mosquitto::start().await;
    let mut rig = Rig::start(&broker, 64);
    rig.connected(1).await;
    broker.subscribed(6).await;
    let device = broker.subscriber("care/v1/a/command", 200).await;
    broker.publish("care/v1/a/status", "{}").await;
    let LinkInput::Connected { session, .. } = rig.input().await else { panic!("the device is heard") };
    let LinkInput::Status { .. } = rig.input().await else { panic!("a heartbeat") };
    // More than there are identifiers, and more at once than may be under way.
    for n in 1..=200 {
        rig.handle.command(session, CommandId(n), n.to_string().into_bytes());
    }
    let mut taken = BTreeSet::new();
    while taken.len() < 200 {
        let LinkInput::CommandTaken { command, .. } = rig.input().await else { panic!("taken") };
        assert!(taken.insert(command.0));
    }
    let heard = timeout(DEADLINE, device.wait_with_output()).await.unwrap().unwrap();
    let expected: String = (1..=200).map(|n| format!("{n}\n")).collect();
    assert_eq!(String::from_utf8(heard.stdout).unwrap(), expected);
    rig.stop().await;
}

#[tokio::test]
async fn a_broker_that_is_stopped_and_started_in_mid_flow_loses_nothing() {
    let mut broker = Mosquitto::start().await;
    let mut rig = Rig::start(&broker, 8);
    rig.connected(1).await;
    broker.subscribed(6).await;
    let port = broker.port;
    let publishing = tokio::spawn(async move {
        for n in 0..150 {
            mosquitto::publish_until_taken(port, "care/v1/a/event", &n.to_string()).await;
        }
    });
    let mut durable = BTreeSet::new();
    let mut held: Vec<AckToken> = Vec::new();
    for next_stop in [30, 60, 90, 120, 150] {
        while durable.len() < next_stop {
            let (token, payload) = rig.event().await;
            durable.insert(payload.parse::<u32>().unwrap());
            held.push(token);
            // Acknowledged late and in groups, so that some are always open when the broker goes.
            if held.len() >= 5 {
                held.drain(..).for_each(|token| rig.handle.ack(token, AckCode::Success));
            }
        }
        broker.restart().await;
    }
    timeout(DEADLINE, publishing).await.unwrap().unwrap();
    assert_eq!(durable, (0..150).collect());
    rig.stop().await;
}

#[tokio::test]
async fn d15_a_broker_that_is_killed_and_forgets_everything_is_subscribed_again() {
    let mut broker = Mosquitto::start().await;
    let mut rig = Rig::start(&broker, 64);
    rig.connected(1).await;
    broker.subscribed(6).await;
    broker.publish("care/v1/a/event", "before").await;
    let (before, _) = rig.event().await;
    broker.kill_and_forget().await;
    loop {
        if matches!(rig.input().await, LinkInput::Disconnected { .. }) {
            break;
        }
    }
    rig.connected(2).await;
    assert_eq!(rig.handle.stats().sessions_fresh, 2);
    broker.subscribed(6).await;
    broker.publish("care/v1/a/event", "after").await;
    let (after, payload) = rig.event().await;
    assert_eq!(payload, "after");
    rig.handle.ack(before, AckCode::Success);
    rig.handle.ack(after, AckCode::Success);
    // The stale one was not passed on: the broker would have ended the connection, or taken it for the new one.
    broker.publish("care/v1/b/event", "last").await;
    assert_eq!(rig.event().await.1, "last");
    let stats = rig.handle.stats();
    assert_eq!((stats.acks, stats.acks_late, stats.connects), (1, 1, 2));
    rig.stop().await;
}

#[tokio::test]
async fn a_full_intake_leaves_the_reports_at_the_broker() {
    let broker = Mosquitto::start().await;
    let mut rig = Rig::start(&broker, 1);
    rig.connected(1).await;
    broker.subscribed(6).await;
    let lines: String = (0..1_000).map(|n| format!("{n}\n")).collect();
    broker.publish_lines("care/v1/a/event", &lines).await;
    for n in 0..1_000 {
        let (token, payload) = rig.event().await;
        assert_eq!(payload, n.to_string());
        rig.handle.ack(token, AckCode::Success);
    }
    rig.stop().await;
}

#[tokio::test]
async fn a_payload_that_is_too_long_is_refused_and_does_not_stand_in_the_way() {
    let broker = Mosquitto::start().await;
    let mut rig = Rig::start(&broker, 64);
    rig.connected(1).await;
    broker.subscribed(6).await;
    broker.publish("care/v1/a/event", &"x".repeat(100_000)).await;
    let LinkInput::Connected { .. } = rig.input().await else { panic!("the device is heard") };
    let LinkInput::Refused { device, reason: LinkRefusal::Oversize, ack, size, .. } = rig.input().await else {
        panic!("the refusal is reported")
    };
    assert_eq!((device.unwrap().as_str(), size), ("a", 100_000));
    rig.handle.ack(ack.unwrap(), AckCode::QuotaExceeded);
    broker.publish("care/v1/a/event", "next").await;
    assert_eq!(rig.event().await.1, "next");
    assert_eq!(rig.handle.stats().connects, 1);
    rig.stop().await;
}

#[tokio::test]
async fn a_device_that_is_assigned_while_the_gateway_runs_is_heard_and_one_that_is_withdrawn_is_not() {
    let mut broker = Mosquitto::start().await;
    let mut rig = Rig::start(&broker, 64);
    rig.connected(1).await;
    broker.subscribed(6).await;
    rig.handle.assign("late".parse().unwrap());
    broker.subscribed(8).await;
    broker.publish("care/v1/late/event", "heard").await;
    let LinkInput::Connected { device, session } = rig.input().await else { panic!("the device is heard") };
    assert_eq!(device.as_str(), "late");
    let (token, payload) = rig.event().await;
    assert_eq!(payload, "heard");
    rig.handle.ack(token, AckCode::Success);
    // It is told things, too.
    let subscriber = broker.subscriber("care/v1/late/command", 1).await;
    rig.handle.command(session, CommandId(1), b"accepted".to_vec());
    let heard = timeout(DEADLINE, subscriber.wait_with_output()).await.unwrap().unwrap();
    assert_eq!(String::from_utf8(heard.stdout).unwrap(), "accepted\n");
    assert!(matches!(rig.input().await, LinkInput::CommandTaken { .. }));

    // It is heard over a broker that forgets everything, too.
    broker.kill_and_forget().await;
    rig.connected(2).await;
    broker.subscribed(8).await;
    broker.publish("care/v1/late/event", "again").await;
    let (token, payload) = rig.event().await;
    assert_eq!(payload, "again");
    rig.handle.ack(token, AckCode::Success);

    rig.handle.withdraw("late".parse().unwrap());
    rig.handle.withdraw("b".parse().unwrap());
    for device in ["late", "b"] {
        broker.unsubscribed(device).await;
        broker.publish(&format!("care/v1/{device}/event"), "not heard").await;
    }
    broker.publish("care/v1/a/event", "last").await;
    // Neither delivered nor refused: the broker does not even pass it on.
    assert_eq!(rig.event().await.1, "last");
    rig.stop().await;
}

#[tokio::test]
async fn many_devices_that_are_assigned_at_once_are_all_heard() {
    let broker = Mosquitto::start().await;
    let mut rig = Rig::start(&broker, 64);
    rig.connected(1).await;
    broker.subscribed(6).await;
    for n in 0..500 {
        rig.handle.assign(format!("late-{n}").parse().unwrap());
    }
    broker.subscribed(1_006).await;
    for n in [0, 250, 499] {
        broker.publish(&format!("care/v1/late-{n}/event"), &n.to_string()).await;
        let (token, payload) = rig.event().await;
        assert_eq!(payload, n.to_string());
        rig.handle.ack(token, AckCode::Success);
    }
    assert_eq!(rig.handle.stats().connects, 1);
    rig.stop().await;
}

#[tokio::test]
async fn a_device_from_the_market_that_is_taken_out_and_put_back_is_heard_again() {
    let broker = Mosquitto::start().await;
    let mut settings = settings(broker.port);
    settings.market = vec![button()];
    let mut rig = Rig::with(&settings, 64);
    rig.connected(1).await;
    broker.subscribed(4).await;
    rig.handle.withdraw("btn-0100".parse().unwrap());
    rig.handle.assign("btn-0100".parse().unwrap());
    rig.handle.assign("late".parse().unwrap());
    broker.subscribed(6).await;
    broker.publish("zigbee2mqtt/Room 12 button", r#"{"action":"single","last_seen":7}"#).await;
    let (_, report) = rig.event().await;
    assert!(report.contains(r#""seq":7"#), "{report}");
    rig.stop().await;
}

#[tokio::test]
async fn a_broker_that_stays_away_is_a_trouble_of_the_gateway_until_it_is_back() {
    let mut broker = Mosquitto::start().await;
    let rig = Rig::start(&broker, 64);
    rig.connected(1).await;
    broker.restart().await;
    rig.connected(2).await;
    assert_eq!(rig.troubles.take_news(), [], "one that is only started anew is none");
    broker.stop().await;
    let troubles = rig.troubles.clone();
    let until = async |there: bool| {
        while troubles.now().iter().any(|(part, _)| *part == Part::Broker) != there {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(DEADLINE, until(true)).await.expect("it is told");
    assert!(Part::Broker.concerns_alarms());
    let (_, detail) = rig.troubles.now().remove(0);
    assert!(detail.contains(&broker.port.to_string()), "{detail}");
    assert_eq!(rig.troubles.take_news().len(), 1, "a technical alarm");
    broker.begin().await;
    timeout(DEADLINE, until(false)).await.expect("it is told");
    rig.stop().await;
}

async fn delivery_is_a_trouble(troubles: &Troubles, there: bool) {
    let until = async {
        while troubles.now().iter().any(|(part, _)| *part == Part::BrokerDelivery) != there {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(DEADLINE, until).await.expect("it is noticed");
}

/// D19: as when the broker's disk is full, and it takes presses, acknowledges them and delivers none.
#[tokio::test]
async fn d19_a_broker_that_acknowledges_and_does_not_deliver_is_a_trouble_until_it_delivers_again() {
    let mut broker = Mosquitto::with(Some("topic readwrite #\n")).await;
    let mut rig = Rig::with(&BrokerSettings { probe_every_s: 1, ..settings(broker.port) }, 64);
    rig.connected(1).await;
    broker.subscribed(6).await;
    broker.rule("topic readwrite care/#\ntopic write care-probe/#\n").await;
    delivery_is_a_trouble(&rig.troubles, true).await;
    let (_, detail) = rig.troubles.now().remove(0);
    assert!(detail.contains("care-probe/gateway-test") && Part::BrokerDelivery.concerns_alarms(), "{detail}");
    assert_eq!(rig.troubles.take_news().len(), 1, "a technical alarm");
    assert_eq!((rig.handle.stats().probes_missed, rig.handle.stats().connects), (1, 1), "the connection stands");
    broker.rule("topic readwrite #\n").await;
    delivery_is_a_trouble(&rig.troubles, false).await;
    broker.publish("care/v1/a/event", r#"{"v":1,"seq":1,"kind":"sos"}"#).await;
    let (ack, _) = rig.event().await;
    rig.handle.ack(ack, AckCode::Success);
    rig.stop().await;
}

#[tokio::test]
async fn d19_a_broker_whose_rules_forbid_probes_is_told_and_left_alone_and_reports_flow() {
    let broker = Mosquitto::with(Some("topic deny care-probe/#\ntopic readwrite #\n")).await;
    let mut rig = Rig::with(&BrokerSettings { probe_every_s: 1, ..settings(broker.port) }, 64);
    delivery_is_a_trouble(&rig.troubles, true).await;
    let connects = rig.handle.stats().connects;
    for n in 0..30 {
        broker.publish("care/v1/a/event", &n.to_string()).await;
        let (ack, payload) = rig.event().await;
        assert_eq!(payload, n.to_string());
        rig.handle.ack(ack, AckCode::Success);
    }
    assert_eq!(rig.handle.stats().connects, connects, "no further connection is lost");
    rig.stop().await;
}

#[tokio::test]
async fn without_probes_nothing_is_sent_or_missed() {
    let broker = Mosquitto::start().await;
    let rig = Rig::start(&broker, 64);
    rig.connected(1).await;
    broker.subscribed(6).await;
    assert!(!broker.log().contains("care-probe"));
    rig.stop().await;
}

fn button() -> MarketDevice {
    toml::from_str(
        r#"
        device = "btn-0100"
        topic = "zigbee2mqtt/Room 12 button"
        seq = "/last_seen"
        reports = [{ pointer = "/action", value = "single", kind = "sos" }]
        "#,
    )
    .unwrap()
}

#[tokio::test]
async fn a_press_of_a_device_from_the_market_becomes_a_report_and_is_the_same_when_it_comes_again() {
    let broker = Mosquitto::start().await;
    let mut settings = settings(broker.port);
    settings.market = vec![button()];
    let mut rig = Rig::with(&settings, 64);
    rig.connected(1).await;
    broker.subscribed(4).await;
    broker.publish("zigbee2mqtt/Room 12 button", r#"{"action":"","battery":97,"last_seen":1}"#).await;
    let LinkInput::Status { device, ack, .. } = rig.input().await else { panic!("a sign of life") };
    assert_eq!(device.as_str(), "btn-0100");
    rig.handle.ack(ack.unwrap(), AckCode::Success);
    broker.publish("zigbee2mqtt/Room 12 button", r#"{"action":"single","last_seen":1754000000123}"#).await;
    let (_, first) = rig.event().await;
    assert!(first.contains(r#""seq":1754000000123,"kind":"sos""#), "{first}");
    rig.stop().await;
    let mut rig = Rig::with(&settings, 64);
    let (token, again) = rig.event().await;
    assert_eq!(again, first);
    rig.handle.ack(token, AckCode::Success);
    rig.stop().await;
}

#[tokio::test]
async fn d8_what_the_broker_kept_is_told_as_kept_at_each_connect_and_connects_no_device() {
    let mut broker = Mosquitto::start().await;
    broker.publish_kept("care/v1/a/status", "old").await;
    broker.publish_kept("zigbee2mqtt/Room 12 button", r#"{"action":"","last_seen":1}"#).await;
    broker.publish_kept("care/v1/b/event", "old").await;
    let mut settings = settings(broker.port);
    settings.market = vec![button()];
    let mut rig = Rig::with(&settings, 64);
    for times in 1..=2 {
        rig.connected(times).await;
        let mut heard = BTreeSet::new();
        for _ in 0..3 {
            let (device, ack) = match rig.input().await {
                LinkInput::Event { device, ack, retained: true, .. }
                | LinkInput::Status { device, ack, retained: true, .. } => (device, ack),
                other => panic!("what was kept was expected, {other:?} came"),
            };
            heard.insert(device.as_str().to_owned());
            rig.handle.ack(ack.unwrap(), AckCode::Success);
        }
        assert_eq!(heard, ["a", "b", "btn-0100"].map(str::to_owned).into());
        if times == 1 {
            broker.restart().await;
        }
    }
    // The device itself is there only now; a broker passes that on as news, although it keeps it, too.
    broker.publish_kept("care/v1/a/status", "new").await;
    let device = loop {
        match rig.input().await {
            LinkInput::Connected { device, .. } => break device,
            // What was not acknowledged before the restart is delivered once more.
            LinkInput::Event { retained: true, .. } | LinkInput::Status { retained: true, .. } => {}
            other => panic!("the device was expected, {other:?} came"),
        }
    };
    assert_eq!(device.as_str(), "a");
    let LinkInput::Status { payload, ack, retained: false, .. } = rig.input().await else {
        panic!("a heartbeat of now")
    };
    assert_eq!(payload, b"new");
    rig.handle.ack(ack.unwrap(), AckCode::Success);
    rig.stop().await;
}

#[tokio::test]
async fn the_core_going_away_ends_the_adapter() {
    let broker = Mosquitto::start().await;
    let rig = Rig::start(&broker, 1);
    rig.connected(1).await;
    broker.subscribed(6).await;
    drop(rig.inputs);
    broker.publish("care/v1/a/event", "x").await;
    timeout(DEADLINE, rig.task).await.unwrap().unwrap();
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let check = |change: fn(&mut BrokerSettings)| {
        let mut settings = settings(1883);
        change(&mut settings);
        Broker::new(&settings, devices(), mpsc::channel(1).0).err()
    };
    assert!(check(|_| {}).is_none());
    assert!(check(|s| s.host = "localhost".to_owned()).is_none());
    assert!(matches!(check(|s| s.host = "broker.example".to_owned()), Some(BrokerSettingsError::NotLoopback(_))));
    assert!(
        check(|s| {
            s.host = "192.0.2.7".to_owned();
            s.network_is_trusted = true;
        })
        .is_none()
    );
    assert!(matches!(check(|s| s.client_id.clear()), Some(BrokerSettingsError::ClientId)));
    assert!(matches!(check(|s| s.keep_alive_s = 0), Some(BrokerSettingsError::KeepAlive)));
    assert!(matches!(check(|s| s.market = vec![button(); 2]), Some(BrokerSettingsError::DeviceTwice(_))));
    let same_topic = |s: &mut BrokerSettings| {
        s.market = vec![button(), MarketDevice { device: "b".parse().unwrap(), ..button() }];
    };
    let unknown =
        |s: &mut BrokerSettings| s.market = vec![MarketDevice { device: "btn-0101".parse().unwrap(), ..button() }];
    assert!(matches!(check(unknown), Some(BrokerSettingsError::DeviceUnknown(_))));
    assert!(matches!(check(same_topic), Some(BrokerSettingsError::TopicTwice(_))));
    let wildcard = |s: &mut BrokerSettings| s.market = vec![MarketDevice { topic: "#".to_owned(), ..button() }];
    assert!(matches!(check(wildcard), Some(BrokerSettingsError::Market { .. })));
    let file = |s: &mut BrokerSettings| s.password_file = Some("/nonexistent/password".into());
    assert!(matches!(check(file), Some(BrokerSettingsError::PasswordWithoutUser)));
    assert!(matches!(
        check(|s| {
            s.user = Some("gateway".to_owned());
            s.password_file = Some("/nonexistent/password".into());
        }),
        Some(BrokerSettingsError::Password { .. })
    ));
}
