//! A core in memory: enough rules to see that wishes arrive whole and answers come back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gateway::adapter::kiosk::Kiosk;
use gateway::adapter::kiosk::view::{
    AlarmView, DeviceCounts, DeviceView, DiskView, HourView, JournalView, LaneView, NextView, QuarantineView, Query,
    ReaderView, RefusedReportView, StatusView, StepView, Supervision, TroubleView, UplinkView,
};
use gateway_core::{
    AlarmEvent, CardLook, DeskAnswer, DeskInput, DeviceTest, Notice, OutLane, ReaderState, Refusal, ReplyToken,
    SaleView,
};
use protocols::device::AlarmState;
use protocols::id::{ActorId, DeviceId, ReaderId, ServiceId};
use protocols::unit::Points;
use protocols::uplink::{CatalogueOrder, CatalogueService, Clock, PolicyOrder, SaleItem, Tender, Urgency};
use tokio::sync::mpsc;

pub const READER: &str = "desk-1";

fn fen(fen: u64) -> Points {
    Points::from_fen(fen).expect("a small amount")
}

pub fn catalogue() -> CatalogueOrder {
    let service = |id: &str, category: &str, name_zh: &str, name_en: &str, price| CatalogueService {
        id: id.parse().expect("a service's name"),
        provider: "sunny-care".parse().expect("a provider's name"),
        category: category.to_owned(),
        name_zh: name_zh.to_owned(),
        name_en: name_en.to_owned(),
        price: fen(price),
        full_price: None,
        picture: None,
        description_zh: None,
        description_en: None,
    };
    CatalogueOrder {
        version: 3,
        services: vec![
            service("meal-lunch", "meal", "午餐", "Lunch", 1200),
            service("meal-dinner", "meal", "晚餐", "Dinner", 1000),
            service("bath-help", "bath", "助浴", "Help with bathing", 6000),
            service("home-clean", "home", "居家保洁(1小时)", "House cleaning (1 hour)", 4500),
            service("rehab-session", "rehab", "康复训练", "Rehabilitation session", 8000),
        ],
    }
}

/// What the core remembers and how it behaves.
pub struct State {
    pub sales: BTreeMap<String, SaleView>,
    pub keys: BTreeMap<String, (String, DeskFacts)>,
    pub alarms: Vec<AlarmView>,
    pub steps: Vec<(String, AlarmState, ActorId, Option<String>)>,
    pub sent_again: Vec<(u64, ActorId)>,
    pub tests: Vec<DeviceTest>,
    /// Answers this to every wish instead.
    pub refuse: Option<Refusal>,
    /// Answers nothing.
    pub mute: bool,
    pub storing: bool,
    /// What does not work.
    pub degraded: Vec<TroubleView>,
    /// Why no sale can begin.
    pub closed: Option<Refusal>,
    /// How many wishes arrived.
    pub wishes: usize,
    /// What lies on each reader; nothing where absent.
    pub look: Option<CardLook>,
    /// How often the staff was called.
    pub calls: usize,
}

fn nothing_on(reader: ReaderId) -> CardLook {
    CardLook { reader, state: ReaderState::Empty, reading: false, card: None, sale: None, help: None }
}

/// What makes two wishes the same.
type DeskFacts = (String, Vec<(ServiceId, u32)>, Tender);

#[derive(Clone)]
pub struct FakeCore {
    state: Arc<Mutex<State>>,
}

pub fn alarm(id: &str, kind: &str, urgency: Urgency, place: &str, state: AlarmState) -> AlarmView {
    AlarmView {
        id: id.to_owned(),
        kind: kind.to_owned(),
        urgency,
        device: id.split('.').next().and_then(|device| device.parse().ok()),
        place: Some(place.to_owned()),
        state,
        raised_at: "2026-11-24T09:30:05+08:00".to_owned(),
        age_s: 7_195,
        next: Some(NextView { step: "acknowledge", due_in_s: Some(-7_135) }),
        during_test: false,
        happened_at: (kind == "fall").then(|| "2026-11-24T06:25:05+08:00".to_owned()),
        presses: 2,
        taken_back: kind == "fall",
        detail: None,
        responder: None,
        eta_at: None,
        steps: vec![
            StepView {
                what: AlarmEvent::Step,
                state: AlarmState::Raised,
                at: "2026-11-24T09:30:05+08:00".to_owned(),
                by: None,
                cause: None,
                responder: None,
                eta_min: None,
            },
            StepView {
                what: AlarmEvent::Step,
                state: AlarmState::Accepted,
                at: "2026-11-24T09:30:06+08:00".to_owned(),
                by: None,
                cause: None,
                responder: None,
                eta_min: None,
            },
        ],
    }
}

