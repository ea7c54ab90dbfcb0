//! The proof of the card.

use protocols::card::card_file::CardFileError;
use protocols::card::crypto::{Challenge, ProofResponse};
use protocols::card::dialogue::{Cause, Failure, Refusal, Stage};
use protocols::card::profile::Profile;
use protocols::card::proof::{Genuine, Outcome, Proof, Step};
use protocols::card::status::StatusWord;
use protocols::card::value::{ApplicationSerialNumber, SerialNumberError};

use crate::script::{Line, fetched, octets, play, tears, x};

pub const CARD_FILE: &str = "0000310000000000 0101 00003100000012345678 20250101 20281231 0000";

pub fn begin() -> (Proof, Step) {
    Proof::begin(Profile::city_union(), Challenge::from_bytes(octets("1122334455667788")))
}

pub fn script() -> Vec<Line> {
    vec![
        x("00A4040009A0000000038698070100", "6F0B8409A00000000386980701 9000"),
        x("00B095001E", &format!("{CARD_FILE} 9000")),
        Line::Decide(true),
        x("00880000081122334455667788", "9C2B4DD8C4FEC173 9000"),
        x("801A0001083100000012345678", "9000"),
        x("80FA0000081122334455667788", "9C2B4DD8C4FEC173 9000"),
    ]
}

fn ending_with(at: usize, response: &str) -> Vec<Line> {
    let mut script = script();
    let Line::Exchange(command, _) = script[at].clone() else { panic!("line {at} is an exchange") };
    script.truncate(at);
    script.push(x(&command, response));
    script
}

#[test]
fn a_card_that_holds_its_key_is_genuine() {
    let serial_number = ApplicationSerialNumber::new(octets("00003100000012345678")).unwrap();
    let genuine = Outcome::Genuine(Genuine {
        serial_number,
        challenge: Challenge::from_bytes(octets("1122334455667788")),
        response: ProofResponse::from_bytes(octets("9C2B4DD8C4FEC173")),
    });
    let played = play(begin(), &script());
    assert_eq!(played.outcome, genuine);
    assert_eq!(played.cards[0].serial_number, serial_number);
    assert_eq!(play(begin(), &fetched(&script())).outcome, genuine);
}

#[test]
fn f4_an_answer_to_another_challenge_is_not_genuine() {
    assert_eq!(play(begin(), &ending_with(5, "9C2B4DD8C4FEC174 9000")).outcome, Outcome::NotGenuine);
    let mut replayed = script();
    replayed[3] = x("00880000081122334455667788", "0011223344556677 9000");
    assert_eq!(play(begin(), &replayed).outcome, Outcome::NotGenuine);
}

#[test]
fn f1_a_proof_torn_at_any_exchange_is_no_answer_there() {
    let stages =
        [Stage::Select, Stage::CardFile, Stage::InternalAuthenticate, Stage::PsamProofInit, Stage::PsamProofCrypt];
    for (exchange, torn) in tears(&script()) {
        assert_eq!(play(begin(), &torn).outcome, Outcome::NoAnswer(stages[exchange]));
    }
}

#[test]
fn cards_that_cannot_be_used_are_refused_by_name() {
    let failed = |stage, cause| Refusal::Failed(Failure { stage, cause });
    for (at, response, refusal) in [
        (0, "6A82", Refusal::OtherScheme),
        (0, "6F0A8408A000000632010105 9000", Refusal::OtherScheme),
        (0, "6F0B8409A00000000386980701 6A81", Refusal::ApplicationBlocked),
        (0, "6283", Refusal::ApplicationBlocked),
        (0, "9303", Refusal::ApplicationBlocked),
        (0, "6E00", failed(Stage::Select, Cause::Status(StatusWord::ClassNotSupported))),
        (1, "9000", Refusal::CardFile(CardFileError::Length { found: 0 })),
        (1, "6A82", failed(Stage::CardFile, Cause::Status(StatusWord::NotFound))),
        (3, "6D00", failed(Stage::InternalAuthenticate, Cause::Status(StatusWord::InstructionNotSupported))),
        (3, "9C2B 9000", failed(Stage::InternalAuthenticate, Cause::Malformed)),
        (4, "9403", failed(Stage::PsamProofInit, Cause::Status(StatusWord::KeyIndexNotSupported))),
        (5, "9C2B4DD8C4FEC17300 9000", failed(Stage::PsamProofCrypt, Cause::Malformed)),
    ] {
        assert_eq!(play(begin(), &ending_with(at, response)).outcome, Outcome::Refused(refusal), "{at} {response}");
    }
    let blank = "0000310000000000 0101 00000000000000000000 20250101 20281231 0000 9000";
    let refusal = Refusal::CardFile(CardFileError::SerialNumber(SerialNumberError::AllZero));
    assert_eq!(play(begin(), &ending_with(1, blank)).outcome, Outcome::Refused(refusal));
}

#[test]
fn an_fci_that_is_empty_or_malformed_leaves_the_decision_to_the_card_file() {
    for fci in ["", "6F05", "6F80", "8484848484"] {
        let mut script = script();
        script[0] = x("00A4040009A0000000038698070100", &format!("{fci} 9000"));
        assert!(matches!(play(begin(), &script).outcome, Outcome::Genuine(_)), "{fci}");
    }
}

#[test]
fn f12_a_declined_card_is_asked_nothing_more() {
    let mut script = script();
    script.truncate(2);
    script.push(Line::Decide(false));
    assert_eq!(play(begin(), &script).outcome, Outcome::Refused(Refusal::Declined));
}
