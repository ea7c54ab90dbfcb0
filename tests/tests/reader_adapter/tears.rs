//! A card or PSAM torn before or after each command of both dialogues: what the card holds is what the dialogues say.

use gateway_core::{DialogueOrder, DialogueOutcome, ReaderState};
use protocols::card::dialogue::{Cause, Failure, Refusal, Stage};
use protocols::card::intent::PurchaseIntent;
use protocols::card::{proof, purchase, settle};
use tests::virtual_card::{CardBench, Fault, Presence, When};

use crate::script::{Ended, KIOSK, PRICE, Script, balance, ready};

/// Commands of a purchase to the card: SELECT, file 0x15, INITIALIZE, DEBIT. A proof has one less.
const CARD_COMMANDS: usize = 4;
/// Commands of either dialogue to the PSAM.
const PSAM_COMMANDS: usize = 2;

/// Which chip is torn at which of its commands.
#[derive(Clone, Copy, Debug)]
enum Torn {
    Card(usize),
    Psam(usize),
}

fn rounds(card_commands: usize) -> impl Iterator<Item = (Torn, bool)> {
    let card = (0..card_commands).map(Torn::Card);
    let psam = (0..PSAM_COMMANDS).map(Torn::Psam);
    card.chain(psam).flat_map(|torn| [(torn, false), (torn, true)])
}

#[test]
fn a_purchase_torn_at_any_command_charges_exactly_when_it_says_so() {
    let name = "tears::a_purchase_torn_at_any_command_charges_exactly_when_it_says_so";
    let Some((bench, mut script)) = ready(name, "") else { return };
    let mut seen = Vec::new();
    for (torn, after) in rounds(CARD_COMMANDS) {
        let before = balance(&bench);
        arm(&bench, torn, after);
        let ended = script.run(DialogueOrder::Purchase { amount: PRICE });
        let intent = ended.intent;
        let first = judged(ended);
        put_back(&bench, &mut script);
        let charged = match first {
            Judged::Charged => true,
            Judged::NotCharged => false,
            Judged::Unknown => settled(&mut script, intent.expect("a debit has an intent")),
        };
        let spent = before - balance(&bench);
        assert_eq!(spent, if charged { PRICE } else { 0 }, "{torn:?}, after: {after}, {first:?}");
        seen.push((torn, after, first));
        script.buy();
    }
    let unknown = seen.iter().filter(|(.., judged)| *judged == Judged::Unknown).count();
    // DEBIT before and after, and CREDIT_SAM before and after: nothing else may leave a doubt.
    assert_eq!(unknown, 4, "{seen:?}");
}

#[test]
fn a_proof_torn_at_any_command_is_no_answer_and_the_next_one_succeeds() {
    let name = "tears::a_proof_torn_at_any_command_is_no_answer_and_the_next_one_succeeds";
    let Some((bench, mut script)) = ready(name, "") else { return };
    for (torn, after) in rounds(CARD_COMMANDS - 1) {
        arm(&bench, torn, after);
        let ended = script.run(DialogueOrder::Proof);
        assert!(matches!(ended.outcome, DialogueOutcome::Proof(proof::Outcome::NoAnswer(_))), "{torn:?}: {ended:?}");
        put_back(&bench, &mut script);
        let ended = script.run(DialogueOrder::Proof);
        assert!(matches!(ended.outcome, DialogueOutcome::Proof(proof::Outcome::Genuine(_))), "{torn:?}: {ended:?}");
    }
}

#[test]
fn a_card_taken_away_while_the_intent_is_recorded_is_refused_without_a_doubt() {
    let name = "tears::a_card_taken_away_while_the_intent_is_recorded_is_refused_without_a_doubt";
    let Some((bench, mut script)) = ready(name, "") else { return };
    let before = balance(&bench);
    let (dialogue, intent) = script.purchase_until_intent();
    assert!(bench.reader.card.remove());
    script.until_reader(KIOSK, ReaderState::Empty);
    script.handle.proceed(dialogue);
    let ended = script.end_of(dialogue);
    let gone = Refusal::Failed(Failure { stage: Stage::Debit, cause: Cause::NoAnswer });
    let refused = purchase::Outcome::Refused { refusal: gone, intent: Some(intent) };
    assert_eq!(format!("{:?}", ended.outcome), format!("{:?}", DialogueOutcome::Purchase(refused)));
    assert!(bench.reader.card.reinsert());
    script.until_reader(KIOSK, ReaderState::Card);
    assert_eq!(balance(&bench), before);
    script.buy();
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judged {
    Charged,
    NotCharged,
    Unknown,
}

fn judged(ended: Ended) -> Judged {
    match ended.outcome {
        DialogueOutcome::Purchase(purchase::Outcome::Debited { .. }) => Judged::Charged,
        DialogueOutcome::Purchase(purchase::Outcome::Refused { .. }) => Judged::NotCharged,
        DialogueOutcome::Purchase(purchase::Outcome::Unknown { .. }) => Judged::Unknown,
        DialogueOutcome::Proof(_)
        | DialogueOutcome::Settle(_)
        | DialogueOutcome::Look(_)
        | DialogueOutcome::NotRun(_) => panic!("{ended:?}"),
    }
}

/// The next tap settles it.
fn settled(script: &mut Script, intent: PurchaseIntent) -> bool {
    let ended = script.run(DialogueOrder::Settle { intent });
    match ended.outcome {
        DialogueOutcome::Settle(settle::Outcome::Debited { .. }) => true,
        DialogueOutcome::Settle(settle::Outcome::NotDebited { .. }) => false,
        DialogueOutcome::Settle(_)
        | DialogueOutcome::Proof(_)
        | DialogueOutcome::Purchase(_)
        | DialogueOutcome::Look(_)
        | DialogueOutcome::NotRun(_) => panic!("{ended:?}"),
    }
}

fn arm(bench: &CardBench, torn: Torn, after: bool) {
    let fault = |index| {
        let when = When::Index(index);
        if after { Fault::tear_after(when) } else { Fault::tear_before(when) }
    };
    match torn {
        Torn::Card(index) => bench.reader.card.arm(fault(index)),
        Torn::Psam(index) => bench.reader.psam.arm(fault(index)),
    }
}

/// Whatever was torn comes back, after its absence was noticed.
pub fn put_back(bench: &CardBench, script: &mut Script) {
    if bench.reader.card.presence() == Presence::InHand {
        script.until_reader(KIOSK, ReaderState::Empty);
        assert!(bench.reader.card.reinsert());
    }
    if bench.reader.psam.presence() == Presence::InHand {
        script.until(|script| script.psam.is_none());
        assert!(bench.reader.psam.reinsert());
    }
    script.until_ready();
}
