//! With packets that no proper client sends: each costs its own connection only.

use gateway_core::{AckCode, LinkInput, LinkRefusal};

use crate::rig::{Raw, Rig, connect, connect_with, packet, puback, publish, subscribe, will};

/// What the gateway's DISCONNECT of MQTT 5 says.
fn disconnect(reason: u8) -> Vec<u8> {
    vec![0xE0, 1, reason]
}

/// Another device that was connected all along still gets its acknowledgement.
async fn others_live(rig: &mut Rig, other: &mut Raw) {
    other.send(&publish(4, 0b0010, b"care/v1/b/event", Some(1), b"{}")).await;
    let (device, ack, _) = rig.event().await;
    assert_eq!(device, "b");
    rig.handle.ack(ack.unwrap(), AckCode::Success);
    assert_eq!(other.packet().await, (0x40, vec![0, 1]));
}

#[tokio::test]
async fn d1_d2_a_login_needs_the_device_name_twice_and_its_secret() {
    let mut rig = Rig::start(64);
    let secret = rig.secret("a");
    let with = |version, id: &str, user: &str, secret: &str| connect(version, id, user, secret.as_bytes(), 60);
    let names: [(&str, &str); 7] =
        [("b", "a"), ("a", "b"), ("", ""), ("a+", "a+"), ("#", "#"), ("a/b", "a/b"), ("a\u{e9}", "a\u{e9}")];
    for (id, user) in names {
        let mut raw = Raw::open(rig.address).await;
        raw.send(&with(4, id, user, &secret)).await;
        assert_eq!(raw.rest().await, [0x20, 2, 0, 2], "{id:?} as {user:?}: identifier rejected");
        assert_eq!(rig.refusal().await, (None, LinkRefusal::Login));
    }
    for (version, answer) in [(4, &[0x20, 2, 0, 4][..]), (5, &[0x20, 3, 0, 0x86, 0][..])] {
        for (id, secret) in [("a", ""), ("nobody", secret.as_str()), ("b", secret.as_str())] {
            let mut raw = Raw::open(rig.address).await;
            raw.send(&with(version, id, id, secret)).await;
            let said = raw.rest().await;
            // After ten failures the address is answered no more.
            assert!(said == answer || said.is_empty(), "{version} {id}: {said:?}");
        }
    }
    let anonymous = connect_with(4, 0b0000_0010, b"a", &[], b"", b"", 60);
    let mut raw = Raw::open(rig.address).await;
    raw.send(&anonymous).await;
    raw.rest().await;
    assert_eq!(rig.handle.stats().logins, 0);
    rig.client(4, "a").await;
}

#[tokio::test]
async fn d2_a_name_with_u_0000_or_broken_utf_8_is_refused() {
    let rig = Rig::start(64);
    for name in [&b"a\0"[..], b"\0", b"\xFF\xFE", b"\xED\xA0\x80"] {
        for version in [4, 5] {
            let mut raw = Raw::open(rig.address).await;
            raw.send(&connect_with(version, 0b1100_0010, name, &[], name, b"x", 60)).await;
            raw.rest().await;
        }
    }
    assert_eq!(rig.handle.stats().logins, 0);
}

#[tokio::test]
async fn d3_a_publish_on_anothers_topic_ends_the_connection_and_is_reported() {
    let mut rig = Rig::start(64);
    let mut other = rig.client(4, "b").await;
    for topic in ["care/v1/b/event", "care/v1/a/command", "care/v2/a/event", "care/v1/a/event/", "$SYS/x", "a", "/"] {
        for (version, goodbye) in [(4, vec![]), (5, disconnect(0x87))] {
            let mut raw = rig.client(version, "a").await;
            raw.send(&publish(version, 0b0010, topic.as_bytes(), Some(1), b"{\"device\":\"b\"}")).await;
            assert_eq!(raw.rest().await, goodbye, "{topic}");
            assert_eq!(rig.refusal().await, (Some("a".to_owned()), LinkRefusal::ForeignTopic));
        }
    }
    others_live(&mut rig, &mut other).await;
}

