//! A core with an outside made of memory: a journal that commits when told to, and a record of every effect.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::wildcard_enum_match_arm, reason = "the bench collects what it does not answer itself")]

use std::collections::BTreeMap;
use std::sync::Arc;

use gateway_core::{
    ALARM_KINDS, AckToken, CardInput, CatalogueAge, Core, CoreConfig, DeskAnswer, DeskInput, Effect, Group, Head,
    Input, LinkId, LinkInput, LookUpFailed, Mono, NewestReports, Now, OutLane, ReaderState, Rebuild, Refusal,
    ReplyToken, Restored, Row, SessionId, StateChange, Storage, StoreInput, UplinkFailure, UplinkInput, WhenOld,
};
use protocols::card::card_file::{CardFile, IssuerId};
use protocols::card::date::CardDate;
use protocols::card::psam::PsamIdentity;
use protocols::card::value::{ApplicationSerialNumber, PsamSerial, TerminalId};
use protocols::id::{DeviceId, ReaderId};
use protocols::unit::{Points, UnixMs};
use protocols::uplink::{
    CatalogueOrder, CatalogueService, Clock, Lane, OrderPage, Outcome, PolicyOrder, Results, Tender, UploadResult,
};

/// The reader of every test.
pub fn reader() -> ReaderId {
    "kiosk-1".parse().expect("a name")
}

/// A device by name.
pub fn device(name: &str) -> DeviceId {
    name.parse().expect("a name")
}

/// A core and everything around it.
pub struct Bench {
    pub core: Core,
    pub ms: u64,
    pub rows: Vec<Row>,
    pub state: BTreeMap<String, String>,
    pub waiting: Option<Group>,
    pub effects: Vec<Effect>,
    pub config: CoreConfig,
    /// From where the last upload of each lane was asked for.
    pub uploads: BTreeMap<OutLane, u64>,
    /// The journal cannot be read.
    pub unreadable: bool,
    /// Whether the wall clock is trusted.
    pub clock: Clock,
    packet: u16,
    reply: u64,
}

/// How long a device is watched when staff try it; not what a gateway takes by itself, so that the setting is seen to hold.
pub const DEVICE_TEST_MS: u64 = 120_000;

fn config(storage: Storage) -> CoreConfig {
    let service = |id: &str, fen| CatalogueService {
        id: id.parse().expect("a name"),
        provider: "canteen-1".parse().expect("a name"),
        category: "meal".to_owned(),
        name_zh: "午餐".to_owned(),
        name_en: "Lunch".to_owned(),
        price: Points::from_fen(fen).expect("an amount"),
        full_price: None,
        picture: None,
        description_zh: None,
        description_en: None,
    };
    CoreConfig {
        gateway: "gw-test".parse().expect("a name"),
        readers: vec![reader()],
        devices: vec![(device("btn-0001"), 60_000)],
        catalogue: CatalogueOrder {
            version: 1,
            services: vec![service("meal-lunch", 1_250), service("dear", 5_000_000)],
        },
        policy: PolicyOrder {
            version: 1,
            from: "2026-01-01".to_owned(),
            sale_max: Points::from_fen(50_000).expect("an amount"),
        },
        catalogue_age: CatalogueAge { days_max: 30, when_old: WhenOld::Close },
        battery_low_mv: 2_600,
        device_test_ms: DEVICE_TEST_MS,
        jitter_seed: 7,
        storage,
    }
}

impl Bench {
    pub fn new() -> Self {
        Self::with(Storage::Journal)
    }

    pub fn with(storage: Storage) -> Self {
        let restored = Restored {
            head: Head { journal: "j1".to_owned(), n: 0, hash: [0; 32] },
            state: Vec::new(),
            rebuilt: Vec::new(),
        };
        let config = config(storage);
        let core =
            Core::restore(config.clone(), restored, &now_at(0, Clock::Trusted)).expect("an empty state restores");
        let mut bench = Self {
            core,
            ms: 0,
            rows: Vec::new(),
            state: BTreeMap::new(),
            waiting: None,
            effects: Vec::new(),
            config,
            uploads: BTreeMap::new(),
            unreadable: false,
            clock: Clock::Trusted,
            packet: 0,
            reply: 0,
        };
        bench.drain();
        bench
    }

    /// The process dies and starts again from what is durable.
    pub fn restart(self) -> Self {
        self.restart_with(Vec::new())
    }

    /// The same, where the records of these keys are damaged and rebuilt.
    pub fn restart_damaged(mut self, keys: &[&str]) -> Self {
        let mut rebuild = Rebuild::new(keys.iter().copied());
        for row in self.rows.iter().filter(|row| ALARM_KINDS.contains(&row.kind.as_str())) {
            rebuild.take(row.n, &row.bytes);
        }
        keys.iter().for_each(|key| drop(self.state.remove(*key)));
        let now = self.now();
        self.restart_with(rebuild.finish(&now.civil))
    }

