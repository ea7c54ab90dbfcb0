//! A whole site at work for a long time, while processes die, lines break and the disk is slow or fails: nothing that was
//! acknowledged is lost, nothing is there twice, and everything comes to rest.
//!
//! `LONG=1` for an hour, `MIXED_SECONDS=…` for as long as that; `SEED=…` repeats a run's choices.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tests::mixed::BUSY;
use tests::mixed::agreement::differences;
use tests::mixed::arrival::{arrivals, within};
use tests::mixed::limits::{ARRIVED, MORE_DESCRIPTORS, MORE_RESIDENT_KIB, PARTS, REPORT_PAUSE, REST, WARM, WINDOW};
use tests::mixed::people::{Steps, work};
use tests::mixed::stage::Stage;
use tests::mixed::troubles::{Breakable, Daemon, Diary, Trouble};
use tests::mixed::vitals::Vitals;
use tests::power::error::PowerError;
use tests::site::EPOCH;
use tests::site::audit::{Expected, audit};
use tests::site::dice::Dice;
use tests::site::load::{Load, LoadSettings};
use tests::site::long_run;
use tests::site::records::Records;
use tests::site::shopper::{Bought, settle, shop};
use tests::site::till::Till;

/// An ordinary run, and an hour before a release.
const SECONDS: u64 = 24;
const SECONDS_LONG: u64 = 3_600;

/// What came of a run.
#[derive(Default)]
struct Day {
    diary: Diary,
    bought: Vec<Bought>,
    operator: Steps,
    staff: Steps,
    /// The daemon of the last life: when it was warm, and on to the end.
    life: Vec<Vitals>,
}

