//! The centre over HTTP, in this process, on a real database file.

mod alarms;
mod api_document;
mod balances;
mod earlier;
mod enrolment;
mod entries;
mod holds;
mod operators;
mod orders;
mod people;
mod policies;
mod purse_prices;
mod refunds;
mod search;
mod secure;
mod standing;
mod support;
mod unknown;
mod without_journal;
