//! The journal's reading side, as the uplink asks for it.
//!
//! **Invariant:** a row that does not fit its hash is never sent; the core hears of it and sets it aside.

use gateway_core::{OutLane, StoreInput};
use protocols::uplink::EntryUpload;
use tokio::sync::mpsc;

use crate::adapter::store::{LaneQuery, Reader, StoreEvent};
use crate::adapter::uplink::{EntrySource, ReadError};

/// Reads lanes from the journal.
#[derive(Debug, Clone)]
pub struct JournalSource {
    reader: Option<Reader>,
    events: mpsc::Sender<StoreEvent>,
}

impl JournalSource {
    /// Reads by `reader`, where there is a journal to read; damaged rows are told on `events`.
    #[must_use]
    pub const fn new(reader: Option<Reader>, events: mpsc::Sender<StoreEvent>) -> Self {
        Self { reader, events }
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
        let batch = reader.read_lane(query).await.map_err(|failure| {
            tracing::error!(%failure, lane = lane.name(), "the journal could not be read");
            ReadError::Unreadable
        })?;
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
        Ok(batch.entries)
    }
}
