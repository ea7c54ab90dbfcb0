//! How long ago a press happened that reached the gateway late.
//!
//! A report says how long after which boot of the device it happened; a heartbeat of the same boot says how long after
//! it that boot is now. So the age is known whatever clock the device has, or none (DESIGN.md section 6).
//!
//! **Invariant:** an age is told only of a heartbeat of the same boot; without one it stays unknown.

use protocols::id::DeviceId;
use protocols::uplink::{AlarmDatedBody, kind};

use crate::alarms::lane_of;
use crate::core::{Core, Held};
use crate::journal::{Draft, Identity};
use crate::limits::LATE_PRESS_MS;
use crate::time::{Mono, Now};

/// An alarm whose age is not known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Undated {
    /// Boot count of the device when it happened.
    pub boot: u32,
    /// Milliseconds from that boot to the press.
    pub up_ms: u64,
    /// When it was recorded.
    pub recorded: Mono,
}

impl Core {
    /// Dates the open alarms of a device that gave a heartbeat.
    pub(crate) fn date_alarms_of(&mut self, device: &DeviceId, now: &Now) {
        let undated: Vec<String> = self
            .alarms
            .iter()
            .filter(|alarm| alarm.undated.is_some() && alarm.is_open() && alarm.device.as_ref() == Some(device))
            .map(|alarm| alarm.id.clone())
            .collect();
        for id in undated {
            self.date_alarm(&id, now);
        }
    }

    /// Says how long before it was recorded an alarm was raised, where its device's last heartbeat tells.
    pub(crate) fn date_alarm(&mut self, id: &str, now: &Now) {
        let Some(alarm) = self.alarms.get(id) else { return };
        let (Some(undated), Some(device)) = (alarm.undated, &alarm.device) else { return };
        let Some(age_ms) = self.age_of(device, undated) else { return };
        let Some(alarm) = self.alarms.get_mut(id) else { return };
        alarm.undated = None;
        if age_ms < LATE_PRESS_MS {
            return;
        }
        alarm.late_by_ms = Some(age_ms);
        let alarm = alarm.clone();
        let body = AlarmDatedBody { age_ms, boot: undated.boot, up_ms: undated.up_ms };
        self.journal.record(
            Draft {
                identity: Identity::Own,
                kind: kind::ALARM_DATED,
                about: Some(&alarm.origin),
                body: &body,
                fingerprint: 0,
                lane: lane_of(alarm.urgency),
                private: None,
            },
            now,
        );
        self.save_alarm(&alarm);
        self.after_durable(Held::ShowAlarm { alarm: alarm.id, state: alarm.state });
    }

    fn age_of(&self, device: &DeviceId, press: Undated) -> Option<u64> {
        let heartbeat = self.devices.get(device)?.heartbeat.as_ref()?;
        if heartbeat.boot != Some(press.boot) {
            return None;
        }
        // Both sums count from the same moment, the boot, as if both clocks ran alike.
        let recorded = press.recorded.0.saturating_add(heartbeat.up_ms?);
        Some(recorded.saturating_sub(heartbeat.at.0.saturating_add(press.up_ms)))
    }
}
