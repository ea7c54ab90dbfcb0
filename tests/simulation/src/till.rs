//! Kiosks: people order, lay cards on and take them away, and dialogues run with whatever card lies there.
//!
//! **Invariant:** a dialogue ends with its process; what it had sent to the card by then may have been done.

use std::collections::BTreeMap;

use gateway_core::{
    CardInput, CardVerdict, DeskInput, DialogueId, DialogueOrder, DialogueOutcome, Input, NotRun, ReaderState,
    ReplyToken,
};
use protocols::card::crypto::{Challenge, ProofResponse};
use protocols::card::dialogue::{Cause, Failure, Refusal, Stage};
use protocols::card::intent::PurchaseIntent;
use protocols::card::{proof, purchase};
use protocols::id::ReaderId;
use protocols::uplink::Tender;

use super::card::{Card, Psam, today};
use super::event::Event;
use super::limits::{
    CARDS, CUSTOMER_MS, EXCHANGE_MS, FAULTY_MS, LAY_MS, MAC2_REJECTED_OF, SETTLE_FROM_MS, SETTLE_VISIT_MS, TORN_OF,
    UNDER_WAY_MS, VISIT_MS,
};
use super::promise::paid;
use super::world::World;

/// How far a dialogue has come.
#[derive(Debug)]
enum Step {
    /// The public file is read next.
    Begun,
    /// It was read; the core judges.
    Identified,
    /// The card may be used.
    Approved,
    /// The intent is told; the core records it.
    Agreed(PurchaseIntent),
    /// It is durable: the debit goes out.
    Recorded(PurchaseIntent),
}

/// A dialogue under way.
#[derive(Debug)]
struct Dialogue {
    order: DialogueOrder,
    visit: u64,
    step: Step,
    /// Counts its events, so that a deadline of an earlier step is none of a later one.
    turn: u64,
}

/// A reader with what lies on it.
#[derive(Debug, Default)]
struct Till {
    card: Option<usize>,
    visit: u64,
    dialogues: BTreeMap<DialogueId, Dialogue>,
}

/// All kiosks, one at each gateway, and the cards of everybody.
#[derive(Debug)]
pub struct Tills {
    /// The cards.
    pub cards: Vec<Card>,
    /// The security module of each gateway.
    pub psams: Vec<Psam>,
    tills: Vec<Till>,
    next_sale: u64,
}

impl Tills {
    /// So many kiosks, and some cards.
    #[must_use]
    pub fn new(gateways: u64) -> Self {
        let numbers = |count: u64| 0..u8::try_from(count).unwrap_or(u8::MAX);
        Self {
            cards: numbers(CARDS).map(Card::new).collect(),
            psams: numbers(gateways).map(Psam::new).collect(),
            tills: (0..gateways).map(|_| Till::default()).collect(),
            next_sale: 1,
        }
    }
}

/// The reader of each kiosk.
#[must_use]
pub fn reader() -> ReaderId {
    "kiosk-1".parse().expect("a name")
}

const fn failed(stage: Stage) -> Refusal {
    Refusal::Failed(Failure { stage, cause: Cause::NoAnswer })
}

impl World {
    /// Plans the first customer, and that everybody comes once more at the end, so that what is in doubt is settled.
    pub(super) fn plan_customers(&mut self) {
        self.plan_in(CUSTOMER_MS, Event::Customer);
        let mut at = SETTLE_FROM_MS;
        for gateway in 0..self.tills.tills.len() {
            for card in 0..self.tills.cards.len() {
                self.queue.plan(at, Event::Lay { gateway, card, stays: SETTLE_VISIT_MS });
                at = at.saturating_add(SETTLE_VISIT_MS).saturating_add(EXCHANGE_MS.end);
            }
        }
    }

