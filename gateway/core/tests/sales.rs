//! Promises about sales, on the core alone: intent before money, one debit, unknown shown as unknown.

#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one effect among many")]

mod bench;

use bench::{Bench, card, psam, reader, today};
use gateway_core::limits::CARD_HELD_AGAIN_MS;
use gateway_core::{
    CardInput, CardVerdict, DeskAnswer, DialogueId, DialogueOrder, DialogueOutcome, Effect, Input, NotRun, ReaderState,
    Refusal, ReplyToken, SaleView, UplinkFailure, UplinkInput,
};
use protocols::card::card_file::CardFile;
use protocols::card::crypto::{Challenge, Mac1, Mac2, ProofResponse, Tac};
use protocols::card::date::{CardDate, CardTime};
use protocols::card::dialogue::Stage;
use protocols::card::intent::PurchaseIntent;
use protocols::card::purse::DebitAnswer;
use protocols::card::value::{AlgorithmId, CardAmount, CardCounter, KeyVersion, TerminalSequence, TransactionType};
use protocols::card::{proof, purchase, settle};
use protocols::unit::Points;
use protocols::uplink::{AccountState, HoldAnswer, HoldOutcome, SaleIntentBody, Tender};

fn started(bench: &mut Bench, tender: Tender) -> SaleView {
    let reply = bench.start_sale("k1", tender, &[("meal-lunch", 1)]);
    bench.settle();
    answer(bench, reply).expect("the sale starts")
}

fn answer(bench: &mut Bench, reply: ReplyToken) -> Result<SaleView, Refusal> {
    let found = bench.take().into_iter().find_map(|effect| match effect {
        Effect::Reply { token, answer } if token == reply => Some(answer),
        _ => None,
    });
    match found.expect("an answer") {
        DeskAnswer::Sale(view) => Ok(*view),
        DeskAnswer::Refused(refusal) => Err(refusal),
        DeskAnswer::Alarm { .. } | DeskAnswer::SentAgain { .. } | DeskAnswer::Test(_) | DeskAnswer::Card(_) => {
            panic!("a sale was asked about")
        }
    }
}

fn lay_on(bench: &mut Bench) {
    bench.input(Input::Card(CardInput::Reader { reader: reader(), state: ReaderState::Card }));
}

fn take_away(bench: &mut Bench) {
    bench.input(Input::Card(CardInput::Reader { reader: reader(), state: ReaderState::Empty }));
}

fn running(bench: &mut Bench) -> Option<(DialogueId, DialogueOrder)> {
    bench.take().into_iter().find_map(|effect| match effect {
        Effect::RunDialogue { dialogue, order, .. } => Some((dialogue, order)),
        _ => None,
    })
}

/// The reader identifies the card for the dialogue that is asked for; gives the next dialogue.
fn identify(bench: &mut Bench, card: CardFile) -> Option<(DialogueId, DialogueOrder)> {
    let (dialogue, order) = running(bench).expect("the card is identified first");
    assert_eq!(order, DialogueOrder::Identify);
    bench.input(Input::Card(CardInput::Identified { dialogue, card, today: today() }));
    let declined = proof::Outcome::Refused(protocols::card::dialogue::Refusal::Declined);
    bench.take();
    bench.input(Input::Card(CardInput::Done { dialogue, outcome: DialogueOutcome::Proof(declined) }));
    running(bench)
}

fn approve(bench: &mut Bench, dialogue: DialogueId, card: CardFile) -> CardVerdict {
    bench.input(Input::Card(CardInput::Identified { dialogue, card, today: today() }));
    bench
        .take()
        .into_iter()
        .find_map(|effect| match effect {
            Effect::CardVerdict { verdict, .. } => Some(verdict),
            _ => None,
        })
        .expect("a verdict")
}

fn done(bench: &mut Bench, dialogue: DialogueId, outcome: DialogueOutcome) {
    bench.input(Input::Card(CardInput::Done { dialogue, outcome }));
}

fn intent(card: &CardFile) -> PurchaseIntent {
    PurchaseIntent {
        serial_number: card.serial_number,
        counter: CardCounter::new(7),
        old_balance: CardAmount::new(5_000).expect("in range"),
        amount: CardAmount::new(1_250).expect("in range"),
        kind: TransactionType::EP_PURCHASE,
        terminal: psam().terminal,
        psam: psam().serial,
        terminal_sequence: TerminalSequence::new(42),
        date: today(),
        time: CardTime::new(9, 30, 0).expect("a time"),
        mac1: Mac1::from_bytes([1; 4]),
        key_version: KeyVersion::new(1),
        algorithm: AlgorithmId::TRIPLE_DES,
    }
}

