//! Sales: intents, outcomes and holds meet here, in any order, and have their effect on the ledger once.
//!
//! A sale is known by the origin of its `sale.intent`. What is due is decided by [`super::decide`].

use std::collections::BTreeMap;
use std::sync::Arc;

use protocols::id::{GatewayId, ProviderId};
use protocols::uplink::{
    Origin, PurseIntent, PurseProof, SaleIntentBody, SaleItem, SaleOutcome, SaleOutcomeBody, Tender,
};
use serde_json::json;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::book::{self, Account, Kind, PostError, Posting};
use super::decide::{self, Doubt, Due, Facts, HoldState, Merge, Terms};
use crate::catalogue::{self, PriceAnswer};
use crate::intake::shape::Readable;
use crate::issuer::{Issuer, Verdict, serial_number};
use crate::limits;
use crate::news::{Event, News};
use crate::people;
use crate::store::{StoreError, Tx};

/// The word for a tender.
#[must_use]
pub const fn tender_word(tender: Tender) -> &'static str {
    match tender {
        Tender::Account => "account",
        Tender::Purse => "purse",
    }
}

/// The word for an outcome.
#[must_use]
pub const fn outcome_word(outcome: SaleOutcome) -> &'static str {
    match outcome {
        SaleOutcome::Paid => "paid",
        SaleOutcome::Refused => "refused",
        SaleOutcome::Cancelled => "cancelled",
        SaleOutcome::Unknown => "unknown",
    }
}

fn tender_of(word: &str) -> Result<Tender, StoreError> {
    [Tender::Account, Tender::Purse]
        .into_iter()
        .find(|tender| tender_word(*tender) == word)
        .ok_or(StoreError::Row { table: "sales" })
}

fn outcome_of(word: &str) -> Result<SaleOutcome, StoreError> {
    [SaleOutcome::Paid, SaleOutcome::Refused, SaleOutcome::Cancelled, SaleOutcome::Unknown]
        .into_iter()
        .find(|outcome| outcome_word(*outcome) == word)
        .ok_or(StoreError::Row { table: "sales" })
}

/// Lines as they are stored.
#[must_use]
pub fn items_text(items: &[SaleItem]) -> String {
    serde_json::to_string(items).expect("lines have only texts and numbers, which always are JSON")
}

/// Takes an intent.
///
/// # Errors
/// The database cannot do it.
pub async fn intent(
    tx: &mut Tx,
    issuer: &Arc<Issuer>,
    gateway: &GatewayId,
    entry: &Readable,
    intent: &SaleIntentBody,
    card: &str,
) -> Result<(), StoreError> {
    let serial = serial_number(card).ok_or(StoreError::Row { table: "entries" })?;
    let card = people::card_or_new(tx, &serial).await?;
    let purse = intent
        .purse
        .as_ref()
        .map(|purse| serde_json::to_string(purse).expect("a purse intent has only texts and numbers"));
    forget_foreign_outcome(tx, gateway, &entry.origin_key).await?;
    sqlx::query(
        "INSERT INTO sales (origin, gateway, sale, tender, amount, items, card, purse, intended_at, settled, received_ms,
         catalogue)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10, $11)
         ON CONFLICT (origin) DO UPDATE SET sale = excluded.sale, tender = excluded.tender, amount = excluded.amount,
         items = excluded.items, card = excluded.card, purse = excluded.purse, intended_at = excluded.intended_at,
         catalogue = excluded.catalogue",
    )
    .bind(&entry.origin_key)
    .bind(gateway.as_str())
    .bind(&intent.sale)
    .bind(tender_word(intent.tender))
    .bind(book::fen(intent.amount))
    .bind(items_text(&intent.items))
    .bind(&card.reference)
    .bind(purse)
    .bind(&entry.recorded_at)
    .bind(tx.now.ms)
    .bind(i64::from(intent.catalogue))
    .execute(&mut tx.conn)
    .await?;
    tx.news.push(News::Event(Event {
        name: "sale.intent",
        data: json!({
            "origin": entry.origin_key, "gateway": gateway.as_str(), "sale": intent.sale,
            "tender": tender_word(intent.tender), "amount": intent.amount,
        }),
    }));
    settle(tx, issuer, gateway, &entry.origin_key).await?;
    super::settle::judge(tx, issuer, gateway, &entry.origin_key).await
}

