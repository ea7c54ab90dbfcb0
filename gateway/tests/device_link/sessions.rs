//! Take-over, keep-alive, and what outlives a connection.

use std::time::{Duration, Instant};

use gateway_core::{AckCode, CommandId, LinkInput, LinkRefusal};

use crate::rig::{Raw, Rig, connect, connect_with, packet, publish, subscribe};

#[tokio::test]
async fn a_later_login_of_the_same_device_takes_over_and_the_earlier_hears_why() {
    let mut rig = Rig::start(64);
    for (version, goodbye) in [(4, vec![]), (5, vec![0xE0, 1, 0x8E])] {
        let mut first = rig.client(version, "a").await;
        first.send(&subscribe(version, 1, "care/v1/a/command", 1)).await;
        let LinkInput::Connected { session: old, .. } = rig.input().await else { panic!("announced") };
        first.packet().await;
        let mut second = rig.client(version, "a").await;
        assert_eq!(first.rest().await, goodbye);
        let LinkInput::Disconnected { session, .. } = rig.input().await else { panic!("gone") };
        assert_eq!(session, old);
        second.send(&subscribe(version, 1, "care/v1/a/command", 1)).await;
        let LinkInput::Connected { session, .. } = rig.input().await else { panic!("announced") };
        assert_ne!(session, old);
        second.packet().await;
        rig.handle.command(old, CommandId(1), b"old".to_vec());
        rig.handle.command(session, CommandId(2), b"new".to_vec());
        let (_, body) = second.packet().await;
        assert!(body.ends_with(b"new"));
        drop(second);
        let LinkInput::Disconnected { .. } = rig.input().await else { panic!("gone") };
    }
}

#[tokio::test]
async fn d14_a_take_over_with_a_wrong_secret_is_refused_and_the_device_stays() {
    let mut rig = Rig::start(64);
    let mut device = rig.client(4, "a").await;
    for _ in 0..30 {
        let mut thief = Raw::open(rig.address).await;
        thief.send(&connect(4, "a", "a", b"wrong", 60)).await;
        thief.rest().await;
    }
    assert_eq!(rig.refusal().await, (None, LinkRefusal::Login));
    while rig.inputs.try_recv().is_ok() {}
    device.send(&publish(4, 0b0010, b"care/v1/a/event", Some(1), b"{}")).await;
    let (_, ack, _) = rig.event().await;
    rig.handle.ack(ack.unwrap(), AckCode::Success);
    assert_eq!(device.packet().await, (0x40, vec![0, 1]));
    // The device itself comes in again from the same address, whatever failed before.
    rig.client(4, "a").await;
}

#[tokio::test]
async fn a_silent_device_is_disconnected_after_one_and_a_half_times_its_keep_alive() {
    let rig = Rig::start(64);
    for (version, goodbye) in [(4, vec![]), (5, vec![0xE0, 1, 0x8D])] {
        let mut raw = Raw::open(rig.address).await;
        raw.send(&connect(version, "a", "a", rig.secret("a").as_bytes(), 1)).await;
        raw.packet().await;
        raw.send(&packet(0xC0, &[])).await;
        assert_eq!(raw.packet().await, (0xD0, vec![]));
        let start = Instant::now();
        assert_eq!(raw.rest().await, goodbye);
        let took = start.elapsed();
        assert!((Duration::from_millis(1_300)..Duration::from_millis(4_000)).contains(&took), "{took:?}");
    }
}

#[tokio::test]
async fn d6_a_packet_that_stalls_half_way_is_cut_and_is_no_report() {
    let mut rig = Rig::start(64);
    let mut raw = Raw::open(rig.address).await;
    raw.send(&connect(5, "a", "a", rig.secret("a").as_bytes(), 1)).await;
    raw.packet().await;
    let whole = publish(5, 0b0010, b"care/v1/a/event", Some(1), &[b'x'; 1_000]);
    raw.send(&whole[..whole.len() - 1]).await;
    assert_eq!(raw.rest().await, [0xE0, 1, 0x8D]);
    assert!(rig.inputs.try_recv().is_err(), "half a packet says nothing");
    rig.client(5, "a").await;
}

#[tokio::test]
async fn a_device_that_waits_for_its_commit_is_not_taken_for_silent() {
    let mut rig = Rig::start(1);
    let mut raw = Raw::open(rig.address).await;
    raw.send(&connect(4, "a", "a", rig.secret("a").as_bytes(), 1)).await;
    raw.packet().await;
    for id in 1..=5 {
        raw.send(&publish(4, 0b0010, b"care/v1/a/event", Some(id), b"{}")).await;
    }
    assert!(raw.is_quiet(Duration::from_millis(2_500)).await, "the full intake is not the device's fault");
    for _ in 1..=5 {
        let (_, ack, _) = rig.event().await;
        rig.handle.ack(ack.unwrap(), AckCode::Success);
        assert_eq!(raw.packet().await.0, 0x40);
    }
}

#[tokio::test]
async fn a_kept_session_is_taken_up_with_its_subscription_and_a_clean_one_is_not() {
    let mut rig = Rig::start(64);
    let secret = rig.secret("a");
    let kept = connect_with(4, 0b1100_0000, b"a", &[], b"a", secret.as_bytes(), 60);
    let mut raw = Raw::open(rig.address).await;
    raw.send(&kept).await;
    assert_eq!(raw.packet().await, (0x20, vec![0, 0]), "there is no session yet");
    raw.send(&subscribe(4, 1, "care/v1/a/command", 1)).await;
    raw.packet().await;
    let LinkInput::Connected { .. } = rig.input().await else { panic!("announced") };
    drop(raw);
    let LinkInput::Disconnected { .. } = rig.input().await else { panic!("gone") };

    let mut raw = Raw::open(rig.address).await;
    raw.send(&kept).await;
    assert_eq!(raw.packet().await, (0x20, vec![1, 0]), "the session is present");
    let LinkInput::Connected { session, .. } = rig.input().await else { panic!("announced without subscribing") };
    rig.handle.command(session, CommandId(1), b"{}".to_vec());
    assert_eq!(raw.packet().await.0, 0x32);
    drop(raw);

    rig.client(4, "a").await;
    let mut raw = Raw::open(rig.address).await;
    raw.send(&kept).await;
    assert_eq!(raw.packet().await, (0x20, vec![0, 0]), "the clean login in between ended it");
}