/// A purse sale up to the recorded, not yet durable intent.
fn purse_with_intent(bench: &mut Bench) -> DialogueId {
    bench.equip();
    started(bench, Tender::Purse);
    lay_on(bench);
    let (dialogue, order) = identify(bench, card(0x78)).expect("a purchase");
    assert_eq!(order, DialogueOrder::Purchase { amount: 1_250 });
    assert_eq!(approve(bench, dialogue, card(0x78)), CardVerdict::Approved);
    let intent = intent(&card(0x78));
    bench.input(Input::Card(CardInput::IntentReady { dialogue, intent, salt: [9; 32] }));
    dialogue
}

fn proceeds(bench: &Bench) -> bool {
    bench.effects.iter().any(|effect| matches!(effect, Effect::Proceed { .. }))
}

fn state_of(bench: &Bench) -> &'static str {
    bench.core.sale("sale-k1").expect("remembered").state
}

fn debited() -> DialogueOutcome {
    DialogueOutcome::Purchase(purchase::Outcome::Debited {
        intent: intent(&card(0x78)),
        debit: DebitAnswer { tac: Tac::from_bytes([7; 4]), mac2: Mac2::from_bytes([8; 4]) },
        new_balance: CardAmount::new(3_750).expect("in range"),
    })
}

fn torn() -> DialogueOutcome {
    DialogueOutcome::Purchase(purchase::Outcome::Unknown {
        intent: intent(&card(0x78)),
        why: purchase::Doubt::Debit(protocols::card::dialogue::Cause::NoAnswer),
        debit: None,
    })
}

#[test]
fn a_dialogue_that_was_not_run_is_told_with_its_reason() {
    let reasons = [
        (NotRun::NoCard, "awaiting_card", Refusal::CardRemoved),
        (NotRun::CardMute, "awaiting_card", Refusal::CardMute),
        (NotRun::CardHeld, "awaiting_card", Refusal::CardHeld),
        (NotRun::PsamBusy, "awaiting_card", Refusal::PsamBusy),
        (NotRun::CardForeign, "refused", Refusal::CardUnreadable),
        (NotRun::ReaderGone, "refused", Refusal::ReaderGone),
        (NotRun::PsamGone, "refused", Refusal::PsamGone),
        (NotRun::NotTaken, "refused", Refusal::ReaderBroken),
        (NotRun::Broken, "refused", Refusal::ReaderBroken),
    ];
    for (why, state, told) in reasons {
        let mut bench = Bench::new();
        bench.equip();
        started(&mut bench, Tender::Purse);
        lay_on(&mut bench);
        let (dialogue, _) = identify(&mut bench, card(0x78)).expect("a purchase");
        done(&mut bench, dialogue, DialogueOutcome::NotRun(why));
        bench.settle();
        let seen = bench.core.sale("sale-k1").expect("remembered");
        assert_eq!((seen.state, seen.reason), (state, Some(told)), "{why:?}");
    }
}

#[test]
fn a_card_that_could_not_be_identified_is_told_with_its_reason() {
    let mut bench = Bench::new();
    bench.equip();
    started(&mut bench, Tender::Purse);
    lay_on(&mut bench);
    let (dialogue, _) = running(&mut bench).expect("the card is identified first");
    done(&mut bench, dialogue, DialogueOutcome::NotRun(NotRun::CardHeld));
    bench.settle();
    let seen = bench.core.sale("sale-k1").expect("remembered");
    assert_eq!((seen.state, seen.reason), ("awaiting_card", Some(Refusal::CardHeld)));
    take_away(&mut bench);
    lay_on(&mut bench);
    assert!(running(&mut bench).is_some(), "laid on again it is tried again");
}

/// A gateway that was killed in the middle of a debit may leave the card held for a moment: nobody has to lift it.
#[test]
fn a_card_that_another_program_held_is_tried_again_where_it_lies_and_not_once_it_was_taken_away() {
    let mut bench = Bench::new();
    bench.equip();
    started(&mut bench, Tender::Purse);
    lay_on(&mut bench);
    for _ in 0..3 {
        let (dialogue, _) = running(&mut bench).expect("the card is identified");
        done(&mut bench, dialogue, DialogueOutcome::NotRun(NotRun::CardHeld));
        bench.settle();
        assert!(running(&mut bench).is_none(), "not at once");
        bench.advance(CARD_HELD_AGAIN_MS);
    }
    let (dialogue, _) = running(&mut bench).expect("the card is identified");
    done(&mut bench, dialogue, DialogueOutcome::NotRun(NotRun::CardHeld));
    take_away(&mut bench);
    bench.advance(CARD_HELD_AGAIN_MS);
    assert!(running(&mut bench).is_none(), "there is none");
    lay_on(&mut bench);
    let (dialogue, _) = running(&mut bench).expect("it is identified");
    done(&mut bench, dialogue, DialogueOutcome::NotRun(NotRun::CardMute));
    bench.advance(10 * CARD_HELD_AGAIN_MS);
    assert!(running(&mut bench).is_none(), "one that is silent has to be laid on anew");
}

