//! The chain of a journal at the centre: where each entry stands in it, and how far it is gapless and verified.
//!
//! Entries may arrive in any order of `n`, since alarms overtake. An entry is *linked* once its hash was checked against
//! that of the entry before it; until then its bytes are kept beside its hash. The head is the last entry of the prefix
//! without a gap in which all are linked.
//!
//! **Invariant:** acceptance never waits for the head.
//! **Invariant:** a number has one hash for ever; what comes later with another one closes the gateway's sales.

use std::collections::{BTreeMap, BTreeSet};

use protocols::id::{GatewayId, JSON_INTEGER_MAX};
use protocols::uplink::{Head, Outcome};
use serde_json::json;
use sqlx::{Row as _, SqliteConnection};

use super::shape::{FIRST_HASH, Hash, Item, Refusal, link};
use crate::limits;
use crate::news::{Event, News};
use crate::store::{StoreError, Tx, in_list, insert_rows};

/// Runs of numbers up to which ranges are asked for; above, the numbers themselves.
const RUNS_MAX: usize = 8;

/// A journal as the centre knows it.
#[derive(Debug)]
pub struct Journal {
    /// Its row.
    pub id: i64,
    pub(super) head_n: u64,
    pub(super) head_hash: Hash,
    pub(super) forked_n: Option<u64>,
    pub(super) newly_forked: bool,
}

/// Where an entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the chain, its hash follows from the one before.
    Linked,
    /// In the chain; the one before is not here yet.
    Early,
    /// Taken beside the chain: an alarm without a number, or with one that does not fit.
    Beside,
    /// Was here before; index into the rows found.
    Before,
    /// The same number and hash stand earlier in the same upload, at this index.
    Again(usize),
    /// Can never be taken.
    Refused(Refusal),
}

/// What was stored for a number.
#[derive(Debug)]
pub struct Stored {
    hash: Hash,
    linked: bool,
    bytes: Option<String>,
    /// What was said of it.
    pub outcome: String,
    /// Why.
    pub reason: Option<String>,
}

/// The places of an upload's entries.
#[derive(Debug)]
pub struct Placed {
    /// One for each entry.
    pub places: Vec<Place>,
    /// What was stored before, by number.
    pub stored: BTreeMap<u64, Stored>,
    /// Rows of earlier uploads that are linked by this one.
    links: Vec<u64>,
    /// Indices of entries that are on another branch.
    forks: Vec<usize>,
}

/// Finds the journal of a gateway, or begins it; closes the gateway's sales where a person has to look first.
///
/// # Errors
/// The database cannot do it.
pub async fn open(tx: &mut Tx, gateway: &GatewayId, name: &str) -> Result<Journal, StoreError> {
    let known = sqlx::query(
        "SELECT j.id, j.head_n, j.head_hash, j.forked_n, j.approved, g.journal FROM journals j
         JOIN gateways g ON g.id = j.gateway WHERE j.gateway = $1 AND j.journal = $2",
    )
    .bind(gateway.as_str())
    .bind(name)
    .fetch_optional(&mut tx.conn)
    .await?;
    let Some(row) = known else { return begin(tx, gateway, name).await };
    let current: Option<String> = row.try_get(5)?;
    let id: i64 = row.try_get(0)?;
    if current.as_deref() != Some(name) {
        // A journal that was left behind is back: a restored copy, or a second box with the same identity.
        sqlx::query("UPDATE journals SET approved = 0 WHERE id = $1").bind(id).execute(&mut tx.conn).await?;
        close(tx, gateway, "journal_back").await?;
    }
    Ok(Journal {
        id,
        head_n: row.try_get::<i64, _>(1)?.unsigned_abs(),
        head_hash: row.try_get::<Vec<u8>, _>(2)?.try_into().map_err(|_| StoreError::Row { table: "journals" })?,
        forked_n: row.try_get::<Option<i64>, _>(3)?.map(i64::unsigned_abs),
        newly_forked: false,
    })
}

