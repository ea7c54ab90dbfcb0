//! The readers: cards come and go, dialogues run, and each one's end decides the next.

use hmac::{Hmac, KeyInit, Mac};
use protocols::card::card_file::{CardFile, Validity};
use protocols::card::date::CardDate;
use protocols::card::dialogue::{Cause, Refusal as CardRefusal, Slot};
use protocols::card::{proof, purchase, settle};
use protocols::id::ReaderId;
use protocols::uplink::{OwnAlarm, SaleOutcome, Tender};
use sha2::Sha256;

use super::tender::Proved;
use super::{Phase, Purpose, Running, Visit};
use crate::core::{Core, Storage};
use crate::effect::{CardVerdict, DialogueOrder, Effect, Notice, Refusal};
use crate::input::{CardInput, DialogueId, DialogueOutcome, NotRun, ReaderState};
use crate::journal::hex_lower;
use crate::limits::CARD_HELD_AGAIN_MS;
use crate::time::Now;
use crate::timers::Timer;

impl Core {
    pub(crate) fn handle_card(&mut self, input: CardInput, now: &Now) {
        match input {
            CardInput::Reader { reader, state } => {
                self.readers.insert(reader.clone(), state);
                self.emit(Effect::Notify(Notice::Reader { reader: reader.clone(), state }));
                self.forget_look(&reader);
                if let Some(visit) = self.sales.visits.get_mut(&reader).filter(|visit| visit.running.is_some()) {
                    visit.renewed = true;
                }
                self.visit_reader(&reader);
            }
            CardInput::Psam(psam) => {
                self.sales.psam = psam;
                let readers: Vec<ReaderId> = self.readers.keys().cloned().collect();
                for reader in readers {
                    self.visit_reader(&reader);
                }
            }
            CardInput::Identified { dialogue, card, today } => self.card_identified(dialogue, card, today),
            CardInput::IntentReady { dialogue, intent, salt } => self.purse_intent(dialogue, intent, &salt, now),
            CardInput::Done { dialogue, outcome } => self.dialogue_done(dialogue, outcome, now),
        }
    }

    /// Starts the next dialogue of a visit, if there is a reason for one.
    pub(crate) fn next_in_visit(&mut self, reader: &ReaderId) {
        let Some(visit) = self.sales.visits.get(reader) else { return };
        if self.config.storage == Storage::Dead {
            // Nothing could be recorded of what the card says.
            return;
        }
        if visit.over || visit.running.is_some() || self.readers.get(reader) != Some(&ReaderState::Card) {
            return;
        }
        let Some(card) = visit.card else {
            if self.sales.awaiting_at(reader).is_some() || self.sales.any_unknown() {
                self.run_dialogue(reader, Purpose::Identify, DialogueOrder::Identify);
            }
            return;
        };
        if let Some(unknown) = self.sales.unknown_of(&card, &visit.tried) {
            let (id, intent) = (unknown.id.clone(), unknown.intent);
            if unknown.mac2_rejected && visit.genuine.is_none() {
                self.run_dialogue(reader, Purpose::Vouch, DialogueOrder::Proof);
                return;
            }
            if let Some(intent) = intent {
                self.run_dialogue(reader, Purpose::Settle(id), DialogueOrder::Settle { intent });
            }
            return;
        }
        let declined = visit.declined;
        let Some(sale) = self.sales.awaiting_at(reader) else { return };
        let (id, tender, amount) = (sale.id.clone(), sale.tender, sale.amount);
        if let Some(reason) = declined {
            return self.end_untouched(&id, SaleOutcome::Refused, reason);
        }
        self.touch_sale(&id);
        match (tender, u32::try_from(amount.fen())) {
            (Tender::Account, _) => {
                self.run_dialogue(reader, Purpose::Proof(id), DialogueOrder::Proof);
            }
            (Tender::Purse, Ok(amount)) => {
                self.run_dialogue(reader, Purpose::Purchase(id), DialogueOrder::Purchase { amount });
            }
            (Tender::Purse, Err(_)) => self.end_untouched(&id, SaleOutcome::Refused, Refusal::AmountTooHigh),
        }
    }

