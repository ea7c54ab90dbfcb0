//! A disk: a file system in a file, mounted where a test wants it, that loses power when the test says so.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::compile::{compile, run};
use super::error::PowerError;

/// Bytes of a block of these file systems.
const BLOCK: u64 = 4_096;

const CUT: &str = include_str!("cut.c");

/// A disk, mounted.
#[derive(Debug)]
pub struct Disk {
    /// Its own directory: the file that it is, the program that cuts it.
    directory: PathBuf,
    cut: PathBuf,
    at: PathBuf,
}

impl Disk {
    /// A new one of so many bytes, mounted over the directory `at`; what lay there is hidden until the disk is dropped. Blocks
    /// that nothing is written to take no room on the machine.
    ///
    /// # Errors
    /// It cannot be made or mounted.
    pub fn new(at: &Path, bytes: u64) -> Result<Self, PowerError> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("test-disk-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&directory).map_err(PowerError::file(&directory))?;
        let this = Self { cut: directory.join("cut"), directory, at: at.to_owned() };
        let image = this.image();
        File::create(&image).and_then(|file| file.set_len(bytes)).map_err(PowerError::file(&image))?;
        compile(&this.directory, "cut", CUT, &[])?;
        // Without blocks for root alone: the gateway of a test is root.
        run(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(&image).stdin(Stdio::null()))?;
        this.mount("rw")?;
        Ok(this)
    }

    /// Cuts its power: it takes nothing more, and what was not synced is lost.
    ///
    /// # Errors
    /// The kernel does not.
    pub fn cut(&self) -> Result<(), PowerError> {
        run(Command::new(&self.cut).arg(&self.at))
    }

    /// Mounts it anew, as a start after a power cut does. Nobody may use it any more.
    ///
    /// # Errors
    /// Somebody does, or it cannot be mounted.
    pub fn power_up(&self) -> Result<(), PowerError> {
        run(Command::new("umount").arg(&self.at))?;
        self.mount("rw")
    }

    /// Makes it read-only under whoever has files open, as ext4 does when it finds itself damaged. [`Disk::power_up`] mends it.
    ///
    /// # Errors
    /// The kernel does not.
    pub fn turn_read_only(&self) -> Result<(), PowerError> {
        run(Command::new("mount").args(["-o", "remount,abort"]).arg(&self.at))
    }

    /// Writes a file of this name until so many bytes are left; gives its path. Removing it gives the room back.
    ///
    /// # Errors
    /// It cannot be written, or less is left.
    pub fn fill(&self, name: &str, left: u64) -> Result<PathBuf, PowerError> {
        let path = self.at.join(name);
        let failed = |errno: rustix::io::Errno| PowerError::File { path: path.clone(), source: errno.into() };
        let room = rustix::fs::statvfs(&self.at).map_err(failed)?;
        let free = room.f_bavail.saturating_mul(room.f_frsize);
        let file = File::create(&path).map_err(PowerError::file(&path))?;
        let flags = rustix::fs::FallocateFlags::empty();
        let mut bytes = free.saturating_sub(left);
        // What the file system needs to note the file is free and cannot be given to it.
        while rustix::fs::fallocate(&file, flags, 0, bytes) == Err(rustix::io::Errno::NOSPC) && bytes > 0 {
            bytes = bytes.saturating_sub(BLOCK);
        }
        Ok(path)
    }

    /// Where it is mounted.
    #[must_use]
    pub fn at(&self) -> &Path {
        &self.at
    }

    fn image(&self) -> PathBuf {
        self.directory.join("image")
    }

    /// The loop device goes with the mount.
    fn mount(&self, mode: &str) -> Result<(), PowerError> {
        let options = format!("loop,noatime,{mode}");
        run(Command::new("mount").args(["-t", "ext4", "-o", &options]).arg(self.image()).arg(&self.at))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a gateway that still runs keeps it until it ends. Where it is not mounted, there is nothing to do.
        drop(Command::new("umount").arg("-l").arg(&self.at).stderr(Stdio::null()).status());
        drop(std::fs::remove_dir_all(&self.directory));
    }
}
