//! Alarms for people: the list, one with its history, and the steps.

use axum::Json;
use axum::extract::{Path, Query, State};
use protocols::device::AlarmState;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::caller::CallingActor;
use super::payload::Payload;
use super::problem::Problem;
use crate::alarms;
use crate::app::App;
use crate::limits;
use crate::orders::time_text;
use crate::steps::{self, StepAnswer};
use crate::store::{Priority, StoreError};

const COLUMNS: &str = "a.id, a.origin, a.gateway, a.device, a.kind, a.urgency, a.state, a.recorded_at, a.received_ms, a.follows, d.place, d.person, a.body, \
    a.presses, a.last_press_at, a.taken_back, a.variant";

/// An alarm in a list.
#[derive(Debug, Serialize)]
pub struct AlarmRow {
    id: String,
    origin: String,
    gateway: String,
    device: Option<String>,
    place: Option<String>,
    person: Option<String>,
    kind: String,
    urgency: String,
    state: AlarmState,
    recorded_at: String,
    received_at: String,
    follows: Option<String>,
    /// When it happened, where it was recorded late and its age is known.
    happened_at: Option<String>,
    /// How often it was pressed or found, the first time included.
    presses: i64,
    /// When its gateway recorded the newest further press; none after the first.
    last_press_at: Option<String>,
    /// Whether the elder took it back and did not press since. It still waits for a person.
    taken_back: bool,
}

fn alarm_row(row: &SqliteRow) -> Result<AlarmRow, StoreError> {
    Ok(AlarmRow {
        id: row.try_get(0)?,
        origin: row.try_get(1)?,
        gateway: row.try_get(2)?,
        device: row.try_get(3)?,
        kind: row.try_get(4)?,
        urgency: row.try_get(5)?,
        state: alarms::of_rank(row.try_get(6)?)?,
        recorded_at: row.try_get(7)?,
        received_at: time_text(row.try_get(8)?),
        follows: row.try_get(9)?,
        place: row.try_get(10)?,
        person: row.try_get(11)?,
        happened_at: happened_at(row.try_get(7)?, row.try_get(12)?),
        presses: row.try_get(13)?,
        last_press_at: row.try_get(14)?,
        taken_back: row.try_get::<i64, _>(15)? != 0,
    })
}

fn happened_at(recorded_at: &str, body: &str) -> Option<String> {
    let recorded: jiff::Timestamp = recorded_at.parse().ok()?;
    let age = i64::try_from(alarms::age_ms(body)?).ok()?;
    Some(time_text(recorded.as_millisecond().checked_sub(age)?))
}

/// Parameters of the list.
#[derive(Deserialize)]
pub struct AlarmQuery {
    open: Option<u8>,
}

/// The list: open alarms with the most urgent first, or the newest of all.
#[derive(Debug, Serialize)]
pub struct AlarmList {
    alarms: Vec<AlarmRow>,
}

