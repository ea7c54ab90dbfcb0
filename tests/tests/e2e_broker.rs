//! An existing broker beside the device link: devices that come later, and a broker that goes away (D15). D19, a broker that takes
//! messages and delivers none, is with the adapter's own tests.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tests::site::mosquitto::{self, Version};
use tests::site::mqtt::Login;
use tests::site::ports::Port;
use tests::site::process::{Process, Program};
use tests::site::wait::{until, until_is};
use tests::site::{Site, SiteSettings};

const WITHIN: Duration = Duration::from_secs(30);
const PRESS: &str = r#"{"v":1,"epoch":1,"seq":1,"kind":"sos"}"#;

/// A broker in the site's directory.
fn broker(site: &Site, port: &Port) -> Program {
    let config = site.directory().join("mosquitto.conf");
    let address = port.address();
    let text = format!("listener {} {}\nallow_anonymous true\n", address.port(), address.ip());
    std::fs::write(&config, text).expect("the directory is ours");
    Program {
        name: "mosquitto".to_owned(),
        path: PathBuf::from("/usr/sbin/mosquitto"),
        arguments: vec!["-c".into(), config.into_os_string()],
        before: Vec::new(),
        variables: Vec::new(),
        log: site.directory().join("mosquitto.log"),
    }
}

/// A site whose gateway knows a broker, which runs.
async fn site_with_broker() -> (Site, Program, Process, Port) {
    let mut site = Site::prepare(&SiteSettings::default()).await.expect("a site");
    let port = Port::claim().expect("a port");
    let section =
        format!("\n[broker]\nhost = \"127.0.0.1\"\nport = {}\nclient_id = \"gateway-e2e\"\n", port.address().port());
    let config = std::fs::read_to_string(&site.gateway.config).expect("it was written");
    std::fs::write(&site.gateway.config, config + &section).expect("the directory is ours");
    let program = broker(&site, &port);
    let running = program.start().expect("mosquitto is installed");
    site.centre.start().await.expect("the centre runs");
    site.gateway.start().await.expect("it runs");
    (site, program, running, port)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_added_while_the_gateway_runs_is_heard_through_the_broker() {
    let (mut site, _program, _running, port) = site_with_broker().await;
    site.gateway.add_device("btn-late").await.expect("added");
    let login = Login { device: "btn-late".to_owned(), secret: "-".to_owned(), address: port.address() };
    let heard = async || {
        // The broker drops what nobody subscribes, so the device says it again; the gateway counts it once.
        mosquitto::publish(&login, Version::V311, "care/v1/btn-late/event", PRESS, &[]).await.ok()?;
        let alarms = site.centre.operator.read("/api/v1/alarms").await.ok()?;
        alarms.to_string().contains("btn-late").then_some(alarms)
    };
    let alarms = until("the alarm is at the centre", WITHIN, heard).await.expect("without a restart");
    let from_it = |alarm: &&Value| alarm.to_string().contains("btn-late");
    assert_eq!(alarms["alarms"].as_array().map(|all| all.iter().filter(from_it).count()), Some(1), "{alarms}");
    site.gateway.check().expect("the gateway was not started anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_away_is_named_by_readyz_and_at_the_centre_until_it_is_back() {
    let (site, program, running, _port) = site_with_broker().await;
    running.kill();
    let ready = async || site.gateway.api.get("/readyz").await;
    let answer = until_is("readyz names the broker", WITHIN, ready, |answer| answer.status == 503).await;
    let body: Value = serde_json::from_str(&answer.expect("it does").text).expect("JSON");
    assert_eq!(body["reasons"], json!(["broker"]));
    let told = |status: &Value| status["degraded"][0]["part"] == "broker";
    site.gateway.wait_status("the status names it", WITHIN, told).await.expect("it does");
    let read = async || site.centre.operator.read("/api/v1/alarms").await;
    let has = |alarms: &Value| alarms.to_string().contains("\"broker_down\"");
    until_is("the centre hears of it", WITHIN, read, has).await.expect("a technical alarm");
    let _again = program.start().expect("it starts again");
    until_is("all is well", WITHIN, ready, |answer| answer.status == 200).await.expect("it is connected again");
}

/// D15: the broker has no persistence, so it comes back without sessions, subscriptions and messages.
#[tokio::test(flavor = "multi_thread")]
async fn d15_a_broker_that_is_killed_and_comes_back_empty_loses_no_alarm_and_no_state_of_one() {
    let (site, program, running, port) = site_with_broker().await;
    site.gateway.add_device("btn-late").await.expect("added");
    let login = Login { device: "btn-late".to_owned(), secret: "-".to_owned(), address: port.address() };
    let operator = site.centre.operator.clone();
    let presses = async |seq: u32| {
        let press = json!({"v": 1, "epoch": 1, "seq": seq, "kind": "sos"}).to_string();
        let heard = async || {
            // The broker drops what nobody subscribes, so the device says it again; the gateway counts it once.
            mosquitto::publish(&login, Version::V311, "care/v1/btn-late/event", &press, &[]).await.ok()?;
            let alarm = operator.read("/api/v1/alarms/btn-late.1.1").await.ok()?;
            (alarm["presses"] == seq).then_some(())
        };
        until("the press is at the centre", WITHIN, heard).await.expect("it is heard");
    };
    presses(1).await;
    running.kill();
    let answer = operator.post("/api/v1/alarms/btn-late.1.1/acknowledge", &json!({})).await.expect("an answer");
    assert!(answer.is_success(), "{answer:?}");
    let down = |status: &Value| status["degraded"][0]["part"] == "broker";
    site.gateway.wait_status("the broker is missed", WITHIN, down).await.expect("it is noticed");
    let _again = program.start().expect("it starts again");
    let listens = async || std::net::TcpStream::connect(port.address()).ok();
    drop(until("the broker listens", WITHIN, listens).await.expect("it does"));
    let (host, number) = (port.address().ip().to_string(), port.address().port().to_string());
    let words = [
        "-h",
        &host,
        "-p",
        &number,
        "-i",
        "listener",
        "-q",
        "1",
        "-t",
        "care/v1/btn-late/command",
        "-C",
        "1",
        "-W",
        "25",
    ];
    let listening = tests::site::process::run(std::path::Path::new("mosquitto_sub"), &words);
    let (said, ()) = tokio::join!(listening, presses(2));
    let said = said.expect("the tool runs");
    assert!(said.out.contains("acknowledged"), "the state of its alarm reaches the device: {said:?}");
    site.gateway.wait_delivered(WITHIN).await.expect("everything is at the centre");
    site.gateway.verify_journal().await.expect("the chain verifies");
}
