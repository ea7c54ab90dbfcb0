//! The dialogues of `protocols` with the virtual card and PSAM: torn at every command, on both sides of it, and then at the
//! next tap. What the card holds must be what the dialogues say.

use std::time::Duration;

use protocols::card::crypto::{Challenge, MasterKey, Tac};
use protocols::card::date::{CardDate, CardTime};
use protocols::card::dialogue::{Answer, Slot, Transmit};
use protocols::card::intent::PurchaseIntent;
use protocols::card::profile::Profile;
use protocols::card::proof::{self, Proof};
use protocols::card::psam::{self, Identify, PsamIdentity};
use protocols::card::purchase::{self, Order, Purchase};
use protocols::card::settle::{self, Settle};
use protocols::card::value::CardAmount;
use tests::virtual_card::card_state::{CardState, Quirks};
use tests::virtual_card::keys::{Masters, StoredKey};
use tests::virtual_card::psam::{Psam, PsamQuirks, PsamState};
use tests::virtual_card::purse::CitizenCard;
use tests::virtual_card::terminal::Terminal;
use tests::virtual_card::{CARD_READER, CardBench, Chip, Fault, PSAM_READER, When};

const SERIAL: [u8; 8] = [0x31, 0x00, 0x00, 0x00, 0x12, 0x34, 0x56, 0x78];
const CODE: [u8; 9] = [0x85, 0x88, 0xD3, 0x2B, 0x76, 0x88, 0xD3, 0x2B, 0x76];
const BEFORE: u32 = 10_000;
const PRICE: u32 = 1_250;
const DEADLINE: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Before,
    After,
}

/// Where commands go.
trait Line {
    /// The answer, or none.
    fn send(&mut self, slot: Slot, command: &[u8]) -> Option<Vec<u8>>;
}

/// Straight to the chips; at one command the chip that it is for loses its power.
struct Direct {
    card: CitizenCard,
    psam: Psam,
    sent: usize,
    tear: Option<(usize, Side)>,
}

impl Line for Direct {
    fn send(&mut self, slot: Slot, command: &[u8]) -> Option<Vec<u8>> {
        let chip: &mut dyn Chip = match slot {
            Slot::Card => &mut self.card,
            Slot::Psam => &mut self.psam,
        };
        let torn = self.tear.filter(|(at, _)| *at == self.sent).map(|(_, side)| side);
        self.sent += 1;
        match torn {
            None => Some(chip.execute(command)),
            Some(side) => {
                if side == Side::After {
                    chip.execute(command);
                }
                chip.reset();
                None
            }
        }
    }
}

/// Through pcscd.
struct Reader {
    card: pcsc::Card,
    psam: pcsc::Card,
}

impl Line for Reader {
    fn send(&mut self, slot: Slot, command: &[u8]) -> Option<Vec<u8>> {
        let mut buffer = [0; pcsc::MAX_BUFFER_SIZE];
        let card = match slot {
            Slot::Card => &self.card,
            Slot::Psam => &self.psam,
        };
        card.transmit(command, &mut buffer).ok().filter(|answer| !answer.is_empty()).map(<[u8]>::to_vec)
    }
}

/// The habits that a dialogue must cope with.
fn habits() -> [(Quirks, bool); 4] {
    let t0 = Quirks { t0: true, junk_top_bit: true, ..Quirks::default() };
    let cjt = Quirks { auth_code: Some(CODE), refuses_zero: true, ..Quirks::default() };
    let all = Quirks { t0: true, junk_top_bit: true, auth_code: Some(CODE), ..Quirks::default() };
    [(Quirks::default(), false), (t0, true), (cjt, false), (all, true)]
}

fn new_card(quirks: &Quirks) -> CitizenCard {
    let balance_fen = CardAmount::new(BEFORE).expect("small");
    CitizenCard::new(CardState { balance_fen, quirks: quirks.clone(), ..CardState::new(SERIAL) })
}

fn new_psam(t0: bool) -> Psam {
    let quirks = PsamQuirks { t0, ..PsamQuirks::default() };
    Psam::new(PsamState { quirks, ..PsamState::new([0x31, 0, 0, 0, 0, 0x42]) })
}

