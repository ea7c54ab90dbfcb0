//! Acknowledged means durable: what is between a publish and its PUBACK.

use std::time::Duration;

use gateway_core::{AckCode, AckToken, CommandId, LinkInput};

use crate::rig::{DEADLINE, Rig, commit_in_groups, packet, puback, publish, subscribe};

const EVENT: &[u8] = b"care/v1/a/event";

#[tokio::test]
async fn a_puback_waits_for_its_commit_and_carries_what_the_core_said() {
    let mut rig = Rig::start(16);
    for (version, refused) in [(4, &[0x40, 2, 0, 9][..]), (5, &[0x40, 3, 0, 9, 0x97][..])] {
        let mut raw = rig.client(version, "a").await;
        raw.send(&publish(version, 0b0010, EVENT, Some(9), b"{}")).await;
        let (_, ack, _) = rig.event().await;
        assert!(raw.is_quiet(Duration::from_millis(200)).await, "nothing comes before the commit");
        rig.handle.ack(ack.unwrap(), AckCode::QuotaExceeded);
        let (kind, body) = raw.packet().await;
        assert_eq!(packet(kind, &body), refused, "version {version}");
    }
}

#[tokio::test]
async fn acknowledgements_may_come_in_any_order_and_those_of_one_group_leave_in_one_write() {
    let mut rig = Rig::start(16);
    let mut raw = rig.client(4, "a").await;
    for id in 1..=10 {
        raw.send(&publish(4, 0b0010, EVENT, Some(id), b"{}")).await;
    }
    let mut tokens: Vec<AckToken> = Vec::new();
    for _ in 1..=10 {
        tokens.extend(rig.event().await.1);
    }
    let writes = rig.handle.stats().writes;
    tokens.iter().rev().for_each(|token| rig.handle.ack(*token, AckCode::Success));
    for id in (1..=10_u8).rev() {
        assert_eq!(raw.packet().await, (0x40, vec![0, id]));
    }
    assert_eq!(rig.handle.stats().writes, writes + 1);
}

#[tokio::test]
async fn an_acknowledgement_for_a_connection_that_is_gone_is_dropped_and_the_device_sends_again() {
    let mut rig = Rig::start(16);
    let mut raw = rig.client(4, "a").await;
    raw.send(&publish(4, 0b0010, EVENT, Some(1), b"{}")).await;
    let (_, old, _) = rig.event().await;
    drop(raw);
    let mut raw = rig.client(4, "a").await;
    raw.send(&publish(4, 0b1010, EVENT, Some(1), b"{}")).await;
    let (_, new, _) = rig.event().await;
    rig.handle.ack(old.unwrap(), AckCode::Success);
    assert!(raw.is_quiet(Duration::from_millis(200)).await, "the old token is not taken for the new publish");
    rig.handle.ack(new.unwrap(), AckCode::Success);
    assert_eq!(raw.packet().await, (0x40, vec![0, 1]));
}

#[tokio::test]
async fn a_full_intake_stops_the_reading_and_loses_nothing() {
    let mut rig = Rig::start(2);
    let mut raw = rig.client(4, "a").await;
    let all: Vec<u8> =
        (0..1_000_u32).flat_map(|n| publish(4, 0b0000, EVENT, None, format!("{n:1000}").as_bytes())).collect();
    let sending = tokio::spawn(async move {
        raw.send(&all).await;
        raw
    });
    for n in 0..1_000_u32 {
        let (_, ack, payload) = rig.event().await;
        let taken = u64::from(n) + 1;
        assert!(rig.handle.stats().publishes <= taken + 3, "two in the intake and one on its way are taken ahead");
        assert_eq!((ack, payload), (None, format!("{n:1000}").into_bytes()));
    }
    drop(sending.await.unwrap());
}

#[tokio::test]
async fn a_device_with_many_unacknowledged_publishes_is_not_read_and_not_disconnected() {
    let mut rig = Rig::start(2_000);
    for version in [4, 5] {
        let mut raw = rig.client(version, "a").await;
        for id in 1..=400 {
            raw.send(&publish(version, 0b0010, EVENT, Some(id), b"{}")).await;
        }
        let mut tokens = Vec::new();
        for _ in 1..=256 {
            tokens.extend(rig.event().await.1);
        }
        assert!(raw.is_quiet(Duration::from_millis(200)).await);
        assert!(rig.inputs.try_recv().is_err(), "the rest is not read");
        tokens.drain(..).for_each(|token| rig.handle.ack(token, AckCode::Success));
        for _ in 257..=400 {
            tokens.extend(rig.event().await.1);
        }
        tokens.drain(..).for_each(|token| rig.handle.ack(token, AckCode::Success));
        for id in 1..=400_u16 {
            assert_eq!(raw.packet().await, (0x40, id.to_be_bytes().to_vec()));
        }
    }
}

