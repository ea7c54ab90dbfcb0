//! Holds and sales: counted at once, posted or given back exactly once, in whatever order their facts arrive.

use hmac::{Hmac, KeyInit as _, Mac as _};
use protocols::uplink::PrivateRecord;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::{Centre, Journal, hold_request, outcomes};

const START: u64 = 50_000;

pub fn private() -> (PrivateRecord, String) {
    let salt = [7_u8; 32];
    let bytes = r#"{"card":"00003100000012345678"}"#;
    let mac = Hmac::<Sha256>::new_from_slice(&salt).expect("any key will do").chain_update(bytes.as_bytes());
    let record = PrivateRecord { salt: hex::encode(salt), bytes: bytes.to_owned() };
    (record, hex::encode(mac.finalize().into_bytes()))
}

pub fn intent(journal: &mut Journal, origin: &Value, tender: &str, amount: u64, purse: &Value) -> u64 {
    let (record, hmac) = private();
    let body = json!({
        "sale": "s1", "tender": tender, "amount": amount, "catalogue": 1, "purse": purse, "private_hmac": hmac,
        "items": [{"service": "meal-lunch", "provider": "canteen-01", "quantity": 1, "unit_price": amount}],
    });
    journal.push_with(origin, "sale.intent", &Value::Null, &body, Some(record))
}

pub fn outcome(journal: &mut Journal, about: &Value, outcome: &str, proof: &Value) -> u64 {
    let body = json!({"sale": "s1", "outcome": outcome, "reason": null, "purse": proof});
    let own = journal.own();
    journal.push(&own, "sale.outcome", about, &body)
}

/// Balance and available of a hold's answer.
fn account(answer: &Value) -> (u64, u64) {
    let fen = |name: &str| answer["account"][name].as_u64().expect("the answer has an account");
    (fen("balance"), fen("available"))
}

async fn probe(centre: &Centre, seq: u64) -> (u64, u64) {
    let origin = json!({"source": "gateway:gw-demo", "epoch": "probe", "seq": seq});
    let answer = centre.hold(&hold_request(&origin, 9_000_000)).await;
    assert_eq!(answer["reason"], "insufficient");
    account(&answer)
}

#[tokio::test]
async fn a_hold_counts_at_once_and_once() {
    let centre = Centre::start().await;
    let origin = Journal::new("j0000000000000001").own();
    let first = centre.hold(&hold_request(&origin, 1250)).await;
    assert_eq!((first["outcome"].as_str(), account(&first)), (Some("held"), (START, START - 1250)));
    let again = centre.hold(&hold_request(&origin, 1250)).await;
    assert_eq!((again["outcome"].as_str(), account(&again)), (Some("duplicate"), (START, START - 1250)));
}

#[tokio::test]
async fn c11_every_answer_names_the_request_that_it_is_for() {
    let centre = Centre::start().await;
    let path = format!("{}/v1/gateways/gw-demo/holds", centre.url);
    let body = hold_request(&Journal::new("j0000000000000001").own(), 1250);
    for (token, status) in [(centre.token(), 200), ("nobody-at-all-0123456789", 401)] {
        let request = centre.http.post(&path).bearer_auth(token).json(&body).header("care-request", "question-7");
        let answer = request.send().await.expect("an answer");
        assert_eq!(
            (answer.status().as_u16(), answer.headers()["care-request"].as_bytes()),
            (status, &b"question-7"[..])
        );
    }
    let nameless = centre.http.post(&path).bearer_auth(centre.token()).json(&body).send().await.expect("an answer");
    assert!(!nameless.headers().contains_key("care-request"));
}

#[tokio::test]
async fn g8_the_same_origin_with_another_amount_is_a_conflict() {
    let centre = Centre::start().await;
    let origin = Journal::new("j0000000000000001").own();
    centre.hold(&hold_request(&origin, 1250)).await;
    let other = centre.hold(&hold_request(&origin, 1251)).await;
    assert_eq!((other["outcome"].as_str(), other["reason"].as_str()), (Some("refused"), Some("conflict")));
    assert_eq!(probe(&centre, 1).await, (START, START - 1250));
}