#[tokio::test]
async fn d4_a_subscription_to_anything_but_the_own_commands_fails_and_the_connection_lives() {
    let mut rig = Rig::start(64);
    for (version, failure) in [(4, vec![0, 7, 0x80]), (5, vec![0, 7, 0, 0x87])] {
        for filter in
            ["#", "$SYS/#", "$share/g/care/v1/a/command", "care/v1/+/command", "care/v1/b/command", "care/v1/a/event"]
        {
            let mut raw = rig.client(version, "a").await;
            raw.send(&subscribe(version, 7, filter, 1)).await;
            assert_eq!(raw.packet().await, (0x90, failure.clone()), "{filter}");
            assert_eq!(rig.refusal().await, (Some("a".to_owned()), LinkRefusal::ForeignSubscription));
            raw.send(&subscribe(version, 7, filter, 1)).await;
            assert_eq!(raw.packet().await, (0x90, failure.clone()), "once more is refused again, and reported once");
            raw.send(&packet(0xC0, &[])).await;
            assert_eq!(raw.packet().await, (0xD0, vec![]));
        }
    }
    assert!(rig.inputs.try_recv().is_err());
}

#[tokio::test]
async fn d5_a_topic_that_mqtt_does_not_allow_ends_the_connection_and_nothing_else() {
    let mut rig = Rig::start(64);
    let mut other = rig.client(4, "b").await;
    let topics: [&[u8]; 8] = [
        b"care/v1/a/+",
        b"care/v1/#",
        b"care/v1/a/event\0",
        b"\0",
        b"",
        b"care/v1/a/\xFF",
        b"\xED\xA0\x80",
        "告警/1#".as_bytes(),
    ];
    for topic in topics {
        for version in [4, 5] {
            let mut raw = rig.client(version, "a").await;
            raw.send(&publish(version, 0b0010, topic, Some(1), b"{}")).await;
            let goodbye = raw.rest().await;
            assert_eq!(goodbye.is_empty(), version == 4, "{topic:?}");
            assert_eq!(rig.refusal().await, (Some("a".to_owned()), LinkRefusal::Malformed), "{topic:?}");
        }
    }
    for topic in [vec![b'x'; 65_535], vec![b'/'; 65_000]] {
        let mut raw = rig.client(4, "a").await;
        // The gateway may close before it has read all of it.
        tokio::io::AsyncWriteExt::write_all(&mut raw.socket, &publish(4, 0, &topic, None, b"")).await.ok();
        raw.rest().await;
        assert_eq!(rig.refusal().await, (Some("a".to_owned()), LinkRefusal::Oversize));
    }
    others_live(&mut rig, &mut other).await;
}

#[tokio::test]
async fn d6_a_packet_of_256_mb_is_cut_at_its_announcement() {
    let mut rig = Rig::start(64);
    for (version, goodbye) in [(4, vec![]), (5, disconnect(0x95))] {
        let mut raw = rig.client(version, "a").await;
        raw.send(&[0x32, 0xFF, 0xFF, 0xFF, 0x7F, 0, 15]).await;
        assert_eq!(raw.rest().await, goodbye);
        assert_eq!(rig.refusal().await, (Some("a".to_owned()), LinkRefusal::Oversize));
    }
}

#[tokio::test]
async fn a_payload_above_1024_bytes_is_reported_with_its_start_and_can_be_acknowledged() {
    let mut rig = Rig::start(64);
    let mut raw = rig.client(5, "a").await;
    raw.send(&publish(5, 0b0010, b"care/v1/a/event", Some(3), &[b'x'; 1_025])).await;
    let LinkInput::Refused { device, reason: LinkRefusal::Oversize, ack, size, sample } = rig.input().await else {
        panic!("the refusal is reported")
    };
    assert_eq!((device.unwrap().as_str(), size, sample), ("a", 1_025, vec![b'x'; 128]));
    rig.handle.ack(ack.unwrap(), AckCode::QuotaExceeded);
    assert_eq!(raw.packet().await, (0x40, vec![0, 3, 0x97]));
    raw.send(&publish(5, 0b0010, b"care/v1/a/event", Some(4), &[b'x'; 1_024])).await;
    assert_eq!(rig.event().await.2.len(), 1_024);
}

