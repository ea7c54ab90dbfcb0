//! The journal's reading side, as the uplink asks for it.
//!
//! While a full upload is on its way, what will follow it is read already, so that a backlog does not wait for the disk and
//! the line in turn.
//!
//! **Invariant:** a row that does not fit its hash is never sent; the core hears of it and sets it aside.
//! **Invariant:** what was read ahead is used only for the question that it answers, and never to say that there is nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gateway_core::{OutLane, StoreInput};
use protocols::uplink::EntryUpload;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::adapter::store::{LaneBatch, LaneQuery, Reader, StoreEvent, StoreFailure};
use crate::adapter::uplink::{EntrySource, ReadError};

/// Reads lanes from the journal.
#[derive(Debug, Clone)]
pub struct JournalSource {
    reader: Option<Reader>,
    events: mpsc::Sender<StoreEvent>,
    ahead: Arc<Mutex<BTreeMap<OutLane, Ahead>>>,
}

/// What a lane will ask for when its upload under way is done.
#[derive(Debug)]
struct Ahead {
    after: u64,
    max: usize,
    max_bytes: usize,
    read: JoinHandle<Result<LaneBatch, StoreFailure>>,
}

impl JournalSource {
    /// Reads by `reader`, where there is a journal to read; damaged rows are told on `events`.
    #[must_use]
    pub fn new(reader: Option<Reader>, events: mpsc::Sender<StoreEvent>) -> Self {
        Self { reader, events, ahead: Arc::default() }
    }

    /// What was read ahead for this question, if it was asked.
    async fn read_ahead(&self, query: &LaneQuery<'_>) -> Option<LaneBatch> {
        let ahead = self.lock().remove(&query.lane)?;
        let fits = ahead.after == query.after && ahead.max == query.max && ahead.max_bytes == query.max_bytes;
        if !fits || !query.except.is_empty() {
            ahead.read.abort();
            return None;
        }
        let batch = ahead.read.await.ok()?.ok()?;
        (!batch.entries.is_empty()).then_some(batch)
    }

    /// Begins to read what follows a batch that was as full as it may be. Alarms never wait, so there is nothing to gain.
    fn begin_ahead(&self, reader: &Reader, query: &LaneQuery<'_>, batch: &LaneBatch) {
        let (lane, max, max_bytes) = (query.lane, query.max, query.max_bytes);
        let Some(after) = batch.entries.last().and_then(|entry| entry.n) else { return };
        let is_full = batch.entries.len() >= max || !batch.damaged.is_empty();
        if lane == OutLane::Alarms || !is_full || !query.except.is_empty() {
            return;
        }
        let reader = reader.clone();
        let read =
            tokio::spawn(async move { reader.read_lane(LaneQuery { lane, after, except: &[], max, max_bytes }).await });
        self.lock().insert(lane, Ahead { after, max, max_bytes, read });
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<OutLane, Ahead>> {
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EntrySource for JournalSource {
    async fn read_lane(
        &self,
        lane: OutLane,
        after: u64,
        except: &[u64],
        max: usize,
        max_bytes: usize,
    ) -> Result<Vec<EntryUpload>, ReadError> {
        let query = LaneQuery { lane, after, except, max, max_bytes };
        let reader = self.reader.as_ref().ok_or(ReadError::Unreadable)?;
        let batch = match self.read_ahead(&query).await {
            Some(batch) => batch,
            None => reader.read_lane(query).await.map_err(|failure| {
                tracing::error!(%failure, lane = lane.name(), "the journal could not be read");
                ReadError::Unreadable
            })?,
        };
        for row in &batch.damaged {
            tracing::error!(n = row.n, fault = row.fault.word(), "a row of the journal is damaged");
            let event = StoreEvent::Input(StoreInput::RowDamaged { lane, n: row.n });
            if self.events.send(event).await.is_err() {
                return Err(ReadError::Unreadable);
            }
        }
        if batch.entries.is_empty() && !batch.damaged.is_empty() {
            // Nothing can be said to be done; the next read leaves the damaged rows out.
            return Err(ReadError::Corrupt);
        }
        self.begin_ahead(reader, &query, &batch);
        Ok(batch.entries)
    }
}

#[cfg(test)]
#[path = "entry_source_tests.rs"]
mod tests;
