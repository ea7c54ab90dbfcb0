//! Measurements on a whole site, beside what the disk can do at most: one table.
//!
//! `disk` measures the machine alone, `link` durable reports and the way of a press.
//!
//! **Invariant:** a report counts when its PUBACK came in, a press when its own alarm was accepted by the centre; nothing is
//! estimated.

mod disk;
mod link;

use std::io::Write;
use std::time::Duration;

use crate::site::error::SiteError;

/// Time for each measurement: a table takes about six of these and two starts of a site.
pub const EACH: Duration = Duration::from_secs(8);
/// The longest that may be asked for, so that the whole stays below two minutes with the default.
pub const EACH_MAX: Duration = Duration::from_secs(60);

/// Why there is no table.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The site.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// The file that is synced.
    #[error("the disk: {0}")]
    Disk(#[from] std::io::Error),
    /// The database beside the gateway's.
    #[error("SQLite: {0}")]
    Sqlite(#[from] sqlx::Error),
    /// The measuring thread ended early.
    #[error("a measuring thread ended early")]
    Thread,
}

/// Measures and prints.
///
/// # Errors
/// Anything that is measured fails.
pub async fn run(out: &mut dyn Write, each: Duration) -> Result<(), BenchError> {
    if cfg!(debug_assertions) {
        writeln!(out, "this is a development build; figures are those of `cargo xtask bench`")?;
    }
    let mut row = |name: &str, value: String| writeln!(out, "{name:<62} {value:>16}");
    let synced = disk::syncs(each).await?;
    row("fdatasync of 4 KiB appended, one after the other", format!("{synced:.0} /s"))?;
    for rows in [1, 100] {
        let rate = disk::sqlite_rows(each, rows).await?;
        row(&format!("SQLite alone, like rows, {rows} in a commit"), format!("{rate:.0} rows/s"))?;
    }
    for connections in [1, 100] {
        let rate = link::reports(each, connections).await?;
        row(&format!("durable reports, QoS 1, {connections} connections"), format!("{rate:.0} /s"))?;
    }
    let press = link::presses(each).await?;
    row("load while pressing, durable reports", format!("{:.0} /s", press.load_rate))?;
    row("presses that were measured", press.acknowledged.len().to_string())?;
    for (name, times) in
        [("press to PUBACK", &press.acknowledged), ("press to the centre's acceptance", &press.accepted)]
    {
        for (word, per_mille) in [("p50", 500), ("p99", 990)] {
            row(&format!("{name}, {word}"), format!("{:.1} ms", percentile(times, per_mille).as_secs_f64() * 1_000.0))?;
        }
    }
    Ok(())
}

/// The smallest time that so many of a thousand do not exceed; zero when there are none.
fn percentile(times: &[Duration], per_mille: usize) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let rank = sorted.len().saturating_mul(per_mille).div_ceil(1_000);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_time_that_was_measured() {
        let times: Vec<Duration> = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile(&times, 500), Duration::from_millis(100));
        assert_eq!(percentile(&times, 990), Duration::from_millis(198));
        assert_eq!(percentile(&times, 1_000), Duration::from_millis(200));
        assert_eq!(percentile(&[], 990), Duration::ZERO);
    }
}