#[test]
fn a_purse_is_debited_only_after_its_intent_is_durable_and_paid_only_after_the_outcome_is() {
    let mut bench = Bench::new();
    let dialogue = purse_with_intent(&mut bench);
    assert!(!proceeds(&bench), "no debit before the intent is durable");
    bench.settle();
    assert!(proceeds(&bench));
    done(&mut bench, dialogue, debited());
    assert_eq!(state_of(&bench), "in_progress", "paid is not durable yet");
    bench.settle();
    let sale = bench.core.sale("sale-k1").expect("remembered");
    assert_eq!((sale.state, sale.balance), ("paid", Points::from_fen(3_750)));
    let kinds: Vec<&str> = bench.rows.iter().map(|row| row.kind.as_str()).collect();
    assert_eq!(kinds, ["sale.intent", "sale.outcome"]);
}

#[test]
fn the_card_number_is_in_the_private_record_and_nowhere_else() {
    let mut bench = Bench::new();
    let dialogue = purse_with_intent(&mut bench);
    bench.settle();
    done(&mut bench, dialogue, debited());
    bench.settle();
    let number = card(0x78).serial_number.to_hex();
    for row in &bench.rows {
        assert!(!row.bytes.contains(number.as_str()));
    }
    assert!(bench.rows[0].private.as_ref().is_some_and(|private| private.bytes.contains(number.as_str())));
    assert!(bench.state.values().all(|value| !value.contains(number.as_str())), "a settled sale forgets its card");
    let entry: serde_json::Value = serde_json::from_str(&bench.rows[0].bytes).expect("JSON");
    let body: SaleIntentBody = serde_json::from_value(entry["body"].clone()).expect("an intent");
    assert_eq!(body.private_hmac.len(), 64);
}

#[test]
fn f1_a_torn_debit_is_unknown_and_the_next_tap_settles_it_as_paid() {
    let mut bench = Bench::new();
    let dialogue = purse_with_intent(&mut bench);
    bench.settle();
    done(&mut bench, dialogue, torn());
    bench.settle();
    assert_eq!(state_of(&bench), "unknown");
    let mut bench = bench.restart();
    bench.equip();
    lay_on(&mut bench);
    let (dialogue, order) = identify(&mut bench, card(0x78)).expect("a settlement");
    assert!(matches!(order, DialogueOrder::Settle { intent: asked } if asked == intent(&card(0x78))));
    let record = protocols::card::log_record::LogRecord::parse(&log_bytes()).expect("23 bytes");
    let outcome = settle::Outcome::Debited { record, proof: None, tac: Some(Tac::from_bytes([7; 4])), balance: None };
    done(&mut bench, dialogue, DialogueOutcome::Settle(outcome));
    bench.settle();
    assert_eq!(state_of(&bench), "paid");
}

fn log_bytes() -> [u8; 23] {
    let mut bytes = [0; 23];
    bytes[1] = 8;
    bytes[9] = 6;
    bytes[10..16].copy_from_slice(psam().terminal.as_bytes());
    bytes[16..20].copy_from_slice(today().as_bytes());
    bytes
}

#[test]
fn f1_a_debit_that_never_happened_is_cancelled_at_the_next_tap() {
    let mut bench = Bench::new();
    let dialogue = purse_with_intent(&mut bench);
    bench.settle();
    done(&mut bench, dialogue, torn());
    bench.settle();
    take_away(&mut bench);
    bench.take();
    lay_on(&mut bench);
    let (dialogue, _) = identify(&mut bench, card(0x78)).expect("a settlement");
    let by = settle::NotDebitedBy::CounterUnchanged;
    done(&mut bench, dialogue, DialogueOutcome::Settle(settle::Outcome::NotDebited { by, balance: None }));
    bench.settle();
    let sale = bench.core.sale("sale-k1").expect("remembered");
    assert_eq!((sale.state, sale.reason), ("cancelled", Some(Refusal::NotDebited)));
}

