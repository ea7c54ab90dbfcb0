//! The story: lunch from the account, dinner from the purse while the centre is away, a pull cord meanwhile, the centre back, a button.

use std::io::Write;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::print::{self, HAND_DEVICE, headline, money};
use super::{DemoError, ensure};
use crate::site::Site;
use crate::site::records::{Record, Records};
use crate::site::till::{Tender, fresh_key, order};
use crate::site::wait::until_is;

/// How long one step of the story may take.
const STEP: Duration = Duration::from_secs(20);
/// The pull cord.
const CORD: &str = "cord-0001";
/// Whose card it is; also the account's reference.
const PERSON: &str = "person-0001";

/// Plays the story and checks every step.
///
/// # Errors
/// The first thing that did not happen as it should.
pub async fn play(site: &mut Site, out: &mut dyn Write) -> Result<(), DemoError> {
    site.wait_catalogue().await?;
    site.till().wait_reader("empty").await?;
    lunch_from_the_account(site, out).await?;
    dinner_from_the_purse(site, out).await?;
    let pulled = pull_cord(site, out).await?;
    centre_back(site, out, &pulled).await?;
    button(site, out).await?;
    what_the_centre_has(site, out).await
}

async fn lunch_from_the_account(site: &Site, out: &mut dyn Write) -> Result<(), DemoError> {
    headline(out, "lunch, paid with points from the account at the centre")?;
    let (sale, took) = site.till().buy(Tender::Account, "meal-lunch", 1).await?;
    print::receipt(out, &sale, took.as_millis())?;
    ensure(sale["state"] == "paid", "a paid sale", &sale)
}

async fn dinner_from_the_purse(site: &mut Site, out: &mut dyn Write) -> Result<(), DemoError> {
    headline(out, "the centre is stopped; dinner, paid from the purse on the card")?;
    site.centre.stop(STEP).await?;
    site.gateway.wait_status("the line is down", STEP, |status| status["uplink"]["online"] == false).await?;
    let refused = order(&site.gateway.staff, &fresh_key(), Tender::Account, "meal-dinner", 1).await?;
    ensure(refused.code() == "offline", "the account refused because the line is down", &refused.text)?;
    let body: Value = serde_json::from_str(&refused.text).unwrap_or(Value::Null);
    writeln!(out, "   account  refused: {}", body["error"]["message"].as_str().unwrap_or("-"))?;
    let before = site.till().purse();
    let (sale, took) = site.till().buy(Tender::Purse, "meal-dinner", 1).await?;
    print::receipt(out, &sale, took.as_millis())?;
    ensure(sale["state"] == "paid", "a paid sale", &sale)?;
    let charged = before.saturating_sub(site.till().purse());
    ensure(sale["amount"].as_u64() == Some(charged), "what the card was charged", charged)
}

async fn pull_cord(site: &Site, out: &mut dyn Write) -> Result<String, DemoError> {
    headline(out, "the centre is still away; a pull cord is pulled")?;
    let mut cord = site.button(CORD).await?;
    let pulled = cord.press("pull_cord").await?;
    writeln!(
        out,
        "   alarm    {}   durable and acknowledged after {} ms",
        pulled.alarm(CORD),
        pulled.acknowledged_after.as_millis()
    )?;
    cord.hear_state(pulled.seq, "raised", STEP).await?;
    Ok(pulled.alarm(CORD))
}

async fn centre_back(site: &mut Site, out: &mut dyn Write, alarm: &str) -> Result<(), DemoError> {
    headline(out, "the centre is started again")?;
    let started = Instant::now();
    site.centre.start().await?;
    let ready = started.elapsed();
    let seen = wait_alarm(site, alarm).await?;
    writeln!(
        out,
        "   ready after {} ms; the pull cord's alarm is there after {} ms",
        ready.as_millis(),
        started.elapsed().as_millis()
    )?;
    ensure(seen["kind"] == "pull_cord", "the alarm of the pull cord", &seen)?;
    site.gateway.wait_status("the line is up", STEP, |status| status["uplink"]["online"] == true).await?;
    Ok(())
}