/// `GET /api/v1/alarms`
pub async fn list(
    State(app): State<App>,
    _: CallingActor,
    query: Result<Query<AlarmQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<AlarmList>, Problem> {
    let Query(query) = query.map_err(|_| Problem::BadParameter)?;
    let mut builder = sqlx::QueryBuilder::<sqlx::Sqlite>::new("SELECT ");
    builder.push(COLUMNS).push(" FROM alarms a LEFT JOIN devices d ON d.id = a.device ");
    if query.open == Some(1) {
        builder.push(
            "WHERE a.state < 5 ORDER BY CASE a.urgency WHEN 'emergency' THEN 0 WHEN 'urgent' THEN 1 WHEN 'request' THEN 2
             WHEN 'technical' THEN 3 ELSE 4 END, a.received_ms, a.id LIMIT ",
        );
    } else {
        builder.push("ORDER BY a.received_ms DESC, a.id DESC LIMIT ");
    }
    builder.push_bind(limits::LIST_ROWS);
    let rows = builder.build().fetch_all(&app.store.readers).await?;
    let alarms = rows.iter().map(alarm_row).collect::<Result<_, _>>()?;
    Ok(Json(AlarmList { alarms }))
}

/// Something that happened to an alarm.
#[derive(Debug, Serialize)]
pub struct AlarmEvent {
    what: String,
    state: Option<AlarmState>,
    by: Option<String>,
    cause: Option<String>,
    source: String,
    at: String,
    received_at: String,
}

/// One alarm with everything that happened to it.
#[derive(Debug, Serialize)]
pub struct AlarmDetail {
    #[serde(flatten)]
    alarm: AlarmRow,
    body: Box<RawValue>,
    history: Vec<AlarmEvent>,
}

/// `GET /api/v1/alarms/{id}`
pub async fn one(
    State(app): State<App>,
    _: CallingActor,
    Path(id): Path<String>,
) -> Result<Json<AlarmDetail>, Problem> {
    let mut builder = sqlx::QueryBuilder::<sqlx::Sqlite>::new("SELECT ");
    builder.push(COLUMNS).push(" FROM alarms a LEFT JOIN devices d ON d.id = a.device WHERE a.id = ");
    builder.push_bind(id);
    let row = builder.build().fetch_optional(&app.store.readers).await?.ok_or(Problem::NotFound)?;
    let alarm = alarm_row(&row)?;
    let body = RawValue::from_string(row.try_get(12)?).map_err(|_| StoreError::Row { table: "alarms" })?;
    let events = sqlx::query(
        "SELECT what, state, actor, cause, source, at, received_ms FROM alarm_events
         WHERE alarm = $1 AND variant = $2 ORDER BY id LIMIT $3",
    )
    .bind(&alarm.origin)
    .bind(row.try_get::<i64, _>(16)?)
    .bind(limits::LIST_ROWS)
    .fetch_all(&app.store.readers)
    .await?;
    let history = events.iter().map(alarm_event).collect::<Result<_, _>>()?;
    Ok(Json(AlarmDetail { alarm, body, history }))
}

fn alarm_event(row: &SqliteRow) -> Result<AlarmEvent, StoreError> {
    Ok(AlarmEvent {
        what: row.try_get(0)?,
        state: row.try_get::<Option<i64>, _>(1)?.map(alarms::of_rank).transpose()?,
        by: row.try_get(2)?,
        cause: row.try_get(3)?,
        source: row.try_get(4)?,
        at: row.try_get(5)?,
        received_at: time_text(row.try_get(6)?),
    })
}

/// Body of a step; may be missing where no cause is needed.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct StepBody {
    cause: Option<String>,
}

/// The answer to a step.
#[derive(Debug, Serialize)]
pub struct StepDone {
    id: String,
    /// How far the alarm is.
    state: AlarmState,
}

/// `POST /api/v1/alarms/{id}/acknowledge`
pub async fn acknowledge(
    app: State<App>,
    actor: CallingActor,
    id: Path<String>,
    body: Payload,
) -> Result<Json<StepDone>, Problem> {
    step(app, actor, id, &body, AlarmState::Acknowledged).await
}

/// `POST /api/v1/alarms/{id}/dispatch`
pub async fn dispatch(
    app: State<App>,
    actor: CallingActor,
    id: Path<String>,
    body: Payload,
) -> Result<Json<StepDone>, Problem> {
    step(app, actor, id, &body, AlarmState::Dispatched).await
}

/// `POST /api/v1/alarms/{id}/on_site`
pub async fn on_site(
    app: State<App>,
    actor: CallingActor,
    id: Path<String>,
    body: Payload,
) -> Result<Json<StepDone>, Problem> {
    step(app, actor, id, &body, AlarmState::OnSite).await
}

/// `POST /api/v1/alarms/{id}/resolve`
pub async fn resolve(
    app: State<App>,
    actor: CallingActor,
    id: Path<String>,
    body: Payload,
) -> Result<Json<StepDone>, Problem> {
    step(app, actor, id, &body, AlarmState::Resolved).await
}

async fn step(
    State(app): State<App>,
    CallingActor(actor): CallingActor,
    Path(id): Path<String>,
    body: &Payload,
    state: AlarmState,
) -> Result<Json<StepDone>, Problem> {
    let StepBody { cause } = if body.0.is_empty() { StepBody::default() } else { body.json()? };
    let cause = cause.map(|cause| cause.trim().to_owned()).filter(|cause| !cause.is_empty());
    if cause.as_ref().is_some_and(|cause| cause.len() > limits::CAUSE_BYTES_MAX) {
        return Err(Problem::TooLarge);
    }
    if state == AlarmState::Resolved && cause.is_none() {
        return Err(Problem::CauseMissing);
    }
    let alarm = id.clone();
    let answer = app
        .store
        .writer
        .run(Priority::Alarm, 1, move |tx| {
            Box::pin(async move { steps::step_by_person(tx, &alarm, state, &actor, cause).await })
        })
        .await?;
    match answer {
        StepAnswer::Taken { state } => Ok(Json(StepDone { id, state })),
        StepAnswer::TakenBy { .. } => Err(Problem::AlarmTaken),
        StepAnswer::NoAlarm => Err(Problem::NotFound),
    }
}
