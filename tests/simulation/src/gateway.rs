//! A gateway: a disk, and a process with the real core while it runs.

use std::sync::Arc;

use gateway_core::{
    AckToken, CatalogueAge, Core, CoreConfig, Group, LinkId, Mono, Now, RestoreError, SessionId, Storage, WhenOld,
};
use jiff::SignedDuration;
use jiff::civil::{DateTime, date};
use protocols::id::DeviceId;
use protocols::unit::{Points, UnixMs};
use protocols::uplink::{CatalogueOrder, CatalogueService, Clock, PolicyOrder};

use super::disk::Disk;
use super::limits::{LUNCH_FEN, SILENT_AFTER_MS};

/// The wall clock at the beginning of a run, Unix milliseconds.
const WALL_MS: i64 = 1_790_000_000_000;
/// The same as civil time of the site.
const CIVIL: DateTime = date(2026, 9, 21).at(21, 33, 20, 0);

/// A gateway.
#[derive(Debug)]
pub struct Gateway {
    /// What is durable.
    pub disk: Disk,
    /// The process, while one runs.
    pub process: Option<Process>,
    /// How many processes there have been.
    pub life: u64,
    /// Whether the disk takes nothing in the present life.
    pub is_dead: bool,
    /// The wall clock as this gateway sees it.
    pub wall: Wall,
    config: CoreConfig,
}

/// A wall clock.
#[derive(Debug, Clone, Copy)]
pub struct Wall {
    /// So many milliseconds before the true one.
    pub ahead_ms: i64,
    /// Whether it is trusted.
    pub clock: Clock,
}

impl Wall {
    const RIGHT: Self = Self { ahead_ms: 0, clock: Clock::Trusted };
}

/// A running process.
#[derive(Debug)]
pub struct Process {
    /// The real core.
    pub core: Core,
    /// The group under way.
    pub group: Option<Group>,
    /// When the next wake-up is planned.
    pub wake_at: Option<u64>,
    began: u64,
}

impl Gateway {
    /// The gateway with this index and the devices of its file, with an empty disk and no process.
    #[must_use]
    pub fn new(index: u64, devices: &[DeviceId]) -> Self {
        let config = CoreConfig {
            gateway: format!("gw-{index}").parse().expect("a name"),
            readers: vec![super::till::reader()],
            devices: devices.iter().map(|device| (device.clone(), SILENT_AFTER_MS)).collect(),
            catalogue: CatalogueOrder {
                version: 1,
                services: vec![CatalogueService {
                    id: "meal-lunch".parse().expect("a name"),
                    provider: "canteen-1".parse().expect("a name"),
                    category: "meal".to_owned(),
                    name_zh: "午餐".to_owned(),
                    name_en: "Lunch".to_owned(),
                    price: Points::from_fen(LUNCH_FEN).expect("an amount"),
                    full_price: None,
                    picture: None,
                    description_zh: None,
                    description_en: None,
                }],
            },
            catalogue_age: CatalogueAge { days_max: 30, when_old: WhenOld::Close },
            policy: PolicyOrder {
                version: 1,
                from: "2026-01-01".to_owned(),
                sale_max: Points::from_fen(50_000).expect("an amount"),
            },
            battery_low_mv: 2_600,
            device_test_ms: 180_000,
            jitter_seed: 0,
            storage: Storage::Journal,
        };
        Self {
            disk: Disk::new(&format!("journal-{index}")),
            process: None,
            life: 0,
            is_dead: false,
            wall: Wall::RIGHT,
            config,
        }
    }

    /// The devices of its file.
    pub fn devices(&self) -> impl Iterator<Item = &DeviceId> {
        self.config.devices.iter().map(|(device, _)| device)
    }

    /// Starts a process on what the disk has; where `is_dead`, the disk can be read and takes nothing; a `patient` one never
    /// misses a device.
    ///
    /// # Errors
    /// The core does not understand its own state.
    pub fn start(&mut self, at: u64, is_dead: bool, patient: bool) -> Result<(), RestoreError> {
        self.life = self.life.saturating_add(1);
        self.is_dead = is_dead;
        self.config.storage = if is_dead { Storage::Dead } else { Storage::Journal };
        self.config.jitter_seed = self.life;
        let mut config = self.config.clone();
        if patient {
            config.devices.iter_mut().for_each(|(_, silent_after_ms)| *silent_after_ms = u64::MAX);
        }
        let core = Core::restore(config, self.disk.restored(), &moment(at, at, self.wall))?;
        self.process = Some(Process { core, group: None, wake_at: None, began: at });
        Ok(())
    }
}

impl Process {
    /// The time as this process sees it, whose machine has this wall clock.
    #[must_use]
    pub fn now(&self, at: u64, wall: Wall) -> Now {
        moment(at, self.began, wall)
    }

    /// The virtual moment at which the core wants to be woken.
    #[must_use]
    pub fn wants_waking(&self) -> Option<u64> {
        let (Mono(ms), _) = self.core.poll_timeout()?;
        Some(self.began.saturating_add(ms))
    }
}

fn moment(at: u64, began: u64, wall: Wall) -> Now {
    let passed = i64::try_from(at).unwrap_or(i64::MAX).saturating_add(wall.ahead_ms);
    let civil = CIVIL.saturating_add(SignedDuration::from_millis(passed));
    Now {
        mono: Mono(at.saturating_sub(began)),
        wall: UnixMs(WALL_MS.saturating_add(passed)),
        civil: Arc::from(civil.strftime("%Y-%m-%dT%H:%M:%S%.3f+08:00").to_string()),
        clock: wall.clock,
    }
}

/// How a publish on a connection is acknowledged.
#[must_use]
pub const fn token(session: u64, packet: u16) -> AckToken {
    AckToken { session: session_id(session), packet }
}

/// A connection's name at its gateway.
#[must_use]
pub const fn session_id(number: u64) -> SessionId {
    SessionId { link: LinkId::Device, number }
}