    /// A process has started: it learns what is there.
    pub(super) fn tell_reader(&mut self, gateway: usize) {
        let Some(till) = self.tills.tills.get_mut(gateway) else { return };
        till.dialogues.clear();
        let state = if till.card.is_some() { ReaderState::Card } else { ReaderState::Empty };
        let psam = self.tills.psams.get(gateway).map(|psam| psam.identity);
        self.input(gateway, Input::Card(CardInput::Psam(psam)), &[]);
        self.input(gateway, Input::Card(CardInput::Reader { reader: reader(), state }), &[]);
    }

    /// Somebody orders, and lays a card on, or changes their mind.
    pub(super) fn customer(&mut self) {
        if self.now >= FAULTY_MS {
            return;
        }
        self.plan_in(CUSTOMER_MS, Event::Customer);
        let gateway = self.some_gateway();
        let card = usize::try_from(self.dice.below(CARDS)).unwrap_or(0);
        let number = self.tills.next_sale;
        self.tills.next_sale = number.saturating_add(1);
        let tender = if self.dice.below(3) == 0 { Tender::Account } else { Tender::Purse };
        let sale = format!("{number:032x}");
        for _ in 0..=u64::from(self.dice.below(8) == 0) {
            let input = DeskInput::StartSale {
                reply: ReplyToken(self.now),
                sale: sale.clone(),
                key: format!("key-{number}"),
                reader: reader(),
                items: vec![("meal-lunch".parse().expect("a name"), 1)],
                tender,
                salt: [3; 32],
            };
            self.input(gateway, Input::Desk(input), &[]);
        }
        let stays = self.draw(VISIT_MS);
        self.plan_in(LAY_MS, Event::Lay { gateway, card, stays });
        if self.dice.below(6) == 0 {
            let life = self.gateways.get(gateway).map_or(0, |found| found.life);
            let input = Box::new(Input::Desk(DeskInput::CancelSale { reply: ReplyToken(self.now), sale }));
            self.plan_in(LAY_MS, Event::Input { gateway, life, input });
        }
    }

    /// A card is laid on a reader, in the place of one that lies there.
    pub(super) fn lay(&mut self, gateway: usize, card: usize, stays: u64) {
        for other in 0..self.tills.tills.len() {
            let lies = self.tills.tills.get(other).is_some_and(|till| till.card == Some(card) || other == gateway);
            if lies {
                self.remove(other);
            }
        }
        let Some(till) = self.tills.tills.get_mut(gateway) else { return };
        till.card = Some(card);
        till.visit = till.visit.saturating_add(1);
        let visit = till.visit;
        self.queue.plan(self.now.saturating_add(stays), Event::Take { gateway, visit });
        let input = CardInput::Reader { reader: reader(), state: ReaderState::Card };
        self.input(gateway, Input::Card(input), &[]);
    }

    /// The card of a visit is taken away.
    pub(super) fn take_away(&mut self, gateway: usize, visit: u64) {
        if self.tills.tills.get(gateway).is_some_and(|till| till.visit == visit) {
            self.remove(gateway);
        }
    }

    fn remove(&mut self, gateway: usize) {
        if self.tills.tills.get_mut(gateway).and_then(|till| till.card.take()).is_some() {
            let input = CardInput::Reader { reader: reader(), state: ReaderState::Empty };
            self.input(gateway, Input::Card(input), &[]);
        }
    }

    pub(super) fn run_dialogue(&mut self, gateway: usize, id: DialogueId, order: DialogueOrder) {
        let Some(till) = self.tills.tills.get_mut(gateway) else { return };
        let dialogue = Dialogue { order, visit: till.visit, step: Step::Begun, turn: 0 };
        till.dialogues.insert(id, dialogue);
        self.plan_dialogue(gateway, id, EXCHANGE_MS);
    }

