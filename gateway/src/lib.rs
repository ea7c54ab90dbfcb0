//! The gateway daemon as a library: adapters around the pure core, their wiring, and the command line.

pub mod adapter;
mod adapters;
mod answers;
pub mod app;
pub mod cli;
pub mod config;
mod deadlines;
mod descriptors;
pub mod devices_file;
mod devices_watch;
mod entry_source;
mod event_loop;
mod file_stamp;
pub mod journal_cli;
pub mod limits;
mod outside;
mod rebuild;
pub mod scrub;
mod storage;
pub mod time_source;
pub mod troubles;