async fn begin(tx: &mut Tx, gateway: &GatewayId, name: &str) -> Result<Journal, StoreError> {
    let row = sqlx::query(
        "SELECT g.trusted, (SELECT COUNT(*) FROM journals j WHERE j.gateway = g.id) FROM gateways g WHERE g.id = $1",
    )
    .bind(gateway.as_str())
    .fetch_one(&mut tx.conn)
    .await?;
    let approved = row.try_get::<i64, _>(0)? == 1 && row.try_get::<i64, _>(1)? == 0;
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO journals (gateway, journal, approved, first_seen_ms, head_n, head_hash, entries)
         VALUES ($1, $2, $3, $4, 0, $5, 0) RETURNING id",
    )
    .bind(gateway.as_str())
    .bind(name)
    .bind(i64::from(approved))
    .bind(tx.now.ms)
    .bind(FIRST_HASH.as_slice())
    .fetch_one(&mut tx.conn)
    .await?;
    if !approved {
        close(tx, gateway, "journal_new").await?;
    }
    Ok(Journal { id, head_n: 0, head_hash: FIRST_HASH, forked_n: None, newly_forked: false })
}

async fn close(tx: &mut Tx, gateway: &GatewayId, reason: &'static str) -> Result<(), StoreError> {
    sqlx::query("UPDATE gateways SET closed_reason = $2 WHERE id = $1")
        .bind(gateway.as_str())
        .bind(reason)
        .execute(&mut tx.conn)
        .await?;
    tracing::warn!(gateway = gateway.as_str(), reason, "sales of a gateway are closed until a person approves");
    tx.news.push(News::Event(Event {
        name: "gateway.closed",
        data: json!({"gateway": gateway.as_str(), "reason": reason}),
    }));
    Ok(())
}

/// Finds the place of each entry.
///
/// # Errors
/// The database cannot answer.
pub async fn place(
    conn: &mut SqliteConnection,
    journal: Option<&mut Journal>,
    items: &[Item],
) -> Result<Placed, StoreError> {
    let stored = match &journal {
        Some(journal) => find(conn, journal.id, items).await?,
        None => BTreeMap::new(),
    };
    let mut placer = Placer {
        hashes: stored.iter().map(|(n, row)| (*n, row.hash)).collect(),
        seen: BTreeMap::new(),
        places: Vec::with_capacity(items.len()),
        forked: journal.as_ref().and_then(|journal| journal.forked_n),
        forks: Vec::new(),
    };
    for (at, item) in items.iter().enumerate() {
        placer.place(at, item, &stored);
    }
    let links = placer.link_late(items, &stored);
    if let Some(journal) = journal {
        journal.newly_forked = placer.forked != journal.forked_n;
        journal.forked_n = placer.forked;
    }
    Ok(Placed { places: placer.places, stored, links, forks: placer.forks })
}

struct Placer {
    /// Hash of each number that counts: stored, or placed in this upload.
    hashes: BTreeMap<u64, Hash>,
    /// Index of each number placed in this upload.
    seen: BTreeMap<u64, usize>,
    places: Vec<Place>,
    forked: Option<u64>,
    forks: Vec<usize>,
}

impl Placer {
    fn place(&mut self, at: usize, item: &Item, stored: &BTreeMap<u64, Stored>) {
        let place = match self.find_place(item, stored) {
            Ok(place) => {
                if let (Place::Linked | Place::Early, Some(n), Some(hash)) = (place, item.n, item.hash) {
                    self.hashes.insert(n, hash);
                    self.seen.insert(n, at);
                }
                place
            }
            Err(refusal) => {
                if let (Refusal::Chain | Refusal::NumberUsed, Some(n)) = (refusal, item.n) {
                    self.fork(n);
                    self.forks.push(at);
                }
                if item.is_alarm() { Place::Beside } else { Place::Refused(refusal) }
            }
        };
        self.places.push(place);
    }

