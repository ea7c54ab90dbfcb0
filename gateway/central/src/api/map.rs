//! The map of the district: homes with what is open and silent there, and gateways.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use protocols::id::GatewayId;
use serde::{Deserialize, Serialize};
use sqlx::{Row as _, SqliteConnection};

use super::caller::CallingActor;
use super::payload::Payload;
use super::problem::Problem;
use crate::app::App;
use crate::enrolment::{self, Coordinates, EnrolAnswer};
use crate::limits;
use crate::orders::time_text;
use crate::store::{Now, Priority, StoreError};

/// A home.
#[derive(Debug, Serialize)]
pub struct Home {
    person: String,
    name: String,
    address: String,
    lat: f64,
    lon: f64,
    devices: i64,
    /// Devices that are silent.
    silent: i64,
    /// Open alarms.
    open: i64,
    /// The most urgent of them; none where nothing is open.
    urgency: Option<String>,
    /// The one that is to be looked at first.
    alarm: Option<String>,
}

/// A gateway on the map.
#[derive(Debug, Serialize)]
pub struct GatewayPlace {
    gateway: String,
    lat: f64,
    lon: f64,
    last_seen: Option<String>,
    /// How long ago that was, seconds.
    seen_s: Option<i64>,
    /// Whether an alarm about its silence is open.
    silent: bool,
    devices: i64,
}

/// The map.
#[derive(Debug, Serialize)]
pub struct DistrictMap {
    now: String,
    homes: Vec<Home>,
    gateways: Vec<GatewayPlace>,
    /// Homes and gateways that are not in this answer, which is full; what has something open or silent comes first.
    left_out: i64,
    /// People and gateways of whom nobody said where they are.
    without_place: i64,
}

/// `GET /api/v1/map`
pub async fn district(State(app): State<App>, _: CallingActor) -> Result<Json<DistrictMap>, Problem> {
    let mut reader = app.store.readers.begin().await?;
    let now = Now::read();
    let homes = homes(&mut reader).await?;
    let gateways = gateways(&app, &mut reader, now.ms).await?;
    let without_place = sqlx::query_scalar(
        "SELECT (SELECT COUNT(*) FROM people WHERE lat IS NULL) + (SELECT COUNT(*) FROM gateways WHERE lat IS NULL)",
    )
    .fetch_one(&mut *reader)
    .await?;
    let placed: i64 = sqlx::query_scalar(
        "SELECT (SELECT COUNT(*) FROM people WHERE lat IS NOT NULL AND lon IS NOT NULL)
         + (SELECT COUNT(*) FROM gateways WHERE lat IS NOT NULL AND lon IS NOT NULL)",
    )
    .fetch_one(&mut *reader)
    .await?;
    let told = i64::try_from(homes.len().saturating_add(gateways.len())).unwrap_or(i64::MAX);
    let left_out = placed.saturating_sub(told).max(0);
    Ok(Json(DistrictMap { now: now.text, homes, gateways, left_out, without_place }))
}

struct OpenHere {
    count: i64,
    urgency: String,
    alarm: String,
}

/// Open alarms by person; of each the first of the most urgent.
async fn open_by_person(reader: &mut SqliteConnection) -> Result<BTreeMap<String, OpenHere>, StoreError> {
    let rows = sqlx::query(
        "SELECT d.person, a.urgency, a.id FROM alarms a JOIN devices d ON d.id = a.device
         WHERE a.state < 5 AND d.person IS NOT NULL
         ORDER BY CASE a.urgency WHEN 'emergency' THEN 0 WHEN 'urgent' THEN 1 WHEN 'request' THEN 2 WHEN 'technical' THEN 3
          ELSE 4 END, a.received_ms, a.id",
    )
    .fetch_all(reader)
    .await?;
    let mut open: BTreeMap<String, OpenHere> = BTreeMap::new();
    for row in rows {
        let (urgency, alarm) = (row.try_get(1)?, row.try_get(2)?);
        let here = open.entry(row.try_get(0)?).or_insert(OpenHere { count: 0, urgency, alarm });
        here.count = here.count.saturating_add(1);
    }
    Ok(open)
}

