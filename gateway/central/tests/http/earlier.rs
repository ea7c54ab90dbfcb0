//! A database of an earlier release: what it holds is still true of it.

use central::app;
use central::config;
use central::identity::Token;
use serde_json::{Value, json};
use sqlx::migrate::{Migration, Migrator};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};

use crate::support::{Centre, Directory, Journal, answer};

/// The last migration of the release before operators had passwords and steps had times.
const BEFORE: i64 = 10;
const TOKEN: &str = "a made-up token of an operator";

async fn open(path: &std::path::Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    options.connect().await.expect("the database opens")
}

/// More homes than one answer of the map has room for.
const MANY_HOMES: &str = "WITH RECURSIVE n (k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n WHERE k < 10050)
    INSERT INTO people (ref, name, address, contacts, conditions, lat, lon)
    SELECT printf('a-%05d', k), 'x', 'x', '[]', '[]', 30.0, 120.0 FROM n";

#[tokio::test]
async fn of_more_homes_than_the_map_tells_those_with_an_alarm_or_something_silent_are_in_it_and_the_rest_is_counted() {
    let mut centre = Centre::start().await;
    let mut journal = Journal::new("j0000000000000001");
    journal.press("btn-0001", 1);
    centre.upload(&journal, 1..=1).await;
    let placed = centre.get("/api/v1/map").await.1;
    assert_eq!(placed["left_out"], 0);
    let before = placed["homes"].as_array().map_or(0, Vec::len) as i64;
    centre.stop().await;
    let mut database = open(&centre.directory.0.join("central.db")).await;
    for statement in [MANY_HOMES, "UPDATE devices SET trouble = 'silent' WHERE person = 'person-0002'"] {
        sqlx::query(statement).execute(&mut database).await.expect("it is done");
    }
    database.close().await.expect("the database closes");
    centre.run().await;
    let map = centre.get("/api/v1/map").await.1;
    let first: Vec<&Value> =
        map["homes"].as_array().expect("homes").iter().map(|home| &home["person"]).take(3).collect();
    assert_eq!(first, ["person-0001", "person-0002", "a-00001"]);
    assert_eq!(map["left_out"].as_i64(), Some(50 + before));
}

/// A database as that release left it: an alarm that two operators took to its end, one that nobody took.
async fn earlier(path: &std::path::Path) {
    let mut database = open(path).await;
    let known: Vec<Migration> =
        sqlx::migrate!("./migrations").iter().filter(|migration| migration.version <= BEFORE).cloned().collect();
    Migrator::with_migrations(known).run(&mut database).await.expect("the earlier schema");
    sqlx::query("INSERT INTO actors (id, token_hash, role) VALUES ('op-1', $1, 'operator')")
        .bind(Token::from_text(TOKEN).digest())
        .execute(&mut database)
        .await
        .expect("an operator");
    for (id, state) in [("a.1.1", 5), ("b.1.1", 1)] {
        let origin = format!("device:{}/1/1", &id[..1]);
        sqlx::query(
            "INSERT INTO alarms (id, origin, variant, gateway, kind, urgency, state, recorded_at, received_ms, body)
             VALUES ($1, $2, 0, 'gw-demo', 'sos', 'emergency', $3, '2026-11-24T10:00:00+08:00', 1000, '{}')",
        )
        .bind(id)
        .bind(origin)
        .bind(state)
        .execute(&mut database)
        .await
        .expect("an alarm");
    }
    for (state, actor, cause, ms) in
        [(2, "op-1", None, 1_500), (3, "op-1", None, 1_600), (5, "op-2", Some("fall"), 61_000)]
    {
        sqlx::query(
            "INSERT INTO alarm_events (alarm, variant, what, state, actor, cause, source, at, received_ms)
             VALUES ('device:a/1/1', 0, 'step', $1, $2, $3, 'centre', '2026-11-24T10:00:30+08:00', $4)",
        )
        .bind(state)
        .bind(actor)
        .bind(cause)
        .bind(ms)
        .execute(&mut database)
        .await
        .expect("a step");
    }
    database.close().await.expect("the database closes");
}

#[tokio::test]
async fn a_database_of_an_earlier_release_tells_who_had_an_alarm_and_why_it_ended() {
    // Every test may be the first of its process.
    rustls::crypto::ring::default_provider().install_default().ok();
    let directory = Directory::new();
    let path = directory.write("central.toml", "listen = \"127.0.0.1:0\"\ndatabase = \"central.db\"\n");
    earlier(&directory.write("central.db", "")).await;
    let config = config::read(&path).and_then(config::Unchecked::check).expect("the configuration is well");
    let running = app::start(&config).await.expect("the centre starts");
    let read = async |id: &str| {
        let url = format!("http://{}/api/v1/alarms/{id}", running.address);
        answer(reqwest::Client::new().get(url).bearer_auth(TOKEN)).await
    };
    let (status, ended) = read("a.1.1").await;
    assert_eq!((status, &ended["by"], &ended["cause"]), (200, &json!("op-2"), &json!("fall")), "{ended}");
    let (status, open) = read("b.1.1").await;
    assert_eq!((status, &open["by"], &open["state"]), (200, &json!(null), &json!("accepted")), "{open}");
    assert!(open["age_s"].as_i64().is_some_and(|age| age > 3_600), "it waits since it came: {open}");
    running.stop().await;
}

#[tokio::test]
async fn a_session_that_nobody_used_for_a_shift_has_ended() {
    let used = "UPDATE sessions SET seen_ms = opened_ms - $1";
    session_lives(used, [(11 * 3_600_000, 200), (12 * 3_600_000 + 1, 401)]).await;
}

#[tokio::test]
async fn a_session_ends_after_a_day_however_much_it_is_used() {
    let opened = "UPDATE sessions SET opened_ms = seen_ms - $1";
    session_lives(opened, [(23 * 3_600_000, 200), (24 * 3_600_000 + 1, 401)]).await;
}

/// Changes a session's times and looks whether it still opens anything.
async fn session_lives(statement: &'static str, cases: [(i64, u16); 2]) {
    let mut centre = Centre::start().await;
    let operator = &centre.district.operators[0];
    let body = json!({"who": operator.id, "password": operator.password});
    let request = centre.http.post(format!("{}/api/v1/session", centre.url)).body(body.to_string());
    let token = answer(request).await.1["token"].as_str().expect("a token").to_owned();
    let status = async |centre: &Centre| {
        answer(centre.http.get(format!("{}/api/v1/session", centre.url)).bearer_auth(&token)).await.0
    };
    assert_eq!(status(&centre).await, 200);
    for (ago_ms, expected) in cases {
        centre.stop().await;
        let mut database = open(&centre.directory.0.join("central.db")).await;
        sqlx::query(statement).bind(ago_ms).execute(&mut database).await.expect("a session");
        database.close().await.expect("the database closes");
        centre.run().await;
        assert_eq!(status(&centre).await, expected, "after {ago_ms} ms");
    }
}
