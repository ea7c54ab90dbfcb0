//! What is in the account of a card that lies on a reader: told for a genuine card, and nothing else happens.

use serde_json::{Value, json};

use crate::support::{Centre, Journal, answer, hold_request};

async fn ask(centre: &Centre, body: &Value) -> (u16, Value) {
    let url = format!("{}/v1/gateways/gw-demo/balances", centre.url);
    answer(centre.http.post(url).bearer_auth(centre.token()).body(body.to_string())).await
}

fn question() -> Value {
    let hold = hold_request(&json!({"source": "gateway:gw-demo", "epoch": "j1", "seq": 1}), 1250);
    json!({"v": 1, "card": hold["card"], "proof": hold["proof"]})
}

#[tokio::test]
async fn a_genuine_card_s_account_is_told_and_what_is_held_counts_as_gone() {
    let centre = Centre::start().await;
    let (status, told) = ask(&centre, &question()).await;
    assert_eq!((status, &told["account"]), (200, &json!({"balance": 50_000, "available": 50_000})));
    centre.hold(&hold_request(&Journal::new("j0000000000000001").own(), 1250)).await;
    for _ in 0..3 {
        let (_, told) = ask(&centre, &question()).await;
        assert_eq!(told["account"], json!({"balance": 50_000, "available": 48_750}), "asking holds nothing");
    }
}

#[tokio::test]
async fn nothing_is_told_of_a_copy_an_unknown_or_a_blocked_card_or_to_a_stranger() {
    let centre = Centre::start().await;
    let mut copy = question();
    copy["proof"]["response"] = json!("9c2b4dd8c4fec174");
    let mut later = question();
    later["v"] = json!(99);
    let mut odd = question();
    odd["card"] = json!("12");
    for (body, reason) in [(copy, "not_genuine"), (later, "malformed"), (odd, "malformed")] {
        let (status, told) = ask(&centre, &body).await;
        assert_eq!((status, &told["reason"], &told["account"]), (200, &json!(reason), &Value::Null));
    }
    let url = format!("{}/v1/gateways/gw-demo/balances", centre.url);
    let request = centre.http.post(&url).bearer_auth("nobody-at-all-0123456789").body(question().to_string());
    assert_eq!(answer(request).await.0, 401);
    let elsewhere = centre.http.post(url.replace("gw-demo", "gw-other")).bearer_auth(centre.token());
    let (status, _) = answer(elsewhere.body(question().to_string())).await;
    assert!([401, 403].contains(&status), "{status}");
    let card = &centre.district.cards[0].card;
    let block = centre.http.put(format!("{}/api/v1/hotlist/{card}", centre.url)).bearer_auth(centre.operator(0));
    assert_eq!(answer(block).await.0, 204);
    assert_eq!(ask(&centre, &question()).await.1["reason"], "card_blocked");
}
