//! One logical command through 61xx and 6Cxx: what T=0 cards answer instead of data, and contactless ones too.
//!
//! ```text
//!            ┌── 6Cxx, repeatable: the same command, Le = xx ──┐
//!            ▼                                                 │
//! send ──► answer ── 61xx: GET RESPONSE, Le = xx ──► answer ───┤ (collects the data)
//!            │                                                 │
//!            ├── any other status word ──► Done ◄──────────────┘
//!            └── fewer than 2 bytes, more than 258, too many exchanges ──► Failed
//! ```
//!
//! **Invariant:** at most [`EXCHANGES_PER_COMMAND_MAX`] APDUs go out for one command.
//! **Invariant:** a command made with [`Transport::once`] is never sent a second time.

use super::apdu::{Command, ExpectedLength, Header, Response, ResponseError};
use super::limits::{EXCHANGES_PER_COMMAND_MAX, RESPONSE_DATA_BYTES_MAX};
use super::status::StatusWord;

/// What to do next for one logical command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// Transmit this and come back with the answer.
    Send(Command),
    /// The whole answer.
    Done(Answered),
    /// There is no answer that can be used.
    Failed(TransportError),
}

/// The whole answer to a logical command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// Data of all parts, and the last status word.
    pub response: Response,
    /// Whether the card had said 61xx before: the command itself was then carried out, and the status word belongs
    /// to GET RESPONSE.
    pub fetched: bool,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// Not a response.
    #[error(transparent)]
    Response(#[from] ResponseError),
    /// The parts together exceed 256 bytes.
    #[error("the parts of the answer are longer than 256 bytes together")]
    TooLong,
    /// The card keeps answering 61xx or 6Cxx.
    #[error("the card keeps asking for further exchanges")]
    Loop,
}

impl TransportError {
    /// Whether the card said nothing at all, as opposed to something unusable.
    pub const fn is_silence(self) -> bool {
        match self {
            Self::Response(ResponseError::NoStatusWord { .. }) => true,
            Self::Response(ResponseError::TooLong { .. }) | Self::TooLong | Self::Loop => false,
        }
    }
}

/// The state of one logical command.
#[derive(Clone, Debug)]
pub struct Transport {
    /// What was sent last.
    sent: Command,
    repeatable: bool,
    collected: heapless::Vec<u8, RESPONSE_DATA_BYTES_MAX>,
    fetched: bool,
    exchanges: u8,
}

impl Transport {
    /// A command that may be sent again when the card answers 6Cxx.
    pub const fn repeatable(command: Command) -> Self {
        Self::new(command, true)
    }

    /// A command that changes something, which is sent at most once: 6Cxx is then its answer.
    pub const fn once(command: Command) -> Self {
        Self::new(command, false)
    }

    const fn new(command: Command, repeatable: bool) -> Self {
        Self { sent: command, repeatable, collected: heapless::Vec::new(), fetched: false, exchanges: 1 }
    }

    /// The command to transmit first.
    pub const fn first(&self) -> &Command {
        &self.sent
    }

    /// Takes what the reader returned for the last command.
    pub fn next(&mut self, answer: &[u8]) -> Exchange {
        let response = match Response::parse(answer) {
            Ok(response) => response,
            Err(error) => return Exchange::Failed(error.into()),
        };
        if self.collected.extend_from_slice(response.data()).is_err() {
            return Exchange::Failed(TransportError::TooLong);
        }
        let status = response.status();
        if let StatusWord::MoreData(length) = status {
            self.fetched = true;
            return self.send(get_response(ExpectedLength::from_le(length)));
        }
        if let StatusWord::WrongExpectedLength(length) = status
            && (self.repeatable || self.fetched)
        {
            let command = self.sent.clone().with_expected(ExpectedLength::from_le(length));
            return self.send(command);
        }
        self.done(status)
    }

    fn send(&mut self, command: Command) -> Exchange {
        if self.exchanges >= EXCHANGES_PER_COMMAND_MAX {
            return Exchange::Failed(TransportError::Loop);
        }
        self.exchanges += 1;
        self.sent = command.clone();
        Exchange::Send(command)
    }

    fn done(&self, status: StatusWord) -> Exchange {
        match Response::new(&self.collected, status) {
            Ok(response) => Exchange::Done(Answered { response, fetched: self.fetched }),
            Err(error) => Exchange::Failed(error.into()),
        }
    }
}

/// GET RESPONSE: `00 C0 00 00 Le`.
fn get_response(expected: ExpectedLength) -> Command {
    Command::without_data(Header::new([0x00, 0xC0, 0x00, 0x00]), Some(expected))
}
