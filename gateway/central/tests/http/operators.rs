//! Operators: log-in, lock, sessions, and who sees whom.

use central::identity::Token;
use central::login::{password, session};
use central::store::{Priority, Store};
use serde_json::{Value, json};

use crate::support::{Centre, Directory, Journal, answer};

async fn log_in(centre: &Centre, who: &str, password: &str) -> (u16, Value) {
    let body = json!({"who": who, "password": password});
    answer(centre.http.post(format!("{}/api/v1/session", centre.url)).body(body.to_string())).await
}

async fn with(centre: &Centre, method: &str, path: &str, token: &str, body: &Value) -> (u16, Value) {
    let method = method.parse().expect("a method");
    let request = centre.http.request(method, format!("{}{path}", centre.url)).bearer_auth(token);
    answer(if body.is_null() { request } else { request.body(body.to_string()) }).await
}

#[tokio::test]
async fn an_operator_logs_in_by_name_and_password_and_out_again_also_over_a_restart() {
    let mut centre = Centre::start().await;
    let password = centre.district.operators[1].password.clone();
    let (status, opened) = log_in(&centre, " op-night ", &password).await;
    assert_eq!((status, opened["who"].as_str(), opened["idle_s"].as_i64()), (201, Some("op-night"), Some(43_200)));
    let token = opened["token"].as_str().expect("a token").to_owned();
    let who = with(&centre, "GET", "/api/v1/session", &token, &Value::Null).await;
    assert_eq!(who, (200, json!({"who": "op-night", "session": true})));
    let own = with(&centre, "GET", "/api/v1/session", centre.operator(0), &Value::Null).await;
    assert_eq!(own, (200, json!({"who": "op-demo", "session": false})));
    centre.restart().await;
    assert_eq!(with(&centre, "GET", "/api/v1/alarms", &token, &Value::Null).await.0, 200, "a shift outlasts a restart");
    assert_eq!(with(&centre, "DELETE", "/api/v1/session", &token, &Value::Null).await.0, 204);
    assert_eq!(with(&centre, "GET", "/api/v1/alarms", &token, &Value::Null).await.0, 401);
    for path in ["central.db", "central.db-wal"] {
        let kept = std::fs::read(centre.directory.0.join(path)).unwrap_or_default();
        for secret in [token.as_bytes(), password.as_bytes()] {
            assert!(!kept.windows(secret.len()).any(|part| part == secret), "{path} holds a secret");
        }
    }
}

#[tokio::test]
async fn h13_wrong_passwords_lock_the_name_and_a_restart_does_not_open_it() {
    let mut centre = Centre::start().await;
    let right = centre.district.operators[0].password.clone();
    for wrong in 0..5 {
        let (status, refused) = log_in(&centre, "op-demo", "not the password").await;
        assert_eq!((status, refused["error"]["code"].as_str()), (401, Some("password_wrong")), "try {wrong}");
    }
    let (status, locked) = log_in(&centre, "op-demo", &right).await;
    assert_eq!((status, locked["error"]["code"].as_str()), (429, Some("locked")), "{locked}");
    let left_s = locked["error"]["retry_after_s"].as_u64().expect("how long");
    assert!(
        (1..=30).contains(&left_s)
            && locked["error"]["message"].as_str().expect("a text").contains(&left_s.to_string())
    );
    centre.restart().await;
    assert_eq!(log_in(&centre, "op-demo", &right).await.0, 429, "a restart opens no lock");
    let other = centre.district.operators[1].password.clone();
    assert_eq!(log_in(&centre, "op-night", &other).await.0, 201, "others are not locked");
    // Names that nobody bears look the same from outside: each has its own count.
    for name in ["nobody", "no name at all", "someone", "", "x", "yet-another"] {
        assert_eq!(log_in(&centre, name, "not the password").await.0, 401, "{name}");
    }
    for _ in 1..5 {
        assert_eq!(log_in(&centre, "nobody", "not the password").await.0, 401);
    }
    assert_eq!(log_in(&centre, " nobody ", "not the password").await.0, 429);
    centre.restart().await;
    assert_eq!(log_in(&centre, "nobody", "not the password").await.0, 429, "as with a name that somebody bears");
}

