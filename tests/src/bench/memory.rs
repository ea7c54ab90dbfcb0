//! Resident memory of the daemon: idle, with thousands of connections, with entries that wait for the centre.

use std::time::Duration;

use super::fleet::{Fleet, Plan};
use super::limits::{DRAIN_WITHIN, REST};
use super::stage::{Stage, rest};
use super::table::{Figure, Goal, Table};
use super::{BenchError, Settings, figure};
use crate::site::wait::until;

/// Reports before memory is compared, so that every buffer has its size.
const WARM: u64 = 20_000;

/// Measures and prints.
///
/// # Errors
/// Anything that is measured fails.
pub async fn measure(table: &mut Table<'_>, settings: &Settings) -> Result<(), BenchError> {
    let mut idle = figure("idle, nobody connected", "MB");
    let mut plain = figure(format!("{} connections", settings.connections), "MB");
    let mut tls = figure(format!("{} connections, TLS", settings.connections), "MB");
    let mut waiting = figure(format!("{} entries that wait for the centre add", settings.backlog), "MB");
    for _ in 0..settings.rounds {
        idle.values.push(resident_idle().await?);
        plain.values.push(resident_connected(settings.connections, false).await?);
        tls.values.push(resident_connected(settings.connections, true).await?);
        waiting.values.push(added_by_waiting(settings.backlog, settings.each).await?);
    }
    for with in [&mut plain, &mut tls] {
        let each = (with.median() - idle.median()) * 1_024.0 / settings.connections as f64;
        with.note = format!("{each:.1} KB a connection, {} devices in the file", settings.connections);
    }
    table.heading("resident memory of the daemon")?;
    for figure in [&idle, &plain, &tls, &waiting] {
        table.figure(figure)?;
    }
    let at_most = |figure: &Figure, bound: f64| Goal::at_most(&figure.name, figure.median(), bound, "MB");
    for (figure, bound) in [(&idle, 15.0), (&plain, 60.0), (&tls, 300.0), (&waiting, 10.0)] {
        table.goal(at_most(figure, bound));
    }
    Ok(())
}

async fn resident_idle() -> Result<f64, BenchError> {
    let mut stage = Stage::prepare(0, Vec::new(), 0, 0).await?;
    stage.site.gateway.start().await?;
    rest(REST).await;
    Ok(stage.used()?.resident_mb)
}

async fn resident_connected(connections: usize, tls: bool) -> Result<f64, BenchError> {
    let mut stage = Stage::prepare(connections, Vec::new(), 0, 0).await?;
    stage.site.gateway.start().await?;
    let accounts = stage.accounts("load-", 0, connections);
    let fleet = Fleet::start(stage.target(tls)?, accounts, Plan::Stay).await?;
    rest(REST).await;
    let resident = stage.used()?.resident_mb;
    drop(fleet.cut().await);
    Ok(resident)
}

async fn added_by_waiting(entries: u64, _within: Duration) -> Result<f64, BenchError> {
    let mut stage = Stage::prepare(100, Vec::new(), 0, 0).await?;
    stage.site.gateway.start().await?;
    report(&stage, WARM).await?;
    rest(REST).await;
    let before = stage.used()?.resident_mb;
    report(&stage, entries).await?;
    rest(REST).await;
    // Less than before is nothing added.
    Ok((stage.used()?.resident_mb - before).max(0.01))
}

/// At least so many reports over 100 connections.
async fn report(stage: &Stage, count: u64) -> Result<(), BenchError> {
    let accounts = stage.accounts("load-", 0, 100);
    let fleet = Fleet::start(stage.target(false)?, accounts, Plan::Flood { window: 20 }).await?;
    until("enough reports", DRAIN_WITHIN, async || (fleet.acknowledged() >= count).then_some(())).await?;
    drop(fleet.cut().await);
    Ok(())
}
