//! While the disk cannot keep up, alarms are taken at once and everything else waits.

mod bench;

use bench::Bench;

fn test_report(bench: &mut Bench, seq: u64) -> gateway_core::AckToken {
    bench.publish("btn-0002", &format!(r#"{{"v":1,"epoch":1,"seq":{seq},"kind":"test"}}"#))
}

#[test]
fn a_press_goes_with_the_next_group_however_many_other_reports_wait_for_the_disk() {
    let mut bench = Bench::new();
    let tokens: Vec<_> = (1..=9_000).map(|seq| test_report(&mut bench, seq)).collect();
    assert!(!bench.core.is_intake_paused(), "there is room for alarms");
    let press = bench.press(1);
    bench.commit();
    bench.commit();
    assert!(bench.acked(press));
    assert!(bench.rows.len() < 1_200, "{} rows", bench.rows.len());
    let mut steps = 0;
    while !tokens.iter().all(|token| bench.acked(*token)) {
        bench.advance(10);
        bench.settle();
        steps += 1;
        assert!(steps < 200, "what waits is taken within two seconds");
    }
    assert!(tokens.iter().all(|token| bench.acked(*token)), "nothing is lost");
    let seqs: Vec<u64> = bench.rows.iter().filter(|row| row.kind == "device.reported").map(|row| row.seq).collect();
    assert!(seqs.is_sorted() && seqs.len() == 9_000, "in the order in which they came");
}

#[test]
fn a_take_back_stays_between_the_presses_around_it() {
    let mut bench = Bench::new();
    for seq in 1..=5_000 {
        test_report(&mut bench, seq);
    }
    bench.press(1);
    bench.publish("btn-0001", r#"{"v":1,"epoch":1,"seq":2,"kind":"cancel","of":1}"#);
    bench.press(3);
    bench.settle();
    let alarms = bench.core.alarms(false);
    let alarm = alarms.iter().find(|alarm| alarm.id == "btn-0001.1.1").expect("the alarm");
    assert!(!alarm.cancelled);
}

#[test]
fn while_somebody_presses_other_reports_are_taken_and_sent_on_at_a_pace() {
    let mut bench = Bench::new();
    bench.press(1);
    bench.settle();
    let tokens: Vec<_> = (1..=1_000).map(|seq| test_report(&mut bench, seq)).collect();
    bench.settle();
    let acked = |bench: &Bench| tokens.iter().filter(|token| bench.acked(**token)).count();
    assert!(acked(&bench) < 100, "{} are through at once", acked(&bench));
    for _ in 0..10 {
        bench.advance(20);
        bench.settle();
    }
    assert!((300..500).contains(&acked(&bench)), "{} after 200 ms", acked(&bench));
    bench.advance(1_000);
    bench.settle();
    assert_eq!(acked(&bench), 1_000, "nobody presses any more");
}

fn report(bench: &mut Bench, epoch: u32, seq: u64, kind: &str) -> gateway_core::AckToken {
    bench.publish("btn-0001", &format!(r#"{{"v":1,"epoch":{epoch},"seq":{seq},"kind":"{kind}"}}"#))
}

/// How often the journal has each report of the device; the highest.
fn most_rows(bench: &Bench) -> usize {
    let of_device = || bench.rows.iter().filter(|row| row.source == "device:btn-0001");
    let same = |row: &gateway_core::Row| {
        of_device().filter(|other| (&other.epoch, other.seq) == (&row.epoch, row.seq)).count()
    };
    of_device().map(same).max().unwrap_or(0)
}

#[test]
fn what_a_device_sends_again_while_a_slow_commit_is_under_way_is_recorded_once_however_much_came_since() {
    let mut bench = Bench::new();
    for seq in 1..=200 {
        report(&mut bench, 1, seq, "test");
    }
    let mut again: Vec<_> = (1..=200).map(|seq| report(&mut bench, 1, seq, "test")).collect();
    // Provisioned anew, which moves the window on.
    report(&mut bench, 2, 1, "test");
    again.extend((1..=200).map(|seq| report(&mut bench, 1, seq, "test")));
    again.push(report(&mut bench, 1, 200, "fall"));
    bench.settle();
    assert_eq!(most_rows(&bench), 1);
    assert!(again.iter().all(|token| bench.acked(*token)));
    assert_eq!(bench.rows.iter().filter(|row| row.source == "device:btn-0001").count(), 201);
    assert!(bench.core.alarms(false).iter().any(|alarm| alarm.kind == "conflict"), "another body is told");
}

#[test]
fn a_press_that_was_only_counted_counts_once_however_much_came_before_it_is_sent_again() {
    let mut bench = Bench::new();
    for seq in 1..=10 {
        report(&mut bench, 1, seq, "sos");
    }
    let later: Vec<_> = (11..=100).map(|seq| report(&mut bench, 1, seq, "test")).collect();
    while !later.iter().all(|token| bench.acked(*token)) {
        bench.settle();
        bench.advance(10);
    }
    let presses = bench.core.alarms(false)[0].presses;
    let again = report(&mut bench, 1, 10, "sos");
    bench.settle();
    assert!(bench.acked(again));
    assert_eq!(bench.core.alarms(false)[0].presses, presses);
}

#[test]
fn what_waits_is_bounded() {
    let mut bench = Bench::new();
    let mut seq = 0;
    while !bench.core.is_intake_paused() {
        seq += 1;
        test_report(&mut bench, seq);
        assert!(seq < 30_000, "never paused");
    }
    bench.settle();
    assert!(!bench.core.is_intake_paused());
    assert_eq!(bench.rows.iter().filter(|row| row.kind == "device.reported").count() as u64, seq);
}
