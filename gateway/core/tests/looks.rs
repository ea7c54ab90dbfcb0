//! Promises about looks at a card, and about calls for the staff, on the core alone.

#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one effect among many")]

mod bench;

use bench::{Bench, card, reader, today};
use gateway_core::limits::LOOK_AGAIN_MS;
use gateway_core::{
    CardInput, CardLook, CardStanding, DeskAnswer, DeskInput, DialogueId, DialogueOrder, DialogueOutcome, Effect,
    Input, LookedAccount, Notice, ReaderState, Refusal, ReplyToken, Sent, Storage, UplinkFailure, UplinkInput,
};
use protocols::card::card_file::CardFile;
use protocols::card::crypto::{Challenge, ProofResponse};
use protocols::card::dialogue::Stage;
use protocols::card::look::{Outcome, Seen};
use protocols::card::value::CardAmount;
use protocols::device::AlarmState;
use protocols::unit::Points;
use protocols::uplink::{AccountState, BalanceAnswer, Tender, Urgency};

fn points(fen: u64) -> Points {
    Points::from_fen(fen).expect("an amount")
}

fn lay_on(bench: &mut Bench, state: ReaderState) {
    bench.input(Input::Card(CardInput::Reader { reader: reader(), state }));
}

/// Asks what lies on the reader; also gives the dialogue that was begun for it.
fn look(bench: &mut Bench) -> (CardLook, Option<(DialogueId, DialogueOrder)>) {
    bench.take();
    let reference = format!("look-{}", bench.rows.len() + bench.ms as usize);
    bench.input(Input::Desk(DeskInput::LookAtCard { reply: ReplyToken(700), reader: reader(), reference }));
    let mut found = (None, None);
    for effect in bench.take() {
        match effect {
            Effect::Reply { token: ReplyToken(700), answer: DeskAnswer::Card(look) } => found.0 = Some(*look),
            Effect::RunDialogue { dialogue, order, .. } => found.1 = Some((dialogue, order)),
            _ => {}
        }
    }
    (found.0.expect("an answer at once"), found.1)
}

fn seen(card: CardFile) -> DialogueOutcome {
    let proof = (Challenge::from_bytes([5; 8]), ProofResponse::from_bytes([6; 8]));
    let balance = Some(CardAmount::new(4_200).expect("in range"));
    DialogueOutcome::Look(Outcome::Seen(Seen { card, balance, proof: Some(proof) }))
}

fn ends(bench: &mut Bench, dialogue: DialogueId, card: CardFile) {
    bench.input(Input::Card(CardInput::Identified { dialogue, card, today: today() }));
    bench.input(Input::Card(CardInput::Done { dialogue, outcome: seen(card) }));
}

fn asked(bench: &mut Bench) -> Option<String> {
    bench.take().into_iter().find_map(|effect| match effect {
        Effect::AskBalance { look, .. } => Some(look),
        _ => None,
    })
}

/// A card lies on the reader and is looked at; there is no line yet.
fn looking() -> (Bench, DialogueId) {
    let mut bench = Bench::new();
    bench.equip();
    lay_on(&mut bench, ReaderState::Card);
    let (dialogue, _) = look(&mut bench).1.expect("begun");
    (bench, dialogue)
}

#[test]
fn a_look_shows_purse_and_account_and_is_forgotten_with_the_card() {
    let mut bench = Bench::new();
    bench.equip();
    bench.online();
    let (empty, none) = look(&mut bench);
    assert_eq!((empty.state, empty.card, none), (ReaderState::Empty, None, None));
    lay_on(&mut bench, ReaderState::Card);
    let (reading, begun) = look(&mut bench);
    let (dialogue, order) = begun.expect("a look is begun");
    assert_eq!((order, reading.reading, reading.card), (DialogueOrder::Look, true, None));
    assert_eq!(look(&mut bench).1, None, "one dialogue at a reader");
    ends(&mut bench, dialogue, card(0x78));
    let reference = asked(&mut bench).expect("the centre is asked");
    let shown = look(&mut bench).0.card.expect("read");
    assert_eq!((shown.purse, shown.account), (Some(points(4_200)), LookedAccount::Asking));
    assert_eq!(shown.standing, CardStanding::Valid);
    let account = Some(AccountState { balance: points(9_000), available: points(7_500) });
    let result = Ok(BalanceAnswer { v: 1, reason: None, account });
    bench.input(Input::Uplink(UplinkInput::BalanceAnswered { look: reference.clone(), result: result.clone() }));
    let told = bench.take().iter().any(|effect| matches!(effect, Effect::Notify(Notice::Card { .. })));
    assert!(told, "pages hear of it");
    let (known, again) = look(&mut bench);
    assert_eq!(known.card.expect("read").account, LookedAccount::Known(points(7_500)));
    assert_eq!(again, None, "a card is looked at once for each time it is laid on");
    lay_on(&mut bench, ReaderState::Empty);
    assert_eq!(look(&mut bench).0.card, None);
    lay_on(&mut bench, ReaderState::Card);
    bench.input(Input::Uplink(UplinkInput::BalanceAnswered { look: reference, result }));
    assert_eq!(look(&mut bench).0.card, None, "an answer about a card that has gone shows nothing of the next one");
    assert!(bench.rows.is_empty(), "nothing of a look is recorded");
}

