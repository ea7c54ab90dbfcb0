//! Any answers at all, at every step of every dialogue: nothing panics, everything ends, and the promises about the
//! debit hold whatever card, PSAM and caller do.

use proptest::prelude::*;
use protocols::card::dialogue::{Answer, Stage};
use protocols::card::purchase::{Outcome, Purchase, proves_no_debit};
use protocols::card::status::StatusWord;
use protocols::card::{proof, settle};

use crate::script::{Dialogue, Event, Line};

/// More steps than any dialogue can have: 14 exchanges of at most 8 APDUs, two decisions.
const STEPS_MAX: usize = 14 * 8 + 2;

/// What is brought back at one step.
#[derive(Clone, Debug)]
enum Given {
    /// What the script has for this place.
    Scripted,
    /// What the script has, with one byte changed.
    Flipped(prop::sample::Index, u8),
    /// Any bytes.
    Bytes(Vec<u8>),
    /// More bytes than a response can have.
    Endless,
    /// A status word of those that steer.
    Word(u16),
    NoAnswer,
    Approved,
    Declined,
    Recorded,
    NotRecorded,
}

fn given() -> impl Strategy<Value = Given> {
    prop_oneof![
        60 => Just(Given::Scripted),
        2 => (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(at, bits)| Given::Flipped(at, bits)),
        1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Given::Bytes),
        1 => Just(Given::Endless),
        2 => prop::sample::select(vec![0x9000, 0x6108, 0x6100, 0x6C08, 0x6985, 0x9302, 0x9401, 0x9406, 0x6A83, 0x6581])
            .prop_map(Given::Word),
        1 => any::<u16>().prop_map(Given::Word),
        1 => Just(Given::NoAnswer),
        1 => Just(Given::Approved),
        1 => Just(Given::Declined),
        1 => Just(Given::Recorded),
        1 => Just(Given::NotRecorded),
    ]
}

fn course() -> impl Strategy<Value = Vec<Given>> {
    prop::collection::vec(given(), STEPS_MAX)
}

/// What was sent and what came back, in order.
struct Trace<O> {
    outcome: O,
    exchanges: Vec<(Stage, Vec<u8>, Option<Vec<u8>>)>,
    recorded_before: Option<usize>,
}

fn scripted(script: &[Line], command: &[u8]) -> Vec<u8> {
    let command = hex::encode_upper(command);
    let found = script.iter().find_map(|line| match line {
        Line::Exchange(sent, response) if *sent == command => Some(response.clone()),
        Line::Exchange(..) | Line::Tear(_) | Line::Decide(_) | Line::Record(_) => None,
    });
    found.unwrap_or_else(|| vec![0x90, 0x00])
}

fn run<D: Dialogue>(
    (mut dialogue, first): (D, impl Into<Event<D::Outcome>>),
    script: &[Line],
    course: &[Given],
) -> Option<Trace<D::Outcome>> {
    let mut event = first.into();
    let mut exchanges = vec![];
    let mut recorded_before = None;
    for given in course {
        let natural = match &event {
            Event::Done(outcome) => {
                return Some(Trace { outcome: outcome.clone(), exchanges, recorded_before });
            }
            Event::Transmit(transmit) => {
                let command = transmit.command.to_bytes().to_vec();
                let response = scripted(script, &command);
                exchanges.push((transmit.stage, command, None));
                Some(response)
            }
            Event::Identified(_) | Event::RecordIntent(_) => None,
        };
        let bytes = match (given, natural) {
            (Given::Scripted, natural) => natural,
            (Given::Flipped(at, bits), Some(mut natural)) => {
                let at = at.index(natural.len());
                natural[at] ^= bits;
                Some(natural)
            }
            (Given::Bytes(bytes), _) => Some(bytes.clone()),
            (Given::Endless, _) => Some(vec![0x90; 65_538]),
            (Given::Word(word), _) => Some(word.to_be_bytes().to_vec()),
            (Given::Flipped(..) | Given::NoAnswer | Given::Approved, _)
            | (Given::Declined | Given::Recorded | Given::NotRecorded, _) => None,
        };
        let answer = match (&bytes, given, &event) {
            (Some(bytes), _, _) => Answer::Received(bytes),
            (None, Given::Scripted | Given::Flipped(..), Event::Identified(_)) | (None, Given::Approved, _) => {
                Answer::Approved
            }
            (None, Given::Scripted | Given::Flipped(..), Event::RecordIntent(_)) | (None, Given::Recorded, _) => {
                Answer::Recorded
            }
            (None, Given::Declined, _) => Answer::Declined,
            (None, Given::NotRecorded, _) => Answer::NotRecorded,
            (
                None,
                Given::NoAnswer
                | Given::Scripted
                | Given::Flipped(..)
                | Given::Bytes(_)
                | Given::Endless
                | Given::Word(_),
                _,
            ) => Answer::NoAnswer,
        };
        if matches!((&event, answer), (Event::RecordIntent(_), Answer::Recorded)) {
            recorded_before = Some(exchanges.len());
        }
        if let (Event::Transmit(_), Some((_, _, received))) = (&event, exchanges.last_mut()) {
            *received = bytes.clone();
        }
        event = dialogue.next(answer);
    }
    match event {
        Event::Done(outcome) => Some(Trace { outcome, exchanges, recorded_before }),
        Event::Transmit(_) | Event::Identified(_) | Event::RecordIntent(_) => None,
    }
}