#[test]
fn another_card_does_not_settle_a_sale_in_doubt() {
    let mut bench = Bench::new();
    let dialogue = purse_with_intent(&mut bench);
    bench.settle();
    done(&mut bench, dialogue, torn());
    bench.settle();
    take_away(&mut bench);
    bench.take();
    lay_on(&mut bench);
    assert_eq!(identify(&mut bench, card(0x79)), None);
    assert_eq!(state_of(&bench), "unknown");
}

/// A sale whose MAC2 the PSAM rejected; the card is gone.
fn rejected(bench: &mut Bench) {
    let dialogue = purse_with_intent(bench);
    bench.settle();
    let outcome =
        purchase::Outcome::Unknown { intent: intent(&card(0x78)), why: purchase::Doubt::Mac2Rejected, debit: None };
    done(bench, dialogue, DialogueOutcome::Purchase(outcome));
    bench.settle();
    take_away(bench);
    bench.take();
}

/// The card is laid on again, proves itself or not, and says that it was debited.
fn says_debited(bench: &mut Bench, proof: proof::Outcome) {
    lay_on(bench);
    let (dialogue, order) = identify(bench, card(0x78)).expect("the card is asked to prove itself");
    assert_eq!(order, DialogueOrder::Proof);
    assert_eq!(approve(bench, dialogue, card(0x78)), CardVerdict::Approved);
    done(bench, dialogue, DialogueOutcome::Proof(proof));
    let (dialogue, order) = running(bench).expect("a settlement");
    assert!(matches!(order, DialogueOrder::Settle { .. }));
    let record = protocols::card::log_record::LogRecord::parse(&log_bytes()).expect("23 bytes");
    let outcome = settle::Outcome::Debited { record, proof: None, tac: None, balance: None };
    done(bench, dialogue, DialogueOutcome::Settle(outcome));
    bench.settle();
}

fn genuine() -> proof::Outcome {
    proof::Outcome::Genuine(proof::Genuine {
        serial_number: card(0x78).serial_number,
        challenge: Challenge::from_bytes([1; 8]),
        response: ProofResponse::from_bytes([2; 8]),
    })
}

#[test]
fn a_rejected_mac2_is_not_settled_by_the_word_of_a_card_that_cannot_prove_itself() {
    let mut bench = Bench::new();
    rejected(&mut bench);
    says_debited(&mut bench, proof::Outcome::NotGenuine);
    let sale = bench.core.sale("sale-k1").expect("remembered");
    assert_eq!((sale.state, sale.reason), ("unknown", Some(Refusal::ProofRejected)));
    assert!(bench.core.alarms(false).iter().any(|alarm| alarm.kind == "card_mac2_rejected"));
}

#[test]
fn a_rejected_mac2_is_settled_when_the_card_proves_itself_and_its_log_has_the_debit() {
    let mut bench = Bench::new();
    rejected(&mut bench);
    says_debited(&mut bench, genuine());
    let sale = bench.core.sale("sale-k1").expect("remembered");
    assert_eq!((sale.state, sale.reason), ("paid", None));
}

fn settled_by_centre(bench: &mut Bench, outcome: &str) {
    let rows = bench.rows.iter().find(|row| row.kind == "sale.intent").expect("an intent");
    let sale = serde_json::json!({"source": rows.source, "epoch": rows.epoch, "seq": rows.seq});
    let body = serde_json::json!({"sale": sale, "outcome": outcome, "at": "2026-11-24T10:00:00+08:00"});
    let order = protocols::uplink::Order {
        k: bench.core.orders_after(protocols::uplink::Lane::Other).map_or(1, |(_, after)| after + 1),
        kind: "sale.settled".to_owned(),
        body: serde_json::value::RawValue::from_string(body.to_string()).expect("JSON"),
    };
    let page = protocols::uplink::OrderPage { v: 1, stream: "s1".to_owned(), orders: vec![order] };
    bench.input(Input::Uplink(UplinkInput::Orders { lane: protocols::uplink::Lane::Other, result: Ok(page) }));
    bench.settle();
}

#[test]
fn a_sale_in_doubt_whose_card_never_returns_is_settled_by_the_word_of_the_centre() {
    for (outcome, state) in [("paid", "paid"), ("cancelled", "cancelled"), ("unknown", "unknown")] {
        let mut bench = Bench::new();
        rejected(&mut bench);
        settled_by_centre(&mut bench, outcome);
        assert_eq!(state_of(&bench), state);
        let rows = bench.rows.iter().filter(|row| row.kind == "sale.outcome").count();
        settled_by_centre(&mut bench, outcome);
        assert_eq!(bench.rows.iter().filter(|row| row.kind == "sale.outcome").count(), rows, "once");
        let results: Vec<&str> =
            bench.rows.iter().filter(|row| row.kind == "order.result").map(|row| row.bytes.as_str()).collect();
        assert_eq!(results.len(), 2, "each order is answered");
    }
}

