//! The centre: the receiving end of gateways' journals, with the ledger, the alarms' people side and orders.
//!
//! * [`api`]: HTTP, for gateways (`/v1`) and for people (`/api/v1`).
//! * [`intake`]: entries, their chain, their effects.
//! * [`ledger`], [`alarms`], [`orders`], [`devices`], [`people`]: what the centre keeps.
//! * [`login`], [`presence`]: operators and their sessions, and who is at a board.
//! * [`store`]: the database and its one writer. [`issuer`]: the reference card issuer.
//! * [`app`]: the wiring; [`config`], [`seed`]: before anything runs.

pub mod alarms;
pub mod api;
pub mod app;
pub mod approval;
pub mod catalogue;
pub mod config;
pub mod devices;
pub mod enrolment;
pub mod figures;
pub mod hotlist;
pub mod identity;
pub mod intake;
pub mod issuer;
pub mod ledger;
pub mod limits;
pub mod listener;
pub mod login;
pub mod news;
pub mod orders;
mod origin_key;
pub mod people;
pub mod presence;
pub mod seed;
pub mod steps;
pub mod store;
pub mod supervision;
pub mod telling;
mod versions;
pub mod without_journal;
