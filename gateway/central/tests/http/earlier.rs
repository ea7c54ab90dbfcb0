//! A database of an earlier release: what it holds is still true of it.

use central::app;
use central::config;
use central::identity::Token;
use serde_json::json;
use sqlx::migrate::{Migration, Migrator};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};

use crate::support::{Centre, Directory, answer};

/// The last migration of the release before operators had passwords and steps had times.
const BEFORE: i64 = 10;
const TOKEN: &str = "a made-up token of an operator";

async fn open(path: &std::path::Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    options.connect().await.expect("the database opens")
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
    let mut centre = Centre::start().await;
    let operator = &centre.district.operators[0];
    let body = json!({"who": operator.id, "password": operator.password});
    let request = centre.http.post(format!("{}/api/v1/session", centre.url)).body(body.to_string());
    let token = answer(request).await.1["token"].as_str().expect("a token").to_owned();
    let status = async |centre: &Centre| {
        answer(centre.http.get(format!("{}/api/v1/session", centre.url)).bearer_auth(&token)).await.0
    };
    assert_eq!(status(&centre).await, 200);
    for (idle_ms, expected) in [(11 * 3_600_000, 200), (12 * 3_600_000 + 1, 401)] {
        centre.stop().await;
        let mut database = open(&centre.directory.0.join("central.db")).await;
        sqlx::query("UPDATE sessions SET seen_ms = opened_ms - $1")
            .bind(idle_ms)
            .execute(&mut database)
            .await
            .expect("a session");
        database.close().await.expect("the database closes");
        centre.run().await;
        assert_eq!(status(&centre).await, expected, "after {idle_ms} ms");
    }
}
