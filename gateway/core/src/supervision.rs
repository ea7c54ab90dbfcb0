//! Supervision: silence, battery, faults, lost reports; and commands to devices.
//!
//! **Invariant:** silence is an alarm: each assigned device has a moment at which it counts as silent, from the start on.

use std::collections::BTreeMap;

use protocols::device::{AlarmCommand, AlarmState, Command, Heartbeat, PAYLOAD_LEN_MAX, SettingsCommand, encode};
use protocols::id::{DeviceEpoch, DeviceId, Seq};
use protocols::uplink::{DeviceStateBody, DeviceTrouble, OwnAlarm, kind};

use crate::alarms::Alarm;
use crate::core::{Core, Storage};
use crate::devices::{Device, DeviceRecord, LastHeartbeat, Told};
use crate::effect::{Effect, Notice};
use crate::input::{CommandId, OutLane};
use crate::journal::{Draft, Identity};
use crate::raising::own_alarm;
use crate::time::Now;
use crate::timers::Timer;

impl Core {
    /// A device gave a sign of life.
    pub(crate) fn device_heard(&mut self, id: &DeviceId, now: &Now) {
        let listened = self.listening.ms();
        let device = self.device_mut(id);
        device.heard = Some((now.mono, now.wall));
        let kept = device.record.heard_listened_ms;
        let due = kept.is_none_or(|kept| listened.saturating_sub(kept) >= device.record.heard_kept_every_ms());
        if due {
            device.record.heard_listened_ms = Some(listened);
        }
        let was_silent = std::mem::replace(&mut device.record.silent, false);
        let first = !std::mem::replace(&mut device.record.heard_once, true);
        let (assigned, after_ms) = (device.record.assigned, device.record.silent_after_ms);
        if assigned {
            self.timers.set_no_later(Timer::DeviceSilent(id.clone()), now.mono.after_ms(after_ms));
        }
        if was_silent {
            self.record_trouble(id, DeviceTrouble::Back, None, now);
        } else if first || due {
            self.save_device(id);
        }
    }

    /// Looks after the devices of a new version of the devices file, as a start would; orders of the centre stand.
    pub(crate) fn devices_listed(&mut self, listed: Vec<(DeviceId, u64)>, now: &Now) {
        let listed: BTreeMap<DeviceId, u64> = listed.into_iter().collect();
        for id in listed.keys().filter(|id| !self.devices.contains_key(id)).cloned().collect::<Vec<_>>() {
            let record = DeviceRecord { assigned: false, ..DeviceRecord::new(0) };
            self.devices.insert(id, Device::new(record));
        }
        let mut changed = Vec::new();
        for (id, device) in self.devices.iter_mut().filter(|(_, device)| !device.record.by_order) {
            let (was, after_ms) = (device.record.assigned, device.record.silent_after_ms);
            let wanted = listed.get(id).copied();
            device.record.assigned = wanted.is_some();
            device.record.silent_after_ms = wanted.unwrap_or(after_ms);
            if device.record.assigned != was || device.record.silent_after_ms != after_ms {
                let watched = (wanted.is_some() && !device.record.silent).then_some(device.record.silent_after_ms);
                changed.push((id.clone(), watched));
            }
        }
        for (id, watched) in changed {
            match watched {
                Some(after_ms) => self.timers.set(Timer::DeviceSilent(id.clone()), now.mono.after_ms(after_ms)),
                None => self.timers.clear(&Timer::DeviceSilent(id.clone())),
            }
            self.emit(Effect::Notify(Notice::Device { device: id }));
        }
    }

    /// The time to look whether a device has not been heard for too long.
    pub(crate) fn device_is_silent(&mut self, id: &DeviceId, now: &Now) {
        let device = self.device_mut(id);
        let (assigned, silent) = (device.record.assigned, device.record.silent);
        // After a start it is waited for again; people who still have the alarm about it need no other.
        let told = silent && self.alarms.open_of(Some(id), OwnAlarm::DeviceSilent.word()).is_some();
        if !assigned || told {
            return;
        }
        let device = self.device_mut(id);
        let due = device.heard.map(|(heard, _)| heard.after_ms(device.record.silent_after_ms));
        if let Some(due) = due.filter(|due| *due > now.mono) {
            return self.timers.set(Timer::DeviceSilent(id.clone()), due);
        }
        device.record.silent = true;
        self.figures.silent();
        self.record_trouble(id, DeviceTrouble::Silent, None, now);
        self.raise_or_fold_own(&own_alarm(OwnAlarm::DeviceSilent, Some(id)), None, now);
    }

