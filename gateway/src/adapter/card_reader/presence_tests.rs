//! What a slot's state is after what happened, and which reader a slot gets.

use super::*;

fn card(count: u32) -> Sight {
    Sight::Card { reader: c"Reader 00 00".to_owned(), count, mute: false }
}

#[test]
fn a_card_is_told_once_for_each_time_it_is_laid_on() {
    let mut presence = Presence::new();
    let mut told = Vec::new();
    for sight in [Sight::Gone, Sight::Empty, card(1), card(1), card(1), Sight::Empty, card(3), card(5)] {
        presence.see(sight);
        told.extend(presence.news());
    }
    use ReaderState::{Card, Empty, Gone};
    assert_eq!(told, [Gone, Empty, Card, Empty, Card, Card]);
}

#[test]
fn a_card_that_comes_back_with_the_reader_is_laid_on_anew() {
    let mut presence = Presence::new();
    presence.see(card(1));
    let first = presence.lying().unwrap().insertion;
    presence.see(Sight::Gone);
    assert_eq!(presence.lying(), None);
    presence.see(card(1));
    assert_ne!(presence.lying().unwrap().insertion, first);
}

#[test]
fn a_silent_card_is_mute_until_it_is_laid_on_anew() {
    let mut presence = Presence::new();
    presence.see(card(1));
    let insertion = presence.lying().unwrap().insertion;
    presence.fell_silent(insertion);
    assert_eq!(presence.news(), Some(ReaderState::Mute));
    assert_eq!(presence.lying(), None);
    presence.see(card(1));
    assert_eq!(presence.news(), None);
    presence.see(card(3));
    assert_eq!(presence.news(), Some(ReaderState::Card));
}

#[test]
fn a_card_that_fell_silent_after_another_was_laid_on_does_not_mute_that_one() {
    let mut presence = Presence::new();
    presence.see(card(1));
    let first = presence.lying().unwrap().insertion;
    presence.see(card(3));
    presence.fell_silent(first);
    assert_eq!(presence.news(), Some(ReaderState::Card));
}

#[test]
fn a_card_without_an_answer_to_reset_is_mute_from_the_start() {
    let mut presence = Presence::new();
    presence.see(Sight::Card { reader: c"R".to_owned(), count: 1, mute: true });
    assert_eq!(presence.news(), Some(ReaderState::Mute));
    assert_eq!(presence.lying(), None);
}

#[test]
fn a_slot_with_too_many_stuck_threads_is_gone_until_one_returns() {
    let mut presence = Presence::new();
    presence.see(card(1));
    for _ in 0..STUCK_THREADS_MAX {
        presence.thread_stuck();
    }
    assert_eq!(presence.news(), Some(ReaderState::Gone));
    presence.see(Sight::Empty);
    assert_eq!(presence.news(), None);
    presence.thread_returned();
    assert_eq!(presence.news(), Some(ReaderState::Empty));
}

#[test]
fn a_full_name_comes_before_a_beginning_and_nobody_gets_the_same_reader() {
    let listed = [c"A 00 00", c"A 00 01", c"B 00 00"].map(CStr::to_owned);
    let assigned = assign(&["A", "A 00 00", "B", "C"], &[None, None, None, None], &listed);
    let [a0, a1, b0] = listed.map(Some);
    assert_eq!(assigned, [a1, a0, b0, None]);
}

#[test]
fn a_slot_keeps_its_reader_when_another_of_its_name_comes() {
    let [old, new] = [c"A 01 00", c"A 00 00"].map(CStr::to_owned);
    let held = [Some(old.clone())];
    assert_eq!(assign(&["A"], &held, &[new.clone(), old.clone()]), [Some(old)]);
    assert_eq!(assign(&["A"], &held, std::slice::from_ref(&new)), [Some(new)]);
}
