//! What the dialogues with a card and a PSAM share: who is spoken to, what comes back, why it ends early.
//!
//! A dialogue is a stepper: its `begin` gives the first step, `next(answer)` the following one, until `Done`. The
//! caller transmits, decides and records; it never looks into an APDU. Each dialogue handles 61xx and 6Cxx itself
//! ([`super::transport`]), so what the caller passes in is what the reader returned, whatever it is.
//!
//! ```text
//!               ┌─────────── Transmit ──► reader ── Received(bytes) | NoAnswer ──┐
//! begin ──► step├─────────── Identified ► validity, hotlist ── Approved | Declined ──► next ──► step …
//!               ├─────────── RecordIntent ► journal ── Recorded | NotRecorded ───┘
//!               └─────────── Done(outcome)
//! ```
//!
//! **Invariant:** after `Done`, `next` gives the same outcome again, whatever it is passed.

use core::fmt;

use super::apdu::{Command, Response};
use super::card_file::{CardFile, CardFileError};
use super::profile::Aid;
use super::status::StatusWord;
use super::tlv::Fci;
use super::transport::{Answered, Exchange, Transport};
use super::value::{CardAmount, UnsupportedAlgorithm};

/// Who is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slot {
    /// The card on the reader.
    Card,
    /// The security module of the terminal.
    Psam,
}

/// Each exchange that a dialogue has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// SELECT of the purse application.
    Select,
    /// READ BINARY of the card's file 0x15.
    CardFile,
    /// GET MESSAGE, the CJ/T authentication code.
    AuthCode,
    /// GET BALANCE.
    Balance,
    /// INTERNAL AUTHENTICATE.
    InternalAuthenticate,
    /// INITIALIZE FOR PURCHASE.
    InitPurchase,
    /// DEBIT FOR PURCHASE.
    Debit,
    /// GET TRANSACTION PROVE.
    TransactionProof,
    /// READ RECORD of the transaction log.
    LogRecord,
    /// SELECT of the PSAM's master file.
    PsamMasterFile,
    /// READ BINARY of the PSAM's file 0x15.
    PsamFile,
    /// READ BINARY of the PSAM's file 0x16.
    PsamTerminalId,
    /// SELECT of the PSAM's purse DF.
    PsamPurse,
    /// INIT_FOR_DESCRYPT.
    PsamProofInit,
    /// DES CRYPT.
    PsamProofCrypt,
    /// INIT_SAM_FOR_PURCHASE.
    PsamInitPurchase,
    /// CREDIT_SAM_FOR_PURCHASE.
    PsamCredit,
}

impl Stage {
    /// Who is spoken to.
    pub const fn slot(self) -> Slot {
        match self {
            Self::Select
            | Self::CardFile
            | Self::AuthCode
            | Self::Balance
            | Self::InternalAuthenticate
            | Self::InitPurchase
            | Self::Debit
            | Self::TransactionProof
            | Self::LogRecord => Slot::Card,
            Self::PsamMasterFile
            | Self::PsamFile
            | Self::PsamTerminalId
            | Self::PsamPurse
            | Self::PsamProofInit
            | Self::PsamProofCrypt
            | Self::PsamInitPurchase
            | Self::PsamCredit => Slot::Psam,
        }
    }

