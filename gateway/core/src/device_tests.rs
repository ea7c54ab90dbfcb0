//! Staff try a device out: for a while it is watched, and people see what came in and how fast.
//!
//! ```text
//! test_device ─> running ─┬─ a report came in, the centre has it ─> passed ──(until its time is over)──> ended
//!                         ├─ its time is over ────────────────────> not_at_centre | nothing_came
//!                         └─ the daemon starts anew ──────────────> interrupted, recorded, forgotten
//! ```
//!
//! **Invariant:** a press during a test is an alarm as any other; it is marked, nothing more. A press after the test takes the mark
//! off again.
//! **Invariant:** each test has one result, recorded with who wanted it, however it ended.

use std::collections::BTreeMap;

use protocols::device::EventReport;
use protocols::id::{ActorId, DeviceId};
use protocols::uplink::{DeviceTestedBody, TestResult, kind};
use serde::{Deserialize, Serialize};

use crate::core::{Core, Storage};
use crate::effect::{DeskAnswer, Effect, Notice, Refusal};
use crate::input::{OutLane, ReplyToken};
use crate::journal::{Draft, Identity};
use crate::limits::{DEVICE_TEST_SIGNS_MAX, DEVICE_TESTS_KEPT, DEVICE_TESTS_MAX};
use crate::time::{Mono, Now};
use crate::timers::Timer;

/// A report that came in during a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TestSign {
    /// Its kind: `sos`, `test` …
    pub kind: String,
    /// Milliseconds from the beginning of the test until it came.
    pub after_ms: u64,
    /// Milliseconds from its arrival until it was durable; absent while it is not.
    pub durable_ms: Option<u64>,
    /// Milliseconds from its arrival until the centre had it; absent while it is not known to have it.
    pub centre_ms: Option<u64>,
    /// Battery, millivolts, as the report says.
    pub battery_mv: Option<u16>,
    /// Signal strength, dBm, as the report says.
    pub rssi_dbm: Option<i16>,
    /// Its entry's number, and when it came.
    #[serde(skip)]
    entry: (u64, Mono),
}

/// A test as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeviceTest {
    /// The device.
    pub device: DeviceId,
    /// Who wanted it.
    pub by: ActorId,
    /// Civil time of its beginning, RFC 3339.
    pub started_at: String,
    /// Whether the device is still watched.
    pub running: bool,
    /// Seconds until that ends.
    pub ends_in_s: u64,
    /// What came of it; absent while nothing is certain.
    pub result: Option<TestResult>,
    /// What came in.
    pub signs: Vec<TestSign>,
}

/// What is kept of a test without a result.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TestRecord {
    pub by: ActorId,
}

/// A test.
#[derive(Debug)]
struct Test {
    by: ActorId,
    started_at: String,
    started: Mono,
    ends: Mono,
    running: bool,
    result: Option<TestResult>,
    signs: Vec<TestSign>,
}

impl Test {
    fn view(&self, device: &DeviceId, now: Mono) -> DeviceTest {
        let left_ms = if self.running { self.ends.0.saturating_sub(now.0) } else { 0 };
        DeviceTest {
            device: device.clone(),
            by: self.by.clone(),
            started_at: self.started_at.clone(),
            running: self.running,
            ends_in_s: left_ms.div_ceil(1_000),
            result: self.result,
            signs: self.signs.clone(),
        }
    }
}

/// Tests under way and the last ones that ended.
#[derive(Debug, Default)]
pub(crate) struct DeviceTests {
    tests: BTreeMap<DeviceId, Test>,
    /// Those of a start before, of which nothing is recorded yet.
    pub interrupted: BTreeMap<DeviceId, TestRecord>,
}

impl DeviceTests {
    /// Whether a device is being tested.
    pub fn is_tested(&self, device: &DeviceId) -> bool {
        self.tests.get(device).is_some_and(|test| test.running)
    }

    /// Makes room for one more among those that are shown.
    fn forget_oldest(&mut self) {
        while self.tests.len() >= DEVICE_TESTS_KEPT {
            let ended = self.tests.iter().filter(|(_, test)| !test.running);
            let Some(oldest) = ended.min_by_key(|(_, test)| test.started).map(|(device, _)| device.clone()) else {
                return;
            };
            self.tests.remove(&oldest);
        }
    }
}

fn test_key(device: &DeviceId) -> String {
    format!("test/{device}")
}

impl Core {
    /// Staff want to try a device out; a test under way is the answer to a second wish.
    pub(crate) fn test_device(&mut self, reply: ReplyToken, device: DeviceId, by: ActorId, now: &Now) {
        let answer = match self.try_test_device(&device, by, now) {
            Ok(test) => DeskAnswer::Test(test),
            Err(refusal) => DeskAnswer::Refused(refusal),
        };
        self.emit_durable(Effect::Reply { token: reply, answer });
    }

