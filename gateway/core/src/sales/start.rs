//! A person starts a sale, takes it back, or lets it time out.

use std::collections::BTreeSet;

use protocols::id::{ReaderId, ServiceId};
use protocols::unit::Points;
use protocols::uplink::{SaleItem, SaleOutcome, Tender};

use super::{Phase, Sale, Visit};
use crate::alarms::AlarmStep;
use crate::core::{Core, Held, Storage};
use crate::effect::{DeskAnswer, Effect, Notice, Refusal, SaleLine, SaleView};
use crate::input::{DeskInput, ReaderState, ReplyToken, SaleId};
use crate::limits::{IDEMPOTENCY_KEY_LEN_MAX, SALE_CARD_WAIT_MS, SALE_ITEMS_MAX, SALE_QUANTITY_MAX};
use crate::time::{Mono, Now};
use crate::timers::Timer;

/// What a person asked for.
struct Wish {
    sale: SaleId,
    key: String,
    reader: ReaderId,
    items: Vec<(ServiceId, u32)>,
    tender: Tender,
    salt: [u8; 32],
}

/// Lines as they are recorded and as people read them, and what they cost.
type Priced = (Vec<SaleItem>, Vec<SaleLine>, Points);

impl Core {
    pub(crate) fn handle_desk(&mut self, input: DeskInput, now: &Now) {
        match input {
            DeskInput::StartSale { reply, sale, key, reader, items, tender, salt } => {
                let wish = Wish { sale, key, reader, items, tender, salt };
                self.start_sale(reply, wish, now);
            }
            DeskInput::FindSale { reply, key, reader, items, tender } => {
                let found = self.find_sale(&key, &reader, &items, tender);
                self.answer_sale(reply, found.unwrap_or(Err(Refusal::SaleUnknown)), now);
            }
            DeskInput::CancelSale { reply, sale } => self.cancel_sale(reply, &sale),
            DeskInput::LookAtCard { reply, reader, reference } => self.look_at_card(reply, &reader, reference, now),
            DeskInput::CallStaff { reply, key, reader } => self.call_staff(reply, key, &reader, now),
            DeskInput::StepAlarm { reply, alarm, state, by, cause, sent } => {
                let step = AlarmStep::new(state, Some(by), &now.civil, cause).with(sent);
                self.step_alarm(reply, &alarm, step, now);
            }
            DeskInput::SendAgain { reply, n, by } => self.send_again(reply, n, by, now),
            DeskInput::TestDevice { reply, device, by } => self.test_device(reply, device, by, now),
        }
    }

    fn start_sale(&mut self, reply: ReplyToken, wish: Wish, now: &Now) {
        let started = self.try_start_sale(wish, now);
        if let Err(refusal) = &started {
            self.emit(Effect::Count { name: "sales_not_started", label: refusal.word() });
        }
        self.answer_sale(reply, started, now);
    }

    fn answer_sale(&mut self, reply: ReplyToken, sale: Result<SaleView, Refusal>, now: &Now) {
        let answer = match sale {
            Ok(mut view) => {
                view.card_wait_left_ms = self.card_wait_left_ms(&view.id, now);
                DeskAnswer::Sale(Box::new(view))
            }
            Err(refusal) => DeskAnswer::Refused(refusal),
        };
        self.emit_durable(Effect::Reply { token: reply, answer });
    }

    fn try_start_sale(&mut self, wish: Wish, now: &Now) -> Result<SaleView, Refusal> {
        if wish.key.is_empty() || wish.key.len() > IDEMPOTENCY_KEY_LEN_MAX {
            return Err(Refusal::KeyInvalid);
        }
        if let Some(found) = self.find_sale(&wish.key, &wish.reader, &wish.items, wish.tender) {
            return found;
        }
        let (items, lines, amount) = self.price(&wish.items, now)?;
        self.check_site(&wish, amount, now)?;
        let sale = Sale {
            id: wish.sale,
            key: wish.key,
            reader: wish.reader.clone(),
            tender: wish.tender,
            requested: wish.items,
            items,
            amount,
            catalogue: self.catalogue.version,
            started_at: now.civil.to_string(),
            salt: wish.salt,
            phase: Phase::AwaitingCard,
            origin: None,
            intent: None,
            mac2_rejected: false,
            reason: None,
            doubt: None,
            balance: None,
            balance_before: None,
            lines,
            ended_at: None,
            shown: None,
        };
        let view = sale.view();
        self.timers.set(Timer::CardWait(sale.id.clone()), now.mono.after_ms(SALE_CARD_WAIT_MS));
        self.sales.insert(sale);
        self.save_sale(&view.id);
        self.show_when_durable(&view.id);
        // The card may lie there already.
        self.visit_reader(&wish.reader);
        Ok(view)
    }