    pub(super) fn run_dialogue(&mut self, reader: &ReaderId, purpose: Purpose, order: DialogueOrder) -> DialogueId {
        let id = DialogueId(self.fresh_number());
        if let Some(visit) = self.sales.visits.get_mut(reader) {
            visit.running = Some(Running { id, purpose });
            visit.held = false;
            self.emit(Effect::RunDialogue { reader: reader.clone(), dialogue: id, order });
        }
        id
    }

    fn touch_sale(&mut self, id: &str) {
        let Some(sale) = self.sales.by_id.get_mut(id) else { return };
        sale.phase = Phase::Touched;
        sale.reason = None;
        let view = sale.view();
        self.show_sale(view);
    }

    /// The dialogue broke off before anything bound: the sale waits for its card again.
    fn untouch_sale(&mut self, id: &str, hint: Refusal) {
        let Some(sale) = self.sales.by_id.get_mut(id) else { return };
        sale.phase = Phase::AwaitingCard;
        sale.reason = Some(hint);
        let view = sale.view();
        self.show_sale(view);
    }

    fn card_identified(&mut self, dialogue: DialogueId, card: CardFile, today: CardDate) {
        let Some((reader, purpose)) = self.sales.visit_of(dialogue) else { return };
        let declined = self.judge_card(&card, today);
        let Some(visit) = self.sales.visits.get_mut(&reader) else { return };
        let verdict = match purpose {
            Purpose::Identify | Purpose::Look => {
                visit.card = Some(card);
                visit.declined = declined;
                CardVerdict::Declined
            }
            Purpose::Settle(_) => CardVerdict::Approved,
            Purpose::Vouch => {
                // Whether it may pay does not matter here: it is to say whether it did.
                let same = visit.card.is_some_and(|known| known.serial_number == card.serial_number);
                if same { CardVerdict::Approved } else { CardVerdict::Declined }
            }
            Purpose::Proof(_) | Purpose::Purchase(_) => {
                let same = visit.card.is_some_and(|known| known.serial_number == card.serial_number);
                visit.declined = if same { declined } else { Some(Refusal::CardChanged) };
                if visit.declined.is_none() { CardVerdict::Approved } else { CardVerdict::Declined }
            }
        };
        self.emit(Effect::CardVerdict { dialogue, verdict });
    }

