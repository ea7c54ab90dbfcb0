//! The purchase from the purse, on the project's own vector F.

use protocols::card::apdu::{Command, Response};
use protocols::card::crypto::{Mac1, MasterKey};
use protocols::card::date::{CardDate, CardTime};
use protocols::card::dialogue::{Cause, Failure, Refusal, Stage};
use protocols::card::intent::PurchaseIntent;
use protocols::card::profile::Profile;
use protocols::card::psam::PsamIdentity;
use protocols::card::purchase::{Doubt, Order, Outcome, Purchase, Step, proves_no_debit};
use protocols::card::purse::DebitAnswer;
use protocols::card::status::StatusWord;
use protocols::card::value::{
    AlgorithmId, ApplicationSerialNumber, CardAmount, CardCounter, KeyVersion, PsamSerial, TerminalId,
    TerminalSequence, TransactionType,
};

use crate::proof::CARD_FILE;
use crate::script::{Line, bytes, fetched, octets, play, tears, x};

pub const DEBIT: &str = "805401000F0000002A202611230930007518DF3808";

pub fn order() -> Order {
    Order {
        profile: Profile::city_union(),
        psam: PsamIdentity {
            serial: PsamSerial::from_bytes(octets("31000000000000000042")),
            terminal: TerminalId::from_bytes(octets("310000000042")),
        },
        amount: CardAmount::new(1000).unwrap(),
        date: CardDate::new(2026, 11, 23).unwrap(),
        time: CardTime::new(9, 30, 0).unwrap(),
    }
}

pub fn begin() -> (Purchase, Step) {
    Purchase::begin(order())
}

pub fn intent() -> PurchaseIntent {
    PurchaseIntent {
        serial_number: ApplicationSerialNumber::new(octets("00003100000012345678")).unwrap(),
        counter: CardCounter::new(7),
        old_balance: CardAmount::new(10_000).unwrap(),
        amount: CardAmount::new(1000).unwrap(),
        kind: TransactionType::EP_PURCHASE,
        terminal: TerminalId::from_bytes(octets("310000000042")),
        psam: PsamSerial::from_bytes(octets("31000000000000000042")),
        terminal_sequence: TerminalSequence::new(0x2A),
        date: CardDate::new(2026, 11, 23).unwrap(),
        time: CardTime::new(9, 30, 0).unwrap(),
        mac1: Mac1::from_bytes(octets("7518DF38")),
        key_version: KeyVersion::new(1),
        algorithm: AlgorithmId::TRIPLE_DES,
    }
}

fn debit() -> DebitAnswer {
    DebitAnswer::parse(&bytes("5F169176BF4EAC96")).unwrap()
}

fn debited() -> Outcome {
    Outcome::Debited { intent: intent(), debit: debit(), new_balance: CardAmount::new(9000).unwrap() }
}

pub fn script() -> Vec<Line> {
    vec![
        x("00A4040009A0000000038698070100", "6F0B8409A00000000386980701 9000"),
        x("00B095001E", &format!("{CARD_FILE} 9000")),
        Line::Decide(true),
        // The junk top bit of the balance is set.
        x("805001020B01000003E83100000000420F", "80002710 0007 000000 01 00 A1B2C3D4 9000"),
        x("807000001C A1B2C3D4 0007 000003E8 06 20261123 093000 01 00 3100000012345678", "0000002A 7518DF38 9000"),
        Line::Record(true),
        x(DEBIT, "5F169176 BF4EAC96 9000"),
        x("8072000004BF4EAC96", "9000"),
    ]
}

const INIT: usize = 3;
const PSAM_INIT: usize = 4;
const RECORD: usize = 5;
const DEBITING: usize = 6;
const CREDITING: usize = 7;

fn ending_with(at: usize, response: &[u8]) -> Vec<Line> {
    let mut script = script();
    let Line::Exchange(command, _) = script[at].clone() else { panic!("line {at} is an exchange") };
    script.truncate(at);
    script.push(Line::Exchange(command, response.to_vec()));
    script
}

#[test]
fn a_purchase_debits_the_card_and_yields_its_tac() {
    let played = play(begin(), &script());
    assert_eq!(played.outcome, debited());
    assert_eq!(played.intents, [intent()]);
    let tac_key = MasterKey::from_hex("202122232425262728292A2B2C2D2E2F")
        .unwrap()
        .diversify(&intent().serial_number.factor())
        .tac_key();
    assert_eq!(tac_key.purchase_tac(&intent().transaction(), intent().terminal_sequence), debit().tac);
}