/// An outcome that came before its intent, from a gateway that did not begin the sale, has no effect; people see it.
async fn forget_foreign_outcome(tx: &mut Tx, gateway: &GatewayId, origin: &str) -> Result<(), StoreError> {
    let other: Option<String> =
        sqlx::query_scalar("SELECT gateway FROM sales WHERE origin = $1 AND tender IS NULL AND gateway <> $2")
            .bind(origin)
            .bind(gateway.as_str())
            .fetch_optional(&mut tx.conn)
            .await?;
    let Some(other) = other.and_then(|other| other.parse().ok()) else { return Ok(()) };
    doubt(tx, &other, origin, Doubt::ForeignOutcome).await?;
    sqlx::query("UPDATE sales SET gateway = $2, outcome = NULL, reason = NULL, proof = NULL WHERE origin = $1")
        .bind(origin)
        .bind(gateway.as_str())
        .execute(&mut tx.conn)
        .await?;
    Ok(())
}

/// Takes an outcome; `about` is the origin of the intent.
///
/// # Errors
/// The database cannot do it.
pub async fn outcome(
    tx: &mut Tx,
    issuer: &Arc<Issuer>,
    gateway: &GatewayId,
    about: &Origin,
    told: &SaleOutcomeBody,
) -> Result<(), StoreError> {
    let origin = about.to_string();
    let proof =
        told.purse.as_ref().map(|proof| serde_json::to_string(proof).expect("a proof has only texts and numbers"));
    let known = sqlx::query("SELECT outcome, verdict FROM sales WHERE origin = $1")
        .bind(&origin)
        .fetch_optional(&mut tx.conn)
        .await?;
    let (known, verdict) = match known {
        Some(row) => {
            let outcome = row.try_get::<Option<String>, _>(0)?.as_deref().map(outcome_of).transpose()?;
            (outcome, row.try_get::<Option<String>, _>(1)?)
        }
        None => {
            sqlx::query("INSERT INTO sales (origin, gateway, sale, settled, received_ms) VALUES ($1, $2, $3, 0, $4)")
                .bind(&origin)
                .bind(gateway.as_str())
                .bind(&told.sale)
                .bind(tx.now.ms)
                .execute(&mut tx.conn)
                .await?;
            (None, None)
        }
    };
    match decide::merge(known, told.outcome) {
        Merge::Take => {
            sqlx::query("UPDATE sales SET outcome = $2, reason = $3, proof = COALESCE($4, proof) WHERE origin = $1")
                .bind(&origin)
                .bind(outcome_word(told.outcome))
                .bind(told.reason.as_deref())
                .bind(proof)
                .execute(&mut tx.conn)
                .await?;
            tx.news.push(News::Event(Event {
                name: "sale.outcome",
                data: json!({
                    "origin": origin, "gateway": gateway.as_str(), "sale": told.sale,
                    "outcome": outcome_word(told.outcome), "reason": told.reason,
                }),
            }));
            settle(tx, issuer, gateway, &origin).await?;
            super::settle::judge(tx, issuer, gateway, &origin).await
        }
        Merge::Keep => {
            if told.outcome == SaleOutcome::Unknown && known == Some(SaleOutcome::Unknown) && proof.is_some() {
                sqlx::query("UPDATE sales SET proof = $2, reason = $3 WHERE origin = $1")
                    .bind(&origin)
                    .bind(proof)
                    .bind(told.reason.as_deref())
                    .execute(&mut tx.conn)
                    .await?;
                return super::settle::judge(tx, issuer, gateway, &origin).await;
            }
            // The same outcome, now with a proof that was missing.
            if told.outcome == SaleOutcome::Paid
                && verdict.as_deref() == Some(Verdict::Pending.word())
                && proof.is_some()
            {
                sqlx::query("UPDATE sales SET proof = $2 WHERE origin = $1")
                    .bind(&origin)
                    .bind(proof)
                    .execute(&mut tx.conn)
                    .await?;
                return prove(tx, issuer, gateway, &origin).await;
            }
            Ok(())
        }
        Merge::Contradiction => doubt(tx, gateway, &origin, Doubt::OutcomeDiffers).await,
    }
}