#[test]
fn a_restart_in_mid_debit_leaves_the_sale_unknown_and_in_mid_wait_cancelled() {
    let mut bench = Bench::new();
    purse_with_intent(&mut bench);
    bench.settle();
    let mut bench = bench.restart();
    bench.settle();
    assert_eq!(state_of(&bench), "unknown");

    let mut bench = Bench::new();
    bench.equip();
    started(&mut bench, Tender::Purse);
    let mut bench = bench.restart();
    bench.settle();
    let sale = bench.core.sale("sale-k1").expect("remembered");
    assert_eq!((sale.state, sale.reason), ("cancelled", Some(Refusal::Interrupted)));
}

#[test]
fn f2_a_card_swapped_in_mid_sale_is_declined_and_nothing_is_charged() {
    let mut bench = Bench::new();
    bench.equip();
    started(&mut bench, Tender::Purse);
    lay_on(&mut bench);
    let (dialogue, _) = identify(&mut bench, card(0x78)).expect("a purchase");
    assert_eq!(approve(&mut bench, dialogue, card(0x79)), CardVerdict::Declined);
    let refusal = protocols::card::dialogue::Refusal::Declined;
    done(&mut bench, dialogue, DialogueOutcome::Purchase(purchase::Outcome::Refused { refusal, intent: None }));
    bench.settle();
    let sale = bench.core.sale("sale-k1").expect("remembered");
    assert_eq!((sale.state, sale.reason), ("refused", Some(Refusal::CardChanged)));
    assert!(bench.rows.is_empty());
}

#[test]
fn f12_an_expired_card_is_refused_before_any_write() {
    let mut bench = Bench::new();
    bench.equip();
    started(&mut bench, Tender::Purse);
    lay_on(&mut bench);
    let expired = CardFile { expiry: CardDate::new(2025, 1, 1).expect("a date"), ..card(0x78) };
    assert_eq!(identify(&mut bench, expired), None);
    bench.settle();
    assert_eq!(bench.core.sale("sale-k1").expect("remembered").reason, Some(Refusal::CardExpired));
}

#[test]
fn a_card_taken_away_too_soon_is_waited_for_again() {
    let mut bench = Bench::new();
    bench.equip();
    started(&mut bench, Tender::Purse);
    lay_on(&mut bench);
    let (dialogue, _) = running(&mut bench).expect("identify");
    done(&mut bench, dialogue, DialogueOutcome::Proof(proof::Outcome::NoAnswer(Stage::Select)));
    assert_eq!(running(&mut bench), None, "a silent card is not asked again and again");
    assert_eq!(state_of(&bench), "awaiting_card");
    take_away(&mut bench);
    bench.take();
    lay_on(&mut bench);
    assert!(running(&mut bench).is_some());
}

fn proved(bench: &mut Bench) -> gateway_core::SaleId {
    bench.online();
    bench.equip();
    let sale = started(bench, Tender::Account).id;
    lay_on(bench);
    let (dialogue, order) = identify(bench, card(0x78)).expect("a proof");
    assert_eq!(order, DialogueOrder::Proof);
    assert_eq!(approve(bench, dialogue, card(0x78)), CardVerdict::Approved);
    let genuine = proof::Genuine {
        serial_number: card(0x78).serial_number,
        challenge: Challenge::from_bytes([1; 8]),
        response: ProofResponse::from_bytes([2; 8]),
    };
    done(bench, dialogue, DialogueOutcome::Proof(proof::Outcome::Genuine(genuine)));
    sale
}

fn held(bench: &Bench) -> bool {
    bench.effects.iter().any(|effect| matches!(effect, Effect::Hold { .. }))
}

fn hold_answer(outcome: HoldOutcome, reason: Option<&str>) -> HoldAnswer {
    let points = |fen| Points::from_fen(fen).expect("in range");
    let account = Some(AccountState { balance: points(10_000), available: points(8_750) });
    HoldAnswer { v: 1, outcome, reason: reason.map(str::to_owned), account }
}

