//! The reading side of the journal, as the uplink needs it.

use std::future::Future;

use gateway_core::OutLane;
use protocols::uplink::EntryUpload;

/// Why the journal gave no entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It could not be read; the same read may succeed later.
    #[error("the journal could not be read")]
    Unreadable,
    /// What was read does not fit its hash: it must not be sent.
    #[error("an entry of the journal does not fit its hash")]
    Corrupt,
}

/// Where entries come from.
pub trait EntrySource: Send + Sync + 'static {
    /// The durable entries of a lane with `n` > `after`, but for `except` (ascending): the lowest ones, ascending by
    /// `n`, none left out in between; at most `max` of them, and as many as have `max_bytes` bytes together (entry and
    /// private record), but always the first. Empty when there is none.
    fn read_lane(
        &self,
        lane: OutLane,
        after: u64,
        except: &[u64],
        max: usize,
        max_bytes: usize,
    ) -> impl Future<Output = Result<Vec<EntryUpload>, ReadError>> + Send;
}
