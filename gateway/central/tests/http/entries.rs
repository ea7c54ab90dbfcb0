//! Entries: idempotent by origin, chained, and one bad one never blocks the others.

use serde_json::{Value, json};

use crate::support::{Centre, Journal, alarm_body, device_origin, entry, head, outcomes};
use protocols::uplink::EntryUpload;

fn filled(presses: u64) -> Journal {
    let mut journal = Journal::new("j0000000000000001");
    for seq in 1..=presses {
        journal.press("btn-0001", seq);
    }
    journal
}

#[tokio::test]
async fn an_entry_is_accepted_once_and_a_duplicate_afterwards() {
    let mut centre = Centre::start().await;
    let journal = filled(3);
    let first = centre.upload(&journal, 1..=3).await;
    assert_eq!(outcomes(&first), ["accepted"; 3]);
    assert_eq!(head(&first), (3, hex::encode(journal.hash(3))));
    assert_eq!(outcomes(&centre.upload(&journal, 1..=3).await), ["duplicate"; 3]);
    centre.restart().await;
    let again = centre.upload(&journal, 2..=3).await;
    assert_eq!(outcomes(&again), ["duplicate"; 2]);
    assert_eq!(head(&again).0, 3);
    let (_, alarms) = centre.get("/api/v1/alarms?open=1").await;
    assert_eq!(alarms["alarms"].as_array().map(Vec::len), Some(3));
}

#[tokio::test]
async fn acceptance_does_not_wait_for_the_head_and_the_head_catches_up() {
    let centre = Centre::start().await;
    let journal = filled(6);
    let late = centre.upload(&journal, 5..=6).await;
    assert_eq!((outcomes(&late), head(&late).0), (vec!["accepted".to_owned(); 2], 0));
    let early = centre.upload(&journal, 1..=2).await;
    assert_eq!(head(&early), (2, hex::encode(journal.hash(2))));
    let descending = centre.upload_all(journal.name, vec![journal.upload(4), journal.upload(3)]).await;
    assert_eq!(outcomes(&descending), ["accepted"; 2]);
    assert_eq!(head(&descending), (6, hex::encode(journal.hash(6))));
}

#[tokio::test]
async fn an_upload_that_is_taken_in_parts_is_answered_as_one() {
    let centre = Centre::start().await;
    let mut journal = Journal::new("j0000000000000001");
    for seq in 1..=600 {
        journal.push(&device_origin("btn-0001", 1, seq), "a.kind.of.later", &Value::Null, &json!({"x": seq}));
    }
    let mut entries: Vec<EntryUpload> = (1..=600).map(|n| journal.upload(n)).collect();
    // The same number twice, in two parts.
    entries.push(journal.upload(1));
    let results = centre.upload_all(journal.name, entries).await;
    let mut expected = vec!["accepted"; 600];
    expected.push("duplicate");
    assert_eq!(outcomes(&results), expected);
    assert_eq!(head(&results), (600, hex::encode(journal.hash(600))));
    let numbers: Vec<_> = results.results.iter().filter_map(|result| result.n).collect();
    assert_eq!(numbers[..600], (1..=600).collect::<Vec<u64>>());
}

#[tokio::test]
async fn c8_one_bad_entry_is_refused_with_a_reason_and_the_others_flow() {
    let centre = Centre::start().await;
    let mut journal = filled(1);
    journal.entries.push(("{not json".to_owned(), None));
    let sale = json!({"sale": "s1", "tender": "account", "items": [], "amount": 0, "catalogue": 1, "purse": null,
        "private_hmac": "00"});
    let own = journal.own();
    journal.push(&own, "sale.intent", &Value::Null, &sale);
    journal.push(
        &json!({"source": "gateway:other", "epoch": "x", "seq": 4}),
        "device.reported",
        &Value::Null,
        &json!({}),
    );
    journal.push(&device_origin("btn-0002", 1, 9), "device.reported", &Value::Null, &json!({"kind": 7}));
    journal.push(&device_origin("btn-0002", 1, 10), "a.kind.of.later", &Value::Null, &json!({"x": [1]}));
    journal.press("btn-0002", 11);
    let results = centre.upload(&journal, 1..=7).await;
    assert_eq!(
        outcomes(&results),
        [
            "accepted",
            "refused:unreadable",
            "refused:amount",
            "refused:foreign_origin",
            "refused:body",
            "accepted",
            "accepted"
        ]
    );
    assert_eq!(head(&results), (7, hex::encode(journal.hash(7))), "hashes of refused entries count");
    assert_eq!(outcomes(&centre.upload(&journal, 2..=3).await), ["refused:unreadable", "refused:amount"]);
}

