//! What does not work just now although the gateway runs: who notices it writes it here, people and monitoring read it.
//!
//! ```text
//!   listeners, broker, journal, devices file ── begin, end ──> Troubles ──> status, /readyz, metric, log, service manager
//!                                                         └───────> the core, which raises a technical alarm
//! ```
//!
//! **Invariant:** a part is in trouble or well; only a change is logged and told, however often the part tries again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::gauge;
use protocols::uplink::OwnAlarm;

/// A part that the gateway runs without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The journal: it could not be opened, or takes nothing.
    Journal,
    /// Entries of the journal that do not fit their hashes.
    JournalRows,
    /// The device link's listener without TLS.
    DeviceLinkPlain,
    /// The device link's listener with TLS.
    DeviceLinkTls,
    /// The connection to an existing broker.
    Broker,
    /// What goes through an existing broker, which takes messages and does not deliver them.
    BrokerDelivery,
    /// The local interface's listener.
    Kiosk,
    /// The threads of the card readers.
    CardReaders,
    /// The devices file; the last good one stays in use.
    DevicesFile,
}

impl Part {
    /// The word for programs, logs and metrics.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Journal => "journal",
            Self::JournalRows => "journal_rows",
            Self::DeviceLinkPlain => "device_link_plain",
            Self::DeviceLinkTls => "device_link_tls",
            Self::Broker => "broker",
            Self::BrokerDelivery => "broker_delivery",
            Self::Kiosk => "kiosk",
            Self::CardReaders => "card_readers",
            Self::DevicesFile => "devices_file",
        }
    }

    /// Whether alarms are not taken as promised while it does not work: some devices cannot reach the gateway, or what
    /// they say is acknowledged by the centre only.
    #[must_use]
    pub const fn concerns_alarms(self) -> bool {
        match self {
            Self::Journal | Self::DeviceLinkPlain | Self::DeviceLinkTls | Self::Broker | Self::BrokerDelivery => true,
            Self::JournalRows | Self::Kiosk | Self::CardReaders | Self::DevicesFile => false,
        }
    }

    /// The kind of the technical alarm; none where the core knows by itself and raises one.
    const fn alarm(self) -> Option<OwnAlarm> {
        match self {
            Self::Journal => None,
            Self::JournalRows => Some(OwnAlarm::JournalDamaged),
            Self::DeviceLinkPlain | Self::DeviceLinkTls => Some(OwnAlarm::DeviceLinkDown),
            Self::Broker => Some(OwnAlarm::BrokerDown),
            Self::BrokerDelivery => Some(OwnAlarm::BrokerStuck),
            Self::Kiosk => Some(OwnAlarm::KioskDown),
            Self::CardReaders => Some(OwnAlarm::CardReadersDown),
            Self::DevicesFile => Some(OwnAlarm::DevicesFileWrong),
        }
    }
}

/// What is told to the core once for each trouble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// The alarm's kind.
    pub kind: OwnAlarm,
    /// What is wrong, for technicians.
    pub detail: String,
}

#[derive(Debug, Default)]
struct Seen {
    now: BTreeMap<Part, String>,
    news: Vec<News>,
    changed: bool,
}

/// What does not work just now; cheap to clone, all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Troubles {
    seen: Arc<Mutex<Seen>>,
}

impl Troubles {
    /// `part` does not work; `detail` says why, for technicians, without anything personal.
    pub fn begin(&self, part: Part, detail: &str) {
        let mut seen = self.lock();
        if seen.now.get(&part).is_some_and(|known| known == detail) {
            return;
        }
        let is_new = seen.now.insert(part, detail.to_owned()).is_none();
        seen.changed = true;
        if let (true, Some(kind)) = (is_new, part.alarm()) {
            seen.news.push(News { kind, detail: format!("{}: {detail}", part.word()) });
        }
        drop(seen);
        gauge!("gateway_degraded", "part" => part.word()).set(1.0);
        tracing::error!(part = part.word(), detail, "a part does not work; the gateway goes on without it");
    }

    /// Something about `part` that people have to look at although it works: only the technical alarm of its kind.
    pub fn tell(&self, part: Part, detail: &str) {
        tracing::warn!(part = part.word(), detail, "somebody should look at this");
        if let Some(kind) = part.alarm() {
            self.lock().news.push(News { kind, detail: format!("{}: {detail}", part.word()) });
        }
    }

    /// `part` works.
    pub fn end(&self, part: Part) {
        let mut seen = self.lock();
        let was = seen.now.remove(&part).is_some();
        seen.changed |= was;
        drop(seen);
        gauge!("gateway_degraded", "part" => part.word()).set(0.0);
        if was {
            tracing::info!(part = part.word(), "the part works again");
        }
    }

    /// Everything that does not work just now, with its detail.
    #[must_use]
    pub fn now(&self) -> Vec<(Part, String)> {
        self.lock().now.iter().map(|(part, detail)| (*part, detail.clone())).collect()
    }

    /// What began and was not told to the core yet.
    #[must_use]
    pub fn take_news(&self) -> Vec<News> {
        std::mem::take(&mut self.lock().news)
    }

    /// The line for the service manager, when it is another than before.
    #[must_use]
    pub fn take_line(&self) -> Option<String> {
        let mut seen = self.lock();
        if !std::mem::take(&mut seen.changed) {
            return None;
        }
        let parts: Vec<String> = seen.now.iter().map(|(part, detail)| format!("{}: {detail}", part.word())).collect();
        Some(if parts.is_empty() { "well".to_owned() } else { format!("degraded: {}", parts.join("; ")) })
    }

    /// Each value behind the lock is whole after every statement, so a panic elsewhere does no harm.
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_is_told_once_however_often_the_part_tries_again_and_anew_after_it_was_well() {
        let troubles = Troubles::default();
        for _ in 0..3 {
            troubles.begin(Part::Kiosk, "127.0.0.1:8080: address in use");
        }
        let told = troubles.take_news();
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(
            (told[0].kind, told[0].detail.as_str()),
            (OwnAlarm::KioskDown, "kiosk: 127.0.0.1:8080: address in use")
        );
        assert_eq!(troubles.take_line().as_deref(), Some("degraded: kiosk: 127.0.0.1:8080: address in use"));
        assert_eq!(troubles.take_line(), None);
        troubles.end(Part::Kiosk);
        assert_eq!((troubles.now().len(), troubles.take_line().as_deref()), (0, Some("well")));
        troubles.begin(Part::Kiosk, "again");
        assert_eq!(troubles.take_news().len(), 1);
    }

    #[test]
    fn the_core_tells_of_a_dead_journal_itself() {
        let troubles = Troubles::default();
        troubles.begin(Part::Journal, "entry 3 is damaged");
        assert_eq!(troubles.take_news(), []);
        assert_eq!(troubles.now().len(), 1);
    }
}
