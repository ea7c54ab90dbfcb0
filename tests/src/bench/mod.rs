//! Measurements on a whole site, beside what the disk can do at most: one table.
//!
//! | module | measures |
//! |---|---|
//! | `disk` | the machine alone: syncs, plain SQLite |
//! | `reports` | durable reports a second; what is left of them after a kill |
//! | `presses` | the way of a press, in quiet and under a flood |
//! | `memory` | resident memory: idle, connections, entries that wait |
//! | `backlog` | start with a long journal, and the way of a backlog to the centre |
//! | `peer` | the same reports through other brokers |
//! | `pages` | what people wait for at their pages |
//!
//! `fleet` and `packets` are the devices, `rows` makes journals, `stage` is the site, `table` prints.
//!
//! **Invariant:** a report counts when its PUBACK came in, a press when its own alarm was accepted by the centre; nothing is
//! estimated.
//! **Invariant:** figures that are compared were measured in the same round, one after the other.

mod backlog;
mod disk;
mod fleet;
pub mod limits;
mod memory;
mod packets;
mod pages;
mod peer;
mod presses;
mod reports;
mod rows;
mod stage;
mod table;

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use crate::browser::FlowError;
use crate::site::error::SiteError;
use table::{Figure, Table};

/// Why there is no table.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The site.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// A flow through the pages.
    #[error(transparent)]
    Flow(#[from] FlowError),
    /// A file, or the output.
    #[error("input or output: {0}")]
    File(#[from] std::io::Error),
    /// The database beside the gateway's.
    #[error("SQLite: {0}")]
    Sqlite(#[from] sqlx::Error),
    /// The measuring thread ended early.
    #[error("a measuring thread ended early")]
    Thread,
    /// A journal could not be filled.
    #[error("a journal could not be filled")]
    Journal,
    /// Devices are not let in.
    #[error("{connected} of {wanted} devices were let in")]
    NotLetIn {
        /// How many were.
        connected: u64,
        /// How many should have been.
        wanted: u64,
    },
    /// Connections broke during a measurement.
    #[error("{0} connections broke during a measurement")]
    Broken(u64),
    /// The system tells nothing of a process.
    #[error("the system tells nothing of process {0}")]
    Process(u32),
    /// TLS of the devices could not be set up.
    #[error("TLS of the devices: {0}")]
    Tls(#[from] rustls::Error),
    /// A broker that is compared with does not start or does not answer.
    #[error("the broker at {0} does not answer")]
    Peer(SocketAddr),
}

/// A part of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Durable reports a second.
    Reports,
    /// The way of a press.
    Presses,
    /// Resident memory.
    Memory,
    /// The start with a long journal.
    Start,
    /// The way of a backlog to the centre.
    Drain,
    /// Other brokers.
    Peer,
    /// The pages.
    Pages,
}

impl Part {
    /// All of them, as they are printed.
    pub const ALL: [Self; 7] =
        [Self::Reports, Self::Presses, Self::Memory, Self::Start, Self::Drain, Self::Peer, Self::Pages];

    /// Its word on the command line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Reports => "reports",
            Self::Presses => "presses",
            Self::Memory => "memory",
            Self::Start => "start",
            Self::Drain => "drain",
            Self::Peer => "peer",
            Self::Pages => "pages",
        }
    }

    /// The part of that word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.word() == word)
    }
}

/// How much is measured.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What.
    pub parts: Vec<Part>,
    /// Each figure so often.
    pub rounds: usize,
    /// Each time for so long.
    pub each: Duration,
    /// Entries that the journal has before reports and starts are measured.
    pub journal: u64,
    /// Entries that wait for the centre where a backlog is measured.
    pub backlog: u64,
    /// Connections whose memory is measured.
    pub connections: usize,
    /// Another broker that is measured as it runs.
    pub peer: Option<SocketAddr>,
}

impl Settings {
    /// What the table in the documents was made with.
    #[must_use]
    pub fn full() -> Self {
        Self {
            parts: Part::ALL.to_vec(),
            rounds: limits::ROUNDS,
            each: Duration::from_secs(limits::SECONDS),
            journal: 1_000_000,
            backlog: 100_000,
            connections: 10_000,
            peer: None,
        }
    }

    /// A look at every figure in about a minute; its goals say little.
    #[must_use]
    pub fn quick() -> Self {
        Self {
            rounds: 1,
            each: Duration::from_secs(2),
            journal: 50_000,
            backlog: 10_000,
            connections: 500,
            ..Self::full()
        }
    }
}

/// Measures and prints; whether all goals were met.
///
/// # Errors
/// Anything that is measured fails.
pub async fn run(out: &mut dyn Write, settings: &Settings) -> Result<bool, BenchError> {
    let mut table = Table::new(out);
    if cfg!(debug_assertions) {
        table.line("this is a development build; figures are those of `cargo xtask bench`")?;
    }
    table.line(&machine())?;
    for part in Part::ALL {
        if !settings.parts.contains(&part) {
            continue;
        }
        match part {
            Part::Reports => reports::measure(&mut table, settings).await?,
            Part::Presses => presses::measure(&mut table, settings).await?,
            Part::Memory => memory::measure(&mut table, settings).await?,
            Part::Start => backlog::measure_start(&mut table, settings).await?,
            Part::Drain => backlog::measure_drain(&mut table, settings).await?,
            Part::Peer => peer::measure(&mut table, settings).await?,
            Part::Pages => pages::measure(&mut table, settings).await?,
        }
    }
    table.line(&machine())?;
    Ok(table.end()?)
}

/// What else the machine does just now.
fn machine() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<&str> = load.split(' ').take(3).collect();
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let now = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC");
    format!("{now}, {processors} processors, load average {}", load.join(" "))
}

fn per_second(count: u64, within: Duration) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / within.as_secs_f64().max(f64::MIN_POSITIVE)
}

/// The smallest time that so many of a thousand do not exceed, in milliseconds; zero when there are none.
fn percentile_ms(times: &[Duration], per_mille: usize) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let rank = sorted.len().saturating_mul(per_mille).div_ceil(1_000);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default().as_secs_f64() * 1_000.0
}

fn figure(name: impl Into<String>, unit: &'static str) -> Figure {
    Figure { name: name.into(), unit, values: Vec::new(), note: String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_time_that_was_measured() {
        let times: Vec<Duration> = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile_ms(&times, 500), 100.0);
        assert_eq!(percentile_ms(&times, 990), 198.0);
        assert_eq!(percentile_ms(&times, 1_000), 200.0);
        assert_eq!(percentile_ms(&[], 990), 0.0);
    }

    #[test]
    fn every_part_has_a_word_of_its_own() {
        for part in Part::ALL {
            assert_eq!(Part::of_word(part.word()), Some(part));
        }
        assert_eq!(Part::of_word("speed"), None);
    }
}
