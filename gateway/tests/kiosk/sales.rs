//! Sales over the API.

use gateway::adapter::kiosk::REFUSALS;
use gateway::adapter::kiosk::refusal_told;
use gateway_core::Refusal;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::desk_rig::{Rig, ask, lunch, refused};
use crate::fake_core::READER;

fn text<'a>(body: &'a Value, field: &str) -> &'a str {
    body.get(field).and_then(Value::as_str).unwrap_or_else(|| panic!("{field} in {body}"))
}

#[tokio::test]
async fn a_sale_begins_is_read_and_is_taken_back() {
    let rig = Rig::start().await;
    let (status, sale) = ask(rig.sale("k-1", &lunch())).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(text(&sale, "state"), "awaiting_card");
    assert_eq!(sale["amount"], 1200);
    assert_eq!(text(&sale, "id").len(), 32);
    let path = format!("/api/v1/sales/{}", text(&sale, "id"));
    let (status, read) = ask(rig.get(&path)).await;
    assert_eq!((status, &read), (StatusCode::OK, &sale));
    let (status, cancelled) = ask(rig.program(Method::DELETE, &path)).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(text(&cancelled, "state"), "cancelled");
    assert_eq!(refused(rig.program(Method::DELETE, &path)).await, (409, "sale_ended".to_owned()));
}

#[tokio::test]
async fn the_same_key_gives_the_same_sale_and_never_a_second_one() {
    let rig = Rig::start().await;
    let (first, sale) = ask(rig.sale("k-1", &lunch())).await;
    let (second, again) = ask(rig.sale("k-1", &lunch())).await;
    assert_eq!((first, second), (StatusCode::CREATED, StatusCode::OK));
    assert_eq!(sale["id"], again["id"]);
    assert_eq!(rig.core.state().sales.len(), 1);
}

#[tokio::test]
async fn who_only_asks_for_a_known_sale_begins_none() {
    let rig = Rig::start().await;
    let only_known = |key: &str| rig.sale(key, &lunch()).header("care-only-known", "1");
    assert_eq!(refused(only_known("k-1")).await, (404, "sale_unknown".to_owned()));
    assert!(rig.core.state().sales.is_empty(), "nothing was begun");
    let (_, sale) = ask(rig.sale("k-1", &lunch())).await;
    let (status, found) = ask(only_known("k-1")).await;
    assert_eq!((status, &found["id"]), (StatusCode::OK, &sale["id"]));
}

#[tokio::test]
async fn g8_the_same_key_for_another_sale_is_a_conflict() {
    let rig = Rig::start().await;
    ask(rig.sale("k-1", &lunch())).await;
    let mut other = lunch();
    other["items"][0]["quantity"] = json!(2);
    assert_eq!(refused(rig.sale("k-1", &other)).await, (409, "key_reused".to_owned()));
}

#[tokio::test]
async fn a_sale_without_a_usable_key_is_refused() {
    let rig = Rig::start().await;
    let without = rig.program(Method::POST, "/api/v1/sales").json(&lunch());
    assert_eq!(refused(without).await, (400, "key_missing".to_owned()));
    assert_eq!(refused(rig.sale("", &lunch())).await, (400, "key_invalid".to_owned()));
    assert_eq!(refused(rig.sale(&"x".repeat(65), &lunch())).await, (400, "key_invalid".to_owned()));
    let twice = rig.sale("k-1", &lunch()).header("idempotency-key", "k-2");
    assert_eq!(refused(twice).await, (400, "key_invalid".to_owned()));
    assert_eq!(rig.core.state().wishes, 0);
}

#[tokio::test]
async fn g1_a_quantity_that_is_no_whole_number_never_reaches_the_core() {
    let rig = Rig::start().await;
    for quantity in [
        "0",
        "-1",
        "1e3",
        "1.0",
        "0.5",
        "9007199254740993",
        "\"１００\"",
        "\"1,00\"",
        "\"0.1+0.2\"",
        "-9223372036854775808",
        "9223372036854775807",
        "100",
    ] {
        let body = format!(
            r#"{{"reader":"{READER}","items":[{{"service":"meal-lunch","quantity":{quantity}}}],"tender":"purse"}}"#
        );
        let request = rig
            .program(Method::POST, "/api/v1/sales")
            .header("idempotency-key", "k-1")
            .header("content-type", "application/json")
            .body(body);
        assert_eq!(refused(request).await, (422, "quantity_invalid".to_owned()), "{quantity}");
    }
    assert_eq!(rig.core.state().wishes, 0);
}