#[tokio::test]
async fn g4_holds_never_exceed_what_is_available() {
    let centre = Centre::start().await;
    let mut requests = Vec::new();
    for seq in 1..=60 {
        let origin = json!({"source": "gateway:gw-demo", "epoch": "j1", "seq": seq});
        let url = format!("{}/v1/gateways/gw-demo/holds", centre.url);
        let body = hold_request(&origin, 1250).to_string();
        requests.push(crate::support::answer(centre.http.post(url).bearer_auth(centre.token()).body(body)));
    }
    let answers = futures_util::future::join_all(requests).await;
    let held = answers.iter().filter(|(_, answer)| answer["outcome"] == "held").count();
    assert_eq!(held as u64, START / 1250, "exactly what the account holds");
    assert_eq!(probe(&centre, 1).await, (START, 0));
}

#[tokio::test]
async fn a_paid_sale_posts_its_hold_once_whatever_comes_again() {
    let mut centre = Centre::start().await;
    let mut journal = Journal::new("j0000000000000001");
    let sale = journal.own();
    centre.hold(&hold_request(&sale, 1250)).await;
    intent(&mut journal, &sale, "account", 1250, &Value::Null);
    outcome(&mut journal, &sale, "paid", &Value::Null);
    outcome(&mut journal, &sale, "paid", &Value::Null);
    assert_eq!(outcomes(&centre.upload(&journal, 1..=3).await), ["accepted"; 3]);
    assert_eq!(outcomes(&centre.upload(&journal, 1..=3).await), ["duplicate"; 3]);
    assert_eq!(probe(&centre, 1).await, (START - 1250, START - 1250));
    assert_eq!(centre.hold(&hold_request(&sale, 1250)).await["outcome"], "duplicate");
    centre.restart().await;
    assert_eq!(probe(&centre, 2).await, (START - 1250, START - 1250));
}

#[tokio::test]
async fn a_refused_or_cancelled_sale_gives_its_hold_back() {
    let centre = Centre::start().await;
    let mut journal = Journal::new("j0000000000000001");
    for word in ["refused", "cancelled"] {
        let sale = journal.own();
        centre.hold(&hold_request(&sale, 1250)).await;
        let n = intent(&mut journal, &sale, "account", 1250, &Value::Null);
        outcome(&mut journal, &sale, word, &Value::Null);
        centre.upload(&journal, n..=n + 1).await;
        assert_eq!(probe(&centre, n).await, (START, START));
        assert_eq!(centre.hold(&hold_request(&sale, 1250)).await["reason"], "cancelled");
    }
}

#[tokio::test]
async fn an_outcome_before_its_hold_refuses_the_hold() {
    let centre = Centre::start().await;
    let mut journal = Journal::new("j0000000000000001");
    let sale = json!({"source": "gateway:gw-demo", "epoch": "j0000000000000001", "seq": 900});
    outcome(&mut journal, &sale, "cancelled", &Value::Null);
    centre.upload(&journal, 1..=1).await;
    assert_eq!(centre.hold(&hold_request(&sale, 1250)).await["reason"], "cancelled");
    assert_eq!(probe(&centre, 1).await, (START, START));
}

#[tokio::test]
async fn an_unknown_sale_stays_open_until_a_later_outcome_settles_it() {
    let centre = Centre::start().await;
    let mut journal = Journal::new("j0000000000000001");
    let sale = journal.own();
    centre.hold(&hold_request(&sale, 1250)).await;
    intent(&mut journal, &sale, "account", 1250, &Value::Null);
    outcome(&mut journal, &sale, "unknown", &Value::Null);
    centre.upload(&journal, 1..=2).await;
    assert_eq!(probe(&centre, 1).await, (START, START - 1250));
    outcome(&mut journal, &sale, "paid", &Value::Null);
    outcome(&mut journal, &sale, "unknown", &Value::Null);
    outcome(&mut journal, &sale, "cancelled", &Value::Null);
    centre.upload(&journal, 3..=5).await;
    assert_eq!(probe(&centre, 2).await, (START - 1250, START - 1250), "never a second effect");
}

