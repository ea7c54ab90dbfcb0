//! Staff sessions and the lock against guessing.

use gateway::adapter::kiosk::limits::PIN_TRIES_FREE;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::desk_rig::{NURSE, PIN, Rig, ask, cookie_of, refused};
use crate::fake_core::FakeCore;

#[tokio::test]
async fn a_staff_session_opens_with_the_right_pin_and_ends_with_its_logout() {
    let rig = Rig::start().await;
    let cookie = rig.staff_cookie().await;
    let who = || ask(rig.page(Method::GET, "/api/v1/session", &cookie));
    assert_eq!(who().await.1["who"], NURSE);
    let out = rig.page(Method::DELETE, "/api/v1/session", &cookie).send().await.expect("an answer");
    assert_eq!(out.status(), StatusCode::NO_CONTENT);
    assert_eq!(who().await.1["who"], Value::Null);
}

#[tokio::test]
async fn the_cookies_cannot_be_read_by_scripts_nor_sent_by_foreign_pages() {
    let rig = Rig::start().await;
    let staff = rig.log_in(NURSE, PIN).await;
    let kiosk = rig.get("/").send().await.expect("the page");
    for response in [staff, kiosk] {
        let cookie = response.headers().get("set-cookie").and_then(|value| value.to_str().ok()).expect("a cookie");
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    }
}

#[tokio::test]
async fn a_wrong_pin_an_unknown_name_and_a_malformed_one_look_the_same() {
    let rig = Rig::start().await;
    for (who, pin) in [(NURSE, "480216"), ("n9999", PIN), ("护士", PIN), ("", ""), (NURSE, "4802154802154802")] {
        let response = rig.log_in(who, pin).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{who}");
        assert!(cookie_of(&response).is_none());
        let body: Value = response.json().await.expect("JSON");
        assert_eq!(body["error"]["code"], "pin_wrong");
    }
}

#[tokio::test]
async fn h13_guessing_pins_is_locked_and_a_restart_does_not_unlock_it() {
    let rig = Rig::start().await;
    for _ in 0..PIN_TRIES_FREE {
        assert_eq!(rig.log_in(NURSE, "999111").await.status(), StatusCode::UNAUTHORIZED);
    }
    let locked = rig.log_in(NURSE, PIN).await;
    assert_eq!(locked.status(), StatusCode::TOO_MANY_REQUESTS, "even the right PIN waits");
    assert!(locked.headers().contains_key("retry-after"));
    let rig = Rig::start_in(rig.stop(), FakeCore::new()).await;
    assert_eq!(rig.log_in(NURSE, PIN).await.status(), StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn h13_a_locked_login_leaves_alarms_and_sales_open() {
    let rig = Rig::start().await;
    let session = rig.staff_cookie().await;
    for _ in 0..=PIN_TRIES_FREE {
        rig.log_in(NURSE, "999111").await;
    }
    let step = rig.page(Method::POST, "/api/v1/alarms/btn-0001.1.42/acknowledge", &session);
    assert_eq!(ask(step).await.0, StatusCode::OK, "a session that was open stays open");
    assert_eq!(ask(rig.get("/api/v1/alarms")).await.0, StatusCode::OK);
    let kiosk = rig.kiosk_cookie().await;
    let sale = rig
        .page(Method::POST, "/api/v1/sales", &kiosk)
        .header("idempotency-key", "k-1")
        .json(&crate::desk_rig::lunch());
    assert_eq!(ask(sale).await.0, StatusCode::CREATED);
}

#[tokio::test]
async fn a_login_is_refused_from_a_foreign_page() {
    let rig = Rig::start().await;
    let foreign = rig
        .request(Method::POST, "/api/v1/session")
        .header("origin", "http://evil.example")
        .json(&json!({"who": NURSE, "pin": PIN}));
    assert_eq!(refused(foreign).await, (403, "origin_foreign".to_owned()));
}
