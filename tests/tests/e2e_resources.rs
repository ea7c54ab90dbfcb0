//! Little memory and few open files, under the real daemon.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use tests::site::audit::{Expected, audit};
use tests::site::dice::Dice;
use tests::site::load::{Load, LoadSettings};
use tests::site::records::Records;
use tests::site::wait::until;
use tests::site::{EPOCH, Site, SiteSettings};

const WITHIN: Duration = Duration::from_secs(60);
/// I5: how long an alarm may take to its acknowledgement, and to the centre.
const LOCAL: Duration = Duration::from_secs(2);
const BOUND: Duration = Duration::from_secs(10);
/// Open files that the daemon gets.
const LIMIT: &str = "--nofile=64:64";
/// Connections that are opened to each of its ports, and never used.
const IDLE: usize = 150;
/// How long one of them waits to be taken.
const TAKEN: Duration = Duration::from_millis(200);
/// What the daemon may hold in memory at most, KiB.
const MEMORY_KIB: u64 = 64 * 1_024;
/// Entries that wait for the centre.
const BACKLOG: u64 = 100_000;
/// Devices that report them.
const DEVICES: u64 = 10;
/// How long they may take to come in, and to leave.
const FILLED: Duration = Duration::from_secs(240);

/// A20.
#[tokio::test(flavor = "multi_thread")]
async fn a20_with_64_open_files_and_a_flood_of_connections_alarms_are_taken_and_reach_the_centre() {
    let mut site = Site::prepare(&SiteSettings::default()).await.expect("a site");
    site.gateway.start_behind(&["prlimit", LIMIT]);
    site.centre.start().await.expect("the centre runs");
    site.gateway.start().await.expect("it starts");
    let mut button = site.button("btn-0001").await.expect("it is let in");
    button.press("sos").await.expect("acknowledged");
    let ports = [site.gateway.mqtt(), site.gateway.kiosk_address()];
    // As many as the system takes for the daemon; those that it does not accept wait in its queue.
    let connect = |port| TcpStream::connect_timeout(port, TAKEN).ok();
    let flood: Vec<TcpStream> = ports.iter().flat_map(|port| (0..IDLE).map_while(move |_| connect(port))).collect();
    assert!(flood.len() > 64, "{}", flood.len());
    // Every connection to the centre is gone, and a new one needs a descriptor.
    site.centre.kill();
    site.centre.start().await.expect("the centre is back");
    let pressed = button.press("fall").await.expect("acknowledged");
    assert!(pressed.acknowledged_after < LOCAL, "{:?}", pressed.acknowledged_after);
    let mut records = Records::open(&site.centre.database).await.expect("it is there");
    let origin = format!("device:btn-0001/{EPOCH}/{}", pressed.seq);
    let arrived = async || records.has(&origin).await.ok()?.then_some(());
    until("the alarm is at the centre", BOUND, arrived).await.expect("in its bound");
    site.gateway.check().expect("it runs on");
    drop(flood);
    let connect = async || button.reconnect().await.ok();
    until("devices are let in again", WITHIN, connect).await.expect("the flood is over");
    button.press("sos").await.expect("acknowledged");
    let log = std::fs::read_to_string(site.gateway.log()).expect("a log");
    assert!(!log.contains("panicked"), "{log}");
    let findings = audit(&site, &Expected::default(), WITHIN).await;
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

/// A19.
#[tokio::test(flavor = "multi_thread")]
async fn a19_a_long_backlog_is_taken_restored_and_delivered_within_64_mib() {
    let devices = usize::try_from(DEVICES).expect("a few");
    let mut site = Site::prepare(&SiteSettings::default().and_load(devices)).await.expect("a site");
    site.gateway.start().await.expect("it starts without the centre");
    let pace = LoadSettings { window: 100, pause: None, count: Some(BACKLOG / DEVICES), kinds: &["test"] };
    let began = Instant::now();
    let load = Load::start(site.load_logins(), EPOCH, &pace, &mut Dice::new(19));
    let load = load.finish(FILLED).await.expect("every report is acknowledged");
    let filled = (began.elapsed(), peak_kib(&site));
    site.gateway.stop(WITHIN).await.expect("it ends");
    site.gateway.start().await.expect("it starts");
    let restored = peak_kib(&site);
    let began = Instant::now();
    site.centre.start().await.expect("the centre runs");
    site.gateway.wait_delivered(FILLED).await.expect("everything is at the centre");
    let delivered = (began.elapsed(), peak_kib(&site));
    println!("{BACKLOG} entries: taken {filled:?} KiB, restored {restored} KiB, delivered {delivered:?} KiB");
    for peak in [filled.1, restored, delivered.1] {
        assert!(peak < MEMORY_KIB, "{peak} KiB");
    }
    let findings = audit(&site, &Expected { load, ..Expected::default() }, WITHIN).await;
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

/// The most that the daemon ever held in memory since its start, KiB.
fn peak_kib(site: &Site) -> u64 {
    let pid = site.gateway.pid().expect("it runs");
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
    peak.expect("Linux says the peak of each process")
}

/// What lies in the state directory; see `place` in the gateway's store, and its count of wrong PINs.
const STATE_FILES: [&str; 8] =
    ["journal.db", "journal.db-wal", "journal.db-shm", "enrolled", "head", "reserve", "lock", "pin-tries.json"];

/// A9 does not arise: the daemon has no log of its own to fill a disk with. It says everything on standard error, which the
/// service manager keeps within its own bounds.
#[tokio::test(flavor = "multi_thread")]
async fn a9_the_daemon_writes_no_log_file_and_its_unit_sends_none_to_a_file() {
    let mut site = Site::start(&SiteSettings::default()).await.expect("a site");
    let mut button = site.button("btn-0001").await.expect("it is let in");
    button.press("sos").await.expect("acknowledged");
    let names = std::fs::read_dir(&site.gateway.state).expect("its directory");
    for name in names.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned()) {
        assert!(STATE_FILES.contains(&name.as_str()), "{name} is not known to be bounded");
    }
    let pid = site.gateway.pid().expect("it runs");
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs");
    for file in open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok()) {
        let elsewhere = file.starts_with("/tmp") && !file.starts_with(&site.gateway.state);
        assert!(!elsewhere || file == site.gateway.log(), "{} is written or read", file.display());
    }
    let unit = include_str!("../../config/gateway.service");
    assert!(!unit.contains("file:") && !unit.contains("append:"), "{unit}");
    site.gateway.check().expect("it runs");
}
