//! People, devices and gateways of the district.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use protocols::id::GatewayId;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::caller::{CallingActor, CallingReader};
use super::problem::Problem;
use crate::app::App;
use crate::approval::{self, ApproveAnswer};
use crate::limits;
use crate::orders::time_text;
use crate::store::{Now, Priority, StoreError};

/// A card of a person.
#[derive(Debug, Serialize)]
pub struct CardRow {
    card: String,
    blocked: bool,
}

/// A person, for those who help them.
#[derive(Debug, Serialize)]
pub struct PersonDetail {
    #[serde(rename = "ref")]
    reference: String,
    name: String,
    address: String,
    contacts: Box<RawValue>,
    conditions: Box<RawValue>,
    cards: Vec<CardRow>,
    devices: Vec<DeviceRow>,
    open_alarms: Vec<String>,
}

/// `GET /api/v1/people/{ref}`
pub async fn person(
    State(app): State<App>,
    _: CallingActor,
    Path(reference): Path<String>,
) -> Result<Json<PersonDetail>, Problem> {
    let readers = &app.store.readers;
    let row = sqlx::query("SELECT name, address, contacts, conditions FROM people WHERE ref = $1")
        .bind(&reference)
        .fetch_optional(readers)
        .await?
        .ok_or(Problem::NotFound)?;
    let raw = |at: usize| -> Result<Box<RawValue>, StoreError> {
        RawValue::from_string(row.try_get(at)?).map_err(|_| StoreError::Row { table: "people" })
    };
    let cards = sqlx::query(
        "SELECT c.ref, EXISTS (SELECT 1 FROM hotlist h WHERE h.card = c.ref) FROM cards c WHERE c.person = $1
         ORDER BY c.ref LIMIT $2",
    )
    .bind(&reference)
    .bind(limits::LIST_ROWS)
    .fetch_all(readers)
    .await?;
    let devices = sqlx::query(
        "SELECT id, kind, place, person, gateway, silent_after_s, heartbeat_s, trouble, trouble_ms,
         (SELECT json_group_array(s.gateway) FROM device_standbys s WHERE s.device = devices.id) FROM devices
         WHERE person = $1 ORDER BY id LIMIT $2",
    )
    .bind(&reference)
    .bind(limits::LIST_ROWS)
    .fetch_all(readers)
    .await?;
    let open_alarms = sqlx::query_scalar(
        "SELECT a.id FROM alarms a JOIN devices d ON d.id = a.device WHERE d.person = $1 AND a.state < 5
         ORDER BY a.received_ms LIMIT $2",
    )
    .bind(&reference)
    .bind(limits::LIST_ROWS)
    .fetch_all(readers)
    .await?;
    Ok(Json(PersonDetail {
        name: row.try_get(0)?,
        address: row.try_get(1)?,
        contacts: raw(2)?,
        conditions: raw(3)?,
        cards: cards
            .iter()
            .map(|row| Ok(CardRow { card: row.try_get(0)?, blocked: row.try_get::<i64, _>(1)? == 1 }))
            .collect::<Result<_, sqlx::Error>>()?,
        devices: devices.iter().map(device_row).collect::<Result<_, _>>()?,
        open_alarms,
        reference,
    }))
}

/// Parameters of a search among people.
#[derive(Deserialize)]
pub struct PeopleQuery {
    /// Part of a name, a reference or an address.
    q: String,
}

/// A person that was found.
#[derive(Debug, Serialize)]
pub struct PersonRow {
    #[serde(rename = "ref")]
    reference: String,
    name: String,
    address: String,
    devices: i64,
    open_alarms: i64,
}

/// The people that were found.
#[derive(Debug, Serialize)]
pub struct PeopleFound {
    people: Vec<PersonRow>,
    /// Whether there are more than are shown.
    more: bool,
}

/// `GET /api/v1/people`
pub async fn people(
    State(app): State<App>,
    _: CallingActor,
    query: Result<Query<PeopleQuery>, QueryRejection>,
) -> Result<Json<PeopleFound>, Problem> {
    let Query(PeopleQuery { q }) = query.map_err(|_| Problem::BadParameter)?;
    if q.len() > limits::SEARCH_BYTES_MAX {
        return Err(Problem::TooLarge);
    }
    let rows = sqlx::query(
        "SELECT p.ref, p.name, p.address, (SELECT COUNT(*) FROM devices d WHERE d.person = p.ref),
         (SELECT COUNT(*) FROM devices d JOIN alarms a ON a.device = d.id WHERE d.person = p.ref AND a.state < 5)
         FROM people p WHERE instr(lower(p.name), lower($1)) > 0 OR instr(lower(p.ref), lower($1)) > 0
          OR instr(lower(p.address), lower($1)) > 0 ORDER BY p.ref LIMIT $2",
    )
    .bind(q.trim())
    .bind(limits::PEOPLE_FOUND_MAX.saturating_add(1))
    .fetch_all(&app.store.readers)
    .await?;
    let most = usize::try_from(limits::PEOPLE_FOUND_MAX).unwrap_or(usize::MAX);
    let found = rows.iter().take(most).map(|row| {
        Ok(PersonRow {
            reference: row.try_get(0)?,
            name: row.try_get(1)?,
            address: row.try_get(2)?,
            devices: row.try_get(3)?,
            open_alarms: row.try_get(4)?,
        })
    });
    Ok(Json(PeopleFound { people: found.collect::<Result<_, sqlx::Error>>()?, more: rows.len() > most }))
}

