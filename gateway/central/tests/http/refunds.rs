//! G5: a refund gives back what was paid, once, to the card that paid.

use serde_json::{Value, json};

use crate::holds::{intent, outcome};
use crate::support::{Centre, Journal, answer, hold_request, outcomes};

const START: i64 = 50_000;

async fn refund(centre: &Centre, key: &str, body: &Value) -> (u16, Value) {
    let request = centre.http.post(format!("{}/api/v1/refunds", centre.url)).bearer_auth(centre.operator(0));
    answer(request.header("Idempotency-Key", key).body(body.to_string())).await
}

fn code(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["error"]["code"].as_str().unwrap_or(""))
}

async fn sale_of(centre: &Centre, origin: &str) -> Value {
    let (_, list) = centre.get(&format!("/api/v1/sales?origin={origin}")).await;
    list["sales"][0].clone()
}

async fn balance(centre: &Centre) -> i64 {
    centre.get("/api/v1/accounts/person-0001").await.1["balance"].as_i64().expect("a balance")
}

/// A lunch paid from the account; gives its origin and its card's reference.
async fn paid_lunch(centre: &Centre, journal: &mut Journal) -> (String, String) {
    let sale = journal.own();
    centre.hold(&hold_request(&sale, 1250)).await;
    let n = intent(journal, &sale, "account", 1250, &Value::Null);
    outcome(journal, &sale, "paid", &Value::Null);
    assert_eq!(outcomes(&centre.upload(journal, n..=n + 1).await), ["accepted"; 2]);
    let origin = format!("gateway:gw-demo/{}/{n}", sale["epoch"].as_str().expect("a journal"));
    let card = sale_of(centre, &origin).await["card"].as_str().expect("a card").to_owned();
    (origin, card)
}

#[tokio::test]
async fn g5_a_refund_counts_once_by_its_key_and_goes_back_to_the_account() {
    let centre = Centre::start().await;
    let (sale, card) = paid_lunch(&centre, &mut Journal::new("j0000000000000001")).await;
    assert_eq!(balance(&centre).await, START - 1250);
    let wish = json!({"sale": sale, "card": card, "items": [{"service": "meal-lunch", "quantity": 1}]});
    let first = refund(&centre, "r1", &wish).await;
    assert_eq!((first.0, &first.1), (201, &json!({"outcome": "refunded", "amount": 1250})));
    let again = refund(&centre, "r1", &wish).await;
    assert_eq!((again.0, &again.1), (200, &json!({"outcome": "duplicate", "amount": 1250})));
    assert_eq!(balance(&centre).await, START);
    let day =
        centre.get("/api/v1/accounts/person-0001").await.1["movements"][0]["day"].as_str().expect("a day").to_owned();
    let (_, settlement) = centre.get(&format!("/api/v1/settlements/canteen-01/{day}")).await;
    assert_eq!(settlement["refunded"], json!({"count": 1, "amount": -1250}));
    assert_eq!(settlement["total"], 0);
}

#[tokio::test]
async fn g5_more_than_the_original_a_second_refund_and_another_card_are_refused() {
    let centre = Centre::start().await;
    let (sale, card) = paid_lunch(&centre, &mut Journal::new("j0000000000000001")).await;
    let wish = |card: &str, service: &str, quantity: u32| json!({"sale": sale, "card": card, "items": [{"service": service, "quantity": quantity}]});
    assert_eq!(code(&refund(&centre, "r1", &wish(&card, "meal-lunch", 2)).await), (422, "more_than_paid"));
    assert_eq!(code(&refund(&centre, "r1", &wish(&card, "bath", 1)).await), (422, "more_than_paid"));
    assert_eq!(code(&refund(&centre, "r1", &wish(&card, "meal-lunch", 0)).await), (422, "more_than_paid"));
    assert_eq!(code(&refund(&centre, "r1", &wish("card-of-another", "meal-lunch", 1)).await), (422, "other_card"));
    assert_eq!(refund(&centre, "r1", &wish(&card, "meal-lunch", 1)).await.0, 201);
    assert_eq!(code(&refund(&centre, "r2", &wish(&card, "meal-lunch", 1)).await), (422, "more_than_paid"));
    assert_eq!(code(&refund(&centre, "r1", &wish(&card, "meal-lunch", 2)).await), (409, "key_used"));
    let nowhere = json!({"sale": "gateway:gw-demo/j/9", "card": card, "items": []});
    assert_eq!(code(&refund(&centre, "r3", &nowhere).await), (404, "not_found"));
    assert_eq!(balance(&centre).await, START);
}

#[tokio::test]
async fn g2_g5_what_no_account_paid_comes_not_back_as_points() {
    let centre = Centre::start().await;
    let mut journal = Journal::new("j0000000000000001");
    let sale = journal.own();
    centre.hold(&hold_request(&sale, 1250)).await;
    let n = intent(&mut journal, &sale, "account", 1250, &Value::Null);
    centre.upload(&journal, n..=n).await;
    let origin = format!("gateway:gw-demo/j0000000000000001/{n}");
    let card = sale_of(&centre, &origin).await["card"].as_str().expect("a card").to_owned();
    let wish = json!({"sale": origin, "card": card, "items": [{"service": "meal-lunch", "quantity": 1}]});
    assert_eq!(code(&refund(&centre, "r1", &wish).await), (422, "not_refundable"), "only held");
    let with_price =
        json!({"sale": origin, "card": card, "items": [{"service": "meal-lunch", "quantity": 1, "unit_price": 9}]});
    assert_eq!(code(&refund(&centre, "r1", &with_price).await), (400, "bad_json"), "prices are the sale's own");
}

#[tokio::test]
async fn g5_twenty_refunds_of_one_lunch_at_once_give_it_back_once() {
    let centre = Centre::start().await;
    let (sale, card) = paid_lunch(&centre, &mut Journal::new("j0000000000000001")).await;
    let wish = json!({"sale": sale, "card": card, "items": [{"service": "meal-lunch", "quantity": 1}]});
    let keys: Vec<String> = (0..20).map(|n| format!("r{n}")).collect();
    let answers = futures_util::future::join_all(keys.iter().map(|key| refund(&centre, key, &wish))).await;
    assert_eq!(answers.iter().filter(|(status, _)| *status == 201).count(), 1);
    assert_eq!(balance(&centre).await, START);
}
