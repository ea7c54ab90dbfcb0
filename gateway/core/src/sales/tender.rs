//! What is recorded of a sale: intents before anything binds, outcomes before anybody is told.

use protocols::card::crypto::Tac;
use protocols::card::intent::PurchaseIntent;
use protocols::card::log_record::LogRecord;
use protocols::card::octets::Hex;
use protocols::card::proof::Genuine;
use protocols::card::purchase::Doubt;
use protocols::card::purse::{DebitAnswer, TransactionProof};
use protocols::card::value::CardAmount;
use protocols::id::Seq;
use protocols::unit::Points;
use protocols::uplink::{
    CardProof, Epoch, HoldAnswer, HoldOutcome, HoldRefusal, HoldRequest, Origin, OwnAlarm, PurseIntent, PurseProof,
    SaleIntentBody, SaleOutcome, SaleOutcomeBody, SalePrivate, SaleSettledOrder, Source, Urgency, kind,
};
use protocols::version;

use super::{Phase, Purpose, Told};
use crate::core::Core;
use crate::effect::{Effect, Refusal};
use crate::input::{DialogueId, OutLane, UplinkFailure};
use crate::journal::{Draft, Identity, seal_private};
use crate::limits::HOLD_WAIT_MS;
use crate::orders::{OrderRefusal, Verdict};
use crate::raising::own_alarm;
use crate::time::Now;
use crate::timers::Timer;

/// What a card says of a debit whose outcome was unknown.
pub(crate) struct Proved {
    pub record: LogRecord,
    pub proof: Option<TransactionProof>,
    pub tac: Option<Tac>,
    pub balance: Option<CardAmount>,
    /// It has proved itself to the PSAM in this visit.
    pub genuine: bool,
}

impl Core {
    /// Account: the card has proved itself. The intent is recorded; the hold goes out once that is durable.
    pub(crate) fn account_intent(&mut self, id: &str, genuine: &Genuine, now: &Now) {
        let card = genuine.serial_number.to_hex().as_str().to_owned();
        let Some(salt) = self.sales.by_id.get(id).map(|sale| sale.salt) else { return };
        let Some(origin) = self.record_intent(id, Identity::Own, None, &card, &salt, now) else { return };
        let Some(sale) = self.sales.by_id.get_mut(id) else { return };
        sale.phase = Phase::Holding;
        let request = HoldRequest {
            v: version::CURRENT,
            origin,
            card,
            proof: CardProof {
                challenge: genuine.challenge.to_hex().as_str().to_owned(),
                response: genuine.response.to_hex().as_str().to_owned(),
            },
            items: sale.items.clone(),
            amount: sale.amount,
        };
        self.save_sale(id);
        self.timers.set(Timer::HoldWait(id.to_owned()), now.mono.after_ms(HOLD_WAIT_MS));
        self.emit_durable(Effect::Hold { sale: id.to_owned(), request });
    }

    /// Purse: MAC1 is there. The intent is recorded; the debit goes out once that is durable.
    pub(crate) fn purse_intent(&mut self, dialogue: DialogueId, intent: PurchaseIntent, salt: &[u8; 32], now: &Now) {
        let Some((reader, Purpose::Purchase(id))) = self.sales.visit_of(dialogue) else { return };
        let expected = self.sales.visits.get(&reader).and_then(|visit| visit.card).map(|card| card.serial_number);
        let fits =
            self.sales.by_id.get(&id).is_some_and(|sale| {
                sale.phase == Phase::Touched && sale.amount.fen() == u64::from(intent.amount.fen())
            });
        let terminal = intent.terminal.to_hex().parse().ok();
        let seq = Seq::new(u64::from(intent.terminal_sequence.get()));
        let (true, true, Some(terminal), Some(seq)) = (fits, expected == Some(intent.serial_number), terminal, seq)
        else {
            // The thread gives up when nothing comes; without `Proceed` no debit goes out.
            return;
        };
        let origin = Origin {
            source: Source::Terminal(terminal),
            epoch: Epoch::Text(intent.psam.to_hex().as_str().to_owned()),
            seq,
        };
        let card = intent.serial_number.to_hex().as_str().to_owned();
        let purse = purse_intent_body(&intent);
        if self.record_intent(&id, Identity::Given(origin), Some(purse), &card, salt, now).is_none() {
            return;
        }
        if let Some(sale) = self.sales.by_id.get_mut(&id) {
            sale.phase = Phase::Debiting;
            sale.intent = Some(intent);
            sale.balance_before = Points::from_fen(u64::from(intent.old_balance.fen()));
        }
        self.save_sale(&id);
        self.emit_durable(Effect::Proceed { dialogue });
    }

