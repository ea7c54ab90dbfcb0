//! Alarms when the disk takes nothing: straight to the centre, acknowledged when the centre has them.
//!
//! **Invariant:** without a journal no report but an alarm is taken, and no alarm is acknowledged before the centre
//! accepted it.

use protocols::device::EventReport;
use protocols::id::DeviceId;
use protocols::uplink::{AlarmBody, Epoch, Origin, Source, Urgency, kind};
use protocols::version;

use crate::core::Core;
use crate::effect::{AckCode, Effect};
use crate::input::{AckToken, Direct, Ticket};
use crate::journal::{entry_text, fingerprint};
use crate::limits::DIRECT_ALARMS_MAX;
use crate::reports::alarm_body;
use crate::time::Now;
use crate::timers::Timer;

/// An alarm on its way.
#[derive(Debug)]
pub(crate) struct DirectAlarm {
    /// Which report: device, epoch, number, fingerprint; none for the gateway's own.
    pub key: Option<(DeviceId, u32, u64, u64)>,
    pub entry: String,
    pub acks: Vec<AckToken>,
    pub accepted: bool,
}

impl Core {
    pub(crate) fn take_event_without_disk(
        &mut self,
        device: &DeviceId,
        ack: Option<AckToken>,
        payload: &[u8],
        now: &Now,
    ) {
        let Some((origin, body)) = alarm_of(device, payload) else { return };
        let key = Some((device.clone(), epoch_of(&origin), origin.seq.get(), fingerprint(payload)));
        if let Some(known) = self.direct.values_mut().find(|alarm| alarm.key == key) {
            match (known.accepted, ack) {
                (true, Some(token)) => self.emit(Effect::Ack { token, code: AckCode::Success }),
                (_, ack) => known.acks.extend(ack),
            }
            return;
        }
        if self.direct.len() >= DIRECT_ALARMS_MAX {
            let done = self.direct.iter().find(|(_, alarm)| alarm.accepted).map(|(ticket, _)| *ticket);
            match done {
                Some(ticket) => drop(self.direct.remove(&ticket)),
                None => return self.emit(Effect::Count { name: "direct_alarms_waiting_full", label: "device" }),
            }
        }
        let ticket = Ticket(self.fresh_number());
        let entry = entry_text(&origin, kind::ALARM_RAISED, None, now, &body);
        self.direct.insert(
            ticket,
            DirectAlarm { key, entry: entry.clone(), acks: ack.into_iter().collect(), accepted: false },
        );
        self.emit(Effect::UploadDirect { ticket, entry });
    }

    pub(crate) fn handle_direct(&mut self, direct: Direct, now: &Now) {
        let Some(alarm) = self.direct.get_mut(&direct.ticket) else { return };
        match direct.result {
            Ok(result) if result.outcome.is_delivered() => {
                alarm.accepted = true;
                for token in std::mem::take(&mut alarm.acks) {
                    self.out.push_back(Effect::Ack { token, code: AckCode::Success });
                }
                self.note_success();
            }
            Ok(_) => {
                self.emit(Effect::Count { name: "direct_alarms_refused", label: "centre" });
            }
            Err(failure) => {
                let at_least = self.note_failure(failure);
                let pause = self.direct_backoff.next_ms(at_least);
                self.timers.set(Timer::DirectRetry(direct.ticket), now.mono.after_ms(pause));
            }
        }
    }

    /// Sends an alarm again that the centre has not answered.
    pub(crate) fn retry_direct(&mut self, ticket: Ticket) {
        if let Some(alarm) = self.direct.get(&ticket)
            && !alarm.accepted
        {
            let entry = alarm.entry.clone();
            self.emit(Effect::UploadDirect { ticket, entry });
        }
    }

    /// Tells the centre, once after the start, that this gateway cannot store anything.
    pub(crate) fn report_dead_storage(&mut self, now: &Now) {
        let Some(seq) = protocols::id::Seq::new(u64::try_from(now.wall.0).unwrap_or(0)) else { return };
        let origin = Origin {
            source: Source::Gateway(self.config.gateway.clone()),
            epoch: Epoch::Text("no-storage".to_owned()),
            seq,
        };
        let mut body = crate::reports::own_alarm("storage", None);
        body.urgency = Urgency::Urgent;
        let entry = entry_text(&origin, kind::ALARM_RAISED, None, now, &body);
        let ticket = Ticket(self.fresh_number());
        self.direct.insert(ticket, DirectAlarm { key: None, entry: entry.clone(), acks: Vec::new(), accepted: false });
        self.emit(Effect::UploadDirect { ticket, entry });
    }
}

const fn epoch_of(origin: &Origin) -> u32 {
    match &origin.epoch {
        Epoch::Number(number) => *number,
        Epoch::Text(_) => 0,
    }
}

/// The alarm that a report raises, if it raises one. What cannot be read is not acknowledged, so the device keeps it.
fn alarm_of(device: &DeviceId, payload: &[u8]) -> Option<(Origin, AlarmBody)> {
    let report: EventReport =
        serde_json::from_slice(payload).ok().filter(|r: &EventReport| version::is_supported(r.v))?;
    let urgency = crate::reports::urgency_of(&report.kind)?;
    let origin = Origin { source: Source::Device(device.clone()), epoch: Epoch::Number(report.epoch), seq: report.seq };
    Some((origin, alarm_body(device, &report, urgency)))
}
