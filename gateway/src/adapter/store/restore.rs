//! What a restart finds: the end of the chain and the state from which the core restores itself.

use futures_util::TryStreamExt;
use protocols::unit::UnixMs;
use protocols::uplink::Entry;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use super::chain::{Hash, Tip, state_sum};
use super::error::OpenError;
use super::failure::StoreFailure;
use super::limits::CHAIN_AT_OPEN_MAX;
use super::reader::DamagedRow;
use super::trusted;
use super::walk::{Check, walk};

/// What a restart found. Everything in it is durable.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Restored {
    /// The journal's id: 32 hex digits.
    pub journal: String,
    /// The number of the last entry; 0 in a new journal.
    pub last_n: u64,
    /// Its hash; zeros in a new journal.
    pub last_hash: Hash,
    /// The newest time that was recorded as trusted; untrusted times, however late, do not count.
    pub last_trusted: Option<UnixMs>,
    /// Every state record, ascending by key.
    pub state: Vec<(String, String)>,
    /// Keys of state records whose checksum does not fit; they are left out of `state`.
    pub state_damaged: Vec<String>,
    /// The first number whose chain was verified while opening.
    pub verified_from: u64,
}

/// Reads it all, and verifies the chain of the last [`CHAIN_AT_OPEN_MAX`] entries.
pub async fn restore(connection: &mut SqliteConnection) -> Result<Restored, OpenError> {
    let journal = sqlx::query_scalar("SELECT id FROM journal").fetch_one(&mut *connection).await?;
    let tip = last_entry(connection).await?;
    let verified_from = tip.n.saturating_sub(CHAIN_AT_OPEN_MAX).max(1);
    let walked = walk(connection, verified_from, tip.n, Check::Chain).await?;
    if let Some(DamagedRow { n, fault }) = walked.bad {
        return Err(OpenError::Chain { n, fault });
    }
    let FoundState { state, damaged, trusted } = state(connection).await?;
    let last_trusted = match trusted {
        Some(at) => Some(at),
        None => trusted::search(connection, tip.n).await?,
    };
    Ok(Restored {
        journal,
        last_n: tip.n,
        last_hash: tip.hash,
        last_trusted,
        state,
        state_damaged: damaged,
        verified_from,
    })
}

async fn last_entry(connection: &mut SqliteConnection) -> Result<Tip, OpenError> {
    let row =
        sqlx::query("SELECT n, hash, bytes FROM entry ORDER BY n DESC LIMIT 1").fetch_optional(connection).await?;
    let Some(row) = row else { return Ok(Tip::default()) };
    let n = row.try_get::<i64, _>(0)?.cast_unsigned();
    let chain = |fault| OpenError::Chain { n, fault };
    let hash = row.try_get::<&[u8], _>(1)?;
    let hash = hash.try_into().map_err(|_| chain(super::chain::Fault::HashLength))?;
    serde_json::from_slice::<Entry>(row.try_get(2)?).map_err(|_| chain(super::chain::Fault::NotAnEntry))?;
    Ok(Tip { n, hash })
}

/// A state record as it was read.
pub enum StateRecord {
    /// Its checksum fits.
    Good {
        /// Its key.
        key: String,
        /// Its value.
        value: String,
    },
    /// Its checksum does not fit.
    Damaged {
        /// Its key, as far as it can be read.
        key: String,
    },
}

/// Reads the columns key, value, sum.
pub fn state_record(row: &SqliteRow) -> Result<StateRecord, sqlx::Error> {
    let text = |column| row.try_get::<&[u8], _>(column).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let (key, value, sum) = (text(0)?, text(1)?, row.try_get::<i64, _>(2)?);
    let good = state_sum(&key, &value) == sum;
    Ok(if good { StateRecord::Good { key, value } } else { StateRecord::Damaged { key } })
}

#[derive(Default)]
struct FoundState {
    state: Vec<(String, String)>,
    damaged: Vec<String>,
    trusted: Option<UnixMs>,
}

async fn state(connection: &mut SqliteConnection) -> Result<FoundState, StoreFailure> {
    let mut found = FoundState::default();
    let mut rows = sqlx::query("SELECT key, value, sum FROM state ORDER BY key").fetch(connection);
    while let Some(row) = rows.try_next().await? {
        match state_record(&row)? {
            StateRecord::Good { key, value } if trusted::is_own(&key) => found.trusted = trusted::read(&value),
            StateRecord::Good { key, value } => found.state.push((key, value)),
            StateRecord::Damaged { key } => found.damaged.push(key),
        }
    }
    Ok(found)
}
