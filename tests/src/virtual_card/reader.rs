//! A slot of the virtual reader: empty, or with a chip in it that is connected to vpcd.
//!
//! Owns: the connection of the slot, the armed faults, the trace of what went over the wire.
//!
//! ```text
//!             insert / reinsert / back_after
//!   Empty ───────────────┐      ┌────────────── InHand
//!     ▲                  ▼      ▼                 ▲
//!     └──── take ───── OnReader ─── remove / tear ┘
//! ```
//!
//! A chip is in the field as long as its connection with vpcd lives. While one is on the reader and there is no connection (pcscd
//! is starting, or was ended), the slot keeps trying.
//!
//! **Invariant:** a chip executes one command at a time, and never after it was removed.
//! **Invariant:** a slot has at most one connection, and one chip per connection.

use std::collections::VecDeque;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Chip;
use super::fault::{Act, Armed, Fault};
use super::limits;
use super::vpcd::{Message, VpcdAddress, Wire};

/// One command and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// Counted per slot from 1.
    pub number: u64,
    /// The command APDU.
    pub command: Vec<u8>,
    /// The answer that was sent; `None` while it is held back, and for ever if the card was torn.
    pub response: Option<Vec<u8>>,
    /// Whether the chip executed the command.
    pub executed: bool,
    /// The fault that fired on it.
    pub fault: Option<Act>,
}

/// Where a slot's chip is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// There is none.
    Empty,
    /// In the field.
    OnReader,
    /// Taken away, ready for [`Slot::reinsert`].
    InHand,
}

/// One slot of the reader.
pub struct Slot<C: Chip> {
    shared: Arc<Shared<C>>,
}

impl<C: Chip> Slot<C> {
    /// An empty slot for this slot of vpcd.
    pub fn start(address: VpcdAddress) -> io::Result<Self> {
        let shared = Arc::new(Shared { state: Mutex::new(State::new()), changed: Condvar::new() });
        let for_thread = Arc::clone(&shared);
        std::thread::Builder::new().name("slot".to_owned()).spawn(move || run(&for_thread, &address))?;
        Ok(Self { shared })
    }

    /// Puts a chip into the field and returns the one that was there or in the hand. pcscd notices within 0.4 s, and may miss
    /// that there was another card before: that is what a quick swap looks like.
    pub fn insert(&self, chip: C) -> Option<C> {
        let mut state = self.shared.lock();
        let old = state.leave();
        state.enter(chip);
        self.shared.changed.notify_all();
        old
    }

    /// Takes the chip out of the field and keeps it in the hand; false when there was none in the field.
    pub fn remove(&self) -> bool {
        let mut state = self.shared.lock();
        let was_there = matches!(state.place, Place::OnReader(_));
        if was_there {
            state.put_into_hand(None);
        }
        self.shared.changed.notify_all();
        was_there
    }

    /// Puts the chip from the hand back; false when the hand is empty.
    pub fn reinsert(&self) -> bool {
        let mut state = self.shared.lock();
        if !matches!(state.place, Place::InHand { .. }) {
            return false;
        }
        let Some(chip) = state.leave() else { return false };
        state.enter(chip);
        self.shared.changed.notify_all();
        true
    }

    /// Takes the chip away for good, from the field or the hand.
    pub fn take(&self) -> Option<C> {
        let chip = self.shared.lock().leave();
        self.shared.changed.notify_all();
        chip
    }

    /// Where the chip is.
    pub fn presence(&self) -> Presence {
        match self.shared.lock().place {
            Place::Empty => Presence::Empty,
            Place::OnReader(_) => Presence::OnReader,
            Place::InHand { .. } => Presence::InHand,
        }
    }

    /// Looks at the chip, or changes it, wherever it is; `None` when there is none.
    pub fn chip<R>(&self, look: impl FnOnce(&mut C) -> R) -> Option<R> {
        match &mut self.shared.lock().place {
            Place::Empty => None,
            Place::OnReader(chip) | Place::InHand { chip, .. } => Some(look(chip)),
        }
    }

    /// Arms a fault beside those that are armed.
    pub fn arm(&self, fault: Fault) {
        self.shared.lock().armed.arm(fault);
    }

    /// Disarms all faults.
    pub fn disarm(&self) {
        self.shared.lock().armed.clear();
    }

    /// The faults that have not fired yet.
    pub fn armed(&self) -> Vec<Fault> {
        self.shared.lock().armed.list()
    }

    /// What went over the wire since the start or the last [`Slot::clear_trace`], oldest first.
    pub fn trace(&self) -> Vec<Exchange> {
        self.shared.lock().trace.iter().cloned().collect()
    }

    /// Forgets the trace.
    pub fn clear_trace(&self) {
        self.shared.lock().trace.clear();
    }

