//! What stands in for the core: it hears what the readers tell, answers what a dialogue asks, and waits with a deadline.

use std::collections::BTreeMap;
use std::time::Duration;

use gateway::adapter::card_reader::{CardReaderHandle, CardReaderSettings, CardReaders};
use gateway_core::{CardInput, CardVerdict, DialogueId, DialogueOrder, DialogueOutcome, ReaderState};
use protocols::card::card_file::CardFile;
use protocols::card::intent::PurchaseIntent;
use protocols::card::psam::PsamIdentity;
use protocols::card::purchase;
use protocols::card::value::CardAmount;
use protocols::id::ReaderId;
use tests::virtual_card::card_state::{CardState, Quirks};
use tests::virtual_card::psam::{Psam, PsamState};
use tests::virtual_card::purse::CitizenCard;
use tests::virtual_card::{CARD_READER, CardBench, PSAM_READER};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

/// How long anything may take before a test fails.
pub const DEADLINE: Duration = Duration::from_secs(20);
pub const SERIAL: [u8; 8] = [0x31, 0x00, 0x00, 0x00, 0x12, 0x34, 0x56, 0x78];
pub const OTHER_SERIAL: [u8; 8] = [0x31, 0x00, 0x00, 0x00, 0x87, 0x65, 0x43, 0x21];
pub const TERMINAL: [u8; 6] = [0x31, 0x00, 0x00, 0x00, 0x00, 0x42];
pub const OTHER_TERMINAL: [u8; 6] = [0x31, 0x00, 0x00, 0x00, 0x00, 0x43];
pub const KIOSK: &str = "kiosk-1";
pub const BALANCE: u32 = 100_000;
pub const PRICE: u32 = 1_250;

/// A card with [`BALANCE`].
pub fn card(serial: [u8; 8]) -> CitizenCard {
    card_with(serial, Quirks::default())
}

pub fn card_with(serial: [u8; 8], quirks: Quirks) -> CitizenCard {
    let balance_fen = CardAmount::new(BALANCE).expect("small");
    CitizenCard::new(CardState { balance_fen, quirks, ..CardState::new(serial) })
}

pub fn psam(terminal: [u8; 6]) -> Psam {
    Psam::new(PsamState::new(terminal))
}

/// What the card in a slot holds.
pub fn balance(bench: &CardBench) -> u32 {
    bench.reader.card.chip(|card| card.state().balance_fen.fen()).expect("a card")
}

pub fn id(name: &str) -> ReaderId {
    name.parse().expect("a name")
}

/// The settings for one reader, as the configuration would have them; `more` is TOML of the section.
pub fn settings(more: &str) -> CardReaderSettings {
    let text = format!("psam = '{PSAM_READER}'\nreader = [{{ id = '{KIOSK}', pcsc = '{CARD_READER}' }}]\n{more}");
    toml::from_str(&text).expect("settings")
}

/// How the core answers an intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Journal {
    /// Durable at once.
    Takes,
    /// Nothing is heard of it; the test may say so itself.
    Hangs,
}

/// A dialogue that has ended, with what it asked on the way.
#[derive(Debug)]
pub struct Ended {
    pub outcome: DialogueOutcome,
    pub identified: Option<CardFile>,
    pub intent: Option<PurchaseIntent>,
}

/// The core's place.
pub struct Script {
    pub handle: CardReaderHandle,
    pub readers: Option<CardReaders>,
    pub states: BTreeMap<ReaderId, ReaderState>,
    pub psam: Option<PsamIdentity>,
    pub verdict: CardVerdict,
    pub journal: Journal,
    inputs: mpsc::Receiver<CardInput>,
    runtime: Runtime,
    next: u64,
}

impl Script {
    pub fn start(settings: &CardReaderSettings) -> Self {
        // Where a test has a subscriber of its own, that one stays.
        drop(
            tracing_subscriber::fmt()
                .with_max_level(tracing_subscriber::filter::LevelFilter::INFO)
                .with_test_writer()
                .try_init(),
        );
        let (sender, inputs) = mpsc::channel(64);
        let (readers, handle) = CardReaders::start(settings, &sender).expect("good settings");
        Self {
            handle,
            readers: Some(readers),
            states: BTreeMap::new(),
            psam: None,
            verdict: CardVerdict::Approved,
            journal: Journal::Takes,
            inputs,
            runtime: tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime"),
            next: 1,
        }
    }