/// A device.
#[derive(Debug, Serialize)]
pub struct DeviceRow {
    device: String,
    kind: String,
    place: String,
    person: Option<String>,
    gateway: Option<String>,
    standby: Box<RawValue>,
    silent_after_s: i64,
    heartbeat_s: i64,
    state: Option<String>,
    state_since: Option<String>,
}

fn device_row(row: &SqliteRow) -> Result<DeviceRow, StoreError> {
    Ok(DeviceRow {
        device: row.try_get(0)?,
        kind: row.try_get(1)?,
        place: row.try_get(2)?,
        person: row.try_get(3)?,
        gateway: row.try_get(4)?,
        standby: RawValue::from_string(row.try_get(9)?).map_err(|_| StoreError::Row { table: "device_standbys" })?,
        silent_after_s: row.try_get(5)?,
        heartbeat_s: row.try_get(6)?,
        state: row.try_get(7)?,
        state_since: row.try_get::<Option<i64>, _>(8)?.map(time_text),
    })
}

/// The devices.
#[derive(Debug, Serialize)]
pub struct DeviceList {
    devices: Vec<DeviceRow>,
}

/// `GET /api/v1/devices`: those in trouble first.
pub async fn devices(State(app): State<App>, _: CallingActor) -> Result<Json<DeviceList>, Problem> {
    let rows = sqlx::query(
        "SELECT id, kind, place, person, gateway, silent_after_s, heartbeat_s, trouble, trouble_ms,
         (SELECT json_group_array(s.gateway) FROM device_standbys s WHERE s.device = devices.id) FROM devices
         ORDER BY CASE WHEN trouble IS NULL OR trouble IN ('back', 'battery_ok', 'fault_over') THEN 1 ELSE 0 END, id
         LIMIT $1",
    )
    .bind(limits::DEVICE_ROWS)
    .fetch_all(&app.store.readers)
    .await?;
    Ok(Json(DeviceList { devices: rows.iter().map(device_row).collect::<Result<_, _>>()? }))
}

/// A gateway.
#[derive(Debug, Serialize)]
pub struct GatewayRow {
    gateway: String,
    last_seen: Option<String>,
    /// How long ago that was, seconds, by the centre's clock.
    seen_s: Option<i64>,
    journal: Option<String>,
    head: Option<HeadRow>,
    entries: i64,
    chain: &'static str,
    sales: &'static str,
    closed_reason: Option<String>,
}

/// The end of the verified prefix.
#[derive(Debug, Serialize)]
pub struct HeadRow {
    n: i64,
    hash: String,
}

/// The gateways.
#[derive(Debug, Serialize)]
pub struct GatewayList {
    gateways: Vec<GatewayRow>,
}

/// `GET /api/v1/gateways`
pub async fn gateways(State(app): State<App>, _: CallingReader) -> Result<Json<GatewayList>, Problem> {
    let rows = sqlx::query(
        "SELECT g.id, g.last_seen_ms, g.journal, g.closed_reason, j.head_n, j.head_hash, j.forked_n, j.entries
         FROM gateways g LEFT JOIN journals j ON j.gateway = g.id AND j.journal = g.journal ORDER BY g.id LIMIT $1",
    )
    .bind(limits::DEVICE_ROWS)
    .fetch_all(&app.store.readers)
    .await?;
    let gateways = rows.iter().map(|row| gateway_row(&app, row)).collect::<Result<_, _>>()?;
    Ok(Json(GatewayList { gateways }))
}

fn gateway_row(app: &App, row: &SqliteRow) -> Result<GatewayRow, StoreError> {
    let gateway: String = row.try_get(0)?;
    let seen = app.seen(&gateway).max(row.try_get::<Option<i64>, _>(1)?);
    let closed_reason: Option<String> = row.try_get(3)?;
    let head_n: Option<i64> = row.try_get(4)?;
    let head_hash: Option<Vec<u8>> = row.try_get(5)?;
    let entries = row.try_get::<Option<i64>, _>(7)?.unwrap_or(0);
    let chain = if row.try_get::<Option<i64>, _>(6)?.is_some() {
        "forked"
    } else if entries > head_n.unwrap_or(0) {
        "gap"
    } else {
        "sound"
    };
    Ok(GatewayRow {
        last_seen: seen.map(time_text),
        seen_s: seen.map(|seen| Now::read().ms.saturating_sub(seen).max(0) / 1_000),
        journal: row.try_get(2)?,
        head: head_n.zip(head_hash).map(|(n, hash)| HeadRow { n, hash: hex::encode(hash) }),
        entries,
        chain,
        sales: if closed_reason.is_some() { "closed" } else { "open" },
        closed_reason,
        gateway,
    })
}

/// The answer to an approval.
#[derive(Debug, Serialize)]
pub struct Approved {
    gateway: String,
    journal: String,
}

/// `POST /api/v1/gateways/{gateway}/approve`
pub async fn approve(
    State(app): State<App>,
    CallingActor(actor): CallingActor,
    Path(gateway): Path<String>,
) -> Result<Json<Approved>, Problem> {
    let gateway: GatewayId = gateway.parse().map_err(|_| Problem::NotFound)?;
    let name = gateway.as_str().to_owned();
    let issuer = app.issuer.clone();
    let answer = app
        .store
        .writer
        .run(Priority::Person, 1, move |tx| {
            Box::pin(async move { approval::approve(tx, &issuer, &gateway, actor.as_str()).await })
        })
        .await?;
    match answer {
        ApproveAnswer::Approved { journal } => Ok(Json(Approved { gateway: name, journal })),
        ApproveAnswer::NoJournal => Err(Problem::NothingToApprove),
        ApproveAnswer::NoGateway => Err(Problem::NotFound),
    }
}