    fn restart_with(self, rebuilt: Vec<(String, String)>) -> Self {
        let head = self.rows.last().map_or(Head { journal: "j1".to_owned(), n: 0, hash: [0; 32] }, |row| Head {
            journal: "j1".to_owned(),
            n: row.n,
            hash: row.hash,
        });
        let restored = Restored {
            head,
            state: self.state.clone().into_iter().chain(rebuilt.clone()).collect(),
            rebuilt: rebuilt.into_iter().map(|(key, _)| key).collect(),
        };
        let core = Core::restore(self.config.clone(), restored, &self.now()).expect("its own state restores");
        let mut bench = Self { core, waiting: None, effects: Vec::new(), ..self };
        bench.drain();
        bench
    }

    pub fn now(&self) -> Now {
        now_at(self.ms, self.clock)
    }

    /// Handles an input and collects effects. Journal look-ups are answered at once; commits wait for [`Bench::commit`].
    pub fn input(&mut self, input: Input) {
        let now = self.now();
        self.core.handle(input, &now);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(effect) = self.core.poll_effect() {
            match effect {
                Effect::Commit(group) => {
                    assert!(self.waiting.is_none(), "one group at a time");
                    self.waiting = Some(group);
                }
                Effect::LoadReports { ticket, device, limit } => {
                    let source = format!("device:{device}");
                    let epoch =
                        self.rows.iter().filter(|row| row.source == source).filter_map(|r| r.epoch.parse().ok()).max();
                    let mut recent: Vec<(u64, u64)> = self
                        .rows
                        .iter()
                        .filter(|row| row.source == source && Some(row.epoch.parse::<u32>().unwrap_or(0)) == epoch)
                        .map(|row| (row.seq, row.body))
                        .collect();
                    recent.sort_unstable();
                    let recent = recent.split_off(recent.len().saturating_sub(limit));
                    let now = self.now();
                    let found = epoch.map(|epoch| NewestReports { epoch, recent });
                    let found = if self.unreadable { Err(LookUpFailed) } else { Ok(found) };
                    self.core.handle(Input::Store(StoreInput::ReportsLoaded { ticket, found }), &now);
                }
                Effect::FindOrigin { ticket, source, epoch, seq } => {
                    let body = self
                        .rows
                        .iter()
                        .find(|row| row.source == source && row.epoch == epoch && row.seq == seq)
                        .map(|row| row.body);
                    let now = self.now();
                    let body = if self.unreadable { Err(LookUpFailed) } else { Ok(body) };
                    self.core.handle(Input::Store(StoreInput::OriginFound { ticket, body }), &now);
                }
                other => {
                    if let Effect::Upload { lane, after, .. } = &other {
                        self.uploads.insert(*lane, *after);
                    }
                    self.effects.push(other);
                }
            }
        }
    }

    /// The group under way becomes durable.
    pub fn commit(&mut self) {
        let group = self.waiting.take().expect("a group is under way");
        self.rows.extend(group.rows);
        for change in group.state {
            match change {
                StateChange::Put { key, value } => drop(self.state.insert(key, value)),
                StateChange::Delete { key } => drop(self.state.remove(&key)),
            }
        }
        self.input(Input::Store(StoreInput::Committed { group: group.id }));
    }

    /// Commits until nothing waits.
    pub fn settle(&mut self) {
        while self.waiting.is_some() {
            self.commit();
        }
    }