    /// The next input; states are kept, and dialogues answered.
    pub fn hear(&mut self) -> CardInput {
        let input = self.hear_only();
        match &input {
            CardInput::Identified { dialogue, .. } => self.handle.verdict(*dialogue, self.verdict.clone()),
            CardInput::IntentReady { dialogue, .. } if self.journal == Journal::Takes => {
                self.handle.proceed(*dialogue);
            }
            CardInput::IntentReady { .. } | CardInput::Done { .. } | CardInput::Reader { .. } | CardInput::Psam(_) => {}
        }
        input
    }

    /// The next input; states are kept, and somebody else answers.
    pub fn hear_only(&mut self) -> CardInput {
        let heard = self.runtime.block_on(async { tokio::time::timeout(DEADLINE, self.inputs.recv()).await });
        let input = heard.unwrap_or_else(|_| panic!("nothing within {DEADLINE:?}; {:?}", self.states));
        let input = input.expect("the readers run");
        match &input {
            CardInput::Reader { reader, state } => drop(self.states.insert(reader.clone(), *state)),
            CardInput::Psam(psam) => self.psam = *psam,
            CardInput::Identified { .. } | CardInput::IntentReady { .. } | CardInput::Done { .. } => {}
        }
        input
    }

    /// Hears until it is so.
    pub fn until(&mut self, so: impl Fn(&Self) -> bool) {
        while !so(self) {
            self.hear();
        }
    }

    /// Waits until a reader is in this state.
    pub fn until_reader(&mut self, reader: &str, state: ReaderState) {
        let reader = id(reader);
        self.until(|this| this.states.get(&reader) == Some(&state));
    }

    /// Waits for this reader's next change, whatever was before.
    pub fn change_of(&mut self, name: &str) -> ReaderState {
        loop {
            if let CardInput::Reader { reader, state } = self.hear()
                && reader.as_str() == name
            {
                return state;
            }
        }
    }

    /// Card and PSAM are there.
    pub fn until_ready(&mut self) {
        self.until_reader(KIOSK, ReaderState::Card);
        self.until(|this| this.psam.is_some());
    }

    pub fn order(&mut self, reader: &str, order: DialogueOrder) -> DialogueId {
        let dialogue = DialogueId(self.next);
        self.next += 1;
        self.handle.run(&id(reader), dialogue, order).expect("the reader takes it");
        dialogue
    }

    /// A purchase at the kiosk that waits for its intent to be durable.
    pub fn purchase_until_intent(&mut self) -> (DialogueId, PurchaseIntent) {
        self.journal = Journal::Hangs;
        let ordered = self.order(KIOSK, DialogueOrder::Purchase { amount: PRICE });
        loop {
            if let CardInput::IntentReady { dialogue, intent, .. } = self.hear() {
                assert_eq!(dialogue, ordered);
                self.journal = Journal::Takes;
                return (dialogue, intent);
            }
        }
    }

    /// A purchase at the kiosk that must go well.
    pub fn buy(&mut self) {
        let ended = self.run(DialogueOrder::Purchase { amount: PRICE });
        let debited = matches!(ended.outcome, DialogueOutcome::Purchase(purchase::Outcome::Debited { .. }));
        assert!(debited, "{ended:?}");
    }

    /// A whole dialogue at the kiosk.
    pub fn run(&mut self, order: DialogueOrder) -> Ended {
        let dialogue = self.order(KIOSK, order);
        self.end_of(dialogue)
    }

    pub fn end_of(&mut self, wanted: DialogueId) -> Ended {
        let (mut identified, mut asked) = (None, None);
        loop {
            match self.hear() {
                CardInput::Identified { dialogue, card, .. } if dialogue == wanted => identified = Some(card),
                CardInput::IntentReady { dialogue, intent, .. } if dialogue == wanted => asked = Some(intent),
                CardInput::Done { dialogue, outcome } if dialogue == wanted => {
                    return Ended { outcome, identified, intent: asked };
                }
                CardInput::Identified { .. }
                | CardInput::IntentReady { .. }
                | CardInput::Done { .. }
                | CardInput::Reader { .. }
                | CardInput::Psam(_) => {}
            }
        }
    }
}

/// A bench with card and PSAM in place, and readers that know it.
pub fn ready(test: &str, more: &str) -> Option<(CardBench, Script)> {
    let bench = CardBench::in_own_process(test)?;
    bench.reader.card.insert(card(SERIAL));
    bench.reader.psam.insert(psam(TERMINAL));
    let mut script = Script::start(&settings(more));
    script.until_ready();
    Some((bench, script))
}