    /// The sale that this key has begun; refused where it was begun for something else.
    fn find_sale(
        &self,
        key: &str,
        reader: &ReaderId,
        items: &[(ServiceId, u32)],
        tender: Tender,
    ) -> Option<Result<SaleView, Refusal>> {
        let known = self.sales.by_key.get(key).and_then(|id| self.sales.by_id.get(id))?;
        let same = known.requested == items && known.tender == tender && known.reader == *reader;
        let view = || known.shown.clone().unwrap_or_else(|| known.view());
        Some(if same { Ok(view()) } else { Err(Refusal::KeyReused) })
    }

    /// Prices by the catalogue; a browser never sends one.
    fn price(&self, wanted: &[(ServiceId, u32)], now: &Now) -> Result<Priced, Refusal> {
        if wanted.is_empty() || wanted.len() > SALE_ITEMS_MAX {
            return Err(Refusal::ItemsInvalid);
        }
        let distinct: BTreeSet<&ServiceId> = wanted.iter().map(|(service, _)| service).collect();
        if distinct.len() != wanted.len() {
            return Err(Refusal::ItemsInvalid);
        }
        let mut total = Points::ZERO;
        let mut items = Vec::with_capacity(wanted.len());
        let mut lines = Vec::with_capacity(wanted.len());
        for (id, quantity) in wanted {
            if *quantity == 0 || *quantity > SALE_QUANTITY_MAX {
                return Err(Refusal::ItemsInvalid);
            }
            let service =
                self.catalogue.services.iter().find(|service| service.id == *id).ok_or(Refusal::ServiceUnknown)?;
            let line = service.price.checked_mul(*quantity).ok_or(Refusal::AmountTooHigh)?;
            total = total.checked_add(line).ok_or(Refusal::AmountTooHigh)?;
            items.push(SaleItem {
                service: id.clone(),
                provider: service.provider.clone(),
                quantity: *quantity,
                unit_price: service.price,
            });
            lines.push(SaleLine {
                name_zh: service.name_zh.clone(),
                name_en: service.name_en.clone(),
                quantity: *quantity,
                unit_price: service.price,
                unit_subsidy: service.subsidy(),
            });
        }
        if total == Points::ZERO {
            return Err(Refusal::ItemsInvalid);
        }
        if total > self.policy(now).sale_max {
            return Err(Refusal::AmountTooHigh);
        }
        Ok((items, lines, total))
    }

    fn check_site(&self, wish: &Wish, amount: Points, now: &Now) -> Result<(), Refusal> {
        if self.config.storage == Storage::Dead || self.storage_low {
            return Err(Refusal::StorageDown);
        }
        if self.is_closed_by_age(now) {
            return Err(Refusal::CatalogueOld);
        }
        if !self.config.readers.contains(&wish.reader) {
            return Err(Refusal::ReaderUnknown);
        }
        if matches!(self.readers.get(&wish.reader), None | Some(ReaderState::Gone)) {
            return Err(Refusal::ReaderGone);
        }
        if self.sales.psam.is_none() {
            return Err(Refusal::PsamGone);
        }
        if self.sales.active_at(&wish.reader).is_some() {
            return Err(Refusal::ReaderBusy);
        }
        match wish.tender {
            Tender::Account if !self.online => Err(Refusal::Offline),
            Tender::Purse if u32::try_from(amount.fen()).is_err() => Err(Refusal::AmountTooHigh),
            Tender::Account | Tender::Purse => Ok(()),
        }
    }

