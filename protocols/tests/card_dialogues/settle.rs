//! Settlement of an unknown purchase at the next tap.

use protocols::card::dialogue::{Cause, Failure, Refusal, Stage};
use protocols::card::intent::PurchaseIntent;
use protocols::card::log_record::LogRecord;
use protocols::card::profile::Profile;
use protocols::card::purse::{ProofLayout, TransactionProof};
use protocols::card::settle::{NotDebitedBy, Outcome, Settle, Step, StillUnknown};
use protocols::card::status::StatusWord;
use protocols::card::value::{CardAmount, CardCounter};

use crate::proof::CARD_FILE;
use crate::purchase::intent;
use crate::script::{Line, bytes, fetched, play, tears, x};

const INIT_ZERO: &str = "805001020B01000000003100000000420F";
const INIT_FEN: &str = "805001020B01000000013100000000420F";
const PROVE: &str = "805A000602000808";
const PROVED: &str = "BF4EAC965F169176 9000";
/// The debit of the intent: counter 8, 10.00, type 06, this terminal, its moment.
const OURS: &str = "0008 000000 000003E8 06 310000000042 20261123093000 9000";
const ANOTHER_TERMINAL: &str = "0008 000000 000003E8 06 310000000043 20261123093500 9000";
const LOAD_WITH_SAME_COUNTER: &str = "0008 000000 00002710 02 990000000001 20261123100000 9000";

pub fn begin() -> (Settle, Step) {
    Settle::begin(Profile::city_union(), intent())
}

fn opening() -> Vec<Line> {
    vec![
        x("00A4040009A0000000038698070100", "6F0B8409A00000000386980701 9000"),
        x("00B095001E", &format!("{CARD_FILE} 9000")),
    ]
}

/// The opening, the counter and balance now, the answer to the proof, and the log from its newest record.
fn card(counter: u16, balance: u32, proof: &str, log: &[&str]) -> Vec<Line> {
    let init = format!("{balance:08X} {counter:04X} 000000 01 00 A1B2C3D4 9000");
    let mut script = opening();
    script.push(x(INIT_ZERO, &init));
    script.push(x(PROVE, proof));
    script.extend(records(log));
    script
}

fn records(log: &[&str]) -> impl Iterator<Item = Line> {
    log.iter().enumerate().map(|(at, record)| x(&format!("00B2{:02X}C417", at + 1), record))
}

pub fn script() -> Vec<Line> {
    card(8, 9000, PROVED, &[OURS])
}

fn outcome(script: &[Line]) -> Outcome {
    play(begin(), script).outcome
}

fn amount(fen: u32) -> Option<CardAmount> {
    Some(CardAmount::new(fen).unwrap())
}

fn proof() -> TransactionProof {
    TransactionProof::parse(&bytes("BF4EAC965F169176")).unwrap()
}

fn ours() -> LogRecord {
    LogRecord::parse(&bytes(&OURS.replace(" 9000", ""))).unwrap()
}

fn later(counter: u16) -> String {
    format!("{counter:04X} 000000 00000064 06 310000000077 20261124080000 9000")
}

#[test]
fn an_unchanged_counter_proves_that_nothing_was_debited() {
    for balance in [10_000, 12_000] {
        let mut script = opening();
        script.push(x(INIT_ZERO, &format!("{balance:08X} 0007 000000 01 00 A1B2C3D4 9000")));
        let expected = Outcome::NotDebited { by: NotDebitedBy::CounterUnchanged, balance: amount(balance) };
        assert_eq!(outcome(&script), expected);
    }
}

#[test]
fn the_cards_record_and_proof_settle_a_debit() {
    let debited = Outcome::Debited {
        record: ours(),
        proof: Some(proof()),
        tac: Some(proof().tac(ProofLayout::MacThenTac)),
        balance: amount(9000),
    };
    assert_eq!(outcome(&script()), debited);
    assert_eq!(outcome(&fetched(&script())), debited);
    let Outcome::Debited { tac: Some(tac), .. } = debited else { panic!("it was built so") };
    assert_eq!(tac.to_hex(), "5f169176");
}

#[test]
fn a_debit_whose_tac_is_gone_is_settled_on_the_record() {
    for word in ["9406", "6985", "6D00", "00 9000"] {
        let script = card(8, 9000, word, &[OURS]);
        let expected = Outcome::Debited { record: ours(), proof: None, tac: None, balance: amount(9000) };
        assert_eq!(outcome(&script), expected, "{word}");
    }
}

#[test]
fn a_card_used_and_loaded_since_is_settled_by_its_log() {
    let script = card(10, 8800, "9406", &[&later(10), LOAD_WITH_SAME_COUNTER, &later(9), OURS]);
    let expected = Outcome::Debited { record: ours(), proof: None, tac: None, balance: amount(8800) };
    assert_eq!(outcome(&script), expected);
    // Topped up in between: the balance does not fit, the record does.
    let script = card(8, 19_000, "9406", &[LOAD_WITH_SAME_COUNTER, OURS]);
    let expected = Outcome::Debited { record: ours(), proof: None, tac: None, balance: amount(19_000) };
    assert_eq!(outcome(&script), expected);
}

#[test]
fn a_counter_that_another_terminal_used_proves_that_nothing_was_debited() {
    let script = card(9, 8900, "9406", &[&later(9), ANOTHER_TERMINAL]);
    let expected = Outcome::NotDebited { by: NotDebitedBy::CounterUsedElsewhere, balance: amount(8900) };
    assert_eq!(outcome(&script), expected);
}

