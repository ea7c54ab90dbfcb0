//! The real core over the real readers: a purse sale, torn at every command of the card, ends as what the card says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use gateway_core::{
    CardInput, CatalogueAge, Core, CoreConfig, DeskInput, Effect, Head, Input, Mono, Notice, Now, ReaderState,
    ReplyToken, Restored, Storage, StoreInput, WhenOld,
};
use protocols::unit::{Points, UnixMs};
use protocols::uplink::{CatalogueOrder, CatalogueService, Clock, PolicyOrder, Tender};
use tests::virtual_card::{Fault, Presence, When};

use crate::script::{KIOSK, PRICE, Script, balance, id, ready};

/// SELECT and file 0x15 to identify, then SELECT, file 0x15, INITIALIZE, DEBIT to pay.
const COMMANDS: usize = 6;

/// The core, with a journal that takes everything at once.
struct Cashier {
    core: Core,
    started: Instant,
    sales: u64,
    /// What people see of each sale.
    shown: BTreeMap<String, &'static str>,
    debits_allowed: usize,
}

impl Cashier {
    fn new() -> Self {
        let service = CatalogueService {
            id: "meal-lunch".parse().expect("a name"),
            provider: "canteen-1".parse().expect("a name"),
            category: "meal".to_owned(),
            name_zh: "午餐".to_owned(),
            name_en: "Lunch".to_owned(),
            price: Points::from_fen(PRICE.into()).expect("an amount"),
            full_price: None,
            picture: None,
            description_zh: None,
            description_en: None,
        };
        let config = CoreConfig {
            gateway: "gw-test".parse().expect("a name"),
            readers: vec![id(KIOSK)],
            devices: Vec::new(),
            catalogue: CatalogueOrder { version: 1, services: vec![service] },
            policy: PolicyOrder {
                version: 1,
                from: "2026-01-01".to_owned(),
                sale_max: Points::from_fen(50_000).expect("an amount"),
            },
            catalogue_age: CatalogueAge { days_max: 0, when_old: WhenOld::Close },
            battery_low_mv: 2_600,
            device_test_ms: 180_000,
            jitter_seed: 7,
            storage: Storage::Journal,
        };
        let restored = Restored {
            head: Head { journal: "j1".to_owned(), n: 0, hash: [0; 32] },
            state: Vec::new(),
            rebuilt: Vec::new(),
        };
        let started = Instant::now();
        let core = Core::restore(config, restored, &now(started)).expect("an empty state restores");
        Self { core, started, sales: 0, shown: BTreeMap::new(), debits_allowed: 0 }
    }

    fn input(&mut self, script: &Script, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            self.core.handle(input, &now(self.started));
            while let Some(effect) = self.core.poll_effect() {
                if let Some(answer) = self.carry_out(script, effect) {
                    inputs.insert(0, answer);
                }
            }
        }
    }

    fn carry_out(&mut self, script: &Script, effect: Effect) -> Option<Input> {
        if let Effect::Commit(group) = effect {
            return Some(Input::Store(StoreInput::Committed { group: group.id }));
        }
        if let Effect::RunDialogue { reader, dialogue, order } = effect {
            return script.handle.run(&reader, dialogue, order).err().map(|done| Input::Card(*done));
        }
        if let Effect::CardVerdict { dialogue, verdict } = effect {
            script.handle.verdict(dialogue, verdict);
        } else if let Effect::Proceed { dialogue } = effect {
            self.debits_allowed += 1;
            script.handle.proceed(dialogue);
        } else if let Effect::Notify(Notice::Sale { sale }) = effect {
            self.shown.insert(sale.id, sale.state);
        }
        None
    }

    fn sell(&mut self, script: &Script) -> String {
        self.sales += 1;
        let sale = format!("{:032x}", self.sales);
        let wish = DeskInput::StartSale {
            reply: ReplyToken(self.sales),
            sale: sale.clone(),
            key: sale.clone(),
            reader: id(KIOSK),
            items: vec![("meal-lunch".parse().expect("a name"), 1)],
            tender: Tender::Purse,
            salt: [7; 32],
        };
        self.input(script, Input::Desk(wish));
        sale
    }

    fn hear(&mut self, script: &mut Script) {
        let input = script.hear_only();
        self.input(script, Input::Card(input));
    }
}

fn now(started: Instant) -> Now {
    let ms = u64::try_from(started.elapsed().as_millis()).expect("a short test");
    Now {
        mono: Mono(ms),
        wall: UnixMs(1_800_000_000_000_i64.saturating_add_unsigned(ms)),
        civil: Arc::from("2027-01-15T16:00:00+08:00"),
        clock: Clock::Trusted,
    }
}

#[test]
fn a_purse_sale_torn_at_any_command_ends_as_what_the_card_holds() {
    let name = "with_core::a_purse_sale_torn_at_any_command_ends_as_what_the_card_holds";
    let Some((bench, mut script)) = ready(name, "") else { return };
    let mut cashier = Cashier::new();
    cashier.input(&script, Input::Card(CardInput::Psam(script.psam)));
    cashier.input(&script, Input::Card(CardInput::Reader { reader: id(KIOSK), state: ReaderState::Card }));
    let mut ends = Vec::new();
    for (index, after) in (0..COMMANDS).flat_map(|index| [(index, false), (index, true)]) {
        let before = balance(&bench);
        let when = When::Index(index);
        bench.reader.card.arm(if after { Fault::tear_after(when) } else { Fault::tear_before(when) });
        let allowed = cashier.debits_allowed;
        let sale = cashier.sell(&script);
        let end = loop {
            match cashier.shown.get(&sale).copied() {
                Some(end @ ("paid" | "refused" | "cancelled")) => break end,
                Some(_) | None => cashier.hear(&mut script),
            }
            let torn = bench.reader.card.presence() == Presence::InHand;
            if torn && script.states.get(&id(KIOSK)) == Some(&ReaderState::Empty) {
                assert!(bench.reader.card.reinsert());
            }
        };
        assert_eq!(before - balance(&bench), if end == "paid" { PRICE } else { 0 }, "{index}, after: {after}: {end}");
        assert!(cashier.debits_allowed - allowed <= 1, "one debit at most for one sale");
        ends.push(end);
    }
    // Torn before the debit the sale waits for the card and is then paid; only the debit itself can be torn unpaid.
    assert_eq!(ends.iter().filter(|end| **end == "paid").count(), 2 * COMMANDS - 1, "{ends:?}");
}