#[tokio::test]
async fn h13_a_new_password_opens_a_locked_name_at_once_and_for_good() {
    let mut centre = Centre::start().await;
    for _ in 0..5 {
        assert_eq!(log_in(&centre, "op-night", "not the password").await.0, 401);
    }
    assert_eq!(log_in(&centre, "op-night", "not the password").await.0, 429);
    let path = "/api/v1/operators/op-night/password";
    let fresh = json!({"password": "a made-up new one"});
    assert_eq!(with(&centre, "PUT", path, centre.operator(0), &fresh).await.0, 204);
    assert_eq!(log_in(&centre, "op-night", "not the password").await.0, 401, "the count begins anew");
    assert_eq!(log_in(&centre, "op-night", "a made-up new one").await.0, 201);
    for _ in 0..5 {
        assert_eq!(log_in(&centre, "op-night", "not the password").await.0, 401);
    }
    assert_eq!(with(&centre, "PUT", path, centre.operator(0), &fresh).await.0, 204);
    centre.restart().await;
    assert_eq!(log_in(&centre, "op-night", "a made-up new one").await.0, 201, "over a restart, too");
}

#[tokio::test]
async fn no_session_opens_for_a_password_that_changed_while_it_was_compared() {
    let directory = Directory::new();
    let (store, _writer) = Store::open(&directory.0.join("central.db")).await.expect("a store");
    let opened = store.writer.run(Priority::Person, 1, move |tx| {
        Box::pin(async move {
            let (who, token) = ("op-1".parse().expect("a name"), Token::draw().expect("randomness"));
            password::set(tx, &who, "the hash now").await?;
            let before = session::open(tx, &who, "the hash before", &token).await?;
            Ok((before, session::open(tx, &who, "the hash now", &token).await?))
        })
    });
    assert_eq!(opened.await.expect("it is asked"), (false, true));
    let sessions: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM sessions").fetch_one(&store.readers).await.expect("a number");
    assert_eq!(sessions, 1);
}

#[tokio::test]
async fn a_new_password_ends_the_sessions_of_the_old_one() {
    let centre = Centre::start().await;
    let (_, opened) = log_in(&centre, "op-night", &centre.district.operators[1].password).await;
    let token = opened["token"].as_str().expect("a token");
    let path = "/api/v1/operators/op-night/password";
    let short = with(&centre, "PUT", path, centre.operator(0), &json!({"password": "short"})).await;
    assert_eq!((short.0, short.1["error"]["code"].as_str()), (422, Some("password_form")));
    let fresh = json!({"password": "a made-up new one"});
    assert_eq!(with(&centre, "PUT", path, centre.operator(0), &fresh).await.0, 204);
    assert_eq!(with(&centre, "GET", "/api/v1/session", token, &Value::Null).await.0, 401);
    assert_eq!(log_in(&centre, "op-night", "a made-up new one").await.0, 201);
    let fresh_operator = "/api/v1/operators/op-new/password";
    assert_eq!(with(&centre, "PUT", fresh_operator, centre.operator(0), &fresh).await.0, 204);
    assert_eq!(log_in(&centre, "op-new", "a made-up new one").await.0, 201);
}

#[tokio::test]
async fn the_command_gives_a_password_while_no_centre_runs() {
    let mut centre = Centre::start().await;
    centre.stop().await;
    let path = centre.directory.0.join("central.toml");
    let config = central::config::read(&path).and_then(central::config::Unchecked::check).expect("a configuration");
    let name = "op-demo".parse().expect("a name");
    central::app::set_password(&config, name, "from the command").await.expect("it is taken");
    centre.run().await;
    assert_eq!(log_in(&centre, "op-demo", "from the command").await.0, 201);
    assert_eq!(centre.get("/api/v1/session").await.0, 200, "tokens of programs stay");
}

#[tokio::test]
async fn operators_see_each_other_and_which_alarm_each_has_open() {
    let centre = Centre::start().await;
    let say = async |operator: usize, alarm: Value| {
        with(&centre, "PUT", "/api/v1/presence", centre.operator(operator), &json!({"alarm": alarm})).await
    };
    assert_eq!(say(0, Value::Null).await.1, json!({"operators": [{"who": "op-demo", "alarm": null}]}));
    let request = centre.http.get(format!("{}/api/v1/events", centre.url)).bearer_auth(centre.operator(0));
    let mut events = request.send().await.expect("events");
    let both = say(1, json!("btn-0001.1.1")).await.1;
    assert_eq!(both["operators"][1], json!({"who": "op-night", "alarm": "btn-0001.1.1"}));
    assert_eq!(centre.get("/api/v1/presence").await.1, both);
    let mut text = String::new();
    while !text.contains("event: presence") {
        let chunk = tokio::time::timeout(std::time::Duration::from_secs(5), events.chunk());
        let chunk = chunk.await.expect("in time").expect("events come").expect("events go on");
        text.push_str(&String::from_utf8_lossy(&chunk));
    }
    assert_eq!(say(0, json!("x".repeat(300))).await.0, 413);
}

