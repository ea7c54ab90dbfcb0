//! The decision over every order in which a sale's facts can arrive.

use proptest::prelude::*;

use super::*;

/// A fact of one sale on its way to the centre.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Intent(Tender),
    Hold,
    Outcome(SaleOutcome),
}

/// What the ledger did for the sale.
#[derive(Debug, Default, PartialEq, Eq)]
struct Effects {
    posts: u32,
    voids: u32,
    purses: u32,
    doubts: u32,
}

const AMOUNT: u64 = 1_250;

fn amount() -> Points {
    Points::from_fen(AMOUNT).expect("an amount")
}

fn terms() -> Terms {
    let text = r#"[{"service":"meal-lunch","provider":"canteen-01","quantity":1,"unit_price":1250}]"#;
    Terms { amount: amount(), items: serde_json::from_str(text).expect("lines"), card: "card-1".to_owned() }
}

fn run(events: &[Event]) -> (Facts, Effects) {
    let mut facts = Facts { intent: None, outcome: None, hold: None, settled: false };
    let mut effects = Effects::default();
    for event in events {
        match event {
            Event::Intent(tender) => facts.intent = Some((*tender, terms())),
            Event::Hold => {
                let ended = matches!(facts.outcome, Some(SaleOutcome::Refused | SaleOutcome::Cancelled));
                if facts.hold.is_none() && !ended {
                    facts.hold = Some((HoldState::Held, terms()));
                }
            }
            Event::Outcome(told) => match merge(facts.outcome, *told) {
                Merge::Take => facts.outcome = Some(*told),
                Merge::Keep => {}
                Merge::Contradiction => effects.doubts += 1,
            },
        }
        let held = facts.hold.clone().map(|(_, held)| held);
        match due(&facts) {
            Due::Nothing => {}
            Due::Doubt(_) => effects.doubts += 1,
            Due::Close => facts.settled = true,
            Due::Purse => {
                effects.purses += 1;
                facts.settled = true;
            }
            Due::Post => {
                effects.posts += 1;
                facts.hold = held.map(|held| (HoldState::Posted, held));
                facts.settled = true;
            }
            Due::Void => {
                effects.voids += 1;
                facts.hold = held.map(|held| (HoldState::Voided, held));
                facts.settled = true;
            }
        }
    }
    (facts, effects)
}

fn outcome() -> impl Strategy<Value = SaleOutcome> {
    prop_oneof![
        Just(SaleOutcome::Paid),
        Just(SaleOutcome::Refused),
        Just(SaleOutcome::Cancelled),
        Just(SaleOutcome::Unknown),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![Just(Event::Intent(Tender::Account)), Just(Event::Hold), outcome().prop_map(Event::Outcome),]
}

proptest! {
    #[test]
    fn a_sale_has_at_most_one_effect_whatever_arrives(events in prop::collection::vec(event(), 0..12)) {
        let (_, effects) = run(&events);
        prop_assert!(effects.posts + effects.voids + effects.purses <= 1, "{effects:?}");
    }

    #[test]
    fn unknown_alone_never_moves_a_point(count in 0_usize..4, tender in prop_oneof![Just(Tender::Account), Just(Tender::Purse)]) {
        let mut events = vec![Event::Intent(tender)];
        events.extend(vec![Event::Outcome(SaleOutcome::Unknown); count]);
        let (facts, effects) = run(&events);
        prop_assert_eq!(effects, Effects::default());
        prop_assert!(!facts.settled);
    }

    #[test]
    fn a_sale_from_the_account_ends_the_same_in_every_order(
        last in prop_oneof![Just(SaleOutcome::Paid), Just(SaleOutcome::Refused), Just(SaleOutcome::Cancelled)],
        order in Just(vec![
            Event::Intent(Tender::Account), Event::Hold, Event::Hold, Event::Outcome(SaleOutcome::Unknown),
        ]).prop_shuffle(),
        at in 0_usize..5,
        again in 0_usize..5,
    ) {
        let mut events = order;
        events.insert(at.min(events.len()), Event::Outcome(last));
        events.insert(again.min(events.len()), Event::Outcome(last));
        let (facts, effects) = run(&events);
        prop_assert!(facts.settled, "{events:?}");
        if last == SaleOutcome::Paid {
            prop_assert_eq!((effects.posts, effects.voids), (1, 0));
        } else {
            // Where the outcome came first, there was nothing to give back.
            prop_assert_eq!(effects.posts, 0);
            prop_assert!(!matches!(facts.hold, Some((HoldState::Held | HoldState::Posted, _))));
        }
    }

    #[test]
    fn a_purse_that_paid_is_debited_once_in_every_order(
        events in Just(vec![
            Event::Intent(Tender::Purse),
            Event::Intent(Tender::Purse),
            Event::Outcome(SaleOutcome::Unknown),
            Event::Outcome(SaleOutcome::Paid),
            Event::Outcome(SaleOutcome::Paid),
        ]).prop_shuffle(),
    ) {
        let (facts, effects) = run(&events);
        prop_assert_eq!(effects, Effects { purses: 1, ..Effects::default() });
        prop_assert!(facts.settled);
    }
}

#[test]
fn g8_a_hold_of_another_amount_is_never_posted() {
    let other = Terms { amount: Points::from_fen(AMOUNT + 1).expect("an amount"), ..terms() };
    assert_eq!(paid(other), Due::Doubt(Doubt::AmountDiffers));
}

#[test]
fn a_hold_of_another_card_or_other_lines_is_never_posted() {
    assert_eq!(paid(terms()), Due::Post);
    assert_eq!(paid(Terms { card: "card-2".to_owned(), ..terms() }), Due::Doubt(Doubt::CardDiffers));
    assert_eq!(paid(Terms { items: Vec::new(), ..terms() }), Due::Doubt(Doubt::ItemsDiffer));
}

fn paid(held: Terms) -> Due {
    due(&Facts {
        intent: Some((Tender::Account, terms())),
        outcome: Some(SaleOutcome::Paid),
        hold: Some((HoldState::Held, held)),
        settled: false,
    })
}
