//! Prints entries, one JSON object a line.

use std::io::Write;
use std::path::Path;

use gateway_core::OutLane;
use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::sqlite::SqliteRow;
use sqlx::{Connection, Row as _};

use super::commit::lane_number;
use super::error::OpenError;
use super::limits::SHOW_ROWS;
use super::open::gate;
use super::place::journal_path;

/// Which entries are shown, and how much of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShowFilter {
    /// From this number on.
    pub from: Option<u64>,
    /// At most so many, the last ones when `from` is not given.
    pub limit: Option<u64>,
    /// Only this lane.
    pub lane: Option<OutLane>,
    /// Only this kind, such as `alarm.raised`.
    pub kind: Option<String>,
    /// Only this source, such as `device:btn-0001`.
    pub source: Option<String>,
    /// With personal data.
    pub private: bool,
}

/// Why entries could not be shown.
#[derive(Debug, thiserror::Error)]
pub enum ShowError {
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] OpenError),
    /// The reader of the lines went away, or cannot be written to.
    #[error("the lines could not be written")]
    Output(#[from] std::io::Error),
}

impl From<sqlx::Error> for ShowError {
    fn from(error: sqlx::Error) -> Self {
        Self::Journal(error.into())
    }
}

#[derive(Serialize)]
struct Line<'a> {
    n: u64,
    hash: String,
    lane: &'static str,
    /// The entry as it is stored; absent where its bytes are no JSON.
    entry: Option<&'a RawValue>,
    /// The bytes, where they are no JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    unreadable: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    private: Option<String>,
}

/// Prints the entries of a state directory that `filter` names to `out`, ascending; beside a running gateway or without one.
/// Returns how many.
///
/// # Errors
/// See [`ShowError`].
pub async fn show(dir: &Path, filter: &ShowFilter, out: &mut impl Write) -> Result<u64, ShowError> {
    let path = journal_path(dir);
    let mut connection = gate(&path).await?;
    let limit = filter.limit.unwrap_or(u64::MAX);
    let mut after = match filter.from {
        Some(from) => from.saturating_sub(1),
        None => before_the_last(&mut connection, filter, limit).await?,
    };
    let mut shown = 0_u64;
    while shown < limit {
        let rows = sqlx::query(
            "SELECT e.n, e.hash, e.lane, e.bytes, p.bytes FROM entry e LEFT JOIN private p ON p.n = e.n AND ?5 \
             WHERE e.n > ?1 AND (?2 IS NULL OR e.lane = ?2) AND (?3 IS NULL OR e.kind = ?3) \
             AND (?4 IS NULL OR e.source = ?4) ORDER BY e.n LIMIT ?6",
        )
        .bind(after.cast_signed())
        .bind(filter.lane.map(lane_number))
        .bind(filter.kind.clone())
        .bind(filter.source.clone())
        .bind(filter.private)
        .bind(limit.saturating_sub(shown).min(SHOW_ROWS).cast_signed())
        .fetch_all(&mut connection)
        .await?;
        if rows.is_empty() {
            break;
        }
        for row in &rows {
            after = line(row, out)?;
            shown = shown.saturating_add(1);
        }
    }
    connection.close().await?;
    Ok(shown)
}

/// The number before the last `limit` entries of the filter; 0 when there are not so many.
async fn before_the_last(
    connection: &mut sqlx::SqliteConnection,
    filter: &ShowFilter,
    limit: u64,
) -> Result<u64, ShowError> {
    let Ok(skip) = i64::try_from(limit) else { return Ok(0) };
    let found = sqlx::query_scalar::<_, i64>(
        "SELECT n FROM entry WHERE (?1 IS NULL OR lane = ?1) AND (?2 IS NULL OR kind = ?2) \
         AND (?3 IS NULL OR source = ?3) ORDER BY n DESC LIMIT 1 OFFSET ?4",
    )
    .bind(filter.lane.map(lane_number))
    .bind(filter.kind.clone())
    .bind(filter.source.clone())
    .bind(skip)
    .fetch_optional(connection)
    .await?;
    Ok(found.map_or(0, i64::cast_unsigned))
}

fn line(row: &SqliteRow, out: &mut impl Write) -> Result<u64, ShowError> {
    let n = row.try_get::<i64, _>(0)?.cast_unsigned();
    let lane = row.try_get::<i64, _>(2)?;
    let lane = OutLane::ALL.into_iter().find(|known| lane_number(*known) == lane).map_or("unknown", OutLane::name);
    let bytes = row.try_get::<&[u8], _>(3)?;
    let entry = serde_json::from_slice::<&RawValue>(bytes).ok();
    let line = Line {
        n,
        hash: hex::encode(row.try_get::<&[u8], _>(1)?),
        lane,
        entry,
        unreadable: entry.is_none().then(|| String::from_utf8_lossy(bytes).into_owned()),
        private: row.try_get::<Option<String>, _>(4)?,
    };
    serde_json::to_writer(&mut *out, &line).map_err(std::io::Error::from)?;
    out.write_all(b"\n")?;
    Ok(n)
}