async fn homes(reader: &mut SqliteConnection) -> Result<Vec<Home>, StoreError> {
    let mut open = open_by_person(reader).await?;
    let rows = sqlx::query(
        "WITH o AS (SELECT DISTINCT x.person FROM alarms a JOIN devices x ON x.id = a.device
          WHERE a.state < 5 AND x.person IS NOT NULL)
         SELECT p.ref, p.name, p.address, p.lat, p.lon, COUNT(d.id), COUNT(CASE WHEN d.trouble = 'silent' THEN 1 END) AS silent
         FROM people p LEFT JOIN devices d ON d.person = p.ref WHERE p.lat IS NOT NULL AND p.lon IS NOT NULL
         GROUP BY p.ref ORDER BY p.ref IN (SELECT person FROM o) DESC, silent > 0 DESC, p.ref LIMIT $1",
    )
    .bind(limits::DEVICE_ROWS)
    .fetch_all(reader)
    .await?;
    rows.iter()
        .map(|row| {
            let person: String = row.try_get(0)?;
            let here = open.remove(&person);
            Ok(Home {
                name: row.try_get(1)?,
                address: row.try_get(2)?,
                lat: row.try_get(3)?,
                lon: row.try_get(4)?,
                devices: row.try_get(5)?,
                silent: row.try_get(6)?,
                open: here.as_ref().map_or(0, |here| here.count),
                urgency: here.as_ref().map(|here| here.urgency.clone()),
                alarm: here.map(|here| here.alarm),
                person,
            })
        })
        .collect()
}

async fn gateways(app: &App, reader: &mut SqliteConnection, now_ms: i64) -> Result<Vec<GatewayPlace>, StoreError> {
    let rows = sqlx::query(
        "SELECT g.id, g.lat, g.lon, g.last_seen_ms, (SELECT COUNT(*) FROM devices d WHERE d.gateway = g.id),
         EXISTS (SELECT 1 FROM alarms a WHERE a.state < 5 AND a.gateway = g.id AND a.kind = 'gateway_silent')
         FROM gateways g WHERE g.lat IS NOT NULL AND g.lon IS NOT NULL ORDER BY 6 DESC, g.id LIMIT $1",
    )
    .bind(limits::DEVICE_ROWS)
    .fetch_all(reader)
    .await?;
    rows.iter()
        .map(|row| {
            let gateway: String = row.try_get(0)?;
            let seen_ms = app.seen(&gateway).max(row.try_get::<Option<i64>, _>(3)?);
            Ok(GatewayPlace {
                lat: row.try_get(1)?,
                lon: row.try_get(2)?,
                last_seen: seen_ms.map(time_text),
                seen_s: seen_ms.map(|seen_ms| now_ms.saturating_sub(seen_ms).max(0) / 1_000),
                devices: row.try_get(4)?,
                silent: row.try_get::<i64, _>(5)? == 1,
                gateway,
            })
        })
        .collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlaceBody {
    lat: f64,
    lon: f64,
}

/// `PUT /api/v1/gateways/{gateway}/place`
pub async fn place_gateway(
    State(app): State<App>,
    _: CallingActor,
    Path(id): Path<String>,
    body: Payload,
) -> Result<StatusCode, Problem> {
    let id: GatewayId = id.parse().map_err(|_| Problem::NotFound)?;
    let PlaceBody { lat, lon } = body.json()?;
    let place = Coordinates::new(lat, lon).ok_or(Problem::BadParameter)?;
    let answer = app
        .store
        .writer
        .run(Priority::Person, 1, move |tx| Box::pin(async move { enrolment::gateway_place(tx, &id, place).await }))
        .await?;
    match answer {
        EnrolAnswer::Enrolled(()) => Ok(StatusCode::NO_CONTENT),
        EnrolAnswer::NoSuch | EnrolAnswer::Taken => Err(Problem::NotFound),
    }
}
