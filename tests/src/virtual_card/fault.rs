//! What can go wrong between a card and its reader, as data: when it happens and what happens then.
//!
//! A fault is armed on a slot, fires as often as it says and then is gone.

use std::time::Duration;

/// Which command a fault waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// The command with this number, counted from the arming; 0 is the next one. GET RESPONSE counts as a command.
    Index(usize),
    /// The next command with this instruction byte.
    Ins(u8),
    /// The next command.
    Any,
}

/// What happens then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// The card leaves the field before it executed the command; nothing is answered.
    TearBefore,
    /// The card executes the command and leaves the field before its answer arrives.
    TearAfter,
    /// The card executes the command and answers this much later.
    Mute(Duration),
    /// The card executes the command, and other bytes arrive as its answer. No bytes at all look like a torn card to vpcd.
    AnswerInstead(Vec<u8>),
    /// The card does not execute the command, and these bytes arrive as its answer.
    AnswerWithoutExecuting(Vec<u8>),
}

/// One armed fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which command it waits for.
    pub when: When,
    /// What happens then.
    pub act: Act,
    /// How often it fires before it is gone.
    pub times: u32,
    /// After a tear: the card comes back by itself after this time, as with a shaky hand. `None`: it stays away.
    pub back_after: Option<Duration>,
}

impl Fault {
    /// Torn before the command is executed, once.
    pub fn tear_before(when: When) -> Self {
        Self::once(when, Act::TearBefore)
    }

    /// Torn after the command was executed and before its answer arrives, once.
    pub fn tear_after(when: When) -> Self {
        Self::once(when, Act::TearAfter)
    }

    /// Answers late, once.
    pub fn mute(when: When, delay: Duration) -> Self {
        Self::once(when, Act::Mute(delay))
    }

    /// Any act, once.
    pub fn once(when: When, act: Act) -> Self {
        Self { when, act, times: 1, back_after: None }
    }

    /// The same, but the torn card comes back by itself.
    pub fn back_after(self, pause: Duration) -> Self {
        Self { back_after: Some(pause), ..self }
    }

    /// The same, this many times.
    pub fn times(self, times: u32) -> Self {
        Self { times, ..self }
    }
}

/// The faults that are armed on a slot.
#[derive(Debug, Default)]
pub(super) struct Armed {
    faults: Vec<Fault>,
}

impl Armed {
    pub(super) fn arm(&mut self, fault: Fault) {
        if fault.times > 0 {
            self.faults.push(fault);
        }
    }

    pub(super) fn clear(&mut self) {
        self.faults.clear();
    }

    pub(super) fn list(&self) -> Vec<Fault> {
        self.faults.clone()
    }

    /// Called once for each command: the fault that fires on it, the one that was armed first if several would.
    pub(super) fn next(&mut self, command: &[u8]) -> Option<Fault> {
        let ins = command.get(1).copied();
        let hit = self.faults.iter().position(|f| match f.when {
            When::Index(n) => n == 0,
            When::Ins(wanted) => ins == Some(wanted),
            When::Any => true,
        });
        for fault in &mut self.faults {
            if let When::Index(n) = &mut fault.when {
                *n = n.saturating_sub(1);
            }
        }
        let index = hit?;
        let fault = self.faults.get_mut(index)?;
        fault.times = fault.times.saturating_sub(1);
        let fired = fault.clone();
        if fired.times == 0 {
            self.faults.remove(index);
        }
        Some(fired)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SELECT: [u8; 2] = [0x00, 0xA4];
    const DEBIT: [u8; 2] = [0x80, 0x54];

    #[test]
    fn an_indexed_fault_waits_for_its_command_and_fires_once() {
        let mut armed = Armed::default();
        armed.arm(Fault::tear_before(When::Index(2)));
        let fired: Vec<bool> = (0..5).map(|_| armed.next(&SELECT).is_some()).collect();
        assert_eq!(fired, [false, false, true, false, false]);
    }

    #[test]
    fn a_fault_on_an_instruction_lets_others_pass() {
        let mut armed = Armed::default();
        armed.arm(Fault::tear_after(When::Ins(0x54)).times(2));
        assert!(armed.next(&SELECT).is_none());
        assert!(armed.next(&DEBIT).is_some());
        assert!(armed.next(&DEBIT).is_some());
        assert!(armed.next(&DEBIT).is_none());
    }
}