impl FakeCore {
    pub fn new() -> Self {
        let alarms = vec![
            alarm("btn-0001.1.42", "sos", Urgency::Emergency, "3号楼 201 卧室", AlarmState::Accepted),
            alarm("fall-0007.1.9", "fall", Urgency::Emergency, "1号楼 105 浴室", AlarmState::Acknowledged),
            alarm("btn-0003.2.8", "low_battery", Urgency::Technical, "2号楼 302 客厅", AlarmState::Raised),
        ];
        let state = State {
            sales: BTreeMap::new(),
            keys: BTreeMap::new(),
            alarms,
            steps: Vec::new(),
            sent_again: Vec::new(),
            tests: Vec::new(),
            refuse: None,
            mute: false,
            storing: true,
            degraded: Vec::new(),
            closed: None,
            wishes: 0,
            look: None,
            calls: 0,
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves wishes and questions until the interface is gone.
    pub fn serve(&self, kiosk: Kiosk, mut desk: mpsc::Receiver<DeskInput>, mut queries: mpsc::Receiver<Query>) {
        let core = self.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    Some(wish) = desk.recv() => core.wish(&kiosk, wish),
                    Some(query) = queries.recv() => core.query(query),
                    else => break,
                }
            }
        });
    }

    fn wish(&self, kiosk: &Kiosk, wish: DeskInput) {
        let (token, answer, notice) = self.decide(wish);
        if self.state().mute {
            return;
        }
        kiosk.reply(token, answer);
        if let Some(notice) = notice {
            kiosk.notify(notice);
        }
    }

    fn decide(&self, wish: DeskInput) -> (ReplyToken, DeskAnswer, Option<Notice>) {
        let mut state = self.state();
        state.wishes += 1;
        let refuse = state.refuse;
        match wish {
            DeskInput::StartSale { reply, sale, key, reader, items, tender, salt } => {
                assert_ne!(salt, [0; 32], "the salt is random");
                let answer = match refuse {
                    Some(refusal) => Err(refusal),
                    None => start(&mut state, sale, key, (reader.to_string(), items, tender)),
                };
                let notice = answer.as_ref().ok().map(|sale| Notice::Sale { sale: Box::new(sale.clone()) });
                (reply, answer.map_or_else(DeskAnswer::Refused, |sale| DeskAnswer::Sale(Box::new(sale))), notice)
            }
            DeskInput::FindSale { reply, key, reader, items, tender } => {
                (reply, find(&state, &key, &(reader.to_string(), items, tender)), None)
            }
            DeskInput::CancelSale { reply, sale } => {
                let answer = match state.sales.get_mut(&sale) {
                    None => DeskAnswer::Refused(Refusal::SaleUnknown),
                    Some(view) if view.state == "awaiting_card" => {
                        view.state = "cancelled";
                        view.reason = Some(Refusal::TakenBack);
                        DeskAnswer::Sale(Box::new(view.clone()))
                    }
                    Some(view) if view.state == "in_progress" => DeskAnswer::Refused(Refusal::SaleUnderWay),
                    Some(_) => DeskAnswer::Refused(Refusal::SaleEnded),
                };
                (reply, answer, None)
            }
            DeskInput::LookAtCard { reply, reader, reference: _ } => {
                let look = state.look.clone().unwrap_or_else(|| nothing_on(reader));
                (reply, DeskAnswer::Card(Box::new(look)), None)
            }
            DeskInput::CallStaff { reply, key: _, reader } => {
                let id = format!("gw-test.{reader}.1");
                state.calls += 1;
                (reply, DeskAnswer::Alarm { id, state: AlarmState::Raised }, None)
            }
            DeskInput::SendAgain { reply, n, by } => (reply, send_again(&mut state, n, by), None),
            DeskInput::TestDevice { reply, device, by } => {
                let test = device_test(device, by);
                state.tests.push(test.clone());
                (reply, DeskAnswer::Test(test), None)
            }
            DeskInput::StepAlarm { reply, alarm, state: step, by, cause, sent } => {
                if step == AlarmState::Resolved && cause.is_none() {
                    return (reply, DeskAnswer::Refused(Refusal::CauseMissing), None);
                }
                let Some(found) = state.alarms.iter_mut().find(|known| known.id == alarm) else {
                    return (reply, DeskAnswer::Refused(Refusal::AlarmUnknown), None);
                };
                found.state = found.state.max(step);
                let reached = found.state;
                found.steps.push(StepView {
                    what: AlarmEvent::Step,
                    state: step,
                    at: "2026-11-24T09:31:00+08:00".to_owned(),
                    by: Some(by.clone()),
                    cause: cause.clone(),
                    responder: sent.responder,
                    eta_min: sent.eta_min,
                });
                state.steps.push((alarm.clone(), step, by, cause));
                let notice = Notice::Alarm { alarm: alarm.clone(), state: reached };
                (reply, DeskAnswer::Alarm { id: alarm, state: reached }, Some(notice))
            }
        }
    }

    fn query(&self, query: Query) {
        let state = self.state();
        if state.mute {
            return;
        }
        match query {
            Query::Status(reply) => drop(reply.send(status(&state))),
            Query::Catalogue(reply) => drop(reply.send(catalogue())),
            Query::Sale(id, reply) => drop(reply.send(state.sales.get(&id).cloned())),
            Query::Sales(reply) => drop(reply.send(state.sales.values().cloned().collect())),
            Query::Alarms { all, reply } => {
                let shown = |alarm: &&AlarmView| all || alarm.state != AlarmState::Resolved;
                drop(reply.send(state.alarms.iter().filter(shown).cloned().collect()));
            }
            Query::Devices(reply) => drop(reply.send(devices())),
            Query::Quarantine(reply) => drop(reply.send(quarantine())),
            Query::Figures(reply) => {
                let from = "2026-11-24T11:00:00+08:00".to_owned();
                drop(reply.send(vec![HourView { from, figures: None }]));
            }
            Query::Tests(reply) => drop(reply.send(state.tests.clone())),
            Query::RefusedReports(reply) => drop(reply.send(refused_reports())),
        }
    }

    /// Takes a sale to another state, as a card would, and tells the pages.
    pub fn end_sale(
        &self,
        kiosk: &Kiosk,
        id: &str,
        ended: &'static str,
        reason: Option<Refusal>,
        balance: Option<u64>,
    ) {
        let sale = {
            let mut state = self.state();
            let sale = state.sales.get_mut(id).expect("the sale began before");
            sale.state = ended;
            sale.reason = reason;
            sale.balance = balance.map(fen);
            sale.purse_offered = reason == Some(Refusal::Offline);
            sale.clone()
        };
        kiosk.notify(Notice::Sale { sale: Box::new(sale) });
    }
}

