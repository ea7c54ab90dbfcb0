//! A purchase by raw APDUs through the real pcscd, whole and torn: card in the first slot, PSAM in the second.

use std::time::{Duration, Instant};

use pcsc::{Card, Error, State};
use protocols::card::value::{CardAmount, TerminalSequence};
use tests::virtual_card::card_state::{CardState, Quirks};
use tests::virtual_card::psam::{Psam, PsamQuirks, PsamState};
use tests::virtual_card::purse::CitizenCard;
use tests::virtual_card::terminal::{Answer, Terminal, transmit};
use tests::virtual_card::{CARD_READER, CardBench, Fault, PSAM_READER, Presence, When};

const DEADLINE: Duration = Duration::from_secs(10);
const SERIAL: [u8; 8] = [0x31, 0x00, 0x00, 0x00, 0x12, 0x34, 0x56, 0x78];
const OTHER_SERIAL: [u8; 8] = [0x31, 0x00, 0x00, 0x00, 0x87, 0x65, 0x43, 0x21];
const TERMINAL: [u8; 6] = [0x31, 0x00, 0x00, 0x00, 0x00, 0x42];
const SELECT: &str = "00A4 0400 09 A00000000386980701 00";
const BALANCE: &str = "805C000204";
const DEBIT: u8 = 0x54;

#[test]
fn a_purchase_is_debited_once_and_both_sides_accept_it() {
    let Some(bench) = bench("a_purchase_is_debited_once_and_both_sides_accept_it", Quirks::default()) else { return };
    let terminal = Terminal::new().expect("pcscd is ready");
    let (card, psam) = both(&terminal);
    let debit = prepare(&card, &psam);
    let answer = say(&card, &debit);
    assert_eq!(say(&psam, &format!("8072000004 {}", &answer[8..16])), "9000");
    assert_eq!(say(&card, BALANCE), "000023289000");
    let commands: Vec<u8> = bench.reader.card.trace().iter().filter_map(|e| e.command.get(1).copied()).collect();
    assert_eq!(commands, [0xA4, 0x50, DEBIT, 0x5C]);
    assert_eq!(bench.reader.card.chip(|card| card.holder_reads()), Some(0), "nobody asked for the holder's name");
}

#[test]
fn a_t0_card_announces_its_answers() {
    let quirks = Quirks { t0: true, junk_top_bit: true, ..Quirks::default() };
    let Some(bench) = bench("a_t0_card_announces_its_answers", quirks) else { return };
    bench.reader.psam.chip(|psam| {
        psam.alter(|state| state.quirks = PsamQuirks { t0: true, ..PsamQuirks::default() }).expect("no file");
    });
    let terminal = Terminal::new().expect("pcscd is ready");
    let (card, psam) = both(&terminal);
    let debit = prepare(&card, &psam);
    assert_eq!(say_raw(&card, &debit), "6108");
    let answer = say_raw(&card, "00C0000008");
    assert_eq!(say(&psam, &format!("8072000004 {}", &answer[8..16])), "9000");
    assert_eq!(say(&card, BALANCE), "800023289000");
}

#[test]
fn a_card_torn_before_the_debit_is_not_debited() {
    let Some(bench) = bench("a_card_torn_before_the_debit_is_not_debited", Quirks::default()) else { return };
    let terminal = Terminal::new().expect("pcscd is ready");
    let (card, psam) = both(&terminal);
    let debit = prepare(&card, &psam);
    bench.reader.card.arm(Fault::tear_before(When::Ins(DEBIT)));
    assert_torn(&transmit(&card, &debit));
    let card = put_back(&bench, &terminal, card);
    assert_eq!(say(&card, BALANCE), "000027109000");
    assert_eq!(say(&card, "805A 0006 02 0002 08"), "9406");
}

#[test]
fn a_card_torn_after_the_debit_is_debited_and_proves_it_at_the_next_tap() {
    let Some(bench) = bench("a_card_torn_after_the_debit_is_debited_and_proves_it_at_the_next_tap", Quirks::default())
    else {
        return;
    };
    let terminal = Terminal::new().expect("pcscd is ready");
    let (card, psam) = both(&terminal);
    let debit = prepare(&card, &psam);
    bench.reader.card.arm(Fault::tear_after(When::Ins(DEBIT)));
    assert_torn(&transmit(&card, &debit));
    let card = put_back(&bench, &terminal, card);
    assert_eq!(say(&card, BALANCE), "000023289000");
    let proof = say(&card, "805A 0006 02 0002 08");
    assert_eq!(say(&psam, &format!("8072000004 {}", &proof[..8])), "9000", "the PSAM waited for this MAC2");
}

