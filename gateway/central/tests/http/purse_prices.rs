//! What purses paid without asking the centre, against the catalogue: the sale stands, and people see what does not fit.

use serde_json::{Value, json};

use crate::holds::{doubts, outcome, private, publish};
use crate::support::{Centre, Journal, outcomes};

/// A purse sale of one service at a price, as its gateway tells it; its origin.
fn purse_intent(journal: &mut Journal, seq: u64, service: &str, price: u64, catalogue: u64) -> Value {
    let origin = json!({"source": "terminal:310000000042", "epoch": "00003100000000000042", "seq": seq});
    let purse = json!({"counter": 7, "old_balance": 50_000, "transaction_type": 6, "terminal": "310000000042",
        "psam": "00003100000000000042", "terminal_seq": seq, "date": "20261123", "time": "093000", "mac1": "7518df38",
        "key_version": 1, "algorithm": 0});
    let (record, hmac) = private();
    let body = json!({
        "sale": format!("s{seq}"), "tender": "purse", "amount": price, "catalogue": catalogue, "purse": purse,
        "private_hmac": hmac,
        "items": [{"service": service, "provider": "canteen-01", "quantity": 1, "unit_price": price}],
    });
    journal.push_with(&origin, "sale.intent", &Value::Null, &body, Some(record));
    origin
}

async fn version(centre: &Centre) -> u64 {
    centre.get("/api/v1/catalogue").await.1["version"].as_u64().expect("a version")
}

/// What people see of a purse sale that ended so, its outcome before or after its intent.
async fn seen(centre: &Centre, ends: &str, early: bool, service: &str, price: u64, catalogue: u64) -> Vec<String> {
    let mut journal = Journal::new("j0000000000000001");
    let origin = purse_intent(&mut journal, 42, service, price, catalogue);
    outcome(&mut journal, &origin, ends, &Value::Null);
    let order = if early { [2, 1] } else { [1, 2] };
    for n in order {
        assert_eq!(outcomes(&centre.upload(&journal, n..=n).await), ["accepted"], "the money has left the card");
    }
    let sale = centre.get("/api/v1/sales").await.1["sales"][0].clone();
    assert_eq!((&sale["outcome"], &sale["amount"], &sale["settled"]), (&json!(ends), &json!(price), &json!(true)));
    doubts(centre).await
}

#[tokio::test]
async fn a_purse_that_paid_what_the_catalogue_has_raises_no_doubt() {
    let centre = Centre::start().await;
    let catalogue = version(&centre).await;
    assert!(seen(&centre, "paid", false, "meal-lunch", 1_250, catalogue).await.is_empty());
}

#[tokio::test]
async fn a_purse_that_paid_another_price_or_service_stands_and_is_seen_by_people() {
    for early in [false, true] {
        let centre = Centre::start().await;
        let catalogue = version(&centre).await;
        assert_eq!(seen(&centre, "paid", early, "meal-lunch", 1, catalogue).await, ["purse_price_differs"]);
        let centre = Centre::start().await;
        let catalogue = version(&centre).await;
        assert_eq!(seen(&centre, "paid", early, "meal-none", 1_250, catalogue).await, ["purse_not_in_catalogue"]);
    }
}

#[tokio::test]
async fn a_purse_that_did_not_pay_raises_no_doubt_whatever_its_price() {
    let centre = Centre::start().await;
    let catalogue = version(&centre).await;
    assert!(seen(&centre, "cancelled", false, "meal-lunch", 1, catalogue).await.is_empty());
}

#[tokio::test]
async fn a_purse_sale_is_checked_by_the_catalogue_it_was_sold_by_however_often_that_was_replaced() {
    let centre = Centre::start().await;
    let sold_by = version(&centre).await;
    for price in 2_000..2_010 {
        publish(&centre, price).await;
    }
    assert!(seen(&centre, "paid", false, "meal-lunch", 1_250, sold_by).await.is_empty());
}

#[tokio::test]
async fn a_purse_sale_by_a_catalogue_that_nobody_knows_is_checked_by_the_one_in_force() {
    for (price, expected) in [(1_250, vec![]), (1, vec!["purse_price_differs"])] {
        let centre = Centre::start().await;
        assert_eq!(seen(&centre, "paid", false, "meal-lunch", price, 7).await, expected);
    }
}