    /// Sends a copy of each exchange from now on, once its outcome is known; what does not fit into the channel is lost.
    pub fn watch(&self, watcher: SyncSender<Exchange>) {
        self.shared.lock().watchers.push(watcher);
    }

    /// Waits until pcscd has fetched the ATR of the chip that is in the field now. False when the time is over.
    pub fn wait_noticed(&self, within: Duration) -> bool {
        self.wait(within, |state| state.atr_fetched)
    }

    /// Waits until the trace holds a command with this instruction byte (it may still be held back). False when the time is over.
    pub fn wait_command(&self, ins: u8, within: Duration) -> bool {
        self.wait(within, |state| state.trace.iter().any(|e| e.command.get(1) == Some(&ins)))
    }

    fn wait(&self, within: Duration, mut done: impl FnMut(&State<C>) -> bool) -> bool {
        let state = self.shared.lock();
        let (state, _) =
            self.shared.changed.wait_timeout_while(state, within, |s| !done(s)).unwrap_or_else(PoisonError::into_inner);
        done(&state)
    }
}

impl<C: Chip> Drop for Slot<C> {
    /// The thread ends by itself; at worst it is waiting for a connection.
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.stopping = true;
        state.hang_up();
        self.shared.changed.notify_all();
    }
}

struct Shared<C> {
    state: Mutex<State<C>>,
    changed: Condvar,
}

impl<C> Shared<C> {
    /// A test that panicked while looking at a chip must not hide its message behind a poisoned lock.
    fn lock(&self) -> MutexGuard<'_, State<C>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Place<C> {
    Empty,
    OnReader(C),
    InHand { chip: C, back_at: Option<Instant> },
}

struct State<C> {
    place: Place<C>,
    armed: Armed,
    trace: VecDeque<Exchange>,
    watchers: Vec<SyncSender<Exchange>>,
    count: u64,
    /// The connection that is served, to be shut down from other threads.
    connection: Option<TcpStream>,
    /// Goes up whenever the served connection ends; a thread whose number is not this one is out of date.
    generation: u64,
    atr_fetched: bool,
    stopping: bool,
}

impl<C> State<C> {
    fn new() -> Self {
        Self {
            place: Place::Empty,
            armed: Armed::default(),
            trace: VecDeque::new(),
            watchers: Vec::new(),
            count: 0,
            connection: None,
            generation: 0,
            atr_fetched: false,
            stopping: false,
        }
    }

    fn hang_up(&mut self) {
        self.generation = self.generation.wrapping_add(1);
        self.atr_fetched = false;
        if let Some(connection) = self.connection.take() {
            // It may be gone already, which is what is wanted.
            drop(connection.shutdown(Shutdown::Both));
        }
    }

    fn leave(&mut self) -> Option<C> {
        self.hang_up();
        match std::mem::replace(&mut self.place, Place::Empty) {
            Place::Empty => None,
            Place::OnReader(chip) | Place::InHand { chip, .. } => Some(chip),
        }
    }

    fn put_into_hand(&mut self, back_after: Option<Duration>) {
        if let Some(chip) = self.leave() {
            let back_at = back_after.and_then(|pause| Instant::now().checked_add(pause));
            self.place = Place::InHand { chip, back_at };
        }
    }

    fn record(&mut self, exchange: Exchange) {
        if self.trace.len() >= limits::TRACE_LEN_MAX {
            self.trace.pop_front();
        }
        self.trace.push_back(exchange);
    }

    /// The outcome of an exchange is known now.
    fn settle(&mut self, number: u64, response: Option<&[u8]>) {
        if let Some(exchange) = self.trace.iter_mut().rev().find(|e| e.number == number) {
            exchange.response = response.map(<[u8]>::to_vec);
            let copy = &*exchange;
            self.watchers.retain(|w| !matches!(w.try_send(copy.clone()), Err(TrySendError::Disconnected(_))));
        }
    }
}

impl<C: Chip> State<C> {
    fn enter(&mut self, mut chip: C) {
        chip.reset();
        self.place = Place::OnReader(chip);
    }

    /// Whether there is a chip to connect; one whose time in the hand is over comes back first.
    fn wants_connection(&mut self) -> bool {
        if self.return_due().is_some_and(|left| left.is_zero())
            && let Some(chip) = self.leave()
        {
            self.enter(chip);
        }
        matches!(self.place, Place::OnReader(_))
    }

    /// How long until the chip in the hand comes back by itself.
    fn return_due(&self) -> Option<Duration> {
        match &self.place {
            Place::InHand { back_at, .. } => back_at.map(|at| at.saturating_duration_since(Instant::now())),
            Place::Empty | Place::OnReader(_) => None,
        }
    }
}

