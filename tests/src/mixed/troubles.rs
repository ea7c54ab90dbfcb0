//! What breaks: one trouble after the other, with some quiet between them; now and then a process dies in the middle of one.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::limits::{CUT, DOUBLE_TROUBLE, DOWN, ENDED, QUIET, TROUBLE};
use crate::faults::proxy::{Fault, Proxy, Toward};
use crate::power::error::PowerError;
use crate::power::{Faults, Order};
use crate::site::centre::Centre;
use crate::site::dice::Dice;
use crate::site::gateway::Gateway;
use crate::site::load::unix_ms;
use crate::site::wait::until;

/// What can be broken.
#[derive(Debug)]
pub struct Breakable<'a> {
    /// The daemon.
    pub gateway: &'a mut Gateway,
    /// The centre.
    pub centre: &'a mut Centre,
    /// From the gateway to the centre.
    pub uplink: &'a Proxy,
    /// From the devices to the gateway.
    pub field: &'a Proxy,
    /// The gateway's disk.
    pub disk: &'a Faults,
}

/// Whether the daemon may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Daemon {
    /// It is killed, and its commits fail.
    Dies,
    /// Whatever happens, it has to live on.
    Lives,
}

/// One trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// SIGKILL to the daemon.
    GatewayKilled,
    /// SIGKILL to the centre.
    CentreKilled,
    /// A commit fails: the daemon ends by itself.
    SyncFails,
    /// Each sync takes so many milliseconds more.
    SlowDisk(i64),
    /// The line to the centre.
    Uplink(Fault),
    /// Every connection to the centre is dead, and nobody says so; new ones are well.
    UplinkVanishes,
    /// The line of the devices.
    Field(Fault),
    /// The same as [`Self::UplinkVanishes`], of the devices.
    FieldVanishes,
}

impl Trouble {
    /// Any.
    pub fn draw(dice: &mut Dice, daemon: Daemon) -> Self {
        let all = match daemon {
            Daemon::Dies => 16,
            Daemon::Lives => 12,
        };
        match dice.below(all) {
            0..=3 => Self::Uplink(fault(dice)),
            4 => Self::UplinkVanishes,
            5..=7 => Self::Field(fault(dice)),
            8 => Self::FieldVanishes,
            9 => Self::SlowDisk(i64::try_from(50 + dice.below(1_500)).unwrap_or(50)),
            10 | 11 => Self::CentreKilled,
            12..=14 => Self::GatewayKilled,
            _ => Self::SyncFails,
        }
    }

    /// What it counts as.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::GatewayKilled => "kills of the daemon",
            Self::CentreKilled => "kills of the centre",
            Self::SyncFails => "failed syncs",
            Self::SlowDisk(_) => "slow disks",
            Self::Uplink(_) | Self::UplinkVanishes => "faults of the line to the centre",
            Self::Field(_) | Self::FieldVanishes => "faults of the devices' line",
        }
    }
}

/// A fault of a line.
fn fault(dice: &mut Dice) -> Fault {
    let ms = Duration::from_millis;
    match dice.below(9) {
        0 => Fault::Stall,
        1 => Fault::HalfOpen,
        2 => Fault::Gone,
        3 => Fault::Garbage,
        4 => Fault::Delay(ms(20 + dice.below(600))),
        5 => Fault::Trickle(ms(1 + dice.below(40))),
        6 => Fault::Bandwidth(2_000 + dice.below(30_000)),
        7 => Fault::Cut { toward: Toward::Client, after: dice.below(600) },
        _ => Fault::Cut { toward: Toward::Target, after: dice.below(3_000) },
    }
}

/// What happened.
#[derive(Debug, Default)]
pub struct Diary {
    /// How often what.
    pub counts: BTreeMap<&'static str, u32>,
    /// From when to when each lasted, Unix milliseconds, ascending.
    pub spans: Vec<(i64, i64)>,
}

impl Diary {
    fn note(&mut self, trouble: Trouble) {
        let count = self.counts.entry(trouble.name()).or_default();
        *count = count.saturating_add(1);
    }

    /// How often this.
    #[must_use]
    pub fn count(&self, trouble: Trouble) -> u32 {
        self.counts.get(trouble.name()).copied().unwrap_or(0)
    }

    /// Whether nothing was broken at any moment from one to the other, Unix milliseconds.
    #[must_use]
    pub fn is_quiet(&self, from: i64, to: i64) -> bool {
        !self.spans.iter().any(|(begin, end)| *begin <= to && *end >= from)
    }
}

