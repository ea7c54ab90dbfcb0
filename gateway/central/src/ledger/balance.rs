//! What is in the account of a card that lies on a gateway's reader: told to whoever has the card in hand, and only then.
//!
//! **Invariant:** nothing is moved or set aside, and nothing is told of a card that did not prove itself.

use protocols::card::value::ApplicationSerialNumber;
use protocols::id::GatewayId;
use protocols::uplink::{AccountState, BalanceAnswer, BalanceRequest, HoldRefusal};
use protocols::version;
use sqlx::SqliteConnection;

use super::book::{self, Account};
use crate::issuer::{CardVerdict, Issuer, serial_number};
use crate::people;
use crate::store::StoreError;

/// The card that a request names, once it has proved itself.
///
/// # Errors
/// The account is not told.
pub fn check(issuer: &Issuer, request: &BalanceRequest) -> Result<ApplicationSerialNumber, HoldRefusal> {
    if !version::is_supported(request.v) {
        return Err(HoldRefusal::Malformed);
    }
    let card = serial_number(&request.card).ok_or(HoldRefusal::Malformed)?;
    match issuer.card_verdict(&card, &request.proof) {
        CardVerdict::Genuine => Ok(card),
        CardVerdict::NotGenuine => Err(HoldRefusal::NotGenuine),
        CardVerdict::Pending => Err(HoldRefusal::ProofPending),
    }
}

/// What is in the account of a card that has proved itself.
///
/// # Errors
/// The database cannot answer.
pub async fn of_card(
    conn: &mut SqliteConnection,
    gateway: &GatewayId,
    card: &ApplicationSerialNumber,
) -> Result<Result<AccountState, HoldRefusal>, StoreError> {
    let closed: Option<String> = sqlx::query_scalar("SELECT closed_reason FROM gateways WHERE id = $1")
        .bind(gateway.as_str())
        .fetch_one(&mut *conn)
        .await?;
    if closed.is_some() {
        return Ok(Err(HoldRefusal::Closed));
    }
    let Some(card) = people::card(conn, card).await? else { return Ok(Err(HoldRefusal::NoAccount)) };
    if card.blocked {
        return Ok(Err(HoldRefusal::CardBlocked));
    }
    let Some(person) = card.person else { return Ok(Err(HoldRefusal::NoAccount)) };
    let available = book::balance(conn, &Account::Elder(person.clone())).await?;
    let held = book::balance(conn, &Account::Held(person)).await?;
    Ok(Ok(AccountState { balance: book::points(available.saturating_add(held)), available: book::points(available) }))
}

/// The answer on the wire.
#[must_use]
pub fn answer(told: Result<AccountState, HoldRefusal>) -> BalanceAnswer {
    let reason = told.err().map(HoldRefusal::word);
    metrics::counter!("central_balances_total", "reason" => reason.unwrap_or("told")).increment(1);
    BalanceAnswer { v: version::CURRENT, reason: reason.map(str::to_owned), account: told.ok() }
}
