//! The uplink against real servers on loopback, good ones and bad ones. Numbers such as C3 are those of the project's
//! list of faults: C1 to C7, C9, C10, C14 and C15 are here.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod bench;
mod centre;
mod faults;
mod lanes;
mod paths;
mod shutdown;
mod tls;
mod wire;
