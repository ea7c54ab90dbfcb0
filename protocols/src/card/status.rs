//! Status words: the last two bytes of every response, by name (ISO 7816-4; JR/T 0025; vendors' lists).

use core::fmt;

/// The status word of a response APDU. Words that no list of the field names are kept as [`StatusWord::Unlisted`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusWord {
    /// 9000: done.
    Success,
    /// 61xx: done, and this many bytes wait for GET RESPONSE (0 means 256).
    MoreData(u8),
    /// 6281: part of the data may be corrupt.
    DataMayBeCorrupt,
    /// 6283: the selected file or application is invalidated.
    FileInvalidated,
    /// 63Cx: verification failed, this many tries are left.
    TriesLeft(u8),
    /// 6581: writing to the memory failed.
    MemoryFailure,
    /// 6700: wrong length.
    WrongLength,
    /// 6900: not accepted in this state.
    NotAccepted,
    /// 6901: not accepted in this state (the purse's own word for it).
    InvalidState,
    /// 6981: the command does not fit the type of the file.
    FileTypeMismatch,
    /// 6982: security status not satisfied, usually a missing PIN.
    SecurityStatus,
    /// 6983: authentication method blocked.
    AuthenticationBlocked,
    /// 6984: the challenge is missing or was used.
    ChallengeInvalid,
    /// 6985: conditions of use not satisfied, for example a debit without an initialisation.
    ConditionsNotSatisfied,
    /// 6986: no current file for this command.
    NoCurrentFile,
    /// 6987: secure-messaging MAC missing.
    MacMissing,
    /// 6988: secure-messaging MAC wrong.
    MacWrong,
    /// 6A80: wrong data field.
    WrongData,
    /// 6A81: function not supported, or the application or card is locked.
    NotSupportedOrLocked,
    /// 6A82: file or application not found.
    NotFound,
    /// 6A83: record not found.
    RecordNotFound,
    /// 6A84: not enough space.
    NoSpace,
    /// 6A86: wrong P1 or P2.
    WrongParameters,
    /// 6A88: referenced data or key not found.
    ReferencedDataNotFound,
    /// 6B00: offset outside the file.
    OffsetOutside,
    /// 6Cxx: wrong Le, this is the right one (0 means 256). The command was not carried out.
    WrongExpectedLength(u8),
    /// 6D00: instruction not supported.
    InstructionNotSupported,
    /// 6E00: class not supported.
    ClassNotSupported,
    /// 9301: not enough money (some vendors).
    InsufficientFundsVendor,
    /// 9302: MAC1 or MAC2 invalid.
    MacInvalid,
    /// 9303: application permanently blocked.
    ApplicationPermanentlyBlocked,
    /// 9401: not enough money.
    InsufficientFunds,
    /// 9402: the transaction counter is at its maximum.
    CounterAtMaximum,
    /// 9403: key index or version not supported.
    KeyIndexNotSupported,
    /// 9406: the requested MAC or TAC is not available.
    ProofNotAvailable,
    /// 9407: application lock byte is set.
    ApplicationLockByte,
    /// 9408: the purse is grey-locked.
    GreyLocked,
    /// A word that the lists do not name.
    Unlisted(u16),
}

impl StatusWord {
    /// The word for its two bytes.
    pub const fn from_u16(word: u16) -> Self {
        let low = (word & 0xFF) as u8;
        match word {
            0x9000 => Self::Success,
            0x6100..=0x61FF => Self::MoreData(low),
            0x6281 => Self::DataMayBeCorrupt,
            0x6283 => Self::FileInvalidated,
            0x63C0..=0x63CF => Self::TriesLeft(low & 0x0F),
            0x6581 => Self::MemoryFailure,
            0x6700 => Self::WrongLength,
            0x6900 => Self::NotAccepted,
            0x6901 => Self::InvalidState,
            0x6981 => Self::FileTypeMismatch,
            0x6982 => Self::SecurityStatus,
            0x6983 => Self::AuthenticationBlocked,
            0x6984 => Self::ChallengeInvalid,
            0x6985 => Self::ConditionsNotSatisfied,
            0x6986 => Self::NoCurrentFile,
            0x6987 => Self::MacMissing,
            0x6988 => Self::MacWrong,
            0x6A80 => Self::WrongData,
            0x6A81 => Self::NotSupportedOrLocked,
            0x6A82 => Self::NotFound,
            0x6A83 => Self::RecordNotFound,
            0x6A84 => Self::NoSpace,
            0x6A86 => Self::WrongParameters,
            0x6A88 => Self::ReferencedDataNotFound,
            0x6B00 => Self::OffsetOutside,
            0x6C00..=0x6CFF => Self::WrongExpectedLength(low),
            0x6D00 => Self::InstructionNotSupported,
            0x6E00 => Self::ClassNotSupported,
            0x9301 => Self::InsufficientFundsVendor,
            0x9302 => Self::MacInvalid,
            0x9303 => Self::ApplicationPermanentlyBlocked,
            0x9401 => Self::InsufficientFunds,
            0x9402 => Self::CounterAtMaximum,
            0x9403 => Self::KeyIndexNotSupported,
            0x9406 => Self::ProofNotAvailable,
            0x9407 => Self::ApplicationLockByte,
            0x9408 => Self::GreyLocked,
            _ => Self::Unlisted(word),
        }
    }

