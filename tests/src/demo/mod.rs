//! The whole thing, shown: a card pays at the kiosk, a button is pressed, and what the centre has of it afterwards.
//!
//! `story` plays it once and checks it; `hand` lets a person go on; `print` words what they see.
//!
//! **Invariant:** what is printed was read from the services or the card after it happened; a step that did not happen as it should
//! ends the demonstration with an error.

mod hand;
mod print;
mod story;

pub use hand::{HELP, Order, OrderError, go_on};
pub use print::{addresses, money};
pub use story::play;

use crate::site::error::SiteError;

/// Why the demonstration ended early.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The site.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// The centre's database.
    #[error("the centre's database: {0}")]
    Records(#[from] sqlx::Error),
    /// Something did not happen as it should.
    #[error("{what}, but it should be {wanted}")]
    Unexpected {
        /// What happened.
        what: String,
        /// What should have.
        wanted: &'static str,
    },
    /// Nobody reads what is printed.
    #[error("printing: {0}")]
    Print(#[from] std::io::Error),
}

/// Fails with what was seen unless it is as wanted.
pub(crate) fn ensure(holds: bool, wanted: &'static str, seen: impl std::fmt::Display) -> Result<(), DemoError> {
    if holds { Ok(()) } else { Err(DemoError::Unexpected { what: seen.to_string(), wanted }) }
}
