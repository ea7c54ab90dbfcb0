//! The account at the end of a fault test: what was acknowledged against what the centre has. Each finding is a broken promise.
//!
//! Checked are, in the words of the fault reference: nothing acknowledged is missing (I1), nothing has two effects (I2), the sums agree
//! (I3), the chain verifies and its head agrees with the centre's record (I6), unknown is nowhere shown as something else (I7).

use std::collections::BTreeMap;
use std::time::Duration;

use protocols::uplink::NO_STORAGE_EPOCH;

use super::limits::{FINDINGS_MAX, READINGS_MAX};
use super::load::{ReportKey, Tally};
use super::records::{Record, Records, SaleRecord, folded, reports};
use super::shopper::Bought;
use super::{PURSE_FEN, Site};

/// Points that the made-up district grants to each account, fen.
const GRANTED_FEN: i64 = 50_000;
/// The account of the site's card.
const PERSON: &str = "person-0001";

/// What the account is about.
#[derive(Debug, Default)]
pub struct Expected {
    /// Reports of devices.
    pub load: Tally,
    /// Purchases.
    pub bought: Vec<Bought>,
    /// What was put into the account beside what every site's has, fen.
    pub more_granted_fen: i64,
    /// What was on the card beside what every site's card has, fen.
    pub more_on_card_fen: i64,
    /// Whether refused reports and the like are part of the test, so that the centre may have troubles on record.
    pub troubles: bool,
}

/// Waits until everything is at the centre, then looks for broken promises. An empty list is the good end.
///
/// # Panics
/// When the centre's database cannot be read: then nothing can be said.
pub async fn audit(site: &Site, expected: &Expected, delivered_within: Duration) -> Vec<String> {
    let mut findings = Vec::new();
    for _ in 0..READINGS_MAX {
        let status = match site.gateway.wait_delivered(delivered_within).await {
            Ok(status) => status,
            Err(error) => return vec![error.to_string()],
        };
        findings = read(site, expected, &status).await;
        // A device that fell silent meanwhile: what was read is of two moments.
        let moved = site.gateway.wait_delivered(delivered_within).await;
        if moved.is_ok_and(|later| later["journal"]["n"] == status["journal"]["n"]) {
            break;
        }
    }
    findings.truncate(FINDINGS_MAX);
    findings
}

async fn read(site: &Site, expected: &Expected, status: &serde_json::Value) -> Vec<String> {
    let mut findings = Vec::new();
    if let Err(error) = site.gateway.verify_journal().await {
        findings.push(format!("the chain does not verify: {error}"));
    }
    let mut records = Records::open(&site.centre.database).await.expect("the centre's database is there");
    let entries = records.entries().await.expect("the centre's database can be read");
    check_reports(&entries, &expected.load, &mut findings);
    check_alarms(&entries, &mut records, &mut findings).await;
    check_head(&mut records, status["journal"]["n"].as_i64().unwrap_or(-1), &mut findings).await;
    let troubles = records.troubles().await.expect("the centre's database can be read");
    if !expected.troubles {
        findings.extend(troubles);
    }
    let sales = records.sales().await.expect("the centre's database can be read");
    check_sales(&sales, &expected.bought, &mut findings);
    let balances = records.balances().await.expect("the centre's database can be read");
    check_sums(site, expected, &sales, &balances, &mut findings);
    findings
}

/// Runs of presses by device and epoch, in their order and apart: a day has as many presses in runs as others.
struct Runs(BTreeMap<(String, u32), Vec<(u64, u64)>>);

