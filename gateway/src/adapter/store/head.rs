//! A note of the last committed entry, beside the file.
//!
//! SQLite drops the end of a damaged write-ahead log without a word, and cannot know that its log was deleted or the file put
//! back from an old copy. The note can: it is written after each commit (not synced: after a power cut it may be old or gone,
//! but it is never ahead of what was committed), and a journal that ends before it went back.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::chain::{Hash, Tip};
use super::place::private_file;

/// Writes the note.
#[derive(Debug)]
pub struct HeadNote {
    file: File,
}

/// Where the note lies.
#[must_use]
pub fn head_path(dir: &Path) -> PathBuf {
    dir.join("head")
}

impl HeadNote {
    /// Opens or makes the note's file.
    pub fn open(dir: &Path) -> io::Result<Self> {
        private_file(&head_path(dir), &mut OpenOptions::new()).map(|file| Self { file })
    }

    /// Notes `tip`; always the same length, so that no part of an older note stays.
    pub fn note(&self, tip: &Tip) -> io::Result<()> {
        self.file.write_all_at(format!("{:020} {}\n", tip.n, hex::encode(tip.hash)).as_bytes(), 0)
    }
}

/// The note, where one is there and whole.
#[must_use]
pub fn noted(dir: &Path) -> Option<Tip> {
    let text = std::fs::read_to_string(head_path(dir)).ok()?;
    let (n, hash) = text.strip_suffix('\n')?.split_once(' ')?;
    Some(Tip { n: n.parse().ok()?, hash: Hash::try_from(hex::decode(hash).ok()?).ok()? })
}
