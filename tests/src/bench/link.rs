//! The device link of a whole site: durable reports a second, and the way of a press while others report.

use std::time::{Duration, Instant};

use super::BenchError;
use crate::site::button::Button;
use crate::site::dice::Dice;
use crate::site::limits::WINDOW_MAX;
use crate::site::load::{Load, LoadSettings};
use crate::site::{EPOCH, Site, SiteSettings};

/// How long what is under way may take at the end.
const DRAIN: Duration = Duration::from_secs(30);
/// How long the centre's acceptance of one press may take.
const ACCEPTED: Duration = Duration::from_secs(10);
/// Devices that report while others are pressed, and the pause of each: 1,000 a second together.
const BACKGROUND: usize = 20;
const BACKGROUND_PAUSE: Duration = Duration::from_millis(20);
/// Reports of one connection under way when there are many.
const WINDOW_OF_MANY: usize = 10;
/// Devices that are pressed. With each kind once, every press raises an alarm of its own: one that is folded into an open alarm
/// would hear of that alarm's acceptance, not of its own.
const PRESSED: usize = 14;
const KINDS: [&str; 15] = [
    "sos",
    "fall",
    "pull_cord",
    "smoke",
    "gas",
    "co",
    "water",
    "bed_exit",
    "inactivity",
    "wander",
    "tamper",
    "low_battery",
    "mains_lost",
    "fault",
    "service",
];

/// Acknowledged reports a second over so many connections.
pub async fn reports(within: Duration, connections: usize) -> Result<f64, BenchError> {
    let site = Site::start(&SiteSettings::default().and_load(connections)).await?;
    let window = if connections == 1 { WINDOW_MAX } else { WINDOW_OF_MANY };
    let settings = LoadSettings { window, pause: None, count: None, kinds: &["test"] };
    let load = Load::start(site.load_logins(), EPOCH, &settings, &mut Dice::new(1));
    load.progress(u64::try_from(connections).unwrap_or(u64::MAX), DRAIN).await?;
    let (before, started) = (load.acknowledged(), Instant::now());
    tokio::time::sleep(within).await;
    let rate = rate(load.acknowledged().saturating_sub(before), started.elapsed());
    drop(load.cut());
    Ok(rate)
}

/// What pressing took.
pub struct Presses {
    /// From each press to its PUBACK.
    pub acknowledged: Vec<Duration>,
    /// From each press to the command that says `accepted`, at the device.
    pub accepted: Vec<Duration>,
    /// What the others had acknowledged a second meanwhile.
    pub load_rate: f64,
}

/// Presses, one after the other, while others report.
pub async fn presses(within: Duration) -> Result<Presses, BenchError> {
    let mut settings = SiteSettings::default().and_load(BACKGROUND);
    settings.devices.extend((1..=PRESSED).map(|number| format!("pressed-{number:02}")));
    let site = Site::start(&settings).await?;
    site.wait_catalogue().await?;
    let pace = LoadSettings { window: 8, pause: Some(BACKGROUND_PAUSE), count: None, kinds: &["test"] };
    let load = Load::start(site.load_logins(), EPOCH, &pace, &mut Dice::new(2));
    load.progress(1_000, DRAIN).await?;
    let mut buttons = Vec::new();
    for number in 1..=PRESSED {
        buttons.push(site.button(&format!("pressed-{number:02}")).await?);
    }
    let mut presses = Presses { acknowledged: Vec::new(), accepted: Vec::new(), load_rate: 0.0 };
    let (before, started) = (load.acknowledged(), Instant::now());
    'kinds: for kind in KINDS {
        for button in &mut buttons {
            if started.elapsed() > within.saturating_mul(2) {
                break 'kinds;
            }
            press(button, kind, &mut presses).await?;
        }
    }
    presses.load_rate = rate(load.acknowledged().saturating_sub(before), started.elapsed());
    drop(load.cut());
    Ok(presses)
}

async fn press(button: &mut Button, kind: &str, presses: &mut Presses) -> Result<(), BenchError> {
    let pressed = button.press(kind).await?;
    let heard = button.hear_state(pressed.seq, "accepted", ACCEPTED).await?;
    presses.acknowledged.push(pressed.acknowledged_after);
    presses.accepted.push(heard.at.saturating_duration_since(pressed.at));
    Ok(())
}

fn rate(count: u64, within: Duration) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / within.as_secs_f64()
}