#[test]
fn records_that_contradict_the_intent_settle_nothing() {
    let other_amount = OURS.replace("000003E8", "000003E9");
    let compound = OURS.replace(" 06 ", " 09 ");
    for (counter, balance, record) in
        [(9, 8999, other_amount.as_str()), (8, 9000, ANOTHER_TERMINAL), (8, 9000, compound.as_str())]
    {
        let expected = Outcome::StillUnknown { why: StillUnknown::Contradiction, proof: Some(proof()) };
        assert_eq!(outcome(&card(counter, balance, PROVED, &[record])), expected, "{record}");
    }
}

#[test]
fn a_log_that_rolled_over_settles_nothing() {
    let log: Vec<String> = (0..10).map(|age| later(19 - age)).collect();
    let log: Vec<&str> = log.iter().map(String::as_str).collect();
    let expected = Outcome::StillUnknown { why: StillUnknown::LogRolledOver, proof: None };
    assert_eq!(outcome(&card(19, 8000, "9406", &log)), expected);
}

#[test]
fn a_log_without_the_record_settles_nothing_and_keeps_the_proof_for_the_issuer() {
    let expected = Outcome::StillUnknown { why: StillUnknown::RecordMissing, proof: Some(proof()) };
    assert_eq!(outcome(&card(8, 9000, PROVED, &[&later(7), "6A83"])), expected);
    let older: Vec<String> =
        (0..10).map(|age| if age == 0 { later(9) } else { later(8_u16.saturating_sub(age)) }).collect();
    let older: Vec<&str> = older.iter().map(String::as_str).collect();
    assert_eq!(outcome(&card(9, 9000, PROVED, &older)), expected);
}

#[test]
fn a_log_that_cannot_be_read_settles_nothing_and_keeps_the_proof_for_the_issuer() {
    for (response, cause) in [("6982", Cause::Status(StatusWord::SecurityStatus)), ("0008 9000", Cause::Malformed)] {
        let why = StillUnknown::Failed(Failure { stage: Stage::LogRecord, cause });
        let expected = Outcome::StillUnknown { why, proof: Some(proof()) };
        assert_eq!(outcome(&card(8, 9000, PROVED, &[response])), expected);
    }
}

#[test]
fn f5_a_counter_below_the_intent_is_a_copied_card() {
    let mut script = opening();
    script.push(x(INIT_ZERO, "00002710 0006 000000 01 00 A1B2C3D4 9000"));
    assert_eq!(outcome(&script), Outcome::CounterRegress { found: CardCounter::new(6) });
}

#[test]
fn f2_another_card_is_asked_nothing() {
    let file = CARD_FILE.replace("12345678", "87654321");
    let script = [opening()[0].clone(), x("00B095001E", &format!("{file} 9000"))];
    let Outcome::OtherCard(card) = outcome(&script) else { panic!("it is another card") };
    assert_eq!(card.serial_number.last_four_digits(), "4321");
}

#[test]
fn a_card_that_refuses_an_amount_of_zero_is_asked_over_one_fen() {
    let mut script = opening();
    script.push(x(INIT_ZERO, "6A80"));
    script.push(x(INIT_FEN, "00002710 0007 000000 01 00 A1B2C3D4 9000"));
    assert!(matches!(outcome(&script), Outcome::NotDebited { by: NotDebitedBy::CounterUnchanged, .. }));
}

#[test]
fn a_card_that_refuses_to_initialise_can_still_prove_a_debit_by_its_log() {
    let refusing = |proof: &str, log: &[&str]| {
        let mut script = opening();
        script.extend([x(INIT_ZERO, "9402"), x(INIT_FEN, "9402"), x(PROVE, proof)]);
        script.extend(records(log));
        outcome(&script)
    };
    let debited = Outcome::Debited { record: ours(), proof: None, tac: None, balance: None };
    assert_eq!(refusing("9406", &[OURS]), debited);
    let failure = Failure { stage: Stage::InitPurchase, cause: Cause::Status(StatusWord::CounterAtMaximum) };
    let expected = Outcome::StillUnknown { why: StillUnknown::Failed(failure), proof: None };
    assert_eq!(refusing("9406", &["6A83"]), expected);
}

#[test]
fn a_blocked_card_settles_nothing() {
    let script = [x("00A4040009A0000000038698070100", "6A81")];
    let why = StillUnknown::Refused(Refusal::ApplicationBlocked);
    assert_eq!(outcome(&script), Outcome::StillUnknown { why, proof: None });
}

#[test]
fn f1_a_settlement_torn_at_any_exchange_leaves_the_purchase_unknown() {
    let script = card(9, 8900, PROVED, &[&later(9), OURS]);
    let stages = [
        Stage::Select,
        Stage::CardFile,
        Stage::InitPurchase,
        Stage::TransactionProof,
        Stage::LogRecord,
        Stage::LogRecord,
    ];
    for (exchange, torn) in tears(&script) {
        let why = StillUnknown::Failed(Failure { stage: stages[exchange], cause: Cause::NoAnswer });
        let proof = (exchange >= 4).then(proof);
        assert_eq!(outcome(&torn), Outcome::StillUnknown { why, proof });
    }
}

#[test]
fn an_intent_without_a_next_counter_ends_before_the_card_is_touched() {
    let intent = PurchaseIntent { counter: CardCounter::new(u16::MAX), ..intent() };
    let (_, step) = Settle::begin(Profile::city_union(), intent);
    assert!(matches!(step, Step::Done(Outcome::StillUnknown { why: StillUnknown::Contradiction, .. })));
}
