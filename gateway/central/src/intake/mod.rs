//! Uploads of gateways: from entries to results, and to what the entries mean.
//!
//! An upload is read outside the transaction ([`shape`]), placed in its journal's chain ([`chain`]), kept by origin
//! ([`record`]); what is new then changes alarms, sales, devices and orders, all in one transaction.
//!
//! **Invariant:** a result leaves only after the commit that holds the entry and everything that follows from it.
//! **Invariant:** one bad entry never blocks the others.

pub mod chain;
pub mod heal;
pub mod late;
pub mod record;
pub mod shape;
pub mod standing;

use std::sync::Arc;

use protocols::id::GatewayId;
use protocols::uplink::{Outcome, Results, UploadResult};
use protocols::version;

use crate::issuer::Issuer;
use crate::store::{StoreError, Tx};
use crate::{alarms, devices, ledger, orders, steps, telling, without_journal};
use chain::{Place, Placed, Said};
use record::Recorded;
use shape::{Fact, Item, Readable};

/// The word for a key that was used with another body.
const OTHER_BODY: &str = "other_body";

/// Takes the entries of an upload.
///
/// # Errors
/// The database cannot do it.
pub async fn take(
    tx: &mut Tx,
    issuer: &Arc<Issuer>,
    gateway: &GatewayId,
    journal_name: &str,
    mut items: Vec<Item>,
) -> Result<Results, StoreError> {
    standing::check(tx, gateway, &mut items).await?;
    // Entries that no disk of the gateway took say nothing about its journal.
    let beside = !items.is_empty() && items.iter().all(|item| item.n.is_none());
    let mut journal = if beside { None } else { Some(chain::open(tx, gateway, journal_name).await?) };
    let placed = chain::place(&mut tx.conn, journal.as_mut(), &items).await?;
    let (said, kept) = keep(tx, gateway, journal.as_ref().map_or(0, |journal| journal.id), &items, &placed).await?;
    set_aside(tx, gateway, journal_name, &items, &placed.places, &said).await?;
    apply(tx, issuer, gateway, &kept.new).await?;
    telling::told_again(tx, gateway, &kept.again).await?;
    let head = match &mut journal {
        Some(journal) => Some(chain::record(tx, gateway, journal, journal_name, &items, &placed, &said).await?),
        None => None,
    };
    let results =
        items.iter().zip(said).map(|(item, (outcome, reason))| UploadResult { n: item.n, outcome, reason }).collect();
    Ok(Results { v: version::CURRENT, results, head })
}

/// Entries that are kept, by whether they were here.
struct Kept<'a> {
    new: Vec<&'a Readable>,
    again: Vec<&'a Readable>,
}

/// Keeps the entries of an upload that can be taken; says of each what was done.
async fn keep<'a>(
    tx: &mut Tx,
    gateway: &GatewayId,
    journal: i64,
    items: &'a [Item],
    placed: &Placed,
) -> Result<(Vec<Said>, Kept<'a>), StoreError> {
    let mut said: Vec<Said> = Vec::with_capacity(items.len());
    let mut readable: Vec<(usize, &Item, &Readable)> = Vec::with_capacity(items.len());
    for (at, (item, place)) in items.iter().zip(&placed.places).enumerate() {
        said.push(first_word(item, *place));
        if let (Place::Linked | Place::Early | Place::Beside, Ok(entry)) = (place, &item.entry) {
            readable.push((at, item, entry));
        }
    }
    let to_keep: Vec<(&Item, &Readable)> = readable.iter().map(|(_, item, entry)| (*item, *entry)).collect();
    let recorded = record::entries(tx, gateway, journal, &to_keep).await?;
    let mut kept = Kept { new: Vec::with_capacity(readable.len()), again: Vec::new() };
    for ((at, _, entry), recorded) in readable.into_iter().zip(recorded) {
        let word = match recorded {
            Recorded::New => {
                kept.new.push(entry);
                (Outcome::Accepted, None)
            }
            Recorded::Duplicate => {
                kept.again.push(entry);
                (Outcome::Duplicate, None)
            }
            Recorded::Conflict => (Outcome::Conflict, Some(OTHER_BODY.to_owned())),
        };
        if let Some(said) = said.get_mut(at) {
            *said = word;
        }
    }
    for (at, (item, place)) in items.iter().zip(&placed.places).enumerate() {
        let word = match (place, item.n) {
            (Place::Before, Some(n)) => placed.stored.get(&n).map(chain::said_before),
            (Place::Again(first), _) => said.get(*first).cloned().map(said_again),
            (Place::Linked | Place::Early | Place::Beside | Place::Refused(_) | Place::Before, _) => None,
        };
        if let (Some(word), Some(said)) = (word, said.get_mut(at)) {
            *said = word;
        }
    }
    Ok((said, kept))
}

