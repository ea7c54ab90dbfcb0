//! The card readers' section of the configuration.
//!
//! ```toml
//! [card_reader]
//! psam = "ACS ACR1281 1S Dual Reader 02 00"
//! [[card_reader.reader]]
//! id = "kiosk-1"
//! pcsc = "ACS ACR1281 1S Dual Reader 00"      # the PC/SC name, or how it begins
//! [card_reader.profile]                       # how the issuer's cards differ; see the card protocols
//! purse = "ep"
//! [card_reader.deadlines]
//! mute_ms = 3000
//! ```

use std::collections::BTreeSet;
use std::time::Duration;

use protocols::card::profile::Profile;
use protocols::id::ReaderId;
use serde::Deserialize;

use super::limits::{
    DEADLINE_MS_MAX, DEADLINE_MS_MIN, INTENT_WAIT_MS, MUTE_MS, PSAM_WAIT_MS, READER_NAME_LEN_MAX, READERS_MAX,
    VERDICT_WAIT_MS,
};

/// Which readers there are, where the PSAM sits, what cards the issuer gives out.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardReaderSettings {
    /// PC/SC name of the slot in which the PSAM sits, or how it begins.
    pub psam: String,
    /// The readers for cards.
    pub reader: Vec<ReaderSettings>,
    /// The issuer's cards and PSAMs.
    #[serde(default)]
    pub profile: Profile,
    /// How long things may take.
    #[serde(default)]
    pub deadlines: CardDeadlines,
}

/// A reader for cards.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReaderSettings {
    /// Its name in this gateway.
    pub id: ReaderId,
    /// Its PC/SC name, or how it begins: PC/SC appends numbers that change when a reader is plugged in anew.
    pub pcsc: String,
}

/// How long things may take, in milliseconds.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CardDeadlines {
    /// One command to a card or PSAM; then it counts as mute.
    pub mute_ms: u64,
    /// The core's verdict on an identified card; then the dialogue ends.
    pub verdict_wait_ms: u64,
    /// The intent's way to the disk; then the card is not debited.
    pub intent_wait_ms: u64,
    /// The PSAM, while another dialogue uses it; then the dialogue does not begin.
    pub psam_wait_ms: u64,
}

impl Default for CardDeadlines {
    fn default() -> Self {
        Self {
            mute_ms: MUTE_MS,
            verdict_wait_ms: VERDICT_WAIT_MS,
            intent_wait_ms: INTENT_WAIT_MS,
            psam_wait_ms: PSAM_WAIT_MS,
        }
    }
}

impl CardDeadlines {
    pub(super) const fn mute(&self) -> Duration {
        Duration::from_millis(self.mute_ms)
    }

    pub(super) const fn verdict_wait(&self) -> Duration {
        Duration::from_millis(self.verdict_wait_ms)
    }

    pub(super) const fn intent_wait(&self) -> Duration {
        Duration::from_millis(self.intent_wait_ms)
    }

    pub(super) const fn psam_wait(&self) -> Duration {
        Duration::from_millis(self.psam_wait_ms)
    }
}

/// What is wrong with the section, and what would be right. Keys are relative to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// No reader.
    #[error("give at least one [[card_reader.reader]] with id and pcsc, or leave the section out")]
    ReadersMissing,
    /// Too many readers.
    #[error("give at most {READERS_MAX} readers")]
    ReadersTooMany,
    /// Two readers with one id.
    #[error("reader {index} (from 0) has the id of another one; give each its own")]
    IdRepeated {
        /// Which, from 0.
        index: usize,
    },
    /// Two slots with one PC/SC name.
    #[error("reader {index} (from 0) has the PC/SC name of another slot; give each its own, as `pcsc_scan` lists them")]
    NameRepeated {
        /// Which, from 0.
        index: usize,
    },
    /// No PC/SC name.
    #[error("a PC/SC name has 1 to {READER_NAME_LEN_MAX} bytes without a zero byte, as `pcsc_scan` lists it")]
    Name {
        /// The key.
        key: &'static str,
    },
    /// A deadline outside its range.
    #[error("must be between {DEADLINE_MS_MIN} and {DEADLINE_MS_MAX}")]
    Deadline {
        /// The key.
        key: &'static str,
    },
}

impl SettingsError {
    /// The key, relative to the section.
    #[must_use]
    pub const fn key(&self) -> &'static str {
        match self {
            Self::ReadersMissing | Self::ReadersTooMany | Self::IdRepeated { .. } | Self::NameRepeated { .. } => {
                "reader"
            }
            Self::Name { key } | Self::Deadline { key } => key,
        }
    }
}

impl CardReaderSettings {
    /// Checks everything that the format itself does not.
    ///
    /// # Errors
    /// The first key that is wrong, and what would be right.
    pub fn check(&self) -> Result<(), SettingsError> {
        if self.reader.is_empty() {
            return Err(SettingsError::ReadersMissing);
        }
        if self.reader.len() > READERS_MAX {
            return Err(SettingsError::ReadersTooMany);
        }
        check_name("psam", &self.psam)?;
        let mut ids = BTreeSet::new();
        let mut names = BTreeSet::from([self.psam.as_str()]);
        for (index, reader) in self.reader.iter().enumerate() {
            check_name("reader", &reader.pcsc)?;
            if !ids.insert(&reader.id) {
                return Err(SettingsError::IdRepeated { index });
            }
            if !names.insert(&reader.pcsc) {
                return Err(SettingsError::NameRepeated { index });
            }
        }
        let CardDeadlines { mute_ms, verdict_wait_ms, intent_wait_ms, psam_wait_ms } = self.deadlines;
        check_deadline("deadlines.mute_ms", mute_ms)?;
        check_deadline("deadlines.verdict_wait_ms", verdict_wait_ms)?;
        check_deadline("deadlines.intent_wait_ms", intent_wait_ms)?;
        check_deadline("deadlines.psam_wait_ms", psam_wait_ms)
    }

    /// The readers' ids, for the core's configuration.
    pub fn reader_ids(&self) -> impl Iterator<Item = &ReaderId> {
        self.reader.iter().map(|reader| &reader.id)
    }
}

fn check_name(key: &'static str, name: &str) -> Result<(), SettingsError> {
    if name.is_empty() || name.len() > READER_NAME_LEN_MAX || name.contains('\0') {
        return Err(SettingsError::Name { key });
    }
    Ok(())
}

const fn check_deadline(key: &'static str, ms: u64) -> Result<(), SettingsError> {
    if ms < DEADLINE_MS_MIN || ms > DEADLINE_MS_MAX { Err(SettingsError::Deadline { key }) } else { Ok(()) }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
