//! Each dialogue, whole.

use std::time::{Duration, Instant};

use gateway_core::{CardInput, CardVerdict, DialogueId, DialogueOrder, DialogueOutcome, NotRun, ReaderState};
use protocols::card::dialogue::Refusal;
use protocols::card::{proof, purchase, settle};
use tests::virtual_card::purse::CitizenCard;

use crate::script::{BALANCE, DEADLINE, Journal, KIOSK, PRICE, SERIAL, TERMINAL, balance, id, ready};

#[test]
fn a_card_is_identified_by_its_public_file_alone() {
    let Some((bench, mut script)) = ready("dialogues::a_card_is_identified_by_its_public_file_alone", "") else {
        return;
    };
    let ended = script.run(DialogueOrder::Identify);
    assert!(matches!(ended.outcome, DialogueOutcome::Proof(proof::Outcome::Refused(Refusal::Declined))), "{ended:?}");
    assert_eq!(&ended.identified.expect("told").serial_number.as_bytes()[2..], &SERIAL);
    assert_eq!(instructions(&bench.reader.card.trace()), [0xA4, 0xB0]);
    assert_eq!(bench.reader.card.chip(|card| card.holder_reads()), Some(0), "nobody asked for the holder's name");
}

#[test]
fn a_genuine_card_proves_itself_and_a_copy_does_not() {
    let Some((bench, mut script)) = ready("dialogues::a_genuine_card_proves_itself_and_a_copy_does_not", "") else {
        return;
    };
    let first = genuine(script.run(DialogueOrder::Proof).outcome);
    let second = genuine(script.run(DialogueOrder::Proof).outcome);
    assert_eq!(&first.serial_number.as_bytes()[2..], &SERIAL);
    assert_ne!(first.challenge, second.challenge, "each proof has a challenge of its own");
    bench.reader.card.chip(forge).expect("a card");
    let ended = script.run(DialogueOrder::Proof);
    assert!(matches!(ended.outcome, DialogueOutcome::Proof(proof::Outcome::NotGenuine)), "{ended:?}");
}

#[test]
fn a_purchase_debits_the_card_once_and_both_sides_agree() {
    let Some((bench, mut script)) = ready("dialogues::a_purchase_debits_the_card_once_and_both_sides_agree", "") else {
        return;
    };
    let ended = script.run(DialogueOrder::Purchase { amount: PRICE });
    let DialogueOutcome::Purchase(purchase::Outcome::Debited { intent, new_balance, .. }) = ended.outcome else {
        panic!("{ended:?}");
    };
    assert_eq!(Some(intent), ended.intent, "what was debited is what was recorded");
    assert_eq!(intent.terminal.as_bytes(), &TERMINAL);
    assert_eq!((new_balance.fen(), balance(&bench)), (BALANCE - PRICE, BALANCE - PRICE));
    assert_eq!(instructions(&bench.reader.card.trace()), [0xA4, 0xB0, 0x50, 0x54]);
    let settled = script.run(DialogueOrder::Settle { intent });
    assert!(matches!(settled.outcome, DialogueOutcome::Settle(settle::Outcome::Debited { .. })), "{settled:?}");
}

#[test]
fn a_declined_card_is_not_touched() {
    let Some((bench, mut script)) = ready("dialogues::a_declined_card_is_not_touched", "") else { return };
    script.verdict = CardVerdict::Declined;
    for order in [DialogueOrder::Purchase { amount: PRICE }, DialogueOrder::Proof] {
        let ended = script.run(order);
        assert!(ended.intent.is_none());
    }
    assert_eq!(balance(&bench), BALANCE);
    assert_eq!(instructions(&bench.reader.card.trace()), [0xA4, 0xB0, 0xA4, 0xB0]);
}

#[test]
fn an_intent_that_is_not_durable_in_time_debits_nothing() {
    let name = "dialogues::an_intent_that_is_not_durable_in_time_debits_nothing";
    let Some((bench, mut script)) = ready(name, "deadlines = { intent_wait_ms = 300 }") else { return };
    script.journal = Journal::Hangs;
    let ended = script.run(DialogueOrder::Purchase { amount: PRICE });
    let DialogueOutcome::Purchase(purchase::Outcome::Refused { refusal: Refusal::NotRecorded, intent }) = ended.outcome
    else {
        panic!("{ended:?}");
    };
    assert_eq!(intent, ended.intent);
    assert_eq!(balance(&bench), BALANCE);
    script.journal = Journal::Takes;
    script.buy();
}

fn genuine(outcome: DialogueOutcome) -> proof::Genuine {
    let DialogueOutcome::Proof(proof::Outcome::Genuine(genuine)) = outcome else { panic!("{outcome:?}") };
    genuine
}

fn forge(card: &mut CitizenCard) {
    let other = crate::script::card(crate::script::OTHER_SERIAL).state().keys.clone();
    card.alter(|state| state.keys = other).expect("no file");
}

fn instructions(trace: &[tests::virtual_card::Exchange]) -> Vec<u8> {
    trace.iter().filter_map(|exchange| exchange.command.get(1).copied()).collect()
}

#[test]
fn the_end_is_ordered_and_the_inputs_close() {
    let Some((_bench, mut script)) = ready("dialogues::the_end_is_ordered_and_the_inputs_close", "") else { return };
    let (dialogue, _) = script.purchase_until_intent();
    let readers = script.readers.take().expect("running");
    let stopping = std::thread::spawn(move || readers.stop(DEADLINE));
    let ended = script.end_of(dialogue);
    assert!(
        matches!(
            ended.outcome,
            DialogueOutcome::Purchase(purchase::Outcome::Refused { refusal: Refusal::NotRecorded, .. })
        ),
        "a dialogue that waits for the core gives up: {ended:?}"
    );
    assert_eq!(stopping.join().expect("no panic"), Ok(()));
    let late = script.handle.run(&id(KIOSK), DialogueId(99), DialogueOrder::Identify).expect_err("nobody is there");
    assert!(matches!(
        *late,
        CardInput::Done { dialogue: DialogueId(99), outcome: DialogueOutcome::NotRun(NotRun::NotTaken) }
    ));
}

#[test]
fn a_purchase_takes_far_less_than_a_second_from_the_card_to_its_end() {
    let name = "dialogues::a_purchase_takes_far_less_than_a_second_from_the_card_to_its_end";
    let Some((bench, mut script)) = ready(name, "") else { return };
    let (mut noticed, mut paid) = (Vec::new(), Vec::new());
    for _ in 0..10 {
        assert!(bench.reader.card.remove());
        script.until_reader(KIOSK, ReaderState::Empty);
        assert!(bench.reader.card.reinsert());
        assert!(bench.reader.card.wait_noticed(DEADLINE));
        let laid_on = Instant::now();
        script.until_reader(KIOSK, ReaderState::Card);
        noticed.push(laid_on.elapsed());
        let told = Instant::now();
        script.run(DialogueOrder::Identify);
        script.buy();
        paid.push(told.elapsed());
    }
    noticed.sort();
    paid.sort();
    println!("answer to reset fetched to told: median {:?}, worst {:?}", noticed[5], noticed[9]);
    println!("told to Done(Debited), identified first: median {:?}, worst {:?}", paid[5], paid[9]);
    assert!(paid[5] < Duration::from_millis(500), "{paid:?}");
}
