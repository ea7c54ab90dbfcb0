//! Refunds: services of a sale that an account paid and the elder did not get, or brings back.
//!
//! **Invariant:** of each line no more comes back than was paid, over all refunds of the sale together; prices are those
//! of the sale, never the caller's.
//! **Invariant:** points go back to the account that paid, and only where the card of the sale is named. What a purse
//! paid is not refunded as points, and points are never loaded into a purse.

use std::collections::BTreeMap;

use protocols::id::ServiceId;
use protocols::unit::Points;
use protocols::uplink::SaleItem;
use serde_json::json;
use sqlx::Row as _;

use super::book::{self, Account, Kind, PostError, Posting};
use super::decide::HoldState;
use super::sale;
use crate::news::{Event, News};
use crate::store::{StoreError, Tx};

/// How many of one service come back.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefundLine {
    /// The service, as the sale names it.
    pub service: ServiceId,
    /// How many of it, at least 1.
    pub quantity: u32,
}

/// What a person asks for.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The origin of the sale's intent.
    pub sale: String,
    /// The reference of the card that paid.
    pub card: String,
    /// What comes back.
    pub items: Vec<RefundLine>,
    /// The key under which this refund counts once.
    pub key: String,
}

/// What became of a refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundAnswer {
    /// The points are back in the account.
    Refunded(Points),
    /// They went back before, under this key.
    Duplicate(Points),
    /// The key was used for another refund.
    Conflict,
    /// No such sale.
    NoSale,
    /// Another card paid.
    OtherCard,
    /// An account did not pay it (yet): a purse did, or nobody.
    NotRefundable,
    /// More than is left of a line, nothing at all, or a service that was not sold.
    MoreThanPaid,
}

/// Gives services of a sale back.
///
/// # Errors
/// The database cannot do it.
pub async fn give_back(tx: &mut Tx, wish: &Wish, by: &str) -> Result<RefundAnswer, StoreError> {
    let items = serde_json::to_string(&wish.items).expect("lines have only texts and numbers");
    if let Some(answer) = given_before(tx, wish, &items).await? {
        return Ok(answer);
    }
    let paid = sqlx::query(
        "SELECT s.card, h.items, h.person FROM sales s LEFT JOIN holds h ON h.origin = s.origin AND h.state = $2
         WHERE s.origin = $1",
    )
    .bind(&wish.sale)
    .bind(HoldState::Posted.word())
    .fetch_optional(&mut tx.conn)
    .await?;
    let Some(paid) = paid else { return Ok(RefundAnswer::NoSale) };
    if paid.try_get::<Option<String>, _>(0)?.as_deref() != Some(wish.card.as_str()) {
        return Ok(RefundAnswer::OtherCard);
    }
    let (Some(sold), Some(person)) = (paid.try_get::<Option<String>, _>(1)?, paid.try_get::<Option<String>, _>(2)?)
    else {
        return Ok(RefundAnswer::NotRefundable);
    };
    let given = given_lines(tx, &wish.sale).await?;
    let Some(back) = take_back(&sale::items_of(&sold)?, &given, &wish.items) else {
        return Ok(RefundAnswer::MoreThanPaid);
    };
    let Some((amount, postings)) = postings(&person, &back) else { return Ok(RefundAnswer::MoreThanPaid) };
    match book::post(tx, Kind::Refund, &wish.key, by, &postings).await {
        Ok(true) => {}
        Ok(false) => return Ok(RefundAnswer::Conflict),
        Err(PostError::Store(error)) => return Err(error),
        Err(PostError::Unbalanced | PostError::Overflow) => return Err(StoreError::Row { table: "holds" }),
    }
    keep(tx, wish, &items, amount, by).await?;
    Ok(RefundAnswer::Refunded(amount))
}

async fn given_before(tx: &mut Tx, wish: &Wish, items: &str) -> Result<Option<RefundAnswer>, StoreError> {
    let row = sqlx::query("SELECT sale, card, items, amount FROM refunds WHERE key = $1")
        .bind(&wish.key)
        .fetch_optional(&mut tx.conn)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let same = row.try_get::<String, _>(0)? == wish.sale
        && row.try_get::<String, _>(1)? == wish.card
        && row.try_get::<String, _>(2)? == items;
    let amount = book::points(row.try_get(3)?);
    Ok(Some(if same { RefundAnswer::Duplicate(amount) } else { RefundAnswer::Conflict }))
}

async fn given_lines(tx: &mut Tx, sale: &str) -> Result<Vec<RefundLine>, StoreError> {
    let rows: Vec<String> =
        sqlx::query_scalar("SELECT items FROM refunds WHERE sale = $1").bind(sale).fetch_all(&mut tx.conn).await?;
    let mut lines = Vec::new();
    for row in rows {
        let given: Vec<RefundLine> = serde_json::from_str(&row).map_err(|_| StoreError::Row { table: "refunds" })?;
        lines.extend(given);
    }
    Ok(lines)
}

