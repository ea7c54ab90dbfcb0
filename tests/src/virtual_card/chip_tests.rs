//! Card and PSAM without a reader between: the published vectors, the rules of counters and proofs, the habits, bad input.

use protocols::card::value::{CardAmount, CardCounter, TerminalSequence};

use super::Chip;
use super::card_state::{Account, CardState, Quirks};
use super::psam::{Psam, PsamQuirks, PsamState};
use super::purse::CitizenCard;

const SERIAL: [u8; 8] = [0x31, 0x00, 0x00, 0x00, 0x12, 0x34, 0x56, 0x78];
const TERMINAL: [u8; 6] = [0x31, 0x00, 0x00, 0x00, 0x00, 0x42];
const SELECT: &str = "00A4040009A00000000386980701";
/// INITIALIZE FOR PURCHASE of 10.00 from the purse.
const INIT: &str = "80500102 0B 01 000003E8 310000000042 0F";
/// INIT_SAM_FOR_PURCHASE, after the card's random bytes and counter.
const INIT_SAM_TAIL: &str = "000003E8 06 20261123 093000 01 00 3100000012345678";

fn fen(amount: u32) -> CardAmount {
    CardAmount::new(amount).expect("small")
}

/// The card of vector set F.
fn card() -> CitizenCard {
    CitizenCard::new(CardState {
        balance_fen: fen(10_000),
        offline_counter: CardCounter::new(7),
        online_counter: CardCounter::new(3),
        quirks: Quirks { fixed_random: Some([0xA1, 0xB2, 0xC3, 0xD4]), ..Quirks::default() },
        ..CardState::new(SERIAL)
    })
}

/// The PSAM of vector set F, its purse directory selected.
fn psam() -> Psam {
    let mut psam = Psam::new(PsamState { terminal_sequence: TerminalSequence::new(0x2A), ..PsamState::new(TERMINAL) });
    assert_eq!(say(&mut psam, "00A4000002 1001"), "9000");
    psam
}

fn selected() -> CitizenCard {
    let mut card = card();
    assert!(say(&mut card, SELECT).ends_with("9000"));
    card
}

fn say(chip: &mut impl Chip, command: &str) -> String {
    let digits: String = command.split_whitespace().collect();
    hex::encode_upper(chip.execute(&hex::decode(digits).expect("hexadecimal")))
}

/// INITIALIZE at the card, MAC1 from the PSAM: gives DEBIT FOR PURCHASE.
fn debit_command(card: &mut CitizenCard, psam: &mut Psam) -> String {
    let init = say(card, INIT);
    let (random, counter) = (&init[22..30], &init[8..12]);
    let sam = say(psam, &format!("8070 0000 1C {random} {counter} {INIT_SAM_TAIL}"));
    format!("8054 0100 0F {} 20261123 093000 {} 08", &sam[..8], &sam[8..16])
}

#[test]
fn a_purchase_gives_the_codes_of_vector_set_f() {
    let (mut card, mut psam) = (selected(), psam());
    assert_eq!(say(&mut card, INIT), "00002710 0007 000000 01 00 A1B2C3D4 9000".replace(' ', ""));
    let debit = debit_command(&mut card, &mut psam);
    assert_eq!(debit.replace(' ', ""), "805401000F 0000002A 20261123093000 7518DF38 08".replace(' ', ""));
    assert_eq!(say(&mut card, &debit), "5F169176BF4EAC969000");
    assert_eq!(say(&mut psam, "8072000004 BF4EAC96"), "9000");
    assert_eq!(say(&mut card, "805C000204"), "000023289000");
    assert_eq!(say(&mut card, "00B201C417"), "0008000000000003E806310000000042202611230930009000");
    assert_eq!(psam.state().terminal_sequence, TerminalSequence::new(0x2B));
}

