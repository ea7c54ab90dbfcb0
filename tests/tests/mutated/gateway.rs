//! What the gateway reads from its centre and from browsers.

use std::collections::BTreeSet;

use gateway::adapter::kiosk::sale_request::{SaleRequest, step};
use gateway::adapter::uplink::answer;
use gateway::adapter::uplink::limits::REASON_LEN_MAX;
use gateway_core::limits::{CAUSE_LEN_MAX, SALE_QUANTITY_MAX};
use protocols::uplink::{
    AlarmStateOrder, CatalogueOrder, DeviceAssignOrder, DeviceUnassignOrder, HotlistOrder, Order, PolicyOrder,
    SaleSettledOrder, SettingsOrder, order_kind,
};

use crate::{reads, try_all};

const SENT: [u64; 4] = [7, 1_040, 1_042, 1_043];

#[test]
fn answers_to_uploads() {
    let originals: [&[u8]; 3] = [
        br#"{"v":1,"results":[{"n":1042,"outcome":"accepted","reason":null},{"n":1043,"outcome":"refused","reason":"malformed"},{"n":7,"outcome":"duplicate","reason":null}],"head":{"n":1040,"hash":"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff","signature":null}}"#,
        br#"{"v":1,"results":[{"n":null,"outcome":"accepted","reason":null}],"head":null}"#,
        br#"{"v":1,"results":[],"head":null}"#,
    ];
    try_all("answers to uploads", 150_000, &originals, |bytes, _| {
        if let Some(one) = answer::direct(bytes) {
            assert!(one.n.is_none() && one.reason.is_none_or(|reason| reason.len() <= REASON_LEN_MAX));
        }
        let Some(results) = answer::results(bytes, &SENT) else { return false };
        let numbers: Vec<u64> = results.results.iter().map(|result| result.n.unwrap()).collect();
        assert!(numbers.iter().all(|n| SENT.contains(n)), "{numbers:?}");
        assert_eq!(numbers.iter().collect::<BTreeSet<_>>().len(), numbers.len(), "{numbers:?}");
        assert!(results.results.iter().flat_map(|result| &result.reason).all(|reason| reason.len() <= REASON_LEN_MAX));
        assert!(results.head.is_none_or(|head| head.hash.len() == 64));
        true
    });
}

#[test]
fn answers_to_holds() {
    let originals: [&[u8]; 3] = [
        br#"{"v":1,"outcome":"held","reason":null,"account":{"balance":10000,"available":7500}}"#,
        br#"{"v":1,"outcome":"refused","reason":"insufficient","account":null}"#,
        br#"{"v":1,"outcome":"duplicate","reason":null,"account":null}"#,
    ];
    try_all("answers to holds", 75_000, &originals, |bytes, _| {
        answer::hold(bytes)
            .inspect(|hold| assert!(hold.reason.as_ref().is_none_or(|reason| reason.len() <= REASON_LEN_MAX)))
            .is_some()
    });
}

#[test]
fn pages_of_orders() {
    let originals: [&[u8]; 2] = [
        br#"{"v":1,"stream":"c9","orders":[{"k":18,"kind":"alarm.state","body":{"alarm":{"source":"device:btn-0001","epoch":1,"seq":42},"state":"acknowledged","by":"operator-1","at":"2026-11-24T09:30:05+08:00","cause":null}},{"k":19,"kind":"hotlist","body":{"version":4,"cards":["aa"],"salt":"5a"}},{"k":20,"kind":"catalogue","body":{"version":3,"services":[{"id":"meal-lunch","provider":"canteen-1","category":"meal","name_zh":"\u5348\u9910","name_en":"Lunch","price":1250}]}}]}"#,
        br#"{"v":1,"stream":"c9","orders":[{"k":18,"kind":"policy","body":{"version":2,"from":"2026-12-01","sale_max":20000}},{"k":21,"kind":"device.assign","body":{"device":"btn-0001","silent_after_s":180}},{"k":22,"kind":"device.unassign","body":{"device":"btn-0001"}},{"k":23,"kind":"settings","body":{"device":"btn-0001","version":12,"heartbeat_s":3600}},{"k":24,"kind":"sale.settled","body":{"sale":{"source":"terminal:310000000042","epoch":"31","seq":42},"outcome":"paid","at":"2026-11-24T09:30:05+08:00"}}]}"#,
    ];
    try_all("pages of orders", 100_000, &originals, |bytes, _| {
        let Some(page) = answer::orders(bytes) else { return false };
        assert!(page.orders.is_sorted_by(|a, b| a.k < b.k));
        page.orders.iter().for_each(carry_out);
        true
    });
}

/// Reads an order's body as the core does.
fn carry_out(order: &Order) {
    let body = order.body.get().as_bytes();
    match order.kind.as_str() {
        order_kind::ALARM_STATE => reads::<AlarmStateOrder>(body),
        order_kind::HOTLIST => reads::<HotlistOrder>(body),
        order_kind::CATALOGUE => reads::<CatalogueOrder>(body),
        order_kind::POLICY => reads::<PolicyOrder>(body),
        order_kind::DEVICE_ASSIGN => reads::<DeviceAssignOrder>(body),
        order_kind::DEVICE_UNASSIGN => reads::<DeviceUnassignOrder>(body),
        order_kind::SETTINGS => reads::<SettingsOrder>(body),
        order_kind::SALE_SETTLED => reads::<SaleSettledOrder>(body),
        _ => false,
    };
}

#[test]
fn bodies_from_browsers() {
    let originals: [&[u8]; 5] = [
        br#"{"reader":"kiosk-1","items":[{"service":"meal-lunch","quantity":1},{"service":"meal-delivery","quantity":99}],"tender":"purse","price":1}"#,
        br#"{"reader":"kiosk-1","items":[],"tender":"account"}"#,
        br#"{"cause":"helped up"}"#,
        br#"{"cause":null}"#,
        br#"{"responder":"nurse Wang","eta_min":15}"#,
    ];
    try_all("bodies from browsers", 75_000, &originals, |bytes, _| {
        let asked = SaleRequest::parse(bytes);
        if let Ok(request) = &asked {
            assert!(request.items.iter().all(|(_, quantity)| (1..=SALE_QUANTITY_MAX).contains(quantity)));
        }
        let said = step(bytes);
        if let Ok((Some(cause), _)) = &said {
            assert!(cause.len() <= CAUSE_LEN_MAX && !cause.chars().any(char::is_control));
        }
        asked.is_ok() || said.is_ok()
    });
}
