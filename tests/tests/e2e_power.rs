//! Acknowledged means durable, on the real daemon and a real ext4 whose power is cut at random moments.
//!
//! `LONG=1` for as many cuts as before a release, `CUTS=…` for so many; `SEED=…` repeats a run's choices.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tests::power::cuts::{CutSettings, cut_now, cut_repeatedly};
use tests::power::stored::Stored;
use tests::power::{Disk, Faults, Order, can_make_disks};
use tests::site::audit::{Expected, audit};
use tests::site::dice::Dice;
use tests::site::load::{Load, LoadSettings, MIXED};
use tests::site::long_run;
use tests::site::shopper::{settle, shop};
use tests::site::till::Till;
use tests::site::wait::until;
use tests::site::{EPOCH, Site, SiteSettings};

/// Cuts in an ordinary run, and before a release.
const CUTS: u64 = 150;
const CUTS_LONG: u64 = 10_000;
/// Cuts with one journal: a longer one only makes every start slower.
const CUTS_PER_SITE: u32 = 250;
/// Cuts while people buy: a sale takes a second, so these lives are longer.
const CUTS_WITH_SALES: u32 = 12;
/// Cuts in which the harness has to find what a disk that lies has lost.
const CUTS_OF_A_LIAR: u32 = 6;
/// Cuts in a checkpoint of a start, and in one beside the writer.
const CUTS_IN_START_CHECKPOINT: u64 = 10;
const CUTS_IN_CHECKPOINT: u64 = 2;
/// Pages of a checkpoint after which the power goes at the latest: fewer than any of these checkpoints has.
const CHECKPOINT_PAGES: u64 = 20;
/// First starts that are cut.
const FIRST_STARTS: u32 = 20;
/// How long the rest may take at the end.
const DRAIN: Duration = Duration::from_secs(90);
/// How long something may take that follows by itself.
const WITHIN: Duration = Duration::from_secs(60);
/// How long presses that came fast may wait to be told together, and some.
const FOLDS_TOLD: Duration = Duration::from_secs(20);
/// Devices that report meanwhile.
const DEVICES: usize = 6;
/// So large that sales stay open.
const DISK_BYTES: u64 = 1 << 30;

const PACE: LoadSettings = LoadSettings { window: 8, pause: Some(Duration::from_millis(5)), count: None, kinds: MIXED };

/// A site whose gateway has its journal on a disk of its own; nothing runs yet. The disk is to be dropped first.
async fn site_on_disk(settings: SiteSettings) -> (Site, Disk) {
    let site = Site::prepare(&settings.and_load(DEVICES)).await.expect("a site");
    let disk = Disk::new(&site.gateway.state, DISK_BYTES).expect("a disk");
    (site, disk)
}

/// The same, with faults that can be ordered.
async fn site_on_disk_with_faults() -> (Site, Disk, Faults) {
    let (mut site, disk) = site_on_disk(SiteSettings::default()).await;
    let faults = Faults::new(site.directory()).expect("compiled");
    faults.under(&mut site.gateway);
    (site, disk, faults)
}

async fn start(site: &mut Site) {
    site.centre.start().await.expect("the centre runs");
    site.gateway.start().await.expect("it starts");
}

