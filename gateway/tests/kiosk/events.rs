//! Server-sent events.

use std::time::Duration;

use gateway::adapter::kiosk::limits::{EVENT_STREAMS_MAX, NOTICES_KEPT};
use gateway_core::{Notice, ReaderState};
use protocols::device::AlarmState;
use reqwest::Response;

use crate::desk_rig::{Rig, ask, lunch, refused};
use crate::fake_core::READER;

async fn open(rig: &Rig) -> Response {
    let response = rig.get("/api/v1/events").send().await.expect("a stream");
    assert_eq!(response.status(), 200);
    response
}

/// Reads until `wanted` stands in the stream.
async fn until(response: &mut Response, wanted: &str) -> String {
    let mut text = String::new();
    let read = async {
        while !text.contains(wanted) {
            let chunk = response.chunk().await.expect("the stream goes on").expect("the stream has not ended");
            text.push_str(&String::from_utf8_lossy(&chunk));
        }
    };
    tokio::time::timeout(Duration::from_secs(10), read).await.unwrap_or_else(|_| panic!("no {wanted}"));
    text
}

#[tokio::test]
async fn every_notice_arrives_under_its_name() {
    let rig = Rig::start().await;
    let mut stream = open(&rig).await;
    let reader = READER.parse().expect("a reader's name");
    rig.kiosk.notify(Notice::Reader { reader, state: ReaderState::Card });
    rig.kiosk.notify(Notice::Alarm { alarm: "btn-0001.1.42".to_owned(), state: AlarmState::Dispatched });
    rig.kiosk.notify(Notice::Device { device: "btn-0001".parse().expect("a device's name") });
    rig.kiosk.notify(Notice::Uplink { online: false });
    let text = until(&mut stream, "\"online\":false").await;
    for part in [
        "event: reader.changed\ndata: {\"reader\":\"desk-1\",\"state\":\"card\"}",
        "event: alarm.changed\ndata: {\"alarm\":\"btn-0001.1.42\",\"state\":\"dispatched\"}",
        "event: device.changed\ndata: {\"device\":\"btn-0001\"}",
        "event: uplink.changed\ndata: {\"online\":false}",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[tokio::test]
async fn a_sale_is_told_without_amount_and_balance() {
    let rig = Rig::start().await;
    let mut stream = open(&rig).await;
    let (_, sale) = ask(rig.sale("k", &lunch())).await;
    let id = sale["id"].as_str().expect("an id");
    rig.core.end_sale(&rig.kiosk, id, "paid", None, Some(98_765));
    let text = until(&mut stream, "\"paid\"").await;
    assert!(text.contains("event: sale.changed") && text.contains(id));
    assert!(!text.contains("98765") && !text.contains("1200"), "{text}");
}

#[tokio::test]
async fn a_page_that_lagged_behind_is_told_to_load_everything_anew() {
    let rig = Rig::start().await;
    let mut stream = open(&rig).await;
    for n in 0..NOTICES_KEPT * 400 {
        rig.kiosk.notify(Notice::Uplink { online: n % 2 == 0 });
    }
    rig.kiosk.notify(Notice::Device { device: "last".parse().expect("a device's name") });
    let text = until(&mut stream, "\"last\"").await;
    assert!(text.contains("event: resync\ndata: {}"));
}

#[tokio::test]
async fn more_streams_than_the_limit_are_refused_and_closed_ones_make_room() {
    let rig = Rig::start().await;
    let mut streams = Vec::new();
    for _ in 0..EVENT_STREAMS_MAX {
        streams.push(open(&rig).await);
    }
    assert_eq!(refused(rig.get("/api/v1/events")).await, (503, "busy".to_owned()));
    streams.pop();
    let again = async {
        loop {
            rig.kiosk.notify(Notice::Uplink { online: true });
            let response = rig.get("/api/v1/events").send().await.expect("an answer");
            if response.status() == 200 {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), again).await.expect("room for one more");
}

#[tokio::test]
async fn the_end_of_the_daemon_ends_the_streams() {
    let rig = Rig::start().await;
    let mut stream = open(&rig).await;
    let _dir = rig.stop();
    let ended = async { while let Ok(Some(_)) = stream.chunk().await {} };
    tokio::time::timeout(Duration::from_secs(4), ended).await.expect("the stream ends");
}
