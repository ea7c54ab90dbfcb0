//! Golden bytes: what every message of each protocol version looks like on the wire, one file per version.
//!
//! Each message is written to exactly these bytes and read back from them. A new version gets a file of its own;
//! what is in a file stays, since devices and centres in the field speak it.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod v1;
