//! Several readers and one PSAM; other programs at the same reader.

use std::sync::mpsc::sync_channel;
use std::time::Instant;

use gateway_core::{DialogueOrder, DialogueOutcome, NotRun, ReaderState};
use protocols::card::{proof, purchase};
use tests::pcscd::Pcscd;
use tests::virtual_card::terminal::Terminal;
use tests::virtual_card::{CARD_READER, CardBench, VirtualReader, own_process};

use crate::script::{BALANCE, DEADLINE, KIOSK, OTHER_SERIAL, PRICE, SERIAL, Script, TERMINAL, card, id, psam, ready};

const COUNTER: &str = "counter";

#[test]
fn two_readers_never_mix_their_commands_at_the_one_psam() {
    let Some(directory) = own_process("sharing::two_readers_never_mix_their_commands_at_the_one_psam") else { return };
    let pcscd = Pcscd::start_at(&directory, &["Kiosk", "Counter"]).expect("pcscd is installed");
    let [kiosk, counter] = [0, 1].map(|reader| VirtualReader::start(pcscd.addresses(reader)).expect("a thread"));
    kiosk.card.insert(card(SERIAL));
    kiosk.psam.insert(psam(TERMINAL));
    counter.card.insert(card(OTHER_SERIAL));
    let text = format!(
        "psam = 'Kiosk 00 01'\nreader = [{{ id = '{KIOSK}', pcsc = 'Kiosk' }}, {{ id = '{COUNTER}', pcsc = 'Counter' }}]"
    );
    let mut script = Script::start(&toml::from_str(&text).expect("settings"));
    script.until_ready();
    script.until_reader(COUNTER, ReaderState::Card);
    kiosk.psam.clear_trace();
    let rounds = 20_u32;
    for round in 0..rounds {
        let order = DialogueOrder::Purchase { amount: 10 };
        let other = if round % 2 == 0 { order.clone() } else { DialogueOrder::Proof };
        let first = script.order(KIOSK, order);
        let second = script.order(COUNTER, other);
        let mut ended = vec![first, second];
        while !ended.is_empty() {
            if let gateway_core::CardInput::Done { dialogue, outcome } = script.hear() {
                ended.retain(|waiting| *waiting != dialogue);
                let well = matches!(
                    outcome,
                    DialogueOutcome::Purchase(purchase::Outcome::Debited { .. })
                        | DialogueOutcome::Proof(proof::Outcome::Genuine(_))
                );
                assert!(well, "{outcome:?}");
            }
        }
    }
    let commands: Vec<u8> = kiosk.psam.trace().iter().filter_map(|e| e.command.get(1).copied()).collect();
    assert_eq!(commands.len(), usize::try_from(rounds).expect("small") * 4);
    for pair in commands.chunks(2) {
        assert!(pair == [0x70, 0x72] || pair == [0x1A, 0xFA], "{commands:02X?}");
    }
    let spent =
        |reader: &VirtualReader| BALANCE - reader.card.chip(|card| card.state().balance_fen.fen()).expect("a card");
    assert_eq!((spent(&kiosk), spent(&counter)), (rounds * 10, rounds / 2 * 10));
}

#[test]
fn a_dialogue_does_not_begin_while_the_psam_stays_in_use() {
    let Some(directory) = own_process("sharing::a_dialogue_does_not_begin_while_the_psam_stays_in_use") else { return };
    let pcscd = Pcscd::start_at(&directory, &["Kiosk", "Counter"]).expect("pcscd is installed");
    let [kiosk, counter] = [0, 1].map(|reader| VirtualReader::start(pcscd.addresses(reader)).expect("a thread"));
    kiosk.card.insert(card(SERIAL));
    kiosk.psam.insert(psam(TERMINAL));
    counter.card.insert(card(OTHER_SERIAL));
    let text = format!(
        "psam = 'Kiosk 00 01'\nreader = [{{ id = '{KIOSK}', pcsc = 'Kiosk' }}, {{ id = '{COUNTER}', pcsc = 'Counter' }}]\n\
         deadlines = {{ psam_wait_ms = 200 }}"
    );
    let mut script = Script::start(&toml::from_str(&text).expect("settings"));
    script.until_ready();
    script.until_reader(COUNTER, ReaderState::Card);
    let (first, _) = script.purchase_until_intent();
    let second = script.order(COUNTER, DialogueOrder::Proof);
    assert!(matches!(script.end_of(second).outcome, DialogueOutcome::NotRun(NotRun::PsamBusy)));
    assert!(counter.card.trace().is_empty(), "its card was not touched");
    script.handle.proceed(first);
    let ended = script.end_of(first);
    assert!(matches!(ended.outcome, DialogueOutcome::Purchase(purchase::Outcome::Debited { .. })), "{ended:?}");
}

#[test]
fn a_card_that_another_program_holds_for_a_moment_is_waited_for() {
    let name = "sharing::a_card_that_another_program_holds_for_a_moment_is_waited_for";
    let Some((bench, mut script)) = ready(name, "") else { return };
    let (release, released) = sync_channel::<()>(1);
    let (held, is_held) = sync_channel::<()>(1);
    let program = std::thread::spawn(move || {
        let terminal = Terminal::new().expect("pcscd is ready");
        let card = terminal.connect(CARD_READER, DEADLINE).expect("the card");
        held.send(()).expect("somebody waits");
        released.recv().expect("it is let go");
        drop(card);
    });
    is_held.recv().expect("held");
    assert!(
        matches!(script.run(DialogueOrder::Identify).outcome, DialogueOutcome::NotRun(NotRun::CardHeld)),
        "held for too long"
    );
    let refused = |bench: &CardBench| bench.pcscd.log().matches("Error Reader Exclusive").count();
    let before = refused(&bench);
    let dialogue = script.order(KIOSK, DialogueOrder::Purchase { amount: PRICE });
    let started = Instant::now();
    while refused(&bench) == before && started.elapsed() < DEADLINE {
        std::thread::yield_now();
    }
    assert!(refused(&bench) > before, "the reader tried while the other program held the card");
    release.send(()).expect("it waits");
    let ended = script.end_of(dialogue);
    assert!(matches!(ended.outcome, DialogueOutcome::Purchase(purchase::Outcome::Debited { .. })), "{ended:?}");
    program.join().expect("no panic");
    assert_eq!(bench.reader.card.chip(|card| card.state().balance_fen.fen()), Some(BALANCE - PRICE));
}

#[test]
fn an_unknown_reader_is_answered_at_once() {
    let Some((_bench, script)) = ready("sharing::an_unknown_reader_is_answered_at_once", "") else { return };
    let dialogue = gateway_core::DialogueId(7);
    let refused = script.handle.run(&id("nowhere"), dialogue, DialogueOrder::Identify).expect_err("no such reader");
    assert!(matches!(
        *refused,
        gateway_core::CardInput::Done {
            dialogue: gateway_core::DialogueId(7),
            outcome: DialogueOutcome::NotRun(NotRun::NotTaken)
        }
    ));
}
