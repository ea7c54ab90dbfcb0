//! Looks at a card: what they show, and that a card that is torn or slow in one comes to no harm.

use std::time::{Duration, Instant};

use gateway_core::{DialogueOrder, DialogueOutcome};
use protocols::card::look::{Outcome, Seen};
use tests::virtual_card::{Fault, When};

use crate::script::{BALANCE, Ended, SERIAL, balance, ready};
use crate::tears::put_back;

/// Commands of a look: SELECT, file 0x15, GET BALANCE, INTERNAL AUTHENTICATE.
const COMMANDS: usize = 4;

fn seen(ended: &Ended) -> Option<Seen> {
    match &ended.outcome {
        DialogueOutcome::Look(Outcome::Seen(seen)) => Some(*seen),
        DialogueOutcome::Look(Outcome::NoAnswer(_)) => None,
        other @ (DialogueOutcome::Look(Outcome::Refused(_))
        | DialogueOutcome::Proof(_)
        | DialogueOutcome::Purchase(_)
        | DialogueOutcome::Settle(_)
        | DialogueOutcome::NotRun(_)) => panic!("{other:?}"),
    }
}

#[test]
fn a_look_shows_the_purse_and_has_a_proof_without_the_psam() {
    let Some((bench, mut script)) = ready("looks::a_look_shows_the_purse_and_has_a_proof_without_the_psam", "") else {
        return;
    };
    let seen = seen(&script.run(DialogueOrder::Look)).expect("read");
    assert_eq!(&seen.card.serial_number.as_bytes()[2..], &SERIAL);
    assert_eq!(seen.balance.map(|balance| balance.fen()), Some(BALANCE));
    assert!(seen.proof.is_some());
    let told: Vec<u8> =
        bench.reader.card.trace().iter().filter_map(|exchange| exchange.command.get(1).copied()).collect();
    assert_eq!(told, [0xA4, 0xB0, 0x5C, 0x88], "no PIN, no counter, no debit");
    assert_eq!(bench.reader.card.chip(|card| card.holder_reads()), Some(0), "nobody asked for the holder's name");
    script.buy();
}

#[test]
fn a_card_torn_at_any_command_of_a_look_is_as_it_was_and_pays_next() {
    let name = "looks::a_card_torn_at_any_command_of_a_look_is_as_it_was_and_pays_next";
    let Some((bench, mut script)) = ready(name, "") else { return };
    for command in 0..COMMANDS {
        for fault in [Fault::tear_before(When::Index(command)), Fault::tear_after(When::Index(command))] {
            let before = balance(&bench);
            bench.reader.card.arm(fault);
            let ended = script.run(DialogueOrder::Look);
            let whole = seen(&ended).is_some_and(|seen| seen.proof.is_some());
            assert!(!whole, "it was torn at command {command}");
            assert_eq!(balance(&bench), before);
            put_back(&bench, &mut script);
            script.buy();
        }
    }
}

#[test]
fn a_slow_card_does_not_keep_a_look_for_long() {
    let Some((bench, mut script)) = ready("looks::a_slow_card_does_not_keep_a_look_for_long", "") else { return };
    for command in 0..COMMANDS {
        bench.reader.card.arm(Fault::mute(When::Index(command), Duration::from_millis(600)));
    }
    let began = Instant::now();
    script.run(DialogueOrder::Look);
    assert!(began.elapsed() < Duration::from_millis(2_000), "{:?}", began.elapsed());
}
