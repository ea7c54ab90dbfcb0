//! Going on by hand: lines that lay the card on, press a button, stop the centre.

use std::io::Write;
use std::str::FromStr;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc::Receiver;

use super::DemoError;
use super::print::money;
use crate::site::Site;
use crate::site::button::Button;
use crate::site::records::Records;
use crate::site::wait::until;

/// What can be typed.
pub const HELP: &str = "card on | card off | press | centre stop | centre start | status | help | quit";

/// The device that `press` presses; the one of the printed lines is left alone.
const DEVICE: &str = "btn-0002";
/// How long the centre may take to end.
const STOP: Duration = Duration::from_secs(15);
/// How long the centre's acceptance of a press is waited for.
const ACCEPTED: Duration = Duration::from_secs(5);

/// An order typed by a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Lay the card on.
    CardOn,
    /// Take it away.
    CardOff,
    /// Press a button.
    Press,
    /// Stop the centre.
    CentreStop,
    /// Start the centre.
    CentreStart,
    /// Tell how everything is.
    Status,
    /// Tell what can be typed.
    Help,
    /// End.
    Quit,
}

/// A line that is no order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an order; one of: {HELP}")]
pub struct OrderError;

impl FromStr for Order {
    type Err = OrderError;

    fn from_str(line: &str) -> Result<Self, OrderError> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match *words.as_slice() {
            ["card", "on"] => Ok(Self::CardOn),
            ["card", "off"] => Ok(Self::CardOff),
            ["press"] => Ok(Self::Press),
            ["centre" | "center", "stop"] => Ok(Self::CentreStop),
            ["centre" | "center", "start"] => Ok(Self::CentreStart),
            ["status"] => Ok(Self::Status),
            ["help"] => Ok(Self::Help),
            ["quit"] => Ok(Self::Quit),
            [..] => Err(OrderError),
        }
    }
}

/// Obeys lines until `quit` or until `end` is ready. The end of the lines is not the end: whoever started the demonstration in the
/// background still wants it.
///
/// # Errors
/// Nobody reads what is printed, or a service ended by itself.
pub async fn go_on(
    site: &mut Site,
    out: &mut dyn Write,
    mut lines: Receiver<String>,
    end: impl Future<Output = ()>,
) -> Result<(), DemoError> {
    tokio::pin!(end);
    let mut button = None;
    loop {
        let line = tokio::select! {
            () = &mut end => return Ok(()),
            line = lines.recv() => line,
        };
        let Some(line) = line else {
            end.await;
            return Ok(());
        };
        match line.parse() {
            _ if line.trim().is_empty() => {}
            Ok(Order::Quit) => return Ok(()),
            Ok(order) => {
                if let Err(error) = obey(site, out, &mut button, order).await {
                    writeln!(out, "   {error}")?;
                }
            }
            Err(error) => writeln!(out, "   {error}")?,
        }
        site.gateway.check()?;
    }
}

async fn obey(
    site: &mut Site,
    out: &mut dyn Write,
    button: &mut Option<Button>,
    order: Order,
) -> Result<(), DemoError> {
    match order {
        Order::CardOn => {
            site.till().lay_card().await?;
            writeln!(out, "   the card lies on the reader")?;
        }
        Order::CardOff => {
            site.till().take_card_from_pcscd().await?;
            writeln!(out, "   the card is off the reader")?;
        }
        Order::Press => press(site, out, button).await?,
        Order::CentreStop => {
            site.centre.stop(STOP).await?;
            writeln!(out, "   the centre is stopped")?;
        }
        Order::CentreStart if site.centre.runs() => writeln!(out, "   the centre runs")?,
        Order::CentreStart => {
            site.centre.start().await?;
            writeln!(out, "   the centre runs again")?;
        }
        Order::Status => status(site, out).await?,
        Order::Help => writeln!(out, "   {HELP}")?,
        Order::Quit => {}
    }
    Ok(())
}

async fn press(site: &Site, out: &mut dyn Write, button: &mut Option<Button>) -> Result<(), DemoError> {
    // A connection may have gone since the last press.
    if let Some(known) = button.as_mut() {
        known.reconnect().await?;
    }
    let mut pressing = match button.take() {
        Some(known) => known,
        None => site.button(DEVICE).await?,
    };
    let pressed = pressing.press("sos").await;
    *button = Some(pressing);
    let pressed = pressed?;
    write!(out, "   press {} of {DEVICE}: on disk after {} ms", pressed.seq, pressed.acknowledged_after.as_millis())?;
    // A press on an open alarm is folded into it, and the device hears how far that alarm is; so the centre itself is asked.
    let origin = format!("device:{DEVICE}/{}/{}", pressed.epoch, pressed.seq);
    let mut records = Records::open(&site.centre.database).await?;
    match until("the centre has the press", ACCEPTED, async || records.has(&origin).await.ok().filter(|has| *has)).await
    {
        Ok(_) => writeln!(out, ", at the centre after {} ms", pressed.at.elapsed().as_millis())?,
        Err(_) => writeln!(out, "; the centre does not have it yet")?,
    }
    Ok(())
}

async fn status(site: &mut Site, out: &mut dyn Write) -> Result<(), DemoError> {
    let status = site.gateway.api.read("/api/v1/status").await?;
    let lanes = status["lanes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let lanes: Vec<String> =
        lanes.iter().map(|lane| format!("{} {}", lane["lane"].as_str().unwrap_or("?"), lane["waiting"])).collect();
    let centre = if site.centre.runs() { "runs" } else { "is stopped" };
    writeln!(out, "   centre   {centre}; the gateway sees it: {}", status["uplink"]["online"])?;
    writeln!(out, "   journal  {} entries; waiting: {}", status["journal"]["n"], lanes.join(", "))?;
    writeln!(out, "   alarms   {} open; devices {}", status["open_alarms"], status["devices"])?;
    writeln!(out, "   readers  {}", status["readers"])?;
    writeln!(out, "   purse    {} points on the card", money(i64::try_from(site.till().purse()).unwrap_or(i64::MAX)))?;
    let sales = site.gateway.staff.read("/api/v1/sales").await?;
    for sale in sales.as_array().map(Vec::as_slice).unwrap_or_default().iter().take(5) {
        let word = |name: &str| sale[name].as_str().unwrap_or("-");
        let reason = sale["reason"].as_str().map(|reason| format!("({reason})")).unwrap_or_default();
        let amount = sale["amount"].as_i64().unwrap_or(0);
        writeln!(out, "   sale     {} {} {} {reason}", word("state"), word("tender"), money(amount))?;
    }
    print_open_alarms(out, &site.gateway.api.read("/api/v1/alarms").await?)
}

fn print_open_alarms(out: &mut dyn Write, alarms: &Value) -> Result<(), DemoError> {
    for alarm in alarms.as_array().map(Vec::as_slice).unwrap_or_default() {
        let word = |name: &str| alarm[name].as_str().unwrap_or("-");
        writeln!(out, "   alarm    {} {} {}", word("id"), word("kind"), word("state"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_of_the_help_is_one_and_nothing_else_is() {
        for line in HELP.split('|') {
            assert!(line.parse::<Order>().is_ok(), "{line}");
        }
        for line in ["", "card", "card up", "press it"] {
            assert_eq!(line.parse::<Order>(), Err(OrderError), "{line}");
        }
    }
}
