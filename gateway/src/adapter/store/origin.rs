//! Look-ups by origin.
//!
//! The index goes by blocks of 4,096 entries, then by origin. A commit so writes to the few pages of the newest block; a look-up
//! asks each block, which costs some microseconds a block.

use super::failure::StoreFailure;
use super::limits::ORIGIN_BLOCK_SHIFT;
use super::reader::Reader;

const _: () = assert!(ORIGIN_BLOCK_SHIFT == 12, "the index in the migration and the statements below have this shift");

impl Reader {
    /// The fingerprint of the body that the journal holds for a report: of the first entry with that origin.
    ///
    /// # Errors
    /// The database failed.
    pub async fn find_origin(&self, source: &str, epoch: &str, seq: u64) -> Result<Option<u64>, StoreFailure> {
        let body = sqlx::query_scalar::<_, i64>(
            "WITH RECURSIVE block (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM block \
             WHERE i < (SELECT coalesce(max(n), 0) >> 12 FROM entry)) \
             SELECT e.body FROM block CROSS JOIN entry e \
             WHERE e.n >> 12 = block.i AND e.source = ? AND e.epoch = ? AND e.seq = ? LIMIT 1",
        )
        .bind(source.to_owned())
        .bind(epoch.to_owned())
        .bind(seq.cast_signed())
        .fetch_optional(self.pool())
        .await?;
        Ok(body.map(i64::cast_unsigned))
    }

    /// What the journal knows of a device's reports: its newest epoch, and numbers and fingerprints of that epoch's
    /// reports with the highest numbers, at most `limit`, descending. `None` when it has no report of the device.
    ///
    /// # Errors
    /// The database failed.
    pub async fn recent_reports(
        &self,
        source: &str,
        limit: usize,
    ) -> Result<Option<(u32, Vec<(u64, u64)>)>, StoreFailure> {
        let rows = sqlx::query_as::<_, (String, i64, i64)>(
            "WITH RECURSIVE block (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM block \
             WHERE i < (SELECT coalesce(max(n), 0) >> 12 FROM entry)) \
             SELECT e.epoch, e.seq, e.body FROM block CROSS JOIN entry e \
             WHERE e.n >> 12 = block.i AND e.source = ? \
             ORDER BY CAST(e.epoch AS INTEGER) DESC, e.seq DESC LIMIT ?",
        )
        .bind(source.to_owned())
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(self.pool())
        .await?;
        let Some(epoch) = rows.first().and_then(|(epoch, _, _)| epoch.parse::<u32>().ok()) else { return Ok(None) };
        let recent = rows
            .into_iter()
            .take_while(|(of, _, _)| of.parse() == Ok(epoch))
            .map(|(_, seq, body)| (seq.cast_unsigned(), body.cast_unsigned()))
            .collect();
        Ok(Some((epoch, recent)))
    }
}