#[test]
fn a_purchase_from_the_deposit_has_type_05() {
    let (mut card, mut psam) = (selected(), psam());
    let (offline_counter, online_counter) = (CardCounter::new(7), CardCounter::new(3));
    let deposit = Account { balance_fen: fen(1_000), offline_counter, online_counter };
    card.alter(|state| state.deposit = Some(deposit)).expect("no file");
    say(&mut card, "80500101 0B 01 000003E8 310000000042 0F");
    say(&mut psam, "80700000 1C A1B2C3D4 0007 000003E8 05 20261123 093000 01 00 3100000012345678");
    let answer = say(&mut card, "8054 0100 0F 0000002A 20261123 093000 8DB1FA9F 08");
    assert_eq!(answer, "344CC262BF4EAC969000");
    assert_eq!(say(&mut card, "805C000104"), "000000009000");
    assert_eq!(say(&mut card, "805C000204"), "000027109000");
    assert_eq!(card.state().offline_counter, CardCounter::new(7), "each balance has counters of its own");
}

#[test]
fn a_load_gives_the_codes_of_vector_set_f() {
    let mut card = selected();
    let init = say(&mut card, "8050 0002 0B 01 000003E8 310000000042 10");
    assert_eq!(init, "00002710 0003 01 00 A1B2C3D4 DF26D7D2 9000".replace(' ', ""));
    assert_eq!(say(&mut card, "8052 0000 0B 20261123 093000 7D4B5174 04"), "A26864EE9000");
    assert_eq!(say(&mut card, "805C000204"), "00002AF89000");
    assert_eq!(say(&mut card, "805A 0002 02 0004 08"), "7D4B5174A26864EE9000");
}

#[test]
fn card_and_psam_agree_on_the_proof_of_the_card() {
    let (mut card, mut psam) = (selected(), psam());
    assert_eq!(say(&mut card, "0088000008 1122334455667788"), "9C2B4DD8C4FEC1739000");
    assert_eq!(say(&mut psam, "80FA000008 1122334455667788"), "6985", "no key yet");
    assert_eq!(say(&mut psam, "801A000108 3100000012345678"), "9000");
    assert_eq!(say(&mut psam, "80FA000008 1122334455667788"), "9C2B4DD8C4FEC1739000");
}

#[test]
fn the_psam_covers_the_authentication_code_where_it_is_given() {
    let mut psam = psam();
    let command = "80700000 25 A1B2C3D4 0007 000003E8 09 20261123 093000 01 00 3100000012345678 8588D32B7688D32B76";
    assert_eq!(say(&mut psam, command), "0000002A91E54E989000");
}

#[test]
fn a_card_with_an_authentication_code_refuses_a_mac1_without_it() {
    let (mut card, mut psam) = (selected(), psam());
    assert_eq!(say(&mut card, "80CA000009"), "6D00");
    let code = [0x85, 0x88, 0xD3, 0x2B, 0x76, 0x88, 0xD3, 0x2B, 0x76];
    card.alter(|state| state.quirks.auth_code = Some(code)).expect("no file");
    assert_eq!(say(&mut card, "80CA000009"), "8588D32B7688D32B769000");
    let debit = debit_command(&mut card, &mut psam);
    assert_eq!(say(&mut card, &debit), "9302");
    say(&mut card, INIT);
    let sam = say(&mut psam, &format!("80700000 25 A1B2C3D4 0007 {INIT_SAM_TAIL} 8588D32B7688D32B76"));
    let answer = say(&mut card, &format!("8054 0100 0F {} 20261123 093000 {} 08", &sam[..8], &sam[8..16]));
    assert!(answer.ends_with("9000"), "{answer}");
}

#[test]
fn the_proof_exists_for_the_counter_after_the_last_purchase_only() {
    let (mut card, mut psam) = (selected(), psam());
    assert_eq!(say(&mut card, "805A 0006 02 0007 08"), "9406");
    let debit = debit_command(&mut card, &mut psam);
    let answer = say(&mut card, &debit);
    let (tac, mac2) = (&answer[..8], &answer[8..16]);
    assert_eq!(say(&mut card, "805A 0006 02 0007 08"), "9406", "S, not S+1");
    assert_eq!(say(&mut card, "805A 0009 02 0008 08"), "9406", "another type");
    say(&mut card, INIT);
    assert_eq!(say(&mut card, "805A 0006 02 0008 08"), format!("{mac2}{tac}9000"), "a new beginning keeps it");
    let debit = debit_command(&mut card, &mut psam);
    assert!(say(&mut card, &debit).ends_with("9000"));
    assert_eq!(say(&mut card, "805A 0006 02 0008 08"), "9406", "the next purchase replaces it");
    assert_eq!(say(&mut card, "00B202C417")[..4], *"0008");
}

