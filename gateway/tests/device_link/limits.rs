//! What one peer may use up: connections, time, failures.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gateway::adapter::device_link::{BindError, DeviceLink, DeviceLinkSettings};
use gateway::devices_file::DeviceDirectory;
use gateway::troubles::Troubles;
use gateway_core::{AckCode, LinkInput, LinkRefusal};

use crate::rig::{Raw, Rig, connect, publish, subscribe};

#[tokio::test]
async fn d13_more_connections_than_allowed_are_closed_and_those_that_stand_live_on() {
    let mut rig = Rig::with(64, DeviceLinkSettings { connections_per_address_max: 8, ..DeviceLinkSettings::default() });
    let mut device = rig.client(4, "a").await;
    let mut idle = Vec::new();
    for _ in 0..7 {
        idle.push(Raw::open(rig.address).await);
    }
    for _ in 0..50 {
        assert_eq!(Raw::open(rig.address).await.rest().await, b"");
    }
    assert!(rig.handle.stats().turned_away >= 50);
    device.send(&publish(4, 0b0010, b"care/v1/a/event", Some(1), b"{}")).await;
    let (_, ack, _) = rig.event().await;
    rig.handle.ack(ack.unwrap(), AckCode::Success);
    assert_eq!(device.packet().await, (0x40, vec![0, 1]));
}

