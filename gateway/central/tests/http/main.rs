//! The centre over HTTP, in this process, on a real database file.

mod entries;
mod holds;
mod orders;
mod support;
