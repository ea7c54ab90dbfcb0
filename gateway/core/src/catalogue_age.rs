//! How old the prices are: a catalogue is as good as the centre's last word that there is no newer one.
//!
//! **Invariant:** prices older than the configured age are never charged unnoticed: sales are closed, or a technical
//! alarm stands, until the centre has been heard again.

use protocols::uplink::{AlarmBody, Clock, OwnAlarm};
use serde::{Deserialize, Serialize};

use crate::core::{Core, Storage};
use crate::limits::CATALOGUE_CONFIRMED_KEPT_EVERY_MS;
use crate::raising::own_alarm;
use crate::time::Now;
use crate::timers::Timer;

/// The state key of when it was confirmed.
pub(crate) const CONFIRMED_KEY: &str = "catalogue_confirmed";
const DAY_MS: u64 = 86_400_000;

/// What happens when the prices are older than they may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenOld {
    /// No sale begins until the centre has been heard.
    #[default]
    Close,
    /// Sales go on at the old prices.
    Sell,
}

/// How old the prices may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CatalogueAge {
    /// Days since the centre last had nothing newer; 0 for any age.
    pub days_max: u32,
    /// What happens then.
    pub when_old: WhenOld,
}

/// When the centre last had nothing newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Confirmed {
    /// By the wall clock, Unix milliseconds, where it was trusted.
    pub wall_ms: Option<i64>,
    /// By the listening clock.
    pub listened_ms: u64,
}

impl Confirmed {
    /// Now.
    pub fn now(now: &Now, listened_ms: u64) -> Self {
        let wall_ms = match now.clock {
            Clock::Trusted => Some(now.wall.0),
            Clock::Untrusted => None,
        };
        Self { wall_ms, listened_ms }
    }
}

impl Core {
    /// The centre answered, and has no newer catalogue than the one in force.
    pub(crate) fn confirm_catalogue(&mut self, now: &Now) {
        self.catalogue_confirmed = Confirmed::now(now, self.listening.ms());
        let kept = self.catalogue_confirmed_kept.map_or(0, |kept| kept.listened_ms);
        let due = self.listening.ms().saturating_sub(kept) >= CATALOGUE_CONFIRMED_KEPT_EVERY_MS;
        if std::mem::replace(&mut self.catalogue_old, false) || due {
            self.keep_catalogue_confirmed();
        }
        self.end_own(OwnAlarm::CatalogueOld, now);
        self.watch_catalogue(now);
    }

    /// Keeps when it was confirmed.
    pub(crate) fn keep_catalogue_confirmed(&mut self) {
        if self.catalogue_confirmed_kept != Some(self.catalogue_confirmed) {
            self.catalogue_confirmed_kept = Some(self.catalogue_confirmed);
            self.journal.put(CONFIRMED_KEY.to_owned(), &self.catalogue_confirmed);
        }
    }

    /// Looks at the age, now and when it may have become too high.
    pub(crate) fn watch_catalogue(&mut self, now: &Now) {
        let Some(ms_max) = self.catalogue_ms_max() else { return };
        let age = self.catalogue_age_ms(now);
        if age < ms_max {
            self.timers.set(Timer::CatalogueOld, now.mono.after_ms(ms_max.saturating_sub(age)));
            return;
        }
        self.catalogue_old = true;
        if self.alarms.open_of(None, OwnAlarm::CatalogueOld.word()).is_none() && self.config.storage == Storage::Journal
        {
            let days = age.checked_div(DAY_MS).unwrap_or(0);
            let body = AlarmBody { detail: Some(format!("{days} d")), ..own_alarm(OwnAlarm::CatalogueOld, None) };
            self.raise_or_fold_own(&body, None, now);
        }
    }

    /// Whether sales are closed for the age of the prices.
    pub(crate) fn is_closed_by_age(&self, now: &Now) -> bool {
        match self.config.catalogue_age.when_old {
            WhenOld::Close => self.catalogue_ms_max().is_some_and(|ms_max| self.catalogue_age_ms(now) >= ms_max),
            WhenOld::Sell => false,
        }
    }

    fn catalogue_ms_max(&self) -> Option<u64> {
        let days = u64::from(self.config.catalogue_age.days_max);
        (days > 0).then(|| days.saturating_mul(DAY_MS))
    }

    /// By the wall clock where it can be trusted, and at least what was listened since: a clock that was set back makes
    /// no price younger.
    fn catalogue_age_ms(&self, now: &Now) -> u64 {
        let confirmed = self.catalogue_confirmed;
        let listened = self.listening.ms().saturating_sub(confirmed.listened_ms);
        let wall = match (now.clock, confirmed.wall_ms) {
            (Clock::Trusted, Some(then)) => u64::try_from(now.wall.0.saturating_sub(then)).unwrap_or(0),
            (Clock::Trusted, None) | (Clock::Untrusted, _) => 0,
        };
        listened.max(wall)
    }
}