    /// The name of the exchange in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Select => "select",
            Self::CardFile => "card_file",
            Self::AuthCode => "auth_code",
            Self::Balance => "balance",
            Self::InternalAuthenticate => "internal_authenticate",
            Self::InitPurchase => "init_purchase",
            Self::Debit => "debit",
            Self::TransactionProof => "transaction_proof",
            Self::LogRecord => "log_record",
            Self::PsamMasterFile => "psam_master_file",
            Self::PsamFile => "psam_file",
            Self::PsamTerminalId => "psam_terminal_id",
            Self::PsamPurse => "psam_purse",
            Self::PsamProofInit => "psam_proof_init",
            Self::PsamProofCrypt => "psam_proof_crypt",
            Self::PsamInitPurchase => "psam_init_purchase",
            Self::PsamCredit => "psam_credit",
        }
    }

    /// Whether the command may go out again after 6Cxx. Not where a second one could hide what the first one did.
    const fn is_repeatable(self) -> bool {
        match self {
            Self::Debit | Self::PsamCredit => false,
            Self::Select
            | Self::CardFile
            | Self::AuthCode
            | Self::Balance
            | Self::InternalAuthenticate
            | Self::InitPurchase
            | Self::TransactionProof
            | Self::LogRecord
            | Self::PsamMasterFile
            | Self::PsamFile
            | Self::PsamTerminalId
            | Self::PsamPurse
            | Self::PsamProofInit
            | Self::PsamProofCrypt
            | Self::PsamInitPurchase => true,
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Bytes to transmit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// To whom.
    pub slot: Slot,
    /// What for.
    pub stage: Stage,
    /// The command; [`Command::to_bytes`] gives what the reader takes.
    pub command: Command,
}

/// What the caller brings back.
#[derive(Clone, Copy, Debug)]
pub enum Answer<'a> {
    /// What the reader returned for the last transmission. Fewer than two bytes are no answer.
    Received(&'a [u8]),
    /// The reader returned nothing: card or PSAM removed, mute, or the reader gone.
    NoAnswer,
    /// The identified card may be used.
    Approved,
    /// The identified card may not be used.
    Declined,
    /// The intent is durable.
    Recorded,
    /// The intent could not be made durable, or nobody knows.
    NotRecorded,
}

/// Why an exchange gave nothing that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// Nothing came back.
    #[error("no answer")]
    NoAnswer,
    /// What came back is no answer to the command: too long, endless, or of a wrong length.
    #[error("malformed answer")]
    Malformed,
    /// A status word that ends the dialogue.
    #[error("{0}")]
    Status(StatusWord),
    /// The caller brought back something that does not belong to the step.
    #[error("answer out of step")]
    OutOfStep,
}

/// An exchange that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{stage}: {cause}")]
pub struct Failure {
    /// Which exchange.
    pub stage: Stage,
    /// How.
    pub cause: Cause,
}

/// Why a card was not used. Nothing was changed on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The card has no application of this profile: it is a card of another scheme.
    #[error("the card has no such purse application")]
    OtherScheme,
    /// The application on the card is blocked or invalidated.
    #[error("the application on the card is blocked")]
    ApplicationBlocked,
    /// The card's file 0x15 cannot be one.
    #[error("file 0x15 of the card cannot be used: {0}")]
    CardFile(CardFileError),
    /// The caller declined the card.
    #[error("the card was declined")]
    Declined,
    /// A purchase of nothing.
    #[error("the amount is zero")]
    AmountZero,
    /// The purse holds less than the amount.
    #[error("not enough money in the purse")]
    InsufficientBalance {
        /// What it holds, where the card said so.
        balance: Option<CardAmount>,
    },
    /// The card has made all the transactions that it can make.
    #[error("the transaction counter of the card is used up")]
    CounterExhausted,
    /// The purse uses an algorithm other than triple DES.
    #[error(transparent)]
    Algorithm(UnsupportedAlgorithm),
    /// The intent could not be recorded, so no debit was tried.
    #[error("the intent could not be recorded")]
    NotRecorded,
    /// An exchange failed.
    #[error(transparent)]
    Failed(Failure),
}

impl Refusal {
    /// A stable word for metrics and interfaces.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::OtherScheme => "other_scheme",
            Self::ApplicationBlocked => "application_blocked",
            Self::CardFile(_) => "card_file",
            Self::Declined => "declined",
            Self::AmountZero => "amount_zero",
            Self::InsufficientBalance { .. } => "insufficient_balance",
            Self::CounterExhausted => "counter_exhausted",
            Self::Algorithm(_) => "algorithm",
            Self::NotRecorded => "not_recorded",
            Self::Failed(failure) => match failure.cause {
                Cause::NoAnswer => "no_answer",
                Cause::Malformed => "malformed",
                Cause::Status(_) => "status",
                Cause::OutOfStep => "out_of_step",
            },
        }
    }
}

/// The one exchange that a dialogue has in progress.
#[derive(Clone, Debug)]
pub(super) struct Flight {
    stage: Stage,
    transport: Transport,
}

