//! Walks along the chain in reads of bounded length.

use futures_util::TryStreamExt;
use sqlx::{Row as _, SqliteConnection};

use super::chain::{Fault, Tip};
use super::error::OpenError;
use super::limits::WALK_ROWS;

/// Verifies gaplessness and hashes of the entries `first` to `last`; returns the tip it arrived at.
///
/// # Errors
/// The first entry that does not fit; the database failed.
pub async fn chain(connection: &mut SqliteConnection, first: u64, last: u64) -> Result<Tip, OpenError> {
    let mut tip = before(connection, first).await?;
    while tip.n < last {
        let from = tip.n;
        let mut rows = sqlx::query("SELECT n, hash, bytes FROM entry WHERE n > ? ORDER BY n LIMIT ?")
            .bind(from.cast_signed())
            .bind(WALK_ROWS.cast_signed())
            .fetch(&mut *connection);
        while let Some(row) = rows.try_next().await? {
            let n = row.try_get::<i64, _>(0)?.cast_unsigned();
            tip.advance(n, row.try_get(1)?, row.try_get(2)?).map_err(|fault| OpenError::Chain { n, fault })?;
        }
        if tip.n == from {
            return Err(OpenError::Chain { n: last, fault: Fault::Gap { first: from.saturating_add(1) } });
        }
    }
    Ok(tip)
}

/// The tip before entry `first`: zeros before the first one.
async fn before(connection: &mut SqliteConnection, first: u64) -> Result<Tip, OpenError> {
    let n = first.saturating_sub(1);
    if n == 0 {
        return Ok(Tip::default());
    }
    let missing = OpenError::Chain { n: first, fault: Fault::Gap { first: n } };
    let row =
        sqlx::query("SELECT hash FROM entry WHERE n = ?").bind(n.cast_signed()).fetch_optional(connection).await?;
    let Some(row) = row else { return Err(missing) };
    let hash = row.try_get::<&[u8], _>(0)?.try_into().map_err(|_| OpenError::Chain { n, fault: Fault::HashLength })?;
    Ok(Tip { n, hash })
}