fn run<C: Chip>(shared: &Shared<C>, address: &VpcdAddress) {
    loop {
        let mut state = shared.lock();
        while !state.stopping && !state.wants_connection() {
            let pause = state.return_due().unwrap_or(limits::IDLE);
            state = shared.changed.wait_timeout(state, pause).unwrap_or_else(PoisonError::into_inner).0;
        }
        if state.stopping {
            return;
        }
        let generation = state.generation;
        drop(state);
        match address.connect().and_then(|stream| Ok((stream.try_clone()?, Wire::new(stream)?))) {
            Ok((stream, wire)) => serve(wire, stream, shared, generation),
            Err(_no_vpcd_yet) => {
                let state = shared.lock();
                // Woken early by whatever changes; then it looks again, which does no harm.
                drop(shared.changed.wait_timeout(state, limits::RECONNECT));
            }
        }
    }
}

/// Serves one connection, unless the chip that it was made for has gone in the meantime.
fn serve<C: Chip>(mut wire: Wire, stream: TcpStream, shared: &Shared<C>, generation: u64) {
    let mut state = shared.lock();
    if state.generation != generation {
        return;
    }
    state.connection = Some(stream);
    drop(state);
    while let Ok(Some(message)) = wire.receive() {
        let reply = match message {
            Message::PowerOff | Message::PowerOn | Message::Reset => reset(shared, generation).map(|()| None),
            Message::UnknownControl(_) => Some(None),
            Message::GetAtr => atr(shared, generation).map(Some),
            Message::Apdu(command) => execute(shared, generation, command).map(Some),
        };
        match reply {
            Some(Some(bytes)) if wire.send(&bytes).is_err() => break,
            Some(_) => {}
            None => break,
        }
    }
    let mut state = shared.lock();
    if state.generation == generation {
        state.hang_up();
    }
}

fn reset<C: Chip>(shared: &Shared<C>, generation: u64) -> Option<()> {
    let mut state = shared.lock();
    if state.generation != generation {
        return None;
    }
    if let Place::OnReader(chip) = &mut state.place {
        chip.reset();
    }
    Some(())
}

fn atr<C: Chip>(shared: &Shared<C>, generation: u64) -> Option<Vec<u8>> {
    let mut state = shared.lock();
    if state.generation != generation {
        return None;
    }
    let Place::OnReader(chip) = &state.place else { return None };
    let atr = chip.atr();
    state.atr_fetched = true;
    shared.changed.notify_all();
    Some(atr)
}

/// Executes a command under the armed faults; `None` closes the connection.
fn execute<C: Chip>(shared: &Shared<C>, generation: u64, command: Vec<u8>) -> Option<Vec<u8>> {
    let mut state = shared.lock();
    if state.generation != generation {
        return None;
    }
    let fault = state.armed.next(&command);
    let executed = !matches!(fault.as_ref().map(|f| &f.act), Some(Act::TearBefore | Act::AnswerWithoutExecuting(_)));
    let Place::OnReader(chip) = &mut state.place else { return None };
    let answer = if executed { chip.execute(&command) } else { Vec::new() };
    state.count = state.count.saturating_add(1);
    let number = state.count;
    let act = fault.as_ref().map(|f| f.act.clone());
    state.record(Exchange { number, command, response: None, executed, fault: act.clone() });
    shared.changed.notify_all();
    let response = match act {
        None => Some(answer),
        Some(Act::TearBefore | Act::TearAfter) => {
            state.put_into_hand(fault.and_then(|f| f.back_after));
            None
        }
        Some(Act::Mute(delay)) => {
            let in_time;
            (state, in_time) = hold_back(shared, state, generation, delay);
            in_time.then_some(answer)
        }
        Some(Act::AnswerInstead(bytes) | Act::AnswerWithoutExecuting(bytes)) => Some(bytes),
    };
    state.settle(number, response.as_deref());
    shared.changed.notify_all();
    response
}

/// Waits with an answer; false when there is nobody left to hear it: the chip was taken away, or pcscd has ended.
fn hold_back<'a, C>(
    shared: &'a Shared<C>,
    mut state: MutexGuard<'a, State<C>>,
    generation: u64,
    delay: Duration,
) -> (MutexGuard<'a, State<C>>, bool) {
    let started = Instant::now();
    loop {
        let left = delay.saturating_sub(started.elapsed());
        let slice = left.min(limits::MUTE_LOOK);
        let waited = shared.changed.wait_timeout_while(state, slice, |s| s.generation == generation);
        state = waited.unwrap_or_else(PoisonError::into_inner).0;
        let deserted = state.connection.as_ref().is_none_or(has_ended);
        if state.generation != generation || deserted {
            return (state, false);
        }
        if left.is_zero() {
            return (state, true);
        }
    }
}

/// Whether the other end has closed the connection. vpcd says nothing while it waits for an answer.
fn has_ended(stream: &TcpStream) -> bool {
    use rustix::net::{RecvFlags, recv};
    let mut octet = [0_u8; 1];
    matches!(recv(stream, &mut octet[..], RecvFlags::PEEK | RecvFlags::DONTWAIT), Ok((_, 0)))
}
