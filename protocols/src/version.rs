//! The versions of the wire formats.
//!
//! **Invariant:** a message says its version in `v`; a receiver takes every version from [`MIN`] to [`CURRENT`] and
//! ignores fields it does not know, so a format grows by adding fields and kinds.

/// The oldest version that a receiver still takes.
pub const MIN: u8 = 1;
/// The version that a sender writes.
pub const CURRENT: u8 = 1;

/// Whether a message that says version `v` can be read.
#[must_use]
pub const fn is_supported(v: u8) -> bool {
    v >= MIN && v <= CURRENT
}
