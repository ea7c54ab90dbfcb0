//! Bounds, each with its reason.

use std::time::Duration;

/// Longest wait for the advisory database. A machine that reaches it has it in a few seconds; one without a way out may drop
/// the packets instead of refusing them.
pub const ADVISORIES_FETCH: Duration = Duration::from_secs(60);

/// Longest wait for another apt-get to finish: unattended upgrades of a machine that was just switched on.
pub const APT_LOCK_S: u32 = 300;

/// How often a child with a deadline is looked at.
pub const POLL: Duration = Duration::from_millis(50);
