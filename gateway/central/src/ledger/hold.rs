//! Holds: points of an account set aside for one sale.
//!
//! **Invariant:** a hold counts against what is available from its commit on, and once by its origin.
//! **Invariant:** a refusal moves nothing and is not kept, so the same request may be asked again.
//! **Invariant:** points are held only at prices that the catalogue has, or had a short while ago.

use std::sync::Arc;

use protocols::card::value::ApplicationSerialNumber;
use protocols::id::GatewayId;
use protocols::uplink::{AccountState, HoldAnswer, HoldOutcome, HoldRefusal, HoldRequest, Source};
use protocols::version;
use serde_json::json;
use sqlx::Row as _;

use super::book::{self, Account, Kind, PostError};
use super::decide::{Doubt, HoldState, Terms};
use super::sale;
use crate::catalogue::{self, PriceAnswer};
use crate::intake::shape::{check_origin, items_make};
use crate::issuer::{CardVerdict, Issuer, serial_number};
use crate::news::{Event, News};
use crate::people;
use crate::store::{StoreError, Tx};

/// A request whose form was checked and whose card was asked for its proof.
#[derive(Debug)]
pub struct Checked {
    request: HoldRequest,
    card: ApplicationSerialNumber,
    verdict: CardVerdict,
}

impl Checked {
    fn terms(&self, card: &str) -> Terms {
        Terms { amount: self.request.amount, items: self.request.items.clone(), card: card.to_owned() }
    }
}

/// Checks what needs no database.
///
/// # Errors
/// The request can never be held.
pub fn check(issuer: &Issuer, gateway: &GatewayId, request: HoldRequest) -> Result<Checked, HoldRefusal> {
    if !version::is_supported(request.v) || check_origin(&request.origin).is_err() {
        return Err(HoldRefusal::Malformed);
    }
    match &request.origin.source {
        Source::Gateway(name) if name == gateway => {}
        Source::Gateway(_) | Source::Device(_) | Source::Terminal(_) | Source::Centre(_) => {
            return Err(HoldRefusal::ForeignOrigin);
        }
    }
    if !items_make(&request.items, request.amount) {
        return Err(HoldRefusal::Amount);
    }
    let card = serial_number(&request.card).ok_or(HoldRefusal::Malformed)?;
    let verdict = issuer.card_verdict(&card, &request.proof);
    Ok(Checked { request, card, verdict })
}

/// Answers a refusal that needed no database.
#[must_use]
pub fn refusal(reason: HoldRefusal) -> HoldAnswer {
    answer(HoldOutcome::Refused, Some(reason), None)
}

fn answer(outcome: HoldOutcome, reason: Option<HoldRefusal>, account: Option<AccountState>) -> HoldAnswer {
    metrics::counter!("central_holds_total", "reason" => reason.map_or("held", HoldRefusal::word)).increment(1);
    HoldAnswer { v: version::CURRENT, outcome, reason: reason.map(|reason| reason.word().to_owned()), account }
}