#[tokio::test]
async fn shutdown_writes_what_is_being_committed_and_reads_no_more() {
    let mut rig = Rig::start(16);
    let mut raw = rig.client(5, "a").await;
    raw.send(&publish(5, 0b0010, EVENT, Some(1), b"{}")).await;
    let (_, ack, _) = rig.event().await;
    let handle = rig.handle.clone();
    let stopping = tokio::spawn(rig.stop());
    raw.send(&publish(5, 0b0010, EVENT, Some(2), b"{}")).await;
    assert!(raw.is_quiet(Duration::from_millis(100)).await);
    handle.ack(ack.unwrap(), AckCode::Success);
    assert_eq!(raw.packet().await, (0x40, vec![0, 1]));
    assert_eq!(raw.packet().await, (0xE0, vec![0x8B]), "server shutting down");
    assert_eq!(raw.rest().await, b"", "the second publish is not acknowledged");
    assert_eq!(stopping.await.unwrap().cut, 0);
}

#[tokio::test]
async fn a_connection_whose_commit_never_ends_is_cut_at_shutdown_and_counted() {
    let mut rig = Rig::start(16);
    let mut raw = rig.client(4, "a").await;
    raw.send(&publish(4, 0b0010, EVENT, Some(1), b"{}")).await;
    rig.event().await;
    assert_eq!(rig.stop().await.cut, 1);
    assert_eq!(raw.rest().await, b"");
}

#[tokio::test]
async fn commands_wait_for_the_subscription_and_keep_their_bound_in_flight() {
    let mut rig = Rig::start(64);
    let mut raw = rig.client(5, "a").await;
    assert!(rig.inputs.try_recv().is_err(), "a device that does not listen is not announced");
    raw.send(&subscribe(5, 1, "care/v1/a/command", 1)).await;
    let LinkInput::Connected { session, .. } = rig.input().await else { panic!("announced") };
    assert_eq!(raw.packet().await, (0x90, vec![0, 1, 0, 1]));
    for n in 1..=20 {
        rig.handle.command(session, CommandId(n), vec![b'x']);
    }
    let mut seen = Vec::new();
    for _ in 1..=8 {
        seen.push(raw.packet().await);
    }
    assert!(raw.is_quiet(Duration::from_millis(200)).await, "no more than eight are under way");
    for n in 1..=20 {
        let (kind, body) = seen.remove(0);
        assert_eq!((kind, &body[..19]), (0x32, &b"\0\x11care/v1/a/command"[..]));
        raw.send(&puback(u16::from_be_bytes([body[19], body[20]]))).await;
        let LinkInput::CommandTaken { command, .. } = rig.input().await else { panic!("taken") };
        assert_eq!(command, CommandId(n), "in order");
        if n <= 12 {
            seen.push(raw.packet().await);
        }
    }
}

#[tokio::test]
async fn a_device_that_takes_no_commands_is_disconnected_so_that_the_core_sends_them_again() {
    let mut rig = Rig::start(64);
    let mut raw = rig.client(4, "a").await;
    raw.send(&subscribe(4, 1, "care/v1/a/command", 1)).await;
    let LinkInput::Connected { session, .. } = rig.input().await else { panic!("announced") };
    for n in 1..=200 {
        rig.handle.command(session, CommandId(n), vec![b'x']);
    }
    let LinkInput::Disconnected { session: gone, .. } = rig.input().await else { panic!("gone") };
    assert_eq!(gone, session);
    raw.rest().await;
}

#[tokio::test]
async fn many_devices_and_group_commits_go_together() {
    let rig = Rig::start(4_096);
    let mut clients = Vec::new();
    for device in ["a", "b"] {
        clients.push((device, rig.client(4, device).await));
    }
    let (handle, inputs) = (rig.handle.clone(), rig.inputs);
    let core = commit_in_groups(inputs, handle, Duration::from_millis(2));
    let mut sending = Vec::new();
    for (device, mut raw) in clients {
        sending.push(tokio::spawn(async move {
            let topic = format!("care/v1/{device}/event");
            let batch: Vec<u8> =
                (1..=200).flat_map(|id| publish(4, 0b0010, topic.as_bytes(), Some(id), b"{}")).collect();
            for _ in 0..50 {
                raw.send(&batch).await;
                for id in 1..=200_u16 {
                    assert_eq!(raw.packet().await, (0x40, id.to_be_bytes().to_vec()));
                }
            }
        }));
    }
    for task in sending {
        tokio::time::timeout(DEADLINE, task).await.unwrap().unwrap();
    }
    core.abort();
    assert_eq!(rig.handle.stats().acks, 20_000);
}
