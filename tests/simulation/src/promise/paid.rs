//! Money: recorded before it is taken, taken once, and what people are told of it is so.

use std::collections::{BTreeMap, BTreeSet};

use gateway_core::SaleView;
use protocols::card::intent::PurchaseIntent;
use protocols::uplink::{Entry, HoldRequest, SaleOutcome, SaleOutcomeBody, Tender, kind};

use super::Findings;
use crate::card::{Card, Psam, origin_of};
use crate::disk::Disk;
use crate::ledger::{HoldState, Ledger};

const NAME: &str = "exactly once, by origin";
const RECORDED: &str = "recorded before money is taken";
const SHOWN: &str = "shown only when durable";

fn has_intent(disk: &Disk, source: &str, epoch: &str, seq: u64) -> bool {
    disk.rows
        .iter()
        .any(|row| row.kind == kind::SALE_INTENT && row.seq == seq && row.source == source && row.epoch == epoch)
}

/// A debit may go out now.
pub fn debit_goes_out(disk: &Disk, intent: &PurchaseIntent, findings: &mut Findings) {
    let (terminal, psam) = (intent.terminal.to_hex(), intent.psam.to_hex());
    let (source, seq) = (format!("terminal:{}", terminal.as_str()), u64::from(intent.terminal_sequence.get()));
    if !has_intent(disk, &source, psam.as_str(), seq) {
        findings.note(RECORDED, &format!("the debit of {source}/{seq} goes out and its intent is not on the disk"));
    }
}

/// Points are asked for now.
pub fn hold_goes_out(disk: &Disk, request: &HoldRequest, findings: &mut Findings) {
    let origin = &request.origin;
    if !has_intent(disk, &origin.source.to_string(), &origin.epoch.to_string(), origin.seq.get()) {
        findings.note(RECORDED, &format!("points are asked for by {origin} and its intent is not on the disk"));
    }
}

/// People are shown a sale.
pub fn to_people(disk: &Disk, sale: &SaleView, findings: &mut Findings) {
    let Some(origin) = sale.origin.as_ref().filter(|_| sale.state == "paid") else { return };
    let outcomes = disk.rows.iter().filter(|row| row.kind == kind::SALE_OUTCOME);
    let mut outcomes = outcomes.filter_map(|row| serde_json::from_str::<Entry>(&row.bytes).ok());
    let is_paid = outcomes.any(|entry| {
        entry.about.as_ref().is_some_and(|about| about.to_string() == *origin)
            && entry.body_as::<SaleOutcomeBody>().is_ok_and(|body| body.outcome == SaleOutcome::Paid)
    });
    if !is_paid {
        findings.note(SHOWN, &format!("the sale {origin} is shown as paid, which is not on the disk"));
    }
}

/// At rest: what cards gave is what the centre has as paid, transaction by transaction; but for what was `gone` with a disk,
/// and what a gateway that was replaced (its name is `renewed`) did not live to tell.
pub fn at_rest(
    (cards, psams): (&[Card], &[Psam]),
    ledger: &Ledger,
    (gone, renewed): (&BTreeSet<String>, &BTreeSet<usize>),
    findings: &mut Findings,
) {
    for contradiction in &ledger.contradictions {
        findings.note(NAME, contradiction);
    }
    let mut debits: BTreeMap<String, u32> = BTreeMap::new();
    let mut of_renewed: BTreeSet<String> = BTreeSet::new();
    for debit in cards.iter().flat_map(|card| &card.debits) {
        let Some(index) = psams.iter().position(|psam| psam.identity.terminal == debit.key.0) else { continue };
        let Some(origin) = psams.get(index).map(|psam| origin_of(psam, debit.key.1)) else { continue };
        if renewed.contains(&index) {
            of_renewed.insert(origin.clone());
        }
        if debits.insert(origin.clone(), debit.amount).is_some() {
            findings.note(NAME, &format!("{origin} was debited twice"));
        }
    }
    for (origin, amount) in &debits {
        let known = ledger.outcomes.get(origin);
        let excused = gone.contains(origin) || (of_renewed.contains(origin) && known != Some(&SaleOutcome::Cancelled));
        if known != Some(&SaleOutcome::Paid) && !excused {
            findings.note(NAME, &format!("{origin} was debited and is {known:?} at the centre"));
        }
        let told = ledger.intents.get(origin).map(|intent| intent.amount.fen());
        if told.is_some_and(|told| told != u64::from(*amount)) {
            findings.note(NAME, &format!("{origin} was debited {amount} and told as {told:?}"));
        }
    }
    for (origin, intent) in &ledger.intents {
        let outcome = ledger.outcomes.get(origin).copied();
        let is_paid = outcome == Some(SaleOutcome::Paid);
        let hold = ledger.holds.get(origin).map(|hold| hold.state);
        match intent.tender {
            Tender::Purse if is_paid && !debits.contains_key(origin) => {
                findings.note(NAME, &format!("{origin} is paid and no card gave it"));
            }
            Tender::Account if is_paid && hold != Some(HoldState::Posted) => {
                findings.note(NAME, &format!("{origin} is paid and its points are {hold:?}"));
            }
            Tender::Purse | Tender::Account => {}
        }
        let settled = outcome.is_some_and(|outcome| outcome != SaleOutcome::Unknown);
        if !settled && renewed.is_empty() {
            findings.note("unknown is settled", &format!("{origin} is {outcome:?} although every card came again"));
        }
    }
}