#[test]
fn cards_that_answer_in_two_parts_or_correct_le_pay_the_same() {
    assert_eq!(play(begin(), &fetched(&script())).outcome, debited());
    let corrected = script().into_iter().flat_map(|line| match &line {
        // Neither command may be sent twice, and a card has no reason to correct them.
        Line::Exchange(command, _) if command == DEBIT || command.starts_with("8072") => vec![line],
        Line::Exchange(command, response) if response.len() > 2 => {
            let length = u8::try_from(response.len() - 2).unwrap();
            let again = Command::parse(&bytes(command)).unwrap();
            let again = again.with_expected(protocols::card::apdu::ExpectedLength::from_le(length));
            vec![
                Line::Exchange(command.clone(), vec![0x6C, length]),
                Line::Exchange(hex::encode_upper(again.to_bytes()), response.clone()),
            ]
        }
        Line::Exchange(..) | Line::Tear(_) | Line::Decide(_) | Line::Record(_) => vec![line],
    });
    assert_eq!(play(begin(), &corrected.collect::<Vec<_>>()).outcome, debited());
}

#[test]
fn the_authentication_code_of_a_cjt_card_reaches_the_psam() {
    let mut order = order();
    order.profile.auth_code = true;
    let mut script = script();
    script.insert(3, x("80CA000009", "8588D32B7688D32B76 9000"));
    script[5] = x(
        "8070000025 A1B2C3D4 0007 000003E8 06 20261123 093000 01 00 3100000012345678 8588D32B7688D32B76",
        "0000002A 7518DF38 9000",
    );
    assert_eq!(play(Purchase::begin(order), &script).outcome, debited());
}

#[test]
fn f1_a_purchase_torn_at_any_exchange_is_refused_before_the_debit_and_unknown_after_it() {
    let before = [Stage::Select, Stage::CardFile, Stage::InitPurchase, Stage::PsamInitPurchase];
    for (exchange, torn) in tears(&script()) {
        let expected = match exchange {
            0..=3 => {
                let refusal = Refusal::Failed(Failure { stage: before[exchange], cause: Cause::NoAnswer });
                Outcome::Refused { refusal, intent: None }
            }
            4 => Outcome::Unknown { intent: intent(), why: Doubt::Debit(Cause::NoAnswer), debit: None },
            _ => Outcome::Unknown { intent: intent(), why: Doubt::Psam(Cause::NoAnswer), debit: Some(debit()) },
        };
        assert_eq!(play(begin(), &torn).outcome, expected);
    }
}

#[test]
fn a_debit_torn_while_its_answer_is_fetched_is_unknown() {
    for line in [Line::Tear("00C0000008".into()), x("00C0000008", "6985"), x("00C0000008", "9302")] {
        let mut script = ending_with(DEBITING, &bytes("6108"));
        script.push(line);
        assert!(matches!(play(begin(), &script).outcome, Outcome::Unknown { debit: None, .. }));
    }
}

#[test]
fn only_the_words_of_the_table_make_a_debit_refused_and_no_word_sends_it_again() {
    let refusing = [
        0x6700, 0x6900, 0x6901, 0x6985, 0x6982, 0x6A81, 0x9303, 0x6A86, 0x6D00, 0x6E00, 0x9301, 0x9401, 0x9302, 0x9402,
        0x9403,
    ];
    for word in (0..=u16::MAX).filter(|word| word >> 8 != 0x61) {
        assert_eq!(proves_no_debit(StatusWord::from_u16(word)), refusing.contains(&word), "{word:04X}");
        if word % 16 > 5 && word & 0xFF00 != 0x6C00 {
            continue;
        }
        let played = play(begin(), &ending_with(DEBITING, &word.to_be_bytes()));
        assert_eq!(played.stages.iter().filter(|stage| **stage == Stage::Debit).count(), 1);
        if refusing.contains(&word) {
            let Outcome::Refused { intent: recorded, .. } = played.outcome else { panic!("{word:04X} refuses") };
            assert_eq!(recorded, Some(intent()));
        } else {
            assert!(matches!(played.outcome, Outcome::Unknown { debit: None, .. }), "{word:04X} tells nothing");
        }
    }
}

#[test]
fn a_debit_answered_with_a_wrong_length_is_unknown() {
    for data in [&[0; 0][..], &[0; 7], &[0; 9], &[0; 256]] {
        let response = Response::new(data, StatusWord::Success).unwrap();
        let outcome = play(begin(), &ending_with(DEBITING, &response.to_bytes())).outcome;
        assert_eq!(outcome, Outcome::Unknown { intent: intent(), why: Doubt::Debit(Cause::Malformed), debit: None });
    }
    let outcome = play(begin(), &ending_with(DEBITING, &[0x90; 65_538])).outcome;
    assert_eq!(outcome, Outcome::Unknown { intent: intent(), why: Doubt::Debit(Cause::Malformed), debit: None });
}

