//! The gateway daemon as a library: adapters around the pure core, their wiring, and the command line.

pub mod adapter;
pub mod devices_file;
pub mod time_source;
pub mod journal_cli;