#[tokio::test]
async fn an_entry_of_another_form_is_refused_alone() {
    let centre = Centre::start().await;
    let journal = filled(1);
    let good = serde_json::to_value(journal.upload(1)).expect("an upload is JSON");
    let body = json!({"v": 1, "journal": journal.name, "entries": [{"n": 2, "entry": 5}, "nonsense", good]});
    let (status, answer) = centre.post("/v1/gateways/gw-demo/entries", centre.token(), &body).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["results"][0]["outcome"], "refused");
    assert_eq!(answer["results"][0]["n"], 2);
    assert_eq!(answer["results"][1]["outcome"], "refused");
    assert_eq!(answer["results"][2]["outcome"], "accepted");
}

#[tokio::test]
async fn the_same_key_with_another_body_is_a_conflict_and_still_raises_an_alarm() {
    let centre = Centre::start().await;
    let mut journal = filled(1);
    journal.push(&device_origin("btn-0001", 1, 1), "alarm.raised", &Value::Null, &alarm_body("btn-0001", "fall"));
    assert_eq!(outcomes(&centre.upload(&journal, 1..=2).await), ["accepted", "conflict:other_body"]);
    assert_eq!(outcomes(&centre.upload(&journal, 2..=2).await), ["conflict:other_body"]);
    let (_, alarms) = centre.get("/api/v1/alarms?open=1").await;
    let kinds: Vec<_> =
        alarms["alarms"].as_array().expect("a list").iter().map(|alarm| alarm["kind"].clone()).collect();
    assert_eq!(kinds, ["sos", "fall"]);
}

#[tokio::test]
async fn the_same_report_recorded_at_another_time_is_a_duplicate() {
    let centre = Centre::start().await;
    let journal = filled(1);
    centre.upload(&journal, 1..=1).await;
    let mut other =
        entry(&device_origin("btn-0001", 1, 1), "alarm.raised", &Value::Null, &alarm_body("btn-0001", "sos"));
    other["recorded_at"] = json!("2026-11-24T11:11:11.000+08:00");
    let upload = EntryUpload { n: None, entry: other.to_string(), hash: String::new(), private: None };
    assert_eq!(outcomes(&centre.upload_all(journal.name, vec![upload]).await), ["duplicate"]);
}

#[tokio::test]
async fn an_alarm_without_a_number_is_taken_and_nothing_else_is() {
    let centre = Centre::start().await;
    let without = |kind: &str, body: &Value| EntryUpload {
        n: None,
        entry: entry(&device_origin("btn-0003", 1, 1), kind, &Value::Null, body).to_string(),
        hash: String::new(),
        private: None,
    };
    let alarm = without("alarm.raised", &alarm_body("btn-0003", "sos"));
    let report = without("x.y", &json!({}));
    let results = centre.upload_all("j0000000000000001", vec![alarm.clone(), report]).await;
    assert_eq!(outcomes(&results), ["accepted", "refused:number_missing"]);
    assert_eq!(outcomes(&centre.upload_all("j0000000000000001", vec![alarm]).await), ["duplicate"]);
}