impl Runs {
    fn of(folded: Vec<(String, u32, u64, u64)>) -> Self {
        let mut by_device: BTreeMap<(String, u32), Vec<(u64, u64)>> = BTreeMap::new();
        for (device, epoch, from, to) in folded {
            by_device.entry((device, epoch)).or_default().push((from, to));
        }
        for runs in by_device.values_mut() {
            runs.sort_unstable();
            let mut apart: Vec<(u64, u64)> = Vec::with_capacity(runs.len());
            for (from, to) in runs.drain(..) {
                match apart.last_mut() {
                    Some((_, end)) if from <= *end => *end = to.max(*end),
                    Some(_) | None => apart.push((from, to)),
                }
            }
            *runs = apart;
        }
        Self(by_device)
    }

    fn have(&self, (device, epoch, seq): &ReportKey) -> bool {
        let Some(runs) = self.0.get(&(device.clone(), *epoch)) else { return false };
        let before = runs.partition_point(|(from, _)| from <= seq);
        before.checked_sub(1).and_then(|at| runs.get(at)).is_some_and(|(_, to)| seq <= to)
    }
}

fn check_reports(entries: &[Record], load: &Tally, findings: &mut Vec<String>) {
    let at_centre = reports(entries);
    let runs = Runs::of(folded(entries));
    for key in &load.acknowledged {
        if !at_centre.contains_key(key) && !runs.have(key) {
            findings.push(format!("acknowledged and missing: {key:?}"));
        }
    }
    for (key, kinds) in &at_centre {
        if kinds.len() > 1 {
            findings.push(format!("there more than once: {key:?} as {kinds:?}"));
        }
        if key.0.starts_with("load-") && !load.sent.contains_key(key) {
            findings.push(format!("never sent: {key:?}"));
        }
    }
}

/// What a gateway without a journal raises of itself counts into the open alarm of its kind, for which it has no entry.
async fn check_alarms(entries: &[Record], records: &mut Records, findings: &mut Vec<String>) {
    let count = |kind: &str| i64::try_from(entries.iter().filter(|entry| entry.kind == kind).count()).unwrap_or(-1);
    let (raised, repeated) = (count("alarm.raised"), count("alarm.repeated"));
    let without_journal = format!("/{NO_STORAGE_EPOCH}/");
    let unnumbered =
        entries.iter().filter(|entry| entry.kind == "alarm.raised" && entry.origin.contains(&without_journal));
    let may_fold = i64::try_from(unnumbered.count().saturating_sub(1)).unwrap_or(-1);
    let (alarms, variants, follow, repeats) = records.alarms().await.expect("the centre's database can be read");
    let folded = raised.saturating_add(follow).saturating_sub(alarms);
    if !(0..=may_fold).contains(&folded) || (variants, repeats) != (0, repeated.saturating_add(folded)) {
        findings.push(format!(
            "{alarms} alarms ({variants} in conflict, {follow} on resolved ones) and {repeats} further presses from {raised} and {repeated} entries"
        ));
    }
}

async fn check_head(records: &mut Records, n: i64, findings: &mut Vec<String>) {
    let heads = records.heads().await.expect("the centre's database can be read");
    if heads != [(n, n)] {
        findings.push(format!("the gateway's head is {n}; the centre's heads and highest entries are {heads:?}"));
    }
}

fn check_sales(sales: &[SaleRecord], bought: &[Bought], findings: &mut Vec<String>) {
    let mut by_id: BTreeMap<&str, Vec<&SaleRecord>> = BTreeMap::new();
    for sale in sales {
        by_id.entry(&sale.sale).or_default().push(sale);
        if sale.outcome.as_deref() == Some("paid")
            && sale.tender.as_deref() == Some("purse")
            && sale.verdict.as_deref() != Some("valid")
        {
            findings.push(format!("paid from the purse without a valid TAC: {sale:?}"));
        }
        if sale.outcome.is_none() || sale.outcome.as_deref() == Some("unknown") {
            findings.push(format!("without an end: {sale:?}"));
        }
    }
    for (sale, rows) in &by_id {
        if rows.iter().filter(|row| row.outcome.as_deref() == Some("paid")).count() > 1 {
            findings.push(format!("paid twice: {sale}"));
        }
    }
    for one in bought.iter().filter(|one| one.state == "paid") {
        let rows = by_id.get(one.sale.as_str()).map(Vec::as_slice).unwrap_or_default();
        if !rows.iter().any(|row| row.outcome.as_deref() == Some("paid")) {
            findings.push(format!("shown as paid and not paid at the centre: {one:?}, {rows:?}"));
        }
    }
}

