//! Alarms for people: the list and its search, one with everything about it, and the steps.
//!
//! **Invariant:** ages are by the centre's clock at the time of the answer; no page needs a clock of its own.

mod list;
mod row;
mod steps;
mod view;

pub use list::list;
pub use steps::{acknowledge, dispatch, on_site, resolve};
pub use view::one;