#[test]
fn a_debit_without_its_beginning_or_with_a_wrong_mac1_changes_nothing() {
    let (mut card, mut psam) = (selected(), psam());
    let debit = debit_command(&mut card, &mut psam);
    say(&mut card, "805C000204");
    assert_eq!(say(&mut card, &debit), "6985", "another command came between");
    say(&mut card, INIT);
    assert_eq!(say(&mut card, "8054 0100 0F 0000002A 20261123 093000 00000000 08"), "9302");
    let debit = debit_command(&mut card, &mut psam);
    assert!(say(&mut card, &debit).ends_with("9000"));
    assert_eq!(say(&mut card, &debit), "6985", "the same debit twice");
    assert_eq!(card.state().balance_fen, fen(9_000));
    assert_eq!(card.state().log.len(), 1);
}

#[test]
fn a_purchase_above_the_balance_is_refused_at_its_beginning() {
    let mut card = selected();
    assert_eq!(say(&mut card, "80500102 0B 01 00002711 310000000042 0F"), "9401");
    assert!(say(&mut card, "80500102 0B 01 00002710 310000000042 0F").ends_with("9000"));
    assert_eq!(say(&mut card, "80500102 0B 01 80000000 310000000042 0F"), "6A80");
    assert_eq!(say(&mut card, "80500102 0B 02 00000001 310000000042 0F"), "9403");
    assert_eq!(say(&mut card, "80500101 0B 01 00000001 310000000042 0F"), "9403", "no deposit on this card");
}

#[test]
fn a_purchase_of_nothing_begins_unless_the_card_refuses_it() {
    let mut card = selected();
    let nothing = "80500102 0B 01 00000000 310000000042 0F";
    assert!(say(&mut card, nothing).ends_with("9000"));
    card.alter(|state| state.quirks.refuses_zero = true).expect("no file");
    assert_eq!(say(&mut card, nothing), "6A80");
}

#[test]
fn a_counter_at_its_end_ends_the_purse() {
    let mut card = selected();
    card.alter(|state| state.offline_counter = CardCounter::new(0xFFFF)).expect("no file");
    assert_eq!(say(&mut card, INIT), "9402");
}

#[test]
fn the_log_keeps_the_last_ten() {
    let (mut card, mut psam) = (selected(), psam());
    card.alter(|state| state.balance_fen = fen(100_000)).expect("no file");
    for _ in 0..12 {
        let debit = debit_command(&mut card, &mut psam);
        assert!(say(&mut card, &debit).ends_with("9000"));
    }
    assert_eq!(say(&mut card, "00B201C417")[..4], *"0013");
    assert_eq!(say(&mut card, "00B20AC417")[..4], *"000A");
    assert_eq!(say(&mut card, "00B20BC417"), "6A83");
    assert_eq!(say(&mut card, "00B200C417"), "6A83");
}

#[test]
fn a_blocked_application_shows_itself_and_does_nothing() {
    let mut card = card();
    card.alter(|state| state.blocked = true).expect("no file");
    let select = say(&mut card, SELECT);
    assert!(select.starts_with("6F32") && select.ends_with("6A81"), "{select}");
    assert_eq!(say(&mut card, "805C000204"), "6A81");
    assert_eq!(say(&mut card, INIT), "6A81");
}