#[test]
fn a_mac2_that_the_psam_did_not_accept_is_never_paid() {
    for (word, why) in [
        ("9302", Doubt::Mac2Rejected),
        ("6985", Doubt::Psam(Cause::Status(StatusWord::ConditionsNotSatisfied))),
        ("6C08", Doubt::Psam(Cause::Status(StatusWord::WrongExpectedLength(8)))),
    ] {
        let outcome = play(begin(), &ending_with(CREDITING, &bytes(word))).outcome;
        assert_eq!(outcome, Outcome::Unknown { intent: intent(), why, debit: Some(debit()) });
    }
}

#[test]
fn a_purse_that_cannot_pay_is_refused_before_the_psam_is_asked() {
    let refused = |response: &str| {
        let outcome = play(begin(), &ending_with(INIT, &bytes(response))).outcome;
        let Outcome::Refused { refusal, intent: None } = outcome else { panic!("{outcome:?}") };
        refusal
    };
    let balance = Some(CardAmount::new(999).unwrap());
    let rest = "000000 01 00 A1B2C3D4 9000";
    assert_eq!(refused(&format!("000003E7 0007 {rest}")), Refusal::InsufficientBalance { balance });
    assert_eq!(refused(&format!("800003E7 0007 {rest}")), Refusal::InsufficientBalance { balance });
    assert_eq!(refused("000003E7 0007 0FFFFF 01 00 A1B2C3D4 9000"), Refusal::InsufficientBalance { balance });
    assert_eq!(refused("9401"), Refusal::InsufficientBalance { balance: None });
    assert_eq!(refused("9301"), Refusal::InsufficientBalance { balance: None });
    assert_eq!(refused(&format!("00002710 FFFF {rest}")), Refusal::CounterExhausted);
    assert_eq!(refused("9402"), Refusal::CounterExhausted);
    assert_eq!(refused("9303"), Refusal::ApplicationBlocked);
    assert_eq!(
        refused("00002710 0007 000000 01 04 A1B2C3D4 9000"),
        Refusal::Algorithm(AlgorithmId::new(4).supported().unwrap_err())
    );
    let malformed = Failure { stage: Stage::InitPurchase, cause: Cause::Malformed };
    assert_eq!(refused("00002710 0007 9000"), Refusal::Failed(malformed));
}

#[test]
fn a_purchase_of_the_whole_balance_is_possible() {
    let mut script = script();
    script[INIT] = x("805001020B01000003E83100000000420F", "000003E8 0007 000000 01 00 A1B2C3D4 9000");
    let outcome = play(begin(), &script).outcome;
    assert!(matches!(outcome, Outcome::Debited { new_balance: CardAmount::ZERO, .. }), "{outcome:?}");
}

#[test]
fn g1_a_purchase_of_nothing_ends_before_the_card_is_touched() {
    let (_, step) = Purchase::begin(Order { amount: CardAmount::ZERO, ..order() });
    assert_eq!(step, Step::Done(Outcome::Refused { refusal: Refusal::AmountZero, intent: None }));
}

#[test]
fn a_psam_that_does_not_serve_the_card_refuses_before_the_intent() {
    let outcome = play(begin(), &ending_with(PSAM_INIT, &bytes("9403"))).outcome;
    let cause = Cause::Status(StatusWord::KeyIndexNotSupported);
    let refusal = Refusal::Failed(Failure { stage: Stage::PsamInitPurchase, cause });
    assert_eq!(outcome, Outcome::Refused { refusal, intent: None });
}

#[test]
fn an_intent_that_is_not_durable_debits_nothing() {
    let mut script = script();
    script.truncate(RECORD);
    script.push(Line::Record(false));
    let played = play(begin(), &script);
    assert_eq!(played.outcome, Outcome::Refused { refusal: Refusal::NotRecorded, intent: Some(intent()) });
    assert!(!played.stages.contains(&Stage::Debit));
}

#[test]
fn f12_a_declined_card_is_asked_nothing_more() {
    let mut script = script();
    script.truncate(2);
    script.push(Line::Decide(false));
    assert_eq!(play(begin(), &script).outcome, Outcome::Refused { refusal: Refusal::Declined, intent: None });
}

#[test]
fn an_intent_reads_back_from_its_text() {
    let text = serde_json::to_string(&intent()).unwrap();
    assert_eq!(
        text,
        concat!(
            r#"{"serial_number":"00003100000012345678","counter":7,"old_balance":10000,"amount":1000,"kind":6,"#,
            r#""terminal":"310000000042","psam":"31000000000000000042","terminal_sequence":42,"date":"20261123","#,
            r#""time":"093000","mac1":"7518df38","key_version":1,"algorithm":0}"#
        )
    );
    assert_eq!(serde_json::from_str::<PurchaseIntent>(&text).unwrap(), intent());
    assert!(!format!("{:?}", intent()).contains("12345678"), "the card number is hidden in debug output");
}
