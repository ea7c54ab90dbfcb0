//! The adapters, each named after the thing outside. An adapter turns what happens outside into inputs of the core
//! and carries out the core's effects; it decides nothing.

pub mod broker;
pub mod card_reader;
pub mod device_link;
pub mod kiosk;
pub mod store;
pub mod uplink;
