//! Disks that fail under the real daemon: what the service manager does around it is done here, it starts the daemon again.

use std::time::{Duration, Instant};

use serde_json::json;
use tests::power::{Faults, Order};
use tests::site::audit::{Expected, audit};
use tests::site::mqtt::Heard;
use tests::site::shopper::{Bought, SERVICE, settle};
use tests::site::till::{Tender, fresh_key, has_ended, id_of, order};
use tests::site::wait::until;
use tests::site::{Site, SiteSettings};

const WITHIN: Duration = Duration::from_secs(60);
/// From the failure to the end of the daemon.
const QUICK_END: Duration = Duration::from_secs(1);
/// The journal's syncs of one sale, and one more, with which nothing of it fails.
const SYNCS_OF_A_SALE: i64 = 4;

/// Waits until the daemon has ended by itself, and gives its exit code.
async fn own_end(site: &mut Site) -> Option<i32> {
    until("its end", WITHIN, async || site.gateway.ended()).await.expect("it ends").code()
}

/// A6.
#[tokio::test(flavor = "multi_thread")]
async fn a6_a_press_whose_commit_fails_is_not_acknowledged_and_counts_once_after_the_restart() {
    let (mut site, faults) = Faults::site(&SiteSettings::default()).await.expect("a site under faults");
    let mut button = site.button("btn-0001").await.expect("it is let in");
    button.press("sos").await.expect("acknowledged");
    faults.order(Order::SyncError, 1).expect("ordered");
    let press = json!({"v": 1, "epoch": 1, "seq": 2, "kind": "sos", "boot": 1}).to_string().into_bytes();
    button.connection().report(2, press.clone()).expect("sent");
    let failed = Instant::now();
    loop {
        match button.connection().hear().await {
            Heard::Acknowledged { .. } => panic!("acknowledged although nobody knows whether it is stored"),
            Heard::Command { .. } => {}
            Heard::Closed { .. } => break,
        }
    }
    assert_eq!(own_end(&mut site).await, Some(74));
    assert!(failed.elapsed() < QUICK_END, "devices wait for the start anew: {:?}", failed.elapsed());
    site.gateway.start().await.expect("it starts");
    button.reconnect().await.expect("it is let in");
    button.connection().report(2, press).expect("sent again");
    let acknowledged =
        async { while !matches!(button.connection().hear().await, Heard::Acknowledged { tag: 2, .. }) {} };
    tokio::time::timeout(WITHIN, acknowledged).await.expect("acknowledged");
    let findings = audit(&site, &Expected::default(), WITHIN).await;
    assert!(findings.is_empty(), "{}", findings.join("\n"));
    assert_eq!(faults.made().expect("counted"), 1);
}

/// What a customer saw of one purchase in which a sync failed.
#[derive(Debug)]
struct Seen {
    tender: Tender,
    sale: String,
    /// The state that the page showed last before the daemon ended; none where no sync failed.
    before: Option<String>,
    /// The state after the restart; none where the sale was not known any more.
    after: Option<String>,
}

/// A6.
#[tokio::test(flavor = "multi_thread")]
async fn a6_a_sale_of_which_a_commit_fails_is_shown_as_unknown_and_settled_once() {
    let (mut site, faults) = Faults::site(&SiteSettings::with_cards()).await.expect("a site under faults");
    site.wait_catalogue().await.expect("the line is up");
    site.till().wait_reader("empty").await.expect("the reader is there");
    let (mut all, mut bought) = (Vec::new(), Vec::new());
    for (tender, loses) in [(Tender::Purse, 0), (Tender::Purse, 1), (Tender::Account, 0), (Tender::Account, 1)] {
        faults.order(Order::SyncLoses, loses).expect("ordered");
        for sync in 1..=SYNCS_OF_A_SALE {
            let seen = buy_with_fault(&mut site, &faults, tender, sync).await;
            site.gateway.wait_delivered(WITHIN).await.expect("the line is up");
            settle(&site.till()).await.expect("settled by the next tap");
            println!("{tender:?}, sync {sync}, loses {loses}: {seen:?}");
            let open = |state: &str| matches!(state, "awaiting_card" | "in_progress" | "unknown");
            let promised = seen.before.as_deref().filter(|state| !open(state));
            assert!(promised.is_none() || promised == seen.after.as_deref(), "shown and not so: {seen:?}");
            let state = seen.after.clone().unwrap_or_default();
            bought.push(Bought { sale: seen.sale.clone(), tender, state });
            all.push(seen);
        }
    }
    let failed = all.iter().filter(|seen| seen.before.is_some());
    assert!(failed.count() >= 6, "hardly any commit failed: {all:?}");
    let unknown = all.iter().any(|one| one.tender == Tender::Purse && one.after.as_deref() == Some("unknown"));
    assert!(unknown, "a purse that was debited and whose outcome was lost: {all:?}");
    let findings = audit(&site, &Expected { bought, ..Expected::default() }, WITHIN).await;
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

/// A purchase during which a sync of the journal fails; where the daemon ended, it has been started again.
async fn buy_with_fault(site: &mut Site, faults: &Faults, tender: Tender, sync: i64) -> Seen {
    let staff = site.gateway.staff.clone();
    let key = fresh_key();
    let ordered = async || id_of(order(&staff, &key, tender, SERVICE, 1).await.ok()?).ok();
    let sale = until("the order is taken", WITHIN, ordered).await.expect("taken");
    let made = faults.made().expect("counted");
    faults.order(Order::SyncError, sync).expect("ordered");
    let path = format!("/api/v1/sales/{sale}");
    let mut last = "awaiting_card".to_owned();
    site.till().lay_card().await.expect("noticed");
    let began = Instant::now();
    while site.gateway.ended().is_none() {
        let Ok(seen) = staff.read(&path).await else { continue };
        last = seen["state"].as_str().unwrap_or_default().to_owned();
        if has_ended(&seen) {
            break;
        }
        assert!(began.elapsed() < WITHIN, "neither an end of the sale nor of the daemon: {seen}");
    }
    faults.order(Order::SyncError, 0).expect("ordered");
    if faults.made().expect("counted") == made {
        site.till().take_card().await.expect("taken");
        return Seen { tender, sale, before: None, after: Some(last) };
    }
    assert_eq!(own_end(site).await, Some(74));
    site.till().take_card_from_pcscd().await.expect("taken");
    site.gateway.start().await.expect("it starts");
    site.till().wait_reader("empty").await.expect("the reader is there");
    let after = staff.read(&path).await.ok().and_then(|seen| seen["state"].as_str().map(str::to_owned));
    Seen { tender, sale, before: Some(last), after }
}
