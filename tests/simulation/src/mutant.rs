//! Deliberately broken gateways, by which the promises' checkers are proved.
//!
//! **Invariant:** a mutant breaks one thing; a run without one is the real core.

use gateway_core::{
    AckCode, CardInput, DialogueOutcome, Effect, Group, Input, LinkInput, Row, StateChange, StoreInput, UplinkInput,
};
use protocols::card::crypto::{Mac2, Tac};
use protocols::card::purchase;
use protocols::card::purse::DebitAnswer;
use protocols::uplink::{Outcome, Results, UploadResult};

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// A report is acknowledged as it comes in.
    AcknowledgesEarly,
    /// A group reports as durable and leaves its last entry out.
    LosesAnEntry,
    /// State is not kept.
    ForgetsItsState,
    /// A conflict or refusal at the centre, and an answer that never came, count as delivered.
    TakesSilenceForDelivery,
    /// The journal is never asked whether it has a report.
    KnowsNoReport,
    /// Orders of the centre are not heard.
    IsDeafToOrders,
    /// A person's step on one alarm is told to the device of it as the end.
    TellsTheEndTooSoon,
    /// Alarms wait while everything else goes out.
    SendsAlarmsLast,
    /// No silence of a device is ever noticed.
    MissesNoDevice,
    /// A debit goes out although its intent is not durable.
    DebitsUnrecorded,
    /// A debit without an answer counts as done.
    TakesDoubtForPaid,
    /// Sales are not kept.
    ForgetsSales,
    /// The card's number goes to the centre in the entry.
    TellsTheCard,
}

/// How long [`Mutant::SendsAlarmsLast`] lets an alarm wait.
pub const MUTANT_PAUSE_MS: u64 = 4_000;

impl Mutant {
    /// Each of them.
    pub const ALL: [Self; 13] = [
        Self::AcknowledgesEarly,
        Self::LosesAnEntry,
        Self::ForgetsItsState,
        Self::TakesSilenceForDelivery,
        Self::KnowsNoReport,
        Self::IsDeafToOrders,
        Self::TellsTheEndTooSoon,
        Self::SendsAlarmsLast,
        Self::MissesNoDevice,
        Self::DebitsUnrecorded,
        Self::TakesDoubtForPaid,
        Self::ForgetsSales,
        Self::TellsTheCard,
    ];

    /// Breaks what the disk gets.
    pub fn break_group(self, group: &mut Group) {
        match self {
            Self::LosesAnEntry => drop(group.rows.pop()),
            Self::ForgetsItsState => group.state.clear(),
            Self::AcknowledgesEarly
            | Self::TakesSilenceForDelivery
            | Self::KnowsNoReport
            | Self::IsDeafToOrders
            | Self::TellsTheEndTooSoon
            | Self::SendsAlarmsLast
            | Self::MissesNoDevice
            | Self::DebitsUnrecorded
            | Self::TakesDoubtForPaid
            | Self::TellsTheCard => {}
            Self::ForgetsSales => group.state.retain(|change| match change {
                StateChange::Put { key, .. } | StateChange::Delete { key } => !key.starts_with("sale/"),
            }),
        }
    }

    /// Breaks what the core hears.
    pub fn break_input(self, input: &mut Input, sent: &[u64]) {
        match (self, input) {
            (Self::KnowsNoReport, Input::Store(StoreInput::OriginFound { body, .. })) => *body = Ok(None),
            (Self::KnowsNoReport, Input::Store(StoreInput::ReportsLoaded { found, .. })) => *found = Ok(None),
            (Self::IsDeafToOrders, Input::Uplink(UplinkInput::Orders { result: Ok(page), .. })) => page.orders.clear(),
            (
                Self::TakesSilenceForDelivery,
                Input::Uplink(UplinkInput::Uploaded { sent: named, result: result @ Err(_), .. }),
            ) => {
                sent.clone_into(named);
                let accepted = |n: &u64| UploadResult { n: Some(*n), outcome: Outcome::Accepted, reason: None };
                *result = Ok(Results { v: 1, results: sent.iter().map(accepted).collect(), head: None });
            }
            (Self::TakesDoubtForPaid, Input::Card(CardInput::Done { outcome, .. })) => {
                if let DialogueOutcome::Purchase(purchase::Outcome::Unknown { intent, .. }) = outcome {
                    let debit = DebitAnswer { tac: Tac::from_bytes([0; 4]), mac2: Mac2::from_bytes([0; 4]) };
                    let (intent, new_balance) = (*intent, intent.old_balance);
                    *outcome = DialogueOutcome::Purchase(purchase::Outcome::Debited { intent, debit, new_balance });
                }
            }
            _ => {}
        }
    }

    /// Breaks what the centre gets.
    pub fn break_entry(self, row: &Row, bytes: &mut String) {
        if let (Self::TellsTheCard, Some(private)) = (self, &row.private) {
            let told = format!(r#""sale":{},"#, serde_json::Value::String(private.bytes.clone()));
            *bytes = bytes.replacen(r#""sale":"#, &told, 1);
        }
    }

    /// What it does of itself when something comes in.
    #[must_use]
    pub fn acts(self, input: &Input) -> Option<Effect> {
        match (self, input) {
            (Self::AcknowledgesEarly, Input::Link(LinkInput::Event { ack: Some(token), .. })) => {
                Some(Effect::Ack { token: *token, code: AckCode::Success })
            }
            (Self::DebitsUnrecorded, Input::Card(CardInput::IntentReady { dialogue, .. })) => {
                Some(Effect::Proceed { dialogue: *dialogue })
            }
            _ => None,
        }
    }

    /// Breaks what a device is told.
    pub fn break_command(self, payload: &mut Vec<u8>) {
        if self == Self::TellsTheEndTooSoon {
            let text = String::from_utf8_lossy(payload).replace("acknowledged", "resolved");
            *payload = text.into_bytes();
        }
    }
}