#[tokio::test]
async fn cards_that_do_not_prove_themselves_or_have_no_account_hold_nothing() {
    let centre = Centre::start().await;
    let origin = Journal::new("j0000000000000001").own();
    let mut forged = hold_request(&origin, 1250);
    forged["proof"]["response"] = json!("0000000000000000");
    assert_eq!(centre.hold(&forged).await["reason"], "not_genuine");
    let mut wrong_sum = hold_request(&origin, 1250);
    wrong_sum["amount"] = json!(1);
    assert_eq!(centre.hold(&wrong_sum).await["reason"], "amount");
    assert_eq!(centre.hold(&hold_request(&origin, 0)).await["reason"], "amount");
    let foreign = json!({"source": "gateway:gw-other", "epoch": "j1", "seq": 1});
    assert_eq!(centre.hold(&hold_request(&foreign, 1250)).await["reason"], "foreign_origin");
    let without_keys = Centre::start_with("").await;
    assert_eq!(without_keys.hold(&hold_request(&origin, 1250)).await["reason"], "proof_pending");
}

#[tokio::test]
async fn g1_an_amount_that_is_no_whole_fen_is_no_request() {
    let centre = Centre::start().await;
    let origin = Journal::new("j0000000000000001").own();
    for amount in [json!(-1), json!(1.5), json!("1250"), json!(9_007_199_254_740_993_u64), json!(null), json!(1e300)] {
        let mut request = hold_request(&origin, 1250);
        request["amount"] = amount.clone();
        let (status, answer) = centre.post("/v1/gateways/gw-demo/holds", centre.token(), &request).await;
        assert_eq!(status, 400, "{amount} {answer}");
    }
}

pub async fn doubts(centre: &Centre) -> Vec<String> {
    let (status, conflicts) = centre.get("/api/v1/conflicts").await;
    assert_eq!(status, 200, "{conflicts}");
    let sales = conflicts["sales"].as_array().expect("sales");
    sales.iter().map(|sale| sale["what"].as_str().expect("a word").to_owned()).collect()
}

pub async fn publish(centre: &Centre, price: u64) {
    let service = json!({"id": "meal-lunch", "provider": "canteen-01", "category": "meal", "name_zh": "午餐",
        "name_en": "Lunch", "price": price});
    let url = format!("{}/api/v1/catalogue", centre.url);
    let request = centre.http.put(url).bearer_auth(centre.operator(0));
    let answered = crate::support::answer(request.body(json!({"services": [service]}).to_string())).await;
    assert_eq!(answered.0, 200, "{answered:?}");
}

#[tokio::test]
async fn g7_points_are_held_only_at_the_prices_of_the_catalogue() {
    let centre = Centre::start().await;
    let origin = |seq: u64| json!({"source": "gateway:gw-demo", "epoch": "j1", "seq": seq});
    for (seq, field, value) in
        [(1, "unit_price", json!(1)), (2, "provider", json!("canteen-99")), (3, "service", json!("meal-none"))]
    {
        let mut request = hold_request(&origin(seq), 1250);
        request["items"][0][field] = value;
        if field == "unit_price" {
            request["amount"] = json!(1);
        }
        let reason = if field == "service" { "not_in_catalogue" } else { "price_differs" };
        let refused = centre.hold(&request).await;
        assert_eq!((refused["outcome"].as_str(), refused["reason"].as_str()), (Some("refused"), Some(reason)));
    }
    assert_eq!(probe(&centre, 1).await, (START, START));
    assert_eq!(doubts(&centre).await, ["not_in_catalogue", "price_differs", "price_differs"], "people see it");
}

#[tokio::test]
async fn a_gateway_that_has_not_heard_of_a_new_price_yet_sells_at_the_old_one() {
    let centre = Centre::start().await;
    publish(&centre, 1_301).await;
    let origin = |seq: u64| json!({"source": "gateway:gw-demo", "epoch": "j1", "seq": seq});
    assert_eq!(centre.hold(&hold_request(&origin(1), 1250)).await["outcome"], "held", "replaced a moment ago");
    assert_eq!(centre.hold(&hold_request(&origin(2), 1_301)).await["outcome"], "held");
    let mut mixed = hold_request(&origin(3), 1250);
    mixed["items"] = json!([
        {"service": "meal-lunch", "provider": "canteen-01", "quantity": 1, "unit_price": 1_301},
        {"service": "meal-dinner", "provider": "canteen-01", "quantity": 1, "unit_price": 1_000},
    ]);
    mixed["amount"] = json!(2_301);
    assert_eq!(centre.hold(&mixed).await["outcome"], "refused", "no one version has both lines");
}