#[tokio::test]
async fn a_subscription_with_qos_0_gets_commands_with_qos_0() {
    let mut rig = Rig::start(64);
    let mut raw = rig.client(4, "a").await;
    raw.send(&subscribe(4, 1, "care/v1/a/command", 0)).await;
    assert_eq!(raw.packet().await, (0x90, vec![0, 1, 0]));
    let LinkInput::Connected { session, .. } = rig.input().await else { panic!("announced") };
    for n in 1..=3 {
        rig.handle.command(session, CommandId(n), b"{}".to_vec());
        assert_eq!(raw.packet().await, (0x30, b"\0\x11care/v1/a/command{}".to_vec()));
        let LinkInput::CommandTaken { command, .. } = rig.input().await else { panic!("written, so taken") };
        assert_eq!(command, CommandId(n));
    }
}

/// CONNECT of MQTT 5 with a maximum packet size.
fn connect_small(secret: &str, packet_len_max: u32) -> Vec<u8> {
    let mut body = b"\0\x04MQTT\x05\xC2\0\x3c\x05\x27".to_vec();
    body.extend(packet_len_max.to_be_bytes());
    for field in [b"a", b"a", secret.as_bytes()] {
        body.extend(u16::try_from(field.len()).unwrap().to_be_bytes());
        body.extend_from_slice(field);
    }
    packet(0x10, &body)
}

#[tokio::test]
async fn a_command_that_is_longer_than_the_device_takes_is_given_up_and_shorter_ones_reach_it() {
    let mut rig = Rig::start(64);
    for qos in [0, 1] {
        let mut raw = Raw::open(rig.address).await;
        raw.send(&connect_small(&rig.secret("a"), 40)).await;
        assert_eq!(raw.packet().await.1[1], 0, "logged in");
        raw.send(&subscribe(5, 1, "care/v1/a/command", qos)).await;
        raw.packet().await;
        let LinkInput::Connected { session, .. } = rig.input().await else { panic!("announced") };
        rig.handle.command(session, CommandId(1), vec![b'x'; 30]);
        let LinkInput::CommandGivenUp { command, .. } = rig.input().await else { panic!("it cannot be sent") };
        assert_eq!(command, CommandId(1));
        rig.handle.command(session, CommandId(2), b"{}".to_vec());
        let (kind, body) = raw.packet().await;
        assert_eq!((kind, body.ends_with(b"{}")), (0x30 | qos << 1, true));
        if qos == 1 {
            raw.send(&crate::rig::puback(u16::from_be_bytes([body[19], body[20]]))).await;
        }
        let LinkInput::CommandTaken { command, .. } = rig.input().await else { panic!("taken") };
        assert_eq!(command, CommandId(2));
        drop(raw);
        let LinkInput::Disconnected { .. } = rig.input().await else { panic!("gone") };
    }
}

#[tokio::test]
async fn a_device_that_cannot_even_be_welcomed_is_disconnected() {
    let rig = Rig::start(64);
    let mut raw = Raw::open(rig.address).await;
    raw.send(&connect_small(&rig.secret("a"), 4)).await;
    raw.rest().await;
    rig.client(5, "a").await;
}

#[tokio::test]
async fn unsubscribing_stops_the_commands() {
    let mut rig = Rig::start(64);
    let mut raw = rig.client(4, "a").await;
    raw.send(&subscribe(4, 1, "care/v1/a/command", 1)).await;
    raw.packet().await;
    let LinkInput::Connected { session, .. } = rig.input().await else { panic!("announced") };
    raw.send(&packet(0xA2, b"\0\x02\0\x11care/v1/a/command")).await;
    assert_eq!(raw.packet().await, (0xB0, vec![0, 2]));
    rig.handle.command(session, CommandId(1), b"{}".to_vec());
    assert!(raw.is_quiet(Duration::from_millis(200)).await);
}

#[tokio::test]
async fn the_core_can_end_a_connection() {
    let mut rig = Rig::start(64);
    let mut raw = rig.client(5, "a").await;
    raw.send(&subscribe(5, 1, "care/v1/a/command", 1)).await;
    raw.packet().await;
    let LinkInput::Connected { session, .. } = rig.input().await else { panic!("announced") };
    rig.handle.close(session);
    assert_eq!(raw.rest().await, [0xE0, 1, 0x8B]);
}

#[tokio::test]
async fn h_a_device_whose_secret_is_no_longer_good_loses_its_open_connection_and_no_other_does() {
    let mut rig = Rig::start(64);
    let (mut a, mut b) = (rig.client(5, "a").await, rig.client(5, "b").await);
    assert!(rig.handle.cut(&"a".parse().unwrap()));
    // DISCONNECT, not authorized.
    assert_eq!(a.packet().await, (0xE0, vec![0x87]));
    assert_eq!(a.rest().await, b"");
    assert!(!rig.handle.cut(&"unknown".parse().unwrap()));
    b.send(&publish(5, 0b0010, b"care/v1/b/event", Some(1), b"{}")).await;
    let (device, ..) = rig.event().await;
    assert_eq!(device, "b");
}