/// What is known of a sale; `None` where nothing is.
///
/// # Errors
/// The database cannot answer.
pub async fn facts(tx: &mut Tx, origin: &str) -> Result<Option<Facts>, StoreError> {
    let sale = sqlx::query("SELECT tender, amount, items, card, outcome, settled FROM sales WHERE origin = $1")
        .bind(origin)
        .fetch_optional(&mut tx.conn)
        .await?;
    let Some(sale) = sale else { return Ok(None) };
    let hold = sqlx::query("SELECT state, amount, items, card FROM holds WHERE origin = $1")
        .bind(origin)
        .fetch_optional(&mut tx.conn)
        .await?;
    let hold = hold
        .map(|row| {
            let state =
                HoldState::from_word(&row.try_get::<String, _>(0)?).ok_or(StoreError::Row { table: "holds" })?;
            Ok::<_, StoreError>((state, terms(&row)?))
        })
        .transpose()?;
    let tender = sale.try_get::<Option<String>, _>("tender")?.as_deref().map(tender_of).transpose()?;
    Ok(Some(Facts {
        intent: tender.map(|tender| Ok::<_, StoreError>((tender, terms(&sale)?))).transpose()?,
        outcome: sale.try_get::<Option<String>, _>("outcome")?.as_deref().map(outcome_of).transpose()?,
        hold,
        settled: sale.try_get::<i64, _>("settled")? == 1,
    }))
}

/// The terms in a row of sales or of holds.
fn terms(row: &SqliteRow) -> Result<Terms, StoreError> {
    Ok(Terms {
        amount: book::points(row.try_get("amount")?),
        items: items_of(&row.try_get::<String, _>("items")?)?,
        card: row.try_get("card")?,
    })
}

/// Does what is due for a sale.
///
/// # Errors
/// The database cannot do it.
pub async fn settle(tx: &mut Tx, issuer: &Arc<Issuer>, gateway: &GatewayId, origin: &str) -> Result<(), StoreError> {
    let Some(facts) = facts(tx, origin).await? else { return Ok(()) };
    match decide::due(&facts) {
        Due::Nothing => return Ok(()),
        Due::Close => {}
        Due::Post => end_hold(tx, gateway.as_str(), origin, HoldState::Posted).await?,
        Due::Void => end_hold(tx, gateway.as_str(), origin, HoldState::Voided).await?,
        Due::Purse => {
            debit_purse(tx, issuer, gateway, origin).await?;
            check_prices(tx, gateway, origin).await?;
        }
        Due::Doubt(what) => return doubt(tx, gateway, origin, what).await,
    }
    sqlx::query("UPDATE sales SET settled = 1 WHERE origin = $1").bind(origin).execute(&mut tx.conn).await?;
    Ok(())
}

/// Ends a hold: posts it to the providers, or gives it back.
///
/// # Errors
/// The database cannot do it.
pub async fn end_hold(tx: &mut Tx, actor: &str, origin: &str, state: HoldState) -> Result<(), StoreError> {
    let row = sqlx::query("SELECT person, amount, items FROM holds WHERE origin = $1")
        .bind(origin)
        .fetch_one(&mut tx.conn)
        .await?;
    let (person, amount): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
    let mut postings = vec![(Account::Held(person.clone()), book::minus(amount))];
    let kind = if state == HoldState::Posted {
        let items = items_of(&row.try_get::<String, _>(2)?)?;
        postings.extend(by_provider(&items).into_iter().map(|(provider, fen)| (Account::Provider(provider), fen)));
        Kind::Post
    } else {
        postings.push((Account::Elder(person), amount));
        Kind::Void
    };
    write(tx, kind, origin, actor, &postings).await?;
    sqlx::query("UPDATE holds SET state = $2 WHERE origin = $1")
        .bind(origin)
        .bind(state.word())
        .execute(&mut tx.conn)
        .await?;
    Ok(())
}