fn check_sums(
    site: &Site,
    expected: &Expected,
    sales: &[SaleRecord],
    balances: &BTreeMap<String, i64>,
    findings: &mut Vec<String>,
) {
    let granted = GRANTED_FEN.saturating_add(expected.more_granted_fen);
    let on_card = i64::from(PURSE_FEN).saturating_add(expected.more_on_card_fen);
    let of = |account: &str| balances.get(account).copied().unwrap_or(0);
    let paid = |tender: &str| -> i64 {
        let fits = sales.iter().filter(|sale| sale.tender.as_deref() == Some(tender));
        fits.filter(|sale| sale.outcome.as_deref() == Some("paid")).filter_map(|sale| sale.amount).sum()
    };
    let mut same = |what: &str, one: i64, other: i64| {
        if one != other {
            findings.push(format!("{what}: {one} and {other}"));
        }
    };
    same("the sum of the ledger", balances.values().sum(), 0);
    same("points set aside", of(&format!("held:{PERSON}")), 0);
    same(
        "spent from the account, by balance and by sales",
        granted.saturating_sub(of(&format!("elder:{PERSON}"))),
        paid("account"),
    );
    same("owed by the issuer and paid from purses", of("purse_float").saturating_neg(), paid("purse"));
    if site.cards.is_some() {
        let left = i64::try_from(site.till().purse()).unwrap_or(i64::MAX);
        same("spent from the purse, by the card and by sales", on_card.saturating_sub(left), paid("purse"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::load::ReportKey;

    fn key(seq: u64) -> ReportKey {
        ("load-0001".to_owned(), 1, seq)
    }

    fn record(seq: u64, kind: &str) -> Record {
        let origin = format!("device:load-0001/1/{seq}");
        Record { id: 0, origin, kind: kind.to_owned(), about: None, received_ms: 0, bytes: String::new() }
    }

    #[test]
    fn a_report_is_in_a_run_of_its_own_device_and_epoch_only() {
        let run = |device: &str, epoch, from, to| (device.to_owned(), epoch, from, to);
        let all = [run("a", 1, 9, 12), run("a", 1, 3, 5), run("a", 1, 4, 4), run("a", 1, 5, 6), run("b", 2, 7, 7)];
        let runs = Runs::of(all.into());
        let have = |device: &str, epoch, seq| runs.have(&(device.to_owned(), epoch, seq));
        assert!([3, 4, 5, 6, 9, 12].iter().all(|seq| have("a", 1, *seq)));
        assert!([2, 7, 8, 13].iter().all(|seq| !have("a", 1, *seq)));
        assert!(have("b", 2, 7) && !have("b", 1, 7) && !have("a", 2, 4) && !have("c", 1, 4));
    }

    #[test]
    fn a_report_that_is_missing_and_one_that_is_there_twice_are_found() {
        let load = Tally {
            acknowledged: (1..=4).map(key).collect(),
            sent: (1..=4).map(|seq| (key(seq), "test")).collect(),
            ..Tally::default()
        };
        let mut entries: Vec<Record> = (1..=4).map(|seq| record(seq, "device.reported")).collect();
        let findings = |entries: &[Record]| {
            let mut findings = Vec::new();
            check_reports(entries, &load, &mut findings);
            findings
        };
        assert!(findings(&entries).is_empty());
        entries.push(record(3, "alarm.raised"));
        entries.remove(1);
        let found = findings(&entries);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("acknowledged and missing") && found[1].starts_with("there more than once"));
    }
}
