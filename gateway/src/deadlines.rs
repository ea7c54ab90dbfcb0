//! What has to happen next with an alarm, and by when.
//!
//! | it was | next | within |
//! |---|---|---|
//! | raised, an emergency or urgent | acknowledge | 60 s |
//! | raised, a wish | acknowledge | 15 min |
//! | raised, technical | acknowledge | 2 h |
//! | acknowledged, for a person | dispatch | 3 min |
//! | dispatched, for a person | on site | what whoever goes said, else 15 min |
//! | on site; or acknowledged, technical | resolve | — |
//!
//! **Invariant:** the times are the gateway's own; no clock of a browser is asked.

use gateway_core::{Alarm, AlarmEvent, AlarmStep};
use jiff::Timestamp;
use protocols::device::AlarmState;
use protocols::unit::UnixMs;
use protocols::uplink::Urgency;

use crate::adapter::kiosk::view::NextView;
use crate::limits::{ACKNOWLEDGE_S, ACKNOWLEDGE_S_REQUEST, ACKNOWLEDGE_S_TECHNICAL, DISPATCH_S, ON_SITE_S};

/// Seconds from a civil time to now; `None` for a text that is no time, 0 where it lies ahead.
pub fn age_s(at: &str, now: UnixMs) -> Option<u64> {
    let at: Timestamp = at.parse().ok()?;
    let ms = now.0.saturating_sub(at.as_millisecond());
    Some(u64::try_from(ms / 1_000).unwrap_or(0))
}

/// The next step of an alarm as it is shown; `None` once it is resolved.
pub fn next(alarm: &Alarm, now: UnixMs) -> Option<NextView> {
    let for_a_person = match alarm.urgency {
        Urgency::Emergency | Urgency::Urgent | Urgency::Request => true,
        Urgency::Technical | Urgency::Test => false,
    };
    let (step, within_s) = match (alarm.state, for_a_person) {
        (AlarmState::Raised | AlarmState::Accepted, _) => ("acknowledge", Some(acknowledge_within_s(alarm.urgency))),
        (AlarmState::Acknowledged, true) => ("dispatch", Some(DISPATCH_S)),
        (AlarmState::Dispatched, true) => ("on_site", Some(on_site_within_s(alarm))),
        (AlarmState::Acknowledged | AlarmState::Dispatched | AlarmState::OnSite, _) => ("resolve", None),
        (AlarmState::Resolved, _) => return None,
    };
    let since_s = age_s(last_taken(alarm).map_or(alarm.opened_at.as_str(), |step| step.at.as_str()), now)
        .and_then(|age| i64::try_from(age).ok());
    let due_in_s = within_s.zip(since_s).map(|(within, since)| within.saturating_sub(since));
    Some(NextView { step, due_in_s })
}

const fn acknowledge_within_s(urgency: Urgency) -> i64 {
    match urgency {
        Urgency::Emergency | Urgency::Urgent => ACKNOWLEDGE_S,
        Urgency::Request => ACKNOWLEDGE_S_REQUEST,
        Urgency::Technical | Urgency::Test => ACKNOWLEDGE_S_TECHNICAL,
    }
}

/// In how many seconds whoever goes is there, as was said when they were sent.
fn on_site_within_s(alarm: &Alarm) -> i64 {
    let said = last_taken(alarm).and_then(|step| step.sent.eta_min);
    said.map_or(ON_SITE_S, |minutes| i64::from(minutes).saturating_mul(60))
}

/// The last step that a person took: since then the next one is waited for. That the centre has the alarm takes nobody anywhere.
fn last_taken(alarm: &Alarm) -> Option<&AlarmStep> {
    alarm.history.iter().rev().find(|step| step.what == AlarmEvent::Step && step.state >= AlarmState::Acknowledged)
}

#[cfg(test)]
#[path = "deadlines_tests.rs"]
mod tests;
