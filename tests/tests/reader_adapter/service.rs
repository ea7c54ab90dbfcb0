//! The PC/SC service that dies and comes back, with other readers than before, or after the gateway.

use std::time::Duration;

use gateway_core::{DialogueOrder, DialogueOutcome, NotRun, ReaderState};
use protocols::card::{proof, purchase, settle};
use tests::pcscd::Pcscd;
use tests::virtual_card::{Fault, READER_NAME, VirtualReader, When, own_process};

use crate::script::{BALANCE, DEADLINE, KIOSK, PRICE, SERIAL, Script, TERMINAL, balance, card, psam, ready, settings};

/// The instruction byte of DEBIT FOR PURCHASE.
const DEBIT: u8 = 0x54;

#[test]
fn a_killed_service_makes_everything_gone_and_a_new_one_brings_it_back() {
    let name = "service::a_killed_service_makes_everything_gone_and_a_new_one_brings_it_back";
    let Some((mut bench, mut script)) = ready(name, "") else { return };
    script.buy();
    for _ in 0..2 {
        bench.pcscd.kill();
        script.until_reader(KIOSK, ReaderState::Gone);
        script.until(|script| script.psam.is_none());
        assert!(matches!(script.run(DialogueOrder::Identify).outcome, DialogueOutcome::NotRun(NotRun::ReaderGone)));
        bench.pcscd.restart().expect("it starts again");
        script.until_ready();
        script.buy();
    }
    assert_eq!(balance(&bench), BALANCE - 3 * PRICE);
}

#[test]
fn a_service_that_dies_in_mid_purchase_leaves_a_doubt_that_the_next_tap_settles() {
    let name = "service::a_service_that_dies_in_mid_purchase_leaves_a_doubt_that_the_next_tap_settles";
    let Some((mut bench, mut script)) = ready(name, "") else { return };
    let (dialogue, intent) = script.purchase_until_intent();
    bench.reader.card.arm(Fault::mute(When::Ins(DEBIT), Duration::from_secs(600)));
    script.handle.proceed(dialogue);
    assert!(bench.reader.card.wait_command(DEBIT, DEADLINE));
    bench.pcscd.kill();
    let ended = script.end_of(dialogue);
    assert!(matches!(ended.outcome, DialogueOutcome::Purchase(purchase::Outcome::Unknown { .. })), "{ended:?}");
    bench.pcscd.restart().expect("it starts again");
    script.until_reader(KIOSK, ReaderState::Gone);
    script.until_ready();
    let settled = script.run(DialogueOrder::Settle { intent });
    assert!(matches!(settled.outcome, DialogueOutcome::Settle(settle::Outcome::Debited { .. })), "{settled:?}");
    assert_eq!(balance(&bench), BALANCE - PRICE);
}

#[test]
fn readers_work_when_the_service_starts_after_them() {
    let Some(directory) = own_process("service::readers_work_when_the_service_starts_after_them") else { return };
    let mut script = Script::start(&settings(""));
    script.until_reader(KIOSK, ReaderState::Gone);
    let pcscd = Pcscd::start_at(&directory, &["Other"]).expect("pcscd is installed");
    let other = VirtualReader::start(pcscd.addresses(0)).expect("a thread");
    other.card.insert(card(SERIAL));
    assert!(other.card.wait_noticed(DEADLINE));
    assert!(
        matches!(script.run(DialogueOrder::Identify).outcome, DialogueOutcome::NotRun(NotRun::ReaderGone)),
        "not the reader that is meant"
    );
    drop(pcscd);
    let pcscd = Pcscd::start_at(&directory, &["Other", READER_NAME]).expect("pcscd is installed");
    let kiosk = VirtualReader::start(pcscd.addresses(1)).expect("a thread");
    kiosk.card.insert(card(SERIAL));
    kiosk.psam.insert(psam(TERMINAL));
    script.until_ready();
    let ended = script.run(DialogueOrder::Proof);
    assert!(matches!(ended.outcome, DialogueOutcome::Proof(proof::Outcome::Genuine(_))), "{ended:?}");
}

#[test]
fn readers_that_have_nothing_to_do_cost_next_to_nothing() {
    let name = "service::readers_that_have_nothing_to_do_cost_next_to_nothing";
    let Some((_bench, mut script)) = ready(name, "") else { return };
    script.buy();
    let before = wakes();
    // The measured time itself; nothing is waited for.
    std::thread::sleep(Duration::from_secs(2));
    let woken = wakes() - before;
    assert!(woken < 200, "{woken} times in two seconds");
}

/// How often the threads of the readers went to sleep so far.
fn wakes() -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux");
    let of_task = |task: std::path::PathBuf| {
        let name = std::fs::read_to_string(task.join("comm")).ok()?;
        let status = std::fs::read_to_string(task.join("status")).ok()?;
        let ours = name.starts_with("card-") || name.starts_with("pcsc");
        let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        if ours { count.trim().parse::<u64>().ok() } else { Some(0) }
    };
    tasks.filter_map(|task| of_task(task.ok()?.path())).sum()
}
