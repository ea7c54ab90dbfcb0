//! The AsyncAPI document says what the types say: channels, fields, which are needed, values, bounds.

use std::collections::BTreeSet;

use protocols::device::{
    AlarmCommand, AlarmState, Command, DETAIL_LEN_MAX, EventReport, FAULTS_MAX, FIRMWARE_LEN_MAX, Heartbeat, Kind,
    PAYLOAD_LEN_MAX, SEQS_PER_COMMAND_MAX, SettingsCommand, WORD_LEN_MAX, encode,
};
use protocols::id::{JSON_INTEGER_MAX, Seq};
use protocols::topic::{Channel, Topic};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

fn document() -> Value {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("asyncapi.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn schema(document: &Value, name: &str) -> Map<String, Value> {
    document["components"]["schemas"][name].as_object().unwrap().clone()
}

/// A message with every field, as JSON.
fn json<T: Serialize>(message: &T) -> Map<String, Value> {
    let mut buffer = [0; PAYLOAD_LEN_MAX];
    let len = encode(message, &mut buffer).unwrap();
    serde_json::from_slice::<Value>(&buffer[..len]).unwrap().as_object().unwrap().clone()
}

fn keys(object: &Map<String, Value>) -> BTreeSet<&str> {
    object.keys().map(String::as_str).collect()
}

fn report() -> EventReport {
    EventReport {
        v: 1,
        epoch: 1,
        seq: Seq::new(42).unwrap(),
        kind: Kind::Sos,
        boot: Some(17),
        up_ms: Some(123_456),
        at: Some(1),
        battery_mv: Some(2_980),
        rssi_dbm: Some(-67),
        of: Seq::new(41),
        detail: Some("x".parse().unwrap()),
    }
}

fn heartbeat() -> Heartbeat {
    serde_json::from_str(
        r#"{"v":1,"epoch":1,"boot":17,"up_ms":2,"battery_mv":3,"rssi_dbm":-4,"firmware":"1.0.3","reset":"power","stored":0,"lost":0,"settings":12,"faults":["x"]}"#,
    )
    .unwrap()
}

fn alarm_command() -> AlarmCommand {
    AlarmCommand { epoch: 1, seqs: [Seq::new(42).unwrap()].into_iter().collect(), state: AlarmState::Accepted }
}

fn settings_command() -> SettingsCommand {
    SettingsCommand { version: 12, heartbeat_s: 3_600 }
}

/// The schema names the fields that the type writes, and calls needed those without which the type cannot be read.
fn agrees<T: Serialize + DeserializeOwned>(schema: &Map<String, Value>, sample: &T) {
    let whole = json(sample);
    assert_eq!(keys(schema["properties"].as_object().unwrap()), keys(&whole));
    let needed: BTreeSet<&str> =
        schema["required"].as_array().unwrap().iter().map(|key| key.as_str().unwrap()).collect();
    for key in whole.keys() {
        let mut without = whole.clone();
        without.remove(key);
        let read = serde_json::from_value::<T>(Value::Object(without));
        assert_eq!(read.is_err(), needed.contains(key.as_str()), "{key}");
    }
}

#[test]
fn the_channels_are_the_topics() {
    let document = document();
    let channels = document["channels"].as_object().unwrap();
    assert_eq!(channels.len(), 3);
    for (name, channel, operation, action) in [
        ("event", Channel::Event, "hearEvent", "receive"),
        ("status", Channel::Status, "hearStatus", "receive"),
        ("command", Channel::Command, "tellCommand", "send"),
    ] {
        let address = channels[name]["address"].as_str().unwrap();
        let topic = Topic { device: "btn-0001".parse().unwrap(), channel }.to_string();
        assert_eq!(address.replace("{device}", "btn-0001"), topic);
        let operation = &document["operations"][operation];
        assert_eq!(operation["action"], action);
        assert_eq!(operation["channel"]["$ref"], format!("#/channels/{name}"));
    }
}

#[test]
fn the_fields_are_those_of_the_types() {
    let document = document();
    agrees(&schema(&document, "EventReport"), &report());
    agrees(&schema(&document, "Heartbeat"), &heartbeat());
    agrees(&schema(&document, "AlarmCommand"), &alarm_command());
    agrees(&schema(&document, "SettingsCommand"), &settings_command());
    let command = schema(&document, "Command");
    let both = Command { v: 1, alarm: Some(alarm_command()), settings: Some(settings_command()) };
    agrees(&command, &both);
}

/// Every kind but the unknown ones; a new one does not compile until it is here.
fn every_kind() -> Vec<Kind> {
    let known = |kind: Kind| match kind {
        Kind::Sos | Kind::Cancel | Kind::Fall | Kind::PullCord | Kind::Smoke | Kind::Gas | Kind::Co | Kind::Water => 0,
        Kind::BedExit | Kind::Inactivity | Kind::Wander | Kind::Tamper | Kind::LowBattery | Kind::MainsLost => 0,
        Kind::MainsRestored | Kind::Restored | Kind::Fault | Kind::Service | Kind::Test | Kind::Unknown(_) => 0,
    };
    assert_eq!(known(Kind::Sos), 0);
    vec![
        Kind::Sos,
        Kind::Cancel,
        Kind::Fall,
        Kind::PullCord,
        Kind::Smoke,
        Kind::Gas,
        Kind::Co,
        Kind::Water,
        Kind::BedExit,
        Kind::Inactivity,
        Kind::Wander,
        Kind::Tamper,
        Kind::LowBattery,
        Kind::MainsLost,
        Kind::MainsRestored,
        Kind::Restored,
        Kind::Fault,
        Kind::Service,
        Kind::Test,
    ]
}

#[test]
fn the_values_and_bounds_are_those_of_the_types() {
    let document = document();
    let report = schema(&document, "EventReport");
    let kinds = report["properties"]["kind"]["examples"].as_array().unwrap();
    let named: Vec<&str> = kinds.iter().map(|kind| kind.as_str().unwrap()).collect();
    assert_eq!(named, every_kind().iter().map(|kind| kind.name()).collect::<Vec<_>>());
    assert_eq!(report["properties"]["seq"]["maximum"], JSON_INTEGER_MAX);
    assert_eq!(report["properties"]["detail"]["maxLength"], DETAIL_LEN_MAX);
    let heartbeat = schema(&document, "Heartbeat");
    assert_eq!(heartbeat["properties"]["firmware"]["maxLength"], FIRMWARE_LEN_MAX);
    assert_eq!(heartbeat["properties"]["reset"]["maxLength"], WORD_LEN_MAX);
    assert_eq!(heartbeat["properties"]["faults"]["maxItems"], FAULTS_MAX);
    assert_eq!(heartbeat["properties"]["faults"]["items"]["maxLength"], WORD_LEN_MAX);
    let alarm = schema(&document, "AlarmCommand");
    assert_eq!(alarm["properties"]["seqs"]["maxItems"], SEQS_PER_COMMAND_MAX);
    let states = alarm["properties"]["state"]["enum"].as_array().unwrap();
    let in_order = [
        AlarmState::Raised,
        AlarmState::Accepted,
        AlarmState::Acknowledged,
        AlarmState::Dispatched,
        AlarmState::OnSite,
        AlarmState::Resolved,
    ];
    assert_eq!(*states, in_order.map(|state| Value::from(state.name())));
}

#[test]
fn the_examples_can_be_read_and_are_written_the_same() {
    let document = document();
    let examples = |message: &str| {
        let examples = document["components"]["messages"][message]["examples"].as_array().unwrap().clone();
        examples.into_iter().map(|example| example["payload"].clone()).collect::<Vec<_>>()
    };
    for example in examples("eventReport") {
        let read: EventReport = serde_json::from_value(example.clone()).unwrap();
        assert!(!matches!(read.kind, Kind::Unknown(_)));
        contains(&json(&read), &example);
    }
    for example in examples("heartbeat") {
        contains(&json(&serde_json::from_value::<Heartbeat>(example.clone()).unwrap()), &example);
    }
    for example in examples("command") {
        contains(&json(&serde_json::from_value::<Command>(example.clone()).unwrap()), &example);
    }
}

fn contains(whole: &Map<String, Value>, part: &Value) {
    for (key, value) in part.as_object().unwrap() {
        assert_eq!(whole.get(key), Some(value), "{key}");
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let document = document();
    let mut open = vec![&document];
    let mut found = 0;
    while let Some(value) = open.pop() {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            assert!(document.pointer(reference.strip_prefix('#').unwrap()).is_some(), "{reference}");
            found += 1;
        }
        match value {
            Value::Object(object) => open.extend(object.values()),
            Value::Array(array) => open.extend(array),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    assert!(found > 10);
}
