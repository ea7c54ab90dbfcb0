//! Disks that take nothing more under the real daemon, because they are full or read-only.

use std::time::Duration;

use serde_json::Value;
use tests::power::{Disk, can_make_disks};
use tests::site::audit::{Expected, audit};
use tests::site::button::Button;
use tests::site::shopper::{Bought, SERVICE};
use tests::site::till::{Tender, fresh_key, order};
use tests::site::wait::{until, until_is};
use tests::site::{Site, SiteSettings};

const WITHIN: Duration = Duration::from_secs(60);
/// Small, so that it is full soon.
const DISK_BYTES: u64 = 96 << 20;
/// Less than the gateway wants to be free for sales, more than it needs to run.
const LOW_BYTES: u64 = 3 << 20;
/// Presses on a full disk: their entries need more room than the log has without growing.
const PRESSES: u64 = 300;

async fn site_on_disk(settings: &SiteSettings) -> (Site, Disk) {
    let mut site = Site::prepare(settings).await.expect("a site");
    let disk = Disk::new(&site.gateway.state, DISK_BYTES).expect("a disk");
    site.centre.start().await.expect("the centre runs");
    site.gateway.start().await.expect("it starts");
    (site, disk)
}

/// Presses until it is acknowledged, as a device does; starts the daemon again when it ended, as the service manager does.
/// How often it ended.
async fn press_through(site: &mut Site, button: &mut Button, kind: &str, exit: i32) -> u32 {
    let mut ends = 0;
    let press = button.new_report(kind);
    while button.send(press.clone()).await.is_err() {
        let connect = async || {
            if let Some(status) = site.gateway.ended() {
                assert_eq!(status.code(), Some(exit));
                ends += 1;
                site.gateway.launch().expect("it starts");
            }
            button.reconnect().await.ok()
        };
        until("the device is let in", WITHIN, connect).await.expect("alarms are taken");
    }
    ends
}

async fn refusal_of_a_sale(site: &Site, tender: Tender) -> String {
    let answer = order(&site.gateway.staff, &fresh_key(), tender, SERVICE, 1).await.expect("an answer");
    if answer.is_success() { "none".to_owned() } else { answer.code() }
}

/// A8.
#[tokio::test(flavor = "multi_thread")]
async fn a8_a_full_disk_closes_sales_before_a_card_is_touched_keeps_alarms_and_all_is_well_when_space_returns() {
    if !can_make_disks("A8, a full disk") {
        return;
    }
    let (mut site, disk) = site_on_disk(&SiteSettings::with_cards()).await;
    site.wait_catalogue().await.expect("the line is up");
    site.till().wait_reader("empty").await.expect("the reader is there");
    let (paid, _) = site.till().buy(Tender::Purse, SERVICE, 1).await.expect("sales are open");
    assert_eq!(paid["state"], "paid");
    let purse = site.till().purse();

    let low = disk.fill("low", LOW_BYTES).expect("filled");
    let closed = |status: &Value| status["sales_closed"] == "storage_down";
    site.gateway.wait_status("sales close", WITHIN, closed).await.expect("it looks at the space");
    site.till().card.clear_trace();
    for tender in [Tender::Purse, Tender::Account] {
        assert_eq!(refusal_of_a_sale(&site, tender).await, "storage_down");
    }
    site.till().lay_card().await.expect("noticed");
    site.till().take_card().await.expect("noticed");
    let touched: Vec<String> = site.till().card.trace().iter().map(|one| hex::encode_upper(&one.command)).collect();
    assert!(!touched.iter().any(|command| command.starts_with("8050") || command.starts_with("8054")), "{touched:?}");

    let full = disk.fill("full", 0).expect("filled");
    let mut button = site.button("btn-0001").await.expect("it is let in");
    let mut ends = 0;
    for _ in 0..PRESSES {
        ends += press_through(&mut site, &mut button, "sos", 74).await;
    }
    println!("{PRESSES} presses on a full disk, the daemon began anew {ends} times");
    assert!(ends > 0, "the disk was never full");
    assert_eq!(refusal_of_a_sale(&site, Tender::Purse).await, "storage_down");
    assert_eq!(site.till().purse(), purse);

    std::fs::remove_file(full).expect("removed");
    std::fs::remove_file(low).expect("removed");
    let open = |status: &Value| status["sales_closed"].is_null() && status["journal"]["storing"] == true;
    let look = async || {
        if site.gateway.ended().is_some() {
            site.gateway.launch().expect("it starts");
        }
        site.gateway.api.read("/api/v1/status").await
    };
    until_is("sales are open again", WITHIN, look, open).await.expect("space has returned");
    let (again, _) = site.till().buy(Tender::Purse, SERVICE, 1).await.expect("sales are open");
    let bought = [paid, again].map(|sale| Bought {
        sale: sale["id"].as_str().unwrap_or_default().to_owned(),
        tender: Tender::Purse,
        state: sale["state"].as_str().unwrap_or_default().to_owned(),
    });
    let findings = audit(&site, &Expected { bought: bought.to_vec(), ..Expected::default() }, WITHIN).await;
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

/// A10.
#[tokio::test(flavor = "multi_thread")]
async fn a10_a_disk_that_turns_read_only_sends_alarms_straight_to_the_centre_closes_sales_and_tells() {
    if !can_make_disks("A10, a read-only disk") {
        return;
    }
    let (mut site, disk) = site_on_disk(&SiteSettings::default()).await;
    let mut button = site.button("btn-0001").await.expect("it is let in");
    button.press("sos").await.expect("acknowledged");
    site.gateway.wait_delivered(WITHIN).await.expect("it is at the centre");
    disk.turn_read_only().expect("read-only");
    let ends = press_through(&mut site, &mut button, "fall", 74).await;
    assert_eq!(ends, 1, "a commit fails, and the start anew does without the disk");
    let status = site.gateway.api.read("/api/v1/status").await.expect("its status");
    assert_eq!((&status["journal"]["storing"], &status["sales_closed"]), (&Value::Bool(false), &"storage_down".into()));
    assert_eq!(status["degraded"][0]["part"], "journal", "{status}");
    let alarms = async || site.centre.operator.read("/api/v1/alarms").await;
    let told = |all: &Value| all.to_string().contains("\"storage\"") && all.to_string().contains("\"fall\"");
    until_is("the centre has the alarm and hears of the disk", WITHIN, alarms, told).await.expect("it does");

    site.gateway.kill();
    disk.power_up().expect("mended");
    site.gateway.start().await.expect("it starts");
    button.reconnect().await.expect("it is let in");
    button.press("sos").await.expect("acknowledged");
    let findings = audit(&site, &Expected::default(), WITHIN).await;
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}
