//! Power cuts one after the other, under load: what the ordinary run, the long run and the harness's test of itself share.
//!
//! ```text
//! launch ─> (ready) ─> a random time of load ─> SIGSTOP ─> cut ─> SIGKILL ─> mounted anew ─> launch
//! ```
//!
//! **Invariant:** the daemon runs no instruction between the cut and its end, as with a real power cut. It must not: while this
//! ioctl works, ext4 lets an fdatasync that is under way return 0 although nothing reached the disk (a program that only writes
//! and syncs shows it), so whatever would be acknowledged then says nothing about the daemon.

use std::time::Duration;

use super::disk::Disk;
use super::error::PowerError;
use super::stored::Stored;
use crate::site::dice::Dice;
use crate::site::gateway::Gateway;
use crate::site::load::Load;

/// One in so many cuts comes while the daemon is starting.
const IN_START: u64 = 4;
/// From the launch to a cut in the start: a debug build is ready in a third of it.
const START_LONGEST: Duration = Duration::from_millis(250);
/// Cuts between two readings of the whole journal.
const CUTS_PER_READING: u32 = 50;

/// How often and when.
#[derive(Debug, Clone, Copy)]
pub struct CutSettings {
    /// How many cuts.
    pub cuts: u32,
    /// The shortest time from ready to the cut.
    pub shortest: Duration,
    /// The longest.
    pub longest: Duration,
}

/// Cuts the power again and again; the daemon runs at the start and at the end. What was found broken on the way comes out.
///
/// # Errors
/// Something of the site or the disk failed: a start that does not come to readiness is one.
pub async fn cut_repeatedly(
    gateway: &mut Gateway,
    disk: &Disk,
    load: &Load,
    dice: &mut Dice,
    settings: &CutSettings,
) -> Result<Vec<String>, PowerError> {
    let mut findings = Vec::new();
    for cut in 1..=settings.cuts {
        if dice.below(IN_START) == 0 {
            tokio::time::sleep(dice.between(Duration::ZERO, START_LONGEST)).await;
        } else {
            gateway.wait_ready().await?;
            tokio::time::sleep(dice.between(settings.shortest, settings.longest)).await;
        }
        cut_now(gateway, disk).await?;
        if cut % CUTS_PER_READING == 0 || cut == settings.cuts {
            let stored = Stored::read(&gateway.state).await?;
            findings.extend(stored.findings(&load.acknowledged_reports()));
        }
        gateway.launch()?;
    }
    gateway.wait_ready().await?;
    Ok(findings)
}

/// Stops the daemon, cuts the power, and mounts the disk anew; the daemon does not run then.
///
/// # Errors
/// The daemon cannot be stopped, or the disk is held by somebody else.
pub async fn cut_now(gateway: &mut Gateway, disk: &Disk) -> Result<(), PowerError> {
    gateway.freeze().await?;
    disk.cut()?;
    gateway.kill();
    disk.power_up()
}
