//! Durable reports a second, over few and many connections, plain and with TLS, and what a kill leaves of them.

use std::collections::BTreeSet;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use super::fleet::{Acknowledged, Fleet, Plan};
use super::limits::{DELIVER_WITHIN, WARM_UP};
use super::stage::Stage;
use super::table::{Figure, Goal, Table, median};
use super::{BenchError, Settings, disk, figure};

/// Connections where there are many, with one report of each under way.
const MANY: usize = 2_000;

/// Connections, and reports that each has under way.
fn widths(settings: &Settings) -> [(usize, u16); 3] {
    [(1, 50), (100, 20), (MANY.min(settings.connections), 1)]
}

/// The figures of one width.
struct Width {
    connections: usize,
    window: u16,
    tls: bool,
    rate: Figure,
    cpu_us: Vec<f64>,
    in_commit: Vec<f64>,
    beside_plain: Vec<f64>,
}

/// Measures and prints.
///
/// # Errors
/// Anything that is measured fails.
pub async fn measure(table: &mut Table<'_>, settings: &Settings) -> Result<(), BenchError> {
    let mut stage = Stage::prepare(MANY, Vec::new(), settings.journal, 0).await?;
    stage.site.gateway.start().await?;
    table.heading(&format!("durable QoS 1 reports, {} entries in the journal, centre away", settings.journal))?;
    let mut synced = figure("fdatasync of 4 KiB appended, one after the other", "/s");
    let mut plain = figure("plain SQLite, the same rows and indexes, INSERTs of 100", "/s");
    let mut bare = figure("the same without indexes", "/s");
    let mut widths: Vec<Width> =
        [false, true].into_iter().flat_map(|tls| widths(settings).map(|of| width(of, tls))).collect();
    for _ in 0..settings.rounds {
        synced.values.push(disk::syncs(settings.each / 2).await?);
        let mut in_commit = 1.0;
        for width in &mut widths {
            width.run(&stage, settings.each).await?;
            if width.connections == 100 {
                let size = width.in_commit.last().copied().unwrap_or(1.0).round().max(1.0);
                let of_plain = disk::plain_sqlite(settings.each / 2, size as usize, true).await?;
                width.beside_plain.push(width.rate.values.last().copied().unwrap_or(0.0) / of_plain * 100.0);
                if !width.tls {
                    plain.values.push(of_plain);
                    in_commit = size;
                }
            }
        }
        bare.values.push(disk::plain_sqlite(settings.each / 2, in_commit as usize, false).await?);
        plain.note = format!("{in_commit:.0} rows in a commit, as at 100 connections");
    }
    for figure in [&synced, &plain, &bare] {
        table.figure(figure)?;
    }
    for width in &mut widths {
        width.print(table)?;
    }
    kill(table, &mut stage, settings.each).await?;
    with_centre(table, &mut stage, settings).await
}

fn width((connections, window): (usize, u16), tls: bool) -> Width {
    let name = format!("{connections} × {window} under way{}", if tls { ", TLS" } else { "" });
    let rate = figure(name, "/s");
    Width { connections, window, tls, rate, cpu_us: Vec::new(), in_commit: Vec::new(), beside_plain: Vec::new() }
}

impl Width {
    async fn run(&mut self, stage: &Stage, within: Duration) -> Result<(), BenchError> {
        let accounts = stage.accounts("load-", 0, self.connections);
        let fleet = Fleet::start(stage.target(self.tls)?, accounts, Plan::Flood { window: self.window }).await?;
        tokio::time::sleep(WARM_UP).await;
        let (used, commits) = (stage.used()?, stage.commits().await?);
        let before = fleet.acknowledged();
        let rate = fleet.rate(within).await?;
        let count = fleet.acknowledged().saturating_sub(before).max(1);
        let (used_then, commits_then) = (stage.used()?, stage.commits().await?);
        self.cpu_us.push((used_then.cpu_s - used.cpu_s) * 1e6 / count as f64);
        self.in_commit.push((commits_then.1 - commits.1) / (commits_then.0 - commits.0).max(1.0));
        self.rate.values.push(rate);
        drop(fleet.cut().await);
        Ok(())
    }

