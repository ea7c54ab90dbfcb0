//! The device link against real clients, raw bytes and a core that acknowledges after a held-back commit.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "a test fails by panicking")]

mod clients;
mod commits;
mod document;
mod limits;
mod raw;
mod rig;
mod sessions;
mod tls;
