//! The journal's writing end inside the core: numbers, bytes, hash chain, and what is held back until it is durable.
//!
//! ```text
//! record, put ──> pending ──(no group under way)──> group under way ──(Committed)──> held things are released
//!                    ▲                                     │
//!                    └────── hold: released with the latest of both that is not empty
//! ```
//!
//! **Invariant:** rows are numbered 1, 2, 3 … in the order in which they were recorded; at most one group is under way.
//! **Invariant:** what is held is released in order, and never before everything recorded before it is durable.
//! **Invariant:** where no disk takes a commit, nothing is kept for one and nothing is held: a promise is then made only
//! by the centre's word, never by this journal.

use hmac::{Hmac, KeyInit, Mac};
use protocols::id::{GatewayId, Seq};
use protocols::uplink::{Epoch, HASH_LEN, Origin, PrivateRecord, Source};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::effect::{Group, Row, StateChange};
use crate::input::OutLane;
use crate::time::Now;

/// The head from which a journal goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The journal's id.
    pub journal: String,
    /// The last row's number; 0 before the first.
    pub n: u64,
    /// The last row's hash; zeros before the first.
    pub hash: [u8; HASH_LEN],
}

/// Who a fact's identity comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Identity {
    /// The fact arose elsewhere and brings its own.
    Given(Origin),
    /// The fact arose here: this gateway, this journal, this number.
    Own,
}

/// A fact before it has a number.
#[derive(Debug)]
pub(crate) struct Draft<'a, B> {
    pub identity: Identity,
    pub kind: &'static str,
    pub about: Option<&'a Origin>,
    pub body: &'a B,
    /// What was reported, for telling duplicates from conflicts.
    pub fingerprint: u64,
    pub lane: OutLane,
    pub private: Option<PrivateRecord>,
}

/// What was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recorded {
    pub n: u64,
    pub origin: Origin,
}

#[derive(Debug)]
struct Pending<H> {
    rows: Vec<Row>,
    counts: LaneCounts,
    state: Vec<StateChange>,
    held: Vec<H>,
}

impl<H> Default for Pending<H> {
    fn default() -> Self {
        Self { rows: Vec::new(), counts: [0; OutLane::ALL.len()], state: Vec::new(), held: Vec::new() }
    }
}

/// Rows by lane, in the order of [`OutLane::ALL`].
pub(crate) type LaneCounts = [u64; OutLane::ALL.len()];

fn lane_of(counts: &mut LaneCounts, lane: OutLane) -> Option<&mut u64> {
    OutLane::ALL.iter().zip(counts).find(|(of, _)| **of == lane).map(|(_, count)| count)
}

/// The journal's writing end; `H` is what can be held.
#[derive(Debug)]
pub(crate) struct Journal<H> {
    keeps: bool,
    gateway: GatewayId,
    id: String,
    last_n: u64,
    last_hash: [u8; HASH_LEN],
    pending: Pending<H>,
    under_way: Option<(u64, Vec<H>, LaneCounts)>,
    next_group: u64,
    committed_n: u64,
}

/// The bytes of an entry; the field order is the wire's.
#[derive(Serialize)]
struct EntryText<'a, B> {
    v: u8,
    origin: &'a Origin,
    kind: &'a str,
    about: Option<&'a Origin>,
    recorded_at: &'a str,
    clock: protocols::uplink::Clock,
    body: &'a B,
}

/// The text of an entry as it is hashed, stored and sent.
pub(crate) fn entry_text<B: Serialize>(
    origin: &Origin,
    kind: &str,
    about: Option<&Origin>,
    now: &Now,
    body: &B,
) -> String {
    let text = EntryText {
        v: protocols::version::CURRENT,
        origin,
        kind,
        about,
        recorded_at: &now.civil,
        clock: now.clock,
        body,
    };
    serde_json::to_string(&text).expect("bodies are plain structs without maps, which always serialise")
}

/// The first 8 bytes of a SHA-256: tells one report's body from another's.
pub(crate) fn fingerprint(bytes: &[u8]) -> u64 {
    let digest = Sha256::digest(bytes);
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    // SQLite keeps signed 64-bit integers; the top bit is dropped so that the number is the same everywhere.
    u64::from_be_bytes(first) & (u64::MAX >> 1)
}

/// A private record and the `private_hmac` that its entry holds.
pub(crate) fn seal_private<P: Serialize>(salt: &[u8; 32], private: &P) -> (PrivateRecord, String) {
    let bytes = serde_json::to_string(private).expect("private records are plain structs, which always serialise");
    let mut mac = Hmac::<Sha256>::new_from_slice(salt).expect("HMAC takes keys of any length");
    mac.update(bytes.as_bytes());
    let hmac = hex_lower(&mac.finalize().into_bytes());
    (PrivateRecord { salt: hex_lower(salt), bytes }, hmac)
}