    /// The two bytes as a number. The inverse of [`StatusWord::from_u16`] for every word.
    pub const fn to_u16(self) -> u16 {
        match self {
            Self::Success => 0x9000,
            Self::MoreData(length) => 0x6100 | length as u16,
            Self::DataMayBeCorrupt => 0x6281,
            Self::FileInvalidated => 0x6283,
            Self::TriesLeft(tries) => 0x63C0 | (tries & 0x0F) as u16,
            Self::MemoryFailure => 0x6581,
            Self::WrongLength => 0x6700,
            Self::NotAccepted => 0x6900,
            Self::InvalidState => 0x6901,
            Self::FileTypeMismatch => 0x6981,
            Self::SecurityStatus => 0x6982,
            Self::AuthenticationBlocked => 0x6983,
            Self::ChallengeInvalid => 0x6984,
            Self::ConditionsNotSatisfied => 0x6985,
            Self::NoCurrentFile => 0x6986,
            Self::MacMissing => 0x6987,
            Self::MacWrong => 0x6988,
            Self::WrongData => 0x6A80,
            Self::NotSupportedOrLocked => 0x6A81,
            Self::NotFound => 0x6A82,
            Self::RecordNotFound => 0x6A83,
            Self::NoSpace => 0x6A84,
            Self::WrongParameters => 0x6A86,
            Self::ReferencedDataNotFound => 0x6A88,
            Self::OffsetOutside => 0x6B00,
            Self::WrongExpectedLength(length) => 0x6C00 | length as u16,
            Self::InstructionNotSupported => 0x6D00,
            Self::ClassNotSupported => 0x6E00,
            Self::InsufficientFundsVendor => 0x9301,
            Self::MacInvalid => 0x9302,
            Self::ApplicationPermanentlyBlocked => 0x9303,
            Self::InsufficientFunds => 0x9401,
            Self::CounterAtMaximum => 0x9402,
            Self::KeyIndexNotSupported => 0x9403,
            Self::ProofNotAvailable => 0x9406,
            Self::ApplicationLockByte => 0x9407,
            Self::GreyLocked => 0x9408,
            Self::Unlisted(word) => word,
        }
    }

    /// What the word says, in a few words for logs and the staff page.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Success => "done",
            Self::MoreData(_) => "more data waits",
            Self::DataMayBeCorrupt => "data may be corrupt",
            Self::FileInvalidated => "file or application invalidated",
            Self::TriesLeft(_) => "verification failed",
            Self::MemoryFailure => "memory write failed",
            Self::WrongLength => "wrong length",
            Self::NotAccepted | Self::InvalidState => "not accepted in this state",
            Self::FileTypeMismatch => "wrong type of file",
            Self::SecurityStatus => "security status not satisfied",
            Self::AuthenticationBlocked => "authentication blocked",
            Self::ChallengeInvalid => "challenge missing or used",
            Self::ConditionsNotSatisfied => "conditions of use not satisfied",
            Self::NoCurrentFile => "no current file",
            Self::MacMissing => "secure messaging MAC missing",
            Self::MacWrong => "secure messaging MAC wrong",
            Self::WrongData => "wrong data",
            Self::NotSupportedOrLocked => "not supported, or locked",
            Self::NotFound => "file or application not found",
            Self::RecordNotFound => "record not found",
            Self::NoSpace => "not enough space",
            Self::WrongParameters => "wrong P1 or P2",
            Self::ReferencedDataNotFound => "referenced data not found",
            Self::OffsetOutside => "offset outside the file",
            Self::WrongExpectedLength(_) => "wrong expected length",
            Self::InstructionNotSupported => "instruction not supported",
            Self::ClassNotSupported => "class not supported",
            Self::InsufficientFundsVendor | Self::InsufficientFunds => "not enough money",
            Self::MacInvalid => "MAC invalid",
            Self::ApplicationPermanentlyBlocked => "application permanently blocked",
            Self::CounterAtMaximum => "transaction counter at its maximum",
            Self::KeyIndexNotSupported => "key index or version not supported",
            Self::ProofNotAvailable => "MAC or TAC not available",
            Self::ApplicationLockByte => "application lock byte set",
            Self::GreyLocked => "purse grey-locked",
            Self::Unlisted(_) => "unlisted status word",
        }
    }
}

impl From<u16> for StatusWord {
    fn from(word: u16) -> Self {
        Self::from_u16(word)
    }
}

impl From<StatusWord> for u16 {
    fn from(word: StatusWord) -> Self {
        word.to_u16()
    }
}

/// `9302 MAC invalid`.
impl fmt::Display for StatusWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X} {}", self.to_u16(), self.meaning())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_survives_the_way_through_its_name() {
        for word in 0..=u16::MAX {
            assert_eq!(StatusWord::from_u16(word).to_u16(), word);
        }
    }
}
