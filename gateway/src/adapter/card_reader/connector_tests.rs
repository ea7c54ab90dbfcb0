//! Calls that do not return: left behind, counted, and taken note of when they return after all.

use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Condvar, Mutex};
use std::time::Instant;

use gateway_core::{CardInput, ReaderState};
use tokio::sync::mpsc;

use super::super::limits::STUCK_THREADS_MAX;
use super::super::line::Returned;
use super::super::presence::Sight;
use super::super::slot::Use;
use super::*;

const MUTE: Duration = Duration::from_millis(20);
const DEADLINE: Duration = Duration::from_secs(10);

fn slot() -> (Arc<Slot>, mpsc::Receiver<CardInput>) {
    let (sender, inputs) = mpsc::channel(16);
    let slot = Slot::new(Use::Reader("kiosk-1".parse().unwrap()), "Reader".to_owned(), sender);
    slot.see(Sight::Card { reader: c"Reader 00 00".to_owned(), count: 1, mute: false });
    (Arc::new(slot), inputs)
}

fn states(inputs: &mut mpsc::Receiver<CardInput>) -> Vec<ReaderState> {
    std::iter::from_fn(|| inputs.try_recv().ok())
        .filter_map(|input| if let CardInput::Reader { state, .. } = input { Some(state) } else { None })
        .collect()
}

/// Holds every card, and answers no command until [`Gate::open`].
struct Gate(Mutex<bool>, Condvar);

impl Gate {
    const fn new() -> Self {
        Self(Mutex::new(false), Condvar::new())
    }

    fn open(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_all();
    }

    fn work(&self, calls: &Receiver<Call>, returns: &SyncSender<Returned>) {
        while let Ok(call) = calls.recv() {
            if matches!(call, Call::Transmit(_)) {
                drop(self.1.wait_while(self.0.lock().unwrap(), |open| !*open).unwrap());
            }
            if returns.send(Ok(Vec::new())).is_err() {
                return;
            }
        }
    }
}

#[test]
fn a_slot_with_too_many_calls_that_do_not_return_is_gone_until_they_do() {
    static GATE: Gate = Gate::new();
    let (slot, mut inputs) = slot();
    let mut connector = Connector::new(Arc::clone(&slot), |calls, returns| GATE.work(calls, returns), MUTE);
    let card = slot.lying().unwrap();
    for _ in 0..STUCK_THREADS_MAX {
        connector.hold(&card).unwrap();
        assert_eq!(connector.transmit(&[0x00]), Err(LineError::Overdue));
    }
    assert_eq!(states(&mut inputs), [ReaderState::Card, ReaderState::Gone]);
    assert_eq!(connector.hold(&card), Err(HoldError::NoThread));
    assert_eq!(slot.lying(), None);
    GATE.open();
    let started = Instant::now();
    // Its state is told after it is no longer given up.
    let mut back = Vec::new();
    while back.is_empty() && started.elapsed() < DEADLINE {
        slot.wait(slot.version(), MUTE);
        back = states(&mut inputs);
    }
    assert!(!slot.is_given_up());
    assert_eq!(back, [ReaderState::Card]);
    connector.hold(&card).unwrap();
    assert_eq!(connector.transmit(&[0x00]), Ok(Vec::new()));
}

#[test]
fn a_thread_that_ends_by_itself_is_no_answer_and_is_replaced() {
    fn once(calls: &Receiver<Call>, returns: &SyncSender<Returned>) {
        if let Ok(Call::Hold(_)) = calls.recv() {
            drop(returns.send(Ok(Vec::new())));
        }
    }
    let (slot, _inputs) = slot();
    let mut connector = Connector::new(Arc::clone(&slot), once, DEADLINE);
    let card = slot.lying().unwrap();
    for _ in 0..5 {
        connector.hold(&card).unwrap();
        assert_eq!(connector.transmit(&[0x00]), Err(LineError::Ended));
    }
    assert!(!slot.is_given_up());
}

#[test]
fn a_card_that_others_hold_is_tried_again_and_other_errors_are_not() {
    fn shared(calls: &Receiver<Call>, returns: &SyncSender<Returned>) {
        let mut refusals = SHARING_TRIES_MAX.saturating_sub(1);
        while let Ok(_call) = calls.recv() {
            let held = refusals == 0;
            refusals = refusals.saturating_sub(1);
            drop(returns.send(if held { Ok(Vec::new()) } else { Err(Error::SharingViolation) }));
        }
    }
    fn empty(calls: &Receiver<Call>, returns: &SyncSender<Returned>) {
        assert!(calls.recv().is_ok());
        drop(returns.send(Err(Error::NoSmartcard)));
        assert!(calls.recv().is_err(), "tried once");
    }
    let (slot, _inputs) = slot();
    let card = slot.lying().unwrap();
    assert_eq!(Connector::new(Arc::clone(&slot), shared, MUTE).hold(&card), Ok(()));
    assert_eq!(Connector::new(slot, empty, MUTE).hold(&card), Err(HoldError::Refused(Error::NoSmartcard)));
}