async fn debit_purse(tx: &mut Tx, issuer: &Arc<Issuer>, gateway: &GatewayId, origin: &str) -> Result<(), StoreError> {
    let row = purse_row(tx, origin).await?;
    let verdict = verdict(issuer, &row)?;
    let items = items_of(&row.try_get::<String, _>("items")?)?;
    let amount: i64 = row.try_get("amount")?;
    let mut postings = vec![(Account::PurseFloat, book::minus(amount))];
    postings.extend(by_provider(&items).into_iter().map(|(provider, fen)| match verdict {
        Verdict::Valid => (Account::Provider(provider), fen),
        Verdict::Invalid | Verdict::Pending => (Account::Suspense(provider), fen),
    }));
    write(tx, Kind::Purse, origin, gateway.as_str(), &postings).await?;
    keep_verdict(tx, gateway, origin, verdict).await
}

/// Lets people see a purse that paid other prices than its catalogue has. The money has left the card, so the sale stands.
async fn check_prices(tx: &mut Tx, gateway: &GatewayId, origin: &str) -> Result<(), StoreError> {
    let row = sqlx::query("SELECT catalogue, items FROM sales WHERE origin = $1")
        .bind(origin)
        .fetch_one(&mut tx.conn)
        .await?;
    let Some(version) = row.try_get::<Option<i64>, _>(0)? else { return Ok(()) };
    let items = items_of(&row.try_get::<String, _>(1)?)?;
    match catalogue::price_then(tx, version, &items).await? {
        PriceAnswer::Right => Ok(()),
        PriceAnswer::Differs => doubt(tx, gateway, origin, Doubt::PursePriceDiffers).await,
        PriceAnswer::NoService => doubt(tx, gateway, origin, Doubt::PurseNotInCatalogue).await,
    }
}

/// Asks the issuer again about a debit whose proof was pending; what is proved goes to its provider.
///
/// # Errors
/// The database cannot do it.
pub async fn prove(tx: &mut Tx, issuer: &Arc<Issuer>, gateway: &GatewayId, origin: &str) -> Result<(), StoreError> {
    let row = purse_row(tx, origin).await?;
    let verdict = verdict(issuer, &row)?;
    if verdict == Verdict::Valid {
        let items = items_of(&row.try_get::<String, _>("items")?)?;
        let postings: Vec<Posting> = by_provider(&items)
            .into_iter()
            .flat_map(|(provider, fen)| {
                [(Account::Suspense(provider.clone()), book::minus(fen)), (Account::Provider(provider), fen)]
            })
            .collect();
        write(tx, Kind::Proof, origin, gateway.as_str(), &postings).await?;
    }
    keep_verdict(tx, gateway, origin, verdict).await
}

/// Asks the issuer again about debits whose proof is pending, some at a time in the order of their origins. Gives back
/// the last origin asked about; `None` at the end.
///
/// # Errors
/// The database cannot do it.
pub async fn prove_pending(tx: &mut Tx, issuer: &Arc<Issuer>, after: &str) -> Result<Option<String>, StoreError> {
    let rows = sqlx::query(
        "SELECT origin, gateway FROM sales WHERE verdict = 'pending' AND origin > $1 ORDER BY origin LIMIT $2",
    )
    .bind(after)
    .bind(limits::PROOFS_PER_COMMIT)
    .fetch_all(&mut tx.conn)
    .await?;
    let mut last = None;
    for row in rows {
        let origin: String = row.try_get(0)?;
        let gateway = row.try_get::<String, _>(1)?.parse().map_err(|_| StoreError::Row { table: "sales" })?;
        prove(tx, issuer, &gateway, &origin).await?;
        last = Some(origin);
    }
    Ok(last)
}

async fn purse_row(tx: &mut Tx, origin: &str) -> Result<SqliteRow, StoreError> {
    Ok(sqlx::query(
        "SELECT s.amount, s.items, s.purse, s.proof, c.serial FROM sales s JOIN cards c ON c.ref = s.card
         WHERE s.origin = $1",
    )
    .bind(origin)
    .fetch_one(&mut tx.conn)
    .await?)
}