    fn record_intent(
        &mut self,
        id: &str,
        identity: Identity,
        purse: Option<PurseIntent>,
        card: &str,
        salt: &[u8; 32],
        now: &Now,
    ) -> Option<Origin> {
        let sale = self.sales.by_id.get_mut(id)?;
        let (private, private_hmac) = seal_private(salt, &SalePrivate { card: card.to_owned() });
        let body = SaleIntentBody {
            sale: id.to_owned(),
            tender: sale.tender,
            items: sale.items.clone(),
            amount: sale.amount,
            catalogue: sale.catalogue,
            purse,
            private_hmac,
        };
        let recorded = self.journal.record(
            Draft {
                identity,
                kind: kind::SALE_INTENT,
                about: None,
                body: &body,
                fingerprint: 0,
                lane: OutLane::Sales,
                private: Some(private),
            },
            now,
        );
        sale.origin = Some(recorded.origin.clone());
        Some(recorded.origin)
    }

    /// Records what became of a sale that has an intent.
    fn record_outcome(
        &mut self,
        id: &str,
        outcome: SaleOutcome,
        reason: Option<Refusal>,
        word: Option<&str>,
        purse: Option<PurseProof>,
        now: &Now,
    ) {
        let Some(sale) = self.sales.by_id.get_mut(id) else { return };
        sale.phase = Phase::Ended { outcome };
        sale.reason = reason;
        sale.ended_at = Some(now.civil.to_string());
        if let Some(left) = purse.as_ref().and_then(|proof| proof.new_balance) {
            sale.balance = Points::from_fen(u64::from(left));
        }
        let about = sale.origin.clone();
        let word = word.map(str::to_owned).or_else(|| reason.and_then(reason_word));
        let body = SaleOutcomeBody { sale: id.to_owned(), outcome, reason: word, purse };
        self.journal.record(
            Draft {
                identity: Identity::Own,
                kind: kind::SALE_OUTCOME,
                about: about.as_ref(),
                body: &body,
                fingerprint: 0,
                lane: OutLane::Sales,
                private: None,
            },
            now,
        );
        self.finish_sale(id);
    }

    /// The centre answered a hold, or did not.
    pub(crate) fn handle_hold(&mut self, id: &str, result: Result<HoldAnswer, UplinkFailure>, now: &Now) {
        if self.sales.by_id.get(id).is_none_or(|sale| sale.phase != Phase::Holding) {
            return;
        }
        match result {
            Ok(answer) => {
                self.note_success(now);
                if let (Some(sale), Some(account)) = (self.sales.by_id.get_mut(id), answer.account) {
                    sale.balance = Some(account.available);
                    sale.balance_before = match answer.outcome {
                        HoldOutcome::Held | HoldOutcome::Duplicate => account.available.checked_add(sale.amount),
                        HoldOutcome::Refused => Some(account.available),
                    };
                }
                match answer.outcome {
                    HoldOutcome::Held | HoldOutcome::Duplicate => {
                        self.record_outcome(id, SaleOutcome::Paid, None, None, None, now);
                    }
                    HoldOutcome::Refused => {
                        let reason = hold_refusal(answer.reason.as_deref());
                        self.record_outcome(
                            id,
                            SaleOutcome::Refused,
                            Some(reason),
                            answer.reason.as_deref(),
                            None,
                            now,
                        );
                    }
                }
            }
            Err(failure) => {
                self.note_failure(failure, now);
                self.hold_wait_ended(id, now);
            }
        }
    }

    /// No usable answer to a hold: the sale is refused, and its entry voids the hold if there is one.
    pub(crate) fn hold_wait_ended(&mut self, id: &str, now: &Now) {
        if self.sales.by_id.get(id).is_some_and(|sale| sale.phase == Phase::Holding) {
            self.record_outcome(id, SaleOutcome::Refused, Some(Refusal::Offline), None, None, now);
        }
    }