async fn keep(tx: &mut Tx, wish: &Wish, items: &str, amount: Points, by: &str) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO refunds (key, sale, card, items, amount, actor, at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(&wish.key)
    .bind(&wish.sale)
    .bind(&wish.card)
    .bind(items)
    .bind(book::fen(amount))
    .bind(by)
    .bind(tx.now.ms)
    .execute(&mut tx.conn)
    .await?;
    tx.news.push(News::Event(Event {
        name: "sale.refunded",
        data: json!({"origin": wish.sale, "amount": amount, "by": by}),
    }));
    Ok(())
}

/// The lines that come back, with the sale's own prices; `None` where that is nothing, or more than is left.
fn take_back(sold: &[SaleItem], given: &[RefundLine], wanted: &[RefundLine]) -> Option<Vec<SaleItem>> {
    let mut left: Vec<SaleItem> = sold.to_vec();
    for line in given {
        take(&mut left, line)?;
    }
    let mut back = Vec::new();
    for line in wanted {
        back.extend(take(&mut left, line)?);
    }
    (!back.is_empty()).then_some(back)
}

/// Takes a line's quantity out of what is left; one service may stand in several lines of a sale.
fn take(left: &mut [SaleItem], line: &RefundLine) -> Option<Vec<SaleItem>> {
    let mut missing = line.quantity;
    let mut taken = Vec::new();
    for item in left.iter_mut().filter(|item| item.service == line.service) {
        let quantity = missing.min(item.quantity);
        if quantity > 0 {
            item.quantity = item.quantity.checked_sub(quantity)?;
            missing = missing.checked_sub(quantity)?;
            taken.push(SaleItem { quantity, ..item.clone() });
        }
    }
    (missing == 0 && !taken.is_empty()).then_some(taken)
}

/// What the providers give back and the person gets; `None` for nothing, or out of range.
fn postings(person: &str, back: &[SaleItem]) -> Option<(Points, Vec<Posting>)> {
    let mut sums = BTreeMap::new();
    let mut total = Points::ZERO;
    for item in back {
        let line = item.unit_price.checked_mul(item.quantity)?;
        total = total.checked_add(line)?;
        let sum = sums.entry(item.provider.clone()).or_insert(Points::ZERO);
        *sum = sum.checked_add(line)?;
    }
    sums.retain(|_, sum| *sum != Points::ZERO);
    let mut postings = vec![(Account::Elder(person.to_owned()), book::fen(total))];
    for (provider, sum) in sums {
        postings.push((Account::Provider(provider), book::fen(sum).checked_neg()?));
    }
    (total != Points::ZERO).then_some((total, postings))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(service: &str, quantity: u32, fen: u64) -> SaleItem {
        SaleItem {
            service: service.parse().expect("a name"),
            provider: "canteen-1".parse().expect("a name"),
            quantity,
            unit_price: Points::from_fen(fen).expect("in range"),
        }
    }

    fn line(service: &str, quantity: u32) -> RefundLine {
        RefundLine { service: service.parse().expect("a name"), quantity }
    }

    #[test]
    fn g5_no_more_comes_back_than_was_paid() {
        let sold = [item("meal-lunch", 2, 1250), item("bath", 1, 6000)];
        assert!(take_back(&sold, &[], &[line("meal-lunch", 3)]).is_none());
        assert!(take_back(&sold, &[line("meal-lunch", 1)], &[line("meal-lunch", 2)]).is_none());
        assert!(take_back(&sold, &[], &[line("bath", 1), line("bath", 1)]).is_none());
        assert!(take_back(&sold, &[], &[line("rehab", 1)]).is_none());
        for nothing in [vec![], vec![line("bath", 0)]] {
            assert!(take_back(&sold, &[], &nothing).is_none());
        }
        let back = take_back(&sold, &[line("meal-lunch", 1)], &[line("meal-lunch", 1), line("bath", 1)]);
        let (total, _) = postings("person-0001", &back.expect("what is left")).expect("in range");
        assert_eq!(total.fen(), 7250);
    }

    #[test]
    fn g5_a_service_in_two_lines_comes_back_at_the_price_of_each() {
        let sold = [item("meal-lunch", 1, 1250), item("meal-lunch", 1, 1000)];
        let back = take_back(&sold, &[], &[line("meal-lunch", 2)]).expect("both");
        assert_eq!(postings("p", &back).map(|(total, _)| total.fen()), Some(2250));
    }
}