#[test]
fn a_look_without_the_line_or_with_a_late_answer_shows_the_purse_and_why_no_account() {
    let (mut bench, dialogue) = looking();
    ends(&mut bench, dialogue, card(0x78));
    assert_eq!(asked(&mut bench), None, "nobody is there to be asked");
    let shown = look(&mut bench).0.card.expect("read");
    assert_eq!((shown.purse, shown.account), (Some(points(4_200)), LookedAccount::NotKnown(Refusal::Offline)));
    bench.online();
    lay_on(&mut bench, ReaderState::Empty);
    lay_on(&mut bench, ReaderState::Card);
    let (dialogue, _) = look(&mut bench).1.expect("begun");
    ends(&mut bench, dialogue, card(0x78));
    let reference = asked(&mut bench).expect("asked");
    let result = Err(UplinkFailure::Unreachable);
    bench.input(Input::Uplink(UplinkInput::BalanceAnswered { look: reference, result }));
    assert_eq!(look(&mut bench).0.card.expect("read").account, LookedAccount::NotKnown(Refusal::Offline));
    assert!(bench.core.status().online, "a look says nothing about the line");
}

#[test]
fn a_sale_goes_before_a_look_and_has_the_card_right_after_one() {
    let (mut bench, dialogue) = looking();
    bench.start_sale("k1", Tender::Purse, &[("meal-lunch", 1)]);
    bench.settle();
    let waiting = bench.take().iter().any(|effect| matches!(effect, Effect::RunDialogue { .. }));
    assert!(!waiting, "one dialogue at a reader");
    ends(&mut bench, dialogue, card(0x78));
    let next = bench.take().into_iter().find_map(|effect| match effect {
        Effect::RunDialogue { order, .. } => Some(order),
        _ => None,
    });
    assert_eq!(next, Some(DialogueOrder::Purchase { amount: 1_250 }), "it need not be identified again");
    let (view, begun) = look(&mut bench);
    assert_eq!((view.sale.as_deref(), begun), (Some("sale-k1"), None), "nobody looks at a card that pays");
}

#[test]
fn a_card_torn_in_a_look_harms_neither_the_next_look_nor_a_waiting_sale() {
    let (mut bench, dialogue) = looking();
    bench.start_sale("k1", Tender::Purse, &[("meal-lunch", 1)]);
    bench.settle();
    let torn = DialogueOutcome::Look(Outcome::NoAnswer(Stage::Select));
    bench.take();
    bench.input(Input::Card(CardInput::Done { dialogue, outcome: torn }));
    let next = bench.take().into_iter().find_map(|effect| match effect {
        Effect::RunDialogue { dialogue, order, .. } => Some((dialogue, order)),
        _ => None,
    });
    let (identify, order) = next.expect("the card may lie there yet");
    assert_eq!(order, DialogueOrder::Identify);
    bench.settle();
    let sale = bench.core.sale("sale-k1").expect("remembered");
    assert_eq!((sale.state, sale.reason), ("awaiting_card", None), "a look says nothing of the card to a sale");
    lay_on(&mut bench, ReaderState::Empty);
    let outcome = DialogueOutcome::NotRun(gateway_core::NotRun::NoCard);
    bench.input(Input::Card(CardInput::Done { dialogue: identify, outcome }));
    bench.input(Input::Desk(DeskInput::CancelSale { reply: ReplyToken(701), sale: sale.id }));
    bench.settle();
    lay_on(&mut bench, ReaderState::Card);
    let (dialogue, order) = look(&mut bench).1.expect("the next look");
    assert_eq!(order, DialogueOrder::Look);
    ends(&mut bench, dialogue, card(0x78));
    assert_eq!(look(&mut bench).0.card.expect("read").purse, Some(points(4_200)));
}

