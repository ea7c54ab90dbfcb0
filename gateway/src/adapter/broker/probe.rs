//! A message of the gateway's own that goes through the broker and back: a broker whose disk is full, or whose rules have changed,
//! may take a press, acknowledge it, and deliver nothing, and nobody would notice.
//!
//! ```text
//! Idle --due--> UnderWay --comes back--> Idle
//!                  \--deadline--> Idle, missed: a trouble until one comes back
//! ```
//!
//! Some brokers cut a client whose publish their rules forbid. So after two connections in a row that ended while a probe had no
//! answer, there is none for [`PROBE_PAUSE`], and people are told.
//!
//! **Invariant:** probes cost a site no connection but those two, and one in each such pause.
//! **Invariant:** reports that come in meanwhile show that the broker delivers, so a long backlog is no trouble.
//! **Invariant:** a probe of an earlier connection or of another gateway counts for nothing.

use std::time::Duration;

use tokio::time::Instant;

use super::limits::{PROBE_DEADLINE, PROBE_PAUSE};

/// What the probes of one adapter say of its broker.
#[derive(Debug)]
pub(super) struct Probe {
    topic: String,
    every: Duration,
    /// Tells this start's probes from those of earlier ones.
    start: u64,
    count: u64,
    due: Instant,
    under_way: Option<Instant>,
    /// Whether the broker has said nothing to the last one.
    unanswered: bool,
    /// Connections in a row that ended so.
    cut: u32,
}

/// What a look at the time says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Nothing to do.
    Wait,
    /// A probe is to be sent.
    Send,
    /// The last one did not come back in time.
    Missed,
}

impl Probe {
    /// `start` is drawn anew for each start of the daemon.
    pub fn new(client_id: &str, every: Duration, start: u64) -> Self {
        // What a topic may not have in a name of its own level.
        let level: String = client_id.chars().map(|c| if "+#/$".contains(c) { '_' } else { c }).collect();
        let topic = format!("care-probe/{level}");
        Self { topic, every, start, count: 0, due: Instant::now(), under_way: None, unanswered: false, cut: 0 }
    }

    /// Where probes go out and come back.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// A new connection: the first probe is due at once, unless the last ones cost their connections. True: people have to
    /// know that.
    pub fn connected(&mut self, now: Instant) -> bool {
        let lost = std::mem::take(&mut self.unanswered);
        self.cut = self.cut.saturating_add(u32::from(lost));
        let pause = match self.cut {
            0 => Duration::ZERO,
            1 => self.every,
            _ => PROBE_PAUSE,
        };
        (self.due, self.under_way) = (now + pause, None);
        lost && self.cut >= 2
    }

    /// The broker has acknowledged the last one.
    pub const fn acknowledged(&mut self) {
        (self.unanswered, self.cut) = (false, 0);
    }

    /// When to look next.
    pub fn look_at(&self) -> Instant {
        self.under_way.unwrap_or(self.due)
    }

    /// What is to be done now.
    pub fn look(&mut self, now: Instant) -> Look {
        match self.under_way {
            Some(deadline) if now >= deadline => {
                (self.under_way, self.due) = (None, now + self.every);
                Look::Missed
            }
            None if now >= self.due => Look::Send,
            Some(_) | None => Look::Wait,
        }
    }

    /// The next one, which goes out now.
    pub fn send(&mut self, now: Instant) -> Vec<u8> {
        self.count = self.count.saturating_add(1);
        self.under_way = Some(now + PROBE_DEADLINE);
        self.unanswered = true;
        self.payload()
    }

    /// There is no room to send one, or nothing is read just now: later.
    pub fn postpone(&mut self, now: Instant) {
        match &mut self.under_way {
            Some(deadline) => *deadline = now + PROBE_DEADLINE,
            None => self.due = now + PROBE_DEADLINE,
        }
    }

    /// A report came through the broker.
    pub fn report_came(&mut self, now: Instant) {
        if let Some(deadline) = &mut self.under_way {
            *deadline = now + PROBE_DEADLINE;
        }
    }

    /// A message came on the probes' topic: whether it is the last that was sent.
    pub fn came(&mut self, payload: &[u8], now: Instant) -> bool {
        if payload != self.payload() {
            return false;
        }
        (self.under_way, self.due) = (None, now + self.every);
        self.acknowledged();
        true
    }

    fn payload(&self) -> Vec<u8> {
        format!("{:016x}.{}", self.start, self.count).into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(30);

    #[test]
    fn a_probe_that_comes_back_is_followed_by_the_next_and_one_that_does_not_is_missed_once() {
        let mut probe = Probe::new("gw/1", EVERY, 7);
        assert_eq!(probe.topic(), "care-probe/gw_1");
        let now = Instant::now();
        assert_eq!(probe.look(now), Look::Send);
        let first = probe.send(now);
        assert_eq!(probe.look(now), Look::Wait);
        assert!(probe.came(&first, now) && probe.look_at() == now + EVERY);
        let now = now + EVERY;
        assert_eq!(probe.look(now), Look::Send);
        probe.send(now);
        assert!(!probe.came(&first, now), "an earlier one says nothing");
        assert!(!probe.came(b"0000000000000008.2", now), "nor does another gateway's");
        let late = now + PROBE_DEADLINE;
        assert_eq!((probe.look(late), probe.look(late)), (Look::Missed, Look::Wait));
    }

    #[test]
    fn a_broker_that_ends_two_connections_at_a_probe_is_left_alone_for_long() {
        let mut probe = Probe::new("gw", EVERY, 7);
        let now = Instant::now();
        probe.send(now);
        probe.acknowledged();
        assert!(!probe.connected(now) && probe.look(now) == Look::Send, "that one was acknowledged");
        probe.send(now);
        assert!(!probe.connected(now) && probe.look_at() == now + EVERY);
        probe.send(now);
        assert!(probe.connected(now) && probe.look_at() == now + PROBE_PAUSE);
        assert!(!probe.connected(now) && probe.look_at() == now + PROBE_PAUSE, "told once");
        let sent = probe.send(now);
        assert!(probe.came(&sent, now) && !probe.connected(now) && probe.look_at() == now);
    }

    #[test]
    fn reports_that_come_in_put_the_deadline_off() {
        let mut probe = Probe::new("gw", EVERY, 7);
        let now = Instant::now();
        probe.send(now);
        let later = now + PROBE_DEADLINE / 2;
        probe.report_came(later);
        assert_eq!(probe.look(now + PROBE_DEADLINE), Look::Wait);
        assert_eq!(probe.look(later + PROBE_DEADLINE), Look::Missed);
    }
}