/// The instruction byte of DEBIT FOR PURCHASE.
const INS_DEBIT: u8 = 0x54;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_purchase_keeps_its_promises_whatever_comes_back(course in course()) {
        let begun: (Purchase, _) = crate::purchase::begin();
        let trace = run(begun, &crate::purchase::script(), &course);
        let Trace { outcome, exchanges, recorded_before } = trace.expect("every purchase ends");
        let debits: Vec<usize> = (0..exchanges.len()).filter(|at| exchanges[*at].1[1] == INS_DEBIT).collect();
        prop_assert!(debits.len() <= 1, "one debit at most");
        let Some(debit) = debits.first().copied() else {
            prop_assert!(matches!(outcome, Outcome::Refused { .. }), "without a debit it is refused: {outcome:?}");
            return Ok(());
        };
        prop_assert!(recorded_before.is_some_and(|at| at <= debit), "the intent was durable before the debit");
        match outcome {
            Outcome::Debited { .. } => {
                let (stage, _, received) = exchanges.last().unwrap();
                prop_assert_eq!(*stage, Stage::PsamCredit);
                prop_assert!(received.as_ref().is_some_and(|bytes| bytes.ends_with(&[0x90, 0x00])));
            }
            Outcome::Refused { intent, .. } => {
                prop_assert!(intent.is_some());
                let received = exchanges[debit].2.as_ref().unwrap();
                let word = received.last_chunk::<2>().map(|word| u16::from_be_bytes(*word)).unwrap();
                prop_assert!(proves_no_debit(StatusWord::from_u16(word)));
                prop_assert_eq!(debit, exchanges.len() - 1);
            }
            Outcome::Unknown { .. } => {}
        }
    }

    #[test]
    fn a_settlement_never_debits_and_decides_only_on_what_the_card_said(course in course()) {
        let trace = run(crate::settle::begin(), &crate::settle::script(), &course);
        let Trace { outcome, exchanges, .. } = trace.expect("every settlement ends");
        prop_assert!(exchanges.iter().all(|(_, command, _)| command[1] != INS_DEBIT));
        match outcome {
            settle::Outcome::Debited { record, .. } => prop_assert!(crate::purchase::intent().is_recorded_by(&record)),
            settle::Outcome::NotDebited { .. }
            | settle::Outcome::OtherCard(_)
            | settle::Outcome::CounterRegress { .. }
            | settle::Outcome::StillUnknown { .. } => {}
        }
    }

    #[test]
    fn a_proof_ends_and_is_genuine_only_when_both_answers_agree(course in course()) {
        let trace = run(crate::proof::begin(), &crate::proof::script(), &course);
        let Trace { outcome, exchanges, .. } = trace.expect("every proof ends");
        if let proof::Outcome::Genuine(_) = outcome {
            let (stage, _, received) = exchanges.last().unwrap();
            prop_assert_eq!(*stage, Stage::PsamProofCrypt);
            prop_assert!(received.as_ref().is_some_and(|bytes| bytes.ends_with(&[0x90, 0x00])));
        }
    }

    #[test]
    fn a_psam_preamble_ends(course in course()) {
        let begun = protocols::card::psam::Identify::begin(protocols::card::profile::FileId::from_bytes([0x10, 0x01]));
        prop_assert!(run(begun, &[], &course).is_some());
    }
}

#[test]
fn dialogues_are_small_enough_for_a_thread_and_can_be_cloned() {
    fn clone_and_size<T: Clone + Send + 'static>() -> usize {
        size_of::<T>()
    }
    for size in [
        clone_and_size::<Purchase>(),
        clone_and_size::<proof::Proof>(),
        clone_and_size::<settle::Settle>(),
        clone_and_size::<protocols::card::psam::Identify>(),
    ] {
        assert!(size < 2048, "{size} bytes");
    }
}
