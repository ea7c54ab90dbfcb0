//! Rules with a day from which they hold: which hold today, which wait for their day.
//!
//! ```text
//!   first day        … 20 Nov   1 Dec   1 Jan …          of one first day the highest version
//!   on 24 November      holds   waits   waits
//!   on  2 December      gone    holds   waits
//! ```
//!
//! It is looked up when it is used, so that no timer has to fire at midnight. The day is a civil day of the site by the
//! trusted clock; while the clock is not trusted it is the last day that a trusted clock showed.
//!
//! **Invariant:** rules hold from the midnight of their first day until the next rules do, whatever order they came in.
//! **Invariant:** an untrusted clock brings no rules into force, once a trusted one was seen.

use std::collections::BTreeMap;
use std::fmt;

use protocols::card::date::CardDate;
use protocols::uplink::{Clock, PolicyOrder};
use serde::{Deserialize, Serialize};

use crate::core::Core;
use crate::limits::POLICIES_WAITING_MAX;
use crate::orders::{OrderRefusal, Verdict};
use crate::time::Now;

/// The state key.
pub(crate) const POLICIES_KEY: &str = "policies";
/// Where releases that kept one policy only kept it.
pub(crate) const ONE_POLICY_KEY: &str = "policy";
/// `YYYY-MM-DD`
const DAY_LEN: usize = 10;

/// A civil day as `YYYY-MM-DD`, which sorts as the days do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Day(String);

/// The text is no day.
#[derive(Debug)]
pub(crate) struct NoDay;

impl fmt::Display for NoDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a day as YYYY-MM-DD")
    }
}

impl Day {
    /// The day of an RFC 3339 time, where it is.
    fn of(civil: &str) -> Option<Self> {
        Self::try_from(civil.get(..DAY_LEN)?.to_owned()).ok()
    }
}

impl TryFrom<String> for Day {
    type Error = NoDay;

    fn try_from(text: String) -> Result<Self, NoDay> {
        let number = |part: &str, len: usize| {
            let digits = part.len() == len && part.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| part.parse::<u16>().ok()).flatten().ok_or(NoDay)
        };
        let mut parts = text.splitn(3, '-');
        let mut next = |len| number(parts.next().unwrap_or_default(), len);
        let (year, month, day) = (next(4)?, next(2)?, next(2)?);
        let (month, day) = (u8::try_from(month).map_err(|_| NoDay)?, u8::try_from(day).map_err(|_| NoDay)?);
        CardDate::new(year, month, day).map_err(|_| NoDay)?;
        Ok(Self(text))
    }
}

impl From<Day> for String {
    fn from(day: Day) -> Self {
        day.0
    }
}

/// What is kept over restarts.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct PoliciesRecord {
    /// The last day that a trusted clock showed.
    today: Option<Day>,
    /// The centre's rules by their first day: those that hold, and those that wait.
    orders: BTreeMap<Day, PolicyOrder>,
}

/// Every policy that holds or may still come to hold.
#[derive(Debug)]
pub(crate) struct Policies {
    /// Holds where nothing of the centre does.
    configured: PolicyOrder,
    record: PoliciesRecord,
    /// The record is not kept as it is.
    changed: bool,
    /// There may be one under [`ONE_POLICY_KEY`].
    has_one: bool,
}

impl Policies {
    /// Goes on from what was kept; `one` is what a release kept that knew no days.
    pub fn new(configured: PolicyOrder, record: Option<PoliciesRecord>, one: Option<PolicyOrder>) -> Self {
        let (has_one, mut record) = (one.is_some(), record.unwrap_or_default());
        if let Some(one) = one
            && let Ok(day) = Day::try_from(one.from.clone())
        {
            record.orders.entry(day).or_insert(one);
        }
        Self { configured, record, changed: has_one, has_one }
    }

    /// Notes which day it is.
    pub fn see(&mut self, now: &Now) {
        let known = self.record.today.as_ref().map(|day| day.0.as_str());
        match now.clock {
            Clock::Trusted if now.civil.get(..DAY_LEN) > known => {}
            Clock::Trusted | Clock::Untrusted => return,
        }
        if let Some(today) = Day::of(&now.civil) {
            self.record.today = Some(today);
            self.forget_what_is_over();
            self.changed = true;
        }
    }

    /// What holds now.
    fn holding(&self, now: &Now) -> &PolicyOrder {
        // Of a gateway that never saw a trusted clock nothing better is known than what its clock shows.
        let today = self.record.today.as_ref().map(|day| day.0.as_str()).or_else(|| now.civil.get(..DAY_LEN));
        let begun = |(day, _): &(&Day, &PolicyOrder)| today.is_some_and(|today| day.0.as_str() <= today);
        self.record.orders.iter().take_while(begun).last().map_or(&self.configured, |(_, order)| order)
    }

    /// Takes an order: whether it says anything new, or why it is refused.
    fn take(&mut self, order: PolicyOrder) -> Verdict {
        let day = Day::try_from(order.from.clone()).map_err(|NoDay| OrderRefusal::Unreadable)?;
        let known = self.record.orders.get(&day);
        if known.is_some_and(|known| order.version <= known.version) || self.is_over(&day) {
            return Ok(false);
        }
        let more = known.is_none() && self.waiting() >= POLICIES_WAITING_MAX;
        if more && self.record.today.as_ref().is_some_and(|today| day > *today) {
            return Err(OrderRefusal::TooManyPolicies);
        }
        self.record.orders.insert(day, order);
        if more && self.record.today.is_none() {
            // Which of them are over cannot be known yet; the earliest are the first to be.
            self.record.orders.pop_first();
        }
        self.forget_what_is_over();
        self.changed = true;
        Ok(true)
    }

    /// Whether what holds began later, so that rules from this day never will.
    fn is_over(&self, day: &Day) -> bool {
        let begun =
            |today: &Day| self.record.orders.range(..=today).next_back().is_some_and(|(holding, _)| day < holding);
        self.record.today.as_ref().is_some_and(begun)
    }

    /// How many wait for their day.
    fn waiting(&self) -> usize {
        let today = self.record.today.as_ref();
        self.record.orders.keys().filter(|day| today.is_none_or(|today| *day > today)).count()
    }

    fn forget_what_is_over(&mut self) {
        let Some(today) = &self.record.today else { return };
        if let Some(holding) = self.record.orders.range(..=today).next_back().map(|(day, _)| day.clone()) {
            self.record.orders = self.record.orders.split_off(&holding);
        }
    }
}

impl Core {
    /// The rules that hold now.
    #[must_use]
    pub fn policy(&self, now: &Now) -> &PolicyOrder {
        self.policies.holding(now)
    }

    pub(crate) fn take_policy(&mut self, order: PolicyOrder) -> Verdict {
        let taken = self.policies.take(order);
        self.keep_policies();
        taken
    }

    /// Keeps what changed, with whatever is committed next.
    pub(crate) fn keep_policies(&mut self) {
        if std::mem::take(&mut self.policies.changed) {
            self.journal.put(POLICIES_KEY.to_owned(), &self.policies.record);
            if std::mem::take(&mut self.policies.has_one) {
                self.journal.delete(ONE_POLICY_KEY.to_owned());
            }
        }
    }
}
