//! What people read and decide: accounts, grants, hotlist, catalogue, gateways, settlements, conflicts.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::holds::{intent, outcome};
use crate::support::{Centre, Journal, answer, device_origin, hold_request, outcomes};

async fn grant(centre: &Centre, person: &str, key: &str, body: &Value) -> (u16, Value) {
    let url = format!("{}/api/v1/accounts/{person}/grants", centre.url);
    let request = centre.http.post(url).bearer_auth(centre.operator(0)).header("Idempotency-Key", key);
    answer(request.body(body.to_string())).await
}

async fn balance(centre: &Centre) -> (i64, i64) {
    let (_, account) = centre.get("/api/v1/accounts/person-0001").await;
    (account["balance"].as_i64().expect("a balance"), account["available"].as_i64().expect("what is available"))
}

#[tokio::test]
async fn a_grant_counts_once_by_its_key() {
    let centre = Centre::start().await;
    assert_eq!(grant(&centre, "person-0001", "k1", &json!({"amount": 100})).await.0, 201);
    assert_eq!(grant(&centre, "person-0001", "k1", &json!({"amount": 100})).await.0, 200);
    assert_eq!(grant(&centre, "person-0001", "k1", &json!({"amount": 101})).await.0, 409);
    assert_eq!(grant(&centre, "person-0002", "k1", &json!({"amount": 100})).await.0, 409);
    assert_eq!(grant(&centre, "person-none", "k2", &json!({"amount": 100})).await.0, 404);
    assert_eq!(grant(&centre, "person-0001", "", &json!({"amount": 100})).await.0, 400);
    assert_eq!(balance(&centre).await, (50_100, 50_100));
}

#[tokio::test]
async fn g1_g3_grants_of_nothing_or_beyond_the_range_are_refused() {
    let centre = Centre::start().await;
    for amount in [json!(-1), json!("5"), json!(1.5), json!(9_007_199_254_740_992_u64), Value::Null] {
        assert_eq!(grant(&centre, "person-0001", "k", &json!({"amount": amount})).await.0, 400, "{amount}");
    }
    assert_eq!(grant(&centre, "person-0001", "k", &json!({"amount": 0})).await.0, 422);
    assert_eq!(grant(&centre, "person-0001", "k", &json!({"amount": 9_007_199_254_740_991_u64})).await.0, 422);
    assert_eq!(grant(&centre, "person-0001", "k", &json!({"amount": 1, "currency": "CNY"})).await.0, 400, "G2");
    assert_eq!(balance(&centre).await, (50_000, 50_000));
}

#[tokio::test]
async fn a_person_their_card_and_their_devices_are_shown_without_the_cards_number() {
    let centre = Centre::start().await;
    let (status, person) = centre.get("/api/v1/people/person-0001").await;
    assert_eq!(status, 200);
    assert_eq!(person["devices"][0]["device"], "btn-0001");
    assert!(person["cards"][0]["card"].as_str().is_some_and(|card| card.starts_with("card-")));
    for path in ["/api/v1/people/person-0001", "/api/v1/sales", "/api/v1/accounts/person-0001", "/api/v1/hotlist"] {
        assert!(!centre.get(path).await.1.to_string().contains("12345678"), "{path}");
    }
    assert_eq!(centre.get("/api/v1/people/nobody").await.0, 404);
}