#[test]
fn a_look_that_found_too_little_heals_while_the_card_lies_there() {
    let (mut bench, dialogue) = looking();
    let torn = DialogueOutcome::Look(Outcome::NoAnswer(Stage::Select));
    bench.input(Input::Card(CardInput::Done { dialogue, outcome: torn }));
    bench.advance(LOOK_AGAIN_MS - 1);
    assert_eq!(look(&mut bench).1, None, "not at once");
    bench.advance(1);
    let (dialogue, _) = look(&mut bench).1.expect("looked at again");
    ends(&mut bench, dialogue, card(0x78));
    let offline = LookedAccount::NotKnown(Refusal::Offline);
    assert_eq!(look(&mut bench).0.card.expect("read").account, offline);
    bench.advance(LOOK_AGAIN_MS);
    assert_eq!(look(&mut bench).1, None, "nobody is there to be asked");
    bench.online();
    let (meanwhile, begun) = look(&mut bench);
    assert_eq!(meanwhile.card.expect("as before").account, offline, "nothing flickers");
    ends(&mut bench, begun.expect("looked at again").0, card(0x78));
    let look_asked = asked(&mut bench).expect("the centre is asked");
    let account = Some(AccountState { balance: points(9_000), available: points(7_500) });
    let result = Ok(BalanceAnswer { v: 1, reason: None, account });
    bench.input(Input::Uplink(UplinkInput::BalanceAnswered { look: look_asked, result }));
    assert_eq!(look(&mut bench).0.card.expect("read").account, LookedAccount::Known(points(7_500)));
    bench.advance(LOOK_AGAIN_MS);
    assert_eq!(look(&mut bench).1, None, "what is known is not asked for again");
}

#[test]
fn a_sale_is_only_found_and_never_begun_by_who_asks_for_a_known_one() {
    let mut bench = Bench::new();
    bench.equip();
    let find = |bench: &mut Bench| {
        bench.take();
        let items = vec![("meal-lunch".parse().expect("an id"), 1)];
        let (key, tender) = ("k1".to_owned(), Tender::Purse);
        bench.input(Input::Desk(DeskInput::FindSale { reply: ReplyToken(702), key, reader: reader(), items, tender }));
        bench.settle();
        bench.take().into_iter().find_map(|effect| match effect {
            Effect::Reply { token: ReplyToken(702), answer: DeskAnswer::Sale(sale) } => Some(Ok(sale.id)),
            Effect::Reply { token: ReplyToken(702), answer: DeskAnswer::Refused(refusal) } => Some(Err(refusal)),
            _ => None,
        })
    };
    assert_eq!(find(&mut bench), Some(Err(Refusal::SaleUnknown)));
    assert!(bench.rows.is_empty(), "nothing was begun");
    bench.start_sale("k1", Tender::Purse, &[("meal-lunch", 1)]);
    bench.settle();
    assert_eq!(find(&mut bench), Some(Ok("sale-k1".to_owned())));
}

#[test]
fn a_look_that_ends_after_its_card_was_changed_shows_nothing_of_the_other_card() {
    let (mut bench, dialogue) = looking();
    lay_on(&mut bench, ReaderState::Empty);
    lay_on(&mut bench, ReaderState::Card);
    ends(&mut bench, dialogue, card(0x78));
    let (view, begun) = look(&mut bench);
    assert_eq!(view.card, None);
    assert!(begun.is_some(), "the new card gets a look of its own");
}

fn call(bench: &mut Bench, key: &str) -> Result<(String, AlarmState), Refusal> {
    bench.take();
    let key = key.to_owned();
    bench.input(Input::Desk(DeskInput::CallStaff { reply: ReplyToken(800), key, reader: reader() }));
    bench.settle();
    let answer = bench.take().into_iter().find_map(|effect| match effect {
        Effect::Reply { token: ReplyToken(800), answer } => Some(answer),
        _ => None,
    });
    match answer.expect("an answer") {
        DeskAnswer::Alarm { id, state } => Ok((id, state)),
        DeskAnswer::Refused(refusal) => Err(refusal),
        DeskAnswer::Sale(_) | DeskAnswer::Card(_) | DeskAnswer::SentAgain { .. } | DeskAnswer::Test(_) => {
            panic!("the staff was called")
        }
    }
}

