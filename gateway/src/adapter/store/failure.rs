//! What SQLite reported, sorted by what the gateway does about it.

use std::fmt;

/// A kind of failure. Each asks for something else from the daemon or from a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailureClass {
    /// No space is left on the disk, or a quota is used up.
    Full,
    /// The file or the file system takes no writes.
    ReadOnly,
    /// The disk reported an error.
    Io,
    /// The file is damaged or no database.
    Corrupt,
    /// Another program holds a lock on the file.
    Busy,
    /// The file cannot be opened.
    Unopenable,
    /// What was to be stored does not continue the journal: an error of this program.
    Disorder,
    /// Anything else that the database or its driver reported.
    Driver,
}

impl FailureClass {
    /// A word for logs and metrics.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::ReadOnly => "read_only",
            Self::Io => "io",
            Self::Corrupt => "corrupt",
            Self::Busy => "busy",
            Self::Unopenable => "unopenable",
            Self::Disorder => "disorder",
            Self::Driver => "driver",
        }
    }

    const fn sentence(self) -> &'static str {
        match self {
            Self::Full => "no space is left on the disk",
            Self::ReadOnly => "the file system takes no writes",
            Self::Io => "the disk reported an error",
            Self::Corrupt => "the file is damaged",
            Self::Busy => "another program keeps the file locked",
            Self::Unopenable => "the file cannot be opened",
            Self::Disorder => "what was to be stored does not continue the journal",
            Self::Driver => "the database failed",
        }
    }
}

/// A failure of the journal. After a failed commit the outcome is unknown: the process ends and asks the file again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub struct StoreFailure {
    /// The kind.
    pub class: FailureClass,
    /// SQLite's extended result code; 0 where the failure is none of SQLite's.
    pub code: i32,
}

impl fmt::Display for StoreFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.class.sentence())?;
        if self.code == 0 { Ok(()) } else { write!(f, " (SQLite code {})", self.code) }
    }
}

impl StoreFailure {
    /// The daemon's exit code, after sysexits.h: 74 input/output, 75 try again, 65 damaged data, 70 error of the program.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self.class {
            FailureClass::Full | FailureClass::ReadOnly | FailureClass::Io | FailureClass::Unopenable => 74,
            FailureClass::Busy => 75,
            FailureClass::Corrupt => 65,
            FailureClass::Disorder | FailureClass::Driver => 70,
        }
    }

    /// Whether the disk, or somebody who locks the file, keeps commits from being made, while the file itself is good.
    pub(super) const fn is_of_the_disk(&self) -> bool {
        match self.class {
            FailureClass::Full
            | FailureClass::ReadOnly
            | FailureClass::Io
            | FailureClass::Busy
            | FailureClass::Unopenable => true,
            FailureClass::Corrupt | FailureClass::Disorder | FailureClass::Driver => false,
        }
    }

    pub(super) const fn of_program(class: FailureClass) -> Self {
        Self { class, code: 0 }
    }
}

impl From<&sqlx::Error> for StoreFailure {
    fn from(error: &sqlx::Error) -> Self {
        let code = error
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code)
            .and_then(|code| code.parse::<i32>().ok())
            .unwrap_or(0);
        let class = match code & 0xff {
            13 => FailureClass::Full,
            8 => FailureClass::ReadOnly,
            10 => FailureClass::Io,
            11 | 26 => FailureClass::Corrupt,
            5 | 6 | 15 => FailureClass::Busy,
            3 | 14 | 23 => FailureClass::Unopenable,
            19 => FailureClass::Disorder,
            _ => FailureClass::Driver,
        };
        Self { class, code }
    }
}

impl From<sqlx::Error> for StoreFailure {
    fn from(error: sqlx::Error) -> Self {
        tracing::debug!(%error, "sqlite");
        Self::from(&error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_error_without_a_code_is_the_drivers() {
        let failure = StoreFailure::from(sqlx::Error::WorkerCrashed);
        assert_eq!((failure.class, failure.code), (FailureClass::Driver, 0));
        assert_eq!(failure.exit_code(), 70);
    }

    #[test]
    fn a_failure_names_what_is_wrong_and_the_code() {
        let failure = StoreFailure { class: FailureClass::Full, code: 13 };
        assert_eq!(failure.to_string(), "no space is left on the disk (SQLite code 13)");
    }
}