/// Holds one lunch, then sends a paid sale that says something else.
async fn paid_with(change: impl FnOnce(&mut Value, &mut PrivateRecord)) -> (Centre, Vec<String>) {
    let centre = Centre::start().await;
    let mut journal = Journal::new("j0000000000000001");
    let sale = journal.own();
    assert_eq!(centre.hold(&hold_request(&sale, 2500)).await["outcome"], "held");
    let (mut record, _) = private();
    let mut body = json!({
        "sale": "s1", "tender": "account", "amount": 2500, "catalogue": 1, "purse": null, "private_hmac": "",
        "items": [{"service": "meal-lunch", "provider": "canteen-01", "quantity": 2, "unit_price": 1250}],
    });
    change(&mut body, &mut record);
    let mac = Hmac::<Sha256>::new_from_slice(&[7; 32]).expect("any key will do").chain_update(record.bytes.as_bytes());
    body["private_hmac"] = json!(hex::encode(mac.finalize().into_bytes()));
    journal.push_with(&sale, "sale.intent", &Value::Null, &body, Some(record));
    outcome(&mut journal, &sale, "paid", &Value::Null);
    centre.upload(&journal, 1..=1).await;
    let told = doubts(&centre).await;
    centre.upload(&journal, 2..=2).await;
    assert_eq!(probe(&centre, 1).await, (START, START - 2500), "nothing was posted");
    assert_eq!(doubts(&centre).await, told, "once is enough");
    (centre, told)
}

#[tokio::test]
async fn a_sale_for_another_card_than_its_hold_is_shown_and_never_posted() {
    let (_, told) = paid_with(|_, record| record.bytes = r#"{"card":"00003100000012345679"}"#.to_owned()).await;
    assert_eq!(told, ["card_differs"]);
}

#[tokio::test]
async fn a_sale_of_other_items_than_its_hold_is_shown_and_never_posted() {
    let (_, told) = paid_with(|body, _| {
        body["items"] =
            json!([{"service": "rehab-session", "provider": "rehab-01", "quantity": 1, "unit_price": 2500}]);
    })
    .await;
    assert_eq!(told, ["items_differ"]);
}

#[tokio::test]
async fn g8_a_sale_of_another_amount_than_its_hold_is_shown_and_never_posted() {
    let (_, told) = paid_with(|body, _| {
        body["amount"] = json!(1250);
        body["items"][0]["quantity"] = json!(1);
    })
    .await;
    assert_eq!(told, ["amount_differs"]);
}

#[tokio::test]
async fn the_same_origin_with_other_items_or_another_card_is_a_conflict() {
    let centre = Centre::start().await;
    let origin = Journal::new("j0000000000000001").own();
    let mut first = hold_request(&origin, 2500);
    first["items"] = json!([
        {"service": "meal-dinner", "provider": "canteen-01", "quantity": 1, "unit_price": 1000},
        {"service": "hair-cut", "provider": "home-care-01", "quantity": 1, "unit_price": 1000},
    ]);
    first["amount"] = json!(2000);
    assert_eq!(centre.hold(&first).await["outcome"], "held");
    let mut other = first.clone();
    other["items"] = json!([{"service": "meal-dinner", "provider": "canteen-01", "quantity": 2, "unit_price": 1000}]);
    assert_eq!(centre.hold(&other).await["reason"], "conflict");
    let mut card = first.clone();
    card["card"] = json!("00003100000012345679");
    assert_eq!(centre.hold(&card).await["reason"], "conflict");
}

#[tokio::test]
async fn e5_a_gateway_cannot_end_a_sale_of_another_one() {
    let centre = Centre::start().await;
    let mut journal = Journal::new("j0000000000000001");
    let foreign = json!({"source": "gateway:gw-other", "epoch": "j1", "seq": 1});
    outcome(&mut journal, &foreign, "cancelled", &Value::Null);
    assert_eq!(outcomes(&centre.upload(&journal, 1..=1).await), ["refused:foreign_origin"]);
}
