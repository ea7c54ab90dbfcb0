//! Room on the disk: how much is free, and a reserve for alarms.
//!
//! The file `reserve` occupies [`RESERVE_BYTES`]. When a commit found no space, the next start gives the reserve back to the
//! file system, so that alarms are stored a while longer; sales are closed by then (see [`Space::is_low`]). When space has
//! returned, the reserve is occupied again.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate, statvfs};

use super::create::remove;
use super::limits::{FREE_MIN_BYTES, LOW_BYTES, LOW_PART, RESERVE_BYTES, RESERVE_PART};
use super::place::private_file;

/// The room in the journal's file system; cheap to clone.
#[derive(Debug, Clone)]
pub struct Space {
    dir: PathBuf,
}

#[derive(Debug, Clone, Copy)]
struct Room {
    free: u64,
    total: u64,
}

impl Room {
    fn reserve(self) -> u64 {
        RESERVE_BYTES.min(self.total / RESERVE_PART)
    }

    fn low(self) -> u64 {
        LOW_BYTES.min(self.total / LOW_PART)
    }
}

impl Space {
    pub(super) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    fn room(&self) -> io::Result<Room> {
        let fs = statvfs(&self.dir)?;
        Ok(Room { free: fs.f_bavail.saturating_mul(fs.f_frsize), total: fs.f_blocks.saturating_mul(fs.f_frsize) })
    }

    /// Bytes that the gateway may still write.
    ///
    /// # Errors
    /// The file system does not say.
    pub fn free_bytes(&self) -> io::Result<u64> {
        self.room().map(|room| room.free)
    }

    /// Bytes that the gateway may still write, and bytes in all.
    ///
    /// # Errors
    /// The file system does not say.
    pub fn free_and_total_bytes(&self) -> io::Result<(u64, u64)> {
        self.room().map(|room| (room.free, room.total))
    }

    /// Whether so little is free that no card may be charged any more. A file system that does not say counts as low.
    #[must_use]
    pub fn is_low(&self) -> bool {
        !self.room().is_ok_and(|room| room.free >= room.low())
    }

    /// Whether there is too little room even for a writer to start.
    pub(super) fn is_out(&self) -> bool {
        self.room().is_ok_and(|room| room.free < FREE_MIN_BYTES)
    }

    /// Occupies the reserve, when it is not and more than enough is free. To be called now and then.
    ///
    /// # Errors
    /// The disk failed.
    pub fn keep_reserve(&self) -> io::Result<()> {
        let room = self.room()?;
        let bytes = room.reserve();
        let path = self.reserve();
        let kept = std::fs::metadata(&path).map_or(0, |meta| meta.len());
        if kept >= bytes || room.free < room.low().saturating_add(bytes) {
            return Ok(());
        }
        let mut file = private_file(&path, OpenOptions::new().truncate(true))?;
        match fallocate(&file, FallocateFlags::empty(), 0, bytes) {
            Ok(()) => {}
            Err(rustix::io::Errno::OPNOTSUPP) => occupy(&mut file, bytes)?,
            Err(errno) => return Err(errno.into()),
        }
        file.sync_all()
    }

    /// Gives the reserve back to the file system; whether there was any.
    pub(super) fn release_reserve(&self) -> io::Result<bool> {
        let path = self.reserve();
        let kept = std::fs::metadata(&path).map_or(0, |meta| meta.len());
        remove(&path)?;
        Ok(kept > 0)
    }

    fn reserve(&self) -> PathBuf {
        self.dir.join("reserve")
    }
}

/// Fills a file where the file system cannot set bytes aside.
fn occupy(file: &mut impl Write, bytes: u64) -> io::Result<()> {
    let block = [0x5a_u8; 4_096];
    for _ in 0..bytes / 4_096 {
        file.write_all(&block)?;
    }
    Ok(())
}