#[tokio::test]
async fn a_card_on_the_hotlist_holds_nothing_and_gateways_hear_of_it_at_once() {
    let centre = Centre::start().await;
    let page = centre.orders("other", "", 0, 0).await;
    let last = page["orders"].as_array().and_then(|orders| orders.last()).expect("orders")["k"].as_u64().expect("k");
    let card = &centre.district.cards[0].card;
    let url = format!("{}/api/v1/hotlist/{card}", centre.url);
    assert_eq!(answer(centre.http.put(&url).bearer_auth(centre.operator(0))).await.0, 204);
    let news = centre.orders("other", page["stream"].as_str().expect("a stream"), last, 5).await;
    let order = &news["orders"][0];
    assert_eq!(order["kind"], "hotlist");
    assert_eq!(order["body"]["cards"], json!([keyed(&order["body"]["salt"], "00003100000012345678")]));
    let origin = Journal::new("j0000000000000001").own();
    assert_eq!(centre.hold(&hold_request(&origin, 1250)).await["reason"], "card_blocked");
    let person = format!("{}/api/v1/hotlist/person-0001", centre.url);
    assert_eq!(answer(centre.http.delete(person).bearer_auth(centre.operator(0))).await.0, 204);
    assert_eq!(centre.hold(&hold_request(&origin, 1250)).await["outcome"], "held");
    let nobody = format!("{}/api/v1/hotlist/nobody", centre.url);
    assert_eq!(answer(centre.http.put(nobody).bearer_auth(centre.operator(0))).await.0, 404);
}

fn keyed(salt: &Value, serial: &str) -> String {
    use hmac::{Hmac, KeyInit as _, Mac as _};
    let key = hex::decode(salt.as_str().expect("a salt")).expect("hex");
    let mac = Hmac::<sha2::Sha256>::new_from_slice(&key).expect("any key will do").chain_update(serial);
    hex::encode(mac.finalize().into_bytes())
}

#[tokio::test]
async fn a_new_catalogue_is_checked_and_ordered_from_the_gateways() {
    let centre = Centre::start().await;
    let (_, old) = centre.get("/api/v1/catalogue").await;
    let put = async |body: Value| {
        let request = centre.http.put(format!("{}/api/v1/catalogue", centre.url)).bearer_auth(centre.operator(0));
        answer(request.body(body.to_string())).await
    };
    let mut service = json!({"id": "meal-lunch", "provider": "canteen-01", "category": "meal", "name_zh": "午餐",
        "name_en": "Lunch", "price": 1300});
    let mut free = service.clone();
    free["price"] = json!(0);
    assert_eq!(put(json!({"services": [free]})).await.0, 422);
    assert_eq!(put(json!({"services": [service, service]})).await.0, 422);
    for (key, wrong) in [("full_price", json!(1299)), ("description_en", json!("x".repeat(201)))] {
        let mut odd = service.clone();
        odd[key] = wrong;
        let (status, said) = put(json!({"services": [odd]})).await;
        assert_eq!((status, &said["error"]["code"]), (422, &json!("catalogue")), "{key}: {said}");
    }
    service["full_price"] = json!(1800);
    service["picture"] = json!("meal");
    service["description_zh"] = json!("一荤两素");
    let (status, published) = put(json!({"services": [service]})).await;
    assert_eq!(status, 200, "{published}");
    assert!(published["version"].as_u64() > old["version"].as_u64());
    let page = centre.orders("other", "", 0, 0).await;
    let orders = page["orders"].as_array().expect("orders");
    let catalogues: Vec<_> = orders.iter().filter(|order| order["kind"] == "catalogue").collect();
    assert_eq!(catalogues.len(), 1, "only the newest is in the snapshot");
    assert_eq!(catalogues[0]["body"]["services"], json!([service]));
    let policy = centre.http.put(format!("{}/api/v1/policy", centre.url)).bearer_auth(centre.operator(0));
    let body = json!({"from": "2026-02-30", "sale_max": 100}).to_string();
    assert_eq!(answer(policy.body(body)).await.0, 400);
}

