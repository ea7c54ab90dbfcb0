//! Sales that a gateway left as unknown: a valid TAC settles them, or two people.

use serde_json::{Value, json};

use crate::holds::{intent, outcome};
use crate::support::{Centre, Journal, outcomes};

const ORIGIN: &str = "terminal:310000000042/00003100000000000042/42";

/// A purse sale of 10.00 with the published intent, left unknown with this TAC.
async fn unknown_sale(centre: &Centre, tac: Option<&str>) -> Journal {
    let mut journal = Journal::new("j0000000000000001");
    left_unknown(centre, &mut journal, 42, tac).await;
    journal
}

/// The same under another number of the terminal.
async fn left_unknown(centre: &Centre, journal: &mut Journal, seq: u64, tac: Option<&str>) {
    let origin = json!({"source": "terminal:310000000042", "epoch": "00003100000000000042", "seq": seq});
    let purse = json!({"counter": 7, "old_balance": 5000, "transaction_type": 6, "terminal": "310000000042",
        "psam": "00003100000000000042", "terminal_seq": 42, "date": "20261123", "time": "093000", "mac1": "7518df38",
        "key_version": 1, "algorithm": 0});
    let first = intent(journal, &origin, "purse", 1000, &purse);
    let proof = tac.map(
        |tac| json!({"tac": tac, "mac2": null, "transaction_proof": null, "log_record": null, "new_balance": null}),
    );
    let last = outcome(journal, &origin, "unknown", &proof.unwrap_or(Value::Null));
    assert_eq!(outcomes(&centre.upload(journal, first..=last).await), ["accepted"; 2]);
}

/// The orders about the sale that wait for the gateway.
async fn settled_orders(centre: &Centre) -> Vec<Value> {
    let page = centre.orders("other", "", 0, 0).await;
    let orders = page["orders"].as_array().expect("orders");
    orders.iter().filter(|order| order["kind"] == "sale.settled").map(|order| order["body"].clone()).collect()
}

async fn say(centre: &Centre, operator: usize, outcome: &str) -> (u16, Value) {
    let body = json!({"origin": ORIGIN, "outcome": outcome});
    centre.post("/api/v1/sales/settle", centre.operator(operator), &body).await
}

#[tokio::test]
async fn f1_an_unknown_sale_with_a_valid_tac_is_ordered_to_be_paid() {
    let centre = Centre::start().await;
    unknown_sale(&centre, Some("5f169176")).await;
    let orders = settled_orders(&centre).await;
    assert_eq!(orders.len(), 1);
    assert_eq!((&orders[0]["outcome"], &orders[0]["sale"]["seq"]), (&json!("paid"), &json!(42)));
    let (_, list) = centre.get("/api/v1/sales?open=1").await;
    assert_eq!(list["sales"][0]["outcome"], "unknown", "the gateway has the last word");
}

#[tokio::test]
async fn f1_without_a_valid_tac_nothing_is_guessed_until_a_proof_comes_later() {
    let centre = Centre::start().await;
    let mut journal = unknown_sale(&centre, Some("00000000")).await;
    assert_eq!(settled_orders(&centre).await, [] as [Value; 0]);
    let about = json!({"source": "terminal:310000000042", "epoch": "00003100000000000042", "seq": 42});
    let proof = json!({"tac": "5f169176", "mac2": null, "transaction_proof": null, "log_record": null,
        "new_balance": null});
    outcome(&mut journal, &about, "unknown", &proof);
    assert_eq!(outcomes(&centre.upload(&journal, 3..=3).await), ["accepted"]);
    assert_eq!(settled_orders(&centre).await.len(), 1);
}

#[tokio::test]
async fn two_people_who_say_the_same_settle_an_unknown_sale_and_one_alone_does_not() {
    let centre = Centre::start().await;
    let journal = unknown_sale(&centre, None).await;
    assert_eq!(say(&centre, 0, "refused").await.0, 400, "only paid or cancelled");
    assert_eq!(say(&centre, 0, "cancelled").await.0, 202);
    assert_eq!(say(&centre, 0, "cancelled").await.0, 202, "one person counts once");
    assert_eq!(settled_orders(&centre).await, [] as [Value; 0]);
    let (status, otherwise) = say(&centre, 1, "paid").await;
    assert_eq!((status, otherwise["error"]["code"].as_str()), (409, Some("said_otherwise")));
    assert_eq!(say(&centre, 1, "cancelled").await.0, 200);
    assert_eq!(settled_orders(&centre).await[0]["outcome"], "cancelled");
    take_over(&centre, journal).await;
    assert_eq!(settled_orders(&centre).await, [] as [Value; 0], "the answer ends the order");
    let (status, over) = say(&centre, 0, "cancelled").await;
    assert_eq!((status, over["error"]["code"].as_str()), (409, Some("not_unknown")));
}