    /// What a heartbeat means; only changes are recorded.
    pub(crate) fn judge_heartbeat(&mut self, id: &DeviceId, heartbeat: &Heartbeat, now: &Now) {
        let limit = self.config.battery_low_mv;
        let device = self.device_mut(id);
        let mut found = Vec::new();
        if let Some(mv) = heartbeat.battery_mv {
            let low = mv < limit;
            if low != device.record.battery_low {
                device.record.battery_low = low;
                let trouble = if low { DeviceTrouble::BatteryLow } else { DeviceTrouble::BatteryOk };
                found.push((trouble, Some(format!("{mv} mV"))));
            }
        }
        if heartbeat.lost > device.record.lost {
            let lost = heartbeat.lost.saturating_sub(device.record.lost);
            device.record.lost = heartbeat.lost;
            found.push((DeviceTrouble::LostReports, Some(lost.to_string())));
        }
        let faults: Vec<String> = heartbeat.faults.iter().map(|fault| fault.as_str().to_owned()).collect();
        if faults != device.record.faults {
            let trouble = if faults.is_empty() { DeviceTrouble::FaultOver } else { DeviceTrouble::Fault };
            found.push((trouble, (!faults.is_empty()).then(|| faults.join(", "))));
            device.record.faults = faults;
        }
        let wanted = device.record.settings;
        let stale = wanted.is_some_and(|(version, _)| version > heartbeat.settings);
        device.heartbeat = Some(Box::new(LastHeartbeat::new(heartbeat, now.mono)));
        self.date_alarms_of(id, now);
        for (trouble, detail) in found {
            self.record_trouble(id, trouble, detail, now);
            let alarm = match trouble {
                DeviceTrouble::BatteryLow => OwnAlarm::DeviceBatteryLow,
                DeviceTrouble::Fault => OwnAlarm::DeviceFault,
                DeviceTrouble::LostReports => OwnAlarm::DeviceLostReports,
                DeviceTrouble::Silent | DeviceTrouble::Back | DeviceTrouble::BatteryOk | DeviceTrouble::FaultOver => {
                    continue;
                }
            };
            self.raise_or_fold_own(&own_alarm(alarm, Some(id)), None, now);
        }
        if stale {
            self.tell_settings(id);
        }
    }

    fn record_trouble(&mut self, id: &DeviceId, trouble: DeviceTrouble, detail: Option<String>, now: &Now) {
        if self.config.storage == Storage::Dead {
            return self.emit(Effect::Notify(Notice::Device { device: id.clone() }));
        }
        let body = DeviceStateBody { device: id.clone(), trouble, detail };
        self.journal.record(
            Draft {
                identity: Identity::Own,
                kind: kind::DEVICE_STATE,
                about: None,
                body: &body,
                fingerprint: 0,
                lane: OutLane::Rest,
                private: None,
            },
            now,
        );
        self.save_device(id);
        self.emit_durable(Effect::Notify(Notice::Device { device: id.clone() }));
    }

    /// Keeps a device's record, in the transaction of what was recorded with it.
    pub(crate) fn save_device(&mut self, id: &DeviceId) {
        if self.config.storage == Storage::Dead {
            return;
        }
        if let Some(device) = self.devices.get(id) {
            self.journal.put(format!("device/{id}"), &device.record);
        }
    }

    /// Keeps an alarm, in the transaction of what was recorded with it.
    pub(crate) fn save_alarm(&mut self, alarm: &Alarm) {
        self.journal.put(format!("alarm/{}", alarm.id), alarm);
    }