#[tokio::test]
async fn d13_a_connect_that_trickles_in_is_cut_at_the_deadline() {
    let rig = Rig::start(64);
    let mut raw = Raw::open(rig.address).await;
    let start = Instant::now();
    let bytes = connect(4, "a", "a", rig.secret("a").as_bytes(), 60);
    let trickle = async {
        for byte in bytes.iter().cycle().take(bytes.len() - 1) {
            if tokio::io::AsyncWriteExt::write_all(&mut raw.socket, &[*byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    trickle.await;
    assert_eq!(raw.rest().await, b"");
    let took = start.elapsed();
    assert!(took >= Duration::from_secs(9), "{took:?}");
    let stats = rig.handle.stats();
    assert_eq!((stats.logins, stats.greetings_late, stats.connections), (0, 1, 0));
}

#[tokio::test]
async fn d1_failures_beyond_the_limit_are_neither_answered_nor_reported() {
    let mut rig = Rig::start(1_000);
    let mut answered = 0;
    for _ in 0..60 {
        let mut raw = Raw::open(rig.address).await;
        raw.send(&connect(4, "a", "a", b"wrong", 60)).await;
        answered += usize::from(!raw.rest().await.is_empty());
    }
    assert!((10..15).contains(&answered), "{answered}");
    let mut reported = 0;
    while rig.inputs.try_recv().is_ok() {
        reported += 1;
    }
    assert!((10..=21).contains(&reported), "{reported}");
    let stats = rig.handle.stats();
    assert_eq!(stats.logins_refused, 60);
    assert_eq!(stats.refusals_unreported, 60 - reported);
    rig.client(4, "a").await;
}

#[tokio::test]
async fn d12_a_flapping_device_is_told_to_slow_down() {
    let mut rig = Rig::start(1_000);
    let mut refused = 0;
    for _ in 0..100 {
        let mut raw = Raw::open(rig.address).await;
        raw.send(&connect(4, "a", "a", rig.secret("a").as_bytes(), 60)).await;
        let (_, body) = raw.packet().await;
        refused += usize::from(body == [0, 3]);
    }
    assert!(refused > 20, "{refused}");
    assert_eq!(rig.refusal().await, (Some("a".to_owned()), LinkRefusal::Limit));
    rig.client(4, "b").await;
}

#[tokio::test]
async fn a_device_that_floods_without_acknowledgement_is_read_slowly_and_others_are_not() {
    let mut rig = Rig::start(10_000);
    let mut flood = rig.client(4, "a").await;
    let start = Instant::now();
    flood.send(&publish(4, 0, b"care/v1/a/status", None, b"{}").repeat(600)).await;
    let mut other = rig.client(4, "b").await;
    other.send(&publish(4, 0b0010, b"care/v1/b/event", Some(1), b"{}")).await;
    let mut before = 0;
    while let LinkInput::Status { .. } = rig.input().await {
        before += 1;
    }
    assert!(before < 600, "the other's event does not wait behind the flood");
    for _ in before..600 {
        let LinkInput::Status { .. } = rig.input().await else { panic!("a heartbeat") };
    }
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(1_500), "600 less 256, one every 5 ms: {took:?}");
}

#[tokio::test]
async fn what_waited_for_a_full_core_reaches_it_though_the_connection_has_ended_meanwhile() {
    let mut rig = Rig::start(1);
    let mut before = rig.client(4, "a").await;
    before.send(&subscribe(4, 1, "care/v1/a/command", 1)).await;
    before.packet().await;
    before.send(&publish(4, 0b0010, b"care/v1/a/event", Some(1), b"{}")).await;
    let read = async {
        while rig.handle.stats().publishes == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::rig::DEADLINE, read).await.expect("the event is read");
    let _after = rig.client(4, "a").await;
    let LinkInput::Connected { .. } = rig.input().await else { panic!("this filled the core") };
    rig.event().await;
    let LinkInput::Disconnected { .. } = rig.input().await else { panic!("the earlier connection is over") };
}

/// A20.
#[tokio::test]
async fn a20_without_free_descriptors_those_who_are_connected_live_on_and_others_come_in_later() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut rig = Rig::start(64);
    let mut device = rig.client(4, "a").await;
    let before = getrlimit(Resource::Nofile);
    let open = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64;
    setrlimit(Resource::Nofile, rustix::process::Rlimit { current: Some(open + 20), maximum: before.maximum }).unwrap();
    let mut crowd = Vec::new();
    while let Ok(socket) = tokio::net::TcpStream::connect(rig.address).await {
        crowd.push(socket);
    }
    let failed = async {
        while rig.handle.stats().accept_failures == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(crate::rig::DEADLINE, failed).await.expect("accept fails");
    device.send(&publish(4, 0b0010, b"care/v1/a/event", Some(1), b"{}")).await;
    let (_, ack, _) = rig.event().await;
    rig.handle.ack(ack.unwrap(), AckCode::Success);
    assert_eq!(device.packet().await, (0x40, vec![0, 1]));
    crowd.clear();
    setrlimit(Resource::Nofile, before).unwrap();
    rig.client(4, "b").await;
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_cut_and_costs_no_memory_meanwhile() {
    let mut rig = Rig::start(1_000);
    let mut raw = rig.client(4, "a").await;
    let pings: Vec<u8> = [0xC0, 0].repeat(32 * 1024);
    let start = Instant::now();
    // Nothing is read back: first the answers fill the buffers on the way, then the gateway stops reading.
    while tokio::time::timeout(Duration::from_secs(30), tokio::io::AsyncWriteExt::write_all(&mut raw.socket, &pings))
        .await
        .expect("the gateway gives up in time")
        .is_ok()
    {}
    assert!(start.elapsed() >= Duration::from_secs(9));
    assert!(rig.inputs.try_recv().is_err());
}

#[tokio::test]
async fn a_connection_that_ended_waits_for_its_last_bytes_without_working() {
    const KEEP_ALIVE_S: u16 = 1;
    let rig = Rig::start(1_000);
    let mut raw = Raw::open(rig.address).await;
    raw.send(&connect(5, "a", "a", rig.secret("a").as_bytes(), KEEP_ALIVE_S)).await;
    assert_eq!(raw.packet().await.0, 0x20, "logged in");
    let pings: Vec<u8> = [0xC0, 0].repeat(32 * 1024);
    // Nothing is read back, until the gateway cannot write any more and therefore does not read.
    let write = async |socket: &mut tokio::net::TcpStream| {
        tokio::time::timeout(Duration::from_secs(1), tokio::io::AsyncWriteExt::write_all(socket, &pings)).await
    };
    while write(&mut raw.socket).await.is_ok() {}
    rig.client(5, "a").await;
    let writes = rig.handle.stats().writes;
    // Longer than its silence may be, shorter than it may take for its last bytes.
    tokio::time::sleep(Duration::from_secs(u64::from(KEEP_ALIVE_S) * 4)).await;
    let more = rig.handle.stats().writes - writes;
    assert!(more <= 10, "{more} writes to a peer that does not read");
}

#[tokio::test]
async fn an_address_that_is_reachable_from_outside_is_not_bound_without_tls() {
    let bind = |settings: DeviceLinkSettings| {
        let directory = Arc::new(DeviceDirectory::new(Vec::new()));
        DeviceLink::bind(&settings, directory, tokio::sync::mpsc::channel::<LinkInput>(1).0).err().unwrap()
    };
    for address in ["0.0.0.0:0", "192.0.2.1:1883", "[::]:0"] {
        let settings = DeviceLinkSettings { plain: Some(address.parse().unwrap()), ..DeviceLinkSettings::default() };
        assert!(matches!(bind(settings), BindError::NotLoopback(_)), "{address}");
    }
    assert!(matches!(bind(DeviceLinkSettings::default()), BindError::Nowhere));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = DeviceLinkSettings { plain: Some(taken.local_addr().unwrap()), ..DeviceLinkSettings::default() };
    assert!(matches!(bind(settings), BindError::Address { .. }));
}

#[tokio::test]
async fn an_address_that_is_taken_is_tried_again_until_devices_can_come_in() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap();
    let troubles = Troubles::default();
    let settings = DeviceLinkSettings { plain: Some(address), ..DeviceLinkSettings::default() };
    let (inputs, _kept) = tokio::sync::mpsc::channel::<LinkInput>(1);
    let directory = Arc::new(DeviceDirectory::new(Vec::new()));
    let link = DeviceLink::bind_or_retry(&settings, directory, inputs, troubles.clone()).unwrap();
    assert_eq!(link.plain_address(), None);
    assert_eq!(troubles.now().len(), 1);
    let task = tokio::spawn(link.run(std::future::pending()));
    drop(other);
    let well = async {
        while tokio::net::TcpStream::connect(address).await.is_err() || !troubles.now().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::rig::DEADLINE, well).await.expect("devices come in once the address is free");
    task.abort();
}
