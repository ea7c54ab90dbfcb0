//! What must hold in every history: one promise in each file. A finding names the promise and what broke it.
//!
//! **Invariant:** checkers look at what is outside a core: effects, disks, buttons, the centre; never at a core's own word.

pub mod acknowledged;
pub mod chain;
pub mod converged;
pub mod first;
pub mod once;
pub mod paid;
pub mod private;
pub mod shown;
pub mod silence;

use super::limits::FINDINGS_MAX;

/// Broken promises.
#[derive(Debug, Default)]
pub struct Findings(pub Vec<String>);

impl Findings {
    /// Notes one, as long as there is room.
    pub fn note(&mut self, promise: &str, what: &str) {
        if self.0.len() < FINDINGS_MAX {
            self.0.push(format!("{promise}: {what}"));
        }
    }
}
