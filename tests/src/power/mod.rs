//! Disks that lose power, fill up and fail, for the real daemon: what FAULTS.md calls A2 to A22.
//!
//! A [`Disk`] is an ext4 file system in a file, mounted over the state directory of a gateway. Its power is cut by ext4's own
//! ioctl for such tests: from then on it takes nothing, and everything that was not synced is gone when it is mounted again.
//! [`Faults`] are orders to a few lines of C that are loaded into the gateway before libc: a sync that fails, lies or takes its
//! time, a page that cannot be read, a checkpoint that is held in its middle.
//!
//! **Invariant:** nothing stays mounted, and no loop device attached, when a [`Disk`] is dropped, also by a test that fails.

mod compile;
pub mod cuts;
pub mod disk;
pub mod error;
pub mod faults;
pub mod stored;

use std::process::Command;

pub use disk::Disk;
pub use faults::{Faults, Order};

/// Whether disks can be made on this machine. Where they cannot, says so in the line by which the test run counts tests that
/// skip themselves.
#[expect(clippy::print_stderr, reason = "a test that skips itself says so")]
#[must_use]
pub fn can_make_disks(test: &str) -> bool {
    let Some(lacks) = lacking() else { return true };
    eprintln!("SKIPPED: {test}: {lacks}");
    false
}

fn lacking() -> Option<&'static str> {
    if !rustix::process::geteuid().is_root() {
        return Some("only root may mount a file system of the test's own");
    }
    if !std::path::Path::new("/dev/loop-control").exists() {
        return Some("this machine has no loop devices");
    }
    let there = |program| Command::new(program).arg("-V").output().is_ok();
    if !there("mkfs.ext4") {
        return Some("mkfs.ext4 (Debian package e2fsprogs) is missing");
    }
    (!there("mount")).then_some("mount is missing")
}
