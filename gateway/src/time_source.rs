//! The time that goes into the core: a monotonic clock for timers, the wall clock for records, and whether to trust it.
//!
//! The monotonic clock counts suspended time as well, so that after a night's sleep silent devices are overdue.
//!
//! The kernel's own word on synchronisation is a system call that has no safe binding. What counts is a file below
//! `/run`, which is empty after a boot: systemd-timesyncd makes [`SYNCHRONISED_FILE`] at its first synchronisation; for
//! chrony and others a unit ordered after `time-sync.target` makes one. Once seen it counts until the process ends:
//! trusted means synchronised *since boot*.
//!
//! **Invariant:** monotonic time never goes back, whatever happens to the wall clock.
//! **Invariant:** the judgement is [`judge`]'s alone; see there.

mod judge;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gateway_core::{Mono, Now};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ZonedDateTime};
use protocols::unit::UnixMs;
use rustix::time::{ClockId, clock_gettime};
use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;

use judge::{Judge, Reading};

/// The site's civil time.
pub const ZONE: &str = "Asia/Shanghai";
/// The file that systemd-timesyncd makes once the clock was synchronised since boot.
pub const SYNCHRONISED_FILE: &str = "/run/systemd/timesync/synchronized";
/// How often that file is looked for, milliseconds: a look costs microseconds, and entries of the first seconds after
/// the synchronisation may well say that they are unsure.
const LOOK_EVERY_MS: u64 = 5_000;

/// Tells the time.
pub struct TimeSource {
    zone: TimeZone,
    trust_clock: bool,
    marker: PathBuf,
    synchronised: bool,
    looked: Option<u64>,
    clock: Arc<SiteClock>,
    civil: Option<(UnixMs, Arc<str>)>,
}

impl fmt::Debug for TimeSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimeSource").field("synchronised", &self.synchronised).finish_non_exhaustive()
    }
}

impl TimeSource {
    /// A source whose wall clock must not be below `last_trusted`, the newest time that an earlier run trusted. With
    /// `trust_clock` the clock counts as synchronised although the system does not say so.
    ///
    /// # Errors
    /// The bundled time zones do not have [`ZONE`].
    pub fn new(trust_clock: bool, last_trusted: Option<UnixMs>) -> Result<Self, jiff::Error> {
        Self::begin(trust_clock, last_trusted, boot_ms())
    }

    fn begin(trust_clock: bool, last_trusted: Option<UnixMs>, start_ms: u64) -> Result<Self, jiff::Error> {
        Ok(Self {
            zone: TimeZoneDatabase::bundled().get(ZONE)?,
            trust_clock,
            marker: PathBuf::from(SYNCHRONISED_FILE),
            synchronised: false,
            looked: None,
            clock: Arc::new(SiteClock { start_ms, judge: Mutex::new(Judge::new(last_trusted)) }),
            civil: None,
        })
    }

    /// The same, with another file than [`SYNCHRONISED_FILE`].
    #[must_use]
    pub fn with_marker(mut self, file: &Path) -> Self {
        file.clone_into(&mut self.marker);
        self
    }

    /// The site's time zone.
    #[must_use]
    pub fn zone(&self) -> TimeZone {
        self.zone.clone()
    }

    /// The time now.
    pub fn now(&mut self) -> Now {
        let boot = boot_ms();
        self.look(boot);
        self.at(boot, UnixMs(Timestamp::now().as_millisecond()))
    }

    /// The time by which certificates are judged: the wall clock where it is credible, else the best that is known. A
    /// gateway that boots in 1970 can so still reach its centre.
    #[must_use]
    pub fn tls_time(&self) -> Arc<dyn TimeProvider> {
        Arc::clone(&self.clock) as Arc<dyn TimeProvider>
    }

    fn look(&mut self, boot: u64) {
        if self.synchronised || self.looked.is_some_and(|looked| boot.saturating_sub(looked) < LOOK_EVERY_MS) {
            return;
        }
        self.looked = Some(boot);
        self.synchronised = self.marker.exists();
    }

    fn at(&mut self, boot: u64, wall: UnixMs) -> Now {
        let mono = self.clock.since_start(boot);
        let clock = self.clock.judge().record(Reading { mono, wall }, self.trust_clock || self.synchronised);
        Now { mono, wall, civil: self.civil(wall), clock }
    }

    fn civil(&mut self, wall: UnixMs) -> Arc<str> {
        match &self.civil {
            Some((of, text)) if *of == wall => Arc::clone(text),
            Some(_) | None => {
                let text: Arc<str> = Arc::from(civil_text(wall, &self.zone));
                self.civil = Some((wall, Arc::clone(&text)));
                text
            }
        }
    }
}