#[tokio::test]
async fn d8_the_retained_flag_reaches_the_core() {
    let mut rig = Rig::start(64);
    let mut raw = rig.client(4, "a").await;
    for (flags, expected) in [(0b0011, true), (0b0010, false), (0b0001, true), (0b0000, false)] {
        let id = if flags & 0b0010 == 0 { None } else { Some(1) };
        raw.send(&publish(4, flags, b"care/v1/a/event", id, b"{}")).await;
        let LinkInput::Event { retained, ack, .. } = rig.input().await else { panic!("an event") };
        assert_eq!((retained, ack.is_some()), (expected, id.is_some()));
    }
}

#[tokio::test]
async fn packets_out_of_place_end_the_connection_and_nothing_else() {
    let mut rig = Rig::start(64);
    let mut other = rig.client(4, "b").await;
    let before_login = [
        publish(4, 0b0010, b"care/v1/a/event", Some(1), b"{}"),
        subscribe(4, 1, "care/v1/a/command", 1),
        puback(1),
        packet(0xC0, &[]),
        packet(0x20, &[0, 0]),
        packet(0x00, &[]),
        packet(0x10, b"\0\x04MQTT\x03\x02\0\x3c\0\x01a"),
        packet(0x10, b"\0\x06MQIsdp\x03\x02\0\x3c\0\x01a"),
        packet(0x10, &[]),
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        vec![0xFF; 64],
    ];
    for bytes in before_login {
        let mut raw = Raw::open(rig.address).await;
        raw.send(&bytes).await;
        let said = raw.rest().await;
        assert!(said.is_empty() || said == [0x20, 2, 0, 1], "{bytes:?}: {said:?}");
        assert_eq!(rig.refusal().await, (None, LinkRefusal::Malformed));
    }
    // Two devices, since one that comes back so often would be told to slow down.
    for (version, device) in [(4, "a"), (5, "btn-0001")] {
        let topic = format!("care/v1/{device}/event");
        let topic = topic.as_bytes();
        let after_login = [
            connect(version, device, device, rig.secret(device).as_bytes(), 60),
            publish(version, 0b0100, topic, Some(1), b"{}"),
            publish(version, 0b0100, topic, Some(0), b"{}"),
            publish(version, 0b0010, topic, Some(0), b"{}"),
            publish(version, 0b0110, topic, Some(1), b"{}"),
            packet(0x50, &[0, 1]),
            packet(0x62, &[0, 1]),
            packet(0x70, &[0, 1]),
            packet(0xF0, &[]),
            packet(0x20, &[0, 0]),
            puback(0),
            puback(77),
            subscribe(version, 0, &format!("care/v1/{device}/command"), 1),
            packet(0x82, &[0, 1]),
            packet(0x82, &[0, 1, 0, 0]),
            vec![0x30, 0x80, 0x80, 0x80, 0x80, 1],
        ];
        for bytes in after_login {
            let mut raw = rig.client(version, device).await;
            raw.send(&bytes).await;
            let said = raw.rest().await;
            assert!(said.is_empty() || (version == 5 && said[0] == 0xE0 && said[2] >= 0x80), "{bytes:?}: {said:?}");
            let refusal = rig.refusal().await;
            assert_eq!(refusal, (Some(device.to_owned()), LinkRefusal::Malformed), "{version} {bytes:?}");
        }
    }
    others_live(&mut rig, &mut other).await;
}

#[tokio::test]
async fn a_last_will_may_only_be_an_own_heartbeat_and_is_never_published() {
    let mut rig = Rig::start(64);
    let secret = rig.secret("a");
    for topic in ["care/v1/a/event", "care/v1/b/status", "care/v1/a/command", "x"] {
        let mut raw = Raw::open(rig.address).await;
        raw.send(&connect_with(4, 0b1100_0110, b"a", &will(topic, b"{}"), b"a", secret.as_bytes(), 60)).await;
        assert_eq!(raw.rest().await, [0x20, 2, 0, 5], "{topic}");
        assert_eq!(rig.refusal().await.1, LinkRefusal::ForeignTopic);
    }
    let mut raw = Raw::open(rig.address).await;
    raw.send(&connect_with(4, 0b1100_0110, b"a", &will("care/v1/a/status", b"{}"), b"a", secret.as_bytes(), 60)).await;
    assert_eq!(raw.packet().await, (0x20, vec![0, 0]));
    drop(raw);
    let mut other = rig.client(4, "b").await;
    others_live(&mut rig, &mut other).await;
}
