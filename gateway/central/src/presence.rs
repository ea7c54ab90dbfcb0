//! Who is at a board, and which alarm they look at: so that two operators see each other.
//!
//! In memory only, and gone [`PRESENCE_TIME`] after the last word: a page says it again and again.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use protocols::id::ActorId;
use serde::Serialize;
use tokio::time::Instant;

use crate::limits::PRESENCE_TIME;

#[derive(Debug)]
struct Place {
    alarm: Option<String>,
    said: Instant,
}

/// Somebody at a board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Present {
    /// Who.
    pub who: String,
    /// The alarm that they have open; none where they look at the list.
    pub alarm: Option<String>,
}

/// Who is there. No larger than the list of operators.
#[derive(Debug, Default)]
pub struct Presence(Mutex<BTreeMap<String, Place>>);

impl Presence {
    /// Somebody says what they look at; whether that is new to the others.
    pub fn say(&self, who: &ActorId, alarm: Option<String>, now: Instant) -> bool {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        places.retain(|_, place| is_there(place, now));
        let before = places.insert(who.as_str().to_owned(), Place { alarm: alarm.clone(), said: now });
        before.is_none_or(|before| before.alarm != alarm)
    }

    /// Somebody leaves; whether they were there.
    pub fn leave(&self, who: &ActorId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(who.as_str()).is_some()
    }

    /// Who is there, by name.
    #[must_use]
    pub fn list(&self, now: Instant) -> Vec<Present> {
        let places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let there = places.iter().filter(|(_, place)| is_there(place, now));
        there.map(|(who, place)| Present { who: who.clone(), alarm: place.alarm.clone() }).collect()
    }
}

fn is_there(place: &Place, now: Instant) -> bool {
    now.saturating_duration_since(place.said) < PRESENCE_TIME
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_says_nothing_for_a_while_is_gone_and_a_change_is_news() {
        let (presence, now) = (Presence::default(), Instant::now());
        let (day, night): (ActorId, ActorId) = ("op-day".parse().expect("a name"), "op-night".parse().expect("a name"));
        assert!(presence.say(&day, None, now));
        assert!(presence.say(&day, Some("btn-0001.1.1".to_owned()), now));
        assert!(!presence.say(&day, Some("btn-0001.1.1".to_owned()), now));
        let later = now + PRESENCE_TIME / 2;
        assert!(presence.say(&night, None, later));
        assert_eq!(presence.list(later).len(), 2);
        let gone = presence.list(now + PRESENCE_TIME);
        assert_eq!(gone, [Present { who: "op-night".to_owned(), alarm: None }]);
        assert!(presence.leave(&night) && !presence.leave(&night));
    }
}