/// What was found broken, once every press is told; presses that came fast are told some seconds later.
async fn findings_at_the_end(site: &Site, expected: &Expected) -> Vec<String> {
    let began = Instant::now();
    loop {
        let findings = audit(site, expected, DRAIN).await;
        if findings.is_empty() || began.elapsed() > FOLDS_TOLD {
            let stored = Stored::read(&site.gateway.state).await.expect("the journal can be read");
            return [findings, stored.findings(&expected.load.acknowledged)].concat();
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// A2.
#[tokio::test(flavor = "multi_thread")]
async fn a2_power_cuts_at_random_moments_lose_nothing_acknowledged_and_double_nothing() {
    if !can_make_disks("A2, power cuts") {
        return;
    }
    let (mut dice, seed) = Dice::from_environment();
    println!("SEED={seed} repeats the choices of this run");
    let all = u32::try_from(long_run::asked("CUTS", CUTS, CUTS_LONG)).expect("a number of cuts");
    let (mut done, mut acknowledged, began) = (0, 0, Instant::now());
    while done < all {
        let cuts = CUTS_PER_SITE.min(all.saturating_sub(done));
        let (mut site, disk) = site_on_disk(SiteSettings::default()).await;
        start(&mut site).await;
        let load = Load::start(site.load_logins(), EPOCH, &PACE, &mut dice);
        let settings = CutSettings { cuts, shortest: Duration::from_millis(20), longest: Duration::from_millis(400) };
        let cutting = Instant::now();
        let broken = cut_repeatedly(&mut site.gateway, &disk, &load, &mut dice, &settings).await;
        let broken = broken.expect("every start is well");
        println!("{cuts} cuts in {:?}", cutting.elapsed());
        let load = load.finish(DRAIN).await.expect("every report is acknowledged");
        assert!(load.acknowledged.len() > 20 * cuts as usize, "there was hardly any load: {}", load.acknowledged.len());
        (done, acknowledged) = (done + cuts, acknowledged + load.acknowledged.len());
        let expected = Expected { load, ..Expected::default() };
        let findings = [broken, findings_at_the_end(&site, &expected).await].concat();
        assert!(findings.is_empty(), "SEED={seed}\n{}", findings.join("\n"));
    }
    let figures = format!("{done} cuts, {acknowledged} reports acknowledged, 0 lost or doubled");
    println!("{}", long_run::figures("power cuts", &figures, began.elapsed()));
}

/// A2, with sales.
#[tokio::test(flavor = "multi_thread")]
async fn a2_power_cuts_while_people_buy_charge_nobody_twice_and_lose_no_sale() {
    if !can_make_disks("A2, power cuts with sales") {
        return;
    }
    let (mut dice, seed) = Dice::from_environment();
    println!("SEED={seed} repeats the choices of this run");
    let (mut site, disk) = site_on_disk(SiteSettings::with_cards()).await;
    start(&mut site).await;
    site.wait_catalogue().await.expect("the line is up");
    site.till().wait_reader("empty").await.expect("the reader is there");
    let load = Load::start(site.load_logins(), EPOCH, &PACE, &mut dice);
    let stop = AtomicBool::new(false);
    let customer = dice.split();
    let settings = CutSettings {
        cuts: CUTS_WITH_SALES,
        shortest: Duration::from_millis(300),
        longest: Duration::from_millis(2_500),
    };
    let (bought, broken) = {
        let till = Till::new(site.gateway.staff.clone(), site.cards.as_ref().expect("the settings ask for cards"));
        let cutting = async {
            let broken = cut_repeatedly(&mut site.gateway, &disk, &load, &mut dice, &settings).await;
            stop.store(true, Ordering::Relaxed);
            broken
        };
        tokio::join!(shop(&till, customer, &stop), cutting)
    };
    let broken = broken.expect("every start is well");
    let bought = bought.expect("every purchase had an end");
    let load = load.finish(DRAIN).await.expect("every report is acknowledged");
    settle(&site.till()).await.expect("every sale is settled by the next tap");
    let paid = bought.iter().filter(|one| one.state == "paid").count();
    println!("{} reports acknowledged; {} purchases, {paid} paid", load.acknowledged.len(), bought.len());
    assert!(paid > 0, "nothing was ever paid: {bought:?}");
    let expected = Expected { load, bought, ..Expected::default() };
    let findings = [broken, findings_at_the_end(&site, &expected).await].concat();
    assert!(findings.is_empty(), "SEED={seed}\n{}", findings.join("\n"));
}

/// A3: without it nobody knows whether the cuts would find anything.
#[tokio::test(flavor = "multi_thread")]
async fn a3_the_cuts_find_what_a_disk_that_only_says_that_it_synced_has_lost() {
    if !can_make_disks("A3, the test of the power cuts themselves") {
        return;
    }
    let (mut dice, _) = Dice::from_environment();
    let (mut site, disk, faults) = site_on_disk_with_faults().await;
    start(&mut site).await;
    let load = Load::start(site.load_logins(), EPOCH, &PACE, &mut dice);
    load.progress(50, WITHIN).await.expect("reports are acknowledged");
    faults.order(Order::Lie, 1).expect("ordered");
    let settings =
        CutSettings { cuts: CUTS_OF_A_LIAR, shortest: Duration::from_millis(100), longest: Duration::from_millis(400) };
    let broken = cut_repeatedly(&mut site.gateway, &disk, &load, &mut dice, &settings).await.expect("it starts");
    println!("{} lies, {} losses found in {CUTS_OF_A_LIAR} cuts", faults.made().expect("counted"), broken.len());
    let missing = broken.iter().filter(|finding| finding.starts_with("acknowledged and missing in the journal"));
    assert!(missing.count() > 0, "the harness would not notice a gateway that does not sync: {broken:?}");
}

/// A4.
#[tokio::test(flavor = "multi_thread")]
async fn a4_a_power_cut_in_the_middle_of_a_checkpoint_loses_nothing() {
    if !can_make_disks("A4, power cuts in checkpoints") {
        return;
    }
    let (mut dice, seed) = Dice::from_environment();
    let (mut site, disk, faults) = site_on_disk_with_faults().await;
    start(&mut site).await;
    let load = Load::start(site.load_logins(), EPOCH, &PACE, &mut dice);
    for cut in 0..CUTS_IN_START_CHECKPOINT + CUTS_IN_CHECKPOINT {
        load.progress(100, WITHIN).await.expect("reports are acknowledged");
        let page = i64::try_from(1 + dice.below(CHECKPOINT_PAGES)).expect("a small number");
        let before = faults.made().expect("counted");
        if cut < CUTS_IN_START_CHECKPOINT {
            // Its log stays, and the next start brings it into the file.
            site.gateway.kill();
            faults.order(Order::HoldAtWrite, page).expect("ordered");
            site.gateway.launch().expect("it starts");
        } else {
            faults.order(Order::HoldAtWrite, page).expect("ordered");
        }
        let held = async || (faults.made().ok()? > before).then_some(());
        until("a checkpoint has written some pages", WITHIN, held).await.expect("it is held there");
        cut_now(&mut site.gateway, &disk).await.expect("cut");
        let stored = Stored::read(&site.gateway.state).await.expect("the journal can be read");
        let findings = stored.findings(&load.acknowledged_reports());
        assert!(findings.is_empty(), "SEED={seed}, cut {cut} after page {page}\n{}", findings.join("\n"));
        site.gateway.start().await.expect("it starts");
        site.gateway.verify_journal().await.expect("the chain verifies");
    }
    let load = load.finish(DRAIN).await.expect("every report is acknowledged");
    let expected = Expected { load, ..Expected::default() };
    let findings = findings_at_the_end(&site, &expected).await;
    assert!(findings.is_empty(), "SEED={seed}\n{}", findings.join("\n"));
}

/// A5.
#[tokio::test(flavor = "multi_thread")]
async fn a5_a_power_cut_in_the_first_start_leaves_no_half_journal_to_the_next_one() {
    if !can_make_disks("A5, power cuts in the first start") {
        return;
    }
    let (mut dice, seed) = Dice::from_environment();
    let (mut site, disk) = site_on_disk(SiteSettings::default()).await;
    let began = Instant::now();
    site.gateway.start().await.expect("a first start without a cut");
    let whole = began.elapsed();
    site.gateway.kill();
    drop(disk);
    let (mut had_none, mut had_one) = (0, 0);
    for _ in 0..FIRST_STARTS {
        let disk = Disk::new(&site.gateway.state, DISK_BYTES).expect("a disk");
        let moment = dice.between(Duration::ZERO, whole);
        site.gateway.launch().expect("it starts");
        tokio::time::sleep(moment).await;
        cut_now(&mut site.gateway, &disk).await.expect("cut");
        let journal = site.gateway.state.join("journal.db").exists();
        *(if journal { &mut had_one } else { &mut had_none }) += 1;
        site.gateway.start().await.unwrap_or_else(|error| panic!("SEED={seed}, cut after {moment:?}: {error}"));
        let status = site.gateway.api.read("/api/v1/status").await.expect("its status");
        assert_eq!(status["journal"]["storing"], true, "SEED={seed}, cut after {moment:?}: {status}");
        assert_eq!(status["degraded"], json!([]), "SEED={seed}, cut after {moment:?}: {status}");
        let mut button = site.button("btn-0001").await.expect("it is let in");
        button.press("sos").await.expect("acknowledged");
        site.gateway.verify_journal().await.expect("a whole journal");
        site.gateway.kill();
        drop(disk);
    }
    println!("{FIRST_STARTS} first starts cut: {had_none} had no journal yet, {had_one} had one");
    assert!(had_none > 0 && had_one > 0, "SEED={seed}: the cuts came too early or too late");
}