    fn find_place(&self, item: &Item, stored: &BTreeMap<u64, Stored>) -> Result<Place, Refusal> {
        let n = item.n.ok_or(Refusal::NumberMissing)?;
        let before = n.checked_sub(1).filter(|_| n <= JSON_INTEGER_MAX).ok_or(Refusal::NumberForm)?;
        let hash = item.hash.ok_or(Refusal::HashForm)?;
        match self.hashes.get(&n) {
            Some(known) if *known != hash => return Err(Refusal::NumberUsed),
            Some(_) => {
                let again = self.seen.get(&n).map(|at| Place::Again(*at));
                return Ok(again.or(stored.get(&n).map(|_| Place::Before)).unwrap_or(Place::Before));
            }
            None => {}
        }
        let previous = if before == 0 { Some(&FIRST_HASH) } else { self.hashes.get(&before) };
        match previous {
            None => Ok(Place::Early),
            Some(previous) => {
                // Where the entry before it came in this upload, the hash was computed while the upload was read.
                let follows = match item.follows {
                    Some(follows) if self.seen.contains_key(&before) => follows,
                    Some(_) | None => link(previous, &item.bytes) == hash,
                };
                if follows { Ok(Place::Linked) } else { Err(Refusal::Chain) }
            }
        }
    }

    /// Links what stood without the entry before it and now has it: in this upload, and in earlier ones.
    fn link_late(&mut self, items: &[Item], stored: &BTreeMap<u64, Stored>) -> Vec<u64> {
        let early: Vec<(usize, u64)> = self
            .seen
            .iter()
            .filter(|(_, at)| self.places.get(**at) == Some(&Place::Early))
            .map(|(n, at)| (*at, *n))
            .collect();
        for (at, n) in early {
            let (Some(item), Some(previous)) = (items.get(at), self.hashes.get(&n.saturating_sub(1))) else { continue };
            if item.hash.is_some_and(|hash| link(previous, &item.bytes) == hash) {
                if let Some(place) = self.places.get_mut(at) {
                    *place = Place::Linked;
                }
            } else {
                self.fork(n);
            }
        }
        let mut links = Vec::new();
        let placed: Vec<u64> = self.seen.keys().copied().collect();
        for n in placed {
            let next = n.saturating_add(1);
            let (Some(row), Some(hash)) = (stored.get(&next).filter(|row| !row.linked), self.hashes.get(&n)) else {
                continue;
            };
            if row.bytes.as_ref().is_some_and(|bytes| link(hash, bytes) == row.hash) {
                links.push(next);
            } else {
                self.fork(next);
            }
        }
        links
    }

    fn fork(&mut self, n: u64) {
        self.forked = Some(self.forked.map_or(n, |lowest| lowest.min(n)));
    }
}