    /// Sends everything that a device has to be told, on its new connection.
    pub(crate) fn tell_device(&mut self, id: &DeviceId) {
        self.device_mut(id).commands.clear();
        for alarm in self.alarms.to_tell(id) {
            self.tell_alarm(&alarm);
        }
    }

    /// Tells the device how far its alarm has come, once that is durable: one command for each epoch of its presses. At
    /// most one about an epoch is under way; what changed meanwhile is told when it was taken.
    pub(crate) fn tell_alarm(&mut self, id: &str) {
        let Some(alarm) = self.alarms.get(id) else { return };
        if alarm.n == 0 && alarm.state == AlarmState::Raised {
            // No disk has it, and the centre neither.
            return;
        }
        let epochs: Vec<DeviceEpoch> = alarm.presses_by_epoch().map(|(epoch, _)| epoch).collect();
        for epoch in epochs {
            self.tell_alarm_in(id, epoch);
        }
    }

    fn tell_alarm_in(&mut self, id: &str, epoch: DeviceEpoch) {
        let Some(alarm) = self.alarms.get(id) else { return };
        let (state, presses) = (alarm.state, alarm.presses);
        let Some(device) = alarm.device.clone() else { return };
        let Some((_, seqs)) = alarm.presses_by_epoch().find(|(of, _)| *of == epoch) else { return };
        // A press that another open alarm has too has not ended with this one.
        let goes_on = |seq: Seq| state == AlarmState::Resolved && self.alarms.with_press(&device, epoch, seq).is_some();
        let command = AlarmCommand { epoch, seqs: seqs.iter().copied().filter(|seq| !goes_on(*seq)).collect(), state };
        if command.seqs.is_empty() {
            return;
        }
        let name = CommandId(self.fresh_number());
        let found = self.device_mut(&device);
        let Some(session) = found.session else { return };
        if found.is_being_told(id, Some(epoch)) {
            return;
        }
        found.commands.insert(name, Told::Alarm { alarm: id.to_owned(), epoch, state, presses });
        let payload = encoded(&Command::alarm(command));
        self.emit_durable(Effect::Command { device, session, command: name, payload });
    }

    /// Tells a device its settings.
    pub(crate) fn tell_settings(&mut self, id: &DeviceId) {
        let name = CommandId(self.fresh_number());
        let device = self.device_mut(id);
        let (Some((version, heartbeat_s)), Some(session)) = (device.record.settings, device.session) else { return };
        if device.commands.values().any(|told| *told == Told::Settings) {
            return;
        }
        device.commands.insert(name, Told::Settings);
        let payload = encoded(&Command::settings(SettingsCommand { version, heartbeat_s }));
        self.emit_durable(Effect::Command { device: id.clone(), session, command: name, payload });
    }

    /// A device took a command, or cannot be told it: what changed since is told next. What it could not be told it is
    /// told anew at its next connect.
    pub(crate) fn command_ended(&mut self, id: &DeviceId, command: CommandId, taken: bool) {
        let device = self.device_mut(id);
        let Some(Told::Alarm { alarm: alarm_id, epoch, state, presses }) = device.commands.remove(&command) else {
            return;
        };
        let last = !device.is_being_told(&alarm_id, None);
        let Some(alarm) = self.alarms.get_mut(&alarm_id) else { return };
        let behind = alarm.state > state || alarm.presses > presses;
        if taken && last {
            alarm.told = Some(alarm.told.map_or(state, |told| told.max(state)));
        }
        let ended = (taken && alarm.told == Some(AlarmState::Resolved)).then(|| alarm.clone());
        if let Some(ended) = ended {
            if self.config.storage == Storage::Journal {
                self.save_alarm(&ended);
            }
        } else if behind {
            self.tell_alarm_in(&alarm_id, epoch);
        }
    }
}

fn encoded(command: &Command) -> Vec<u8> {
    let mut buffer = [0; PAYLOAD_LEN_MAX];
    let len = encode(command, &mut buffer).expect("a command with the most numbers fits the payload's limit");
    buffer.get(..len).map(<[u8]>::to_vec).unwrap_or_default()
}

const _: () = assert!(crate::limits::ALARM_PRESSES_MAX <= protocols::device::SEQS_PER_COMMAND_MAX);