fn civil_text(wall: UnixMs, zone: &TimeZone) -> String {
    let at = Timestamp::from_millisecond(wall.0).unwrap_or(Timestamp::UNIX_EPOCH);
    ZonedDateTime::new(at, zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()
}

/// Milliseconds since boot, suspended time included.
fn boot_ms() -> u64 {
    let at = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(at.tv_sec).unwrap_or(0);
    seconds.saturating_mul(1_000).saturating_add(u64::try_from(at.tv_nsec).unwrap_or(0) / 1_000_000)
}

/// What the time source shares with TLS.
struct SiteClock {
    start_ms: u64,
    judge: Mutex<Judge>,
}

impl SiteClock {
    const fn since_start(&self, boot: u64) -> Mono {
        Mono(boot.saturating_sub(self.start_ms))
    }

    fn judge(&self) -> MutexGuard<'_, Judge> {
        // A poisoned judge holds plain values, each valid by itself.
        self.judge.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SiteClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SiteClock(..)")
    }
}

impl TimeProvider for SiteClock {
    fn current_time(&self) -> Option<UnixTime> {
        let reading = Reading { mono: self.since_start(boot_ms()), wall: UnixMs(Timestamp::now().as_millisecond()) };
        let UnixMs(best) = self.judge().best(reading);
        Some(UnixTime::since_unix_epoch(Duration::from_millis(u64::try_from(best).unwrap_or(0))))
    }
}

#[cfg(test)]
mod tests {
    use protocols::uplink::Clock;

    use super::*;

    const START: u64 = 86_400_000;
    const NOW: i64 = 1_795_397_400_123;

    fn source(last: Option<i64>) -> TimeSource {
        TimeSource::begin(true, last.map(UnixMs), START).unwrap()
    }

    #[test]
    fn civil_time_is_the_sites_with_its_offset() {
        assert_eq!(&*source(None).at(START, UnixMs(0)).civil, "1970-01-01T08:00:00.000+08:00");
        let mut source = source(None);
        assert_eq!(&*source.at(START, UnixMs(NOW)).civil, "2026-11-23T09:30:00.123+08:00");
        assert_eq!(&*source.at(START, UnixMs(NOW - 123)).civil, "2026-11-23T09:30:00.000+08:00");
        assert_eq!(&*source.at(START, UnixMs(0)).civil, "1970-01-01T08:00:00.000+08:00");
        assert_eq!(&*source.at(START, UnixMs(i64::MAX)).civil, "1970-01-01T08:00:00.000+08:00");
    }

    #[test]
    fn civil_time_of_one_millisecond_is_made_once() {
        let mut source = source(None);
        let first = source.at(START, UnixMs(NOW)).civil;
        assert!(Arc::ptr_eq(&first, &source.at(START, UnixMs(NOW)).civil));
        assert!(!Arc::ptr_eq(&first, &source.at(START, UnixMs(NOW + 1)).civil));
    }

    #[test]
    fn b1_before_the_first_synchronisation_timers_run_and_the_time_is_untrusted() {
        let directory = std::env::temp_dir().join(format!("time-source-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let marker = directory.join("synchronized");
        let mut source = TimeSource::begin(false, None, START).unwrap().with_marker(&marker);
        source.look(START);
        let first = source.at(START, UnixMs(5));
        assert_eq!((first.mono, first.clock), (Mono(0), Clock::Untrusted));
        std::fs::write(&marker, "").unwrap();
        source.look(START + LOOK_EVERY_MS - 1);
        assert_eq!(source.at(START + LOOK_EVERY_MS - 1, UnixMs(NOW)).clock, Clock::Untrusted);
        source.look(START + LOOK_EVERY_MS);
        assert_eq!(source.at(START + LOOK_EVERY_MS, UnixMs(NOW)).clock, Clock::Trusted);
        std::fs::remove_dir_all(&directory).unwrap();
        source.look(START + 3 * LOOK_EVERY_MS);
        assert_eq!(source.at(START + 3 * LOOK_EVERY_MS, UnixMs(NOW + 10_000)).clock, Clock::Trusted);
    }

    #[test]
    fn b3_a_jump_back_leaves_the_monotonic_clock_alone() {
        let mut source = source(None);
        let before = source.at(START + 1_000, UnixMs(NOW));
        let after = source.at(START + 2_000, UnixMs(NOW - 365 * 86_400_000));
        assert_eq!((before.mono, before.clock), (Mono(1_000), Clock::Trusted));
        assert_eq!((after.mono, after.clock), (Mono(2_000), Clock::Untrusted));
    }

    #[test]
    fn b6_the_monotonic_clock_is_the_one_that_counts_suspended_time_and_never_goes_back() {
        let mut source = TimeSource::new(true, None).unwrap();
        let mut last = source.now().mono;
        assert!(last < Mono(1_000));
        for _ in 0..1_000 {
            let now = source.now().mono;
            assert!(now >= last);
            last = now;
        }
    }

    #[test]
    fn b1_certificates_are_judged_by_the_last_known_time_where_the_clock_is_behind_it() {
        let ahead = Timestamp::now().as_second() + 10 * 365 * 86_400;
        let source = TimeSource::new(false, Some(UnixMs(ahead * 1_000))).unwrap();
        let seen = source.tls_time().current_time().unwrap().as_secs();
        assert!((ahead..ahead + 60).contains(&i64::try_from(seen).unwrap()));
    }
}
