//! The mixed load: a whole site at work while everything around it breaks again and again.
//!
//! ```text
//!   devices ──[ line ]──> gateway ──[ line ]──> centre      people press, buy, and take alarms further at both ends;
//!                            │                              one trouble after the other, drawn from one seed
//!                         [ disk ]
//! ```
//!
//! `stage` is the site with its lines and its disk, `troubles` breaks them, `people` take alarms further, `vitals` looks at the
//! daemon, `arrival` and `agreement` say at the end how long alarms took and whether both sides see them alike. Buttons, the
//! customer and the account of what was acknowledged are those of [`crate::site`].
//!
//! **Invariant:** the choices come from one seed; the moments are the machine's.

pub mod agreement;
pub mod arrival;
pub mod limits;
pub mod people;
pub mod stage;
pub mod troubles;
pub mod vitals;

/// The kinds of reports, by how often: a busy day, with more presses than a site ever has.
pub const BUSY: &[&str] = &[
    "test",
    "test",
    "test",
    "test",
    "test",
    "test",
    crate::site::load::HEARTBEAT,
    crate::site::load::HEARTBEAT,
    "mains_lost",
    "mains_restored",
    "restored",
    "sos",
    "fall",
    "service",
    "cancel",
];