    fn print(&mut self, table: &mut Table<'_>) -> Result<(), BenchError> {
        let (cpu, rows) = (median(&self.cpu_us), median(&self.in_commit));
        self.rate.note = format!("daemon {cpu:.1} µs of processor a report, {rows:.0} in a commit");
        let beside = median(&self.beside_plain);
        if !self.beside_plain.is_empty() {
            self.rate.note.push_str(&format!(", {beside:.0} % of plain SQLite"));
        }
        table.figure(&self.rate)?;
        if self.connections == 100 {
            let (bound, name) = if self.tls { (20_000.0, ", TLS") } else { (50_000.0, "") };
            let rate = self.rate.median();
            table.goal(Goal::at_least(&format!("durable reports, 100 × 20{name}"), rate, bound, "/s"));
            if !self.tls {
                table.goal(Goal::at_least("of plain SQLite in the same round", beside, 50.0, "%"));
            }
        }
        Ok(())
    }
}

/// Kills the daemon amid a flood, and looks whether the journal has everything that was acknowledged.
async fn kill(table: &mut Table<'_>, stage: &mut Stage, within: Duration) -> Result<(), BenchError> {
    let accounts = stage.accounts("load-", 0, 100);
    let fleet = Fleet::start(stage.target(false)?, accounts, Plan::Flood { window: 20 }).await?;
    tokio::time::sleep(within).await;
    stage.site.gateway.kill();
    let epoch = fleet.epoch;
    let acknowledged = fleet.cut().await;
    stage.site.gateway.start().await?;
    let count: usize = acknowledged.iter().map(|(_, numbers)| numbers.len()).sum();
    let mut lost = figure(format!("lost of {count} acknowledged when killed amid them"), "");
    lost.values.push(missing(stage, epoch, &acknowledged).await? as f64);
    table.figure(&lost)?;
    Ok(())
}

async fn missing(stage: &Stage, epoch: u32, acknowledged: &[Acknowledged]) -> Result<usize, BenchError> {
    let mut journal = SqliteConnectOptions::new()
        .filename(gateway::adapter::store::journal_path(&stage.site.gateway.state))
        .read_only(true)
        .connect()
        .await?;
    let rows: Vec<(String, i64)> =
        sqlx::query_as("SELECT source, seq FROM entry WHERE source LIKE 'device:load-%' AND epoch = ?")
            .bind(epoch.to_string())
            .fetch_all(&mut journal)
            .await?;
    journal.close().await?;
    let kept: BTreeSet<(&str, u64)> =
        rows.iter().map(|(source, seq)| (source.trim_start_matches("device:"), seq.unsigned_abs())).collect();
    let all = acknowledged.iter().flat_map(|(device, numbers)| numbers.iter().map(|n| (device.as_str(), *n)));
    Ok(all.filter(|key| !kept.contains(key)).count())
}

/// The same load while the centre takes the entries, on the same processors.
async fn with_centre(table: &mut Table<'_>, stage: &mut Stage, settings: &Settings) -> Result<(), BenchError> {
    stage.site.centre.start().await?;
    let online = |status: &serde_json::Value| status["uplink"]["online"] == true;
    stage.site.gateway.wait_status("the centre answers", DELIVER_WITHIN, online).await?;
    let mut beside = width((100, 20), false);
    beside.rate.name.push_str(", while the centre here takes them too");
    for _ in 0..settings.rounds {
        beside.run(stage, settings.each).await?;
    }
    let (cpu, rows) = (median(&beside.cpu_us), median(&beside.in_commit));
    beside.rate.note = format!("daemon {cpu:.1} µs of processor a report, {rows:.0} in a commit");
    table.figure(&beside.rate)?;
    Ok(())
}