    fn cancel_sale(&mut self, reply: ReplyToken, id: &str) {
        let refusal = match self.sales.by_id.get(id).map(|sale| &sale.phase) {
            None => Some(Refusal::SaleUnknown),
            Some(Phase::AwaitingCard) => None,
            Some(Phase::Touched | Phase::Holding | Phase::Debiting) => Some(Refusal::SaleUnderWay),
            Some(Phase::Ended { outcome: SaleOutcome::Cancelled }) => None,
            Some(Phase::Ended { outcome: SaleOutcome::Paid | SaleOutcome::Refused | SaleOutcome::Unknown }) => {
                Some(Refusal::SaleEnded)
            }
        };
        if let Some(refusal) = refusal {
            return self.emit(Effect::Reply { token: reply, answer: DeskAnswer::Refused(refusal) });
        }
        self.end_untouched(id, SaleOutcome::Cancelled, Refusal::TakenBack);
        let Some(view) = self.sales.by_id.get(id).map(Sale::view) else { return };
        self.emit_durable(Effect::Reply { token: reply, answer: DeskAnswer::Sale(Box::new(view)) });
    }

    /// How long a sale still waits for its card, by this gateway's clock; `None` when it does not wait.
    #[must_use]
    pub fn card_wait_left_ms(&self, id: &str, now: &Now) -> Option<u64> {
        let sale = self.sales.by_id.get(id)?;
        if !matches!(sale.phase, Phase::AwaitingCard) {
            return None;
        }
        let Mono(until) = self.timers.at(&Timer::CardWait(id.to_owned()))?;
        Some(until.saturating_sub(now.mono.0))
    }

    pub(crate) fn card_wait_ended(&mut self, id: &str, now: &Now) {
        match self.sales.by_id.get(id).map(|sale| &sale.phase) {
            Some(Phase::AwaitingCard) => self.end_untouched(id, SaleOutcome::Cancelled, Refusal::CardWaitEnded),
            // The dialogue under way decides; if it gives the sale back, the time is up.
            Some(Phase::Touched) => self.timers.set(Timer::CardWait(id.to_owned()), now.mono.after_ms(1_000)),
            Some(Phase::Holding | Phase::Debiting | Phase::Ended { .. }) | None => {}
        }
    }

    /// Ends a sale that has no intent: nothing was charged, so nothing is journalled but its state.
    pub(crate) fn end_untouched(&mut self, id: &str, outcome: SaleOutcome, reason: Refusal) {
        let Some(sale) = self.sales.by_id.get_mut(id) else { return };
        if sale.is_settled() {
            return;
        }
        sale.phase = Phase::Ended { outcome };
        sale.reason = Some(reason);
        self.finish_sale(id);
    }

    /// Everything that goes with a sale's end: timers, memory, what people see.
    pub(crate) fn finish_sale(&mut self, id: &str) {
        self.timers.clear(&Timer::CardWait(id.to_owned()));
        self.timers.clear(&Timer::HoldWait(id.to_owned()));
        let Some(sale) = self.sales.by_id.get_mut(id) else { return };
        let (settled, reader) = (sale.is_settled(), sale.reader.clone());
        if settled {
            sale.intent = None;
        }
        self.forget_look(&reader);
        self.save_sale(id);
        if settled {
            for forgotten in self.sales.settle(id) {
                self.journal.delete(format!("sale/{forgotten}"));
            }
        }
        self.show_when_durable(id);
    }

    /// Keeps a sale, in the transaction of what was recorded with it.
    pub(crate) fn save_sale(&mut self, id: &str) {
        if let Some(sale) = self.sales.by_id.get(id) {
            self.journal.put(format!("sale/{id}"), sale);
        }
    }

    /// Shows people what the sale now is, as soon as that is durable.
    pub(crate) fn show_when_durable(&mut self, id: &str) {
        if let Some(view) = self.sales.by_id.get(id).map(Sale::view) {
            self.after_durable(Held::ShowSale(Box::new(view)));
        }
    }

    /// What the sale says is durable.
    pub(crate) fn show_sale(&mut self, view: SaleView) {
        if let Some(sale) = self.sales.by_id.get_mut(&view.id) {
            sale.shown = Some(view.clone());
        }
        self.out.push_back(Effect::Notify(Notice::Sale { sale: Box::new(view) }));
    }

    /// Begins to talk to the card on a reader, if one lies there and there is a reason to.
    pub(crate) fn visit_reader(&mut self, reader: &ReaderId) {
        if self.readers.get(reader) != Some(&ReaderState::Card) {
            return;
        }
        if self.sales.running_at(reader).is_some() {
            return;
        }
        *self.sales.visits.entry(reader.clone()).or_default() = Visit::default();
        self.next_in_visit(reader);
    }
}
