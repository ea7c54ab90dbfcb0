//! The list of alarms: what is open, or what was, searched and paged.
//!
//! **Invariant:** no search reads alarms that an index could have left out: by person, place, device and id through the devices,
//! by kind and urgency through an index each, and all of them newest first up to the page's end.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use protocols::device::AlarmState;
use protocols::uplink::Urgency;
use serde::{Deserialize, Serialize};
use sqlx::{QueryBuilder, Sqlite};

use super::row::{AlarmRow, COLUMNS, TABLES};
use crate::alarms;
use crate::api::caller::CallingActor;
use crate::api::problem::Problem;
use crate::app::App;
use crate::limits;
use crate::store::{Now, day_start_ms};

/// Parameters of the list; all of them narrow it.
#[derive(Deserialize)]
pub struct AlarmQuery {
    /// 1: only open ones, the most urgent first.
    open: Option<u8>,
    /// Part of a person's name, reference or address, of a place or a device's id; or the beginning of an alarm's id.
    q: Option<String>,
    kind: Option<String>,
    urgency: Option<Urgency>,
    state: Option<AlarmState>,
    /// First civil day of the city, `YYYY-MM-DD`.
    from: Option<String>,
    /// Last such day, that day included.
    to: Option<String>,
    /// Where the page before ended: its `next`.
    before: Option<String>,
    /// Rows, at most [`limits::LIST_ROWS`].
    limit: Option<i64>,
}

/// The list: open alarms with the most urgent first, or the newest of all.
#[derive(Debug, Serialize)]
pub struct AlarmList {
    /// The time of this answer, by the centre's clock.
    now: String,
    alarms: Vec<AlarmRow>,
    /// How many are open in all.
    open: i64,
    /// Where the next page begins; none after the last one.
    next: Option<String>,
}

const URGENT_FIRST: &str = " ORDER BY CASE a.urgency WHEN 'emergency' THEN 0 WHEN 'urgent' THEN 1 WHEN 'request' THEN 2
    WHEN 'technical' THEN 3 ELSE 4 END, a.received_ms, a.id";
const NEWEST_FIRST: &str = " ORDER BY a.received_ms DESC, a.id DESC";

/// `GET /api/v1/alarms`
pub async fn list(
    State(app): State<App>,
    _: CallingActor,
    query: Result<Query<AlarmQuery>, QueryRejection>,
) -> Result<Json<AlarmList>, Problem> {
    let Query(query) = query.map_err(|_| Problem::BadParameter)?;
    let limit = query.limit.unwrap_or(limits::LIST_ROWS);
    if !(1..=limits::LIST_ROWS).contains(&limit) {
        return Err(Problem::BadParameter);
    }
    let (among, order) = if query.open == Some(1) { (" AND a.state < 5", URGENT_FIRST) } else { ("", NEWEST_FIRST) };
    // The page's alarms are chosen by narrow rows; only those of the page are read whole.
    let mut builder = QueryBuilder::<Sqlite>::new("SELECT ");
    builder.push(COLUMNS).push(TABLES).push("WHERE a.rowid IN (SELECT a.rowid FROM alarms a WHERE 1 = 1").push(among);
    narrow(&mut builder, &query)?;
    builder.push(order).push(" LIMIT ").push_bind(limit.saturating_add(1)).push(")").push(order);
    let mut reader = app.store.readers.begin().await?;
    // Before the first read: what happened until then is in the answer.
    let now = Now::read();
    let rows = builder.build().persistent(false).fetch_all(&mut *reader).await?;
    let open = sqlx::query_scalar("SELECT COUNT(*) FROM alarms WHERE state < 5").fetch_one(&mut *reader).await?;
    let page = usize::try_from(limit).unwrap_or(usize::MAX);
    let alarms: Vec<AlarmRow> =
        rows.iter().take(page).map(|row| AlarmRow::read(row, now.ms)).collect::<Result<_, _>>()?;
    let more = query.open != Some(1) && rows.len() > page;
    let next = match rows.get(page.saturating_sub(1)) {
        Some(last) if more => Some(cursor(last)?),
        Some(_) | None => None,
    };
    Ok(Json(AlarmList { now: now.text, alarms, open, next }))
}

/// Where a page ends: the time of receipt and the id of its last alarm.
fn cursor(row: &sqlx::sqlite::SqliteRow) -> Result<String, Problem> {
    use sqlx::Row as _;
    Ok(format!("{}.{}", row.try_get::<i64, _>(8)?, row.try_get::<String, _>(0)?))
}

fn narrow(builder: &mut QueryBuilder<Sqlite>, query: &AlarmQuery) -> Result<(), Problem> {
    if let Some(q) = query.q.as_deref().map(str::trim).filter(|q| !q.is_empty()) {
        search(builder, q)?;
    }
    if let Some(kind) = &query.kind {
        builder.push(" AND a.kind = ").push_bind(kind.clone());
    }
    if let Some(urgency) = query.urgency {
        builder.push(" AND a.urgency = ").push_bind(alarms::urgency_word(urgency));
    }
    if let Some(state) = query.state {
        builder.push(" AND a.state = ").push_bind(alarms::rank(state));
    }
    if let Some(from) = &query.from {
        builder.push(" AND a.received_ms >= ").push_bind(day_start_ms(from, 0).ok_or(Problem::BadParameter)?);
    }
    if let Some(to) = &query.to {
        builder.push(" AND a.received_ms < ").push_bind(day_start_ms(to, 1).ok_or(Problem::BadParameter)?);
    }
    if let Some(before) = &query.before {
        let (ms, id) = before.split_once('.').ok_or(Problem::BadParameter)?;
        let ms: i64 = ms.parse().map_err(|_| Problem::BadParameter)?;
        builder.push(" AND a.received_ms <= ").push_bind(ms);
        builder.push(" AND (a.received_ms < ").push_bind(ms).push(" OR a.id < ").push_bind(id.to_owned()).push(")");
    }
    Ok(())
}

/// Alarms of the devices that a text names, and those whose id begins with it.
fn search(builder: &mut QueryBuilder<Sqlite>, q: &str) -> Result<(), Problem> {
    if q.len() > limits::SEARCH_BYTES_MAX {
        return Err(Problem::TooLarge);
    }
    builder.push(
        " AND a.rowid IN (SELECT x.rowid FROM alarms x WHERE x.device IN
         (SELECT s.id FROM devices s LEFT JOIN people o ON o.ref = s.person WHERE ",
    );
    for (at, column) in ["s.id", "s.place", "o.name", "o.ref", "o.address"].into_iter().enumerate() {
        builder.push(if at == 0 { "" } else { " OR " });
        builder.push("instr(lower(").push(column).push("), lower(").push_bind(q.to_owned()).push(")) > 0");
    }
    // The largest character stands behind every id that begins with the text.
    builder.push(") UNION SELECT y.rowid FROM alarms y WHERE y.id >= ").push_bind(q.to_owned());
    builder.push(" AND y.id < ").push_bind(format!("{q}{}", char::MAX)).push(")");
    Ok(())
}