    pub(super) fn card_verdict(&mut self, gateway: usize, id: DialogueId, verdict: CardVerdict) {
        let Some(dialogue) = self.dialogue(gateway, id) else { return };
        let is_purchase = matches!(dialogue.order, DialogueOrder::Purchase { .. });
        match verdict {
            CardVerdict::Approved => {
                dialogue.step = Step::Approved;
                self.plan_dialogue(gateway, id, EXCHANGE_MS);
            }
            CardVerdict::Declined if is_purchase => {
                let declined = purchase::Outcome::Refused { refusal: Refusal::Declined, intent: None };
                self.end_dialogue(gateway, id, DialogueOutcome::Purchase(declined));
            }
            CardVerdict::Declined => {
                let declined = proof::Outcome::Refused(Refusal::Declined);
                self.end_dialogue(gateway, id, DialogueOutcome::Proof(declined));
            }
        }
    }

    /// The core says that the intent is durable.
    pub(super) fn proceed(&mut self, gateway: usize, id: DialogueId) {
        let Some(dialogue) = self.dialogue(gateway, id) else { return };
        let Step::Agreed(intent) = &dialogue.step else { return };
        let intent = *intent;
        dialogue.step = Step::Recorded(intent);
        if let Some(found) = self.gateways.get(gateway) {
            paid::debit_goes_out(&found.disk, &intent, &mut self.findings);
        }
        self.plan_dialogue(gateway, id, EXCHANGE_MS);
    }

    fn dialogue(&mut self, gateway: usize, id: DialogueId) -> Option<&mut Dialogue> {
        self.tills.tills.get_mut(gateway)?.dialogues.get_mut(&id)
    }

    fn plan_dialogue(&mut self, gateway: usize, id: DialogueId, after: std::ops::Range<u64>) {
        let life = self.gateways.get(gateway).map_or(0, |found| found.life);
        let Some(dialogue) = self.dialogue(gateway, id) else { return };
        dialogue.turn = dialogue.turn.saturating_add(1);
        let turn = dialogue.turn;
        self.plan_in(after, Event::Dialogue { gateway, life, dialogue: id, turn });
    }

    fn end_dialogue(&mut self, gateway: usize, id: DialogueId, outcome: DialogueOutcome) {
        if let Some(till) = self.tills.tills.get_mut(gateway) {
            till.dialogues.remove(&id);
        }
        self.input(gateway, Input::Card(CardInput::Done { dialogue: id, outcome }), &[]);
    }

    /// A dialogue goes one step on.
    pub(super) fn dialogue_goes_on(&mut self, gateway: usize, life: u64, id: DialogueId, turn: u64) {
        if !self.lives(gateway, life) {
            return;
        }
        let Some(till) = self.tills.tills.get(gateway) else { return };
        let Some(dialogue) = till.dialogues.get(&id).filter(|dialogue| dialogue.turn == turn) else { return };
        let card = till.card.filter(|_| till.visit == dialogue.visit);
        let order = dialogue.order.clone();
        match &dialogue.step {
            Step::Begun => self.begin(gateway, id, &order, card),
            Step::Approved => self.approved(gateway, id, &order, card),
            Step::Recorded(intent) => {
                let intent = *intent;
                self.debit(gateway, id, &intent, card);
            }
            // Nobody answered: the thread gives up, before anything binds.
            Step::Identified => self.end_dialogue(gateway, id, DialogueOutcome::NotRun(NotRun::CardMute)),
            Step::Agreed(intent) => {
                let refused = purchase::Outcome::Refused { refusal: Refusal::NotRecorded, intent: Some(*intent) };
                self.end_dialogue(gateway, id, DialogueOutcome::Purchase(refused));
            }
        }
    }

    fn begin(&mut self, gateway: usize, id: DialogueId, order: &DialogueOrder, card: Option<usize>) {
        let Some(card) = card.and_then(|card| self.tills.cards.get(card)) else {
            return self.end_dialogue(gateway, id, DialogueOutcome::NotRun(NotRun::NoCard));
        };
        if let DialogueOrder::Settle { intent } = order {
            let outcome = card.settle(intent);
            return self.end_dialogue(gateway, id, DialogueOutcome::Settle(outcome));
        }
        let file = card.file;
        if let Some(dialogue) = self.dialogue(gateway, id) {
            dialogue.step = Step::Identified;
        }
        self.plan_dialogue(gateway, id, UNDER_WAY_MS);
        let input = CardInput::Identified { dialogue: id, card: file, today: today() };
        self.input(gateway, Input::Card(input), &[]);
    }

