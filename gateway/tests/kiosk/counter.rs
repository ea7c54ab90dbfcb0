//! What a person at the kiosk asks for besides a sale: the card that lies there, and the staff.

use gateway_core::{CardLook, CardStanding, LookedAccount, LookedCard, Notice, ReaderState, Refusal};
use protocols::unit::Points;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::desk_rig::{Rig, ask, lunch, refused};
use crate::fake_core::READER;

const CARD: &str = "/api/v1/readers/desk-1/card";

fn look(standing: CardStanding, reason: Option<Refusal>, account: LookedAccount) -> CardLook {
    let card = LookedCard { reference: "ab".repeat(16), standing, reason, purse: Points::from_fen(4_200), account };
    CardLook {
        reader: READER.parse().expect("a name"),
        state: ReaderState::Card,
        reading: false,
        card: Some(card),
        sale: None,
        help: None,
    }
}

#[tokio::test]
async fn the_card_is_shown_with_its_balances_and_with_words_of_what_to_do() {
    let rig = Rig::start().await;
    let (status, none) = ask(rig.program(Method::GET, CARD)).await;
    assert_eq!((status, &none["state"], &none["card"]), (StatusCode::OK, &json!("none"), &Value::Null));
    let known = LookedAccount::Known(Points::from_fen(7_500).expect("an amount"));
    rig.core.state().look = Some(look(CardStanding::Valid, None, known));
    let (_, shown) = ask(rig.program(Method::GET, CARD)).await;
    assert_eq!(shown["state"], "card");
    assert_eq!((&shown["card"]["purse"], &shown["card"]["account"]["available"]), (&json!(4_200), &json!(7_500)));
    let expired = LookedAccount::NotKnown(Refusal::CardExpired);
    rig.core.state().look = Some(look(CardStanding::Expired, Some(Refusal::CardExpired), expired));
    let (_, shown) = ask(rig.program(Method::GET, CARD).header("accept-language", "zh")).await;
    assert_eq!((&shown["card"]["standing"], &shown["card"]["reason"]), (&json!("expired"), &json!("card_expired")));
    assert!(shown["card"]["message"].as_str().expect("a message").contains("请"), "{shown}");
    assert_eq!(refused(rig.program(Method::GET, "/api/v1/readers/..%2F/card")).await.1, "reader_unknown");
}

#[tokio::test]
async fn a_stranger_sees_no_card_and_calls_nobody() {
    let rig = Rig::start().await;
    assert_eq!(refused(rig.get(CARD)).await.0, 401);
    let call =
        rig.request(Method::POST, "/api/v1/help").header("idempotency-key", "h").json(&json!({"reader": READER}));
    assert_eq!(refused(call).await.0, 401);
    assert_eq!(rig.core.state().calls, 0);
}

#[tokio::test]
async fn a_call_needs_a_key_and_a_reader_and_takes_nothing_else() {
    let rig = Rig::start().await;
    let call = |key: &str, body: Value| {
        rig.program(Method::POST, "/api/v1/help").header("idempotency-key", key.to_owned()).json(&body)
    };
    assert_eq!(refused(rig.program(Method::POST, "/api/v1/help").json(&json!({}))).await.1, "key_missing");
    assert_eq!(refused(call("h1", json!({}))).await.1, "body_invalid");
    assert_eq!(refused(call("h1", json!({"reader": "../"}))).await.1, "reader_unknown");
    let forged = json!({"reader": READER, "kind": "sos", "urgency": "emergency", "device": "btn-0001", "by": "n1024"});
    let (status, called) = ask(call("h1", forged)).await;
    assert_eq!((status, &called), (StatusCode::OK, &json!({"id": "gw-test.desk-1.1", "state": "raised"})));
    assert_eq!(refused(rig.program(Method::GET, "/api/v1/help/btn-0001.1.42")).await.1, "alarm_unknown");
}

#[tokio::test]
async fn a_page_hears_that_a_card_was_read_and_nothing_of_what_is_on_it() {
    let rig = Rig::start().await;
    let mut stream = rig.get("/api/v1/events").send().await.expect("an answer");
    rig.kiosk.notify(Notice::Card { reader: READER.parse().expect("a name") });
    let mut text = String::new();
    while !text.contains("reader.card") {
        let chunk = tokio::time::timeout(std::time::Duration::from_secs(10), stream.chunk()).await;
        text.push_str(&String::from_utf8_lossy(&chunk.expect("in time").expect("the stream lives").expect("more")));
    }
    assert!(text.contains(r#"data: {"reader":"desk-1"}"#), "{text}");
}

#[tokio::test]
async fn g6_identities_and_prices_from_a_browser_have_no_effect() {
    let rig = Rig::start().await;
    let mut forged = lunch();
    for (key, value) in [
        ("price", json!(1)),
        ("amount", json!(1)),
        ("card", json!("00003100000012345678")),
        ("person", json!("person-0001")),
        ("by", json!("n1024")),
        ("subsidy", json!(1_000_000)),
        ("full_price", json!(1_000_000)),
        ("state", json!("paid")),
        ("balance", json!(1)),
    ] {
        forged[key] = value.clone();
        forged["items"][0][key] = value;
    }
    let (status, sale) = ask(rig.sale("k-1", &forged)).await;
    assert_eq!((status, &sale["state"], &sale["amount"]), (StatusCode::CREATED, &json!("awaiting_card"), &json!(1200)));
    assert_eq!((&sale["subsidy"], &sale["balance"]), (&json!(0), &Value::Null));
    assert_eq!(sale["card_wait_left_ms"], 90_000);
}
