//! A customer at the kiosk: orders a service, lays the card on, reads what became of it.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::error::SiteError;
use super::http::{Answer, Api};
use super::wait::{until, until_is};
use super::{READER, Site};
use crate::pcscd::Pcscd;
use crate::virtual_card::purse::CitizenCard;
use crate::virtual_card::{CARD_READER, CardBench, Presence, Slot};

/// How long a sale may take from the card to its end.
pub const SALE: Duration = Duration::from_secs(20);

/// What pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tender {
    /// Points at the centre.
    Account,
    /// The purse on the card.
    Purse,
}

impl Tender {
    /// The word of the interface.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Purse => "purse",
        }
    }
}

/// Asks for a sale under this key; any answer.
///
/// # Errors
/// No answer came.
pub async fn order(api: &Api, key: &str, tender: Tender, service: &str, quantity: u32) -> Result<Answer, SiteError> {
    let body = json!({
        "reader": READER,
        "items": [{"service": service, "quantity": quantity}],
        "tender": tender.word(),
    });
    order_raw(api, key, &body.to_string()).await
}

/// The same with any body.
///
/// # Errors
/// No answer came.
pub async fn order_raw(api: &Api, key: &str, body: &str) -> Result<Answer, SiteError> {
    api.send(Method::POST, "/api/v1/sales", &[("Idempotency-Key", key)], Some(body.to_owned())).await
}

/// A fresh Idempotency-Key.
///
/// # Panics
/// When the system gives no random numbers.
#[must_use]
pub fn fresh_key() -> String {
    format!("{:016x}", getrandom::u64().expect("the system gives random numbers"))
}

/// The sale's id.
///
/// # Errors
/// The answer is no sale.
pub fn id_of(answer: Answer) -> Result<String, SiteError> {
    let refused = answer.clone();
    let sale = answer.json()?;
    sale["id"].as_str().map(str::to_owned).ok_or_else(|| refused.into_error())
}

/// Whether a sale in this state has ended as far as it can without a card.
#[must_use]
pub fn has_ended(sale: &Value) -> bool {
    !matches!(sale["state"].as_str(), Some("awaiting_card" | "in_progress") | None)
}

/// Who stands at the kiosk, with the card of the site.
#[derive(Clone)]
pub struct Till<'a> {
    /// The local interface with a token.
    pub staff: Api,
    /// The slot in which the card lies, or does not.
    pub card: &'a Slot<CitizenCard>,
    pcscd: &'a Pcscd,
}

impl Site {
    /// The till of the site.
    ///
    /// # Panics
    /// When the site has no readers.
    #[must_use]
    pub fn till(&self) -> Till<'_> {
        let bench = self.cards.as_ref().expect("the settings ask for cards");
        Till::new(self.gateway.staff.clone(), bench)
    }

    /// Waits until the gateway has a catalogue from the centre, and the centre answers.
    ///
    /// # Errors
    /// It has none in time.
    pub async fn wait_catalogue(&self) -> Result<(), SiteError> {
        let api = &self.gateway.api;
        let has = |catalogue: &Value| catalogue["services"].as_array().is_some_and(|services| !services.is_empty());
        until_is("the catalogue is here", SALE, async || api.read("/api/v1/catalogue").await, has).await?;
        self.gateway.wait_status("the centre answers", SALE, |status| status["uplink"]["online"] == true).await?;
        Ok(())
    }
}

impl<'a> Till<'a> {
    /// Somebody with this access to the local interface and this bench's card.
    #[must_use]
    pub const fn new(staff: Api, bench: &'a CardBench) -> Self {
        Self { staff, card: &bench.reader.card, pcscd: &bench.pcscd }
    }

    /// How often pcscd has noticed that the card went.
    #[must_use]
    pub fn removals(&self) -> usize {
        let noticed = format!("Card Removed From {CARD_READER}");
        self.pcscd.log().lines().filter(|line| line.ends_with(&noticed)).count()
    }

    /// Takes the card away, if it is there, and waits until pcscd has noticed that it went, which it looks for every 0.2 to 0.4 s.
    /// A card that comes back sooner stays unseen: pcscd marks the reader as empty at the failed command and misses that
    /// there is a card again.
    ///
    /// # Errors
    /// pcscd does not notice in time.
    pub async fn take_card_from_pcscd(&self) -> Result<(), SiteError> {
        let before = self.removals();
        if self.card.remove() {
            self.wait_removal(before).await?;
        }
        Ok(())
    }

    /// Waits until pcscd has noticed that a card went, after it had noticed so many.
    ///
    /// # Errors
    /// It does not in time.
    pub async fn wait_removal(&self, before: usize) -> Result<(), SiteError> {
        until("pcscd notices that the card went", SALE, async || (self.removals() > before).then_some(())).await
    }

    /// Waits until the gateway sees the reader in this state, and a PSAM.
    ///
    /// # Errors
    /// It does not in time.
    pub async fn wait_reader(&self, state: &str) -> Result<(), SiteError> {
        let ready = |status: &Value| {
            let readers = status["readers"].as_array().map(Vec::as_slice).unwrap_or_default();
            readers.iter().any(|one| one["reader"] == READER && one["state"] == state && one["psam"] == true)
        };
        let what = format!("the reader is `{state}` and the PSAM is there");
        until_is(&what, SALE, async || self.staff.read("/api/v1/status").await, ready).await.map(drop)
    }

    /// Waits until the sale has ended, as far as it can without a card, and gives it.
    ///
    /// # Errors
    /// It has not in time.
    pub async fn wait_sale(&self, id: &str, within: Duration) -> Result<Value, SiteError> {
        let path = format!("/api/v1/sales/{id}");
        until_is("the end of the sale", within, async || self.staff.read(&path).await, has_ended).await
    }

    /// Lays the card on.
    ///
    /// # Errors
    /// pcscd does not notice it in time.
    pub async fn lay_card(&self) -> Result<(), SiteError> {
        // Where it lies there already, it may not have been noticed yet.
        if self.card.presence() != Presence::OnReader {
            self.card.reinsert();
        }
        // A card that is torn at once has been noticed, and is in the hand again.
        let seen = async || {
            let torn = self.card.presence() != Presence::OnReader;
            (torn || self.card.wait_noticed(Duration::ZERO)).then_some(())
        };
        until("pcscd notices the card", SALE, seen).await
    }

    /// Takes the card away and waits until the gateway has noticed.
    ///
    /// # Errors
    /// It does not notice in time.
    pub async fn take_card(&self) -> Result<(), SiteError> {
        self.take_card_from_pcscd().await?;
        self.wait_reader("empty").await
    }

    /// A whole purchase: order, card on, end, card off. Gives the sale, and how long it took from card to end.
    ///
    /// # Errors
    /// The order was refused, or something did not happen in time.
    pub async fn buy(&self, tender: Tender, service: &str, quantity: u32) -> Result<(Value, Duration), SiteError> {
        let id = id_of(order(&self.staff, &fresh_key(), tender, service, quantity).await?)?;
        self.lay_card().await?;
        let started = Instant::now();
        let sale = self.wait_sale(&id, SALE).await?;
        let took = started.elapsed();
        self.take_card().await?;
        Ok((sale, took))
    }

    /// What the card's purse holds, fen.
    ///
    /// # Panics
    /// When there is no card.
    #[must_use]
    pub fn purse(&self) -> u64 {
        let balance = self.card.chip(|card| card.state().balance_fen);
        balance.expect("the site's card is on the reader or in the hand").fen().into()
    }
}
