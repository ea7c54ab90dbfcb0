//! What people wait for at their pages with 300 open alarms and 2,000 devices: the first paint, and a change that has come in.

use super::table::{Figure, Goal, Table};
use super::{BenchError, Settings, figure};
use crate::browser::{self, crowd};
use crate::site::Site;

/// Until something is to be seen.
const FIRST_PAINT_MS: f64 = 1_000.0;
/// From a change's news to its being seen.
const LIVE_UPDATE_MS: f64 = 100.0;

/// Measures and prints.
///
/// # Errors
/// The site or the browser fails.
pub async fn measure(table: &mut Table<'_>, settings: &Settings) -> Result<(), BenchError> {
    table.heading("pages in Chromium, 300 open alarms, 2,000 devices")?;
    if !browser::is_here() {
        table.line("not measured: there is no browser")?;
        return Ok(());
    }
    let mut figures: Vec<Figure> = Vec::new();
    for _ in 0..settings.rounds {
        round("board_many", crowd::of_board().await?, &mut figures).await?;
        round("staff_many", crowd::of_staff().await?, &mut figures).await?;
    }
    for measured in &figures {
        table.figure(measured)?;
        let bound = if measured.name.contains("first paint") { FIRST_PAINT_MS } else { LIVE_UPDATE_MS };
        table.goal(Goal::at_most(&measured.name, measured.median(), bound, "ms"));
    }
    Ok(())
}

async fn round(flow: &str, mut site: Site, figures: &mut Vec<Figure>) -> Result<(), BenchError> {
    for (name, ms) in browser::play(flow, &mut site).await? {
        match figures.iter_mut().find(|known| known.name == name) {
            Some(known) => known.values.push(ms),
            None => figures.push(Figure { values: vec![ms], ..figure(name, "ms") }),
        }
    }
    Ok(())
}