/// The issuer's verdict on what is known of a purse sale.
///
/// # Errors
/// The database cannot answer.
pub async fn verdict_of(tx: &mut Tx, issuer: &Issuer, origin: &str) -> Result<Verdict, StoreError> {
    verdict(issuer, &purse_row(tx, origin).await?)
}

fn verdict(issuer: &Issuer, row: &SqliteRow) -> Result<Verdict, StoreError> {
    let purse: Option<PurseIntent> = optional_json(row.try_get("purse")?)?;
    let proof: Option<PurseProof> = optional_json(row.try_get("proof")?)?;
    let serial = serial_number(&row.try_get::<String, _>("serial")?).ok_or(StoreError::Row { table: "cards" })?;
    let amount = book::points(row.try_get("amount")?);
    Ok(match (purse, proof) {
        (Some(purse), Some(proof)) => issuer.debit_verdict(&serial, amount, &purse, &proof),
        (None, _) | (_, None) => Verdict::Pending,
    })
}

async fn keep_verdict(tx: &mut Tx, gateway: &GatewayId, origin: &str, verdict: Verdict) -> Result<(), StoreError> {
    metrics::counter!("central_tac_verdicts_total", "verdict" => verdict.word()).increment(1);
    sqlx::query("UPDATE sales SET verdict = $2 WHERE origin = $1")
        .bind(origin)
        .bind(verdict.word())
        .execute(&mut tx.conn)
        .await?;
    if verdict == Verdict::Invalid {
        doubt(tx, gateway, origin, Doubt::TacInvalid).await?;
    }
    Ok(())
}

async fn write(tx: &mut Tx, kind: Kind, origin: &str, actor: &str, postings: &[Posting]) -> Result<(), StoreError> {
    match book::post(tx, kind, origin, actor, postings).await {
        Ok(_) => Ok(()),
        Err(PostError::Store(error)) => Err(error),
        // The lines were checked to make the amount before they were stored.
        Err(PostError::Unbalanced | PostError::Overflow) => Err(StoreError::Row { table: "sales" }),
    }
}

fn by_provider(items: &[SaleItem]) -> BTreeMap<ProviderId, i64> {
    let mut sums: BTreeMap<ProviderId, i64> = BTreeMap::new();
    for item in items {
        let line = item.unit_price.checked_mul(item.quantity).map_or(0, book::fen);
        let sum = sums.entry(item.provider.clone()).or_default();
        *sum = sum.saturating_add(line);
    }
    sums.retain(|_, fen| *fen != 0);
    sums
}

/// Lines from how they are stored.
///
/// # Errors
/// They are none.
pub fn items_of(text: &str) -> Result<Vec<SaleItem>, StoreError> {
    serde_json::from_str(text).map_err(|_| StoreError::Row { table: "sales" })
}

fn optional_json<T: serde::de::DeserializeOwned>(text: Option<String>) -> Result<Option<T>, StoreError> {
    text.map(|text| serde_json::from_str(&text).map_err(|_| StoreError::Row { table: "sales" })).transpose()
}

/// Keeps a contradiction for people to look at.
///
/// # Errors
/// The database cannot do it.
pub async fn doubt(tx: &mut Tx, gateway: &GatewayId, origin: &str, what: Doubt) -> Result<(), StoreError> {
    let what = what.word();
    let done = sqlx::query(
        "INSERT INTO doubts (what, subject, gateway, at_ms) VALUES ($1, $2, $3, $4)
         ON CONFLICT (what, subject) DO NOTHING",
    )
    .bind(what)
    .bind(origin)
    .bind(gateway.as_str())
    .bind(tx.now.ms)
    .execute(&mut tx.conn)
    .await?;
    if done.rows_affected() == 1 {
        metrics::counter!("central_doubts_total", "what" => what).increment(1);
        tracing::warn!(gateway = gateway.as_str(), what, "a sale contradicts itself; a person has to look");
        tx.news.push(News::Event(Event { name: "sale.doubt", data: json!({"origin": origin, "what": what}) }));
    }
    Ok(())
}