async fn find(conn: &mut SqliteConnection, journal: i64, items: &[Item]) -> Result<BTreeMap<u64, Stored>, StoreError> {
    let numbers: BTreeSet<u64> = items.iter().filter_map(|item| item.n).filter(|n| *n <= JSON_INTEGER_MAX).collect();
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for n in &numbers {
        match runs.last_mut() {
            Some((_, end)) if end.saturating_add(3) >= *n => *end = *n,
            Some(_) | None => runs.push((*n, *n)),
        }
    }
    let mut rows = Vec::new();
    if runs.len() <= RUNS_MAX {
        for (start, end) in runs {
            let query = sqlx::query(
                "SELECT n, hash, linked, outcome, reason, bytes FROM chain WHERE journal = $1 AND n BETWEEN $2 AND $3",
            )
            .bind(journal)
            .bind(signed(start).saturating_sub(1))
            .bind(signed(end).saturating_add(1));
            rows.extend(query.fetch_all(&mut *conn).await?);
        }
    } else {
        let around: BTreeSet<i64> = numbers
            .iter()
            .flat_map(|n| [signed(*n).saturating_sub(1), signed(*n), signed(*n).saturating_add(1)])
            .collect();
        let around: Vec<(i64, i64)> = around.into_iter().map(|n| (journal, n)).collect();
        let found = in_list(
            conn,
            "SELECT n, hash, linked, outcome, reason, bytes, journal FROM chain WHERE (journal, n) IN",
            "",
            &around,
            |list, (journal, n)| {
                list.push("(").push_bind_unseparated(*journal).push_unseparated(", ").push_bind_unseparated(*n);
                list.push_unseparated(")");
            },
        );
        rows.extend(found.await?);
    }
    let mut stored = BTreeMap::new();
    for row in rows {
        let hash: Vec<u8> = row.try_get(1)?;
        stored.insert(
            row.try_get::<i64, _>(0)?.unsigned_abs(),
            Stored {
                hash: hash.try_into().map_err(|_| StoreError::Row { table: "chain" })?,
                linked: row.try_get::<i64, _>(2)? == 1,
                outcome: row.try_get(3)?,
                reason: row.try_get(4)?,
                bytes: row.try_get(5)?,
            },
        );
    }
    Ok(stored)
}

/// What is said of an entry: the outcome, and why where it was not taken.
pub type Said = (Outcome, Option<String>);

/// Records the new links of the chain, moves the head, and closes the gateway's sales where the chain forked.
///
/// # Errors
/// The database cannot do it.
pub async fn record(
    tx: &mut Tx,
    gateway: &GatewayId,
    journal: &mut Journal,
    name: &str,
    items: &[Item],
    placed: &Placed,
    said: &[Said],
) -> Result<Head, StoreError> {
    let rows: Vec<(u64, &Item, bool, &Said)> = items
        .iter()
        .zip(&placed.places)
        .zip(said)
        .filter(|((_, place), _)| matches!(place, Place::Linked | Place::Early))
        .filter_map(|((item, place), said)| item.n.map(|n| (n, item, *place == Place::Linked, said)))
        .collect();
    let id = journal.id;
    insert_rows(
        &mut tx.conn,
        "INSERT INTO chain (journal, n, hash, linked, outcome, reason, bytes)",
        "",
        &rows,
        |row, (n, item, linked, (outcome, reason))| {
            row.push_bind(id)
                .push_bind(signed(*n))
                .push_bind(item.hash.unwrap_or(FIRST_HASH).to_vec())
                .push_bind(i64::from(*linked))
                .push_bind(word(*outcome))
                .push_bind(reason.clone())
                .push_bind((!linked).then(|| item.bytes.clone()));
        },
    )
    .await?;
    for n in &placed.links {
        sqlx::query("UPDATE chain SET linked = 1, bytes = NULL WHERE journal = $1 AND n = $2")
            .bind(id)
            .bind(signed(*n))
            .execute(&mut tx.conn)
            .await?;
    }
    let fresh: BTreeMap<u64, Hash> = rows
        .iter()
        .filter(|(_, _, linked, _)| *linked)
        .filter_map(|(n, item, _, _)| item.hash.map(|hash| (*n, hash)))
        .collect();
    keep_forks(tx, id, items, placed, said).await?;
    advance(&mut tx.conn, journal, &fresh).await?;
    if journal.newly_forked {
        close(tx, gateway, "journal_forked").await?;
    }
    sqlx::query("UPDATE journals SET head_n = $2, head_hash = $3, forked_n = $4, entries = entries + $5 WHERE id = $1")
        .bind(id)
        .bind(signed(journal.head_n))
        .bind(journal.head_hash.as_slice())
        .bind(journal.forked_n.map(signed))
        .bind(i64::try_from(rows.len()).unwrap_or(i64::MAX))
        .execute(&mut tx.conn)
        .await?;
    sqlx::query("UPDATE gateways SET journal = $2, last_seen_ms = $3 WHERE id = $1")
        .bind(gateway.as_str())
        .bind(name)
        .bind(tx.now.ms)
        .execute(&mut tx.conn)
        .await?;
    Ok(Head { n: journal.head_n, hash: hex::encode(journal.head_hash), signature: None })
}