#[tokio::test]
async fn g6_a_price_from_the_browser_has_no_effect_and_the_catalogue_decides() {
    let rig = Rig::start().await;
    let body = json!({
        "reader": READER, "tender": "purse", "price": 1, "amount": 1,
        "items": [{"service": "meal-lunch", "quantity": 2, "price": 1, "unit_price": 1}],
    });
    let (status, sale) = ask(rig.sale("k-1", &body)).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(sale["amount"], 2400);
}

#[tokio::test]
async fn bodies_that_are_no_json_too_long_or_malformed_are_refused_by_name() {
    let rig = Rig::start().await;
    let post = || rig.program(Method::POST, "/api/v1/sales").header("idempotency-key", "k-1");
    let plain = post().header("content-type", "text/plain").body(lunch().to_string());
    assert_eq!(refused(plain).await, (415, "json_missing".to_owned()));
    let long = post().header("content-type", "application/json").body("x".repeat(17 * 1024));
    assert_eq!(refused(long).await, (413, "body_too_long".to_owned()));
    for wrong in ["{", "[]", "null", "{\"reader\":1}", "\u{0}"] {
        let request = post().header("content-type", "application/json").body(wrong);
        assert_eq!(refused(request).await, (400, "body_invalid".to_owned()), "{wrong}");
    }
    assert_eq!(rig.core.state().wishes, 0);
}

#[tokio::test]
async fn an_address_that_is_no_sale_is_unknown() {
    let rig = Rig::start().await;
    let upper = "A".repeat(32);
    for id in ["1", "0123456789abcdef0123456789abcdef", "..%2f..%2fstatus", "%F0%9F%92%A9", &upper] {
        let path = format!("/api/v1/sales/{id}");
        assert_eq!(refused(rig.get(&path)).await, (404, "sale_unknown".to_owned()), "{id}");
        assert_eq!(refused(rig.program(Method::DELETE, &path)).await.0, 404, "{id}");
    }
}

#[tokio::test]
async fn every_refusal_of_the_core_comes_with_its_status_and_a_message_in_both_languages() {
    let rig = Rig::start().await;
    for refusal in REFUSALS {
        rig.core.state().refuse = Some(*refusal);
        let told = refusal_told(*refusal);
        for (language, message) in [("zh-CN", told.zh), ("en-GB,en;q=0.9", told.en)] {
            let (status, body) = ask(rig.sale("k-1", &lunch()).header("accept-language", language)).await;
            assert_eq!(status.as_u16(), told.status.as_u16(), "{body}");
            assert_eq!(body, json!({"error": {"code": told.code, "message": message}}));
        }
    }
}

#[tokio::test]
async fn i7_a_sale_that_is_unknown_says_so_and_tells_not_to_pay_again() {
    let rig = Rig::start().await;
    let (_, sale) = ask(rig.sale("k-1", &lunch())).await;
    let id = text(&sale, "id");
    rig.core.end_sale(&rig.kiosk, id, "unknown", None, None);
    let read = rig.get(&format!("/api/v1/sales/{id}")).header("accept-language", "en");
    let (_, sale) = ask(read).await;
    assert_eq!(text(&sale, "state"), "unknown");
    assert_eq!(text(&sale, "message"), refusal_told(Refusal::Unsettled).en);
    assert!(text(&sale, "message").contains("do not pay again"));
}

#[tokio::test]
async fn a_core_that_does_not_answer_is_told_as_an_unknown_result_within_the_deadline() {
    let rig = Rig::start().await;
    rig.core.state().mute = true;
    let started = std::time::Instant::now();
    assert_eq!(refused(rig.sale("k-1", &lunch())).await, (503, "late".to_owned()));
    assert!(started.elapsed().as_secs() < 12);
    rig.core.state().mute = false;
    let (status, _) = ask(rig.sale("k-1", &lunch())).await;
    assert_eq!(status, StatusCode::OK, "the same key finds the sale that had begun");
    assert_eq!(rig.core.state().sales.len(), 1);
}
