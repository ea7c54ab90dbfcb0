//! What is told after a commit: long polls that wake, and events for people's pages.
//!
//! **Invariant:** news is told only after the commit that made it true, and holds no personal data.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use protocols::uplink::Lane;
use serde::Serialize;
use tokio::sync::{Notify, broadcast};

use crate::limits;

/// Something that became true.
#[derive(Debug, Clone)]
pub enum News {
    /// A gateway has new orders in a lane.
    Orders {
        /// The gateway.
        gateway: String,
        /// The lane.
        lane: Lane,
    },
    /// Something people may want to see.
    Event(Event),
}

/// An event for the pages, sent as server-sent event `name` with JSON `data`.
#[derive(Debug, Clone, Serialize)]
pub struct Event {
    /// `alarm.raised`, `alarm.step`, `sale.paid`, `gateway.closed` …
    pub name: &'static str,
    /// What it is about: an alarm's id, a sale's origin, a gateway.
    pub data: serde_json::Value,
}

#[derive(Debug)]
struct Desk {
    bells: Mutex<BTreeMap<(String, Lane), Arc<Notify>>>,
    events: broadcast::Sender<Event>,
}

/// Where news is told and heard.
#[derive(Debug, Clone)]
pub struct NewsDesk(Arc<Desk>);

impl NewsDesk {
    pub(crate) fn new() -> Self {
        let (events, _) = broadcast::channel(limits::EVENTS_BEHIND_MAX);
        Self(Arc::new(Desk { bells: Mutex::new(BTreeMap::new()), events }))
    }

    /// The bell that rings when a gateway gets orders in a lane. Only gateways that proved who they are get one, so the
    /// map stays as small as the list of gateways.
    #[must_use]
    pub fn bell(&self, gateway: &str, lane: Lane) -> Arc<Notify> {
        let mut bells = self.0.bells.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(bells.entry((gateway.to_owned(), lane)).or_default())
    }

    /// Listens to events from now on.
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<Event> {
        self.0.events.subscribe()
    }

    /// How many listen.
    #[must_use]
    pub fn listeners(&self) -> usize {
        self.0.events.receiver_count()
    }

    pub(crate) fn tell(&self, news: Vec<News>) {
        for item in news {
            match item {
                News::Orders { gateway, lane } => self.bell(&gateway, lane).notify_waiters(),
                // Nobody listening is fine: events are never the record.
                News::Event(event) => drop(self.0.events.send(event)),
            }
        }
    }
}