    /// Why a card may not pay, if so.
    fn judge_card(&self, card: &CardFile, today: CardDate) -> Option<Refusal> {
        match card.validity(today) {
            Validity::NotYet | Validity::Expired => return Some(Refusal::CardExpired),
            Validity::Valid => {}
        }
        let hotlist = self.hotlist.as_ref()?;
        let salt = unhex(&hotlist.salt)?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&salt).expect("HMAC takes keys of any length");
        mac.update(card.serial_number.to_hex().as_bytes());
        let hash = hex_lower(&mac.finalize().into_bytes());
        hotlist.cards.contains(&hash).then_some(Refusal::CardBlocked)
    }

    fn dialogue_done(&mut self, dialogue: DialogueId, outcome: DialogueOutcome, now: &Now) {
        let Some((reader, purpose)) = self.sales.visit_of(dialogue) else { return };
        let declined = match self.sales.visits.get_mut(&reader) {
            Some(visit) => {
                visit.running = None;
                visit.declined
            }
            None => None,
        };
        // A look that failed says nothing to a sale that was begun meanwhile: its card is identified anew.
        let looked_in_vain = purpose == Purpose::Look && self.sales.awaiting_at(&reader).is_some();
        let goes_on = match &outcome {
            DialogueOutcome::Settle(settle::Outcome::StillUnknown { why, .. }) => {
                !matches!(why, settle::StillUnknown::Failed(_))
            }
            DialogueOutcome::Settle(_) => true,
            DialogueOutcome::Look(_) => self.sales.visits.get(&reader).is_some_and(|visit| visit.card.is_some()),
            DialogueOutcome::Proof(
                proof::Outcome::Genuine(_) | proof::Outcome::NotGenuine | proof::Outcome::Refused(_),
            ) if purpose == Purpose::Vouch => true,
            DialogueOutcome::Proof(_) | DialogueOutcome::Purchase(_) | DialogueOutcome::NotRun(_) => {
                purpose == Purpose::Identify && self.sales.visits.get(&reader).is_some_and(|visit| visit.card.is_some())
            }
        };
        let held = matches!(outcome, DialogueOutcome::NotRun(NotRun::CardHeld));
        match purpose {
            Purpose::Identify => self.identify_done(&reader, &outcome),
            Purpose::Look => self.look_done(&reader, dialogue, &outcome),
            Purpose::Vouch => self.vouch_done(&reader, &outcome),
            Purpose::Settle(sale) => self.settle_done(&reader, &sale, outcome, now),
            Purpose::Proof(sale) => self.proof_done(&sale, outcome, declined, now),
            Purpose::Purchase(sale) => self.purchase_done(&sale, outcome, declined, now),
        }
        self.end_or_renew_visit(&reader, goes_on || looked_in_vain);
        if let (true, Some(visit)) = (held, self.sales.visits.get_mut(&reader)) {
            visit.held = true;
            self.timers.set(Timer::CardHeld(reader.clone()), now.mono.after_ms(CARD_HELD_AGAIN_MS));
        }
        self.next_in_visit(&reader);
    }

    /// A card lies there that another program held, such as a gateway that was killed in the middle of a debit: it is tried again
    /// without being laid on anew.
    pub(crate) fn try_held_card(&mut self, reader: &ReaderId) {
        if self.sales.visits.get(reader).is_some_and(|visit| visit.held) {
            self.visit_reader(reader);
        }
    }

    /// A card that was laid on while a dialogue was still ending gets a visit of its own; a card that fell silent has
    /// to be laid on anew.
    fn end_or_renew_visit(&mut self, reader: &ReaderId, goes_on: bool) {
        let Some(visit) = self.sales.visits.get_mut(reader) else { return };
        if visit.renewed {
            *visit = Visit::default();
        } else if !goes_on {
            visit.over = true;
        }
    }

    fn identify_done(&mut self, reader: &ReaderId, outcome: &DialogueOutcome) {
        let known = self.sales.visits.get(reader).is_some_and(|visit| visit.card.is_some());
        if known {
            return;
        }
        let Some(sale) = self.sales.awaiting_at(reader) else { return };
        let id = sale.id.clone();
        let refusal = match outcome {
            DialogueOutcome::Proof(proof::Outcome::Refused(refusal)) => card_refusal(refusal),
            DialogueOutcome::Proof(proof::Outcome::NoAnswer(stage)) => silent_slot(stage.slot()),
            DialogueOutcome::Look(_)
            | DialogueOutcome::Proof(proof::Outcome::Genuine(_) | proof::Outcome::NotGenuine)
            | DialogueOutcome::Purchase(_)
            | DialogueOutcome::Settle(_) => Refusal::CardRemoved,
            DialogueOutcome::NotRun(why) => not_run(*why),
        };
        self.give_back_or_refuse(&id, refusal);
    }

    /// A card that went away, or could not be spoken to just now, may be laid on again; anything else ends the sale.
    fn give_back_or_refuse(&mut self, id: &str, refusal: Refusal) {
        let may_come_back =
            [Refusal::CardRemoved, Refusal::CardMute, Refusal::CardHeld, Refusal::PsamBusy].contains(&refusal);
        if may_come_back {
            self.untouch_sale(id, refusal);
        } else {
            self.end_untouched(id, SaleOutcome::Refused, refusal);
        }
    }

    fn proof_done(&mut self, id: &str, outcome: DialogueOutcome, declined: Option<Refusal>, now: &Now) {
        match outcome {
            DialogueOutcome::Proof(proof::Outcome::Genuine(genuine)) => self.account_intent(id, &genuine, now),
            DialogueOutcome::Proof(proof::Outcome::NotGenuine) => {
                self.end_untouched(id, SaleOutcome::Refused, Refusal::CardNotGenuine);
            }
            DialogueOutcome::Proof(proof::Outcome::Refused(CardRefusal::Declined)) => {
                self.end_untouched(id, SaleOutcome::Refused, declined.unwrap_or(Refusal::CardUnreadable));
            }
            DialogueOutcome::Proof(proof::Outcome::Refused(refusal)) => {
                self.give_back_or_refuse(id, card_refusal(&refusal));
            }
            DialogueOutcome::Proof(proof::Outcome::NoAnswer(stage)) => {
                self.give_back_or_refuse(id, silent_slot(stage.slot()));
            }
            DialogueOutcome::NotRun(why) => self.give_back_or_refuse(id, not_run(why)),
            DialogueOutcome::Purchase(_) | DialogueOutcome::Settle(_) | DialogueOutcome::Look(_) => {
                self.give_back_or_refuse(id, Refusal::CardRemoved);
            }
        }
    }

    fn purchase_done(&mut self, id: &str, outcome: DialogueOutcome, declined: Option<Refusal>, now: &Now) {
        let debiting = self.sales.by_id.get(id).is_some_and(|sale| sale.phase == Phase::Debiting);
        match outcome {
            DialogueOutcome::Purchase(purchase::Outcome::Debited { debit, new_balance, .. }) if debiting => {
                self.purse_paid(id, &debit, new_balance, now);
            }
            DialogueOutcome::Purchase(purchase::Outcome::Unknown { debit, why, .. }) if debiting => {
                self.purse_doubtful(id, debit.as_ref(), why, now);
            }
            DialogueOutcome::Purchase(purchase::Outcome::Refused { refusal, intent: Some(_) }) if debiting => {
                self.purse_refused(id, card_refusal(&refusal), now);
            }
            DialogueOutcome::Purchase(purchase::Outcome::Refused { refusal: CardRefusal::Declined, .. }) => {
                self.end_untouched(id, SaleOutcome::Refused, declined.unwrap_or(Refusal::CardUnreadable));
            }
            DialogueOutcome::Purchase(purchase::Outcome::Refused { refusal, .. }) if !debiting => {
                self.give_back_or_refuse(id, card_refusal(&refusal));
            }
            DialogueOutcome::NotRun(why) if !debiting => self.give_back_or_refuse(id, not_run(why)),
            DialogueOutcome::Purchase(
                purchase::Outcome::Debited { .. }
                | purchase::Outcome::Unknown { .. }
                | purchase::Outcome::Refused { .. },
            )
            | DialogueOutcome::Proof(_)
            | DialogueOutcome::Settle(_)
            | DialogueOutcome::Look(_)
            | DialogueOutcome::NotRun(_) => {
                if debiting {
                    self.purse_unknown(id, None, "dialogue_lost", now);
                } else {
                    self.give_back_or_refuse(id, Refusal::CardRemoved);
                }
            }
        }
    }

    /// A card that cannot prove itself is heard all the same: that it was not debited costs nobody but the provider of a
    /// service that was not given.
    fn vouch_done(&mut self, reader: &ReaderId, outcome: &DialogueOutcome) {
        let Some(visit) = self.sales.visits.get_mut(reader) else { return };
        let genuine = match outcome {
            DialogueOutcome::Proof(proof::Outcome::Genuine(genuine)) => {
                visit.card.is_some_and(|card| card.serial_number == genuine.serial_number)
            }
            DialogueOutcome::Proof(
                proof::Outcome::NotGenuine | proof::Outcome::Refused(_) | proof::Outcome::NoAnswer(_),
            )
            | DialogueOutcome::Purchase(_)
            | DialogueOutcome::Settle(_)
            | DialogueOutcome::Look(_)
            | DialogueOutcome::NotRun(_) => false,
        };
        visit.genuine = Some(genuine);
    }

    fn settle_done(&mut self, reader: &ReaderId, id: &str, outcome: DialogueOutcome, now: &Now) {
        if let Some(visit) = self.sales.visits.get_mut(reader) {
            visit.tried.insert(id.to_owned());
        }
        match outcome {
            DialogueOutcome::Settle(settle::Outcome::Debited { record, proof, tac, balance }) => {
                let genuine = self.sales.visits.get(reader).and_then(|visit| visit.genuine) == Some(true);
                self.purse_proved(id, &Proved { record, proof, tac, balance, genuine }, now);
            }
            DialogueOutcome::Settle(settle::Outcome::NotDebited { balance, .. }) => {
                self.purse_not_debited(id, balance, now);
            }
            DialogueOutcome::Settle(settle::Outcome::CounterRegress { found }) => {
                if let Some(visit) = self.sales.visits.get_mut(reader) {
                    visit.declined = Some(Refusal::CardCounterRegress);
                }
                let mut body = crate::raising::own_alarm(OwnAlarm::CardCounterRegress, None);
                body.urgency = protocols::uplink::Urgency::Urgent;
                body.detail = Some(format!("sale {id}, counter {}", found.get()));
                self.raise_or_fold_own(&body, None, now);
                self.purse_still_unknown(id, "card_counter_regress", None, now);
            }
            DialogueOutcome::NotRun(why) => {
                // The sale in doubt stays so; the one that waits for this card hears why nothing happens.
                if let Some(waiting) = self.sales.awaiting_at(reader).map(|sale| sale.id.clone()) {
                    self.give_back_or_refuse(&waiting, not_run(why));
                }
            }
            DialogueOutcome::Settle(settle::Outcome::StillUnknown { why, proof }) => {
                // An exchange that failed says nothing of the sale, but for what came before it.
                if !matches!(why, settle::StillUnknown::Failed(_)) || proof.is_some() {
                    self.purse_still_unknown(id, why.code(), proof.as_ref(), now);
                }
            }
            DialogueOutcome::Settle(settle::Outcome::OtherCard(_))
            | DialogueOutcome::Proof(_)
            | DialogueOutcome::Purchase(_)
            | DialogueOutcome::Look(_) => {}
        }
    }
}