    /// Takes the effects that came out so far.
    pub fn take(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    pub fn advance(&mut self, ms: u64) {
        self.ms += ms;
        self.input(Input::Timer);
    }

    pub fn session(number: u64) -> SessionId {
        SessionId { link: LinkId::Device, number }
    }

    pub fn connect(&mut self, name: &str, number: u64) {
        self.input(Input::Link(LinkInput::Connected { device: device(name), session: Self::session(number) }));
    }

    /// Publishes on the event topic; gives the acknowledgement to expect.
    pub fn publish(&mut self, name: &str, payload: &str) -> AckToken {
        self.packet += 1;
        let token = AckToken { session: Self::session(1), packet: self.packet };
        let input = LinkInput::Event {
            device: device(name),
            ack: Some(token),
            payload: payload.as_bytes().to_vec(),
            retained: false,
        };
        self.input(Input::Link(input));
        token
    }

    pub fn press(&mut self, seq: u64) -> AckToken {
        self.publish("btn-0001", &format!(r#"{{"v":1,"epoch":1,"seq":{seq},"kind":"sos"}}"#))
    }

    pub fn acked(&self, token: AckToken) -> bool {
        self.effects.iter().any(|effect| matches!(effect, Effect::Ack { token: acked, .. } if *acked == token))
    }

    /// The centre answers the upload under way in a lane.
    pub fn uploaded(&mut self, lane: OutLane, sent: &[u64], outcome: Outcome) {
        let results = sent.iter().map(|n| UploadResult { n: Some(*n), outcome, reason: None }).collect();
        let result = Ok(Results { v: 1, results, head: None });
        let after = self.uploads.get(&lane).copied().unwrap_or(0);
        self.input(Input::Uplink(UplinkInput::Uploaded { lane, after, sent: sent.to_vec(), result }));
    }

    /// The centre becomes reachable: an empty page of orders.
    pub fn online(&mut self) {
        let result = Ok(OrderPage { v: 1, stream: "s1".to_owned(), orders: Vec::new() });
        self.input(Input::Uplink(UplinkInput::Orders { lane: Lane::Alarms, result }));
        self.settle();
    }

    pub fn offline(&mut self) {
        let result = Err(UplinkFailure::Unreachable);
        self.input(Input::Uplink(UplinkInput::Orders { lane: Lane::Alarms, result }));
    }

    /// A PSAM and an empty reader.
    pub fn equip(&mut self) {
        self.input(Input::Card(CardInput::Psam(Some(psam()))));
        self.input(Input::Card(CardInput::Reader { reader: reader(), state: ReaderState::Empty }));
        self.settle();
        self.take();
    }

    /// Somebody chooses lunch and takes it back; or why lunch is not sold.
    pub fn try_lunch(&mut self) -> Result<(), Refusal> {
        let key = format!("k{}-{}", self.ms, self.rows.len());
        let reply = self.start_sale(&key, Tender::Purse, &[("meal-lunch", 1)]);
        self.settle();
        let answer = self.take().into_iter().find_map(|effect| match effect {
            Effect::Reply { token, answer } if token == reply => Some(answer),
            _ => None,
        });
        match answer.expect("an answer") {
            DeskAnswer::Sale(view) => {
                self.input(Input::Desk(DeskInput::CancelSale { reply: ReplyToken(990), sale: view.id }));
                self.settle();
                self.take();
                Ok(())
            }
            DeskAnswer::Refused(refusal) => Err(refusal),
            DeskAnswer::Alarm { .. } | DeskAnswer::SentAgain { .. } | DeskAnswer::Test(_) | DeskAnswer::Card(_) => {
                panic!("a sale was asked for")
            }
        }
    }

    pub fn start_sale(&mut self, key: &str, tender: Tender, items: &[(&str, u32)]) -> ReplyToken {
        self.reply += 1;
        let reply = ReplyToken(self.reply);
        let items = items.iter().map(|(id, count)| (id.parse().expect("a name"), *count)).collect();
        self.input(Input::Desk(DeskInput::StartSale {
            reply,
            sale: format!("sale-{key}"),
            key: key.to_owned(),
            reader: reader(),
            items,
            tender,
            salt: [3; 32],
        }));
        reply
    }
}

pub fn psam() -> PsamIdentity {
    PsamIdentity {
        serial: PsamSerial::from_bytes([1, 2, 3, 4, 5, 6, 7, 8, 9, 16]),
        terminal: TerminalId::from_bytes([0x31, 0, 0, 0, 0, 0x42]),
    }
}

/// A valid card with a serial number of its own.
pub fn card(last: u8) -> CardFile {
    CardFile {
        issuer: IssuerId::from_bytes([0, 0, 0x31, 0, 0, 0, 0, 0]),
        application_type: 1,
        application_version: 1,
        serial_number: ApplicationSerialNumber::new([0, 0, 0x31, 0, 0, 0, 0x12, 0x34, 0x56, last])
            .expect("decimal digits"),
        start: CardDate::new(2020, 1, 1).expect("a date"),
        expiry: CardDate::new(2040, 1, 1).expect("a date"),
        issuer_data: [0, 0],
    }
}

pub fn today() -> CardDate {
    CardDate::new(2026, 11, 24).expect("a date")
}

fn now_at(ms: u64, clock: Clock) -> Now {
    Now { mono: Mono(ms), wall: UnixMs(1_790_000_000_000 + i64::try_from(ms).unwrap_or(0)), civil: civil_at(ms), clock }
}

/// Civil time `ms` after 09:30 of the first day, 24 November 2026; no later than that winter.
fn civil_at(ms: u64) -> Arc<str> {
    let (s, ms) = (ms / 1_000 + 34_200, ms % 1_000);
    let (mut month, mut day) = (0, 24 + s / 86_400);
    let months = [("2026-11", 30), ("2026-12", 31), ("2027-01", 31), ("2027-02", 28), ("2027-03", u64::MAX)];
    while day > months[month].1 {
        day -= months[month].1;
        month += 1;
    }
    format!("{}-{day:02}T{:02}:{:02}:{:02}.{ms:03}+08:00", months[month].0, s / 3_600 % 24, s / 60 % 60, s % 60).into()
}
