//! The gateway's logic as one pure state machine: devices, alarms, sales, orders, outbox.
//!
//! [`Core::handle`] takes an [`Input`] and the time; [`Core::poll_effect`] gives what is to be done outside;
//! [`Core::poll_timeout`] says when the core wants [`Input::Timer`] and why. The same code runs in the daemon and in
//! the simulator.
//!
//! **Invariant:** no clock, no randomness, no input or output: time, ids and salts come in with the inputs.
//! **Invariant:** record before act: an effect that acknowledges a device, moves money or tells a person that something
//! is so, is given out only after the journal entry behind it was reported durable ([`StoreInput::Committed`]).

mod alarms;
mod backoff;
mod bypass;
mod catalogue_age;
mod centre;
mod core;
mod device_tests;
mod devices;
mod direct;
pub mod effect;
mod figures;
mod help;
mod hurry;
pub mod input;
mod intake;
mod journal;
mod lateness;
pub mod limits;
mod listening;
mod orders;
mod outbox;
mod parting;
mod policies;
mod raising;
mod rebuild;
mod refusals;
mod replays;
mod reports;
mod restore;
mod sales;
mod sending_again;
mod steps;
mod supervision;
pub mod time;
mod timers;
mod view;

pub use crate::core::{Core, CoreConfig, Quarantined, Storage};
pub use alarms::{Alarm, AlarmEvent, AlarmStep, Sent};
pub use catalogue_age::{CatalogueAge, WhenOld};
pub use device_tests::{DeviceTest, TestSign};
pub use devices::{DeviceRecord, LastHeartbeat};
pub use effect::{
    AckCode, CardLook, CardStanding, CardVerdict, DeskAnswer, DialogueOrder, Effect, Group, LookedAccount, LookedCard,
    Notice, Refusal, Row, SaleLine, SaleView, SettledBy, StateChange,
};
pub use figures::{Hour, Spread};
pub use input::{
    AckToken, CardInput, CommandId, DeskInput, DialogueId, DialogueOutcome, Direct, Input, LinkId, LinkInput,
    LinkRefusal, LookUpFailed, NewestReports, NotRun, OutLane, ReaderState, ReplyToken, SaleId, SessionId, StoreInput,
    Ticket, UplinkFailure, UplinkInput,
};
pub use journal::Head;
pub use rebuild::{ALARM_KINDS, Rebuild};
pub use restore::{RestoreError, Restored};
pub use time::{Mono, Now};
pub use view::{DeviceView, LaneView, StatusView};
