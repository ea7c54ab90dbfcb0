//! A look at a card.

use protocols::card::crypto::{Challenge, ProofResponse};
use protocols::card::dialogue::{Refusal, Stage};
use protocols::card::look::{Look, Outcome, Step};
use protocols::card::profile::Profile;

use crate::proof::CARD_FILE;
use crate::script::{Line, fetched, octets, play, tears, x};

pub fn begin() -> (Look, Step) {
    Look::begin(Profile::city_union(), Challenge::from_bytes(octets("1122334455667788")))
}

pub fn script() -> Vec<Line> {
    vec![
        x("00A4040009A0000000038698070100", "6F0B8409A00000000386980701 9000"),
        x("00B095001E", &format!("{CARD_FILE} 9000")),
        Line::Decide(true),
        // The top bit of a balance is junk on some cards.
        x("805C000204", "800186A0 9000"),
        x("00880000081122334455667788", "9C2B4DD8C4FEC173 9000"),
    ]
}

/// Balance in fen, and whether there is a proof.
fn seen(outcome: Outcome) -> (Option<u32>, bool) {
    let Outcome::Seen(seen) = outcome else { panic!("{outcome:?}") };
    assert_eq!(seen.card.serial_number.to_hex().as_str(), "00003100000012345678");
    (seen.balance.map(|balance| balance.fen()), seen.proof.is_some())
}

#[test]
fn a_look_reads_the_purse_and_has_the_card_prove_itself() {
    let played = play(begin(), &script());
    assert_eq!(seen(played.outcome), (Some(100_000), true));
    let Outcome::Seen(found) = played.outcome else { panic!("seen") };
    let expected =
        (Challenge::from_bytes(octets("1122334455667788")), ProofResponse::from_bytes(octets("9C2B4DD8C4FEC173")));
    assert_eq!(found.proof, Some(expected));
    assert_eq!(seen(play(begin(), &fetched(&script())).outcome), (Some(100_000), true));
}

#[test]
fn a_card_that_goes_away_or_refuses_shows_what_it_has_shown() {
    let outcomes: Vec<Outcome> = tears(&script()).map(|(_, torn)| play(begin(), &torn).outcome).collect();
    for outcome in &outcomes {
        let fits = match outcome {
            Outcome::NoAnswer(stage) => [Stage::Select, Stage::CardFile].contains(stage),
            Outcome::Seen(seen) => seen.proof.is_none(),
            Outcome::Refused(_) => false,
        };
        assert!(fits, "{outcome:?}");
    }
    assert!(outcomes.iter().any(|outcome| matches!(outcome, Outcome::NoAnswer(_))));
    let mut without_balance = script();
    without_balance[3] = x("805C000204", "6D00");
    assert_eq!(seen(play(begin(), &without_balance).outcome), (None, true), "no balance, but a proof");
    let mut without_proof = script();
    without_proof[4] = x("00880000081122334455667788", "6982");
    assert_eq!(seen(play(begin(), &without_proof).outcome), (Some(100_000), false));
}

#[test]
fn a_card_of_another_scheme_is_refused_and_a_declined_one_is_asked_nothing_more() {
    let other = vec![x("00A4040009A0000000038698070100", "6A82")];
    assert_eq!(play(begin(), &other).outcome, Outcome::Refused(Refusal::OtherScheme));
    let mut declined = script();
    declined.truncate(2);
    declined.push(Line::Decide(false));
    assert_eq!(seen(play(begin(), &declined).outcome), (None, false));
}