#[tokio::test]
async fn a_new_journal_sells_again_once_a_person_approved_it() {
    let centre = Centre::start().await;
    let mut journal = Journal::new("j0000000000000001");
    journal.press("btn-0001", 1);
    centre.upload(&journal, 1..=1).await;
    let mut second = Journal::new("j0000000000000002");
    second.press("btn-0001", 2);
    centre.upload(&second, 1..=1).await;
    let gateway = centre.get("/api/v1/gateways").await.1["gateways"][0].clone();
    assert_eq!((gateway["sales"].as_str(), gateway["closed_reason"].as_str()), (Some("closed"), Some("journal_new")));
    assert_eq!((gateway["chain"].as_str(), gateway["head"]["n"].as_u64()), (Some("sound"), Some(1)));
    assert_eq!(centre.post(APPROVE, centre.token(), &json!({})).await.0, 401, "a gateway does not approve itself");
    assert_eq!(centre.post(APPROVE, centre.operator(0), &json!({})).await.0, 200);
    assert_eq!(centre.hold(&hold_request(&second.own(), 1250)).await["outcome"], "held");
    // The one that was left behind comes back: a second box with the same identity.
    centre.upload(&journal, 1..=1).await;
    assert_eq!(centre.get("/api/v1/gateways").await.1["gateways"][0]["closed_reason"], "journal_back");
}

const APPROVE: &str = "/api/v1/gateways/gw-demo/approve";

/// A15.
#[tokio::test]
async fn a15_a_restored_gateway_goes_on_with_its_own_branch_once_a_person_approved_it() {
    let centre = Centre::start().await;
    let mut journal = Journal::new("j0000000000000001");
    for seq in 1..=6 {
        journal.press("btn-0001", seq);
    }
    centre.upload(&journal, 1..=6).await;
    let mut restored = Journal::new("j0000000000000001");
    restored.entries = journal.entries[..3].to_vec();
    for seq in 101..=105 {
        let own = restored.own();
        restored.push(&own, "later.kind", &Value::Null, &json!({"seq": seq}));
    }
    restored.press("btn-0002", 1);
    // Alarms first, then the rest, as lanes do.
    assert_eq!(outcomes(&centre.upload(&restored, 9..=9).await), ["accepted"]);
    assert_eq!(
        outcomes(&centre.upload(&restored, 4..=8).await),
        ["refused:number_used", "refused:number_used", "refused:number_used", "refused:chain", "accepted"]
    );
    let gateway = centre.get("/api/v1/gateways").await.1["gateways"][0].clone();
    assert_eq!((gateway["chain"].as_str(), gateway["sales"].as_str()), (Some("forked"), Some("closed")));
    assert_eq!(centre.post(APPROVE, centre.operator(0), &json!({})).await.0, 200);
    let gateway = centre.get("/api/v1/gateways").await.1["gateways"][0].clone();
    assert_eq!((gateway["chain"].as_str(), gateway["sales"].as_str()), (Some("sound"), Some("open")));
    assert_eq!(gateway["head"], json!({"n": 9, "hash": hex::encode(restored.hash(9))}));
    restored.press("btn-0002", 2);
    let next = centre.upload(&restored, 10..=10).await;
    assert_eq!((outcomes(&next), next.head.map(|head| head.n)), (vec!["accepted".to_owned()], Some(10)));
    let (_, alarms) = centre.get("/api/v1/alarms?open=1").await;
    assert_eq!(alarms["alarms"].as_array().map(Vec::len), Some(8), "no alarm of either branch is gone");
}

/// A gateway that was restored from a copy after three entries, and then took a purse sale: with its outcome entries
/// 4 and 5, whose numbers the centre knows from before, and one more.
async fn restored_with_a_sale(centre: &Centre) -> Journal {
    let mut journal = Journal::new("j0000000000000001");
    for seq in 1..=6 {
        journal.press("btn-0001", seq);
    }
    centre.upload(&journal, 1..=6).await;
    let mut restored = Journal::new("j0000000000000001");
    restored.entries = journal.entries[..3].to_vec();
    purse_sale(&mut restored, "5f169176");
    let own = restored.own();
    restored.push(&own, "later.kind", &Value::Null, &json!({}));
    restored
}

