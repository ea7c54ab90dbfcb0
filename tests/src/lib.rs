//! End-to-end tests.

pub mod pcscd;
pub mod virtual_card;
