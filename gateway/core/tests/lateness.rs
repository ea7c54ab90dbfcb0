//! A press that reaches the gateway late is shown and told with its age (DESIGN.md section 6).

mod bench;

use bench::{Bench, device};
use gateway_core::{Input, LinkInput};
use protocols::device::AlarmState;

const HOUR_MS: u64 = 3_600_000;

fn heartbeat(bench: &mut Bench, boot: u32, up_ms: u64) {
    let payload = format!(r#"{{"v":1,"epoch":1,"boot":{boot},"up_ms":{up_ms}}}"#).into_bytes();
    bench.input(Input::Link(LinkInput::Status { device: device("btn-0001"), ack: None, payload, retained: false }));
    bench.settle();
}

fn press(bench: &mut Bench, boot: u32, up_ms: u64) {
    bench.publish("btn-0001", &format!(r#"{{"v":1,"epoch":1,"seq":1,"kind":"sos","boot":{boot},"up_ms":{up_ms}}}"#));
    bench.settle();
}

fn late_by(bench: &Bench) -> Option<u64> {
    bench.core.alarms(false).iter().find(|alarm| alarm.kind == "sos").expect("the alarm").late_by_ms
}

fn dated(bench: &Bench) -> Vec<serde_json::Value> {
    let rows = bench.rows.iter().filter(|row| row.kind == "alarm.dated");
    rows.map(|row| serde_json::from_str(&row.bytes).expect("JSON")).collect()
}

#[test]
fn the_heartbeat_before_a_late_press_tells_its_age_at_once() {
    let mut bench = Bench::new();
    heartbeat(&mut bench, 17, 4 * HOUR_MS);
    bench.advance(5_000);
    press(&mut bench, 17, HOUR_MS);
    assert_eq!(late_by(&bench), Some(3 * HOUR_MS + 5_000));
    let told = dated(&bench);
    assert_eq!(told[0]["body"], serde_json::json!({"age_ms": 3 * HOUR_MS + 5_000, "boot": 17, "up_ms": HOUR_MS}));
    assert_eq!(told[0]["about"]["seq"], 1);
    assert_eq!(late_by(&bench.restart()), Some(3 * HOUR_MS + 5_000));
}

#[test]
fn the_heartbeat_after_a_late_press_tells_its_age_too() {
    let mut bench = Bench::new();
    press(&mut bench, 17, HOUR_MS);
    assert_eq!((late_by(&bench), bench.core.alarms(false)[0].state), (None, AlarmState::Raised));
    bench.advance(30_000);
    heartbeat(&mut bench, 17, 4 * HOUR_MS);
    assert_eq!(late_by(&bench), Some(3 * HOUR_MS - 30_000));
    heartbeat(&mut bench, 17, 4 * HOUR_MS + 1_000);
    assert_eq!(dated(&bench).len(), 1);
}

#[test]
fn a_press_that_comes_at_once_or_of_another_boot_gets_no_age() {
    let mut bench = Bench::new();
    heartbeat(&mut bench, 17, HOUR_MS);
    bench.advance(10_000);
    press(&mut bench, 17, HOUR_MS + 9_000);
    assert_eq!(late_by(&bench), None);
    let mut bench = Bench::new();
    heartbeat(&mut bench, 18, 1_000);
    press(&mut bench, 17, HOUR_MS);
    assert_eq!(late_by(&bench), None, "how long the device was off nobody knows");
    assert_eq!(dated(&bench).len(), 0);
}
