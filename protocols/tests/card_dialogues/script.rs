//! Plays a written script against a dialogue and tells what it sent, asked for and ended with.

use protocols::card::card_file::CardFile;
use protocols::card::dialogue::{Answer, Stage, Transmit};
use protocols::card::intent::PurchaseIntent;
use protocols::card::look::{self, Look};
use protocols::card::proof::{self, Proof};
use protocols::card::psam::{self, Identify};
use protocols::card::purchase::{self, Purchase};
use protocols::card::settle::{self, Settle};

/// A step of any dialogue.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "as in the dialogues, whose steps these are")]
pub enum Event<O> {
    Transmit(Transmit),
    Identified(CardFile),
    RecordIntent(PurchaseIntent),
    Done(O),
}

/// What all dialogues have in common.
pub trait Dialogue {
    type Outcome: Clone + std::fmt::Debug + PartialEq;

    fn next(&mut self, answer: Answer<'_>) -> Event<Self::Outcome>;
}

macro_rules! dialogue {
    ($name:ty, $outcome:ty, $step:path { $($variant:ident),* }) => {
        impl Dialogue for $name {
            type Outcome = $outcome;

            fn next(&mut self, answer: Answer<'_>) -> Event<$outcome> {
                <$name>::next(self, answer).into()
            }
        }

        impl From<$step> for Event<$outcome> {
            fn from(step: $step) -> Self {
                type Step = $step;
                match step {
                    $(Step::$variant(value) => Self::$variant(value),)*
                }
            }
        }
    };
}

dialogue!(Proof, proof::Outcome, proof::Step { Transmit, Identified, Done });
dialogue!(Look, look::Outcome, look::Step { Transmit, Identified, Done });
dialogue!(Purchase, purchase::Outcome, purchase::Step { Transmit, Identified, RecordIntent, Done });
dialogue!(Settle, settle::Outcome, settle::Step { Transmit, Done });
dialogue!(Identify, PsamResult, psam::Step { Transmit, Done });

pub type PsamResult = Result<psam::PsamIdentity, protocols::card::dialogue::Failure>;

/// One line of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// This must be sent (hexadecimal), and this comes back.
    Exchange(String, Vec<u8>),
    /// This must be sent, and nothing comes back.
    Tear(String),
    /// The card must be shown to the caller, who brings back this.
    Decide(bool),
    /// The intent must be shown to the caller, who brings back this.
    Record(bool),
}

pub fn x(command: &str, response: &str) -> Line {
    Line::Exchange(command.replace(' ', ""), bytes(response))
}

pub fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text.replace(' ', "")).unwrap()
}

pub fn octets<const N: usize>(text: &str) -> [u8; N] {
    bytes(text).try_into().unwrap()
}

/// What a dialogue did on its way.
#[derive(Clone, Debug)]
pub struct Played<O> {
    pub outcome: O,
    pub stages: Vec<Stage>,
    pub intents: Vec<PurchaseIntent>,
    pub cards: Vec<CardFile>,
}

/// Plays the whole script; the dialogue must end with its last line, and stay ended.
pub fn play<D: Dialogue>(
    (mut dialogue, first): (D, impl Into<Event<D::Outcome>>),
    script: &[Line],
) -> Played<D::Outcome> {
    let mut event = first.into();
    let (mut stages, mut intents, mut cards) = (vec![], vec![], vec![]);
    for (at, line) in script.iter().enumerate() {
        let answer = match (line, &event) {
            (Line::Exchange(command, response), Event::Transmit(transmit)) => {
                assert_eq!(&hex::encode_upper(transmit.command.to_bytes()), command, "line {at}");
                assert_eq!(transmit.slot, transmit.stage.slot());
                stages.push(transmit.stage);
                Answer::Received(response)
            }
            (Line::Tear(command), Event::Transmit(transmit)) => {
                assert_eq!(&hex::encode_upper(transmit.command.to_bytes()), command, "line {at}");
                stages.push(transmit.stage);
                Answer::NoAnswer
            }
            (Line::Decide(approved), Event::Identified(card)) => {
                cards.push(*card);
                if *approved { Answer::Approved } else { Answer::Declined }
            }
            (Line::Record(recorded), Event::RecordIntent(intent)) => {
                intents.push(*intent);
                if *recorded { Answer::Recorded } else { Answer::NotRecorded }
            }
            (line, event) => panic!("line {at} is {line:?}, the dialogue is at {event:?}"),
        };
        event = dialogue.next(answer);
    }
    let Event::Done(outcome) = event else { panic!("the script is over, the dialogue is at {event:?}") };
    for answer in [Answer::Received(&[0x90, 0x00]), Answer::NoAnswer, Answer::Approved, Answer::Recorded] {
        assert!(matches!(dialogue.next(answer), Event::Done(again) if again == outcome), "an end is an end");
    }
    Played { outcome, stages, intents, cards }
}

/// The script up to each exchange, which then gets no answer, in each way in which a reader says so.
pub fn tears(script: &[Line]) -> impl Iterator<Item = (usize, Vec<Line>)> {
    let exchanges = script.iter().enumerate().filter_map(|(at, line)| match line {
        Line::Exchange(command, _) => Some((at, command.clone())),
        Line::Tear(_) | Line::Decide(_) | Line::Record(_) => None,
    });
    exchanges.collect::<Vec<_>>().into_iter().enumerate().flat_map(move |(exchange, (at, command))| {
        let torn =
            [Line::Tear(command.clone()), Line::Exchange(command.clone(), vec![]), Line::Exchange(command, vec![0x90])];
        torn.map(|line| (exchange, script[..at].iter().cloned().chain([line]).collect::<Vec<_>>()))
    })
}

/// The same script as a T=0 card or PSAM plays it: 61xx, then the data.
pub fn fetched(script: &[Line]) -> Vec<Line> {
    let lines = script.iter().flat_map(|line| match line {
        Line::Exchange(command, response) if response.len() > 2 => {
            let length = u8::try_from(response.len() - 2).unwrap();
            vec![
                Line::Exchange(command.clone(), vec![0x61, length]),
                Line::Exchange(format!("00C00000{length:02X}"), response.clone()),
            ]
        }
        line @ (Line::Exchange(..) | Line::Tear(_) | Line::Decide(_) | Line::Record(_)) => vec![line.clone()],
    });
    lines.collect()
}