/// The gateway takes the order over, and answers it.
async fn take_over(centre: &Centre, mut journal: Journal) {
    let page = centre.orders("other", "", 0, 0).await;
    let order = page["orders"].as_array().expect("orders").iter().find(|order| order["kind"] == "sale.settled");
    let k = order.expect("the order")["k"].clone();
    let about = json!({"source": "terminal:310000000042", "epoch": "00003100000000000042", "seq": 42});
    outcome(&mut journal, &about, "cancelled", &Value::Null);
    let own = journal.own();
    let to = json!({"source": "centre:other", "epoch": page["stream"], "seq": k});
    journal.push(&own, "order.result", &to, &json!({"kind": "sale.settled", "verdict": "done", "reason": null}));
    assert_eq!(outcomes(&centre.upload(&journal, 3..=4).await), ["accepted"; 2]);
}

/// Starts the centre again, with or without the issuer's keys.
async fn restart_with_keys(centre: &mut Centre, keys: bool) {
    let issuer = if keys { "[issuer]\nkeys = \"issuer-keys.toml\"\n" } else { "" };
    let text = format!("listen = \"127.0.0.1:0\"\ndatabase = \"central.db\"\n{issuer}");
    centre.directory.write("central.toml", &text);
    centre.restart().await;
}

/// The answer of a poll that waits until there is an order after `after`.
async fn settled_after(centre: &Centre, after: u64) -> Vec<Value> {
    let stream = centre.orders("other", "", 0, 0).await["stream"].as_str().expect("a stream").to_owned();
    let page = centre.orders("other", &stream, after, 20).await;
    let orders = page["orders"].as_array().expect("orders");
    orders.iter().map(|order| json!([order["kind"], order["body"]["outcome"]])).collect()
}

/// The number of the newest order.
async fn newest_order(centre: &Centre) -> u64 {
    let page = centre.orders("other", "", 0, 0).await;
    page["orders"].as_array().and_then(|orders| orders.last()?["k"].as_u64()).expect("orders")
}

#[tokio::test]
async fn an_unknown_sale_whose_proof_came_without_the_issuers_keys_is_judged_once_they_are_there() {
    let mut centre = Centre::start().await;
    restart_with_keys(&mut centre, false).await;
    let mut journal = unknown_sale(&centre, Some("5f169176")).await;
    assert_eq!(settled_orders(&centre).await, [] as [Value; 0]);
    let before = newest_order(&centre).await;
    restart_with_keys(&mut centre, true).await;
    assert_eq!(settled_after(&centre, before).await, [json!(["sale.settled", "paid"])]);
    assert_eq!(settled_orders(&centre).await[0]["sale"]["seq"], 42);
    // The gateway takes it over, and only now the ledger moves.
    let about = json!({"source": "terminal:310000000042", "epoch": "00003100000000000042", "seq": 42});
    let proof = json!({"tac": "5f169176", "mac2": null, "transaction_proof": null, "log_record": null,
        "new_balance": null});
    outcome(&mut journal, &about, "paid", &proof);
    assert_eq!(outcomes(&centre.upload(&journal, 3..=3).await), ["accepted"]);
    let sale = centre.get("/api/v1/sales").await.1["sales"][0].clone();
    assert_eq!((sale["outcome"].as_str(), sale["verdict"].as_str()), (Some("paid"), Some("valid")), "{sale}");
}

#[tokio::test]
async fn a_start_guesses_nothing_of_unknown_sales_and_orders_nothing_twice() {
    let mut centre = Centre::start().await;
    restart_with_keys(&mut centre, false).await;
    let mut journal = unknown_sale(&centre, Some("00000000")).await;
    left_unknown(&centre, &mut journal, 43, Some("5f169176")).await;
    for seq in [43, 44] {
        let before = newest_order(&centre).await;
        restart_with_keys(&mut centre, true).await;
        assert_eq!(settled_after(&centre, before).await, [json!(["sale.settled", "paid"])], "of {seq} alone");
        restart_with_keys(&mut centre, false).await;
        left_unknown(&centre, &mut journal, seq + 1, Some("5f169176")).await;
    }
    let settled: Vec<Value> = settled_orders(&centre).await.iter().map(|order| order["sale"]["seq"].clone()).collect();
    assert_eq!(settled, [43, 44]);
}