/// Keeps the other branch of a fork, from which [`super::heal`] goes on.
async fn keep_forks(
    tx: &mut Tx,
    journal: i64,
    items: &[Item],
    placed: &Placed,
    said: &[Said],
) -> Result<(), StoreError> {
    let rows: Vec<(u64, Hash, &Item, &Said)> = placed
        .forks
        .iter()
        .filter_map(|at| items.get(*at).zip(said.get(*at)))
        .filter_map(|(item, said)| item.n.zip(item.hash).map(|(n, hash)| (n, hash, item, said)))
        .collect();
    insert_rows(
        &mut tx.conn,
        "INSERT INTO forks (journal, n, hash, outcome, reason, bytes, salt, private)",
        "ON CONFLICT (journal, n, hash) DO UPDATE SET passed = 0",
        &rows,
        |row, (n, hash, item, (outcome, reason))| {
            row.push_bind(journal)
                .push_bind(signed(*n))
                .push_bind(hash.to_vec())
                .push_bind(word(*outcome))
                .push_bind(reason.clone())
                .push_bind(item.bytes.clone())
                .push_bind(item.private.as_ref().map(|private| private.salt.clone()))
                .push_bind(item.private.as_ref().map(|private| private.bytes.clone()));
        },
    )
    .await?;
    Ok(())
}

/// Moves the head over what follows it: first over `fresh`, then over what is stored.
///
/// # Errors
/// The database cannot answer.
pub(super) async fn advance(
    conn: &mut SqliteConnection,
    journal: &mut Journal,
    fresh: &BTreeMap<u64, Hash>,
) -> Result<(), StoreError> {
    loop {
        while let Some(hash) = fresh.get(&journal.head_n.saturating_add(1)) {
            journal.head_n = journal.head_n.saturating_add(1);
            journal.head_hash = *hash;
        }
        let rows = sqlx::query("SELECT n, hash, linked FROM chain WHERE journal = $1 AND n > $2 ORDER BY n LIMIT $3")
            .bind(journal.id)
            .bind(signed(journal.head_n))
            .bind(i64::try_from(limits::CHAIN_STEP).unwrap_or(i64::MAX))
            .fetch_all(&mut *conn)
            .await?;
        let before = journal.head_n;
        for row in rows {
            let n = row.try_get::<i64, _>(0)?.unsigned_abs();
            if n != journal.head_n.saturating_add(1) || row.try_get::<i64, _>(2)? != 1 {
                break;
            }
            journal.head_n = n;
            journal.head_hash =
                row.try_get::<Vec<u8>, _>(1)?.try_into().map_err(|_| StoreError::Row { table: "chain" })?;
        }
        if journal.head_n == before {
            return Ok(());
        }
    }
}

/// The word that is stored for an outcome.
#[must_use]
pub const fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted => "accepted",
        Outcome::Duplicate => "duplicate",
        Outcome::Conflict => "conflict",
        Outcome::Refused => "refused",
    }
}

/// What is said of an entry that was here before. A word that no version of the centre stored is called refused: better
/// that a person looks than that an entry counts as taken.
#[must_use]
pub fn said_before(stored: &Stored) -> Said {
    let known = [Outcome::Accepted, Outcome::Duplicate, Outcome::Conflict, Outcome::Refused]
        .into_iter()
        .find(|outcome| word(*outcome) == stored.outcome);
    match known.unwrap_or(Outcome::Refused) {
        Outcome::Accepted | Outcome::Duplicate => (Outcome::Duplicate, None),
        Outcome::Conflict => (Outcome::Conflict, stored.reason.clone()),
        Outcome::Refused => (Outcome::Refused, stored.reason.clone()),
    }
}

/// A number as the database keeps it.
pub(super) fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