#[test]
fn an_account_pays_by_intent_hold_and_outcome_each_durable_before_the_next() {
    let mut bench = Bench::new();
    let sale = proved(&mut bench);
    assert!(!held(&bench), "no hold before the intent is durable");
    bench.settle();
    assert!(held(&bench));
    let result = Ok(hold_answer(HoldOutcome::Held, None));
    bench.input(Input::Uplink(UplinkInput::HoldAnswered { sale, result }));
    assert_eq!(state_of(&bench), "in_progress");
    bench.settle();
    let sale = bench.core.sale("sale-k1").expect("remembered");
    assert_eq!((sale.state, sale.balance), ("paid", Points::from_fen(8_750)));
}

#[test]
fn a_hold_without_an_answer_is_voided_and_the_purse_is_offered() {
    let mut bench = Bench::new();
    proved(&mut bench);
    bench.settle();
    bench.advance(9_000);
    bench.settle();
    let sale = bench.core.sale("sale-k1").expect("remembered");
    assert_eq!((sale.state, sale.reason, sale.purse_offered), ("refused", Some(Refusal::Offline), true));
    assert!(bench.rows.last().is_some_and(|row| row.kind == "sale.outcome" && row.bytes.contains("\"refused\"")));
    let late = Ok(hold_answer(HoldOutcome::Held, None));
    bench.input(Input::Uplink(UplinkInput::HoldAnswered { sale: "sale-k1".to_owned(), result: late }));
    bench.settle();
    assert_eq!(state_of(&bench), "refused", "a late answer changes nothing");
}

#[test]
fn a_restart_while_a_hold_is_out_voids_it() {
    let mut bench = Bench::new();
    proved(&mut bench);
    bench.settle();
    let mut bench = bench.restart();
    bench.settle();
    assert_eq!(state_of(&bench), "cancelled");
    assert!(bench.rows.last().is_some_and(|row| row.kind == "sale.outcome" && row.bytes.contains("\"cancelled\"")));
}

/// The reason that people are told when the centre refuses a hold with this word, and whether the purse is offered.
fn told_when_refused(word: &str) -> (Option<Refusal>, bool) {
    let mut bench = Bench::new();
    let sale = proved(&mut bench);
    bench.settle();
    let result = Ok(hold_answer(HoldOutcome::Refused, Some(word)));
    bench.input(Input::Uplink(UplinkInput::HoldAnswered { sale, result }));
    bench.settle();
    let body = bench.rows.last().map(|row| row.bytes.clone()).unwrap_or_default();
    assert!(body.contains(&format!("\"reason\":\"{word}\"")), "the centre's own word is recorded: {body}");
    let sale = bench.core.sale("sale-k1").expect("remembered");
    (sale.reason, sale.purse_offered)
}

#[test]
fn a_refused_hold_says_why() {
    for (word, reason) in [
        ("insufficient", Refusal::Insufficient),
        ("no_account", Refusal::NoAccount),
        ("card_blocked", Refusal::CardBlocked),
        ("not_genuine", Refusal::CardNotGenuine),
        ("proof_pending", Refusal::CardNotChecked),
        ("closed", Refusal::Closed),
        ("price_differs", Refusal::PriceChanged),
        ("not_in_catalogue", Refusal::ServiceWithdrawn),
        ("cancelled", Refusal::OrderNotTaken),
        ("conflict", Refusal::OrderNotTaken),
        ("amount", Refusal::OrderNotTaken),
        ("malformed", Refusal::CentreRefused),
        ("foreign_origin", Refusal::CentreRefused),
        ("of_a_later_version", Refusal::CentreRefused),
    ] {
        assert_eq!(told_when_refused(word).0, Some(reason), "{word}");
    }
}

#[test]
fn the_purse_is_offered_where_what_people_are_told_speaks_of_it() {
    for (word, offered) in
        [("insufficient", true), ("no_account", true), ("proof_pending", true), ("card_blocked", false)]
    {
        assert_eq!(told_when_refused(word).1, offered, "{word}");
    }
}

#[test]
fn with_the_line_down_the_account_is_refused_and_the_purse_still_pays() {
    let mut bench = Bench::new();
    bench.online();
    bench.equip();
    bench.offline();
    let reply = bench.start_sale("k0", Tender::Account, &[("meal-lunch", 1)]);
    bench.settle();
    assert_eq!(answer(&mut bench, reply), Err(Refusal::Offline));
    let reply = bench.start_sale("k1", Tender::Purse, &[("meal-lunch", 1)]);
    bench.settle();
    assert!(answer(&mut bench, reply).is_ok());
    let failed = Err(UplinkFailure::Unreachable);
    bench.input(Input::Uplink(UplinkInput::HoldAnswered { sale: "sale-k0".to_owned(), result: failed }));
}