impl Day {
    /// How much the daemon's memory grew since it was warm, KiB.
    fn grown_kib(&self) -> u64 {
        let resident = |vitals: Option<&Vitals>| vitals.map_or(0, |vitals| vitals.resident_kib);
        resident(self.life.last()).saturating_sub(resident(self.life.first()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_day_of_mixed_load_with_faults_loses_nothing_and_doubles_nothing() {
    let (mut dice, seed) = Dice::from_environment();
    println!("SEED={seed} repeats the choices of this run");
    let began = Instant::now();
    let length = Duration::from_secs(long_run::asked("MIXED_SECONDS", SECONDS, SECONDS_LONG));
    let mut stage = Stage::start(length).await.expect("a stage");
    let at_first = Vitals::of(&stage.site.gateway).expect("it runs");
    let pace = LoadSettings { window: WINDOW, pause: Some(REPORT_PAUSE), count: None, kinds: BUSY };
    let load = Load::start(stage.logins(), EPOCH, &pace, &mut dice);
    let day = live(&mut stage, &mut dice, length).await.unwrap_or_else(|error| panic!("SEED={seed}: {error}"));

    let load = load.finish(REST).await.unwrap_or_else(|error| panic!("SEED={seed}: {error}"));
    settle(&stage.site.till()).await.unwrap_or_else(|error| panic!("SEED={seed}: {error}"));
    let expected = Expected { load, bought: day.bought.clone(), ..stage.expected() };
    let mut findings = at_rest(&stage, &day, &expected, at_first).await;
    let entries = Records::open(&stage.site.centre.database).await.expect("there").entries().await.expect("readable");
    let arrived = arrivals(&entries, &expected.load.pressed_ms, &day.diary);
    let ms = |times: &[Duration], per_mille| within(times, per_mille).as_millis();
    let troubles: Vec<String> = day.diary.counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
    println!("{}", troubles.join(", "));
    let presses = format!(
        "presses to the centre p50 {} and p99 {} ms while nothing was broken ({}), p99 {} ms of all ({})",
        ms(&arrived.quiet, 500),
        ms(&arrived.quiet, 990),
        arrived.quiet.len(),
        ms(&arrived.all, 990),
        arrived.all.len(),
    );
    let figures = format!("{}; {presses}", figures(&day, &expected));
    println!("{}", long_run::figures("mixed load with faults", &figures, began.elapsed()));

    if within(&arrived.quiet, 990) > ARRIVED {
        findings.push(format!("presses took {} ms to the centre although nothing was broken", ms(&arrived.quiet, 990)));
    }
    if day.grown_kib() > MORE_RESIDENT_KIB {
        findings.push(format!("the daemon's memory grew by {} KiB: {:?}", day.grown_kib(), day.life));
    }
    for (answer, count) in day.operator.wrong.iter().chain(&day.staff.wrong) {
        findings.push(format!("{count} steps were answered {answer}"));
    }
    assert!(findings.is_empty(), "SEED={seed}\n{}", findings.join("\n"));
    assert!(expected.load.acknowledged.len() as u64 > 20 * length.as_secs(), "there was hardly any load");
    assert!(day.bought.iter().any(|one| one.state == "paid"), "nothing was ever paid: {:?}", day.bought);
}

/// The load's time: everybody at work, one trouble after the other. In the first part of it the daemon dies again and again; in
/// the last one it lives, and is looked at when it is warm and at the end.
async fn live(stage: &mut Stage, dice: &mut Dice, length: Duration) -> Result<Day, PowerError> {
    let stop = AtomicBool::new(false);
    let (customer, at_centre, at_site) = (dice.split(), dice.split(), dice.split());
    let Stage { site, uplink, field, disk } = stage;
    let till = Till::new(site.gateway.staff.clone(), site.cards.as_ref().expect("the settings ask for cards"));
    let (operator, staff) = (site.centre.operator.clone(), site.gateway.staff.clone());
    let troubles = async {
        let mut diary = Diary::default();
        let (gateway, centre) = (&mut site.gateway, &mut site.centre);
        let mut all = Breakable { gateway, centre, uplink, field, disk };
        let (begin, part) = (Instant::now(), length / PARTS);
        all.trouble_until(begin + part * (PARTS - 1), Daemon::Dies, dice, &mut diary).await?;
        let mut life = Vec::new();
        for piece in 1..=WARM {
            let end = begin + part * (PARTS - 1) + part * piece / WARM;
            all.trouble_until(end, Daemon::Lives, dice, &mut diary).await?;
            life.push(Vitals::of(all.gateway).unwrap_or_default());
        }
        Ok::<_, PowerError>((diary, life))
    };
    let troubles = async {
        let ended = troubles.await;
        stop.store(true, Ordering::Relaxed);
        ended
    };
    let (ended, bought, operator, staff) = tokio::join!(
        troubles,
        shop(&till, customer, &stop),
        work(&operator, "/api/v1/alarms?open=1", at_centre, &stop),
        work(&staff, "/api/v1/alarms", at_site, &stop),
    );
    let (diary, life) = ended?;
    Ok(Day { diary, bought: bought?, operator, staff, life })
}

/// What is broken once everything is at rest: looked at until nothing is, or [`REST`] is over.
async fn at_rest(stage: &Stage, day: &Day, expected: &Expected, at_first: Vitals) -> Vec<String> {
    let began = Instant::now();
    loop {
        let mut findings = audit(&stage.site, expected, REST).await;
        match differences(&stage.site, &[&day.operator, &day.staff]).await {
            Ok(differences) => findings.extend(differences),
            Err(error) => findings.push(error.to_string()),
        }
        let now = Vitals::of(&stage.site.gateway).unwrap_or_default();
        if now.descriptors > at_first.descriptors + MORE_DESCRIPTORS {
            findings.push(format!("{} open files at rest, {} at first", now.descriptors, at_first.descriptors));
        }
        if findings.is_empty() || began.elapsed() > REST {
            return findings;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn figures(day: &Day, expected: &Expected) -> String {
    let diary = &day.diary;
    let ended = diary.count(Trouble::GatewayKilled) + diary.count(Trouble::SyncFails);
    let memory: Vec<String> = day.life.iter().map(|vitals| (vitals.resident_kib / 1_024).to_string()).collect();
    let lines = diary.count(Trouble::UplinkVanishes) + diary.count(Trouble::FieldVanishes);
    format!(
        "{} reports acknowledged, {} sent again, 0 lost or doubled; {} purchases, {} paid; {} steps of people; the daemon died {ended} \
         times, the centre {}; {lines} faults of lines; memory of the last life {} MiB",
        expected.load.acknowledged.len(),
        expected.load.resent,
        day.bought.len(),
        day.bought.iter().filter(|one| one.state == "paid").count(),
        day.operator.taken.len() + day.staff.taken.len(),
        diary.count(Trouble::CentreKilled),
        memory.join(", "),
    )
}
