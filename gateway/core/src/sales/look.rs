//! A look at the card on a reader, for the person who stands there: what is in the purse and in the account.
//!
//! ```text
//! asked ─> Reading ─┬─ read ────> Seen, account asked ─the centre answers─> Seen, account known or not
//!                   └─ not read ─> Failed
//! Failed, or the account not known for a reason that passes ── asked again later ──> read anew, shown as before meanwhile
//! any ── the card is lifted, or a sale ends there ──> forgotten
//! ```
//!
//! **Invariant:** a look begins only where no sale waits and no other dialogue runs at the reader; a sale that is begun
//! meanwhile has the card as soon as the look has ended.
//! **Invariant:** what a look shows is forgotten with the card; nothing of it is recorded.

use protocols::card::look::{Outcome, Seen};
use protocols::id::ReaderId;
use protocols::unit::Points;
use protocols::uplink::{AccountState, BalanceAnswer, BalanceRequest, CardProof};
use protocols::version;

use super::dialogue::{card_refusal, not_run, silent_slot};
use super::tender::hold_refusal;
use super::{Purpose, Visit};
use crate::core::Core;
use crate::effect::{
    CardLook, CardStanding, DeskAnswer, DialogueOrder, Effect, LookedAccount, LookedCard, Notice, Refusal,
};
use crate::input::{DialogueId, DialogueOutcome, ReaderState, ReplyToken, UplinkFailure};
use crate::limits::LOOK_AGAIN_MS;
use crate::time::{Mono, Now};

/// A look at the card that lies on a reader.
#[derive(Debug, Clone)]
pub(crate) struct Look {
    /// Names this lay-on of the card for the pages: random, and of no meaning elsewhere.
    reference: String,
    dialogue: DialogueId,
    began: Mono,
    found: Found,
}

#[derive(Debug, Clone)]
enum Found {
    /// The dialogue runs.
    Reading,
    /// The card could not be read.
    Failed(Refusal),
    /// What is on the card.
    Seen { declined: Option<Refusal>, purse: Option<Points>, account: LookedAccount },
}

impl Look {
    /// Whether it may show more when it is done once more.
    fn may_heal(&self, online: bool, now: &Now) -> bool {
        let lacks = match &self.found {
            Found::Reading => false,
            Found::Failed(_) => true,
            Found::Seen { account: LookedAccount::NotKnown(Refusal::Offline), .. } => online,
            Found::Seen { account: LookedAccount::NotKnown(reason), .. } => *reason == Refusal::CardNotChecked,
            Found::Seen { account: LookedAccount::Asking | LookedAccount::Known(_), .. } => false,
        };
        lacks && now.mono >= self.began.after_ms(LOOK_AGAIN_MS)
    }
}

impl Core {
    /// What lies on a reader; a card that was not looked at yet, or could not be read a while ago, is looked at
    /// now. `reference`: random.
    pub(crate) fn look_at_card(&mut self, reply: ReplyToken, reader: &ReaderId, reference: String, now: &Now) {
        if !self.config.readers.contains(reader) {
            let answer = DeskAnswer::Refused(Refusal::ReaderUnknown);
            return self.emit(Effect::Reply { token: reply, answer });
        }
        let free = self.sales.active_at(reader).is_none() && self.sales.running_at(reader).is_none();
        let lies_there = self.readers.get(reader) == Some(&ReaderState::Card);
        let due = self.sales.looks.get(reader).is_none_or(|look| look.may_heal(self.online, now));
        if free && lies_there && due {
            self.begin_look(reader, reference, now);
        }
        let answer = DeskAnswer::Card(Box::new(self.card_look(reader)));
        self.emit(Effect::Reply { token: reply, answer });
    }

    fn begin_look(&mut self, reader: &ReaderId, reference: String, now: &Now) {
        let visit = self.sales.visits.entry(reader.clone()).or_default();
        if visit.over {
            // What could not be settled while it lies there is not tried again.
            *visit = Visit { tried: std::mem::take(&mut visit.tried), ..Visit::default() };
        }
        let dialogue = self.run_dialogue(reader, Purpose::Look, DialogueOrder::Look);
        let fresh = Look { reference, dialogue, began: now.mono, found: Found::Reading };
        let look = self.sales.looks.entry(reader.clone()).or_insert(fresh);
        (look.dialogue, look.began) = (dialogue, now.mono);
    }

