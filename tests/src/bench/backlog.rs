//! The start of the daemon with a long journal, and the way of a backlog to a centre on the same machine.

use std::time::Instant;

use super::stage::Stage;
use super::table::{Goal, Table};
use super::{BenchError, Settings, figure, per_second};
use crate::site::limits::READY;

/// Measures starts and prints.
///
/// # Errors
/// Anything that is measured fails.
pub async fn measure_start(table: &mut Table<'_>, settings: &Settings) -> Result<(), BenchError> {
    let mut stage = Stage::prepare(0, Vec::new(), settings.journal, 0).await?;
    let mut ready = figure(format!("start with {} entries, chain verified, to /readyz", settings.journal), "s");
    let mut resident = figure("resident memory then", "MB");
    for _ in 0..settings.rounds.max(3) {
        let started = Instant::now();
        stage.site.gateway.start().await?;
        ready.values.push(started.elapsed().as_secs_f64());
        resident.values.push(stage.used()?.resident_mb);
        stage.site.gateway.stop(READY).await?;
    }
    table.heading("start, with the journal in the page cache")?;
    table.figure(&ready)?;
    table.figure(&resident)?;
    table.goal(Goal::at_most(&ready.name, ready.median(), 1.0, "s"));
    Ok(())
}

/// Measures drains and prints.
///
/// # Errors
/// Anything that is measured fails.
pub async fn measure_drain(table: &mut Table<'_>, settings: &Settings) -> Result<(), BenchError> {
    let mut rate = figure(format!("{} entries that waited, into `central` here", settings.backlog), "/s");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..settings.rounds {
        let mut stage = Stage::prepare(0, Vec::new(), settings.backlog, settings.backlog).await?;
        stage.site.centre.start().await?;
        let started = Instant::now();
        stage.site.gateway.start().await?;
        stage.wait_waiting(0).await?;
        rate.values.push(per_second(settings.backlog, started.elapsed()));
        let each = settings.backlog.max(1) as f64 / 1e6;
        ours.push(stage.used()?.cpu_s / each);
        theirs.push(super::stage::used(stage.site.centre.pid().unwrap_or(0))?.cpu_s / each);
    }
    let (ours, theirs) = (super::table::median(&ours), super::table::median(&theirs));
    rate.note = format!("processor for an entry: daemon {ours:.1} µs, centre {theirs:.1} µs; the start is in it");
    table.heading("a backlog drains")?;
    table.figure(&rate)?;
    table.goal(Goal::at_least("backlog into the centre", rate.median(), 20_000.0, "/s"));
    Ok(())
}
