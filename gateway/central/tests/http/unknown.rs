//! Sales that a gateway left as unknown: a valid TAC settles them, or two people.

use serde_json::{Value, json};

use crate::holds::{intent, outcome};
use crate::support::{Centre, Journal, outcomes};

const ORIGIN: &str = "terminal:310000000042/00003100000000000042/42";

/// A purse sale of 10.00 with the published intent, left unknown with this TAC.
async fn unknown_sale(centre: &Centre, tac: Option<&str>) -> Journal {
    let mut journal = Journal::new("j0000000000000001");
    let origin = json!({"source": "terminal:310000000042", "epoch": "00003100000000000042", "seq": 42});
    let purse = json!({"counter": 7, "old_balance": 5000, "transaction_type": 6, "terminal": "310000000042",
        "psam": "00003100000000000042", "terminal_seq": 42, "date": "20261123", "time": "093000", "mac1": "7518df38",
        "key_version": 1, "algorithm": 0});
    intent(&mut journal, &origin, "purse", 1000, &purse);
    let proof = tac.map(
        |tac| json!({"tac": tac, "mac2": null, "transaction_proof": null, "log_record": null, "new_balance": null}),
    );
    outcome(&mut journal, &origin, "unknown", &proof.unwrap_or(Value::Null));
    assert_eq!(outcomes(&centre.upload(&journal, 1..=2).await), ["accepted"; 2]);
    journal
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