#[test]
fn a_call_for_the_staff_is_durable_before_it_is_answered_and_travels_as_an_alarm() {
    let mut bench = Bench::new();
    bench.equip();
    let key = "h1".to_owned();
    bench.input(Input::Desk(DeskInput::CallStaff { reply: ReplyToken(800), key, reader: reader() }));
    let answered = |bench: &Bench| bench.effects.iter().any(|effect| matches!(effect, Effect::Reply { .. }));
    assert!(!answered(&bench), "not yet durable");
    bench.settle();
    assert!(answered(&bench));
    let alarm = bench.core.alarms(false).pop().expect("an alarm");
    assert_eq!((alarm.kind.as_str(), alarm.urgency), ("help", Urgency::Request));
    assert_eq!(alarm.detail.as_deref(), Some(reader().as_str()));
    assert_eq!(bench.rows[0].lane, gateway_core::OutLane::Alarms);
}

#[test]
fn a_child_that_hammers_the_button_makes_one_alarm_and_few_entries() {
    let mut bench = Bench::new();
    bench.equip();
    let (first, _) = call(&mut bench, "h0").expect("called");
    assert_eq!(call(&mut bench, "h0").expect("the same call").0, first);
    for press in 1..=1_200 {
        bench.advance(50);
        assert_eq!(call(&mut bench, &format!("h{press}")).expect("called").0, first);
    }
    let entries = bench.rows.iter().filter(|row| row.bytes.contains("\"kind\":\"help\"")).count();
    assert!((2..=3).contains(&entries), "{entries} entries in a minute");
    let calls = bench.core.alarms(false).iter().filter(|alarm| alarm.kind == "help").count();
    assert_eq!(calls, 1);
}

#[test]
fn a_call_goes_its_way_and_the_next_one_is_a_new_one() {
    let mut bench = Bench::new();
    bench.equip();
    let (first, state) = call(&mut bench, "h1").expect("called");
    assert_eq!(state, AlarmState::Raised);
    let by: protocols::id::ActorId = "nurse-1".parse().expect("a name");
    for state in [AlarmState::Acknowledged, AlarmState::OnSite, AlarmState::Resolved] {
        let (alarm, cause) = (first.clone(), Some("helped".to_owned()));
        let step =
            DeskInput::StepAlarm { reply: ReplyToken(801), alarm, state, by: by.clone(), cause, sent: Sent::default() };
        bench.input(Input::Desk(step));
        bench.settle();
        assert_eq!(call(&mut bench, "h1").expect("the same call").1, state);
    }
    let (second, _) = call(&mut bench, "h2").expect("called");
    assert_ne!(first, second);
    let view = look(&mut bench).0;
    assert_eq!(view.help, Some(second), "a page that was loaded anew finds the open call");
}

#[test]
fn a_call_that_no_disk_takes_is_not_answered_as_made() {
    let mut bench = Bench::with(Storage::Dead);
    bench.equip();
    assert_eq!(call(&mut bench, "h1"), Err(Refusal::HelpNotCalled));
    let sent = bench.core.alarms(false).iter().any(|alarm| alarm.kind == "help");
    assert!(sent, "it is on its way to the centre all the same");
}

#[test]
fn a_receipt_has_a_number_names_the_city_s_share_and_both_balances() {
    let mut bench = Bench::new();
    bench.config.catalogue.services[0].full_price = Some(points(2_000));
    let mut bench = bench.restart();
    bench.equip();
    bench.start_sale("k1", Tender::Purse, &[("meal-lunch", 2)]);
    bench.settle();
    let now = bench.now();
    assert_eq!(bench.core.card_wait_left_ms("sale-k1", &now), Some(gateway_core::limits::SALE_CARD_WAIT_MS));
    bench.advance(10_000);
    let (now, limit) = (bench.now(), gateway_core::limits::SALE_CARD_WAIT_MS);
    assert_eq!(bench.core.card_wait_left_ms("sale-k1", &now), Some(limit - 10_000));
    let sale = bench.core.sale("sale-k1").expect("remembered");
    assert_eq!((sale.subsidy, sale.receipt), (points(1_500), None));
    let line = &sale.lines[0];
    assert_eq!((line.name_zh.as_str(), line.quantity, line.unit_subsidy), ("午餐", 2, points(750)));
}
