//! Somebody at a kiosk calls the staff: an alarm of the gateway's own that is not urgent, one open at a time for each kiosk.
//!
//! **Invariant:** a call is answered only when it is durable; a call that could not be recorded is not answered as made.
//! **Invariant:** however often a kiosk calls, it writes at most one entry in [`HELP_AGAIN_AFTER_MS`].

use std::collections::{BTreeMap, VecDeque};

use protocols::id::ReaderId;
use protocols::uplink::{AlarmBody, OwnAlarm, OwnAlarmBody, Urgency};

use crate::core::{Core, Storage};
use crate::effect::{DeskAnswer, Effect, Refusal};
use crate::input::ReplyToken;
use crate::journal::Identity;
use crate::limits::{HELP_AGAIN_AFTER_MS, HELP_KEYS_MAX, IDEMPOTENCY_KEY_LEN_MAX};
use crate::raising::own_alarm;
use crate::time::{Mono, Now};

/// What is known of calls since the start.
#[derive(Debug, Default)]
pub(crate) struct Help {
    /// When each kiosk's last call was recorded.
    last: BTreeMap<ReaderId, Mono>,
    /// The newest keys, each with its alarm: the same request again is the same call.
    keys: VecDeque<(String, String)>,
}

impl Core {
    /// A person at a kiosk calls the staff.
    pub(crate) fn call_staff(&mut self, reply: ReplyToken, key: String, reader: &ReaderId, now: &Now) {
        match self.try_call_staff(key, reader, now) {
            Ok(id) => {
                let state = self.alarms.get(&id).map_or(protocols::device::AlarmState::Raised, |alarm| alarm.state);
                self.emit_durable(Effect::Reply { token: reply, answer: DeskAnswer::Alarm { id, state } });
            }
            Err(refusal) => self.emit(Effect::Reply { token: reply, answer: DeskAnswer::Refused(refusal) }),
        }
    }

    fn try_call_staff(&mut self, key: String, reader: &ReaderId, now: &Now) -> Result<String, Refusal> {
        if key.is_empty() || key.len() > IDEMPOTENCY_KEY_LEN_MAX {
            return Err(Refusal::KeyInvalid);
        }
        if !self.config.readers.contains(reader) {
            return Err(Refusal::ReaderUnknown);
        }
        if let Some((_, id)) = self.help.keys.iter().find(|(known, id)| *known == key && self.alarms.get(id).is_some())
        {
            return Ok(id.clone());
        }
        let body = OwnAlarmBody::from(AlarmBody {
            urgency: Urgency::Request,
            detail: Some(reader.to_string()),
            ..own_alarm(OwnAlarm::Help, None)
        });
        if self.config.storage == Storage::Dead {
            // It goes to the centre all the same, but nobody here can promise that.
            self.raise_own_without_disk(&body.alarm, None, now);
            return Err(Refusal::HelpNotCalled);
        }
        let again = self.help.last.get(reader).is_some_and(|last| now.mono < last.after_ms(HELP_AGAIN_AFTER_MS));
        let open = self.open_help(reader);
        match open {
            Some(_) if again => {}
            Some(id) => {
                self.fold_alarm(&id, Identity::Own, &body, 0, None, now);
                self.help.last.insert(reader.clone(), now.mono);
            }
            None => {
                self.raise_alarm(Identity::Own, None, &body, 0, None, now);
                self.help.last.insert(reader.clone(), now.mono);
            }
        }
        let id = self.open_help(reader).ok_or(Refusal::HelpNotCalled)?;
        while self.help.keys.len() >= HELP_KEYS_MAX {
            self.help.keys.pop_front();
        }
        self.help.keys.push_back((key, id.clone()));
        Ok(id)
    }

    /// The open call of a kiosk.
    pub(crate) fn open_help(&self, reader: &ReaderId) -> Option<String> {
        let word = OwnAlarm::Help.word();
        let mut open = self
            .alarms
            .iter()
            .filter(|alarm| alarm.is_open() && alarm.kind == word && alarm.detail.as_deref() == Some(reader.as_str()));
        open.next().map(|alarm| alarm.id.clone())
    }
}
