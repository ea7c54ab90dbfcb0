//! What was refused before it could be a report: an entry that staff see, and a counter with its reason.
//!
//! **Invariant:** what was stored as refused is acknowledged, so that no device sends it for ever.

use protocols::id::DeviceId;
use protocols::uplink::{ReportRefusedBody, kind};

use crate::core::{Core, Storage};
use crate::effect::{AckCode, Effect};
use crate::input::{AckToken, LinkRefusal, OutLane};
use crate::journal::{Draft, Identity, hex_lower};
use crate::limits::SAMPLE_LEN_MAX;
use crate::time::Now;

impl Core {
    pub(crate) fn refuse_report(
        &mut self,
        device: Option<&DeviceId>,
        reason: &'static str,
        ack: Option<AckToken>,
        code: AckCode,
        payload: &[u8],
        now: &Now,
    ) {
        let body = ReportRefusedBody {
            device: device.cloned(),
            reason: reason.to_owned(),
            size: payload.len() as u64,
            sample: (!payload.is_empty()).then(|| sample(payload)),
        };
        self.record_refusal(&body, reason, ack, code, now);
    }

    pub(crate) fn link_refused(
        &mut self,
        device: Option<&DeviceId>,
        reason: LinkRefusal,
        ack: Option<AckToken>,
        size: u64,
        first: &[u8],
        now: &Now,
    ) {
        let code = match reason {
            LinkRefusal::Oversize => AckCode::QuotaExceeded,
            LinkRefusal::Login
            | LinkRefusal::ForeignTopic
            | LinkRefusal::ForeignSubscription
            | LinkRefusal::Malformed
            | LinkRefusal::Limit => AckCode::NotAuthorized,
        };
        let body = ReportRefusedBody {
            device: device.cloned(),
            reason: reason.word().to_owned(),
            size,
            sample: (!first.is_empty()).then(|| sample(first)),
        };
        self.record_refusal(&body, reason.word(), ack, code, now);
    }

    fn record_refusal(
        &mut self,
        body: &ReportRefusedBody,
        reason: &'static str,
        ack: Option<AckToken>,
        code: AckCode,
        now: &Now,
    ) {
        self.emit(Effect::Count { name: "reports_refused", label: reason });
        if self.config.storage == Storage::Journal {
            self.journal.record(
                Draft {
                    identity: Identity::Own,
                    kind: kind::REPORT_REFUSED,
                    about: None,
                    body,
                    fingerprint: 0,
                    lane: OutLane::Rest,
                    private: None,
                },
                now,
            );
            self.acknowledge(ack, code);
        }
    }
}

/// The first bytes of a payload, as text where they are text, else as hex.
pub(crate) fn sample(payload: &[u8]) -> String {
    let first = payload.get(..SAMPLE_LEN_MAX).unwrap_or(payload);
    match std::str::from_utf8(payload) {
        Ok(text) => text.chars().filter(|c| !c.is_control()).take(SAMPLE_LEN_MAX).collect(),
        Err(_) => hex_lower(first),
    }
}
