//! F1: a card torn before and after each command of both dialogues, through the whole system.
//!
//! Charged exactly when the sale ends as paid; after the next tap no sale is unknown; the TAC verifies at the centre.

use std::time::Duration;

use serde_json::Value;
use tests::site::audit::{Expected, audit};
use tests::site::till::{Tender, Till, fresh_key, has_ended, id_of, order};
use tests::site::wait::until;
use tests::site::{Site, SiteSettings};
use tests::virtual_card::{Fault, Presence, When};

const WITHIN: Duration = Duration::from_secs(20);
/// How long the end of a sale is waited for before the card is tapped once more.
const TAP: Duration = Duration::from_secs(5);
/// More taps than any sale needs.
const TAPS: usize = 4;
const SERVICE: &str = "meal-delivery";

#[tokio::test(flavor = "multi_thread")]
async fn f1_a_card_torn_at_any_command_of_a_purchase_is_charged_exactly_when_the_sale_is_paid() {
    torn_everywhere(Tender::Purse).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f1_a_card_torn_at_any_command_of_its_proof_is_charged_exactly_when_the_sale_is_paid() {
    torn_everywhere(Tender::Account).await;
}

async fn torn_everywhere(tender: Tender) {
    let site = Site::start(&SiteSettings::with_cards()).await.expect("a site");
    site.wait_catalogue().await.expect("the line is up");
    let till = site.till();
    till.wait_reader("empty").await.expect("the reader is there");
    till.card.clear_trace();
    let (sale, _) = till.buy(tender, SERVICE, 1).await.expect("an undisturbed purchase");
    assert_eq!(sale["state"], "paid", "{sale}");
    let commands: Vec<String> = till.card.trace().iter().map(|one| hex::encode_upper(&one.command)).collect();
    assert!(commands.len() > 3, "the dialogue has commands: {commands:?}");
    let mut unknown_on_the_way = 0;
    for (index, command) in commands.iter().enumerate() {
        for fault in [Fault::tear_before(When::Index(index)), Fault::tear_after(When::Index(index))] {
            let case = format!("{tender:?}, {:?} command {index} {command}", fault.act);
            unknown_on_the_way += usize::from(torn(&site, &till, tender, fault, &case).await);
        }
    }
    // The tear after DEBIT FOR PURCHASE, at the least.
    assert!(tender == Tender::Account || unknown_on_the_way > 0, "no tear ever left a doubt");
    let findings = audit(&site, &Expected::default(), WITHIN).await;
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

/// One purchase with one tear; whether it was unknown on the way.
async fn torn(site: &Site, till: &Till<'_>, tender: Tender, fault: Fault, case: &str) -> bool {
    let before = spendable(site, till, tender).await;
    let answer = order(&till.staff, &fresh_key(), tender, SERVICE, 1).await.expect("an answer");
    let id = id_of(answer).unwrap_or_else(|error| panic!("{case}: {error}"));
    till.card.arm(fault);
    let removals = till.removals();
    assert!(till.card.reinsert(), "{case}: the card is not in the hand");
    until("the tear", WITHIN, async || (till.card.presence() == Presence::InHand).then_some(()))
        .await
        .unwrap_or_else(|error| panic!("{case}: {error}"));
    till.wait_removal(removals).await.unwrap_or_else(|error| panic!("{case}: {error}"));
    till.wait_reader("empty").await.unwrap_or_else(|error| panic!("{case}: {error}"));
    let path = format!("/api/v1/sales/{id}");
    let torn = till.staff.read(&path).await.expect("the sale is known");
    let unknown = torn["state"] == "unknown";
    if unknown {
        let charged = before.saturating_sub(spendable(site, till, tender).await);
        assert!(charged == 0 || charged == amount(&torn), "{case}: {charged}");
    }
    let settled = |sale: &Value| has_ended(sale) && sale["state"] != "unknown";
    let mut sale = torn;
    for _ in 0..TAPS {
        if settled(&sale) {
            break;
        }
        till.lay_card().await.unwrap_or_else(|error| panic!("{case}: {error}"));
        let read = async || till.staff.read(&path).await.ok().filter(settled);
        let after_tap = until("", TAP, read).await;
        till.take_card().await.unwrap_or_else(|error| panic!("{case}: {error}"));
        match after_tap {
            Ok(ended) => sale = ended,
            Err(_) if unknown => panic!("{case}: still unknown after the next tap: {sale}"),
            Err(_) => sale = till.staff.read(&path).await.expect("the sale is known"),
        }
    }
    till.card.disarm();
    assert!(settled(&sale), "{case}: {sale}");
    let charged = before.saturating_sub(spendable(site, till, tender).await);
    let due = if sale["state"] == "paid" { amount(&sale) } else { 0 };
    assert_eq!(charged, due, "{case}: {sale}");
    unknown
}

fn amount(sale: &Value) -> u64 {
    sale["amount"].as_u64().expect("a sale has an amount")
}

/// What can be spent: the purse's balance, or the account's once everything is at the centre.
async fn spendable(site: &Site, till: &Till<'_>, tender: Tender) -> u64 {
    if tender == Tender::Purse {
        return till.purse();
    }
    site.gateway.wait_delivered(WITHIN).await.expect("everything is at the centre");
    let account = site.centre.operator.read("/api/v1/accounts/person-0001").await.expect("the account");
    account["available"].as_u64().unwrap_or_else(|| panic!("an account has what is available: {account}"))
}