fn profile(quirks: &Quirks) -> Profile {
    Profile { auth_code: quirks.auth_code.is_some(), ..Profile::city_union() }
}

fn direct(quirks: &Quirks, psam_t0: bool) -> (Direct, PsamIdentity) {
    let mut line = Direct { card: new_card(quirks), psam: new_psam(psam_t0), sent: 0, tear: None };
    let identity = identify(&mut line);
    line.sent = 0;
    (line, identity)
}

fn send(line: &mut impl Line, transmit: &Transmit, take: impl FnOnce(Answer<'_>)) {
    match line.send(transmit.slot, &transmit.command.to_bytes()) {
        Some(bytes) => take(Answer::Received(&bytes)),
        None => take(Answer::NoAnswer),
    }
}

fn identify(line: &mut impl Line) -> PsamIdentity {
    let (mut dialogue, mut step) = Identify::begin(Profile::city_union().psam_df);
    loop {
        match step.clone() {
            psam::Step::Transmit(transmit) => send(line, &transmit, |answer| step = dialogue.next(answer)),
            psam::Step::Done(result) => return result.expect("the PSAM is in order"),
        }
    }
}

fn buy(line: &mut impl Line, profile: Profile, psam: PsamIdentity) -> purchase::Outcome {
    let (mut dialogue, mut step) = Purchase::begin(Order {
        profile,
        psam,
        amount: CardAmount::new(PRICE).expect("small"),
        date: CardDate::new(2026, 11, 23).expect("a day"),
        time: CardTime::new(11, 45, 0).expect("a time"),
    });
    loop {
        match step.clone() {
            purchase::Step::Transmit(transmit) => send(line, &transmit, |answer| step = dialogue.next(answer)),
            purchase::Step::Identified(_) => step = dialogue.next(Answer::Approved),
            purchase::Step::RecordIntent(_) => step = dialogue.next(Answer::Recorded),
            purchase::Step::Done(outcome) => return outcome,
        }
    }
}

fn settle(line: &mut impl Line, profile: Profile, intent: PurchaseIntent) -> settle::Outcome {
    let (mut dialogue, mut step) = Settle::begin(profile, intent);
    loop {
        match step.clone() {
            settle::Step::Transmit(transmit) => send(line, &transmit, |answer| step = dialogue.next(answer)),
            settle::Step::Done(outcome) => return outcome,
        }
    }
}

fn prove(line: &mut impl Line) -> proof::Outcome {
    let challenge = Challenge::from_bytes([0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88]);
    let (mut dialogue, mut step) = Proof::begin(Profile::city_union(), challenge);
    loop {
        match step.clone() {
            proof::Step::Transmit(transmit) => send(line, &transmit, |answer| step = dialogue.next(answer)),
            proof::Step::Identified(_) => step = dialogue.next(Answer::Approved),
            proof::Step::Done(outcome) => return outcome,
        }
    }
}

/// The issuer's verdict on a TAC.
fn issuer_accepts(intent: &PurchaseIntent, tac: Tac) -> bool {
    let masters: MasterKey = Masters::made_up().tac.master();
    let key = masters.diversify(&intent.serial_number.factor()).tac_key();
    key.purchase_tac(&intent.transaction(), intent.terminal_sequence) == tac
}

/// Charged, when dialogue and next tap are through: with an intent and a TAC that the issuer accepts.
fn charged(line: &mut impl Line, profile: Profile, outcome: purchase::Outcome) -> bool {
    match outcome {
        purchase::Outcome::Debited { intent, debit, .. } => {
            assert!(issuer_accepts(&intent, debit.tac));
            true
        }
        purchase::Outcome::Refused { .. } => false,
        purchase::Outcome::Unknown { intent, .. } => match settle(line, profile, intent) {
            settle::Outcome::Debited { tac, .. } => {
                assert!(issuer_accepts(&intent, tac.expect("the card still has its proof")));
                true
            }
            settle::Outcome::NotDebited { .. } => false,
            other @ (settle::Outcome::OtherCard(_)
            | settle::Outcome::CounterRegress { .. }
            | settle::Outcome::StillUnknown { .. }) => panic!("{other:?}"),
        },
    }
}

#[test]
fn a_purchase_torn_anywhere_is_charged_exactly_when_the_dialogues_say_so() {
    for (quirks, psam_t0) in habits() {
        let (mut whole, psam) = direct(&quirks, psam_t0);
        let outcome = buy(&mut whole, profile(&quirks), psam);
        assert!(matches!(outcome, purchase::Outcome::Debited { .. }), "{quirks:?}: {outcome:?}");
        let commands = whole.sent;
        let mut seen = [0, 0];
        for (at, side) in (0..commands).flat_map(|at| [(at, Side::Before), (at, Side::After)]) {
            let (mut line, psam) = direct(&quirks, psam_t0);
            line.tear = Some((at, side));
            let outcome = buy(&mut line, profile(&quirks), psam);
            (line.tear, line.sent) = (None, 0);
            line.card.reset();
            let charged = charged(&mut line, profile(&quirks), outcome);
            let holds = line.card.state().balance_fen.fen();
            let expected = if charged { BEFORE - PRICE } else { BEFORE };
            assert_eq!(holds, expected, "{quirks:?}, torn {side:?} command {at}: {outcome:?}");
            seen[usize::from(charged)] += 1;
        }
        assert!(seen.iter().all(|count| *count > 2), "both ends were met: {seen:?}");
    }
}

#[test]
fn a_card_is_genuine_only_when_nothing_was_torn_and_its_key_is_right() {
    for (quirks, psam_t0) in habits() {
        let (mut whole, _) = direct(&quirks, psam_t0);
        assert!(matches!(prove(&mut whole), proof::Outcome::Genuine(_)), "{quirks:?}");
        for (at, side) in (0..whole.sent).flat_map(|at| [(at, Side::Before), (at, Side::After)]) {
            let (mut line, _) = direct(&quirks, psam_t0);
            line.tear = Some((at, side));
            let outcome = prove(&mut line);
            assert!(matches!(outcome, proof::Outcome::NoAnswer(_)), "torn {side:?} command {at}: {outcome:?}");
        }
        let (mut line, _) = direct(&quirks, psam_t0);
        line.card.alter(|state| state.keys.proof = StoredKey::from_bytes([0x55; 16])).expect("no file");
        assert_eq!(prove(&mut line), proof::Outcome::NotGenuine);
    }
}

#[test]
fn a_debit_torn_behind_the_real_reader_is_settled_at_the_next_tap() {
    let Some(bench) = CardBench::in_own_process("a_debit_torn_behind_the_real_reader_is_settled_at_the_next_tap")
    else {
        return;
    };
    let quirks = Quirks { t0: true, junk_top_bit: true, auth_code: Some(CODE), ..Quirks::default() };
    bench.reader.card.insert(new_card(&quirks));
    bench.reader.psam.insert(new_psam(true));
    let terminal = Terminal::new().expect("pcscd is ready");
    let connect = |reader| terminal.connect(reader, DEADLINE).expect("it is inserted");
    let mut line = Reader { card: connect(CARD_READER), psam: connect(PSAM_READER) };
    let psam = identify(&mut line);
    let first = buy(&mut line, profile(&quirks), psam);
    assert!(matches!(first, purchase::Outcome::Debited { .. }), "{first:?}");
    for (side, left) in [(Side::Before, BEFORE - PRICE), (Side::After, BEFORE - 2 * PRICE)] {
        bench.reader.card.arm(match side {
            Side::Before => Fault::tear_before(When::Ins(0x54)),
            Side::After => Fault::tear_after(When::Ins(0x54)),
        });
        let outcome = buy(&mut line, profile(&quirks), psam);
        assert!(matches!(outcome, purchase::Outcome::Unknown { .. }), "{outcome:?}");
        assert!(terminal.wait(CARD_READER, DEADLINE, |s| s.contains(pcsc::State::EMPTY)).expect("pcscd runs"));
        let Reader { card, psam: psam_handle } = line;
        drop(card);
        assert!(bench.reader.card.reinsert());
        line = Reader { card: connect(CARD_READER), psam: psam_handle };
        assert_eq!(charged(&mut line, profile(&quirks), outcome), side == Side::After);
        assert_eq!(bench.reader.card.chip(|card| card.state().balance_fen.fen()), Some(left));
    }
}