/// What is said of the second of two that are the same.
fn said_again((outcome, reason): Said) -> Said {
    match outcome {
        Outcome::Accepted | Outcome::Duplicate => (Outcome::Duplicate, None),
        Outcome::Conflict | Outcome::Refused => (outcome, reason),
    }
}

/// What is said of an entry by its place and form alone. What cannot be read says more than that its place is wrong.
fn first_word(item: &Item, place: Place) -> Said {
    let refusal = match (&item.entry, place) {
        (_, Place::Before | Place::Again(_)) => None,
        (Err(unread), Place::Linked | Place::Early | Place::Beside | Place::Refused(_)) => Some(*unread),
        (Ok(_), Place::Refused(refusal)) => Some(refusal),
        (Ok(_), Place::Linked | Place::Early | Place::Beside) => None,
    };
    refusal.map_or((Outcome::Accepted, None), |refusal| (Outcome::Refused, Some(refusal.word().to_owned())))
}

/// Keeps what was not taken; an alarm whose key was used with another body is still raised, once.
async fn set_aside(
    tx: &mut Tx,
    gateway: &GatewayId,
    journal: &str,
    items: &[Item],
    places: &[Place],
    said: &[Said],
) -> Result<(), StoreError> {
    let aside: Vec<(&Item, &Said)> = items
        .iter()
        .zip(places)
        .zip(said)
        .filter(|((_, place), _)| !matches!(place, Place::Before | Place::Again(_)))
        .filter(|(_, (outcome, _))| !outcome.is_delivered())
        .map(|((item, _), said)| (item, said))
        .collect();
    let fresh = record::quarantine(tx, gateway, journal, &aside).await?;
    for ((item, (outcome, reason)), fresh) in aside.into_iter().zip(fresh) {
        metrics::counter!("central_entries_not_taken_total", "outcome" => chain::word(*outcome)).increment(1);
        tracing::warn!(
            gateway = gateway.as_str(),
            n = item.n,
            outcome = chain::word(*outcome),
            reason = reason.as_deref().unwrap_or(""),
            "an entry was not taken"
        );
        if let (true, Outcome::Conflict, Ok(entry)) = (fresh, outcome, &item.entry)
            && let Fact::Raised(alarm) = &entry.fact
        {
            alarms::raise_conflicting(tx, gateway, entry, alarm).await?;
        }
    }
    Ok(())
}

/// What new entries mean.
async fn apply(
    tx: &mut Tx,
    issuer: &Arc<Issuer>,
    gateway: &GatewayId,
    entries: &[&Readable],
) -> Result<(), StoreError> {
    let mut raised = Vec::new();
    for entry in entries {
        metrics::counter!("central_entries_total").increment(1);
        if let Fact::Raised(alarm) = &entry.fact
            && !without_journal::take(tx, gateway, entry, alarm).await?
        {
            raised.push((*entry, alarm));
        }
    }
    alarms::raise(tx, gateway, &raised).await?;
    for entry in entries {
        match (&entry.fact, &entry.about) {
            (Fact::Repeated(alarm), Some(about)) => alarms::repeat(tx, gateway, entry, about, alarm).await?,
            (Fact::Cancelled(_), Some(about)) => alarms::cancelled(tx, gateway, entry, about).await?,
            (Fact::Dated(dated), Some(about)) => alarms::dated(tx, gateway, entry, about, dated).await?,
            (Fact::Step(step), Some(about)) => steps::step_from_gateway(tx, gateway, entry, about, step).await?,
            (Fact::DeviceState(state), _) => devices::state(tx, state).await?,
            (Fact::Intent(intent, card), _) => ledger::sale::intent(tx, issuer, gateway, entry, intent, card).await?,
            (Fact::Outcome(outcome), Some(about)) => {
                ledger::sale::outcome(tx, issuer, gateway, about, outcome).await?;
            }
            (Fact::OrderResult(result), Some(about)) => orders::result(tx, gateway, about, result).await?,
            (
                Fact::Raised(_)
                | Fact::Repeated(_)
                | Fact::Cancelled(_)
                | Fact::Dated(_)
                | Fact::Step(_)
                | Fact::Outcome(_)
                | Fact::OrderResult(_)
                | Fact::Kept,
                _,
            ) => {}
        }
    }
    Ok(())
}
