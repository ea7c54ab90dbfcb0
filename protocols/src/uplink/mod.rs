//! Gateway to centre and back: journal entries and their results, holds, orders. JSON over HTTPS.
//!
//! An entry is kept and sent as the exact bytes that were hashed: [`Entry`] is encoded once, at the gateway, and from
//! then on is a string inside [`EntryUpload`].

mod alarm;
mod entry;
mod hold;
mod order;
mod origin;
mod own_alarm;
mod sale;
mod service;
mod upkeep;

pub use alarm::{
    AlarmBody, AlarmDatedBody, AlarmStepBody, DeviceReportBody, DeviceStateBody, DeviceTrouble, ETA_MIN_MAX,
    FoldedSeqs, OwnAlarmBody, RESPONDER_CHARS_MAX, ReportRefusedBody, Urgency, is_eta_min, is_responder,
};
pub use entry::{
    Clock, Entry, EntryUpload, HASH_LEN, Head, Outcome, PrivateRecord, Results, UploadResult, Uploads, kind,
};
pub use hold::{
    AccountState, BalanceAnswer, BalanceRequest, CardProof, HoldAnswer, HoldOutcome, HoldRefusal, HoldRequest,
};
pub use order::{
    AlarmStateOrder, CatalogueOrder, DeviceAssignOrder, DeviceUnassignOrder, ENDED_PRESSES_MAX, HotlistOrder, Lane,
    Order, OrderPage, OrderResultBody, OrderVerdict, PolicyOrder, SaleSettledOrder, SettingsOrder, order_kind,
};
pub use origin::{Epoch, NO_STORAGE_EPOCH, Origin, Source, SourceError};
pub use own_alarm::OwnAlarm;
pub use sale::{PurseIntent, PurseProof, SaleIntentBody, SaleItem, SaleOutcome, SaleOutcomeBody, SalePrivate, Tender};
pub use service::{CatalogueService, SERVICE_DESCRIPTION_CHARS_MAX, ServicePicture, ServiceShownError};
pub use upkeep::{DeviceTestedBody, EntrySentAgainBody, TestResult};

/// The header that names a request; each answer repeats it. Whoever asked can tell an answer to another request by it: one that
/// came twice, or late. An answer without it says nothing about that.
pub const REQUEST_HEADER: &str = "care-request";
/// Bytes of such a name at most.
pub const REQUEST_NAME_LEN_MAX: usize = 64;