/// What became of an exchange after one more answer.
pub(super) enum Taken {
    /// It goes on.
    Send(Transmit),
    /// It is complete.
    Got(Answered),
    /// It failed.
    Failed(Failure),
}

impl Flight {
    pub(super) fn new(stage: Stage, command: Command) -> Self {
        let transport = if stage.is_repeatable() { Transport::repeatable(command) } else { Transport::once(command) };
        Self { stage, transport }
    }

    /// The first transmission.
    pub(super) fn first(&self) -> Transmit {
        self.transmit(self.transport.first().clone())
    }

    pub(super) const fn stage(&self) -> Stage {
        self.stage
    }

    pub(super) fn take(&mut self, answer: Answer<'_>) -> Taken {
        let bytes = match answer {
            Answer::Received(bytes) => bytes,
            Answer::NoAnswer => return Taken::Failed(self.failure(Cause::NoAnswer)),
            Answer::Approved | Answer::Declined | Answer::Recorded | Answer::NotRecorded => {
                return Taken::Failed(self.failure(Cause::OutOfStep));
            }
        };
        match self.transport.next(bytes) {
            Exchange::Send(command) => Taken::Send(self.transmit(command)),
            Exchange::Done(answered) => Taken::Got(answered),
            Exchange::Failed(error) if error.is_silence() => Taken::Failed(self.failure(Cause::NoAnswer)),
            Exchange::Failed(_) => Taken::Failed(self.failure(Cause::Malformed)),
        }
    }

    pub(super) const fn failure(&self, cause: Cause) -> Failure {
        Failure { stage: self.stage, cause }
    }

    /// What `parse` makes of the data of an answer that says 9000.
    pub(super) fn read<T, E>(
        &self,
        response: &Response,
        parse: impl FnOnce(&[u8]) -> Result<T, E>,
    ) -> Result<T, Failure> {
        if response.status() != StatusWord::Success {
            return Err(self.failure(Cause::Status(response.status())));
        }
        parse(response.data()).map_err(|_| self.failure(Cause::Malformed))
    }

    fn transmit(&self, command: Command) -> Transmit {
        Transmit { slot: self.stage.slot(), stage: self.stage, command }
    }
}

/// Whether SELECT found the application and may go on. A card that names another application in its FCI is one of
/// another scheme; an FCI that names none, or cannot be read, proves nothing, and file 0x15 decides.
pub(super) fn selected(response: &Response, aid: &Aid) -> Result<(), Refusal> {
    if response.status() != StatusWord::Success {
        return Err(refused_by(Stage::Select, response.status()));
    }
    match Fci::parse(response.data()) {
        Ok(Fci { df_name: Some(name), .. }) if !name.starts_with(aid.as_bytes()) => Err(Refusal::OtherScheme),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// The card's file 0x15 out of its answer.
pub(super) fn card_file(response: &Response) -> Result<CardFile, Refusal> {
    if response.status() == StatusWord::Success {
        CardFile::parse(response.data()).map_err(Refusal::CardFile)
    } else {
        Err(refused_by(Stage::CardFile, response.status()))
    }
}

/// The refusal that a status word of SELECT, of reading or of INITIALIZE FOR PURCHASE stands for.
pub(super) fn refused_by(stage: Stage, status: StatusWord) -> Refusal {
    if matches!(
        status,
        StatusWord::NotSupportedOrLocked
            | StatusWord::FileInvalidated
            | StatusWord::ApplicationPermanentlyBlocked
            | StatusWord::ApplicationLockByte
    ) {
        return Refusal::ApplicationBlocked;
    }
    if matches!(status, StatusWord::InsufficientFunds | StatusWord::InsufficientFundsVendor) {
        return Refusal::InsufficientBalance { balance: None };
    }
    if stage == Stage::Select && status == StatusWord::NotFound {
        return Refusal::OtherScheme;
    }
    if status == StatusWord::CounterAtMaximum {
        return Refusal::CounterExhausted;
    }
    Refusal::Failed(Failure { stage, cause: Cause::Status(status) })
}
