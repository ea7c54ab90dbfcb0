//! Cards and PSAMs that come, go, are swapped or fall silent.

use std::time::{Duration, Instant};

use gateway_core::{DialogueOrder, DialogueOutcome, NotRun, ReaderState};
use protocols::card::dialogue::{Cause, Failure, Refusal, Stage};
use protocols::card::{proof, purchase, settle};
use tests::virtual_card::card_state::CardState;
use tests::virtual_card::purse::CitizenCard;
use tests::virtual_card::{Act, CardBench, Fault, When};

use crate::script::{
    BALANCE, DEADLINE, KIOSK, OTHER_SERIAL, OTHER_TERMINAL, PRICE, SERIAL, Script, TERMINAL, balance, card, psam,
    ready, settings,
};

/// Mute long after every test has ended.
const FOR_EVER: Duration = Duration::from_secs(600);
const QUICK: &str = "deadlines = { mute_ms = 500 }";

#[test]
fn a_card_is_told_once_each_time_it_is_laid_on() {
    let Some((bench, mut script)) = ready("presence::a_card_is_told_once_each_time_it_is_laid_on", "") else { return };
    script.buy();
    for _ in 0..2 {
        assert!(bench.reader.card.remove());
        assert_eq!(script.change_of(KIOSK), ReaderState::Empty);
        assert!(bench.reader.card.reinsert());
        assert_eq!(script.change_of(KIOSK), ReaderState::Card);
        script.buy();
    }
}

#[test]
fn without_a_card_nothing_is_run() {
    let Some((bench, mut script)) = ready("presence::without_a_card_nothing_is_run", "") else { return };
    assert!(bench.reader.card.remove());
    script.until_reader(KIOSK, ReaderState::Empty);
    for order in [DialogueOrder::Identify, DialogueOrder::Proof, DialogueOrder::Purchase { amount: PRICE }] {
        assert!(matches!(script.run(order).outcome, DialogueOutcome::NotRun(NotRun::NoCard)));
    }
}

#[test]
fn another_card_in_mid_purchase_is_not_charged_for_the_first() {
    let name = "presence::another_card_in_mid_purchase_is_not_charged_for_the_first";
    let Some((bench, mut script)) = ready(name, "") else { return };
    let (dialogue, intent) = script.purchase_until_intent();
    let first = bench.reader.card.insert(card(OTHER_SERIAL)).expect("it was there");
    script.handle.proceed(dialogue);
    let ended = script.end_of(dialogue);
    let DialogueOutcome::Purchase(purchase::Outcome::Refused { .. } | purchase::Outcome::Unknown { .. }) =
        ended.outcome
    else {
        panic!("{ended:?}");
    };
    assert_eq!((first.state().balance_fen.fen(), balance(&bench)), (BALANCE, BALANCE));
    assert!(bench.reader.card.wait_noticed(DEADLINE));
    script.until_reader(KIOSK, ReaderState::Card);
    let settled = loop {
        // pcscd may have seen the swap, or may see it while this runs.
        match script.run(DialogueOrder::Settle { intent }).outcome {
            DialogueOutcome::NotRun(_) => script.until_reader(KIOSK, ReaderState::Card),
            DialogueOutcome::Settle(settle::Outcome::StillUnknown { .. }) => {}
            other @ (DialogueOutcome::Settle(_)
            | DialogueOutcome::Proof(_)
            | DialogueOutcome::Look(_)
            | DialogueOutcome::Purchase(_)) => {
                break other;
            }
        }
    };
    assert!(matches!(settled, DialogueOutcome::Settle(settle::Outcome::OtherCard(_))), "{settled:?}");
    script.buy();
    assert_eq!(balance(&bench), BALANCE - PRICE);
}