#[test]
fn a_card_torn_at_any_command_answers_that_one_and_no_other() {
    let Some(bench) = bench("a_card_torn_at_any_command_answers_that_one_and_no_other", Quirks::default()) else {
        return;
    };
    let terminal = Terminal::new().expect("pcscd is ready");
    for index in 0..3 {
        bench.reader.card.clear_trace();
        let mut card = terminal.connect(CARD_READER, DEADLINE).expect("the card");
        bench.reader.card.arm(Fault::tear_before(When::Index(index)));
        for n in 0..=index {
            let answer = transmit(&card, SELECT);
            if n == index { assert_torn(&answer) } else { assert!(answer.is_ok(), "{n}: {answer:?}") }
        }
        let executed: Vec<bool> = bench.reader.card.trace().iter().map(|e| e.executed).collect();
        assert_eq!(executed, (0..=index).map(|n| n < index).collect::<Vec<_>>());
        card = put_back(&bench, &terminal, card);
        drop(card);
    }
}

#[test]
fn a_torn_card_can_come_back_by_itself() {
    let Some(bench) = bench("a_torn_card_can_come_back_by_itself", Quirks::default()) else { return };
    let terminal = Terminal::new().expect("pcscd is ready");
    let card = terminal.connect(CARD_READER, DEADLINE).expect("the card");
    bench.reader.card.arm(Fault::tear_before(When::Any).back_after(Duration::from_millis(900)));
    assert_torn(&transmit(&card, SELECT));
    assert_eq!(bench.reader.card.presence(), Presence::InHand);
    assert!(terminal.wait(CARD_READER, DEADLINE, |s| s.contains(State::EMPTY)).expect("pcscd runs"));
    drop(card);
    let card = terminal.connect(CARD_READER, DEADLINE).expect("back without anybody's help");
    assert!(say(&card, SELECT).ends_with("9000"));
}

#[test]
fn another_card_in_place_of_the_first_has_its_own_number() {
    let Some(bench) = bench("another_card_in_place_of_the_first_has_its_own_number", Quirks::default()) else { return };
    let terminal = Terminal::new().expect("pcscd is ready");
    let (card, psam) = both(&terminal);
    let debit = prepare(&card, &psam);
    let first = bench.reader.card.insert(CitizenCard::new(CardState::new(OTHER_SERIAL)));
    assert_torn(&transmit(&card, &debit));
    let untouched = first.expect("it was there").state().balance_fen;
    assert_eq!(untouched, CardAmount::new(10_000).expect("small"));
    assert!(bench.reader.card.wait_noticed(DEADLINE));
    drop(card);
    let card = terminal.connect(CARD_READER, DEADLINE).expect("the other card");
    assert!(say(&card, SELECT).contains("00003100000087654321"));
}

#[test]
fn a_mute_card_answers_late() {
    let Some(bench) = bench("a_mute_card_answers_late", Quirks::default()) else { return };
    let terminal = Terminal::new().expect("pcscd is ready");
    let card = terminal.connect(CARD_READER, DEADLINE).expect("the card");
    let delay = Duration::from_millis(1500);
    bench.reader.card.arm(Fault::mute(When::Any, delay));
    let started = Instant::now();
    assert!(say(&card, SELECT).ends_with("9000"));
    assert!(started.elapsed() >= delay);
    bench.reader.card.arm(Fault::mute(When::Any, Duration::from_secs(600)));
    let pulled = std::thread::scope(|scope| {
        scope.spawn(|| bench.reader.card.wait_command(0x5C, DEADLINE) && bench.reader.card.remove());
        transmit(&card, BALANCE)
    });
    assert_torn(&pulled);
}

#[test]
fn a_killed_pcscd_is_an_error_and_a_new_one_has_the_card_again() {
    let Some(mut bench) = bench("a_killed_pcscd_is_an_error_and_a_new_one_has_the_card_again", Quirks::default())
    else {
        return;
    };
    let terminal = Terminal::new().expect("pcscd is ready");
    let card = terminal.connect(CARD_READER, DEADLINE).expect("the card");
    assert!(say(&card, SELECT).ends_with("9000"));
    let first = bench.pcscd.pid();
    bench.pcscd.kill();
    assert!(transmit(&card, BALANCE).is_err());
    assert!(Terminal::new().is_err_and(|e| e == Error::NoService));
    bench.pcscd.restart().expect("it starts again");
    assert_ne!(bench.pcscd.pid(), first);
    let terminal = Terminal::new().expect("a new context works");
    let card = terminal.connect(CARD_READER, DEADLINE).expect("the card is still in the field");
    assert_eq!(say(&card, BALANCE), "6985", "it lost its power in between");
    assert!(say(&card, SELECT).ends_with("9000"));
}

