//! What an elder's data is, stays theirs: no card number leaves in an entry.

use super::Findings;
use crate::card::Card;

/// An entry goes out to the centre.
pub fn leaves(cards: &[Card], bytes: &str, findings: &mut Findings) {
    let named = cards.iter().any(|card| bytes.contains(card.file.serial_number.to_hex().as_str()));
    if named {
        findings.note("an elder's data stays theirs", "an entry names a card");
    }
}