#[test]
fn a_mute_card_is_told_and_the_next_card_pays() {
    let Some((bench, mut script)) = ready("presence::a_mute_card_is_told_and_the_next_card_pays", QUICK) else {
        return;
    };
    for index in 0..4 {
        bench.reader.card.arm(Fault::mute(When::Index(index), FOR_EVER));
        let started = Instant::now();
        let ended = script.run(DialogueOrder::Purchase { amount: PRICE });
        assert!(started.elapsed() < Duration::from_secs(5), "the core is not kept waiting");
        assert_eq!(script.states.values().copied().collect::<Vec<_>>(), [ReaderState::Mute]);
        let doubt = matches!(ended.outcome, DialogueOutcome::Purchase(purchase::Outcome::Unknown { .. }));
        assert_eq!(doubt, index == 3, "{ended:?}");
        assert!(
            matches!(script.run(DialogueOrder::Identify).outcome, DialogueOutcome::NotRun(NotRun::CardMute)),
            "it lies there mute"
        );
        assert!(bench.reader.card.remove());
        script.until_reader(KIOSK, ReaderState::Empty);
        assert!(bench.reader.card.insert(card(SERIAL)).is_some());
        script.until_reader(KIOSK, ReaderState::Card);
        script.buy();
        assert_eq!(balance(&bench), BALANCE - PRICE);
    }
}

#[test]
fn a_card_that_answers_late_does_not_disturb_the_next_dialogue() {
    let name = "presence::a_card_that_answers_late_does_not_disturb_the_next_dialogue";
    let Some((bench, mut script)) = ready(name, QUICK) else { return };
    bench.reader.card.arm(Fault::mute(When::Ins(0x54), Duration::from_millis(1_200)));
    let ended = script.run(DialogueOrder::Purchase { amount: PRICE });
    let intent = ended.intent.expect("recorded");
    assert!(matches!(ended.outcome, DialogueOutcome::Purchase(purchase::Outcome::Unknown { .. })), "{ended:?}");
    assert!(bench.reader.card.remove());
    script.until_reader(KIOSK, ReaderState::Empty);
    assert!(bench.reader.card.reinsert());
    script.until_reader(KIOSK, ReaderState::Card);
    let settled = script.run(DialogueOrder::Settle { intent });
    assert!(matches!(settled.outcome, DialogueOutcome::Settle(settle::Outcome::Debited { .. })), "{settled:?}");
    assert_eq!(balance(&bench), BALANCE - PRICE, "the late debit was made, once");
}

#[test]
fn a_psam_is_told_when_it_goes_comes_back_or_is_another() {
    let name = "presence::a_psam_is_told_when_it_goes_comes_back_or_is_another";
    let Some((bench, mut script)) = ready(name, "") else { return };
    assert_eq!(script.psam.map(|psam| *psam.terminal.as_bytes()), Some(TERMINAL));
    assert!(bench.reader.psam.remove());
    script.until(|script| script.psam.is_none());
    assert!(matches!(
        script.run(DialogueOrder::Purchase { amount: PRICE }).outcome,
        DialogueOutcome::NotRun(NotRun::PsamGone)
    ));
    assert!(
        matches!(script.run(DialogueOrder::Identify).outcome, DialogueOutcome::Proof(_)),
        "a card needs no PSAM to be read"
    );
    assert!(bench.reader.psam.reinsert());
    script.until(|script| script.psam.is_some());
    script.buy();
    assert!(bench.reader.psam.remove());
    script.until(|script| script.psam.is_none());
    assert!(bench.reader.psam.insert(psam(OTHER_TERMINAL)).is_some());
    script.until(|script| script.psam.is_some());
    assert_eq!(script.psam.map(|psam| *psam.terminal.as_bytes()), Some(OTHER_TERMINAL));
    script.buy();
}

#[test]
fn a_mute_psam_is_gone_until_it_speaks_again() {
    let Some((bench, mut script)) = ready("presence::a_mute_psam_is_gone_until_it_speaks_again", QUICK) else { return };
    bench.reader.psam.arm(Fault::mute(When::Any, Duration::from_millis(1_500)));
    let ended = script.run(DialogueOrder::Proof);
    let silent = DialogueOutcome::Proof(proof::Outcome::NoAnswer(Stage::PsamProofInit));
    assert_eq!(format!("{:?}", ended.outcome), format!("{silent:?}"));
    script.until(|script| script.psam.is_none());
    script.until(|script| script.psam.is_some());
    script.buy();
}

