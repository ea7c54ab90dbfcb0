//! The line protocol by which a person or a script handles a virtual reader: one order per line, one JSON answer per line.
//!
//! ```text
//! [card|psam] ORDER            without a word before it, an order is for the card
//!   insert [FILE]              put the chip in this state file into the field; without FILE the one in the hand
//!   remove                     take it away
//!   tear before|after WHEN [back SECONDS]
//!   mute SECONDS [WHEN]        the answer comes later
//!   garbage HEX [WHEN]         another answer comes
//!   clear                      forget the faults that have not fired
//!   trace [COUNT]              the last exchanges
//! balance FEN | block | unblock | t0 on|off | junk on|off        change the card itself
//! pcscd kill | pcscd restart
//! status | help | quit
//! WHEN: an instruction byte in hexadecimal (54), a number of commands to let pass (#3), or next
//! ```

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use protocols::card::value::CardAmount;

use super::fault::{Act, Fault, When};

/// The grammar above, for `help`.
pub const HELP: &str = "\
[card|psam] insert [FILE] | remove | tear before|after WHEN [back SECONDS] | mute SECONDS [WHEN] | garbage HEX [WHEN] | clear | trace [COUNT]
balance FEN | block | unblock | t0 on|off | junk on|off | pcscd kill|restart | status | help | quit
WHEN: instruction byte in hexadecimal (54), number of commands to let pass (#3), or next";

/// Which slot an order is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Slot 0.
    Card,
    /// Slot 1.
    Psam,
}

/// What a line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Something with the chip in a slot.
    Slot(Which, SlotOrder),
    /// Changes the card itself.
    Alter(Alteration),
    /// Ends pcscd as a crash would.
    KillPcscd,
    /// Starts it anew.
    RestartPcscd,
    /// Tells how everything stands.
    Status,
    /// Shows [`HELP`].
    Help,
    /// Ends the program.
    Quit,
}

/// What can be done with the chip in a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SlotOrder {
    /// From a state file, or the one in the hand.
    Insert(Option<PathBuf>),
    /// Into the hand.
    Remove,
    /// Arms a fault.
    Arm(Fault),
    /// Forgets the armed faults.
    Clear,
    /// Shows the last exchanges.
    Trace(usize),
}

/// How a card can be changed behind its back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alteration {
    /// The purse holds this.
    Balance(CardAmount),
    /// The application is blocked, or not.
    Blocked(bool),
    /// It speaks as a T=0 card, or not.
    T0(bool),
    /// The top bit of its balances is set, or not.
    JunkTopBit(bool),
}

/// Why a line is no order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// The first word is none of the orders.
    #[error("unknown order; try: help")]
    Unknown,
    /// A word is missing or too much.
    #[error("this order takes other words; try: help")]
    Words,
    /// Not a number where one is needed, or too large.
    #[error("not a number that this order can take")]
    Number,
    /// Not hexadecimal where it is needed.
    #[error("not hexadecimal")]
    Hexadecimal,
}

/// Exchanges shown by `trace` alone.
const TRACE_DEFAULT: usize = 20;

impl FromStr for Order {
    type Err = OrderError;

    fn from_str(line: &str) -> Result<Self, OrderError> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match *words.as_slice() {
            ["status"] => Ok(Self::Status),
            ["help"] => Ok(Self::Help),
            ["quit"] => Ok(Self::Quit),
            ["pcscd", "kill"] => Ok(Self::KillPcscd),
            ["pcscd", "restart"] => Ok(Self::RestartPcscd),
            ["balance", fen] => Ok(Self::Alter(Alteration::Balance(amount(fen)?))),
            ["block"] => Ok(Self::Alter(Alteration::Blocked(true))),
            ["unblock"] => Ok(Self::Alter(Alteration::Blocked(false))),
            ["t0", switch] => Ok(Self::Alter(Alteration::T0(on(switch)?))),
            ["junk", switch] => Ok(Self::Alter(Alteration::JunkTopBit(on(switch)?))),
            ["card", ref rest @ ..] => Ok(Self::Slot(Which::Card, slot_order(rest)?)),
            ["psam", ref rest @ ..] => Ok(Self::Slot(Which::Psam, slot_order(rest)?)),
            ref rest => Ok(Self::Slot(Which::Card, slot_order(rest)?)),
        }
    }
}