#[tokio::test]
async fn of_operators_who_take_an_alarm_at_once_one_has_it_and_the_others_hear_who() {
    let centre = Centre::start().await;
    let mut journal = Journal::new("j0000000000000001");
    journal.press("btn-0001", 1);
    centre.upload(&journal, 1..=1).await;
    let path = "/api/v1/alarms/btn-0001.1.1";
    let take = |operator: usize| {
        let centre = &centre;
        async move { centre.post(&format!("{path}/acknowledge"), centre.operator(operator), &json!({})).await }
    };
    let answers = futures_util::future::join_all([0, 1].map(take)).await;
    let winner = answers.iter().position(|(status, _)| *status == 200).expect("one has it");
    let (loser, names) = (1 - winner, ["op-demo", "op-night"]);
    let (status, refused) = &answers[loser];
    assert_eq!((*status, refused["error"]["code"].as_str()), (409, Some("alarm_taken")));
    assert_eq!(refused["error"]["by"], names[winner]);
    assert!(refused["error"]["since"].is_string() && refused["error"]["state"] == "acknowledged", "{refused}");
    assert!(refused["error"]["message"].as_str().expect("a text").contains(names[winner]));
    assert_eq!(take(winner).await.0, 200, "a repeat by the same person is a success");
    let send = json!({"responder": "值班护士", "eta_min": 10});
    let dispatch = format!("{path}/dispatch");
    assert_eq!(centre.post(&dispatch, centre.operator(loser), &send).await.0, 409, "not by accident");
    let mut over = send.clone();
    over["take_over"] = json!(true);
    assert_eq!(centre.post(&dispatch, centre.operator(loser), &over).await.0, 200);
    let (_, alarm) = centre.get(path).await;
    assert_eq!(alarm["by"], names[loser]);
    assert_eq!((&alarm["responder"], &alarm["history"][1]["took_over"]), (&json!("值班护士"), &json!(names[winner])));
    assert!(alarm["eta_s"].as_i64().is_some_and(|left| (590..=600).contains(&left)), "{alarm}");
    // The first one has it no more, and takes it back as it is.
    let again = format!("{path}/acknowledge");
    assert_eq!(centre.post(&again, centre.operator(winner), &json!({})).await.0, 409);
    let back = centre.post(&again, centre.operator(winner), &json!({"take_over": true})).await;
    assert_eq!((back.0, back.1["state"].as_str()), (200, Some("dispatched")));
    let (_, alarm) = centre.get(path).await;
    assert_eq!((&alarm["by"], &alarm["history"][2]["what"]), (&json!(names[winner]), &json!("taken_over")));
    assert_eq!((&alarm["state"], &alarm["responder"]), (&json!("dispatched"), &json!("值班护士")));
    // Whoever takes it over and sends somebody else, has sent them: here, in the history and at the gateway.
    let another = json!({"responder": "李护工", "eta_min": 5, "take_over": true});
    assert_eq!(centre.post(&dispatch, centre.operator(loser), &another).await.0, 200);
    let (_, alarm) = centre.get(path).await;
    assert_eq!((&alarm["by"], &alarm["responder"]), (&json!(names[loser]), &json!("李护工")));
    assert!(alarm["eta_s"].as_i64().is_some_and(|left| (290..=300).contains(&left)), "{alarm}");
    let whats: Vec<&Value> =
        alarm["history"].as_array().expect("a history").iter().map(|event| &event["what"]).collect();
    assert_eq!(whats, ["step", "step", "taken_over", "taken_over", "step"]);
    let told = centre.orders("alarms", "", 0, 0).await;
    let last = told["orders"].as_array().expect("orders").last().expect("an order");
    assert_eq!(last["body"]["responder"], "李护工", "{told}");
}
