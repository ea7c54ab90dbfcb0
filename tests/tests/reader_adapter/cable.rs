//! F7: the reader itself is pulled out and plugged in again while the PC/SC service and the gateway run.

use std::time::{Duration, Instant};

use gateway_core::{DialogueOrder, DialogueOutcome, NotRun, ReaderState};
use protocols::card::{purchase, settle};
use tests::virtual_card::{CardBench, Fault, When};

use crate::script::{BALANCE, DEADLINE, KIOSK, PRICE, SERIAL, Script, TERMINAL, balance, card, psam, settings};

/// From the cable to the reader's next use.
const BACK_WITHIN: Duration = Duration::from_secs(5);

/// The instruction byte of DEBIT FOR PURCHASE.
const DEBIT: u8 = 0x54;

/// The service runs and the gateway's readers, too; the reader is not plugged in.
fn unplugged(test: &str) -> Option<(CardBench, Script)> {
    let bench = CardBench::with_cable_in_own_process(test)?;
    bench.reader.card.insert(card(SERIAL));
    bench.reader.psam.insert(psam(TERMINAL));
    let mut script = Script::start(&settings(""));
    script.until_reader(KIOSK, ReaderState::Gone);
    Some((bench, script))
}

/// Puts the cable in, with card and PSAM in the reader, and pays.
fn plug_and_pay(bench: &CardBench, script: &mut Script) {
    let started = Instant::now();
    plug(bench, script);
    script.buy();
    assert!(started.elapsed() <= BACK_WITHIN, "{:?}", started.elapsed());
}

fn plug(bench: &CardBench, script: &mut Script) {
    bench.plug().expect("the cable is out");
    bench.reader.card.reinsert();
    script.until_ready();
}

#[test]
fn f7_a_reader_that_is_plugged_in_while_everything_runs_takes_cards_within_five_seconds() {
    let name = "cable::f7_a_reader_that_is_plugged_in_while_everything_runs_takes_cards_within_five_seconds";
    let Some((bench, mut script)) = unplugged(name) else { return };
    plug_and_pay(&bench, &mut script);
    assert_eq!(balance(&bench), BALANCE - PRICE);
}

#[test]
fn f7_a_reader_that_is_pulled_while_idle_is_gone_and_the_next_card_pays_within_five_seconds_of_its_return() {
    let name =
        "cable::f7_a_reader_that_is_pulled_while_idle_is_gone_and_the_next_card_pays_within_five_seconds_of_its_return";
    let Some((bench, mut script)) = unplugged(name) else { return };
    plug(&bench, &mut script);
    for _ in 0..3 {
        bench.unplug().expect("the cable is in");
        script.until_reader(KIOSK, ReaderState::Gone);
        script.until(|script| script.psam.is_none());
        let ended = script.run(DialogueOrder::Purchase { amount: PRICE });
        assert!(matches!(ended.outcome, DialogueOutcome::NotRun(NotRun::ReaderGone)), "{ended:?}");
        plug_and_pay(&bench, &mut script);
    }
    assert_eq!(balance(&bench), BALANCE - 3 * PRICE);
}

#[test]
fn f7_a_reader_that_is_pulled_between_a_debit_and_its_answer_leaves_a_doubt_that_the_next_tap_settles() {
    let name =
        "cable::f7_a_reader_that_is_pulled_between_a_debit_and_its_answer_leaves_a_doubt_that_the_next_tap_settles";
    let Some((bench, mut script)) = unplugged(name) else { return };
    plug(&bench, &mut script);
    let (dialogue, intent) = script.purchase_until_intent();
    bench.reader.card.arm(Fault::mute(When::Ins(DEBIT), Duration::from_secs(600)));
    script.handle.proceed(dialogue);
    assert!(bench.reader.card.wait_command(DEBIT, DEADLINE));
    bench.unplug().expect("the cable is in");
    let ended = script.end_of(dialogue);
    assert!(matches!(ended.outcome, DialogueOutcome::Purchase(purchase::Outcome::Unknown { .. })), "{ended:?}");
    script.until_reader(KIOSK, ReaderState::Gone);
    script.until(|script| script.psam.is_none());
    bench.reader.card.disarm();
    let started = Instant::now();
    plug(&bench, &mut script);
    let settled = script.run(DialogueOrder::Settle { intent });
    assert!(started.elapsed() <= BACK_WITHIN, "{:?}", started.elapsed());
    assert!(matches!(settled.outcome, DialogueOutcome::Settle(settle::Outcome::Debited { .. })), "{settled:?}");
    assert_eq!(balance(&bench), BALANCE - PRICE);
    script.buy();
}