async fn button(site: &Site, out: &mut dyn Write) -> Result<(), DemoError> {
    headline(out, "a button is pressed; an operator at the centre acknowledges")?;
    let mut button = site.button(HAND_DEVICE).await?;
    let pressed = button.press("sos").await?;
    let alarm = pressed.alarm(HAND_DEVICE);
    let accepted = button.hear_state(pressed.seq, "accepted", STEP).await?;
    let accepted_ms = accepted.at.saturating_duration_since(pressed.at).as_millis();
    writeln!(out, "   alarm    {alarm}")?;
    writeln!(
        out,
        "   press to PUBACK, after the disk has it         {:>5} ms",
        pressed.acknowledged_after.as_millis()
    )?;
    writeln!(out, "   press to acceptance by the centre, at the device {accepted_ms:>3} ms")?;
    wait_alarm(site, &alarm).await?;
    let clicked = Instant::now();
    let answer = site.centre.operator.post(&format!("/api/v1/alarms/{alarm}/acknowledge"), &json!({})).await?;
    ensure(answer.is_success(), "the operator's step taken", &answer.text)?;
    let heard = button.hear_state(pressed.seq, "acknowledged", STEP).await?;
    let heard_ms = heard.at.saturating_duration_since(clicked).as_millis();
    writeln!(out, "   operator's click to the device               {heard_ms:>7} ms")?;
    Ok(())
}

/// The alarm with this id among those that the centre shows.
async fn wait_alarm(site: &Site, id: &str) -> Result<Value, DemoError> {
    let find = async || {
        let alarms = site.centre.operator.read("/api/v1/alarms").await?;
        Ok(list(&alarms).iter().find(|alarm| alarm["id"] == id).cloned())
    };
    let found = until_is("the centre has the alarm", STEP, find, Option::is_some).await?;
    Ok(found.unwrap_or(Value::Null))
}

/// The rows of a list of the centre, whether bare or in an object.
fn list(answer: &Value) -> &[Value] {
    let rows = answer.as_array().or_else(|| answer.as_object()?.values().find_map(Value::as_array));
    rows.map(Vec::as_slice).unwrap_or_default()
}

async fn what_the_centre_has(site: &Site, out: &mut dyn Write) -> Result<(), DemoError> {
    site.gateway.wait_delivered(STEP).await?;
    let mut records = Records::open(&site.centre.database).await?;
    headline(out, "what the centre has: entries with their origins")?;
    let entries = records.entries().await?;
    print::entries(out, &entries)?;
    headline(out, "alarms")?;
    print::alarms(out, list(&site.centre.operator.read("/api/v1/alarms").await?))?;
    headline(out, "sales")?;
    let sales = records.sales().await?;
    print::sales(out, &sales)?;
    headline(out, "ledger (double entry; the sum is 0.00)")?;
    let balances = records.balances().await?;
    for (account, fen) in
        balances.iter().filter(|(account, _)| account.as_str() != "city_fund" && !other_person(account))
    {
        writeln!(out, "   {account:<24} {:>10}", money(*fen))?;
    }
    ensure(balances.values().sum::<i64>() == 0, "a balanced ledger", balances.values().sum::<i64>())?;
    check(site, &entries, &mut records).await?;
    let verified = site.gateway.verify_journal().await?;
    headline(out, "the gateway's journal, verified")?;
    for line in verified.lines() {
        writeln!(out, "   {line}")?;
    }
    Ok(())
}

fn other_person(account: &str) -> bool {
    account.starts_with("elder:") && !account.ends_with(PERSON)
}

async fn check(site: &Site, entries: &[Record], records: &mut Records) -> Result<(), DemoError> {
    let troubles = records.troubles().await?;
    ensure(troubles.is_empty(), "nothing in quarantine or doubt", troubles.join("; "))?;
    let count = |kind: &str| entries.iter().filter(|entry| entry.kind == kind).count();
    ensure(count("alarm.raised") == 2, "two alarms", count("alarm.raised"))?;
    ensure(count("sale.intent") == 2 && count("sale.outcome") == 2, "two sales", count("sale.intent"))?;
    let sales = records.sales().await?;
    let paid = |tender: &str, verdict: Option<&str>| {
        let fits = sales.iter().filter(|sale| sale.tender.as_deref() == Some(tender));
        fits.filter(|sale| sale.outcome.as_deref() == Some("paid") && sale.verdict.as_deref() == verdict).count() == 1
    };
    ensure(paid("account", None), "one sale from the account", format!("{sales:?}"))?;
    ensure(paid("purse", Some("valid")), "one sale from the purse with a valid TAC", format!("{sales:?}"))?;
    let waiting = site.gateway.api.read("/api/v1/status").await?;
    ensure(waiting["quarantined"] == 0, "nothing in the gateway's quarantine", &waiting["quarantined"])
}
