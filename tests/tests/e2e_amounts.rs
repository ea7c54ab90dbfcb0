//! Amounts and rules, G1 to G8 of the fault reference, over the real interfaces. (G4, the race for an offline cap, and G5, refunds,
//! have no interface yet; G8 for devices is with the buttons.)

use serde_json::{Value, json};
use tests::site::http::Answer;
use tests::site::till::{Tender, fresh_key, order, order_raw};
use tests::site::{READER, Site, SiteSettings};

/// The account of the site's card.
const ACCOUNT: &str = "/api/v1/accounts/person-0001";

async fn site() -> Site {
    let site = Site::start(&SiteSettings::with_cards()).await.expect("a site");
    site.wait_catalogue().await.expect("the line is up");
    site.till().wait_reader("empty").await.expect("the reader is there");
    site
}

fn body(item: &str) -> String {
    format!(r#"{{"reader":"{READER}","items":[{item}],"tender":"purse"}}"#)
}

#[tokio::test(flavor = "multi_thread")]
async fn g1_a_quantity_that_is_no_whole_number_in_its_range_is_refused_and_starts_no_sale() {
    let site = site().await;
    let wrong = [
        "0",
        "-1",
        "9223372036854775807",
        "-9223372036854775808",
        "9007199254740993",
        "1e3",
        "\"１００\"",
        "\"1,00\"",
        "\"0.1+0.2\"",
        "0.125",
        "1.0",
        "null",
        "[1]",
    ];
    for quantity in wrong {
        let item = format!(r#"{{"service":"meal-lunch","quantity":{quantity}}}"#);
        let answer = order_raw(&site.gateway.staff, &fresh_key(), &body(&item)).await.expect("an answer");
        assert_eq!(answer.code(), "quantity_invalid", "{quantity}: {answer:?}");
    }
    for broken in ["１００", "1,00", "0.1+0.2", "NaN", "0x10", "+1"] {
        let item = format!(r#"{{"service":"meal-lunch","quantity":{broken}}}"#);
        let answer = order_raw(&site.gateway.staff, &fresh_key(), &body(&item)).await.expect("an answer");
        assert_eq!(answer.code(), "body_invalid", "{broken}: {answer:?}");
    }
    no_sale(&site).await;
}

/// A grant to the card's account under this key, with this text as its amount.
async fn grant(site: &Site, key: &str, amount: &str) -> Answer {
    let body = format!(r#"{{"amount":{amount}}}"#);
    let headers = [("Idempotency-Key", key)];
    let path = format!("{ACCOUNT}/grants");
    site.centre.operator.send(reqwest::Method::POST, &path, &headers, Some(body)).await.expect("an answer")
}

async fn available(site: &Site) -> u64 {
    let account = site.centre.operator.read(ACCOUNT).await.expect("the account");
    account["available"].as_u64().expect("an account has what is available")
}

#[tokio::test(flavor = "multi_thread")]
async fn g8_a_grant_under_the_same_key_counts_once_and_with_another_amount_is_a_conflict() {
    let site = site().await;
    let (before, key) = (available(&site).await, fresh_key());
    for (amount, status) in [("1250", 201), ("1250", 200), ("1300", 409)] {
        let answer = grant(&site, &key, amount).await;
        assert_eq!(answer.status, status, "{amount}: {answer:?}");
        assert_eq!(available(&site).await, before + 1_250, "{amount}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn g1_a_grant_that_is_no_whole_number_of_fen_is_refused_and_grants_nothing() {
    let site = site().await;
    let before = available(&site).await;
    for amount in [
        "0",
        "-1",
        "1e3",
        "0.125",
        "12.50",
        "\"1250\"",
        "\"１００\"",
        "9223372036854775807",
        "9007199254740993",
        "null",
        "[]",
        "１００",
    ] {
        let answer = grant(&site, &fresh_key(), amount).await;
        assert!(matches!(answer.status, 400 | 422), "{amount}: {answer:?}");
    }
    assert_eq!(available(&site).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn g3_sums_that_leave_their_range_are_refused_and_never_wrap() {
    let site = site().await;
    let items: Vec<String> = ["meal-lunch", "bath-assist", "rehab-session", "home-clean"]
        .iter()
        .map(|service| format!(r#"{{"service":"{service}","quantity":99}}"#))
        .collect();
    let answer = order_raw(&site.gateway.staff, &fresh_key(), &body(&items.join(","))).await.expect("an answer");
    assert_eq!(answer.code(), "amount_too_high", "{answer:?}");
    no_sale(&site).await;
    let before = available(&site).await;
    // The largest amount that is one, which the account could no longer hold.
    let answer = grant(&site, &fresh_key(), "9007199254740991").await;
    assert!(matches!(answer.status, 409 | 422), "{answer:?}");
    assert_eq!(available(&site).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn g6_a_price_that_a_page_sends_is_ignored_the_catalogue_decides() {
    let site = site().await;
    let till = site.till();
    let item = r#"{"service":"meal-lunch","quantity":2,"price":1,"unit_price":1,"amount":1}"#;
    let text = format!(r#"{{"reader":"{READER}","items":[{item}],"amount":1,"price":1,"tender":"purse"}}"#);
    let answer = order_raw(&till.staff, &fresh_key(), &text).await.expect("an answer");
    let sale = answer.json().expect("a sale");
    assert_eq!(sale["amount"], 2_500, "{sale}");
    let before = till.purse();
    till.lay_card().await.expect("noticed");
    let id = sale["id"].as_str().expect("an id");
    let sale = till.wait_sale(id, tests::site::till::SALE).await.expect("it ends");
    assert_eq!((&sale["state"], before.saturating_sub(till.purse())), (&json!("paid"), 2_500), "{sale}");
}

#[tokio::test(flavor = "multi_thread")]
async fn g8_a_key_used_again_gives_the_same_sale_and_for_another_sale_is_a_conflict() {
    let site = site().await;
    let key = fresh_key();
    let first = order(&site.gateway.staff, &key, Tender::Purse, "meal-lunch", 1).await.expect("an answer");
    assert_eq!(first.status, 201, "{first:?}");
    let again = order(&site.gateway.staff, &key, Tender::Purse, "meal-lunch", 1).await.expect("an answer");
    assert_eq!(again.status, 200, "{again:?}");
    let id = |text: &str| serde_json::from_str::<Value>(text).ok().and_then(|sale| sale.get("id").cloned());
    assert_eq!(id(&first.text), id(&again.text));
    for (tender, quantity) in [(Tender::Purse, 2), (Tender::Account, 1)] {
        let other = order(&site.gateway.staff, &key, tender, "meal-lunch", quantity).await.expect("an answer");
        assert_eq!((other.status, other.code().as_str()), (409, "key_reused"), "{other:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_needs_a_key_a_known_service_a_known_reader_and_somebody() {
    let site = site().await;
    let staff = &site.gateway.staff;
    let lunch = r#"{"service":"meal-lunch","quantity":1}"#;
    let code = async |key: &str, text: &str| order_raw(staff, key, text).await.expect("an answer").code();
    assert_eq!(code("", &body(lunch)).await, "key_invalid");
    assert_eq!(code(&"k".repeat(65), &body(lunch)).await, "key_invalid");
    assert_eq!(code(&fresh_key(), &body("")).await, "items_invalid");
    assert_eq!(code(&fresh_key(), &body(&format!("{lunch},{lunch}"))).await, "items_invalid");
    assert_eq!(code(&fresh_key(), &body(r#"{"service":"caviar","quantity":1}"#)).await, "service_unknown");
    assert_eq!(code(&fresh_key(), &body(lunch).replace(READER, "kiosk-9")).await, "reader_unknown");
    assert_eq!(code(&fresh_key(), &body(lunch).replace("purse", "cash")).await, "tender_invalid");
    let nobody = order_raw(&site.gateway.api, &fresh_key(), &body(lunch)).await.expect("an answer");
    assert!(matches!(nobody.status, 401 | 403), "{nobody:?}");
    no_sale(&site).await;
    let refusals = staff.read("/api/v1/refusals").await.expect("staff see them");
    let seen = |code: &str| refusals.as_array().is_some_and(|all| all.iter().any(|one| one["code"] == code));
    assert!(seen("service_unknown") && seen("key_invalid"), "{refusals}");
}

async fn no_sale(site: &Site) {
    let sales = site.gateway.staff.read("/api/v1/sales").await.expect("the list");
    assert_eq!(sales, json!([]));
}
