//! F7: the reader is pulled out between a debit and its answer, through the whole system.

use std::time::{Duration, Instant};

use tests::site::audit::{Expected, audit};
use tests::site::till::{Tender, fresh_key, id_of, order};
use tests::site::wait::until_is;
use tests::site::{Site, SiteSettings};
use tests::virtual_card::{Fault, When};

const WITHIN: Duration = Duration::from_secs(20);
/// From the cable to the end of a purchase with the next card.
const BACK_WITHIN: Duration = Duration::from_secs(5);
const SERVICE: &str = "meal-delivery";
/// The instruction byte of DEBIT FOR PURCHASE.
const DEBIT: u8 = 0x54;

#[tokio::test(flavor = "multi_thread")]
async fn f7_a_sale_whose_reader_is_pulled_is_unknown_until_the_next_tap_and_then_paid_once() {
    let settings = SiteSettings { cable: true, ..SiteSettings::with_cards() };
    let site = Site::start(&settings).await.expect("a site");
    site.wait_catalogue().await.expect("the line is up");
    let till = site.till();
    till.wait_reader("empty").await.expect("the reader is there");
    let bench = site.cards.as_ref().expect("the settings ask for cards");
    let before = till.purse();

    let id = id_of(order(&till.staff, &fresh_key(), Tender::Purse, SERVICE, 1).await.expect("an answer"))
        .expect("a sale is ordered");
    till.card.arm(Fault::mute(When::Ins(DEBIT), Duration::from_secs(600)));
    till.lay_card().await.expect("pcscd notices the card");
    assert!(till.card.wait_command(DEBIT, WITHIN), "the debit goes out");
    bench.unplug().expect("the cable is in");
    let sale = till.wait_sale(&id, WITHIN).await.expect("it ends as far as it can");
    assert_eq!(sale["state"], "unknown", "{sale}");
    let gone = |status: &serde_json::Value| status["readers"][0]["state"] == "gone";
    site.gateway.wait_status("the reader is gone", WITHIN, gone).await.expect("it is");

    till.card.disarm();
    let plugged = Instant::now();
    bench.plug().expect("the cable is out");
    till.lay_card().await.expect("pcscd notices the card");
    let path = format!("/api/v1/sales/{id}");
    let settled = |sale: &serde_json::Value| sale["state"] != "unknown";
    let sale = until_is("the sale is settled", WITHIN, async || till.staff.read(&path).await, settled).await;
    assert_eq!(sale.expect("it is")["state"], "paid");
    assert!(plugged.elapsed() <= BACK_WITHIN, "{:?}", plugged.elapsed());
    till.take_card().await.expect("it is noticed");
    let amount = sale_amount(&site, &path).await;
    assert_eq!(before - till.purse(), amount, "charged once");

    let (next, _) = till.buy(Tender::Purse, SERVICE, 1).await.expect("the next purchase");
    assert_eq!(next["state"], "paid", "{next}");
    let findings = audit(&site, &Expected::default(), WITHIN).await;
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

async fn sale_amount(site: &Site, path: &str) -> u64 {
    let sale = site.gateway.staff.read(path).await.expect("the sale is known");
    sale["amount"].as_u64().expect("a sale has an amount")
}