async fn is_paid(centre: &Centre) -> bool {
    let (_, sales) = centre.get("/api/v1/sales?card=person-0001").await;
    let (_, settlement) = centre.get(&format!("/api/v1/settlements/canteen-01/{}", today())).await;
    let is_paid = sales["sales"][0]["verdict"] == "valid" && sales["sales"][0]["settled"] == true;
    assert_eq!(settlement["total"], if is_paid { 1000 } else { 0 });
    is_paid
}

/// A15.
#[tokio::test]
async fn a15_a_sale_that_was_refused_while_its_chain_was_forked_counts_once_it_is_approved() {
    let centre = Centre::start().await;
    let restored = restored_with_a_sale(&centre).await;
    assert_eq!(outcomes(&centre.upload(&restored, 4..=6).await), ["refused:number_used"; 3]);
    assert!(!is_paid(&centre).await);
    assert_eq!(centre.get("/api/v1/conflicts").await.1["entries"].as_array().map(Vec::len), Some(3));
    assert_eq!(centre.post(APPROVE, centre.operator(0), &json!({})).await.0, 200);
    assert!(is_paid(&centre).await);
    assert_eq!(centre.get("/api/v1/conflicts").await.1["entries"], json!([]), "nothing is left to look at");
    assert_eq!(outcomes(&centre.upload(&restored, 4..=6).await), ["duplicate"; 3]);
    assert!(is_paid(&centre).await);
    assert_eq!(balance(&centre).await, (50_000, 50_000));
}

/// A15.
#[tokio::test]
async fn a15_a_refused_sale_whose_predecessor_comes_after_the_approval_counts_with_the_next_one() {
    let centre = Centre::start().await;
    let restored = restored_with_a_sale(&centre).await;
    assert_eq!(outcomes(&centre.upload(&restored, 5..=5).await), ["refused:number_used"]);
    assert_eq!(centre.post(APPROVE, centre.operator(0), &json!({})).await.0, 200);
    assert!(!is_paid(&centre).await, "its intent is not here");
    assert_eq!(outcomes(&centre.upload(&restored, 4..=4).await), ["refused:number_used"]);
    assert_eq!(centre.post(APPROVE, centre.operator(0), &json!({})).await.0, 200);
    assert!(is_paid(&centre).await);
    let results = centre.upload(&restored, 4..=6).await;
    assert_eq!(outcomes(&results), ["duplicate", "duplicate", "accepted"]);
    assert_eq!(results.head.map(|head| head.n), Some(6));
}

/// A15.
#[tokio::test]
async fn a15_an_entry_that_was_changed_on_the_way_is_not_taken_with_the_approval() {
    let centre = Centre::start().await;
    let restored = restored_with_a_sale(&centre).await;
    let mut changed = restored.upload(5);
    changed.entry = changed.entry.replace("4000", "4001");
    assert_ne!(changed.entry, restored.entries[4].0);
    let entries = vec![restored.upload(4), changed];
    assert_eq!(outcomes(&centre.upload_all(restored.name, entries).await), ["refused:number_used"; 2]);
    assert_eq!(centre.post(APPROVE, centre.operator(0), &json!({})).await.0, 200);
    let (_, sales) = centre.get("/api/v1/sales?card=person-0001").await;
    assert_eq!((&sales["sales"][0]["tender"], &sales["sales"][0]["outcome"]), (&json!("purse"), &Value::Null));
    assert!(!is_paid(&centre).await);
}

/// A purse sale of one lunch for 10.00 with the published TAC, or another.
fn purse_sale(journal: &mut Journal, tac: &str) -> Value {
    let origin = purse_intent(journal);
    let proof = json!({"tac": tac, "mac2": "bf4eac96", "transaction_proof": null, "log_record": null,
        "new_balance": 4000});
    outcome(journal, &origin, "paid", &proof);
    origin
}

