//! The virtual reader behind the real pcscd: cards appear, answer, leave, come back and are swapped.

use std::time::Duration;

use pcsc::{Card, State};
use protocols::card::value::CardAmount;
use tests::pcscd::Pcscd;
use tests::virtual_card::card_state::CardState;
use tests::virtual_card::psam::{Psam, PsamState};
use tests::virtual_card::purse::CitizenCard;
use tests::virtual_card::terminal::{Terminal, transmit};
use tests::virtual_card::{CARD_READER, CardBench, PSAM_READER, Presence, VirtualReader, own_process};

const DEADLINE: Duration = Duration::from_secs(10);
const SERIAL: [u8; 8] = [0x31, 0x00, 0x00, 0x00, 0x12, 0x34, 0x56, 0x78];

#[test]
fn the_reader_shows_the_card_and_the_card_answers() {
    let Some(bench) = CardBench::in_own_process("the_reader_shows_the_card_and_the_card_answers") else { return };
    bench.reader.card.insert(card_with(5000));
    let terminal = Terminal::new().expect("pcscd is ready");
    let card = terminal.connect(CARD_READER, DEADLINE).expect("a card");
    let atr = card.status2_owned().expect("connected").atr().to_vec();
    assert_eq!(Some(atr), bench.reader.card.chip(|chip| chip.state().atr.clone()));
    let select = say(&card, "00A4 0400 09 A00000000386980701 00");
    assert!(select.starts_with("6F328409A00000000386980701A525"), "{select}");
    assert!(select.ends_with("9000"), "{select}");
    assert_eq!(say(&card, "805C000204"), "000013889000");
    let file = say(&card, "00B095001E");
    assert!(select.contains(file.trim_end_matches("9000")), "tag 9F0C is file 15");
}

#[test]
fn the_psam_answers_in_the_second_slot() {
    let Some(bench) = CardBench::in_own_process("the_psam_answers_in_the_second_slot") else { return };
    bench.reader.psam.insert(Psam::new(PsamState::new([0x31, 0, 0, 0, 0, 0x42])));
    let terminal = Terminal::new().expect("pcscd is ready");
    let psam = terminal.connect(PSAM_READER, DEADLINE).expect("a PSAM");
    assert_eq!(say(&psam, "00B095000E"), "0000310031000000004201010000".to_owned() + "9000");
    assert_eq!(say(&psam, "00B0960006"), "3100000000429000");
}

#[test]
fn a_removed_card_is_noticed_and_comes_back_with_its_balance() {
    let Some(bench) = CardBench::in_own_process("a_removed_card_is_noticed_and_comes_back_with_its_balance") else {
        return;
    };
    bench.reader.card.insert(card_with(700));
    let terminal = Terminal::new().expect("pcscd is ready");
    let card = terminal.connect(CARD_READER, DEADLINE).expect("a card");
    say(&card, "00A4040009A00000000386980701");
    assert!(bench.reader.card.remove());
    assert_eq!(bench.reader.card.presence(), Presence::InHand);
    let gone = terminal.wait(CARD_READER, DEADLINE, |s| s.contains(State::EMPTY)).expect("pcscd runs");
    assert!(gone, "the removal was not noticed");
    assert!(transmit(&card, "805C000204").is_err());
    // pcscd holds the exclusive access of a card that has gone until its handle is dropped.
    drop(card);
    assert!(bench.reader.card.reinsert());
    let card = terminal.connect(CARD_READER, DEADLINE).expect("the card again");
    assert_eq!(say(&card, "805C000204"), "6985", "the selection went with the power");
    say(&card, "00A4040009A00000000386980701");
    assert_eq!(say(&card, "805C000204"), "000002BC9000");
}

#[test]
fn two_readers_have_four_slots_that_do_not_mix() {
    let Some(directory) = own_process("two_readers_have_four_slots_that_do_not_mix") else { return };
    let pcscd = Pcscd::start_at(&directory, &["Kiosk", "Counter"]).expect("pcscd is installed");
    let [kiosk, counter] = [0, 1].map(|reader| VirtualReader::start(pcscd.addresses(reader)).expect("a thread"));
    kiosk.card.insert(card_with(1));
    counter.card.insert(card_with(2));
    let terminal = Terminal::new().expect("pcscd is ready");
    for (reader, balance) in [("Kiosk 00 00", "000000019000"), ("Counter 00 00", "000000029000")] {
        let card = terminal.connect(reader, DEADLINE).expect("a card");
        say(&card, "00A4040009A00000000386980701");
        assert_eq!(say(&card, "805C000204"), balance);
    }
    for reader in ["Kiosk 00 01", "Counter 00 01"] {
        assert!(terminal.wait(reader, DEADLINE, |s| s.contains(State::EMPTY)).expect("pcscd runs"), "{reader}");
    }
}

fn card_with(balance_fen: u32) -> CitizenCard {
    CitizenCard::new(CardState { balance_fen: CardAmount::new(balance_fen).expect("small"), ..CardState::new(SERIAL) })
}

fn say(card: &Card, command: &str) -> String {
    hex::encode_upper(transmit(card, command).expect("an answer"))
}