    pub(crate) fn purse_paid(&mut self, id: &str, debit: &DebitAnswer, new_balance: CardAmount, now: &Now) {
        let proof = PurseProof {
            tac: Some(debit.tac.to_hex().as_str().to_owned()),
            mac2: Some(debit.mac2.to_hex().as_str().to_owned()),
            transaction_proof: None,
            log_record: None,
            new_balance: Some(new_balance.fen()),
        };
        self.record_outcome(id, SaleOutcome::Paid, None, None, Some(proof), now);
    }

    pub(crate) fn purse_refused(&mut self, id: &str, reason: Refusal, now: &Now) {
        self.record_outcome(id, SaleOutcome::Refused, Some(reason), None, None, now);
    }

    pub(crate) fn purse_doubtful(&mut self, id: &str, debit: Option<&DebitAnswer>, why: Doubt, now: &Now) {
        if why == Doubt::Mac2Rejected {
            if let Some(sale) = self.sales.by_id.get_mut(id) {
                sale.mac2_rejected = true;
            }
            let mut body = own_alarm(OwnAlarm::CardMac2Rejected, None);
            body.urgency = Urgency::Urgent;
            body.detail = Some(format!("sale {id}"));
            self.raise_or_fold_own(&body, None, now);
        }
        self.purse_unknown(id, debit, why.code(), now);
    }

    pub(crate) fn purse_unknown(&mut self, id: &str, debit: Option<&DebitAnswer>, why: &str, now: &Now) {
        let proof = debit.map(|debit| PurseProof {
            tac: Some(debit.tac.to_hex().as_str().to_owned()),
            mac2: None,
            transaction_proof: None,
            log_record: None,
            new_balance: None,
        });
        if let Some(sale) = self.sales.by_id.get_mut(id) {
            sale.doubt = Some(Told { why: why.to_owned(), proof: None });
        }
        self.record_doubt(id, why, proof, now);
    }

    /// A settlement did not settle: why, and what the card gave for the issuer to decide by. Told once.
    pub(crate) fn purse_still_unknown(
        &mut self,
        id: &str,
        why: &'static str,
        proof: Option<&TransactionProof>,
        now: &Now,
    ) {
        let Some(sale) = self.sales.by_id.get_mut(id) else { return };
        let known = sale.doubt.as_ref().and_then(|doubt| doubt.proof.clone());
        let proof = proof.map(|proof| proof.to_hex().as_str().to_owned()).or(known);
        let doubt = Told { why: why.to_owned(), proof: proof.clone() };
        if sale.doubt.as_ref() == Some(&doubt) {
            return;
        }
        sale.doubt = Some(doubt);
        let proof = proof.map(|proof| PurseProof {
            tac: None,
            mac2: None,
            transaction_proof: Some(proof),
            log_record: None,
            new_balance: None,
        });
        self.record_doubt(id, why, proof, now);
    }

    fn record_doubt(&mut self, id: &str, why: &str, proof: Option<PurseProof>, now: &Now) {
        let rejected = self.sales.by_id.get(id).is_some_and(|sale| sale.mac2_rejected);
        let reason = if rejected { Refusal::ProofRejected } else { Refusal::Unsettled };
        self.record_outcome(id, SaleOutcome::Unknown, Some(reason), Some(why), proof, now);
    }

    pub(crate) fn purse_proved(&mut self, id: &str, proved: &Proved, now: &Now) {
        let proof = PurseProof {
            tac: proved.tac.map(|tac| tac.to_hex().as_str().to_owned()),
            mac2: None,
            transaction_proof: proved.proof.map(|proof| proof.to_hex().as_str().to_owned()),
            log_record: Some(Hex(&proved.record.to_bytes()).to_string()),
            new_balance: proved.balance.map(CardAmount::fen),
        };
        let Some(sale) = self.sales.by_id.get(id) else { return };
        if sale.mac2_rejected && !proved.genuine {
            return self.record_outcome(
                id,
                SaleOutcome::Unknown,
                Some(Refusal::ProofRejected),
                Some(Doubt::Mac2Rejected.code()),
                Some(proof),
                now,
            );
        }
        self.record_outcome(id, SaleOutcome::Paid, None, None, Some(proof), now);
    }