#[test]
fn whatever_a_card_answers_nothing_breaks() {
    let Some((bench, mut script)) = ready("presence::whatever_a_card_answers_nothing_breaks", "") else { return };
    let answers = [vec![0x90], vec![0x6C, 0x00], vec![0x61, 0x00], vec![0xFF; 259], vec![0xFF; 60_000]];
    for answer in answers {
        for index in 0..4 {
            bench.reader.card.arm(Fault::once(When::Index(index), Act::AnswerWithoutExecuting(answer.clone())));
            let before = balance(&bench);
            let ended = script.run(DialogueOrder::Purchase { amount: PRICE });
            bench.reader.card.disarm();
            let DialogueOutcome::Purchase(outcome) = ended.outcome else { panic!("{ended:?}") };
            let debited = matches!(outcome, purchase::Outcome::Debited { .. });
            let doubt = matches!(outcome, purchase::Outcome::Unknown { .. });
            assert!(doubt || balance(&bench) == before - if debited { PRICE } else { 0 }, "{outcome:?}");
            bench.reader.card.remove();
            script.until_reader(KIOSK, ReaderState::Empty);
            bench.reader.card.insert(card(SERIAL));
            script.until_reader(KIOSK, ReaderState::Card);
        }
    }
    script.buy();
}

#[test]
fn a_card_with_any_answer_to_reset_is_dealt_with_and_the_next_one_pays() {
    let name = "presence::a_card_with_any_answer_to_reset_is_dealt_with_and_the_next_one_pays";
    let Some(bench) = CardBench::in_own_process(name) else { return };
    bench.reader.psam.insert(psam(TERMINAL));
    let mut script = Script::start(&settings(""));
    script.until_reader(KIOSK, ReaderState::Empty);
    for length in [1, 2, 33, 34, 64, 300] {
        let atr = vec![0x3B; length];
        bench.reader.card.insert(CitizenCard::new(CardState { atr, ..CardState::new(SERIAL) }));
        let state = script.change_of(KIOSK);
        // pcscd takes up to 33 octets for an answer to reset, whatever they say.
        assert_eq!(state, if length > 33 { ReaderState::Mute } else { ReaderState::Card }, "{length}");
        let ended = script.run(DialogueOrder::Identify);
        assert!(
            matches!(
                ended.outcome,
                DialogueOutcome::NotRun(NotRun::CardMute | NotRun::CardForeign) | DialogueOutcome::Proof(_)
            ),
            "{length}: {ended:?}"
        );
        bench.reader.card.take();
        script.until_reader(KIOSK, ReaderState::Empty);
    }
    bench.reader.card.insert(card(SERIAL));
    script.until_ready();
    script.buy();
}

#[test]
fn a_card_of_another_scheme_is_refused_without_a_write() {
    let name = "presence::a_card_of_another_scheme_is_refused_without_a_write";
    let Some((bench, mut script)) = ready(name, "profile = { aid = 'A000000632010105' }") else { return };
    let ended = script.run(DialogueOrder::Purchase { amount: PRICE });
    let refused = purchase::Outcome::Refused { refusal: Refusal::OtherScheme, intent: None };
    assert_eq!(format!("{:?}", ended.outcome), format!("{:?}", DialogueOutcome::Purchase(refused)));
    assert_eq!(bench.reader.card.trace().len(), 1);
    bench.reader.card.arm(Fault::once(When::Any, Act::AnswerInstead(vec![0x6F, 0x00])));
    let ended = script.run(DialogueOrder::Proof);
    let DialogueOutcome::Proof(proof::Outcome::Refused(Refusal::Failed(Failure { stage, cause }))) = ended.outcome
    else {
        panic!("{ended:?}");
    };
    assert!(stage == Stage::Select && matches!(cause, Cause::Status(_)));
}
