//! Rules with a first day: what waits stands beside what holds, for gateways and for people.

use jiff::ToSpan as _;
use jiff::civil::Date;
use serde_json::{Value, json};

use crate::support::{Centre, answer};

/// A day from today, in the city.
fn day(offset: i64) -> String {
    let today = jiff::Timestamp::now().in_tz("Asia/Shanghai").expect("the zone is known").date();
    let day: Date = today.checked_add(offset.days()).expect("a day");
    day.to_string()
}

async fn put(centre: &Centre, from: &str, sale_max: u64) -> (u16, Value) {
    let request = centre.http.put(format!("{}/api/v1/policy", centre.url)).bearer_auth(centre.operator(0));
    answer(request.body(json!({"from": from, "sale_max": sale_max}).to_string())).await
}

/// First day and cap of the rules that a gateway without a known stream is told.
async fn ordered(centre: &Centre) -> Vec<(String, u64)> {
    let page = centre.orders("other", "", 0, 0).await;
    let orders = page["orders"].as_array().expect("orders").iter().filter(|order| order["kind"] == "policy");
    let mut orders: Vec<_> = orders.map(|order| read(&order["body"])).collect();
    orders.sort();
    orders
}

fn read(policy: &Value) -> (String, u64) {
    (policy["from"].as_str().expect("a day").to_owned(), policy["sale_max"].as_u64().expect("an amount"))
}

/// The rules that people read: those that hold, and those that wait.
async fn shown(centre: &Centre) -> ((String, u64), Vec<(String, u64)>) {
    let (status, policy) = centre.get("/api/v1/policy").await;
    assert_eq!(status, 200, "{policy}");
    (read(&policy), policy["waiting"].as_array().expect("a list").iter().map(read).collect())
}

#[tokio::test]
async fn rules_for_a_later_day_wait_beside_those_that_hold() {
    let centre = Centre::start().await;
    let before = shown(&centre).await.0;
    let (soon, later) = (day(2), day(30));
    for (from, sale_max) in [(&later, 300), (&soon, 200), (&soon, 250)] {
        assert_eq!(put(&centre, from, sale_max).await.0, 200);
    }
    let waiting = vec![(soon, 250), (later, 300)];
    assert_eq!(shown(&centre).await, (before.clone(), waiting.clone()), "of one day the newest");
    assert_eq!(ordered(&centre).await, [vec![before], waiting.clone()].concat());
    let now = (day(0), 150);
    assert_eq!(put(&centre, &now.0, now.1).await.0, 200);
    assert_eq!(shown(&centre).await, (now.clone(), waiting.clone()));
    assert_eq!(ordered(&centre).await, [vec![now], waiting].concat(), "what is over is not told any more");
}

#[tokio::test]
async fn rules_that_would_never_hold_are_refused() {
    let centre = Centre::start().await;
    assert_eq!(put(&centre, &day(-1), 100).await.0, 200);
    let (status, over) = put(&centre, &day(-2), 100).await;
    assert_eq!((status, over["error"]["code"].as_str()), (409, Some("policy_over")));
    assert_eq!(put(&centre, "-000001-01-01", 100).await.0, 400, "no day that a gateway can keep");
    assert_eq!(put(&centre, &day(-1), 120).await.0, 200, "what holds may be corrected");
    assert_eq!(shown(&centre).await, ((day(-1), 120), Vec::new()));
}

#[tokio::test]
async fn as_many_rules_wait_as_a_gateway_keeps() {
    let centre = Centre::start().await;
    for offset in 1..=24 {
        assert_eq!(put(&centre, &day(offset * 30), 100).await.0, 200);
    }
    let (status, full) = put(&centre, &day(999), 100).await;
    assert_eq!((status, full["error"]["code"].as_str()), (409, Some("too_many_policies")));
    assert_eq!(put(&centre, &day(30), 200).await.0, 200, "one of them may be changed");
    assert_eq!(put(&centre, &day(0), 200).await.0, 200, "and what holds");
}
