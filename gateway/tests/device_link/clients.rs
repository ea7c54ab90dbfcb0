//! With the clients that people use: mosquitto's.

use std::process::{Output, Stdio};
use std::time::Duration;

use gateway_core::{AckCode, CommandId, LinkInput, LinkRefusal};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::rig::{DEADLINE, Rig};

fn mosquitto(tool: &str, rig: &Rig, version: &str, device: &str, secret: &str) -> Command {
    let mut command = Command::new(tool);
    command
        .args(["-h", "127.0.0.1", "-p", &rig.address.port().to_string(), "-V", version])
        .args(["-i", device, "-u", device, "-P", secret])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

fn spawn(command: &mut Command) -> Child {
    command.spawn().expect("mosquitto's clients are needed for this test: apt-get install mosquitto-clients")
}

async fn ended(child: Child) -> Output {
    timeout(DEADLINE, child.wait_with_output()).await.expect("the client ends in time").unwrap()
}

#[tokio::test]
async fn d16_mosquitto_pub_hears_of_its_event_only_after_the_commit_in_both_versions() {
    let mut rig = Rig::start(16);
    for version in ["mqttv311", "mqttv5"] {
        let mut child = spawn(mosquitto("mosquitto_pub", &rig, version, "btn-0001", &rig.secret("btn-0001")).args([
            "-q",
            "1",
            "-t",
            "care/v1/btn-0001/event",
            "-m",
            r#"{"v":1,"seq":42,"kind":"sos"}"#,
        ]));
        let (device, ack, payload) = rig.event().await;
        assert_eq!((device.as_str(), payload.as_slice()), ("btn-0001", &br#"{"v":1,"seq":42,"kind":"sos"}"#[..]));
        let waits = timeout(Duration::from_millis(300), child.wait()).await.is_err();
        assert!(waits, "{version}: the client waits as long as the commit is under way");
        rig.handle.ack(ack.unwrap(), AckCode::Success);
        let output = ended(child).await;
        assert!(output.status.success(), "{version}: {output:?}");
    }
}

#[tokio::test]
async fn mosquitto_pub_is_told_why_its_event_was_refused_by_version_5() {
    let mut rig = Rig::start(16);
    let child = spawn(mosquitto("mosquitto_pub", &rig, "mqttv5", "a", &rig.secret("a")).args([
        "-q",
        "1",
        "-r",
        "-d",
        "-t",
        "care/v1/a/event",
        "-m",
        "{}",
    ]));
    let LinkInput::Event { ack, retained: true, .. } = rig.input().await else { panic!("a retained event") };
    rig.handle.ack(ack.unwrap(), AckCode::NotAuthorized);
    let output = ended(child).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("Not authorized") || said.contains("RC:135"), "{said}");
}

#[tokio::test]
async fn mosquitto_pub_with_a_wrong_secret_is_refused_in_both_versions() {
    let mut rig = Rig::start(16);
    for version in ["mqttv311", "mqttv5"] {
        let output = ended(spawn(mosquitto("mosquitto_pub", &rig, version, "a", "wrong").args([
            "-q",
            "1",
            "-t",
            "care/v1/a/event",
            "-m",
            "{}",
        ])))
        .await;
        assert!(!output.status.success());
        let said = String::from_utf8_lossy(&output.stderr).to_lowercase();
        assert!(said.contains("bad user name or password") || said.contains("not authorised"), "{version}: {said}");
        let LinkInput::Refused { device: None, reason: LinkRefusal::Login, .. } = rig.input().await else {
            panic!("the refusal is reported")
        };
    }
}

#[tokio::test]
async fn mosquitto_sub_hears_commands_and_acknowledges_them() {
    let mut rig = Rig::start(16);
    for version in ["mqttv311", "mqttv5"] {
        let child = spawn(mosquitto("mosquitto_sub", &rig, version, "a", &rig.secret("a")).args([
            "-q",
            "1",
            "-t",
            "care/v1/a/command",
            "-C",
            "2",
        ]));
        let LinkInput::Connected { session, .. } = rig.input().await else { panic!("the device can be commanded") };
        rig.handle.command(session, CommandId(7), b"one".to_vec());
        rig.handle.command(session, CommandId(8), b"two".to_vec());
        for expected in [7, 8] {
            let LinkInput::CommandTaken { command, .. } = rig.input().await else { panic!("taken") };
            assert_eq!(command, CommandId(expected));
        }
        let output = ended(child).await;
        assert_eq!(String::from_utf8_lossy(&output.stdout), "one\ntwo\n", "{version}");
        let LinkInput::Disconnected { session: gone, .. } = rig.input().await else { panic!("gone") };
        assert_eq!(gone, session);
    }
}

#[tokio::test]
async fn mosquitto_sub_without_acknowledgements_hears_every_command_and_the_core_hears_that_they_went_out() {
    let mut rig = Rig::start(16);
    for version in ["mqttv311", "mqttv5"] {
        let child = spawn(mosquitto("mosquitto_sub", &rig, version, "a", &rig.secret("a")).args([
            "-q",
            "0",
            "-t",
            "care/v1/a/command",
            "-C",
            "3",
        ]));
        let LinkInput::Connected { session, .. } = rig.input().await else { panic!("the device can be commanded") };
        // As the core does: the next only when the one before it is taken.
        for n in 1..=3 {
            rig.handle.command(session, CommandId(n), n.to_string().into_bytes());
            let LinkInput::CommandTaken { command, .. } = rig.input().await else { panic!("taken") };
            assert_eq!(command, CommandId(n));
        }
        let output = ended(child).await;
        assert_eq!(String::from_utf8_lossy(&output.stdout), "1\n2\n3\n", "{version}");
        let LinkInput::Disconnected { .. } = rig.input().await else { panic!("gone") };
    }
}

#[tokio::test]
async fn mosquitto_sub_is_refused_what_is_not_its_own() {
    let mut rig = Rig::start(16);
    for filter in ["#", "care/v1/b/command", "$SYS/#"] {
        let output = ended(spawn(
            mosquitto("mosquitto_sub", &rig, "mqttv311", "a", &rig.secret("a")).args(["-t", filter, "-C", "1"]),
        ))
        .await;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("denied"), "{filter}: {said}");
        let LinkInput::Refused { device: Some(_), reason: LinkRefusal::ForeignSubscription, .. } = rig.input().await
        else {
            panic!("the refusal is reported")
        };
    }
}