fn purse_intent(journal: &mut Journal) -> Value {
    let origin = json!({"source": "terminal:310000000042", "epoch": "00003100000000000042", "seq": 42});
    let purse = json!({"counter": 7, "old_balance": 5000, "transaction_type": 6, "terminal": "310000000042",
        "psam": "00003100000000000042", "terminal_seq": 42, "date": "20261123", "time": "093000", "mac1": "7518df38",
        "key_version": 1, "algorithm": 0});
    intent(journal, &origin, "purse", 1000, &purse);
    origin
}

fn today() -> String {
    central::store::Now::read().day
}

#[tokio::test]
async fn a_purse_that_paid_is_owed_to_its_provider_once_its_tac_is_valid() {
    for (tac, verdict, total, without_proof) in [("5f169176", "valid", 1000, 0), ("00000000", "invalid", 0, 1000)] {
        let centre = Centre::start().await;
        crate::holds::publish(&centre, 1000).await;
        let mut journal = Journal::new("j0000000000000001");
        purse_sale(&mut journal, tac);
        // The outcome overtakes the intent.
        centre.upload(&journal, 2..=2).await;
        centre.upload(&journal, 1..=2).await;
        let (_, sales) = centre.get("/api/v1/sales?card=person-0001").await;
        assert_eq!(sales["sales"][0]["verdict"], verdict);
        assert_eq!(sales["sales"][0]["settled"], true);
        let (_, settlement) = centre.get(&format!("/api/v1/settlements/canteen-01/{}", today())).await;
        assert_eq!((&settlement["total"], &settlement["without_proof"]), (&json!(total), &json!(without_proof)));
        assert_eq!(balance(&centre).await, (50_000, 50_000), "a purse pays, not the account");
        let doubts = centre.get("/api/v1/conflicts").await.1["sales"].as_array().map(Vec::len);
        assert_eq!(doubts, Some(usize::from(verdict == "invalid")));
    }
}

#[tokio::test]
async fn a_valid_tac_in_the_cards_transaction_proof_settles_a_sale_left_unknown() {
    for early in [true, false] {
        let centre = Centre::start().await;
        let mut journal = Journal::new("j0000000000000001");
        let origin = purse_intent(&mut journal);
        let proof = |proof: &str| {
            json!({"tac": null, "mac2": null, "transaction_proof": proof, "log_record": null,
            "new_balance": null})
        };
        outcome(&mut journal, &origin, "unknown", &Value::Null);
        outcome(&mut journal, &origin, "unknown", &proof("0102030405060708"));
        if early {
            // The outcomes overtake the intent.
            centre.upload(&journal, 2..=3).await;
        }
        centre.upload(&journal, 1..=3).await;
        let sale = async || centre.get("/api/v1/sales?card=person-0001").await.1["sales"][0].clone();
        assert_eq!(sale().await["outcome"], "unknown", "another TAC proves nothing");
        outcome(&mut journal, &origin, "unknown", &proof("010203045f169176"));
        centre.upload(&journal, 4..=4).await;
        let orders = centre.orders("other", "", 0, 0).await;
        let told = orders["orders"].as_array().and_then(|orders| orders.last()).expect("an order");
        assert_eq!((&told["kind"], &told["body"]["outcome"]), (&json!("sale.settled"), &json!("paid")));
        assert_eq!(told["body"]["sale"], origin);
    }
}

#[tokio::test]
async fn debits_that_waited_for_keys_are_proved_when_the_centre_starts_with_them() {
    let mut centre = Centre::start_with("").await;
    let mut journal = Journal::new("j0000000000000001");
    purse_sale(&mut journal, "5f169176");
    centre.upload(&journal, 1..=2).await;
    assert_eq!(centre.get("/api/v1/sales").await.1["sales"][0]["verdict"], "pending");
    let keys = "dik = \"303132333435363738393A3B3C3D3E3F\"\ndtk = \"202122232425262728292A2B2C2D2E2F\"\n";
    centre.directory.write("keys.toml", keys);
    let text = "listen = \"127.0.0.1:0\"\ndatabase = \"central.db\"\n[issuer]\nkeys = \"keys.toml\"\n";
    centre.directory.write("central.toml", text);
    centre.restart().await;
    let proved = async {
        while centre.get("/api/v1/sales").await.1["sales"][0]["verdict"] != "valid" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), proved).await.expect("the debit is proved");
    let (_, settlement) = centre.get(&format!("/api/v1/settlements/canteen-01/{}", today())).await;
    assert_eq!((&settlement["total"], &settlement["proved"]["amount"]), (&json!(1000), &json!(1000)));
    assert_eq!(settlement["without_proof"], 0);
}