/// Lower-case hex.
pub(crate) fn hex_lower(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len().saturating_mul(2)), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl<H> Journal<H> {
    /// `keeps`: whether commits are possible at all.
    pub fn new(gateway: GatewayId, head: Head, keeps: bool) -> Self {
        Self {
            keeps,
            gateway,
            id: head.journal,
            last_n: head.n,
            last_hash: head.hash,
            pending: Pending::default(),
            under_way: None,
            next_group: 1,
            committed_n: head.n,
        }
    }

    /// The journal's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The last row.
    pub const fn last_n(&self) -> u64 {
        self.last_n
    }

    /// The last row that is durable.
    pub const fn committed_n(&self) -> u64 {
        self.committed_n
    }

    /// Rows that wait for a commit.
    pub fn pending_rows(&self) -> usize {
        self.pending.rows.len()
    }

    /// Things held back and state values that wait for a commit.
    pub fn pending_things(&self) -> usize {
        let under_way = self.under_way.as_ref().map_or(0, |(_, held, _)| held.len());
        self.pending.held.len().saturating_add(under_way).saturating_add(self.pending.state.len())
    }

    /// The origin that an own fact recorded next would get.
    fn own_origin(&self, n: u64) -> Origin {
        Origin {
            source: Source::Gateway(self.gateway.clone()),
            epoch: Epoch::Text(self.id.clone()),
            seq: Seq::new(n).expect("a journal never reaches 2^53 rows"),
        }
    }

    /// Gives a fact its number and its place in the chain.
    pub fn record<B: Serialize>(&mut self, draft: Draft<'_, B>, now: &Now) -> Recorded {
        let n = self.last_n.checked_add(1).expect("a journal never reaches 2^64 rows");
        let origin = match draft.identity {
            Identity::Given(origin) => origin,
            Identity::Own => self.own_origin(n),
        };
        if !self.keeps {
            return Recorded { n: 0, origin };
        }
        let bytes = entry_text(&origin, draft.kind, draft.about, now, draft.body);
        let hash: [u8; HASH_LEN] =
            Sha256::new().chain_update(self.last_hash).chain_update(bytes.as_bytes()).finalize().into();
        if let Some(count) = lane_of(&mut self.pending.counts, draft.lane) {
            *count = count.saturating_add(1);
        }
        self.pending.rows.push(Row {
            n,
            hash,
            bytes,
            source: origin.source.to_string(),
            epoch: origin.epoch.to_string(),
            seq: origin.seq.get(),
            kind: draft.kind.to_owned(),
            body: draft.fingerprint,
            lane: draft.lane,
            private: draft.private,
        });
        self.last_n = n;
        self.last_hash = hash;
        Recorded { n, origin }
    }

    /// The text of what was recorded last, while no group has it.
    pub fn last_text(&self) -> Option<&str> {
        self.pending.rows.last().map(|row| row.bytes.as_str())
    }

    /// Sets a state value, in the transaction of what was recorded with it.
    pub fn put<V: Serialize>(&mut self, key: String, value: &V) {
        if !self.keeps {
            return;
        }
        let value = serde_json::to_string(value).expect("state values are plain structs, which always serialise");
        self.pending.state.push(StateChange::Put { key, value });
    }

    /// Removes a state value.
    pub fn delete(&mut self, key: String) {
        if self.keeps {
            self.pending.state.push(StateChange::Delete { key });
        }
    }

    /// Holds `thing` until everything recorded so far is durable; gives it back when that is so already.
    pub fn hold(&mut self, thing: H) -> Option<H> {
        if !self.pending.rows.is_empty() || !self.pending.state.is_empty() {
            self.pending.held.push(thing);
            return None;
        }
        match &mut self.under_way {
            Some((_, held, _)) => {
                held.push(thing);
                None
            }
            None => Some(thing),
        }
    }

    /// Whether a group could start now.
    pub fn is_ready(&self) -> bool {
        self.under_way.is_none() && (!self.pending.rows.is_empty() || !self.pending.state.is_empty())
    }

    /// Whether nothing waits and nothing is under way.
    pub const fn is_idle(&self) -> bool {
        self.under_way.is_none() && self.pending.rows.is_empty() && self.pending.state.is_empty()
    }

    /// Rows that wait in `lane`, not yet in a group.
    pub fn pending_in(&self, lane: OutLane) -> u64 {
        let mut counts = self.pending.counts;
        lane_of(&mut counts, lane).map_or(0, |count| *count)
    }

    /// Rows of `lane` that are not durable yet.
    pub fn unsettled_in(&self, lane: OutLane) -> u64 {
        let under_way = self.under_way.as_ref().map_or(0, |(_, _, counts)| {
            OutLane::ALL.iter().zip(counts).find(|(l, _)| **l == lane).map_or(0, |(_, count)| *count)
        });
        self.pending_in(lane).saturating_add(under_way)
    }

    /// Everything that waits, as one group.
    pub fn start_group(&mut self) -> Group {
        let Pending { rows, counts, state, held } = std::mem::take(&mut self.pending);
        let id = self.next_group;
        self.next_group = self.next_group.saturating_add(1);
        self.under_way = Some((id, held, counts));
        Group { id, rows, state }
    }

    /// A group is durable: what was held for it, and how many rows each lane got. `None` for a number not under way.
    pub fn committed(&mut self, group: u64) -> Option<(Vec<H>, LaneCounts)> {
        if self.under_way.as_ref().is_none_or(|(id, _, _)| *id != group) {
            return None;
        }
        let (_, held, counts) = self.under_way.take()?;
        self.committed_n = self.last_n.saturating_sub(self.pending.rows.len() as u64);
        Some((held, counts))
    }
}
