//! A customer who keeps buying while services are killed: each purchase under a key of its own, asked again until it is answered, as
//! the kiosk's page does.
//!
//! **Invariant:** a purchase counts as paid only when the local interface said so.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use super::dice::Dice;
use super::error::SiteError;
use super::till::{Tender, Till, fresh_key, has_ended, id_of, order};
use super::wait::until;
use crate::virtual_card::Presence;

/// What every purchase is.
pub const SERVICE: &str = "meal-delivery";

/// How long an order or its end may take while services are killed and started again.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a customer waits for the end of a sale before taking the card away and laying it on again.
const CARD_AGAIN: Duration = Duration::from_secs(4);

/// A purchase as the customer saw it.
#[derive(Debug, Clone)]
pub struct Bought {
    /// The sale's id.
    pub sale: String,
    /// What paid.
    pub tender: Tender,
    /// The state that was shown last.
    pub state: String,
}

/// Buys until told to stop; then ends the purchase under way. The card is laid on before the order or after it.
///
/// # Errors
/// A purchase neither ended nor was refused within [`PATIENCE`].
pub async fn shop(till: &Till<'_>, mut dice: Dice, stop: &AtomicBool) -> Result<Vec<Bought>, SiteError> {
    let mut all = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let tender = if dice.below(2) == 0 { Tender::Account } else { Tender::Purse };
        let key = fresh_key();
        if dice.below(2) == 0 {
            till.card.reinsert();
        }
        let sale = until("an order is taken", PATIENCE, async || ordered(till, &key, tender, stop).await).await?;
        let Some(sale) = sale else { break };
        let state = pay(till, &sale).await?;
        all.push(Bought { sale, tender, state });
    }
    // Of a card that pcscd has not seen yet it does not see the going, either.
    if till.card.presence() == Presence::OnReader {
        till.lay_card().await?;
    }
    till.take_card_from_pcscd().await?;
    Ok(all)
}

/// `None`: to be asked again; `Some(None)`: it is over.
async fn ordered(till: &Till<'_>, key: &str, tender: Tender, stop: &AtomicBool) -> Option<Option<String>> {
    if stop.load(Ordering::Relaxed) {
        return Some(None);
    }
    // Refusals here pass: the reader is still coming up, the line is down, the sale before is still ending.
    let answer = order(&till.staff, key, tender, SERVICE, 1).await.ok()?;
    id_of(answer).ok().map(Some)
}

async fn pay(till: &Till<'_>, sale: &str) -> Result<String, SiteError> {
    let path = format!("/api/v1/sales/{sale}");
    let seen = until("the end of a sale", PATIENCE, async || {
        // Takes as long as the card stays away; the gateway may be down meanwhile.
        till.lay_card().await.ok()?;
        let read = async || till.staff.read(&path).await.ok().filter(has_ended);
        let ended = until("", CARD_AGAIN, read).await.ok();
        till.take_card_from_pcscd().await.ok()?;
        ended
    })
    .await?;
    Ok(seen["state"].as_str().unwrap_or_default().to_owned())
}

/// Lays the card on until no sale is unknown any more.
///
/// # Errors
/// One still is after [`PATIENCE`].
pub async fn settle(till: &Till<'_>) -> Result<(), SiteError> {
    till.wait_reader("empty").await?;
    until("no sale is unknown", PATIENCE, async || {
        if unknown(till).await? == 0 {
            return Some(());
        }
        till.lay_card().await.ok()?;
        let settled = until("", CARD_AGAIN, async || (unknown(till).await? == 0).then_some(())).await;
        till.take_card_from_pcscd().await.ok()?;
        settled.ok()
    })
    .await?;
    till.wait_reader("empty").await
}

async fn unknown(till: &Till<'_>) -> Option<usize> {
    let sales = till.staff.read("/api/v1/sales").await.ok()?;
    Some(sales.as_array()?.iter().filter(|sale: &&Value| sale["state"] == "unknown").count())
}
