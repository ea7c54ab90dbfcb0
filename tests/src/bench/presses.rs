//! The way of a press: to its PUBACK and to the word that the centre has it, among a thousand reports a second; and the same
//! while others wait for the centre and a test flood runs.

use std::time::{Duration, Instant};

use super::disk::Probe;
use super::fleet::{Fleet, Plan, Press};
use super::limits::{DELIVER_WITHIN, WARM_UP};
use super::stage::Stage;
use super::table::{Figure, Goal, Table, median};
use super::{BenchError, Settings, figure, percentile_ms};

/// A press each 10 ms; each device is pressed anew after 5 s, with another kind, so that every press is an alarm of its own.
const DEVICES: usize = 500;
const EVERY: Duration = Duration::from_secs(5);
const KINDS: &[&str] = &["sos", "fall", "pull_cord", "smoke", "gas", "co", "water"];
/// The other reports: 100 devices, nine a second each.
const OTHERS: usize = 100;
const OTHERS_EVERY: Duration = Duration::from_millis(111);

/// One percentile of one way.
struct Way {
    name: &'static str,
    per_mille: usize,
    of: fn(&Press) -> Option<Duration>,
}

const WAYS: [Way; 6] = [
    Way { name: "press to PUBACK, p50", per_mille: 500, of: |press| press.acknowledged },
    Way { name: "press to PUBACK, p99", per_mille: 990, of: |press| press.acknowledged },
    Way { name: "press to PUBACK, p99.9", per_mille: 999, of: |press| press.acknowledged },
    Way { name: "press to the centre's word, p50", per_mille: 500, of: |press| press.accepted },
    Way { name: "press to the centre's word, p99", per_mille: 990, of: |press| press.accepted },
    Way { name: "press to the centre's word, p99.9", per_mille: 999, of: |press| press.accepted },
];

/// What one scene gave: the ways in their order, the probe's p99.
struct Scene {
    ways: Vec<Figure>,
    probe: Figure,
}

impl Scene {
    fn new() -> Self {
        let ways = WAYS.iter().map(|way| figure(way.name, "ms")).collect();
        Self { ways, probe: figure("fdatasync beside it, p99", "ms") }
    }

    fn median(&self, way: usize) -> f64 {
        self.ways.get(way).map_or(0.0, Figure::median)
    }

    fn print(&self, table: &mut Table<'_>) -> Result<(), BenchError> {
        table.figure(&self.probe)?;
        for figure in &self.ways {
            table.figure(figure)?;
        }
        Ok(())
    }
}

/// Measures and prints.
///
/// # Errors
/// Anything that is measured fails.
pub async fn measure(table: &mut Table<'_>, settings: &Settings) -> Result<(), BenchError> {
    let (mut quiet, mut flood) = (Scene::new(), Scene::new());
    for _ in 0..settings.rounds {
        scene(&mut quiet, settings, false).await?;
        scene(&mut flood, settings, true).await?;
    }
    table.heading("1,000 reports a second, 100 of them presses (median of each second's)")?;
    quiet.print(table)?;
    table.heading(&format!("the same while {} others wait and a test flood runs", settings.backlog))?;
    flood.print(table)?;
    let probe = quiet.probe.median();
    let (acknowledged, accepted) = (quiet.median(1), quiet.median(4));
    table.goal(Goal::at_most("press to PUBACK, p99 (2 × fdatasync + 5 ms)", acknowledged, 2.0 * probe + 5.0, "ms"));
    table.goal(Goal::at_most("press to the centre's word, p99 (4 × + 20 ms)", accepted, 4.0 * probe + 20.0, "ms"));
    table.goal(Goal::at_most("to PUBACK under a flood, p99", flood.median(1), 1.5 * acknowledged, "ms"));
    table.goal(Goal::at_most("to the centre's word under a flood, p99", flood.median(4), 1.5 * accepted, "ms"));
    Ok(())
}

async fn scene(scene: &mut Scene, settings: &Settings, flooded: bool) -> Result<(), BenchError> {
    let pressed = (0..DEVICES).map(|number| format!("press-{number:04}")).collect();
    let backlog = if flooded { settings.backlog } else { 0 };
    let mut stage = Stage::prepare(2 * OTHERS, pressed, backlog, backlog).await?;
    stage.site.centre.start().await?;
    stage.site.gateway.start().await?;
    let online = |status: &serde_json::Value| status["uplink"]["online"] == true;
    stage.site.gateway.wait_status("the centre answers", DELIVER_WITHIN, online).await?;
    let target = stage.target(false)?;
    let presses = Fleet::connect(
        target.clone(),
        stage.accounts("press-", 0, DEVICES),
        Plan::Press { every: EVERY, kinds: KINDS },
    )
    .await?;
    let others = Plan::Pace { every: OTHERS_EVERY, window: 64 };
    let others = Fleet::start(target.clone(), stage.accounts("load-", 0, OTHERS), others).await?;
    let flood = if flooded {
        let accounts = stage.accounts("load-", OTHERS, OTHERS);
        Some(Fleet::start(target, accounts, Plan::Flood { window: 20 }).await?)
    } else {
        None
    };
    tokio::time::sleep(WARM_UP).await;
    let probe = Probe::start(stage.site.directory())?;
    let started = Instant::now();
    presses.go();
    tokio::time::sleep(settings.each.saturating_mul(2)).await;
    // A press at the end is still on its way.
    tokio::time::sleep(WARM_UP).await;
    let synced = probe.end()?;
    let seen = presses.take_presses();
    let floods = flood.as_ref().map(Fleet::acknowledged);
    note(scene, started, settings.each.saturating_mul(2), &seen, &synced);
    if let Some(count) = floods {
        let waiting = stage.waiting().await?;
        scene.probe.note = format!(
            "{:.0} a second of the flood, {waiting} wait at the end",
            super::per_second(count, started.elapsed())
        );
    }
    for fleet in [Some(presses), Some(others), flood].into_iter().flatten() {
        drop(fleet.cut().await);
    }
    Ok(())
}

/// Notes the median over the seconds of each second's percentile.
fn note(scene: &mut Scene, started: Instant, within: Duration, seen: &[Press], synced: &[(Instant, Duration)]) {
    for (way, figure) in WAYS.iter().zip(&mut scene.ways) {
        let times: Vec<_> = seen.iter().filter_map(|press| Some((press.at, (way.of)(press)?))).collect();
        figure.values.push(of_seconds(started, within, &times, way.per_mille));
        figure.note = format!("{} presses", times.len());
    }
    scene.probe.values.push(of_seconds(started, within, synced, 990));
}

fn of_seconds(started: Instant, within: Duration, times: &[(Instant, Duration)], per_mille: usize) -> f64 {
    let of_each: Vec<f64> = (0..within.as_secs())
        .map(|second| {
            let (from, to) = (started + Duration::from_secs(second), started + Duration::from_secs(second + 1));
            let of_this = times.iter().filter(|(at, _)| *at >= from && *at < to).map(|(_, took)| *took);
            percentile_ms(&of_this.collect::<Vec<_>>(), per_mille)
        })
        .collect();
    median(&of_each)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_second_does_not_hide_the_others() {
        let started = Instant::now();
        let ms = Duration::from_millis;
        let times: Vec<_> = (0..30).map(|n| (started + ms(100 * n), if n < 10 { ms(500) } else { ms(2) })).collect();
        assert_eq!(of_seconds(started, Duration::from_secs(3), &times, 990), 2.0);
    }
}
