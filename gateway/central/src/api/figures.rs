//! How quickly alarms were answered, for people.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::caller::CallingActor;
use super::problem::Problem;
use crate::app::App;
use crate::figures::{self, Answered, Bucket, OfCause, OfUrgency, Times};
use crate::limits;
use crate::orders::time_text;
use crate::store::{Now, StoreError, day_start_ms};

const HOUR_MS: i64 = 3_600_000;

/// Parameters of the figures.
#[derive(Deserialize)]
pub struct FigureQuery {
    /// Civil days of the city, today included.
    days: Option<u16>,
}

/// The figures.
#[derive(Debug, Serialize)]
pub struct FigureSheet {
    now: String,
    days: u16,
    /// The first day, RFC 3339.
    from: String,
    /// Whether `buckets` are hours; else days.
    by_hour: bool,
    by_urgency: Vec<OfUrgency>,
    /// Of all for which a person waits.
    times: Times,
    causes: Vec<OfCause>,
    buckets: Vec<Bucket>,
}

/// `GET /api/v1/figures`
pub async fn sheet(
    State(app): State<App>,
    _: CallingActor,
    query: Result<Query<FigureQuery>, QueryRejection>,
) -> Result<Json<FigureSheet>, Problem> {
    let Query(query) = query.map_err(|_| Problem::BadParameter)?;
    let days = query.days.unwrap_or(1);
    if !(1..=limits::FIGURE_DAYS_MAX).contains(&days) {
        return Err(Problem::BadParameter);
    }
    let now = Now::read();
    let by_hour = days <= limits::FIGURE_DAYS_BY_HOUR;
    let starts = starts(&now, days, by_hour).ok_or(Problem::Internal)?;
    let from_ms = starts.first().map_or(now.ms, |(from_ms, _)| *from_ms);
    let rows = sqlx::query(
        "SELECT urgency, state, received_ms, raised_ms, acknowledged_ms, dispatched_ms, on_site_ms, resolved_ms, cause
         FROM alarms WHERE received_ms >= $1",
    )
    .bind(from_ms)
    .fetch_all(&app.store.readers)
    .await?;
    let alarms = rows.iter().map(answered).collect::<Result<Vec<_>, StoreError>>()?;
    Ok(Json(FigureSheet {
        from: time_text(from_ms),
        now: now.text,
        days,
        by_hour,
        by_urgency: figures::by_urgency(&alarms),
        times: figures::of_people(&alarms),
        causes: figures::by_cause(&alarms),
        buckets: figures::buckets(&alarms, starts),
    }))
}

/// The beginning of each hour or day up to now, as milliseconds and as text.
fn starts(now: &Now, days: u16, by_hour: bool) -> Option<Vec<(i64, String)>> {
    let mut starts = Vec::new();
    for back in (0..i32::from(days)).rev() {
        let day_ms = day_start_ms(&now.day, back.checked_neg()?)?;
        let next_ms = day_start_ms(&now.day, 1_i32.checked_sub(back)?)?;
        let step = if by_hour { HOUR_MS } else { next_ms.checked_sub(day_ms)? };
        let mut from_ms = day_ms;
        while from_ms < next_ms && from_ms <= now.ms {
            starts.push((from_ms, time_text(from_ms)));
            from_ms = from_ms.checked_add(step)?;
        }
    }
    Some(starts)
}

fn answered(row: &SqliteRow) -> Result<Answered, StoreError> {
    Ok(Answered {
        urgency: row.try_get(0)?,
        is_open: row.try_get::<i64, _>(1)? < crate::alarms::rank(protocols::device::AlarmState::Resolved),
        received_ms: row.try_get(2)?,
        raised_ms: row.try_get(3)?,
        steps_ms: [row.try_get(4)?, row.try_get(5)?, row.try_get(6)?, row.try_get(7)?],
        cause: row.try_get(8)?,
    })
}
