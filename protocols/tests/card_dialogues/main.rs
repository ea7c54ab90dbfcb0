//! The dialogues with card and PSAM, as tables of what is sent and what comes back: complete, torn at every exchange,
//! with every status word, with any bytes at all.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod any_answers;
mod identify;
mod look;
mod proof;
mod purchase;
mod script;
mod settle;
