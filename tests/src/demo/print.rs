//! How the demonstration words what it shows.

use std::io::Write;

use serde_json::Value;

use super::DemoError;
use crate::site::gateway::{NURSE, PIN};
use crate::site::mosquitto::{self, Version};
use crate::site::records::{Record, SaleRecord};
use crate::site::{EPOCH, Site};

/// The device that is pressed by hand.
pub(super) const HAND_DEVICE: &str = "btn-0001";

/// Fen as points with two decimals.
#[must_use]
pub fn money(fen: i64) -> String {
    let sign = if fen < 0 { "-" } else { "" };
    let fen = fen.unsigned_abs();
    format!("{sign}{}.{:02}", fen.wrapping_div(100), fen.wrapping_rem(100))
}

/// A headline.
pub(super) fn headline(out: &mut dyn Write, text: &str) -> Result<(), DemoError> {
    Ok(writeln!(out, "\n== {text}")?)
}

/// What the kiosk shows of a sale that has ended.
pub(super) fn receipt(out: &mut dyn Write, sale: &Value, took_ms: u128) -> Result<(), DemoError> {
    let fen = |value: &Value| value.as_i64().map_or_else(|| "?".to_owned(), money);
    let word = |name: &str| sale[name].as_str().unwrap_or("-");
    writeln!(
        out,
        "   receipt  {:<8} from the {:<8} {:>9} points",
        word("state"),
        word("tender"),
        fen(&sale["amount"])
    )?;
    for item in sale["items"].as_array().map(Vec::as_slice).unwrap_or_default() {
        let service = item["service"].as_str().unwrap_or("?");
        writeln!(out, "            {} x {service} at {}", item["quantity"], fen(&item["unit_price"]))?;
    }
    writeln!(out, "            balance {}   card to receipt {took_ms} ms", fen(&sale["balance"]))?;
    writeln!(out, "            origin  {}", word("origin"))?;
    Ok(())
}

/// Every entry as the centre has it.
pub(super) fn entries(out: &mut dyn Write, entries: &[Record]) -> Result<(), DemoError> {
    let width = |of: &dyn Fn(&Record) -> usize| entries.iter().map(of).max().unwrap_or(0);
    let (kind, origin) = (width(&|entry| entry.kind.len()), width(&|entry| entry.origin.len()));
    for entry in entries {
        let about = entry.about.as_ref().map(|about| format!("about {about}")).unwrap_or_default();
        let line = format!("   {:<kind$}  {:<origin$}  {about}", entry.kind, entry.origin);
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Every sale as the centre has it.
pub(super) fn sales(out: &mut dyn Write, sales: &[SaleRecord]) -> Result<(), DemoError> {
    for sale in sales {
        let word = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let amount = sale.amount.map_or_else(|| "-".to_owned(), money);
        let proof = sale.verdict.as_ref().map(|verdict| format!("TAC {verdict}")).unwrap_or_default();
        let line = format!(
            "   {:<8} {:<8} {amount:>9}  {:<10} {}",
            word(&sale.outcome),
            word(&sale.tender),
            proof,
            sale.origin
        );
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// Every alarm as the centre shows it to its operators.
pub(super) fn alarms(out: &mut dyn Write, alarms: &[Value]) -> Result<(), DemoError> {
    for alarm in alarms {
        let word = |name: &str| alarm[name].as_str().unwrap_or("-");
        writeln!(out, "   {:<24} {:<10} {:<10} {}", word("id"), word("kind"), word("urgency"), word("state"))?;
    }
    Ok(())
}

/// Where everything is, and how to go on by hand.
///
/// # Errors
/// Nobody reads what is printed.
pub fn addresses(out: &mut dyn Write, site: &Site) -> Result<(), DemoError> {
    let login = site.login(HAND_DEVICE);
    let topic = format!("care/v1/{HAND_DEVICE}/event");
    // The number of a report grows with each press: the shell puts the time in.
    let payload = format!("{{\"v\":1,\"epoch\":{EPOCH},\"seq\":NUMBER,\"kind\":\"sos\"}}");
    let (who, password) = site
        .centre
        .district
        .operators
        .first()
        .map_or(("", ""), |operator| (operator.id.as_str(), operator.password.as_str()));
    writeln!(out, "\n   kiosk           {}", site.gateway.kiosk_page())?;
    writeln!(out, "   staff           {}staff   staff number {NURSE}, PIN {PIN}", site.gateway.kiosk_page())?;
    writeln!(out, "   operator board  {}   log in as {who} with {password}", site.centre.board())?;
    writeln!(out, "\n   press the button from another terminal:")?;
    for version in [Version::V311, Version::V5] {
        let line = mosquitto::line(&login, version, &topic, &payload).replace("NUMBER", "'$(date +%s%3N)'");
        writeln!(out, "   {line}")?;
    }
    writeln!(out, "\n   or type here: {}; Ctrl-C ends", super::HELP)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fen_are_shown_as_points() {
        assert_eq!(money(1_250), "12.50");
        assert_eq!(money(5), "0.05");
        assert_eq!(money(-100_007), "-1000.07");
        assert_eq!(money(i64::MIN), "-92233720368547758.08");
    }
}