impl Breakable<'_> {
    /// Troubles until this moment; afterwards everything is whole, and both processes run.
    ///
    /// # Errors
    /// A start does not come to readiness, or a process has ended that nobody killed.
    pub async fn trouble_until(
        &mut self,
        end: Instant,
        daemon: Daemon,
        dice: &mut Dice,
        diary: &mut Diary,
    ) -> Result<(), PowerError> {
        loop {
            let quiet = dice.between(*QUIET.start(), *QUIET.end());
            tokio::time::sleep(quiet.min(end.saturating_duration_since(Instant::now()))).await;
            self.gateway.check()?;
            if Instant::now() >= end {
                return Ok(());
            }
            let begin = unix_ms();
            self.one(daemon, dice, diary).await?;
            diary.spans.push((begin, unix_ms()));
        }
    }

    async fn one(&mut self, daemon: Daemon, dice: &mut Dice, diary: &mut Diary) -> Result<(), PowerError> {
        let trouble = Trouble::draw(dice, daemon);
        let lasts = dice.between(*TROUBLE.start(), *TROUBLE.end());
        diary.note(trouble);
        match trouble {
            Trouble::GatewayKilled | Trouble::CentreKilled => return self.kill(trouble, dice).await,
            Trouble::SyncFails => return self.fail_sync(dice).await,
            Trouble::SlowDisk(ms) => self.disk.order(Order::SyncDelayMs, ms)?,
            Trouble::Uplink(fault) => self.uplink.set(fault),
            Trouble::Field(fault) => self.field.set(fault),
            Trouble::UplinkVanishes => self.uplink.vanish(),
            Trouble::FieldVanishes => self.field.vanish(),
        }
        if dice.below(DOUBLE_TROUBLE) == 0 {
            let both = [Trouble::CentreKilled, Trouble::GatewayKilled];
            let dies = both.into_iter().nth(usize::from(daemon == Daemon::Dies && dice.below(2) == 0));
            let dies = dies.unwrap_or(Trouble::CentreKilled);
            tokio::time::sleep(dice.between(Duration::ZERO, lasts)).await;
            diary.note(dies);
            self.kill(dies, dice).await?;
        }
        tokio::time::sleep(lasts).await;
        self.mend(trouble).await
    }

    async fn kill(&mut self, who: Trouble, dice: &mut Dice) -> Result<(), PowerError> {
        let down = dice.between(*DOWN.start(), *DOWN.end());
        if who == Trouble::GatewayKilled {
            self.gateway.kill();
            tokio::time::sleep(down).await;
            self.gateway.start().await?;
        } else {
            self.centre.kill();
            tokio::time::sleep(down).await;
            self.centre.start().await?;
        }
        Ok(())
    }

    async fn fail_sync(&mut self, dice: &mut Dice) -> Result<(), PowerError> {
        self.disk.order(Order::SyncError, 1)?;
        let down = dice.between(*DOWN.start(), *DOWN.end());
        let gateway = &mut *self.gateway;
        until("the daemon whose commit failed has ended", ENDED, async || gateway.ended()).await?;
        tokio::time::sleep(down).await;
        gateway.start().await?;
        Ok(())
    }

    async fn mend(&mut self, trouble: Trouble) -> Result<(), PowerError> {
        let line = match trouble {
            Trouble::Uplink(_) => self.uplink,
            Trouble::Field(_) => self.field,
            Trouble::SlowDisk(_) => return self.disk.order(Order::SyncDelayMs, 0),
            Trouble::UplinkVanishes
            | Trouble::FieldVanishes
            | Trouble::GatewayKilled
            | Trouble::CentreKilled
            | Trouble::SyncFails => return Ok(()),
        };
        // Whatever lost bytes is cut, as a router does that was switched on again.
        line.set(Fault::Gone);
        tokio::time::sleep(CUT).await;
        line.set(Fault::None);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_trouble_is_drawn_and_a_daemon_that_has_to_live_is_left_alone() {
        let drawn = |daemon| {
            let mut dice = Dice::new(1);
            (0..1_000).map(|_| Trouble::draw(&mut dice, daemon).name()).collect::<BTreeSet<_>>()
        };
        assert_eq!(drawn(Daemon::Dies).len(), 6);
        let lives = drawn(Daemon::Lives);
        assert!(!lives.contains(Trouble::GatewayKilled.name()) && !lives.contains(Trouble::SyncFails.name()));
    }

    #[test]
    fn a_time_that_touches_a_trouble_is_not_quiet() {
        let diary = Diary { spans: vec![(10, 20), (40, 50)], ..Diary::default() };
        assert!(diary.is_quiet(0, 9) && diary.is_quiet(21, 39) && diary.is_quiet(51, 60));
        for (from, to) in [(0, 10), (15, 16), (20, 30), (0, 60), (45, 60)] {
            assert!(!diary.is_quiet(from, to), "{from} to {to}");
        }
    }
}
