//! Acknowledged means durable, exactly once by origin: daemon and centre are killed at random moments under load.
//!
//! `LONG=1` for as many rounds as before a release, `ROUNDS=…` for so many; `SEED=…` repeats a run's choices.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tests::site::audit::{Expected, audit};
use tests::site::dice::Dice;
use tests::site::error::SiteError;
use tests::site::load::{Load, LoadSettings, MIXED};
use tests::site::long_run;
use tests::site::shopper::{Bought, settle, shop};
use tests::site::till::{Tender, Till};
use tests::site::{Site, SiteSettings};

/// Rounds in an ordinary run, and before a release.
const ROUNDS: u64 = 25;
const ROUNDS_LONG: u64 = 200;
/// How long a service runs before it is killed.
const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_millis(1_500);
/// How long the rest may take at the end.
const DRAIN: Duration = Duration::from_secs(90);
/// Devices that report meanwhile.
const DEVICES: usize = 6;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Victim {
    Gateway,
    Centre,
}

/// A1.
#[tokio::test(flavor = "multi_thread")]
async fn kill_9_of_the_daemon_at_random_moments_loses_nothing_and_doubles_nothing() {
    rounds(Victim::Gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_of_the_centre_at_random_moments_loses_nothing_and_doubles_nothing() {
    rounds(Victim::Centre).await;
}

#[expect(clippy::print_stdout, reason = "the seed, and how much there was to lose")]
async fn rounds(victim: Victim) {
    let (mut dice, seed) = Dice::from_environment();
    println!("SEED={seed} repeats the choices of this run");
    let (count, began) = (long_run::asked("ROUNDS", ROUNDS, ROUNDS_LONG), Instant::now());
    let mut site = Site::start(&SiteSettings::with_cards().and_load(DEVICES)).await.expect("a site");
    site.wait_catalogue().await.expect("the line is up");
    site.till().wait_reader("empty").await.expect("the reader is there");
    let pace = LoadSettings { window: 8, pause: Some(Duration::from_millis(10)), count: None, kinds: MIXED };
    let load = Load::start(site.load_logins(), tests::site::EPOCH, &pace, &mut dice);
    let stop = AtomicBool::new(false);
    let customer = dice.split();
    let (bought, killed) = {
        let cards = site.cards.as_ref().expect("the settings ask for cards");
        let till = Till::new(site.gateway.staff.clone(), cards);
        let (gateway, centre) = (&mut site.gateway, &mut site.centre);
        let killing = async {
            for _ in 0..count {
                tokio::time::sleep(dice.between(SHORTEST, LONGEST)).await;
                match victim {
                    Victim::Gateway => {
                        gateway.kill();
                        gateway.verify_journal().await?;
                        gateway.start().await?;
                    }
                    Victim::Centre => {
                        centre.kill();
                        tokio::time::sleep(dice.between(Duration::ZERO, SHORTEST)).await;
                        centre.start().await?;
                    }
                }
                gateway.check()?;
            }
            stop.store(true, Ordering::Relaxed);
            Ok::<(), SiteError>(())
        };
        tokio::join!(shop(&till, customer, &stop), killing)
    };
    killed.expect("every start was well");
    let bought = bought.expect("every purchase had an end");
    let load = load.finish(DRAIN).await.expect("every report is acknowledged");
    settle(&site.till()).await.expect("every sale is settled by the next tap");
    let figures = format!(
        "{count} kills, {} reports acknowledged, {} sent again, 0 lost or doubled; {} purchases, {} paid",
        load.acknowledged.len(),
        load.resent,
        bought.len(),
        bought.iter().filter(|one| one.state == "paid").count()
    );
    assert!(load.acknowledged.len() > 500, "there was hardly any load");
    assert!(bought.iter().any(|one| one.state == "paid"), "nothing was ever paid: {bought:?}");
    let findings = audit(&site, &Expected { load, bought, ..Expected::default() }, DRAIN).await;
    assert!(findings.is_empty(), "SEED={seed}\n{}", findings.join("\n"));
    let what = match victim {
        Victim::Gateway => "kill -9 of the daemon",
        Victim::Centre => "kill -9 of the centre",
    };
    println!("{}", long_run::figures(what, &figures, began.elapsed()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_account_at_the_end_finds_what_is_missing_and_what_nobody_sent() {
    let site = Site::start(&SiteSettings::default().and_load(1)).await.expect("a site");
    let pace = LoadSettings { window: 8, pause: None, count: Some(20), kinds: MIXED };
    let load = Load::start(site.load_logins(), tests::site::EPOCH, &pace, &mut Dice::new(1));
    let mut load = load.finish(DRAIN).await.expect("every report is acknowledged");
    load.acknowledged.insert(("load-0001".to_owned(), 1, 4_711));
    load.sent.remove(&("load-0001".to_owned(), 1, 7));
    let paid = Bought { sale: "f".repeat(32), tender: Tender::Purse, state: "paid".to_owned() };
    let findings = audit(&site, &Expected { load, bought: vec![paid], ..Expected::default() }, DRAIN).await;
    assert_eq!(findings.len(), 3, "{findings:?}");
    for (finding, start) in findings.iter().zip(["acknowledged and missing", "never sent", "shown as paid and not"]) {
        assert!(finding.starts_with(start), "{findings:?}");
    }
}
