//! A terminal as tests need it: raw APDUs through the real PC/SC client library.

use std::ffi::CString;
use std::time::{Duration, Instant};

use pcsc::{Card, Context, Error, Protocols, ReaderState, Scope, ShareMode, State};

/// What a transmission brought: data and status word, or what went wrong.
pub type Answer = Result<Vec<u8>, Error>;

/// A PC/SC context on one thread.
pub struct Terminal {
    context: Context,
}

impl Terminal {
    /// A new context; pcscd must be running.
    pub fn new() -> Result<Self, Error> {
        Ok(Self { context: Context::establish(Scope::System)? })
    }

    /// The context itself.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Waits until the reader's state satisfies `wanted`; false when the time is over.
    pub fn wait(&self, reader: &str, within: Duration, wanted: impl Fn(State) -> bool) -> Result<bool, Error> {
        let started = Instant::now();
        let mut states = [ReaderState::new(name(reader), State::UNAWARE)];
        loop {
            let left = within.saturating_sub(started.elapsed());
            match self.context.get_status_change(left, &mut states) {
                Ok(()) => {}
                Err(Error::Timeout) => return Ok(false),
                Err(e) => return Err(e),
            }
            let [state] = &mut states;
            if wanted(state.event_state()) {
                return Ok(true);
            }
            state.sync_current_state();
        }
    }

    /// Waits for a card and takes it for this terminal alone.
    pub fn connect(&self, reader: &str, within: Duration) -> Result<Card, Error> {
        if !self.wait(reader, within, |state| state.contains(State::PRESENT))? {
            return Err(Error::Timeout);
        }
        self.context.connect(&name(reader), ShareMode::Exclusive, Protocols::ANY)
    }
}

/// Sends one command, given in hexadecimal (spaces allowed), and returns all the bytes of the answer.
pub fn transmit(card: &Card, command: &str) -> Answer {
    let command: String = command.split_whitespace().collect();
    let command = hex::decode(command).map_err(|_| Error::InvalidParameter)?;
    let mut buffer = [0; pcsc::MAX_BUFFER_SIZE];
    card.transmit(&command, &mut buffer).map(<[u8]>::to_vec)
}

fn name(reader: &str) -> CString {
    // No reader has a zero byte in its name; with an empty name pcscd answers that it knows no such reader.
    CString::new(reader).unwrap_or_default()
}