#[tokio::test]
async fn an_alarm_whose_body_nobody_understands_is_still_raised() {
    let centre = Centre::start().await;
    let mut journal = Journal::new("j0000000000000001");
    journal.push(&device_origin("btn-0001", 1, 1), "alarm.raised", &Value::Null, &json!({"kind": 5}));
    assert_eq!(outcomes(&centre.upload(&journal, 1..=1).await), ["accepted"]);
    let (_, alarms) = centre.get("/api/v1/alarms?open=1").await;
    assert_eq!(alarms["alarms"][0]["kind"], "unreadable");
    assert_eq!(alarms["alarms"][0]["device"], "btn-0001");
}

/// A15.
#[tokio::test]
async fn a15_a_journal_that_went_back_closes_sales_but_its_alarms_are_taken() {
    let centre = Centre::start().await;
    let journal = filled(3);
    centre.upload(&journal, 1..=3).await;
    let mut restored = filled(2);
    let own = restored.own();
    restored.push(&own, "device.reported", &Value::Null, &report("btn-0001"));
    restored.press("btn-0002", 77);
    let results = centre.upload(&restored, 3..=4).await;
    assert_eq!(outcomes(&results), ["refused:number_used", "accepted"]);
    assert_eq!(head(&results).0, 3);
    let hold = centre.hold(&crate::support::hold_request(&restored.own(), 1250)).await;
    assert_eq!((hold["outcome"].as_str(), hold["reason"].as_str()), (Some("refused"), Some("closed")));
}

#[tokio::test]
async fn a_second_journal_closes_sales_until_a_person_approves() {
    let centre = Centre::start().await;
    centre.upload(&filled(1), 1..=1).await;
    let mut second = Journal::new("j0000000000000002");
    second.press("btn-0002", 5);
    assert_eq!(outcomes(&centre.upload(&second, 1..=1).await), ["accepted"]);
    let hold = centre.hold(&crate::support::hold_request(&second.own(), 1250)).await;
    assert_eq!(hold["reason"], "closed");
}

#[tokio::test]
async fn c9_a_gateway_reaches_only_its_own() {
    let centre = Centre::start().await;
    let body = json!({"v": 1, "journal": "j1", "entries": []});
    for (path, token, expected) in [
        ("/v1/gateways/gw-demo/entries", "wrong", 401),
        ("/v1/gateways/gw-demo/entries", centre.operator(0), 401),
        ("/v1/gateways/gw-other/entries", centre.token(), 403),
    ] {
        let (status, answer) = centre.post(path, token, &body).await;
        assert_eq!(status, expected, "{path} {answer}");
        assert!(answer["error"]["message"].as_str().is_some_and(|message| !message.is_empty()));
    }
    let url = format!("{}/v1/gateways/gw-demo/entries", centre.url);
    let (status, _) = crate::support::answer(centre.http.post(url).body(body.to_string())).await;
    assert_eq!(status, 401);
}

#[tokio::test]
async fn bad_bodies_are_problems_with_a_code_and_a_message() {
    let centre = Centre::start().await;
    let url = format!("{}/v1/gateways/gw-demo/entries", centre.url);
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for body in ["", "{", "[]", "{\"v\":1}", "\u{0}", "{\"v\":1,\"journal\":\"\",\"entries\":[]}", &deep] {
        let request = centre.http.post(&url).bearer_auth(centre.token()).body(body.to_owned());
        let (status, answer) = crate::support::answer(request).await;
        assert_eq!(status, 400, "{answer}");
    }
    let large = "x".repeat(9 * 1024 * 1024);
    let request = centre.http.post(&url).bearer_auth(centre.token()).header("Accept-Language", "en").body(large);
    let (status, answer) = crate::support::answer(request).await;
    assert_eq!((status, answer["error"]["code"].as_str()), (413, Some("too_large")));
    let many = json!({"v": 1, "journal": "j1", "entries": vec![json!({}); 2001]});
    let (status, _) = centre.post("/v1/gateways/gw-demo/entries", centre.token(), &many).await;
    assert_eq!(status, 413);
}

fn report(device: &str) -> Value {
    json!({"kind": "test", "device": device, "of": null, "boot": null, "up_ms": null, "at": null, "battery_mv": null,
        "rssi_dbm": null, "detail": null})
}