#[tokio::test]
async fn a_settlement_adds_up_the_sales_of_a_provider_and_day() {
    let centre = Centre::start().await;
    let mut journal = Journal::new("j0000000000000001");
    for _ in 0..3 {
        let sale = journal.own();
        centre.hold(&hold_request(&sale, 1250)).await;
        intent(&mut journal, &sale, "account", 1250, &Value::Null);
        outcome(&mut journal, &sale, "paid", &Value::Null);
    }
    centre.upload(&journal, 1..=6).await;
    let (_, settlement) = centre.get(&format!("/api/v1/settlements/canteen-01/{}", today())).await;
    assert_eq!(settlement["account"], json!({"count": 3, "amount": 3750}));
    assert_eq!(settlement["lines"].as_array().map(Vec::len), Some(3));
    let (_, other) = centre.get(&format!("/api/v1/settlements/rehab-01/{}", today())).await;
    assert_eq!(other["total"], 0);
    for bad in ["2026-13-01", "today", "2026-1-1"] {
        assert_eq!(centre.get(&format!("/api/v1/settlements/canteen-01/{bad}")).await.0, 400, "{bad}");
    }
}

#[tokio::test]
async fn what_was_not_taken_is_shown_with_its_reason() {
    let centre = Centre::start().await;
    let mut journal = Journal::new("j0000000000000001");
    journal.entries.push(("{broken".to_owned(), None));
    journal.push(&device_origin("btn-0001", 1, 9), "device.reported", &Value::Null, &json!({}));
    centre.upload(&journal, 1..=2).await;
    centre.upload(&journal, 1..=2).await;
    let (_, conflicts) = centre.get("/api/v1/conflicts").await;
    let reasons: Vec<_> =
        conflicts["entries"].as_array().expect("entries").iter().map(|entry| entry["reason"].clone()).collect();
    assert_eq!(reasons, ["body", "unreadable"], "each once, the newest first");
}

#[tokio::test]
async fn a_hold_is_given_back_by_two_people_and_not_by_one() {
    let centre = Centre::start().await;
    let mut journal = Journal::new("j0000000000000001");
    let sale = journal.own();
    centre.hold(&hold_request(&sale, 1250)).await;
    let body = json!({"origin": "gateway:gw-demo/j0000000000000001/1"});
    for _ in 0..2 {
        assert_eq!(centre.post("/api/v1/holds/release", centre.operator(0), &body).await.0, 202);
    }
    assert_eq!(balance(&centre).await, (50_000, 48_750));
    assert_eq!(centre.post("/api/v1/holds/release", centre.operator(1), &body).await.0, 200);
    assert_eq!(centre.post("/api/v1/holds/release", centre.operator(1), &body).await.0, 200);
    assert_eq!(balance(&centre).await, (50_000, 50_000));
    intent(&mut journal, &sale, "account", 1250, &Value::Null);
    outcome(&mut journal, &sale, "paid", &Value::Null);
    assert_eq!(outcomes(&centre.upload(&journal, 1..=2).await), ["accepted"; 2]);
    assert_eq!(balance(&centre).await, (50_000, 50_000), "a contradiction moves nothing");
    assert_eq!(centre.get("/api/v1/conflicts").await.1["sales"][0]["what"], "outcome_differs");
}