    fn approved(&mut self, gateway: usize, id: DialogueId, order: &DialogueOrder, card: Option<usize>) {
        let card = card.and_then(|card| self.tills.cards.get(card));
        let amount = match order {
            DialogueOrder::Purchase { amount } => *amount,
            DialogueOrder::Identify | DialogueOrder::Look | DialogueOrder::Proof | DialogueOrder::Settle { .. } => {
                let outcome = card.map_or(proof::Outcome::NoAnswer(Stage::InternalAuthenticate), |card| {
                    proof::Outcome::Genuine(proof::Genuine {
                        serial_number: card.file.serial_number,
                        challenge: Challenge::from_bytes([5; 8]),
                        response: ProofResponse::from_bytes([6; 8]),
                    })
                });
                return self.end_dialogue(gateway, id, DialogueOutcome::Proof(outcome));
            }
        };
        let refused = |refusal| DialogueOutcome::Purchase(purchase::Outcome::Refused { refusal, intent: None });
        let Some(card) = card else {
            return self.end_dialogue(gateway, id, refused(failed(Stage::InitPurchase)));
        };
        let agreed = self.tills.psams.get_mut(gateway).and_then(|psam| card.agree(psam, amount));
        let Some(intent) = agreed else {
            return self.end_dialogue(gateway, id, refused(Refusal::InsufficientBalance { balance: None }));
        };
        if let Some(dialogue) = self.dialogue(gateway, id) {
            dialogue.step = Step::Agreed(intent);
        }
        self.plan_dialogue(gateway, id, UNDER_WAY_MS);
        let input = CardInput::IntentReady { dialogue: id, intent, salt: [9; 32] };
        self.input(gateway, Input::Card(input), &[]);
    }

    /// The debit goes out. The card may have gone, or go before it has answered.
    fn debit(&mut self, gateway: usize, id: DialogueId, intent: &PurchaseIntent, card: Option<usize>) {
        let torn = self.breaks(TORN_OF);
        let reaches = !torn || self.dice.below(2) == 0;
        let rejected = self.breaks(MAC2_REJECTED_OF);
        let card = card.filter(|_| reaches).and_then(|card| self.tills.cards.get_mut(card));
        let answer = card.and_then(|card| card.debit(intent)).filter(|_| !torn);
        let unknown = |why, debit| purchase::Outcome::Unknown { intent: *intent, why, debit };
        let outcome = match answer {
            None => unknown(purchase::Doubt::Debit(Cause::NoAnswer), None),
            Some(debit) if rejected => unknown(purchase::Doubt::Mac2Rejected, Some(debit)),
            Some(debit) => purchase::Outcome::Debited { intent: *intent, debit, new_balance: intent.old_balance },
        };
        self.end_dialogue(gateway, id, DialogueOutcome::Purchase(outcome));
    }

    /// A process dies in the middle of dialogues: a debit that was about to go out may have gone.
    pub(super) fn dialogues_die(&mut self, gateway: usize) {
        let Some(till) = self.tills.tills.get_mut(gateway) else { return };
        let (dialogues, card, visit) = (std::mem::take(&mut till.dialogues), till.card, till.visit);
        for dialogue in dialogues.into_values().filter(|dialogue| dialogue.visit == visit) {
            let Step::Recorded(intent) = dialogue.step else { continue };
            let goes_out = self.dice.below(2) == 0;
            if let Some(card) = card.filter(|_| goes_out).and_then(|card| self.tills.cards.get_mut(card)) {
                // Nobody hears what it answers.
                let _unheard = card.debit(&intent);
            }
        }
    }
}
