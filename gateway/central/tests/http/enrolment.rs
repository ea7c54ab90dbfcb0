//! A district that nobody seeded: everything is enrolled over the interface.

use serde_json::{Value, json};

use crate::support::{Centre, answer};

async fn put(centre: &Centre, path: &str, body: &Value) -> (u16, Value) {
    let request = centre.http.put(format!("{}{path}", centre.url)).bearer_auth(centre.operator(0));
    answer(request.body(body.to_string())).await
}

fn person(name: &str) -> Value {
    json!({"name": name, "address": "示范路 9 号", "contacts": [], "conditions": []})
}

fn device(gateway: &str, heartbeat_s: u32, silent_after_s: u32) -> Value {
    json!({"kind": "button", "place": "卧室", "person": "p-9", "gateway": gateway, "heartbeat_s": heartbeat_s,
        "silent_after_s": silent_after_s})
}

#[tokio::test]
async fn a_new_gateway_gets_a_token_and_everything_in_force() {
    let centre = Centre::start().await;
    let (status, enrolled) = put(&centre, "/api/v1/gateways/gw-2", &json!({"trusted": true})).await;
    assert_eq!(status, 200, "{enrolled}");
    let token = enrolled["token"].as_str().expect("a token");
    let url = format!("{}/v1/gateways/gw-2/orders?lane=other", centre.url);
    let (status, page) = answer(centre.http.get(&url).bearer_auth(token)).await;
    assert_eq!(status, 200);
    let kinds: Vec<_> = page["orders"].as_array().expect("orders").iter().map(|order| order["kind"].clone()).collect();
    assert_eq!(kinds, ["catalogue", "policy", "hotlist"]);
    let (_, again) = put(&centre, "/api/v1/gateways/gw-2", &json!({})).await;
    assert_ne!(again["token"], enrolled["token"]);
    assert_eq!(answer(centre.http.get(&url).bearer_auth(token)).await.0, 401, "the old token is void");
}

#[tokio::test]
async fn a_device_that_moves_leaves_its_old_gateway() {
    let centre = Centre::start().await;
    put(&centre, "/api/v1/gateways/gw-2", &json!({})).await;
    assert_eq!(put(&centre, "/api/v1/people/p-9", &person("示范")).await.0, 204);
    assert_eq!(put(&centre, "/api/v1/devices/new-1", &device("gw-none", 60, 180)).await.0, 404);
    assert_eq!(put(&centre, "/api/v1/devices/new-1", &device("gw-2", 60, 60)).await.0, 400);
    assert_eq!(put(&centre, "/api/v1/devices/new-1", &device("gw-demo", 60, 180)).await.0, 204);
    let last = |page: &Value| page["orders"].as_array().and_then(|orders| orders.last()).cloned().expect("orders");
    let settings = last(&centre.orders("other", "", 0, 0).await);
    assert_eq!((&settings["kind"], &settings["body"]["device"]), (&json!("settings"), &json!("new-1")));
    assert_eq!(put(&centre, "/api/v1/devices/new-1", &device("gw-demo", 60, 180)).await.0, 204);
    assert_eq!(
        last(&centre.orders("other", "", 0, 0).await)["k"],
        settings["k"],
        "nothing changed, nothing is ordered"
    );
    assert_eq!(put(&centre, "/api/v1/devices/new-1", &device("gw-2", 60, 180)).await.0, 204);
    let unassign = last(&centre.orders("other", "", 0, 0).await);
    assert_eq!((&unassign["kind"], &unassign["body"]["device"]), (&json!("device.unassign"), &json!("new-1")));
}

#[tokio::test]
async fn a_card_belongs_to_one_person_and_its_number_is_never_in_an_answer() {
    let centre = Centre::start().await;
    put(&centre, "/api/v1/people/p-9", &person("示范")).await;
    let enrol = async |person: &str, serial: &str| {
        centre.post(&format!("/api/v1/people/{person}/cards"), centre.operator(0), &json!({"serial": serial})).await
    };
    let (status, card) = enrol("p-9", "00003100000099999999").await;
    assert_eq!(status, 200, "{card}");
    assert!(!card.to_string().contains("99999999"));
    assert_eq!(enrol("p-9", "00003100000099999999").await, (200, card));
    assert_eq!(enrol("p-9", "00003100000012345678").await.0, 409);
    assert_eq!(enrol("p-none", "00003100000099999998").await.0, 404);
    assert_eq!(enrol("p-9", "0000310000009999999A").await.0, 400);
    assert_eq!(put(&centre, "/api/v1/people/p-9", &person("改名")).await.0, 204);
    assert_eq!(centre.get("/api/v1/people/p-9").await.1["name"], "改名");
    assert_eq!(put(&centre, "/api/v1/people/bad%20ref", &person("示范")).await.0, 400);
}

#[tokio::test]
async fn a_new_operator_can_act_and_is_named() {
    let centre = Centre::start().await;
    let (status, enrolled) = put(&centre, "/api/v1/operators/op-3", &json!({})).await;
    assert_eq!(status, 200);
    let token = enrolled["token"].as_str().expect("a token");
    let (status, _) = centre.post("/api/v1/alarms/none.1.1/acknowledge", token, &json!({})).await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn the_first_operator_is_added_while_the_centre_does_not_run() {
    let mut centre = Centre::start().await;
    let path = centre.directory.0.join("central.toml");
    let config = central::config::read(&path).and_then(central::config::Unchecked::check).expect("a configuration");
    let name = || "op-first".parse().expect("a name");
    assert!(central::app::add_operator(&config, name()).await.is_err(), "the running centre has the database");
    centre.stop().await;
    let token = central::app::add_operator(&config, name()).await.expect("an operator");
    centre.run().await;
    let (status, _) = centre.post("/api/v1/alarms/none.1.1/acknowledge", token.expose(), &json!({})).await;
    assert_eq!(status, 404);
}
