//! Protocol version 1. DO NOT CHANGE THE BYTES: devices, gateways and centres in the field write and read them.
//! A message that grows gets a further test with its new field; these lines stay and must still be read.

use std::fmt::Debug;

use protocols::device::{
    self, AlarmCommand, AlarmState, Command, EventReport, Heartbeat, Kind, PAYLOAD_LEN_MAX, SettingsCommand,
};
use protocols::id::Seq;
use protocols::topic::{Channel, Topic};
use protocols::unit::Points;
use protocols::uplink::{
    AccountState, AlarmBody, AlarmDatedBody, AlarmStateOrder, AlarmStepBody, BalanceAnswer, BalanceRequest, CardProof,
    CatalogueOrder, CatalogueService, Clock, DeviceAssignOrder, DeviceReportBody, DeviceStateBody, DeviceTestedBody,
    DeviceTrouble, DeviceUnassignOrder, Entry, EntrySentAgainBody, EntryUpload, Epoch, FoldedSeqs, Head, HoldAnswer,
    HoldOutcome, HoldRequest, HotlistOrder, Lane, OrderPage, OrderResultBody, OrderVerdict, Origin, Outcome,
    OwnAlarmBody, PolicyOrder, PrivateRecord, PurseIntent, PurseProof, ReportRefusedBody, Results, SaleIntentBody,
    SaleItem, SaleOutcome, SaleOutcomeBody, SalePrivate, SaleSettledOrder, ServicePicture, SettingsOrder, Source,
    Tender, TestResult, UploadResult, Uploads, Urgency, kind, order_kind,
};
use protocols::version;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A message of the uplink is written to these bytes, and read from them.
fn uplink<T: Serialize + DeserializeOwned + PartialEq + Debug>(message: &T, bytes: &str) {
    assert_eq!(serde_json::to_string(message).unwrap(), bytes);
    assert_eq!(&serde_json::from_str::<T>(bytes).unwrap(), message);
}

/// A message of the device link is the same with the firmware's encoder as with the gateway's.
fn link<T: Serialize + DeserializeOwned + PartialEq + Debug>(message: &T, bytes: &str) {
    uplink(message, bytes);
    let mut buffer = [0; PAYLOAD_LEN_MAX];
    let len = device::encode(message, &mut buffer).unwrap();
    assert_eq!(std::str::from_utf8(&buffer[..len]), Ok(bytes));
    assert_eq!(&serde_json_core::from_str::<T>(bytes).unwrap().0, message);
}

/// What an enum's variants are called on the wire.
fn names<T: Serialize + DeserializeOwned + PartialEq + Debug + Copy>(expected: &[(T, &str)]) {
    for (value, name) in expected {
        uplink(value, &format!("\"{name}\""));
    }
}

fn seq(value: u64) -> Seq {
    Seq::new(value).unwrap()
}

fn points(fen: u64) -> Points {
    Points::from_fen(fen).unwrap()
}

fn text(word: &str) -> Option<String> {
    Some(word.to_owned())
}

fn origin(source: &str, epoch: Epoch, number: u64) -> Origin {
    Origin { source: source.parse().unwrap(), epoch, seq: seq(number) }
}

fn press() -> Origin {
    origin("device:btn-0001", Epoch::Number(1), 42)
}

fn lunch() -> SaleItem {
    SaleItem {
        service: "meal-lunch".parse().unwrap(),
        provider: "canteen-1".parse().unwrap(),
        quantity: 2,
        unit_price: points(1250),
    }
}

#[test]
fn the_version_is_one() {
    assert_eq!((version::MIN, version::CURRENT), (1, 1));
}

#[test]
fn topics() {
    for (channel, topic) in [
        (Channel::Event, "care/v1/btn-0001/event"),
        (Channel::Status, "care/v1/btn-0001/status"),
        (Channel::Command, "care/v1/btn-0001/command"),
    ] {
        let value = Topic { device: "btn-0001".parse().unwrap(), channel };
        assert_eq!(value.to_string(), topic);
        assert_eq!(Topic::parse(topic), Some(value));
    }
}