fn slot_order(words: &[&str]) -> Result<SlotOrder, OrderError> {
    match *words {
        ["insert"] => Ok(SlotOrder::Insert(None)),
        ["insert", file] => Ok(SlotOrder::Insert(Some(file.into()))),
        ["remove"] => Ok(SlotOrder::Remove),
        ["clear"] => Ok(SlotOrder::Clear),
        ["trace"] => Ok(SlotOrder::Trace(TRACE_DEFAULT)),
        ["trace", count] => Ok(SlotOrder::Trace(count.parse().map_err(|_| OrderError::Number)?)),
        ["tear", side, when, ref back @ ..] => {
            let when = parse_when(when)?;
            let fault = match side {
                "before" => Fault::tear_before(when),
                "after" => Fault::tear_after(when),
                _ => return Err(OrderError::Words),
            };
            match *back {
                [] => Ok(SlotOrder::Arm(fault)),
                ["back", seconds] => Ok(SlotOrder::Arm(fault.back_after(duration(seconds)?))),
                _ => Err(OrderError::Words),
            }
        }
        ["mute", seconds, ref when @ ..] => Ok(SlotOrder::Arm(Fault::mute(optional_when(when)?, duration(seconds)?))),
        ["garbage", octets, ref when @ ..] => {
            let octets = hex::decode(octets).map_err(|_| OrderError::Hexadecimal)?;
            Ok(SlotOrder::Arm(Fault::once(optional_when(when)?, Act::AnswerInstead(octets))))
        }
        [] | ["insert" | "remove" | "clear" | "trace" | "tear" | "mute" | "garbage", ..] => Err(OrderError::Words),
        [..] => Err(OrderError::Unknown),
    }
}

fn optional_when(words: &[&str]) -> Result<When, OrderError> {
    match *words {
        [] => Ok(When::Any),
        [when] => parse_when(when),
        [..] => Err(OrderError::Words),
    }
}

fn parse_when(word: &str) -> Result<When, OrderError> {
    if word == "next" {
        return Ok(When::Any);
    }
    match word.strip_prefix('#') {
        Some(count) => Ok(When::Index(count.parse().map_err(|_| OrderError::Number)?)),
        None => Ok(When::Ins(u8::from_str_radix(word, 16).map_err(|_| OrderError::Hexadecimal)?)),
    }
}

fn duration(word: &str) -> Result<Duration, OrderError> {
    let seconds: f64 = word.parse().map_err(|_| OrderError::Number)?;
    Duration::try_from_secs_f64(seconds).map_err(|_| OrderError::Number)
}

fn amount(word: &str) -> Result<CardAmount, OrderError> {
    let fen: u32 = word.parse().map_err(|_| OrderError::Number)?;
    CardAmount::new(fen).map_err(|_| OrderError::Number)
}

fn on(word: &str) -> Result<bool, OrderError> {
    match word {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(OrderError::Words),
    }
}

/// The order that would arm it again.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.act {
            Act::TearBefore => write!(f, "tear before {}", self.when)?,
            Act::TearAfter => write!(f, "tear after {}", self.when)?,
            Act::Mute(delay) => write!(f, "mute {} {}", delay.as_secs_f64(), self.when)?,
            Act::AnswerInstead(octets) => write!(f, "garbage {} {}", hex::encode(octets), self.when)?,
            Act::AnswerWithoutExecuting(octets) => write!(f, "answer {} {}", hex::encode(octets), self.when)?,
        }
        match self.back_after {
            Some(pause) => write!(f, " back {}", pause.as_secs_f64()),
            None => Ok(()),
        }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("next"),
            Self::Index(count) => write!(f, "#{count}"),
            Self::Ins(ins) => write!(f, "{ins:02X}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_shown_as_the_orders_that_arm_them() {
        for line in ["tear before 54", "tear after #3 back 1.5", "mute 5 next", "garbage 6f 5C"] {
            let Ok(Order::Slot(Which::Psam, SlotOrder::Arm(fault))) = format!("psam {line}").parse() else {
                panic!("{line} is an order");
            };
            assert_eq!(fault.to_string(), line);
        }
    }

    #[test]
    fn an_order_without_a_slot_is_for_the_card() {
        let expected = Order::Slot(Which::Card, SlotOrder::Insert(Some("a.json".into())));
        assert_eq!("insert a.json".parse(), Ok(expected.clone()));
        assert_eq!(" card  insert a.json ".parse(), Ok(expected));
    }

    #[test]
    fn a_wrong_line_says_what_is_wrong() {
        assert_eq!("jump".parse::<Order>(), Err(OrderError::Unknown));
        assert_eq!("".parse::<Order>(), Err(OrderError::Words));
        assert_eq!("tear during 54".parse::<Order>(), Err(OrderError::Words));
        assert_eq!("tear after XY".parse::<Order>(), Err(OrderError::Hexadecimal));
        assert_eq!("mute -1".parse::<Order>(), Err(OrderError::Number));
        assert_eq!("balance 4294967295".parse::<Order>(), Err(OrderError::Number));
        assert_eq!("balance １００".parse::<Order>(), Err(OrderError::Number));
    }
}