fn find(state: &State, key: &str, facts: &DeskFacts) -> DeskAnswer {
    match state.keys.get(key) {
        None => DeskAnswer::Refused(Refusal::SaleUnknown),
        Some((_, before)) if before != facts => DeskAnswer::Refused(Refusal::KeyReused),
        Some((known, _)) => DeskAnswer::Sale(Box::new(state.sales[known].clone())),
    }
}

fn send_again(state: &mut State, n: u64, by: ActorId) -> DeskAnswer {
    if n != 977 {
        return DeskAnswer::Refused(Refusal::EntryUnknown);
    }
    state.sent_again.push((n, by));
    DeskAnswer::SentAgain { n, waiting: true }
}

fn device_test(device: DeviceId, by: ActorId) -> DeviceTest {
    let started_at = "2026-11-24T11:30:00+08:00".to_owned();
    DeviceTest { device, by, started_at, running: true, ends_in_s: 180, result: None, signs: Vec::new() }
}

fn start(state: &mut State, id: String, key: String, facts: DeskFacts) -> Result<SaleView, Refusal> {
    if let Some((known, before)) = state.keys.get(&key) {
        if *before != facts {
            return Err(Refusal::KeyReused);
        }
        return state.sales.get(known).cloned().ok_or(Refusal::SaleUnknown);
    }
    let (reader, items, tender) = facts.clone();
    if reader != READER {
        return Err(Refusal::ReaderUnknown);
    }
    if items.is_empty() {
        return Err(Refusal::ItemsInvalid);
    }
    let services = catalogue().services;
    let mut lines = Vec::new();
    let mut amount = Points::ZERO;
    for (service, quantity) in items {
        let found = services.iter().find(|known| known.id == service).ok_or(Refusal::ServiceUnknown)?;
        let line = found.price.checked_mul(quantity).ok_or(Refusal::AmountTooHigh)?;
        amount = amount.checked_add(line).ok_or(Refusal::AmountTooHigh)?;
        let provider = found.provider.clone();
        lines.push(SaleItem { service, provider, quantity, unit_price: found.price });
    }
    let view = SaleView {
        id: id.clone(),
        state: "awaiting_card",
        tender,
        reader: reader.parse().expect("the reader is known"),
        amount,
        items: lines,
        reason: None,
        doubt: None,
        settled_by: None,
        balance: None,
        purse_offered: false,
        started_at: "2026-11-24T11:30:00+08:00".to_owned(),
        origin: None,
        lines: Vec::new(),
        subsidy: fen(0),
        balance_before: None,
        receipt: None,
        ended_at: None,
        card_wait_left_ms: Some(90_000),
    };
    state.sales.insert(id.clone(), view.clone());
    state.keys.insert(key, (id, facts));
    Ok(view)
}