    fn try_test_device(&mut self, device: &DeviceId, by: ActorId, now: &Now) -> Result<DeviceTest, Refusal> {
        if self.config.storage == Storage::Dead {
            return Err(Refusal::StorageDown);
        }
        if !self.devices.get(device).is_some_and(|known| known.record.assigned) {
            return Err(Refusal::DeviceUnknown);
        }
        if let Some(test) = self.device_tests.tests.get(device).filter(|test| test.running) {
            return Ok(test.view(device, now.mono));
        }
        if self.device_tests.tests.values().filter(|test| test.running).count() >= DEVICE_TESTS_MAX {
            return Err(Refusal::TestsTooMany);
        }
        self.device_tests.forget_oldest();
        self.journal.put(test_key(device), &TestRecord { by: by.clone() });
        let test = Test {
            by,
            started_at: now.civil.to_string(),
            started: now.mono,
            ends: now.mono.after_ms(self.config.device_test_ms),
            running: true,
            result: None,
            signs: Vec::new(),
        };
        let view = test.view(device, now.mono);
        self.timers.set(Timer::DeviceTest(device.clone()), test.ends);
        self.device_tests.tests.insert(device.clone(), test);
        Ok(view)
    }

    /// A report of a device that may be under test was recorded with the entry `n`.
    pub(crate) fn note_tested(&mut self, device: &DeviceId, report: &EventReport, n: u64, now: &Now) {
        let Some(test) = self.device_tests.tests.get_mut(device).filter(|test| test.running) else { return };
        if test.signs.len() >= DEVICE_TEST_SIGNS_MAX {
            return;
        }
        test.signs.push(TestSign {
            kind: report.kind.name().to_owned(),
            after_ms: now.mono.0.saturating_sub(test.started.0),
            durable_ms: None,
            centre_ms: None,
            battery_mv: report.battery_mv,
            rssi_dbm: report.rssi_dbm,
            entry: (n, now.mono),
        });
    }

    /// Everything up to the entry `head` is durable.
    pub(crate) fn note_tests_durable(&mut self, head: u64, now: &Now) {
        for (device, test) in self.device_tests.tests.iter_mut().filter(|(_, test)| test.running) {
            for sign in test.signs.iter_mut().filter(|sign| sign.durable_ms.is_none() && sign.entry.0 <= head) {
                sign.durable_ms = Some(now.mono.0.saturating_sub(sign.entry.1.0));
                self.out.push_back(Effect::Notify(Notice::Device { device: device.clone() }));
            }
        }
    }

    /// The centre has an entry: if it is a report of a device under test, that test has passed.
    pub(crate) fn note_tests_delivered(&mut self, n: u64, now: &Now) {
        let mut passed = Vec::new();
        for (device, test) in self.device_tests.tests.iter_mut().filter(|(_, test)| test.running) {
            for sign in test.signs.iter_mut().filter(|sign| sign.centre_ms.is_none() && sign.entry.0 == n) {
                sign.centre_ms = Some(now.mono.0.saturating_sub(sign.entry.1.0));
                passed.push(device.clone());
            }
        }
        for device in passed {
            self.conclude_test(&device, TestResult::Passed, now);
        }
    }

    /// A test's time is over.
    pub(crate) fn device_test_ends(&mut self, device: &DeviceId, now: &Now) {
        let Some(test) = self.device_tests.tests.get_mut(device) else { return };
        test.running = false;
        let result = if test.signs.is_empty() { TestResult::NothingCame } else { TestResult::NotAtCentre };
        self.conclude_test(device, result, now);
        self.emit_durable(Effect::Notify(Notice::Device { device: device.clone() }));
    }

    /// Records the result of a test that has none yet.
    fn conclude_test(&mut self, device: &DeviceId, result: TestResult, now: &Now) {
        let Some(test) = self.device_tests.tests.get_mut(device).filter(|test| test.result.is_none()) else { return };
        test.result = Some(result);
        // The report that counts: the one that got furthest.
        let sign = test.signs.iter().max_by_key(|sign| (sign.centre_ms.is_some(), sign.durable_ms.is_some()));
        let body = DeviceTestedBody {
            device: device.clone(),
            by: test.by.clone(),
            result,
            kind: sign.map(|sign| sign.kind.clone()),
            durable_ms: sign.and_then(|sign| sign.durable_ms),
            centre_ms: sign.and_then(|sign| sign.centre_ms),
        };
        self.record_test(&body, now);
        self.emit_durable(Effect::Notify(Notice::Device { device: device.clone() }));
    }

    /// Tests that were under way when the process ended have a result, too.
    pub(crate) fn conclude_interrupted_tests(&mut self, now: &Now) {
        for (device, TestRecord { by }) in std::mem::take(&mut self.device_tests.interrupted) {
            let result = TestResult::Interrupted;
            let body = DeviceTestedBody { device, by, result, kind: None, durable_ms: None, centre_ms: None };
            self.record_test(&body, now);
        }
    }

    fn record_test(&mut self, body: &DeviceTestedBody, now: &Now) {
        self.journal.record(
            Draft {
                identity: Identity::Own,
                kind: kind::DEVICE_TESTED,
                about: None,
                body,
                fingerprint: 0,
                lane: OutLane::Rest,
                private: None,
            },
            now,
        );
        self.journal.delete(test_key(&body.device));
    }

    /// Tests under way and the last ones that ended, the newest first.
    #[must_use]
    pub fn device_tests(&self, now: &Now) -> Vec<DeviceTest> {
        let mut tests: Vec<(Mono, DeviceTest)> =
            self.device_tests.tests.iter().map(|(device, test)| (test.started, test.view(device, now.mono))).collect();
        tests.sort_by_key(|(started, _)| std::cmp::Reverse(*started));
        tests.into_iter().map(|(_, test)| test).collect()
    }
}