    /// What people may know of a reader and the card on it.
    #[must_use]
    pub fn card_look(&self, reader: &ReaderId) -> CardLook {
        let state = self.readers.get(reader).copied().unwrap_or(ReaderState::Gone);
        let sale = self.sales.active_at(reader).map(|sale| sale.id.clone());
        let reading = sale.is_none() && state == ReaderState::Card && self.sales.running_at(reader).is_some();
        let card = self.sales.looks.get(reader).and_then(|look| {
            let (standing, reason, purse, account) = match &look.found {
                Found::Reading => return None,
                Found::Failed(reason) => {
                    (CardStanding::Unreadable, Some(*reason), None, LookedAccount::NotKnown(*reason))
                }
                Found::Seen { declined, purse, account } => (standing(*declined), *declined, *purse, *account),
            };
            Some(LookedCard { reference: look.reference.clone(), standing, reason, purse, account })
        });
        CardLook {
            reader: reader.clone(),
            state,
            reading: reading && card.is_none(),
            card,
            sale,
            help: self.open_help(reader),
        }
    }

    /// The look's dialogue has ended.
    pub(crate) fn look_done(&mut self, reader: &ReaderId, dialogue: DialogueId, outcome: &DialogueOutcome) {
        let declined = self.sales.visits.get(reader).and_then(|visit| visit.declined);
        let (found, request) = match outcome {
            DialogueOutcome::Look(Outcome::Seen(seen)) => self.seen(seen, declined),
            DialogueOutcome::Look(Outcome::Refused(refusal)) => (Found::Failed(card_refusal(refusal)), None),
            DialogueOutcome::Look(Outcome::NoAnswer(stage)) => (Found::Failed(silent_slot(stage.slot())), None),
            DialogueOutcome::NotRun(why) => (Found::Failed(not_run(*why)), None),
            DialogueOutcome::Proof(_) | DialogueOutcome::Purchase(_) | DialogueOutcome::Settle(_) => {
                (Found::Failed(Refusal::CardRemoved), None)
            }
        };
        // A look at a card that has gone since shows nothing.
        let current = self.sales.looks.get_mut(reader).filter(|look| look.dialogue == dialogue);
        if let Some(look) = current {
            look.found = found;
            if let Some(request) = request {
                let look = look.reference.clone();
                self.emit(Effect::AskBalance { look, request });
            }
        }
        self.emit(Effect::Notify(Notice::Card { reader: reader.clone() }));
    }

    fn seen(&self, seen: &Seen, declined: Option<Refusal>) -> (Found, Option<BalanceRequest>) {
        let purse = seen.balance.and_then(|balance| Points::from_fen(u64::from(balance.fen())));
        let (account, request) = match (declined, seen.proof) {
            (Some(reason), _) => (LookedAccount::NotKnown(reason), None),
            (None, _) if !self.online => (LookedAccount::NotKnown(Refusal::Offline), None),
            (None, None) => (LookedAccount::NotKnown(Refusal::CardNotChecked), None),
            (None, Some((challenge, response))) => {
                let request = BalanceRequest {
                    v: version::CURRENT,
                    card: seen.card.serial_number.to_hex().as_str().to_owned(),
                    proof: CardProof {
                        challenge: challenge.to_hex().as_str().to_owned(),
                        response: response.to_hex().as_str().to_owned(),
                    },
                };
                (LookedAccount::Asking, Some(request))
            }
        };
        (Found::Seen { declined, purse, account }, request)
    }

    /// The centre told what is in an account, or did not.
    pub(crate) fn handle_balance(&mut self, look: &str, result: Result<BalanceAnswer, UplinkFailure>) {
        let Some((reader, known)) = self.sales.looks.iter_mut().find(|(_, known)| known.reference == look) else {
            return;
        };
        let Found::Seen { account, .. } = &mut known.found else { return };
        *account = match result {
            Ok(BalanceAnswer { account: Some(AccountState { available, .. }), reason: None, .. }) => {
                LookedAccount::Known(available)
            }
            Ok(answer) => LookedAccount::NotKnown(hold_refusal(answer.reason.as_deref())),
            Err(_) => LookedAccount::NotKnown(Refusal::Offline),
        };
        let reader = reader.clone();
        self.emit(Effect::Notify(Notice::Card { reader }));
    }

    /// What was seen of the card there is no longer so.
    pub(crate) fn forget_look(&mut self, reader: &ReaderId) {
        if self.sales.looks.remove(reader).is_some() {
            self.emit(Effect::Notify(Notice::Card { reader: reader.clone() }));
        }
    }
}

/// How a card that was read stands.
const fn standing(declined: Option<Refusal>) -> CardStanding {
    match declined {
        None => CardStanding::Valid,
        Some(Refusal::CardExpired) => CardStanding::Expired,
        Some(_) => CardStanding::Blocked,
    }
}
