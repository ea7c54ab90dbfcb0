//! Right bytes made wrong: flipped, cut, put together from pieces, with other numbers and other lengths. A seed repeats them.
//!
//! **Invariant:** the same seed and the same originals give the same strings.

use super::limits::{MUTATED_LEN_MAX, NESTED_MAX};
use crate::site::dice::Dice;

/// Bytes at which parsers turn.
const BYTES: &[u8] = &[
    0, 1, 0x0A, 0x20, b'"', b'\\', b'{', b'}', b'[', b']', b',', b':', b'-', b'.', b'e', 0x7F, 0x80, 0xC0, 0xED, 0xFF,
];
/// Words that are something else than what stood there.
const WORDS: &[&str] = &[
    "null",
    "true",
    "-1",
    "0",
    "-0",
    "1e999",
    "1.5",
    "18446744073709551615",
    "18446744073709551616",
    "9007199254740993",
    "-9223372036854775809",
    "4294967296",
    "65536",
    "\"\"",
    "[]",
    "{}",
    "NaN",
    "\\u0000",
    "\\ud800",
    "\\",
    "\u{ff11}\u{ff10}",
    "00012",
    "\"v\":1,",
    "\"seq\":7,",
    "/",
    "+",
    "#",
    "\r\n\r\n",
];

/// Makes wrong bytes of right ones.
#[derive(Debug)]
pub struct Mutator {
    dice: Dice,
    originals: Vec<Vec<u8>>,
}

impl Mutator {
    /// From these originals, of which there is at least one.
    #[must_use]
    pub fn new(seed: u64, originals: Vec<Vec<u8>>) -> Self {
        Self { dice: Dice::new(seed), originals }
    }

    /// The next string: an original with one to four changes, more often few.
    pub fn draw(&mut self) -> Vec<u8> {
        let mut bytes = self.dice.pick(&self.originals).cloned().unwrap_or_default();
        for _ in 0..=self.dice.below(4).min(self.dice.below(4)) {
            self.change(&mut bytes);
        }
        bytes.truncate(MUTATED_LEN_MAX);
        bytes
    }

    /// The choices, for what a test decides beside.
    pub const fn dice(&mut self) -> &mut Dice {
        &mut self.dice
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        let (from, to) = self.stretch(bytes.len());
        match self.dice.below(12) {
            0 => {
                let mask = 1_u8.rotate_left(u32::try_from(self.dice.below(8)).unwrap_or(0));
                bytes.get_mut(from).into_iter().for_each(|byte| *byte ^= mask);
            }
            1 => {
                let other = self.dice.pick(BYTES).copied().unwrap_or(0);
                bytes.get_mut(from).into_iter().for_each(|byte| *byte = other);
            }
            2 => bytes.truncate(from),
            3 => drop(bytes.drain(from..to)),
            4 => {
                let noise: Vec<u8> = (0..self.dice.below(9)).map(|_| self.dice.draw().to_le_bytes()[0]).collect();
                bytes.splice(from..from, noise);
            }
            5 => {
                let again = bytes.get(from..to).unwrap_or_default().to_vec();
                bytes.splice(to..to, again);
            }
            6 => {
                let other = self.dice.pick(&self.originals).cloned().unwrap_or_default();
                let (start, end) = self.stretch(other.len());
                bytes.splice(from..to, other.get(start..end).unwrap_or_default().iter().copied());
            }
            7 | 8 => self.number(bytes),
            9 => {
                let word = self.dice.pick(WORDS).copied().unwrap_or("null");
                bytes.splice(from..to, word.bytes());
            }
            10 => self.length(bytes, from),
            _ => {
                let depth = usize::try_from(self.dice.below(NESTED_MAX)).unwrap_or(1);
                let open = if self.dice.below(2) == 0 { b"[".to_vec() } else { b"{\"a\":".to_vec() };
                bytes.splice(from..from, open.repeat(depth));
            }
        }
    }

    /// Two places, the first not behind the second.
    fn stretch(&mut self, len: usize) -> (usize, usize) {
        let bound = u64::try_from(len).unwrap_or(u64::MAX).saturating_add(1);
        let one = usize::try_from(self.dice.below(bound)).unwrap_or(0);
        // Short stretches more often than long ones.
        let more = self.dice.below(bound).min(self.dice.below(16).saturating_add(self.dice.below(bound) / 8));
        (one, one.saturating_add(usize::try_from(more).unwrap_or(0)).min(len))
    }

    /// Another number in the place of one that is written in digits.
    fn number(&mut self, bytes: &mut Vec<u8>) {
        let runs: Vec<(usize, usize)> = digits(bytes);
        let Some((from, to)) = self.dice.pick(&runs).copied() else { return };
        let word = match self.dice.below(3) {
            0 => self.dice.draw().to_string(),
            1 => self.dice.below(300).to_string(),
            _ => self.dice.pick(WORDS).copied().unwrap_or("0").to_owned(),
        };
        bytes.splice(from..to, word.bytes());
    }

    /// A length of one, two or four bytes that says something else.
    fn length(&mut self, bytes: &mut [u8], at: usize) {
        let said = match self.dice.below(4) {
            0 => 0,
            1 => u32::MAX,
            2 => u32::try_from(bytes.len()).unwrap_or(0),
            _ => u32::try_from(self.dice.below(1 << 20)).unwrap_or(0),
        };
        let width = 1_usize << self.dice.below(3);
        let said = said.to_be_bytes();
        let said = said.get(said.len().saturating_sub(width)..).unwrap_or_default();
        for (byte, new) in bytes.iter_mut().skip(at).zip(said) {
            *byte = *new;
        }
    }
}

fn digits(bytes: &[u8]) -> Vec<(usize, usize)> {
    let mut runs = Vec::new();
    let mut begun = None;
    for (at, byte) in bytes.iter().chain([&b' ']).enumerate() {
        match (byte.is_ascii_digit(), begun) {
            (true, None) => begun = Some(at),
            (false, Some(from)) => {
                runs.push((from, at));
                begun = None;
            }
            (true, Some(_)) | (false, None) => {}
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_seed_repeats_its_strings_and_they_differ_from_each_other_and_from_the_original() {
        let original = br#"{"v":1,"seq":42}"#.to_vec();
        let strings = |seed| {
            let mut mutator = Mutator::new(seed, vec![original.clone(), b"\x10\x02ab".to_vec()]);
            (0..1_000).map(|_| mutator.draw()).collect::<Vec<_>>()
        };
        assert_eq!(strings(3), strings(3));
        let distinct: BTreeSet<Vec<u8>> = strings(3).into_iter().collect();
        assert!(distinct.len() > 700, "{}", distinct.len());
    }
}