#[test]
fn other_applications_and_files_are_not_there() {
    let mut card = card();
    assert_eq!(say(&mut card, "00A404000E 325041592E5359532E4444463031"), "6A82");
    assert_eq!(say(&mut card, "805C000204"), "6985", "nothing is selected");
    say(&mut card, SELECT);
    assert_eq!(say(&mut card, "00B097000B"), "6A82");
    assert_eq!(say(&mut card, "00B0951E01"), "6B00");
    assert_eq!(say(&mut card, "00B095140400").len(), 4, "a wrong length is refused");
    assert_eq!(say(&mut card, "00B0951404"), "202001019000");
    assert_eq!(say(&mut card, "8099000000"), "6D00");
    assert_eq!(say(&mut card, "A099000000"), "6E00");
}

#[test]
fn reading_the_holder_is_noticed() {
    let mut card = selected();
    say(&mut card, "00B095001E");
    assert_eq!(card.holder_reads(), 0);
    assert!(say(&mut card, "00B0960027").ends_with("9000"));
    assert_eq!(card.holder_reads(), 1);
}

#[test]
fn the_habits_show_on_the_wire() {
    let mut card = selected();
    card.alter(|state| (state.quirks.t0, state.quirks.junk_top_bit) = (true, true)).expect("no file");
    assert_eq!(say(&mut card, SELECT), "6134");
    assert!(say(&mut card, "00C0000034").ends_with("9000"));
    assert_eq!(say(&mut card, "00B0950000"), "6C1E");
    assert_eq!(say(&mut card, "805C000204"), "800027109000");
    assert_eq!(say(&mut card, INIT), "610F");
    assert!(say(&mut card, "00C000000F").starts_with("80002710"));
    let debit = say(&mut card, "8054 0100 0F 0000002A 20261123 093000 7518DF38 08");
    assert_eq!(debit, "6108", "fetching the answer kept the beginning alive");
    assert_eq!(say(&mut card, "00C0000008"), "5F169176BF4EAC969000");
}

#[test]
fn a_reset_forgets_what_was_begun() {
    let (mut card, mut psam) = (selected(), psam());
    let debit = debit_command(&mut card, &mut psam);
    card.reset();
    psam.reset();
    assert_eq!(say(&mut card, &debit), "6985");
    say(&mut card, SELECT);
    assert_eq!(say(&mut card, &debit), "6985");
    assert_eq!(say(&mut psam, "8072000004 BF4EAC96"), "6985");
    assert_eq!(card.state().balance_fen, fen(10_000));
}

#[test]
fn the_psam_refuses_a_wrong_mac2_and_ends_the_purchase() {
    let (mut card, mut psam) = (selected(), psam());
    debit_command(&mut card, &mut psam);
    assert_eq!(say(&mut psam, "8072000004 BF4EAC97"), "9302");
    assert_eq!(say(&mut psam, "8072000004 BF4EAC96"), "6985");
}

#[test]
fn the_psam_shows_its_files_in_the_master_file_only() {
    let mut psam = Psam::new(PsamState::new(TERMINAL));
    assert_eq!(say(&mut psam, "00B0960006"), "3100000000429000");
    assert_eq!(say(&mut psam, "80700000 1C A1B2C3D4 0007 000003E8 06 20261123 093000 01 00 3100000012345678"), "6985");
    assert_eq!(say(&mut psam, "00A4000002 DF01"), "9000");
    assert_eq!(say(&mut psam, "00B0960006"), "6A82");
    assert_eq!(say(&mut psam, "00A4000002 3F00"), "9000");
    assert_eq!(say(&mut psam, "00B095000E").len(), 32);
}

#[test]
fn a_psam_that_counts_successes_gives_a_number_twice_when_a_purchase_breaks_off() {
    let mut psam = psam();
    psam.alter(|state| state.quirks = PsamQuirks { counts_successes_only: true, ..PsamQuirks::default() })
        .expect("no file");
    let init = format!("80700000 1C A1B2C3D4 0007 {INIT_SAM_TAIL}");
    assert_eq!(say(&mut psam, &init)[..8], *"0000002A");
    assert_eq!(say(&mut psam, &init)[..8], *"0000002A");
    assert_eq!(say(&mut psam, "8072000004 BF4EAC96"), "9000");
    assert_eq!(say(&mut psam, &init)[..8], *"0000002B");
}