/// Sets the points aside, or says why not.
///
/// # Errors
/// The database cannot do it.
pub async fn take(
    tx: &mut Tx,
    issuer: &Arc<Issuer>,
    gateway: &GatewayId,
    checked: &Checked,
) -> Result<HoldAnswer, StoreError> {
    let origin = checked.request.origin.to_string();
    if let Some(known) = known(tx, gateway, &origin, checked).await? {
        return Ok(known);
    }
    let (person, card) = match admit(tx, gateway, &origin, checked).await? {
        Ok(admitted) => admitted,
        Err(reason) => return Ok(refusal(reason)),
    };
    let before = account(tx, &person).await?;
    if before.available < checked.request.amount {
        return Ok(answer(HoldOutcome::Refused, Some(HoldRefusal::Insufficient), Some(before)));
    }
    let amount = book::fen(checked.request.amount);
    let postings = [(Account::Elder(person.clone()), book::minus(amount)), (Account::Held(person.clone()), amount)];
    match book::post(tx, Kind::Hold, &origin, gateway.as_str(), &postings).await {
        Ok(_) => {}
        Err(PostError::Store(error)) => return Err(error),
        Err(PostError::Unbalanced | PostError::Overflow) => return Ok(refusal(HoldRefusal::Amount)),
    }
    sqlx::query(
        "INSERT INTO holds (origin, gateway, person, card, amount, items, state, at_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(&origin)
    .bind(gateway.as_str())
    .bind(&person)
    .bind(&card)
    .bind(amount)
    .bind(sale::items_text(&checked.request.items))
    .bind(HoldState::Held.word())
    .bind(tx.now.ms)
    .execute(&mut tx.conn)
    .await?;
    tx.news.push(News::Event(Event { name: "sale.held", data: json!({"origin": origin, "amount": amount}) }));
    sale::settle(tx, issuer, gateway, &origin).await?;
    let after = account(tx, &person).await?;
    Ok(answer(HoldOutcome::Held, None, Some(after)))
}

/// The answer to a hold that was made before.
async fn known(
    tx: &mut Tx,
    gateway: &GatewayId,
    origin: &str,
    checked: &Checked,
) -> Result<Option<HoldAnswer>, StoreError> {
    let row = sqlx::query(
        "SELECT h.amount, h.state, h.person, c.serial, h.items FROM holds h JOIN cards c ON c.ref = h.card
         WHERE h.origin = $1",
    )
    .bind(origin)
    .fetch_optional(&mut tx.conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    // Both name the card by its number here; the request's reference may not be known yet.
    let held = Terms {
        amount: book::points(row.try_get(0)?),
        items: sale::items_of(&row.try_get::<String, _>(4)?)?,
        card: row.try_get(3)?,
    };
    if let Some(difference) = held.difference(&checked.terms(checked.card.to_hex().as_str())) {
        sale::doubt(tx, gateway, origin, difference).await?;
        return Ok(Some(refusal(HoldRefusal::Conflict)));
    }
    let state = HoldState::from_word(&row.try_get::<String, _>(1)?).ok_or(StoreError::Row { table: "holds" })?;
    let account = account(tx, &row.try_get::<String, _>(2)?).await?;
    Ok(Some(match state {
        HoldState::Held | HoldState::Posted => answer(HoldOutcome::Duplicate, None, Some(account)),
        HoldState::Voided => answer(HoldOutcome::Refused, Some(HoldRefusal::Cancelled), Some(account)),
    }))
}

/// Whether this sale, gateway and card may hold points; of whom, and from which card.
async fn admit(
    tx: &mut Tx,
    gateway: &GatewayId,
    origin: &str,
    checked: &Checked,
) -> Result<Result<(String, String), HoldRefusal>, StoreError> {
    let closed: Option<String> = sqlx::query_scalar("SELECT closed_reason FROM gateways WHERE id = $1")
        .bind(gateway.as_str())
        .fetch_one(&mut tx.conn)
        .await?;
    if closed.is_some() {
        return Ok(Err(HoldRefusal::Closed));
    }
    let mut intended = None;
    if let Some(facts) = sale::facts(tx, origin).await? {
        use protocols::uplink::SaleOutcome::{Cancelled, Paid, Refused, Unknown};
        match facts.outcome {
            Some(Refused | Cancelled) => return Ok(Err(HoldRefusal::Cancelled)),
            Some(Paid | Unknown) | None => {}
        }
        intended = facts.intent.map(|(_, terms)| terms);
    }
    if let Some(refusal) = priced(tx, gateway, origin, checked).await? {
        return Ok(Err(refusal));
    }
    match checked.verdict {
        CardVerdict::Genuine => {}
        CardVerdict::NotGenuine => return Ok(Err(HoldRefusal::NotGenuine)),
        CardVerdict::Pending => return Ok(Err(HoldRefusal::ProofPending)),
    }
    let Some(card) = people::card(&mut tx.conn, &checked.card).await? else { return Ok(Err(HoldRefusal::NoAccount)) };
    if let Some(difference) = intended.and_then(|terms| terms.difference(&checked.terms(&card.reference))) {
        sale::doubt(tx, gateway, origin, difference).await?;
        return Ok(Err(HoldRefusal::Conflict));
    }
    if card.blocked {
        return Ok(Err(HoldRefusal::CardBlocked));
    }
    Ok(card.person.map(|person| (person, card.reference)).ok_or(HoldRefusal::NoAccount))
}

/// Why the catalogue does not have these lines at these prices; people see it.
async fn priced(
    tx: &mut Tx,
    gateway: &GatewayId,
    origin: &str,
    checked: &Checked,
) -> Result<Option<HoldRefusal>, StoreError> {
    let (doubt, refusal) = match catalogue::price(tx, &checked.request.items).await? {
        PriceAnswer::Right => return Ok(None),
        PriceAnswer::Differs => (Doubt::PriceDiffers, HoldRefusal::PriceDiffers),
        PriceAnswer::NoService => (Doubt::NotInCatalogue, HoldRefusal::NotInCatalogue),
    };
    sale::doubt(tx, gateway, origin, doubt).await?;
    Ok(Some(refusal))
}

/// What a person has.
///
/// # Errors
/// The database cannot answer.
pub async fn account(tx: &mut Tx, person: &str) -> Result<AccountState, StoreError> {
    let available = book::balance(&mut tx.conn, &Account::Elder(person.to_owned())).await?;
    let held = book::balance(&mut tx.conn, &Account::Held(person.to_owned())).await?;
    Ok(AccountState { balance: book::points(available.saturating_add(held)), available: book::points(available) })
}