#[test]
fn event_report() {
    let full = EventReport {
        v: 1,
        epoch: 1,
        seq: seq(42),
        kind: Kind::Sos,
        boot: Some(17),
        up_ms: Some(123_456),
        at: Some(1_795_000_000_000),
        battery_mv: Some(2980),
        rssi_dbm: Some(-67),
        of: Some(seq(41)),
        detail: Some("left cord".try_into().unwrap()),
    };
    link(
        &full,
        r#"{"v":1,"epoch":1,"seq":42,"kind":"sos","boot":17,"up_ms":123456,"at":1795000000000,"battery_mv":2980,"rssi_dbm":-67,"of":41,"detail":"left cord"}"#,
    );
    let bare = EventReport {
        epoch: 0,
        boot: None,
        up_ms: None,
        at: None,
        battery_mv: None,
        rssi_dbm: None,
        of: None,
        detail: None,
        ..full
    };
    link(
        &bare,
        r#"{"v":1,"epoch":0,"seq":42,"kind":"sos","boot":null,"up_ms":null,"at":null,"battery_mv":null,"rssi_dbm":null,"of":null,"detail":null}"#,
    );
    for short in [r#"{"v":1,"seq":42,"kind":"sos"}"#, r#"{"kind":"sos","later":{"x":[1]},"seq":42,"v":1}"#] {
        assert_eq!(serde_json::from_str::<EventReport>(short).unwrap(), bare, "{short}");
    }
}

#[test]
fn event_kinds() {
    for name in [
        "sos",
        "cancel",
        "fall",
        "pull_cord",
        "smoke",
        "gas",
        "co",
        "water",
        "bed_exit",
        "inactivity",
        "wander",
        "tamper",
        "low_battery",
        "mains_lost",
        "mains_restored",
        "restored",
        "fault",
        "service",
        "test",
    ] {
        let kind = Kind::from_name(name);
        assert!(!matches!(kind, Kind::Unknown(_)), "{name}");
        link(&kind, &format!("\"{name}\""));
    }
    link(&Kind::Unknown("earthquake".try_into().unwrap()), "\"earthquake\"");
}

