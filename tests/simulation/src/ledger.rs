//! The centre's side of money, as a model: intents and their outcomes, accounts and what is set aside in them.
//!
//! **Invariant:** an outcome that is final stays; another one after it is noted as a contradiction.
//! **Invariant:** what was voided is never set aside again, however late its request comes.

use std::collections::BTreeMap;

use protocols::unit::Points;
use protocols::uplink::{
    AccountState, Entry, HoldAnswer, HoldOutcome, HoldRefusal, HoldRequest, SaleIntentBody, SaleOutcome,
    SaleOutcomeBody, kind,
};

use super::limits::ACCOUNT_FEN;

/// What became of points that were set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldState {
    /// Set aside.
    Held,
    /// Spent.
    Posted,
    /// Given back.
    Voided,
}

/// Points set aside for a sale.
#[derive(Debug)]
pub struct Hold {
    /// Whose.
    pub card: String,
    /// Fen.
    pub amount: u64,
    /// What became of them.
    pub state: HoldState,
}

/// The books.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Sales by the origin of their intents.
    pub intents: BTreeMap<String, SaleIntentBody>,
    /// The newest outcome of each.
    pub outcomes: BTreeMap<String, SaleOutcome>,
    /// Points set aside, by the origin of the sale's intent.
    pub holds: BTreeMap<String, Hold>,
    /// Final outcomes that another one contradicts.
    pub contradictions: Vec<String>,
}

impl Ledger {
    /// Takes an entry about a sale; any other is none of this.
    pub fn take(&mut self, entry: &Entry) {
        match entry.kind.as_str() {
            kind::SALE_INTENT => {
                if let Ok(body) = entry.body_as::<SaleIntentBody>() {
                    self.intents.insert(entry.origin.to_string(), body);
                }
            }
            kind::SALE_OUTCOME => {
                if let (Some(about), Ok(body)) = (&entry.about, entry.body_as::<SaleOutcomeBody>()) {
                    self.conclude(&about.to_string(), body.outcome);
                }
            }
            _ => {}
        }
    }

    fn conclude(&mut self, sale: &str, outcome: SaleOutcome) {
        let known = self.outcomes.get(sale).copied();
        match known {
            None | Some(SaleOutcome::Unknown) => drop(self.outcomes.insert(sale.to_owned(), outcome)),
            Some(known) if known == outcome || outcome == SaleOutcome::Unknown => {}
            Some(known) => self.contradictions.push(format!("{sale} was {known:?} and is {outcome:?}")),
        }
        if let Some(hold) = self.holds.get_mut(sale).filter(|hold| hold.state == HoldState::Held) {
            hold.state = match outcome {
                SaleOutcome::Paid => HoldState::Posted,
                SaleOutcome::Refused | SaleOutcome::Cancelled => HoldState::Voided,
                SaleOutcome::Unknown => HoldState::Held,
            };
        }
    }

    /// What an account has, and what of it can be spent, fen.
    #[must_use]
    pub fn account(&self, card: &str) -> (u64, u64) {
        let of = |state| {
            let holds = self.holds.values().filter(move |hold| hold.card == card && hold.state == state);
            holds.map(|hold| hold.amount).sum::<u64>()
        };
        let balance = ACCOUNT_FEN.saturating_sub(of(HoldState::Posted));
        (balance, balance.saturating_sub(of(HoldState::Held)))
    }

    /// Answers the request to set points aside.
    pub fn hold(&mut self, request: &HoldRequest) -> HoldAnswer {
        let sale = request.origin.to_string();
        let refusal = match (self.holds.get(&sale), self.outcomes.get(&sale)) {
            (Some(hold), _) if hold.state != HoldState::Voided => {
                return self.answer(HoldOutcome::Duplicate, None, request);
            }
            (Some(_), _) | (None, Some(_)) => Some(HoldRefusal::Cancelled),
            (None, None) if self.account(&request.card).1 < request.amount.fen() => Some(HoldRefusal::Insufficient),
            (None, None) => None,
        };
        if refusal.is_some() {
            return self.answer(HoldOutcome::Refused, refusal, request);
        }
        let hold = Hold { card: request.card.clone(), amount: request.amount.fen(), state: HoldState::Held };
        self.holds.insert(sale, hold);
        self.answer(HoldOutcome::Held, None, request)
    }

    fn answer(&self, outcome: HoldOutcome, refusal: Option<HoldRefusal>, request: &HoldRequest) -> HoldAnswer {
        let (balance, available) = self.account(&request.card);
        let points = |fen| Points::from_fen(fen).unwrap_or(Points::ZERO);
        let account = Some(AccountState { balance: points(balance), available: points(available) });
        HoldAnswer { v: 1, outcome, reason: refusal.map(|refusal| refusal.word().to_owned()), account }
    }
}