#[test]
fn the_psam_diversifies_by_up_to_three_levels() {
    let mut psam = psam();
    let with = |levels: usize| {
        let factors = "3100000012345678".repeat(levels);
        format!("80700000 {:02X} A1B2C3D4 0007 000003E8 06 20261123 093000 01 00 {factors}", 20 + 8 * levels)
    };
    let macs: Vec<String> = (1..=3).map(|levels| say(&mut psam, &with(levels))[8..].to_owned()).collect();
    assert!(macs.iter().all(|mac| mac.ends_with("9000")), "{macs:?}");
    assert_ne!(macs[0], macs[1]);
    assert_eq!(say(&mut psam, &with(0)), "6700");
    assert_eq!(say(&mut psam, &with(4)), "6700");
}

#[test]
fn card_and_psam_keep_their_state_in_their_files() {
    let directory = crate::pcscd::new_directory().expect("the temporary directory can be written");
    let (card_file, psam_file) = (directory.join("card.json"), directory.join("psam.json"));
    super::state_file::save(&card_file, card().state()).expect("writable");
    super::state_file::save(&psam_file, psam().state()).expect("writable");
    {
        let mut card = CitizenCard::open(&card_file).expect("its own file");
        let mut psam = Psam::open(&psam_file).expect("its own file");
        say(&mut card, SELECT);
        say(&mut psam, "00A40000021001");
        let debit = debit_command(&mut card, &mut psam);
        assert!(say(&mut card, &debit).ends_with("9000"));
    }
    let mut card = CitizenCard::open(&card_file).expect("its own file");
    assert_eq!(card.state().balance_fen, fen(9_000));
    assert_eq!(Psam::open(&psam_file).expect("its own file").state().terminal_sequence, TerminalSequence::new(0x2B));
    say(&mut card, SELECT);
    assert!(say(&mut card, "805A 0006 02 0008 08").ends_with("9000"), "the proof survives too");
    std::fs::remove_dir_all(&directory).expect("ours");
}

#[test]
fn a_card_whose_file_cannot_be_written_debits_nothing() {
    let directory = crate::pcscd::new_directory().expect("the temporary directory can be written");
    let file = directory.join("card.json");
    super::state_file::save(&file, card().state()).expect("writable");
    let (mut card, mut psam) = (CitizenCard::open(&file).expect("its own file"), psam());
    std::fs::remove_dir_all(&directory).expect("ours");
    say(&mut card, SELECT);
    let debit = debit_command(&mut card, &mut psam);
    assert_eq!(say(&mut card, &debit), "6581");
    assert_eq!(say(&mut card, "805C000204"), "000027109000");
}

proptest::proptest! {
    #[test]
    fn no_command_makes_a_chip_panic(commands in proptest::collection::vec(commands(), 1..20), t0: bool) {
        let (mut card, mut psam) = (selected(), psam());
        card.alter(|state| state.quirks.t0 = t0).expect("no file");
        psam.alter(|state| state.quirks.t0 = t0).expect("no file");
        for command in commands {
            assert!(card.execute(&command).len() >= 2);
            assert!(psam.execute(&command).len() >= 2);
        }
    }
}

/// Arbitrary bytes, and arbitrary data behind headers that the chips know.
fn commands() -> impl proptest::strategy::Strategy<Value = Vec<u8>> {
    use proptest::prelude::{Just, Strategy, any, prop_oneof};
    let known = prop_oneof![
        Just([0x00, 0xA4]),
        Just([0x00, 0xB0]),
        Just([0x00, 0xB2]),
        Just([0x80, 0x50]),
        Just([0x80, 0x54]),
        Just([0x80, 0x52]),
        Just([0x80, 0x5A]),
        Just([0x80, 0x70]),
        Just([0x80, 0x72]),
        Just([0x80, 0x1A]),
        Just([0x00, 0xC0]),
    ];
    let rest = proptest::collection::vec(any::<u8>(), 0..60);
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..20),
        (known, rest).prop_map(|(header, rest)| [&header[..], &rest].concat()),
    ]
}