#[test]
fn g6_prices_come_from_the_catalogue_and_odd_wishes_are_refused() {
    let mut bench = Bench::new();
    bench.equip();
    let cases: [(&[(&str, u32)], Refusal); 6] = [
        (&[], Refusal::ItemsInvalid),
        (&[("meal-lunch", 0)], Refusal::ItemsInvalid),
        (&[("meal-lunch", 100)], Refusal::ItemsInvalid),
        (&[("meal-lunch", 1), ("meal-lunch", 1)], Refusal::ItemsInvalid),
        (&[("nothing", 1)], Refusal::ServiceUnknown),
        (&[("dear", 1)], Refusal::AmountTooHigh),
    ];
    for (index, (items, expected)) in cases.into_iter().enumerate() {
        let reply = bench.start_sale(&format!("case-{index}"), Tender::Purse, items);
        bench.settle();
        assert_eq!(answer(&mut bench, reply), Err(expected), "{index}");
    }
    let reply = bench.start_sale("k1", Tender::Purse, &[("meal-lunch", 3)]);
    bench.settle();
    assert_eq!(answer(&mut bench, reply).map(|sale| sale.amount.fen()), Ok(3_750));
}

#[test]
fn g8_the_same_key_is_the_same_sale_and_another_wish_under_it_is_refused() {
    let mut bench = Bench::new();
    bench.equip();
    let first = started(&mut bench, Tender::Purse);
    let reply = bench.start_sale("k1", Tender::Purse, &[("meal-lunch", 1)]);
    bench.settle();
    assert_eq!(answer(&mut bench, reply).map(|sale| sale.id), Ok(first.id));
    let reply = bench.start_sale("k1", Tender::Purse, &[("meal-lunch", 2)]);
    bench.settle();
    assert_eq!(answer(&mut bench, reply), Err(Refusal::KeyReused));
    let mut bench = bench.restart();
    bench.equip();
    let reply = bench.start_sale("k1", Tender::Purse, &[("meal-lunch", 1)]);
    bench.settle();
    assert_eq!(answer(&mut bench, reply).map(|sale| sale.state), Ok("cancelled"), "known over a restart too");
}

#[test]
fn a_sale_is_answered_only_when_it_is_durable() {
    let mut bench = Bench::new();
    bench.equip();
    bench.start_sale("k1", Tender::Purse, &[("meal-lunch", 1)]);
    assert!(!bench.effects.iter().any(|effect| matches!(effect, Effect::Reply { .. })));
    bench.commit();
    assert!(bench.effects.iter().any(|effect| matches!(effect, Effect::Reply { .. })));
}

#[test]
fn without_reader_psam_or_card_in_time_nothing_is_charged() {
    let mut bench = Bench::new();
    let reply = bench.start_sale("k0", Tender::Purse, &[("meal-lunch", 1)]);
    bench.settle();
    assert_eq!(answer(&mut bench, reply), Err(Refusal::ReaderGone));
    bench.equip();
    started(&mut bench, Tender::Purse);
    bench.advance(91_000);
    bench.settle();
    let sale = bench.core.sale("sale-k1").expect("remembered");
    assert_eq!((sale.state, sale.reason), ("cancelled", Some(Refusal::CardWaitEnded)));
}

#[test]
fn a_sale_that_does_not_begin_is_counted_under_its_reason() {
    let mut bench = Bench::new();
    bench.equip();
    bench.start_sale("k1", Tender::Purse, &[("no-such-service", 1)]);
    bench.settle();
    let counted = |name, label| matches!((name, label), ("sales_not_started", "service_unknown"));
    assert!(
        bench.take().iter().any(|effect| matches!(effect, Effect::Count { name, label } if counted(*name, *label)))
    );
}

/// A torn purchase, then the same card again, up to the settlement.
fn asked_to_settle(bench: &mut Bench) -> DialogueId {
    let dialogue = purse_with_intent(bench);
    bench.settle();
    done(bench, dialogue, torn());
    bench.settle();
    tapped_to_settle(bench)
}

fn tapped_to_settle(bench: &mut Bench) -> DialogueId {
    take_away(bench);
    bench.take();
    lay_on(bench);
    identify(bench, card(0x78)).expect("a settlement").0
}

fn outcomes(bench: &Bench) -> Vec<serde_json::Value> {
    let rows = bench.rows.iter().filter(|row| row.kind == "sale.outcome");
    rows.map(|row| serde_json::from_str::<serde_json::Value>(&row.bytes).expect("JSON")["body"].clone()).collect()
}