#[test]
fn a_mute_card_speaks_again_after_pcscd_was_restarted() {
    let Some(mut bench) = bench("a_mute_card_speaks_again_after_pcscd_was_restarted", Quirks::default()) else {
        return;
    };
    let terminal = Terminal::new().expect("pcscd is ready");
    let card = terminal.connect(CARD_READER, DEADLINE).expect("the card");
    bench.reader.card.arm(Fault::mute(When::Any, Duration::from_secs(600)));
    let waiting = std::thread::spawn(move || transmit(&card, SELECT));
    assert!(bench.reader.card.wait_command(0xA4, DEADLINE));
    bench.pcscd.restart().expect("it starts again");
    assert!(waiting.join().expect("no panic").is_err());
    let terminal = Terminal::new().expect("a new context works");
    let card = terminal.connect(CARD_READER, DEADLINE).expect("the card is still in the field");
    assert!(say(&card, SELECT).ends_with("9000"));
}

#[test]
fn a_garbage_answer_arrives_as_it_is() {
    let Some(bench) = bench("a_garbage_answer_arrives_as_it_is", Quirks::default()) else { return };
    let terminal = Terminal::new().expect("pcscd is ready");
    let card = terminal.connect(CARD_READER, DEADLINE).expect("the card");
    for garbage in ["90", "6F", "6C00", "6100", "FFFFFFFFFFFF"] {
        let bytes = hex::decode(garbage).expect("hexadecimal");
        bench.reader.card.arm(Fault::once(When::Any, tests::virtual_card::Act::AnswerInstead(bytes)));
        assert_eq!(say_raw(&card, SELECT), garbage);
    }
    assert!(say(&card, SELECT).ends_with("9000"));
}

/// Card with 100.00 and PSAM, both on the reader.
fn bench(test: &str, quirks: Quirks) -> Option<CardBench> {
    let bench = CardBench::in_own_process(test)?;
    let balance_fen = CardAmount::new(10_000).expect("small");
    bench.reader.card.insert(CitizenCard::new(CardState { balance_fen, quirks, ..CardState::new(SERIAL) }));
    let terminal_sequence = TerminalSequence::new(0x2A);
    bench.reader.psam.insert(Psam::new(PsamState { terminal_sequence, ..PsamState::new(TERMINAL) }));
    Some(bench)
}

fn both(terminal: &Terminal) -> (Card, Card) {
    let card = terminal.connect(CARD_READER, DEADLINE).expect("the card");
    let psam = terminal.connect(PSAM_READER, DEADLINE).expect("the PSAM");
    (card, psam)
}

/// Everything up to the debit of 10.00; returns DEBIT FOR PURCHASE.
fn prepare(card: &Card, psam: &Card) -> String {
    assert!(say(card, SELECT).ends_with("9000"));
    let init = say(card, "80500102 0B 01 000003E8 310000000042 0F");
    assert!(say(psam, "00A4000002 1001").ends_with("9000"));
    let (random, counter) = (&init[22..30], &init[8..12]);
    let sam =
        say(psam, &format!("80700000 1C {random} {counter} 000003E8 06 20261123 093000 01 00 {}", hex::encode(SERIAL)));
    format!("80540100 0F {} 20261123 093000 {} 08", &sam[..8], &sam[8..16])
}

/// The torn card comes back and is selected.
fn put_back(bench: &CardBench, terminal: &Terminal, old: Card) -> Card {
    assert!(terminal.wait(CARD_READER, DEADLINE, |s| s.contains(State::EMPTY)).expect("pcscd runs"));
    drop(old);
    assert!(bench.reader.card.reinsert());
    let card = terminal.connect(CARD_READER, DEADLINE).expect("the card again");
    assert!(say(&card, SELECT).ends_with("9000"));
    card
}

/// What a torn card looks like to a client: an error, or a success without a status word.
fn assert_torn(answer: &Answer) {
    assert!(answer.as_ref().is_ok_and(Vec::is_empty) || answer.is_err(), "{answer:?}");
}

/// One command and its whole answer, following 61xx and 6Cxx.
fn say(card: &Card, command: &str) -> String {
    let answer = say_raw(card, command);
    match answer.get(answer.len().saturating_sub(4)..) {
        Some(sw) if sw.starts_with("61") => say(card, &format!("00C00000{}", &sw[2..])),
        Some(_) | None => answer,
    }
}

fn say_raw(card: &Card, command: &str) -> String {
    hex::encode_upper(transmit(card, command).expect("an answer"))
}