fn status(state: &State) -> StatusView {
    let open = state.alarms.iter().filter(|alarm| alarm.state != AlarmState::Resolved).count();
    let lane = |lane, waiting| LaneView { lane, waiting, oldest_at: None, oldest_age_s: None };
    StatusView {
        version: "0.1.0".to_owned(),
        gateway: "gw-xihu-01".parse().expect("a gateway's name"),
        started_at: "2026-11-24T06:00:00+08:00".to_owned(),
        uptime_s: 19_800,
        now: "2026-11-24T11:30:00+08:00".to_owned(),
        clock: Clock::Trusted,
        uplink: UplinkView {
            online: true,
            failure: None,
            last_answer_at: Some("2026-11-24T11:29:58+08:00".to_owned()),
            last_answer_age_s: Some(2),
        },
        disk: Some(DiskView { free_bytes: 8_000_000_000, total_bytes: 32_000_000_000, low: false }),
        journal: JournalView {
            journal: "7b1c0f5e".to_owned(),
            n: 1042,
            hash: "ab".repeat(32),
            storing: state.storing,
            scrub: None,
        },
        readers: vec![ReaderView {
            reader: READER.parse().expect("a reader's name"),
            state: ReaderState::Empty,
            psam: Some(true),
        }],
        sales_closed: state.closed,
        policy: PolicyOrder { version: 3, from: "2026-11-01".to_owned(), sale_max: fen(20_000) },
        devices: DeviceCounts { total: 3, well: 1, silent: 1, never: 1 },
        open_alarms: u32::try_from(open).expect("a few alarms"),
        lanes: vec![lane(OutLane::Alarms, 0), lane(OutLane::Sales, 2), lane(OutLane::Rest, 17)],
        quarantined: 1,
        sales_unknown: u32::try_from(state.sales.values().filter(|sale| sale.state == "unknown").count())
            .expect("a few sales"),
        degraded: state.degraded.clone(),
    }
}

fn refused_reports() -> Vec<RefusedReportView> {
    let report = |at: &str, device: Option<&str>, code: &str, sample: &str| RefusedReportView {
        at: at.to_owned(),
        device: device.map(|name| name.parse().expect("a device's name")),
        code: code.to_owned(),
        size: 2_048,
        sample: Some(sample.to_owned()),
    };
    vec![
        report("2036-01-01T00:00:00Z", Some("btn-0003"), "oversize", "xxxx"),
        report("2016-01-01T00:00:00Z", None, "login", "btn-4711"),
    ]
}

fn devices() -> Vec<DeviceView> {
    let device = |name: &str, place: &str, supervision| DeviceView {
        device: name.parse().expect("a device's name"),
        place: Some(place.to_owned()),
        supervision,
        connected: supervision == Supervision::Well,
        last_heard_at: (supervision != Supervision::Never).then(|| "2026-11-24T11:20:00+08:00".to_owned()),
        last_heard_age_s: (supervision != Supervision::Never).then_some(600),
        silent_after_s: 10_800,
        battery_mv: (supervision != Supervision::Never).then_some(2_480),
        battery_low: supervision == Supervision::Silent,
        rssi_dbm: Some(-67),
        firmware: Some("1.0.3".to_owned()),
        stored: Some(0),
        lost: Some(0),
        faults: if supervision == Supervision::Silent { vec!["button_stuck".to_owned()] } else { Vec::new() },
    };
    vec![
        device("btn-0001", "3号楼 201 卧室", Supervision::Well),
        device("btn-0003", "2号楼 302 客厅", Supervision::Silent),
        device("fall-0007", "1号楼 105 浴室", Supervision::Never),
    ]
}

fn quarantine() -> Vec<QuarantineView> {
    vec![QuarantineView {
        n: 977,
        kind: "sale.outcome".to_owned(),
        origin: "gateway:gw-xihu-01/7b1c0f5e/977".to_owned(),
        outcome: "conflict".to_owned(),
        reason: Some("other_body".to_owned()),
        recorded_at: "2026-11-24T08:11:00+08:00".to_owned(),
    }]
}
