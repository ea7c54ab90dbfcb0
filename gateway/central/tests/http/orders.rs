//! Orders: a snapshot for a new stream, and a long poll that wakes at once.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Centre, Journal};

fn kinds(page: &Value) -> Vec<String> {
    let orders = page["orders"].as_array().expect("a page has orders");
    orders.iter().map(|order| order["kind"].as_str().expect("an order has a kind").to_owned()).collect()
}

#[tokio::test]
async fn an_unknown_stream_starts_anew_with_everything_in_force() {
    let centre = Centre::start().await;
    let page = centre.orders("other", "", 999, 0).await;
    let kinds = kinds(&page);
    for kind in ["catalogue", "hotlist", "policy", "device.assign", "settings"] {
        assert!(kinds.iter().any(|known| known == kind), "{kind} in {kinds:?}");
    }
    let numbers: Vec<u64> =
        page["orders"].as_array().expect("orders").iter().filter_map(|order| order["k"].as_u64()).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
    let stream = page["stream"].as_str().expect("a stream");
    let rest = centre.orders("other", stream, *numbers.last().expect("some orders"), 0).await;
    assert_eq!(rest["orders"], json!([]));
    let stale = centre.orders("other", "another-database", 999, 25).await;
    assert_eq!(stale["orders"], page["orders"]);
}

/// Until the centre says that a gateway's poll waits.
async fn a_poll_waits(http: &reqwest::Client, url: &str) {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let answer = http.get(format!("{url}/metrics")).send().await.expect("the centre answers");
        if answer.text().await.expect("text").contains("central_polls_waiting 1") {
            return;
        }
        assert!(Instant::now() < deadline, "no poll waits");
    }
}

#[tokio::test]
async fn an_acknowledgement_reaches_the_gateway_that_waits_well_within_a_second() {
    let centre = Centre::start().await;
    let mut journal = Journal::new("j0000000000000001");
    journal.press("btn-0001", 42);
    centre.upload(&journal, 1..=1).await;
    let stream = centre.orders("alarms", "", 0, 0).await["stream"].as_str().expect("a stream").to_owned();
    let wait = centre.orders("alarms", &stream, 0, 25);
    let acknowledge = async {
        a_poll_waits(&centre.http, &centre.url).await;
        let path = "/api/v1/alarms/btn-0001.1.42/acknowledge";
        let (status, answer) = centre.post(path, centre.operator(0), &json!({})).await;
        assert_eq!(status, 200, "{answer}");
        Instant::now()
    };
    let (page, done) = tokio::join!(wait, acknowledge);
    assert!(done.elapsed() < Duration::from_millis(500));
    assert_eq!(page["orders"][0]["kind"], "alarm.state");
    let body = &page["orders"][0]["body"];
    assert_eq!(body["alarm"], json!({"source": "device:btn-0001", "epoch": 1, "seq": 42}));
    assert_eq!((body["state"].as_str(), body["by"].as_str()), (Some("acknowledged"), Some("op-demo")));
}

#[tokio::test]
async fn a_wait_without_orders_ends_empty_and_a_stop_ends_it() {
    let mut centre = Centre::start().await;
    let stream = centre.orders("alarms", "", 0, 0).await["stream"].as_str().expect("a stream").to_owned();
    assert_eq!(centre.orders("alarms", &stream, 0, 1).await["orders"], json!([]));
    let url = format!("{}/v1/gateways/gw-demo/orders?lane=alarms&stream={stream}&after=0&wait_s=25", centre.url);
    let (http, token) = (centre.http.clone(), centre.token().to_owned());
    let started = Instant::now();
    let waiting = tokio::spawn(async move { crate::support::answer(http.get(url).bearer_auth(token)).await });
    a_poll_waits(&centre.http, &centre.url).await;
    assert_eq!(centre.stop().await, central::app::Ended::Clean);
    assert_eq!(waiting.await.expect("the wait ends").0, 200);
    assert!(started.elapsed() < Duration::from_secs(8));
}

#[tokio::test]
async fn parameters_of_another_form_are_refused() {
    let centre = Centre::start().await;
    for query in ["", "lane=x", "lane=alarms&after=-1", "lane=alarms&wait_s=x"] {
        let url = format!("{}/v1/gateways/gw-demo/orders?{query}", centre.url);
        let (status, answer) = crate::support::answer(centre.http.get(url).bearer_auth(centre.token())).await;
        assert_eq!((status, answer["error"]["code"].as_str()), (400, Some("bad_parameter")), "{query}");
    }
}
