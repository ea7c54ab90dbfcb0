//! One PC/SC connection on a thread of its own, so that a call which does not return can be left behind.
//!
//! PC/SC blocks: a mute card holds up the call that waits for it for ever. So whoever speaks to a card does it through a
//! [`Line`]: one call at a time, each with a deadline. After a missed deadline the line is dropped; its thread ends by
//! itself when the call returns, and takes its context and its card with it.
//!
//! **Invariant:** a context is used by one thread only, and never again after an error that says that the service is lost.
//! **Invariant:** a card is held exclusively and in a transaction; within it nothing resets or reconnects it.

use std::ffi::{CStr, CString};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use pcsc::{Card, Context, Disposition, Error, Protocols, Scope, ShareMode, Transaction};

use super::limits::{ANSWER_LEN_MAX, CALLS_WAITING_MAX};

/// What a line's thread is asked for.
#[derive(Debug)]
pub(super) enum Call {
    /// Take the card in this reader. Nothing is said in the answer.
    Hold(CString),
    /// Send this to the card that is held. The answer is the card's.
    Transmit(Box<[u8]>),
    /// Is the card that is held still the same, untouched by others? Nothing is said in the answer.
    Probe,
    /// Let the card go. Nothing is said in the answer.
    Release,
}

/// What came of a call.
pub(super) type Returned = Result<Vec<u8>, Error>;

/// Why a call brought nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum LineError {
    /// PC/SC says no.
    #[error("{0}")]
    Pcsc(#[from] Error),
    /// Nothing within the deadline: the line must be dropped.
    #[error("no answer within the deadline")]
    Overdue,
    /// The thread has ended: the line must be dropped.
    #[error("the PC/SC thread has ended")]
    Ended,
}

/// What runs on a line's thread until the calls end.
pub(super) type Work = fn(&Receiver<Call>, &SyncSender<Returned>);

/// A connection, seen from outside.
#[derive(Debug)]
pub(super) struct Line {
    calls: SyncSender<Call>,
    returns: Receiver<Returned>,
}

impl Line {
    /// Starts the thread. `at_end` runs on it when it ends, however that is.
    pub(super) fn start(work: Work, at_end: impl FnOnce() + Send + 'static) -> std::io::Result<Self> {
        let (calls, called) = sync_channel(CALLS_WAITING_MAX);
        let (returning, returns) = sync_channel(CALLS_WAITING_MAX);
        let at_end = AtEnd(Some(at_end));
        std::thread::Builder::new().name("pcsc".to_owned()).spawn(move || {
            let _at_end = at_end;
            work(&called, &returning);
        })?;
        Ok(Self { calls, returns })
    }

    /// One call. After [`LineError::Overdue`] and [`LineError::Ended`] the line is of no use.
    pub(super) fn call(&self, call: Call, within: Duration) -> Result<Vec<u8>, LineError> {
        self.calls.try_send(call).map_err(|_| LineError::Ended)?;
        match self.returns.recv_timeout(within) {
            Ok(returned) => Ok(returned?),
            Err(RecvTimeoutError::Timeout) => Err(LineError::Overdue),
            Err(RecvTimeoutError::Disconnected) => Err(LineError::Ended),
        }
    }
}

struct AtEnd<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> Drop for AtEnd<F> {
    fn drop(&mut self) {
        if let Some(run) = self.0.take() {
            run();
        }
    }
}

/// The work of a line over PC/SC.
pub(super) fn pcsc_work(calls: &Receiver<Call>, returns: &SyncSender<Returned>) {
    let mut context = None;
    while let Ok(call) = calls.recv() {
        let more = match call {
            Call::Hold(reader) => match connect(&mut context, &reader) {
                Ok(card) => hold(card, calls, returns),
                Err(error) => returns.send(Err(error)).is_ok(),
            },
            Call::Transmit(_) | Call::Probe => returns.send(Err(Error::InvalidHandle)).is_ok(),
            Call::Release => returns.send(Ok(Vec::new())).is_ok(),
        };
        if !more {
            return;
        }
    }
}

/// Connects. A context that has lost its service, as after a restart of the daemon of PC/SC, is replaced once.
fn connect(context: &mut Option<Context>, reader: &CStr) -> Result<Card, Error> {
    let connect = |context: &Context| context.connect(reader, ShareMode::Exclusive, Protocols::ANY);
    if let Some(old) = context.take() {
        match connect(&old) {
            Err(error) if loses_service(error) => drop(old),
            result => {
                *context = Some(old);
                return result;
            }
        }
    }
    let fresh = Context::establish(Scope::System)?;
    let result = connect(&fresh);
    if !result.as_ref().is_err_and(|error| loses_service(*error)) {
        *context = Some(fresh);
    }
    result
}

/// Serves the calls for one card until it is let go; false when nobody calls any more.
fn hold(mut card: Card, calls: &Receiver<Call>, returns: &SyncSender<Returned>) -> bool {
    let (refused, more) = match card.transaction() {
        Ok(transaction) => {
            let more = returns.send(Ok(Vec::new())).is_ok() && serve(&transaction, calls, returns);
            (None, more)
        }
        Err(error) => (Some(error), true),
    };
    // Never reset: the card may have been taken away unnoticed, and the daemon of PC/SC, when a reset fails, takes the slot
    // for empty and then misses a card that is back before it looks again. Every dialogue begins with a selection anyway.
    if let Err((card, _)) = card.disconnect(Disposition::LeaveCard) {
        // The handle is dead, so its drop resets nothing.
        drop(card);
    }
    more && returns.send(refused.map_or(Ok(Vec::new()), Err)).is_ok()
}

/// True when the card is to be let go, false when nobody calls any more.
fn serve(transaction: &Transaction<'_>, calls: &Receiver<Call>, returns: &SyncSender<Returned>) -> bool {
    let mut buffer = vec![0; ANSWER_LEN_MAX];
    while let Ok(call) = calls.recv() {
        let returned = match call {
            Call::Transmit(command) => transaction.transmit(&command, &mut buffer).map(<[u8]>::to_vec),
            Call::Probe => transaction.status2_len().map(|_| Vec::new()),
            Call::Hold(_) => Err(Error::SharingViolation),
            Call::Release => return true,
        };
        if returns.send(returned).is_err() {
            return false;
        }
    }
    false
}

/// Whether a context is of no use after this error.
pub(super) const fn loses_service(error: Error) -> bool {
    matches!(
        error,
        Error::NoService
            | Error::ServiceStopped
            | Error::CommError
            | Error::InvalidHandle
            | Error::Shutdown
            | Error::InternalError
    )
}
