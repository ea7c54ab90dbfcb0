//! One alarm with everything that somebody who takes it needs: the person, what happened when, what else is open in the same
//! home, and what the device raised before.

use axum::Json;
use axum::extract::{Path, State};
use protocols::device::AlarmState;
use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection};

use super::row::{AlarmRow, COLUMNS, TABLES};
use crate::alarms;
use crate::api::caller::CallingActor;
use crate::api::problem::Problem;
use crate::app::App;
use crate::limits;
use crate::orders::time_text;
use crate::store::{Now, StoreError};

/// Something that happened to an alarm.
#[derive(Debug, Serialize)]
pub struct AlarmEvent {
    what: String,
    state: Option<AlarmState>,
    by: Option<String>,
    cause: Option<String>,
    /// Who was sent.
    responder: Option<String>,
    /// In how many minutes they are there.
    eta_min: Option<i64>,
    /// Who had the alarm before, where it was taken over from them.
    took_over: Option<String>,
    source: String,
    at: String,
    received_at: String,
    /// How long ago it came here, seconds.
    age_s: i64,
}

/// Whom it is about.
#[derive(Debug, Serialize)]
pub struct AlarmPerson {
    #[serde(rename = "ref")]
    reference: String,
    name: String,
    address: String,
    contacts: Box<RawValue>,
    conditions: Box<RawValue>,
}

/// One alarm with everything that happened to it.
#[derive(Debug, Serialize)]
pub struct AlarmDetail {
    #[serde(flatten)]
    alarm: AlarmRow,
    body: Box<RawValue>,
    history: Vec<AlarmEvent>,
    /// The time of this answer, by the centre's clock.
    now: String,
    /// Whom it is about, in full; none for a device that is nobody's.
    who: Option<AlarmPerson>,
    /// Other open alarms of the same person.
    same_home: Vec<AlarmRow>,
    /// What the device raised before, the newest first.
    before: Vec<AlarmRow>,
}

/// `GET /api/v1/alarms/{id}`
pub async fn one(
    State(app): State<App>,
    _: CallingActor,
    Path(id): Path<String>,
) -> Result<Json<AlarmDetail>, Problem> {
    // One transaction, so that all of it is of the same moment.
    let mut reader = app.store.readers.begin().await?;
    let now = Now::read();
    let mut builder = QueryBuilder::<Sqlite>::new("SELECT ");
    builder.push(COLUMNS).push(TABLES).push("WHERE a.id = ").push_bind(id);
    let row = builder.build().fetch_optional(&mut *reader).await?.ok_or(Problem::NotFound)?;
    let alarm = AlarmRow::read(&row, now.ms)?;
    let body = RawValue::from_string(row.try_get(12)?).map_err(|_| StoreError::Row { table: "alarms" })?;
    let history = history(&mut reader, &alarm.origin, row.try_get(16)?, now.ms).await?;
    let who = person(&mut reader, alarm.person.as_deref()).await?;
    let same_home = same_home(&mut reader, &alarm, now.ms).await?;
    let before = before(&mut reader, &alarm, row.try_get(8)?, now.ms).await?;
    Ok(Json(AlarmDetail { alarm, body, history, now: now.text, who, same_home, before }))
}

/// What people did, and the newest of the further presses: a button that is stuck hides nothing of it.
async fn history(
    reader: &mut SqliteConnection,
    origin: &str,
    variant: i64,
    now_ms: i64,
) -> Result<Vec<AlarmEvent>, StoreError> {
    let events = sqlx::query(
        "SELECT what, state, actor, cause, source, at, received_ms, responder, eta_min, took_over FROM alarm_events
         WHERE id IN (SELECT id FROM alarm_events WHERE alarm = $1 AND variant = $2 AND what <> 'repeated' ORDER BY id DESC LIMIT $3)
         OR id IN (SELECT id FROM alarm_events WHERE alarm = $1 AND variant = $2 AND what = 'repeated' ORDER BY id DESC LIMIT $4)
         ORDER BY id",
    )
    .bind(origin)
    .bind(variant)
    .bind(limits::LIST_ROWS)
    .bind(limits::HISTORY_REPEATED)
    .fetch_all(reader)
    .await?;
    events.iter().map(|row| alarm_event(row, now_ms)).collect()
}

fn alarm_event(row: &SqliteRow, now_ms: i64) -> Result<AlarmEvent, StoreError> {
    let received_ms: i64 = row.try_get(6)?;
    Ok(AlarmEvent {
        what: row.try_get(0)?,
        state: row.try_get::<Option<i64>, _>(1)?.map(alarms::of_rank).transpose()?,
        by: row.try_get(2)?,
        cause: row.try_get(3)?,
        source: row.try_get(4)?,
        at: row.try_get(5)?,
        received_at: time_text(received_ms),
        responder: row.try_get(7)?,
        eta_min: row.try_get(8)?,
        took_over: row.try_get(9)?,
        age_s: now_ms.saturating_sub(received_ms).max(0) / 1_000,
    })
}

async fn person(reader: &mut SqliteConnection, reference: Option<&str>) -> Result<Option<AlarmPerson>, StoreError> {
    let row = sqlx::query("SELECT ref, name, address, contacts, conditions FROM people WHERE ref = $1")
        .bind(reference)
        .fetch_optional(reader)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let raw = |at: usize| -> Result<Box<RawValue>, StoreError> {
        RawValue::from_string(row.try_get(at)?).map_err(|_| StoreError::Row { table: "people" })
    };
    Ok(Some(AlarmPerson {
        reference: row.try_get(0)?,
        name: row.try_get(1)?,
        address: row.try_get(2)?,
        contacts: raw(3)?,
        conditions: raw(4)?,
    }))
}

async fn same_home(reader: &mut SqliteConnection, alarm: &AlarmRow, now_ms: i64) -> Result<Vec<AlarmRow>, StoreError> {
    let Some(person) = &alarm.person else { return Ok(Vec::new()) };
    let mut builder = QueryBuilder::<Sqlite>::new("SELECT ");
    builder.push(COLUMNS).push(TABLES).push("WHERE a.state < 5 AND d.person = ").push_bind(person.clone());
    builder.push(" AND a.id <> ").push_bind(alarm.id.clone());
    builder.push(" ORDER BY a.received_ms LIMIT ").push_bind(limits::SAME_HOME_ROWS);
    rows(builder, reader, now_ms).await
}

async fn before(
    reader: &mut SqliteConnection,
    alarm: &AlarmRow,
    received_ms: i64,
    now_ms: i64,
) -> Result<Vec<AlarmRow>, StoreError> {
    let Some(device) = &alarm.device else { return Ok(Vec::new()) };
    let mut builder = QueryBuilder::<Sqlite>::new("SELECT ");
    builder.push(COLUMNS).push(TABLES).push("WHERE a.device = ").push_bind(device.clone());
    builder.push(" AND a.received_ms <= ").push_bind(received_ms);
    builder.push(" AND a.id <> ").push_bind(alarm.id.clone());
    builder.push(" ORDER BY a.received_ms DESC, a.id DESC LIMIT ").push_bind(limits::BEFORE_ROWS);
    rows(builder, reader, now_ms).await
}

async fn rows(
    mut builder: QueryBuilder<Sqlite>,
    reader: &mut SqliteConnection,
    now_ms: i64,
) -> Result<Vec<AlarmRow>, StoreError> {
    let found = builder.build().fetch_all(reader).await?;
    found.iter().map(|row| AlarmRow::read(row, now_ms)).collect()
}
