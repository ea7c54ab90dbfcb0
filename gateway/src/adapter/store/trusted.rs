//! The newest trusted time that was recorded, kept by the store itself beside the core's state.
//!
//! A clock is trusted only when it is not below that time. An entry that itself calls its time untrusted says nothing
//! about it, however far in the future the time lies.
//!
//! **Invariant:** the record changes in the transaction of the entries that it is taken from.

use gateway_core::Row;
use protocols::unit::UnixMs;
use protocols::uplink::Clock;
use serde::Deserialize;
use sqlx::{Row as _, SqliteConnection};

use super::chain::state_sum;
use super::failure::StoreFailure;
use super::limits::CHAIN_AT_OPEN_MAX;

/// The key of its state record. What begins with `store/` is the store's own; the core never sees it.
pub const TRUSTED_KEY: &str = "store/trusted_at";

/// Whether a state record is the store's own.
#[must_use]
pub fn is_own(key: &str) -> bool {
    key.starts_with("store/")
}

#[derive(Deserialize)]
struct Stamp {
    recorded_at: String,
    clock: Clock,
}

fn trusted(bytes: &[u8]) -> Option<UnixMs> {
    let stamp = serde_json::from_slice::<Stamp>(bytes).ok().filter(|stamp| stamp.clock == Clock::Trusted)?;
    let at = stamp.recorded_at.parse::<jiff::Timestamp>().ok()?;
    Some(UnixMs(at.as_millisecond()))
}

/// The trusted time of the last row that has one; trusted times never go back, so it is the newest.
#[must_use]
pub fn newest(rows: &[Row]) -> Option<UnixMs> {
    rows.iter().rev().find_map(|row| trusted(row.bytes.as_bytes()))
}

/// The state record for a time: its value and checksum.
#[must_use]
pub fn record(at: UnixMs) -> (String, i64) {
    let value = at.0.to_string();
    let sum = state_sum(TRUSTED_KEY, &value);
    (value, sum)
}

/// The time in a state record.
#[must_use]
pub fn read(value: &str) -> Option<UnixMs> {
    value.parse().ok().map(UnixMs)
}

/// The time from the entries themselves, for a journal without a good record: the last of at most [`CHAIN_AT_OPEN_MAX`].
///
/// # Errors
/// The database failed.
pub async fn search(connection: &mut SqliteConnection, last_n: u64) -> Result<Option<UnixMs>, StoreFailure> {
    let found = sqlx::query(
        "SELECT bytes FROM entry WHERE n > ? AND CASE WHEN json_valid(bytes) THEN json_extract(bytes, '$.clock') END = 'trusted' \
         ORDER BY n DESC LIMIT 1",
    )
    .bind(last_n.saturating_sub(CHAIN_AT_OPEN_MAX).cast_signed())
    .fetch_optional(connection)
    .await?;
    Ok(match found {
        Some(row) => trusted(row.try_get::<&[u8], _>(0)?),
        None => None,
    })
}