#[tokio::test]
async fn the_demonstration_made_twice_is_made_once() {
    let mut centre = Centre::start().await;
    centre.stop().await;
    let path = centre.directory.0.join("central.toml");
    let unchecked = central::config::read(&path).expect("the configuration is well");
    let again = central::seed::run(unchecked).await.expect("the demonstration can be made again");
    assert_eq!(again.gateway.token, centre.district.gateway.token);
    assert_eq!(again.cards[0].card, centre.district.cards[0].card);
    centre.run().await;
    assert_eq!(balance(&centre).await, (50_000, 50_000));
    let page = centre.orders("other", "", 0, 0).await;
    let catalogues = page["orders"].as_array().expect("orders").iter().filter(|o| o["kind"] == "catalogue").count();
    assert_eq!(catalogues, 1);
}

#[tokio::test]
async fn health_readiness_metrics_and_the_board_are_served() {
    let centre = Centre::start().await;
    for path in ["/healthz", "/readyz", "/", "/board/board.js", "/api/openapi.json"] {
        assert_eq!(centre.get(path).await.0, 200, "{path}");
    }
    let metrics = centre.get("/metrics").await.1;
    assert!(metrics.as_str().is_some_and(|text| text.contains("central_commits_total")), "{metrics}");
    assert_eq!(centre.get("/board/../Cargo.toml").await.0, 404);
    assert_eq!(centre.get("/board/%2e%2e/Cargo.toml").await.0, 404);
}

#[tokio::test]
async fn e7_on_loopback_too_nothing_about_a_person_is_told_without_a_token() {
    let centre = Centre::start().await;
    let mut journal = Journal::new("j0000000000000001");
    journal.press("btn-0001", 1);
    let sale = journal.own();
    centre.hold(&hold_request(&sale, 1250)).await;
    intent(&mut journal, &sale, "account", 1250, &Value::Null);
    outcome(&mut journal, &sale, "paid", &Value::Null);
    assert_eq!(outcomes(&centre.upload(&journal, 1..=3).await), ["accepted"; 3]);
    let card = centre.district.cards[0].card.clone();
    let blocked = centre.http.put(format!("{}/api/v1/hotlist/{card}", centre.url)).bearer_auth(centre.operator(0));
    assert_eq!(answer(blocked).await.0, 204);
    let about = ["王秀英", "示范街道", "示范联系人", "person-0001", "btn-0001", "卧室", "12345678", card.as_str()];
    let mut told = 0;
    for (method, path) in central::api::routes() {
        if method != "GET" || path.starts_with("/board/") {
            continue;
        }
        let path = path
            .replace("{gateway}", "gw-demo")
            .replace("{id}", "btn-0001.1.1")
            .replace("{ref}", "person-0001")
            .replace("{provider}", "canteen-01")
            .replace("{day}", &today());
        let (status, text) = centre.get_as_nobody(&path).await;
        let text = text.to_string();
        for secret in about {
            assert!(!text.contains(secret), "{path} tells {secret} to nobody known");
        }
        if status == 401 && path.starts_with("/api/") && !path.ends_with("/events") {
            let (_, known) = centre.get(&path).await;
            told += usize::from(about.iter().any(|secret| known.to_string().contains(secret)));
        }
    }
    assert!(told >= 7, "operators read about people at {told} addresses");
    for path in ["/", "/healthz", "/readyz", "/metrics", "/api/openapi.json"] {
        assert_eq!(centre.get_as_nobody(path).await.0, 200, "{path}");
    }
}

#[tokio::test]
async fn personal_data_lies_in_files_that_only_their_owner_reads() {
    let centre = Centre::start().await;
    for name in ["central.db", "central.db-wal", "central.db-shm"] {
        let found = std::fs::metadata(centre.directory.0.join(name)).expect("SQLite has it open");
        assert_eq!(found.permissions().mode() & 0o777, 0o600, "{name}");
    }
}