#[test]
fn heartbeat() {
    let full = Heartbeat {
        v: 1,
        epoch: 1,
        boot: Some(17),
        up_ms: Some(200_000),
        battery_mv: Some(2980),
        rssi_dbm: Some(-67),
        firmware: Some("1.0.3".try_into().unwrap()),
        reset: Some("power".try_into().unwrap()),
        stored: 2,
        lost: 1,
        settings: 12,
        faults: [heapless::String::try_from("button_stuck").unwrap()].into_iter().collect(),
    };
    link(
        &full,
        r#"{"v":1,"epoch":1,"boot":17,"up_ms":200000,"battery_mv":2980,"rssi_dbm":-67,"firmware":"1.0.3","reset":"power","stored":2,"lost":1,"settings":12,"faults":["button_stuck"]}"#,
    );
    let bare = serde_json::from_str::<Heartbeat>(r#"{"v":1,"later":true}"#).unwrap();
    link(
        &bare,
        r#"{"v":1,"epoch":0,"boot":null,"up_ms":null,"battery_mv":null,"rssi_dbm":null,"firmware":null,"reset":null,"stored":0,"lost":0,"settings":0,"faults":[]}"#,
    );
}

#[test]
fn commands() {
    let seqs = [seq(42), seq(43)].into_iter().collect();
    link(
        &Command::alarm(AlarmCommand { epoch: 1, seqs, state: AlarmState::Accepted }),
        r#"{"v":1,"alarm":{"epoch":1,"seqs":[42,43],"state":"accepted"}}"#,
    );
    link(
        &Command::settings(SettingsCommand { version: 12, heartbeat_s: 3600 }),
        r#"{"v":1,"settings":{"version":12,"heartbeat_s":3600}}"#,
    );
}

#[test]
fn words_of_the_uplink() {
    names(&[
        (AlarmState::Raised, "raised"),
        (AlarmState::Accepted, "accepted"),
        (AlarmState::Acknowledged, "acknowledged"),
        (AlarmState::Dispatched, "dispatched"),
        (AlarmState::OnSite, "on_site"),
        (AlarmState::Resolved, "resolved"),
    ]);
    names(&[
        (Urgency::Test, "test"),
        (Urgency::Technical, "technical"),
        (Urgency::Request, "request"),
        (Urgency::Urgent, "urgent"),
        (Urgency::Emergency, "emergency"),
    ]);
    names(&[
        (DeviceTrouble::Silent, "silent"),
        (DeviceTrouble::Back, "back"),
        (DeviceTrouble::BatteryLow, "battery_low"),
        (DeviceTrouble::BatteryOk, "battery_ok"),
        (DeviceTrouble::LostReports, "lost_reports"),
        (DeviceTrouble::Fault, "fault"),
        (DeviceTrouble::FaultOver, "fault_over"),
    ]);
    names(&[(Clock::Trusted, "trusted"), (Clock::Untrusted, "untrusted")]);
    names(&[
        (Outcome::Accepted, "accepted"),
        (Outcome::Duplicate, "duplicate"),
        (Outcome::Conflict, "conflict"),
        (Outcome::Refused, "refused"),
    ]);
    names(&[(HoldOutcome::Held, "held"), (HoldOutcome::Refused, "refused"), (HoldOutcome::Duplicate, "duplicate")]);
    names(&[(Tender::Account, "account"), (Tender::Purse, "purse")]);
    names(&[
        (SaleOutcome::Paid, "paid"),
        (SaleOutcome::Refused, "refused"),
        (SaleOutcome::Cancelled, "cancelled"),
        (SaleOutcome::Unknown, "unknown"),
    ]);
    names(&[(Lane::Alarms, "alarms"), (Lane::Other, "other")]);
    names(&[(OrderVerdict::Done, "done"), (OrderVerdict::Stale, "stale"), (OrderVerdict::Refused, "refused")]);
}

#[test]
fn kinds_of_entries_and_orders() {
    assert_eq!(
        [
            kind::ALARM_RAISED,
            kind::ALARM_REPEATED,
            kind::ALARM_CANCELLED,
            kind::ALARM_STATE,
            kind::DEVICE_REPORTED,
            kind::DEVICE_STATE,
            kind::REPORT_REFUSED,
            kind::SALE_INTENT,
            kind::SALE_OUTCOME,
            kind::ORDER_RESULT,
        ],
        [
            "alarm.raised",
            "alarm.repeated",
            "alarm.cancelled",
            "alarm.state",
            "device.reported",
            "device.state",
            "report.refused",
            "sale.intent",
            "sale.outcome",
            "order.result",
        ]
    );
    assert_eq!(
        [
            order_kind::ALARM_STATE,
            order_kind::HOTLIST,
            order_kind::CATALOGUE,
            order_kind::POLICY,
            order_kind::DEVICE_ASSIGN,
            order_kind::DEVICE_UNASSIGN,
            order_kind::SETTINGS,
            order_kind::SALE_SETTLED,
        ],
        [
            "alarm.state",
            "hotlist",
            "catalogue",
            "policy",
            "device.assign",
            "device.unassign",
            "settings",
            "sale.settled"
        ]
    );
}

#[test]
fn origins() {
    uplink(&press(), r#"{"source":"device:btn-0001","epoch":1,"seq":42}"#);
    assert_eq!(press().alarm_id(), "btn-0001.1.42");
    for (source, text) in [
        (Source::Device("btn-0001".parse().unwrap()), "device:btn-0001"),
        (Source::Terminal("gw-01".parse().unwrap()), "terminal:gw-01"),
        (Source::Gateway("gw-01".parse().unwrap()), "gateway:gw-01"),
        (Source::Centre("alarms".parse().unwrap()), "centre:alarms"),
    ] {
        uplink(&source, &format!("\"{text}\""));
    }
    uplink(
        &origin("gateway:gw-01", Epoch::Text("7b1c0a".into()), 9),
        r#"{"source":"gateway:gw-01","epoch":"7b1c0a","seq":9}"#,
    );
}

/// `Entry` keeps its body as it came, so its bytes are compared rather than its fields.
#[test]
fn entry() {
    let bytes = r#"{"v":1,"origin":{"source":"device:btn-0001","epoch":1,"seq":42},"kind":"alarm.raised","about":null,"recorded_at":"2026-11-24T09:30:00.125+08:00","clock":"trusted","body":{"later":  1.50}}"#;
    let entry: Entry = serde_json::from_str(bytes).unwrap();
    assert_eq!((entry.v, &entry.origin, entry.kind.as_str(), &entry.about), (1, &press(), "alarm.raised", &None));
    assert_eq!((entry.recorded_at.as_str(), entry.clock), ("2026-11-24T09:30:00.125+08:00", Clock::Trusted));
    assert_eq!(serde_json::to_string(&entry).unwrap(), bytes);
    let about = bytes.replace(r#""about":null"#, r#""about":{"source":"terminal:gw-01","epoch":"31","seq":7}"#);
    let entry: Entry = serde_json::from_str(&about).unwrap();
    assert_eq!(entry.about, Some(origin("terminal:gw-01", Epoch::Text("31".into()), 7)));
    assert_eq!(serde_json::to_string(&entry).unwrap(), about);
}

#[test]
fn bodies_about_alarms_and_devices() {
    uplink(
        &AlarmBody {
            kind: "sos".into(),
            urgency: Urgency::Emergency,
            device: Some("btn-0001".parse().unwrap()),
            boot: Some(17),
            up_ms: Some(123_456),
            at: Some(-1),
            battery_mv: Some(2980),
            rssi_dbm: Some(-67),
            detail: None,
        },
        r#"{"kind":"sos","urgency":"emergency","device":"btn-0001","boot":17,"up_ms":123456,"at":-1,"battery_mv":2980,"rssi_dbm":-67,"detail":null}"#,
    );
    uplink(
        &OwnAlarmBody {
            alarm: AlarmBody {
                kind: "conflict".into(),
                urgency: Urgency::Technical,
                device: Some("btn-0001".parse().unwrap()),
                boot: None,
                up_ms: None,
                at: None,
                battery_mv: None,
                rssi_dbm: None,
                detail: None,
            },
            report: Some(press()),
            folded: Some(594),
            folded_seqs: vec![FoldedSeqs { epoch: 1, from: seq(7), to: seq(600) }],
        },
        r#"{"kind":"conflict","urgency":"technical","device":"btn-0001","boot":null,"up_ms":null,"at":null,"battery_mv":null,"rssi_dbm":null,"detail":null,"report":{"source":"device:btn-0001","epoch":1,"seq":42},"folded":594,"folded_seqs":[{"epoch":1,"from":7,"to":600}]}"#,
    );
    uplink(
        &AlarmDatedBody { age_ms: 10_800_000, boot: 17, up_ms: 123_456 },
        r#"{"age_ms":10800000,"boot":17,"up_ms":123456}"#,
    );
    uplink(
        &DeviceReportBody {
            kind: "restored".into(),
            device: "smoke-2".parse().unwrap(),
            of: Some(41),
            boot: None,
            up_ms: None,
            at: None,
            battery_mv: None,
            rssi_dbm: None,
            detail: text("kitchen"),
        },
        r#"{"kind":"restored","device":"smoke-2","of":41,"boot":null,"up_ms":null,"at":null,"battery_mv":null,"rssi_dbm":null,"detail":"kitchen"}"#,
    );
    uplink(
        &DeviceStateBody {
            device: "btn-0001".parse().unwrap(),
            trouble: DeviceTrouble::BatteryLow,
            detail: text("2410"),
        },
        r#"{"device":"btn-0001","trouble":"battery_low","detail":"2410"}"#,
    );
    uplink(
        &ReportRefusedBody { device: None, reason: "oversize".into(), size: 2048, sample: text("{\"v\":1") },
        r#"{"device":null,"reason":"oversize","size":2048,"sample":"{\"v\":1"}"#,
    );
}

#[test]
fn bodies_about_sales() {
    let purse = PurseIntent {
        counter: 7,
        old_balance: 10_000,
        transaction_type: 6,
        terminal: "310000000042".into(),
        psam: "31000000000000000042".into(),
        terminal_seq: 42,
        date: "20261124".into(),
        time: "093000".into(),
        mac1: "7518df38".into(),
        key_version: 1,
        algorithm: 0,
    };
    let intent = SaleIntentBody {
        sale: "s-1".into(),
        tender: Tender::Purse,
        items: vec![lunch()],
        amount: points(2500),
        catalogue: 3,
        purse: Some(purse),
        private_hmac: "00ff".into(),
    };
    uplink(
        &intent,
        r#"{"sale":"s-1","tender":"purse","items":[{"service":"meal-lunch","provider":"canteen-1","quantity":2,"unit_price":1250}],"amount":2500,"catalogue":3,"purse":{"counter":7,"old_balance":10000,"transaction_type":6,"terminal":"310000000042","psam":"31000000000000000042","terminal_seq":42,"date":"20261124","time":"093000","mac1":"7518df38","key_version":1,"algorithm":0},"private_hmac":"00ff"}"#,
    );
    uplink(
        &SaleIntentBody { tender: Tender::Account, items: vec![], purse: None, ..intent },
        r#"{"sale":"s-1","tender":"account","items":[],"amount":2500,"catalogue":3,"purse":null,"private_hmac":"00ff"}"#,
    );
    uplink(&SalePrivate { card: "00003100000012345678".into() }, r#"{"card":"00003100000012345678"}"#);
    let proof = PurseProof {
        tac: text("5f169176"),
        mac2: text("bf4eac96"),
        transaction_proof: text("a5717b4f9909f538"),
        log_record: text("0008"),
        new_balance: Some(7500),
    };
    uplink(
        &SaleOutcomeBody { sale: "s-1".into(), outcome: SaleOutcome::Paid, reason: None, purse: Some(proof) },
        r#"{"sale":"s-1","outcome":"paid","reason":null,"purse":{"tac":"5f169176","mac2":"bf4eac96","transaction_proof":"a5717b4f9909f538","log_record":"0008","new_balance":7500}}"#,
    );
    uplink(
        &SaleOutcomeBody { sale: "s-1".into(), outcome: SaleOutcome::Unknown, reason: text("torn"), purse: None },
        r#"{"sale":"s-1","outcome":"unknown","reason":"torn","purse":null}"#,
    );
}

#[test]
fn entries_to_the_centre_and_their_results() {
    let private = PrivateRecord { salt: "5a".into(), bytes: r#"{"card":"00"}"#.into() };
    let entries = vec![
        EntryUpload { n: Some(1042), entry: r#"{"v":1}"#.into(), hash: "ab".into(), private: Some(private) },
        EntryUpload { n: None, entry: r#"{"v":1}"#.into(), hash: String::new(), private: None },
    ];
    uplink(
        &Uploads { v: 1, journal: "7b1c".into(), entries },
        r#"{"v":1,"journal":"7b1c","entries":[{"n":1042,"entry":"{\"v\":1}","hash":"ab","private":{"salt":"5a","bytes":"{\"card\":\"00\"}"}},{"n":null,"entry":"{\"v\":1}","hash":"","private":null}]}"#,
    );
    let results = vec![
        UploadResult { n: Some(1042), outcome: Outcome::Accepted, reason: None },
        UploadResult { n: None, outcome: Outcome::Refused, reason: text("malformed") },
    ];
    let head = Some(Head { n: 1040, hash: "cd".into(), signature: None });
    uplink(
        &Results { v: 1, results, head },
        r#"{"v":1,"results":[{"n":1042,"outcome":"accepted","reason":null},{"n":null,"outcome":"refused","reason":"malformed"}],"head":{"n":1040,"hash":"cd","signature":null}}"#,
    );
}

#[test]
fn holds() {
    uplink(
        &HoldRequest {
            v: 1,
            origin: origin("gateway:gw-01", Epoch::Text("7b1c".into()), 9),
            card: "00003100000012345678".into(),
            proof: CardProof { challenge: "1122334455667788".into(), response: "9c2b4dd8c4fec173".into() },
            items: vec![lunch()],
            amount: points(2500),
        },
        r#"{"v":1,"origin":{"source":"gateway:gw-01","epoch":"7b1c","seq":9},"card":"00003100000012345678","proof":{"challenge":"1122334455667788","response":"9c2b4dd8c4fec173"},"items":[{"service":"meal-lunch","provider":"canteen-1","quantity":2,"unit_price":1250}],"amount":2500}"#,
    );
    let account = Some(AccountState { balance: points(10_000), available: points(7_500) });
    uplink(
        &HoldAnswer { v: 1, outcome: HoldOutcome::Held, reason: None, account },
        r#"{"v":1,"outcome":"held","reason":null,"account":{"balance":10000,"available":7500}}"#,
    );
    uplink(
        &HoldAnswer { v: 1, outcome: HoldOutcome::Refused, reason: text("insufficient"), account: None },
        r#"{"v":1,"outcome":"refused","reason":"insufficient","account":null}"#,
    );
}

#[test]
fn bodies_about_steps() {
    uplink(
        &AlarmStepBody {
            state: AlarmState::Resolved,
            by: "nurse-1".parse().unwrap(),
            cause: text("helped_up"),
            responder: None,
            eta_min: None,
        },
        r#"{"state":"resolved","by":"nurse-1","cause":"helped_up"}"#,
    );
    uplink(
        &AlarmStepBody {
            state: AlarmState::Dispatched,
            by: "nurse-1".parse().unwrap(),
            cause: None,
            responder: text("值班护士"),
            eta_min: Some(10),
        },
        r#"{"state":"dispatched","by":"nurse-1","cause":null,"responder":"值班护士","eta_min":10}"#,
    );
}

#[test]
fn orders_about_alarms() {
    uplink(
        &AlarmStateOrder {
            alarm: press(),
            state: AlarmState::Acknowledged,
            by: "operator-1".parse().unwrap(),
            at: "2026-11-24T09:30:05+08:00".into(),
            cause: None,
            presses: Vec::new(),
            follows: None,
            kind: None,
            urgency: None,
            responder: None,
            eta_min: None,
        },
        r#"{"alarm":{"source":"device:btn-0001","epoch":1,"seq":42},"state":"acknowledged","by":"operator-1","at":"2026-11-24T09:30:05+08:00","cause":null}"#,
    );
    uplink(
        &AlarmStateOrder {
            alarm: press(),
            state: AlarmState::Resolved,
            by: "operator-1".parse().unwrap(),
            at: "2026-11-24T09:31:00+08:00".into(),
            cause: Some("helped".into()),
            presses: vec![press()],
            follows: None,
            kind: Some("sos".into()),
            urgency: Some(Urgency::Emergency),
            responder: None,
            eta_min: None,
        },
        r#"{"alarm":{"source":"device:btn-0001","epoch":1,"seq":42},"state":"resolved","by":"operator-1","at":"2026-11-24T09:31:00+08:00","cause":"helped","presses":[{"source":"device:btn-0001","epoch":1,"seq":42}],"kind":"sos","urgency":"emergency"}"#,
    );
    uplink(
        &AlarmStateOrder {
            alarm: press(),
            state: AlarmState::Accepted,
            by: "centre".parse().unwrap(),
            at: "2026-11-24T09:31:01+08:00".into(),
            cause: None,
            presses: Vec::new(),
            follows: Some(press()),
            kind: None,
            urgency: None,
            responder: None,
            eta_min: None,
        },
        r#"{"alarm":{"source":"device:btn-0001","epoch":1,"seq":42},"state":"accepted","by":"centre","at":"2026-11-24T09:31:01+08:00","cause":null,"follows":{"source":"device:btn-0001","epoch":1,"seq":42}}"#,
    );
    uplink(
        &AlarmStateOrder {
            alarm: press(),
            state: AlarmState::Dispatched,
            by: "operator-1".parse().unwrap(),
            at: "2026-11-24T09:30:30+08:00".into(),
            cause: None,
            presses: Vec::new(),
            follows: None,
            kind: None,
            urgency: None,
            responder: text("值班护士"),
            eta_min: Some(10),
        },
        r#"{"alarm":{"source":"device:btn-0001","epoch":1,"seq":42},"state":"dispatched","by":"operator-1","at":"2026-11-24T09:30:30+08:00","cause":null,"responder":"值班护士","eta_min":10}"#,
    );
}

#[test]
fn orders() {
    let page = r#"{"v":1,"stream":"c9","orders":[{"k":18,"kind":"alarm.state","body":{"later": [ ]}}]}"#;
    let read: OrderPage = serde_json::from_str(page).unwrap();
    assert_eq!((read.v, read.stream.as_str(), read.orders[0].k), (1, "c9", 18));
    assert_eq!(serde_json::to_string(&read).unwrap(), page);
    uplink(
        &HotlistOrder { version: 4, cards: vec!["aa".into()], salt: "5a".into() },
        r#"{"version":4,"cards":["aa"],"salt":"5a"}"#,
    );
    let service = CatalogueService {
        id: "meal-lunch".parse().unwrap(),
        provider: "canteen-1".parse().unwrap(),
        category: "meal".into(),
        name_zh: "午餐".into(),
        name_en: "Lunch".into(),
        price: points(1250),
        full_price: None,
        picture: None,
        description_zh: None,
        description_en: None,
    };
    uplink(
        &CatalogueOrder { version: 3, services: vec![service.clone()] },
        r#"{"version":3,"services":[{"id":"meal-lunch","provider":"canteen-1","category":"meal","name_zh":"午餐","name_en":"Lunch","price":1250}]}"#,
    );
    uplink(
        &CatalogueOrder {
            version: 4,
            services: vec![CatalogueService {
                full_price: Some(points(1800)),
                picture: Some(ServicePicture::Meal),
                description_zh: text("一荤两素"),
                description_en: text("Meat and two vegetables"),
                ..service
            }],
        },
        r#"{"version":4,"services":[{"id":"meal-lunch","provider":"canteen-1","category":"meal","name_zh":"午餐","name_en":"Lunch","price":1250,"full_price":1800,"picture":"meal","description_zh":"一荤两素","description_en":"Meat and two vegetables"}]}"#,
    );
    let newer =
        r#"{"id":"a","provider":"p","category":"c","name_zh":"x","name_en":"x","price":1,"picture":"robot","scent":2}"#;
    let read: CatalogueService = serde_json::from_str(newer).unwrap();
    assert_eq!(read.picture, Some(ServicePicture::Other), "a later release's picture is another one");
    for picture in ServicePicture::ALL {
        uplink(&picture, &format!("\"{}\"", picture.word()));
    }
    uplink(
        &PolicyOrder { version: 2, from: "2026-12-01".into(), sale_max: points(20_000) },
        r#"{"version":2,"from":"2026-12-01","sale_max":20000}"#,
    );
    let device: protocols::id::DeviceId = "btn-0001".parse().unwrap();
    uplink(
        &DeviceAssignOrder { device: device.clone(), silent_after_s: 180 },
        r#"{"device":"btn-0001","silent_after_s":180}"#,
    );
    uplink(&DeviceUnassignOrder { device: device.clone() }, r#"{"device":"btn-0001"}"#);
    uplink(
        &SettingsOrder { device, version: 12, heartbeat_s: 3600 },
        r#"{"device":"btn-0001","version":12,"heartbeat_s":3600}"#,
    );
    uplink(
        &SaleSettledOrder {
            sale: origin("terminal:310000000042", Epoch::Text("31".into()), 42),
            outcome: SaleOutcome::Paid,
            at: "2026-11-24T09:30:05+08:00".into(),
        },
        r#"{"sale":{"source":"terminal:310000000042","epoch":"31","seq":42},"outcome":"paid","at":"2026-11-24T09:30:05+08:00"}"#,
    );
    uplink(
        &OrderResultBody { kind: "hotlist".into(), verdict: OrderVerdict::Refused, reason: text("unreadable") },
        r#"{"kind":"hotlist","verdict":"refused","reason":"unreadable"}"#,
    );
}

#[test]
fn the_question_what_is_in_an_account() {
    uplink(
        &BalanceRequest {
            v: 1,
            card: "00003100000012345678".into(),
            proof: CardProof { challenge: "1122334455667788".into(), response: "9c2b4dd8c4fec173".into() },
        },
        r#"{"v":1,"card":"00003100000012345678","proof":{"challenge":"1122334455667788","response":"9c2b4dd8c4fec173"}}"#,
    );
    uplink(
        &BalanceAnswer {
            v: 1,
            reason: None,
            account: Some(AccountState { balance: points(9000), available: points(7500) }),
        },
        r#"{"v":1,"reason":null,"account":{"balance":9000,"available":7500}}"#,
    );
    uplink(
        &BalanceAnswer { v: 1, reason: text("no_account"), account: None },
        r#"{"v":1,"reason":"no_account","account":null}"#,
    );
}

#[test]
fn kinds_and_bodies_of_upkeep() {
    assert_eq!([kind::ENTRY_SENT_AGAIN, kind::DEVICE_TESTED], ["entry.sent_again", "device.tested"]);
    names(&[
        (TestResult::Passed, "passed"),
        (TestResult::NotAtCentre, "not_at_centre"),
        (TestResult::NothingCame, "nothing_came"),
        (TestResult::Interrupted, "interrupted"),
    ]);
    uplink(
        &EntrySentAgainBody { n: 977, by: "nurse-1".parse().unwrap(), reason: text("body") },
        r#"{"n":977,"by":"nurse-1","reason":"body"}"#,
    );
    uplink(
        &DeviceTestedBody {
            device: "btn-0001".parse().unwrap(),
            by: "nurse-1".parse().unwrap(),
            result: TestResult::Passed,
            kind: text("sos"),
            durable_ms: Some(7),
            centre_ms: Some(41),
        },
        r#"{"device":"btn-0001","by":"nurse-1","result":"passed","kind":"sos","durable_ms":7,"centre_ms":41}"#,
    );
}