    /// The centre has settled a sale in doubt: by the issuer's verdict on its TAC, or by people.
    pub(crate) fn settle_by_order(&mut self, order: &SaleSettledOrder, now: &Now) -> Verdict {
        let found = self.sales.by_id.values().find(|sale| sale.origin.as_ref() == Some(&order.sale));
        let sale = found.ok_or(OrderRefusal::SaleUnknown)?;
        if !sale.is_unknown() {
            return if sale.is_settled() { Ok(false) } else { Err(OrderRefusal::SaleUnderWay) };
        }
        let id = sale.id.clone();
        match order.outcome {
            SaleOutcome::Paid => self.record_outcome(&id, SaleOutcome::Paid, None, Some("centre"), None, now),
            SaleOutcome::Cancelled => {
                self.record_outcome(&id, SaleOutcome::Cancelled, Some(Refusal::NotDebited), Some("centre"), None, now);
            }
            SaleOutcome::Refused | SaleOutcome::Unknown => return Err(OrderRefusal::OutcomeUnfit),
        }
        Ok(true)
    }

    pub(crate) fn purse_not_debited(&mut self, id: &str, balance: Option<CardAmount>, now: &Now) {
        if let (Some(sale), Some(balance)) = (self.sales.by_id.get_mut(id), balance) {
            sale.balance = Points::from_fen(u64::from(balance.fen()));
        }
        self.record_outcome(id, SaleOutcome::Cancelled, Some(Refusal::NotDebited), None, None, now);
    }

    /// After a restart: what was under way when the process ended.
    pub(crate) fn conclude_interrupted_sales(&mut self, now: &Now) {
        let open: Vec<(String, Phase)> = self
            .sales
            .by_id
            .values()
            .filter(|sale| !matches!(sale.phase, Phase::Ended { .. }))
            .map(|sale| (sale.id.clone(), sale.phase.clone()))
            .collect();
        for (id, phase) in open {
            match phase {
                Phase::AwaitingCard | Phase::Touched => {
                    self.end_untouched(&id, SaleOutcome::Cancelled, Refusal::Interrupted);
                }
                Phase::Holding => {
                    self.record_outcome(&id, SaleOutcome::Cancelled, Some(Refusal::Interrupted), None, None, now);
                }
                Phase::Debiting => self.purse_unknown(&id, None, "interrupted", now),
                Phase::Ended { .. } => {}
            }
        }
    }
}

/// The snake-case word of a refusal, as in the local interface.
fn reason_word(refusal: Refusal) -> Option<String> {
    match serde_json::to_value(refusal) {
        Ok(serde_json::Value::String(word)) => Some(word),
        Ok(_) | Err(_) => None,
    }
}

/// What the elder can do about a hold that the centre refused; a word that is not known here is the general refusal.
pub(super) fn hold_refusal(reason: Option<&str>) -> Refusal {
    match reason.and_then(HoldRefusal::from_word) {
        Some(HoldRefusal::Insufficient) => Refusal::Insufficient,
        Some(HoldRefusal::NoAccount) => Refusal::NoAccount,
        Some(HoldRefusal::CardBlocked) => Refusal::CardBlocked,
        Some(HoldRefusal::NotGenuine) => Refusal::CardNotGenuine,
        Some(HoldRefusal::ProofPending) => Refusal::CardNotChecked,
        Some(HoldRefusal::Closed) => Refusal::Closed,
        Some(HoldRefusal::PriceDiffers) => Refusal::PriceChanged,
        Some(HoldRefusal::NotInCatalogue) => Refusal::ServiceWithdrawn,
        Some(HoldRefusal::Cancelled | HoldRefusal::Conflict | HoldRefusal::Amount) => Refusal::OrderNotTaken,
        Some(HoldRefusal::Malformed | HoldRefusal::ForeignOrigin) | None => Refusal::CentreRefused,
    }
}

fn purse_intent_body(intent: &PurchaseIntent) -> PurseIntent {
    PurseIntent {
        counter: intent.counter.get(),
        old_balance: intent.old_balance.fen(),
        transaction_type: intent.kind.get(),
        terminal: intent.terminal.to_hex().as_str().to_owned(),
        psam: intent.psam.to_hex().as_str().to_owned(),
        terminal_seq: intent.terminal_sequence.get(),
        date: intent.date.to_hex().as_str().to_owned(),
        time: intent.time.to_hex().as_str().to_owned(),
        mac1: intent.mac1.to_hex().as_str().to_owned(),
        key_version: intent.key_version.get(),
        algorithm: intent.algorithm.get(),
    }
}