#[test]
fn a_settlement_that_settles_nothing_says_why_and_hands_the_cards_proof_to_the_issuer_once() {
    let mut bench = Bench::new();
    let dialogue = asked_to_settle(&mut bench);
    let proof = protocols::card::purse::TransactionProof::parse(&[1, 2, 3, 4, 5, 6, 7, 8]).expect("8 bytes");
    let unknown = || settle::Outcome::StillUnknown { why: settle::StillUnknown::LogRolledOver, proof: Some(proof) };
    done(&mut bench, dialogue, DialogueOutcome::Settle(unknown()));
    bench.settle();
    let told = outcomes(&bench).pop().expect("an outcome");
    assert_eq!((told["outcome"].as_str(), told["reason"].as_str()), (Some("unknown"), Some("log_rolled_over")));
    assert_eq!(told["purse"]["transaction_proof"], "0102030405060708");
    let sale = bench.core.sale("sale-k1").expect("remembered");
    assert_eq!((sale.state, sale.doubt.as_deref()), ("unknown", Some("log_rolled_over")));
    let count = bench.rows.len();
    let dialogue = tapped_to_settle(&mut bench);
    done(&mut bench, dialogue, DialogueOutcome::Settle(unknown()));
    bench.settle();
    assert_eq!(bench.rows.len(), count, "the same doubt is told once");
}

#[test]
fn f5_a_card_whose_counter_went_back_pays_nothing_more_in_this_visit() {
    let mut bench = Bench::new();
    let dialogue = asked_to_settle(&mut bench);
    let reply = bench.start_sale("k2", Tender::Purse, &[("meal-lunch", 1)]);
    bench.settle();
    assert!(answer(&mut bench, reply).is_ok());
    let outcome = settle::Outcome::CounterRegress { found: CardCounter::new(3) };
    done(&mut bench, dialogue, DialogueOutcome::Settle(outcome));
    bench.settle();
    assert_eq!(running(&mut bench), None, "no purchase from a copied card");
    let second = bench.core.sale("sale-k2").expect("remembered");
    assert_eq!((second.state, second.reason), ("refused", Some(Refusal::CardCounterRegress)));
    assert_eq!(outcomes(&bench).pop().expect("an outcome")["reason"], "card_counter_regress");
    let alarms = bench.core.alarms(false);
    let alarm = alarms.iter().find(|alarm| alarm.kind == "card_counter_regress").expect("people are told");
    assert_eq!(alarm.detail.as_deref(), Some("sale sale-k1, counter 3"));
}

#[test]
fn after_a_restart_the_oldest_settled_sale_is_forgotten_first() {
    let mut bench = Bench::new();
    bench.equip();
    // Names in another order than their beginnings.
    for at in 0..100_u64 {
        bench.ms += 1_000;
        let reply = bench.start_sale(&format!("{:02}", 99 - at), Tender::Purse, &[("meal-lunch", 1)]);
        bench.settle();
        let id = answer(&mut bench, reply).expect("it starts").id;
        bench.input(Input::Desk(gateway_core::DeskInput::CancelSale { reply: ReplyToken(950), sale: id }));
        bench.settle();
    }
    let mut bench = bench.restart();
    bench.equip();
    let reply = bench.start_sale("zz", Tender::Purse, &[("meal-lunch", 1)]);
    bench.settle();
    let id = answer(&mut bench, reply).expect("it starts").id;
    bench.input(Input::Desk(gateway_core::DeskInput::CancelSale { reply: ReplyToken(951), sale: id }));
    bench.settle();
    assert!(bench.core.sale("sale-99").is_none(), "the first");
    assert!(bench.core.sale("sale-00").is_some(), "the last");
}

#[test]
fn a_paid_sale_s_receipt_names_terminal_transaction_and_both_balances() {
    let mut bench = Bench::new();
    let dialogue = purse_with_intent(&mut bench);
    bench.settle();
    done(&mut bench, dialogue, debited());
    bench.settle();
    let sale = bench.core.sale("sale-k1").expect("remembered");
    let number = format!("{}-42", psam().terminal.to_hex().as_str());
    assert_eq!((sale.state, sale.receipt.as_deref()), ("paid", Some(number.as_str())));
    let fen = |amount: Option<Points>| amount.map(Points::fen);
    assert_eq!((fen(sale.balance_before), fen(sale.balance)), (Some(5_000), Some(3_750)));
    assert!(sale.ended_at.is_some());
    let mut bench = bench.restart();
    bench.settle();
    assert_eq!(bench.core.sale("sale-k1").expect("kept").receipt, sale.receipt, "and has it after a restart");
}
