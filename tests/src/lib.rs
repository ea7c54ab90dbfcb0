//! End-to-end tests.

pub mod bench;
pub mod browser;
pub mod demo;
pub mod faults;
pub mod mixed;
pub mod pcscd;
pub mod power;
pub mod site;
pub mod virtual_card;