/// What people are told of a dialogue that was not run.
pub(super) const fn not_run(why: NotRun) -> Refusal {
    match why {
        NotRun::NoCard => Refusal::CardRemoved,
        NotRun::CardMute => Refusal::CardMute,
        NotRun::CardHeld => Refusal::CardHeld,
        NotRun::CardForeign => Refusal::CardUnreadable,
        NotRun::ReaderGone => Refusal::ReaderGone,
        NotRun::PsamGone => Refusal::PsamGone,
        NotRun::PsamBusy => Refusal::PsamBusy,
        NotRun::NotTaken | NotRun::Broken => Refusal::ReaderBroken,
    }
}

/// What people are told of a card's or PSAM's refusal.
pub(super) fn card_refusal(refusal: &CardRefusal) -> Refusal {
    match refusal {
        CardRefusal::OtherScheme | CardRefusal::CardFile(_) | CardRefusal::Algorithm(_) | CardRefusal::Declined => {
            Refusal::CardUnreadable
        }
        CardRefusal::ApplicationBlocked | CardRefusal::CounterExhausted => Refusal::CardBlocked,
        CardRefusal::AmountZero => Refusal::ItemsInvalid,
        CardRefusal::InsufficientBalance { .. } => Refusal::Insufficient,
        CardRefusal::NotRecorded => Refusal::StorageDown,
        CardRefusal::Failed(failure) => match (failure.stage.slot(), failure.cause) {
            (Slot::Psam, _) => Refusal::PsamRefused,
            (Slot::Card, Cause::NoAnswer) => Refusal::CardRemoved,
            (Slot::Card, Cause::Malformed | Cause::Status(_) | Cause::OutOfStep) => Refusal::CardUnreadable,
        },
    }
}

pub(super) const fn silent_slot(slot: Slot) -> Refusal {
    match slot {
        Slot::Card => Refusal::CardRemoved,
        Slot::Psam => Refusal::PsamRefused,
    }
}

/// Bytes from hex.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let mut bytes = vec![0; text.len() / 2];
    protocols::card::octets::decode(text, &mut bytes).ok()?;
    Some(bytes)
}
