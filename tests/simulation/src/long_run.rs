//! How much a test does: little in an ordinary run, much before a release; and the line that says what it did.

use std::time::Duration;

/// Set: as much as before a release.
pub const LONG_VARIABLE: &str = "LONG";

/// What a line of figures begins with; `cargo xtask test --long` makes its table of such lines.
pub const FIGURES: &str = "FIGURES";

/// How much is asked for: what this variable says, decimal; with `LONG` set, as much as before a release; else as usual.
///
/// # Panics
/// When the variable is no number.
#[must_use]
pub fn asked(variable: &str, usual: u64, long: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.trim().parse().unwrap_or_else(|_| panic!("{variable} is a decimal number, not {text:?}")),
        Err(_) if is_long() => long,
        Err(_) => usual,
    }
}

/// Whether as much is asked for as before a release.
#[must_use]
pub fn is_long() -> bool {
    std::env::var_os(LONG_VARIABLE).is_some()
}

/// The line of figures of what was done: a row of the table of a long run. None of the texts holds a bar.
#[must_use]
pub fn figures(what: &str, figures: &str, took: Duration) -> String {
    format!("{FIGURES} | {what} | {figures} | {}", took.as_secs())
}
