//! Enrolling: people, their cards, devices, gateways and operators, by an operator.
//!
//! **Invariant:** a token is in exactly one answer: that to the request that drew it.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use protocols::id::{ActorId, DeviceId, GatewayId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::caller::CallingActor;
use super::payload::Payload;
use super::problem::Problem;
use crate::app::App;
use crate::enrolment::{self, Coordinates, Device, EnrolAnswer, Person};
use crate::identity::Token;
use crate::issuer::serial_number;
use crate::limits;
use crate::store::Priority;

/// A token, shown once.
#[derive(Serialize)]
pub struct Enrolled {
    id: String,
    token: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct GatewayBody {
    /// Its very first journal needs no approval.
    #[serde(default)]
    trusted: bool,
}

/// `PUT /api/v1/gateways/{gateway}`
pub async fn gateway(
    State(app): State<App>,
    CallingActor(actor): CallingActor,
    Path(id): Path<String>,
    body: Payload,
) -> Result<Json<Enrolled>, Problem> {
    let id: GatewayId = id.parse().map_err(|_| Problem::BadParameter)?;
    let GatewayBody { trusted } = if body.0.is_empty() { GatewayBody::default() } else { body.json()? };
    let token = Token::draw().map_err(|_| Problem::Internal)?;
    let enrolled = Enrolled { id: id.as_str().to_owned(), token: token.expose().to_owned() };
    tracing::info!(gateway = id.as_str(), by = actor.as_str(), "a gateway gets a token");
    app.store
        .writer
        .run(Priority::Person, 1, move |tx| Box::pin(async move { enrolment::gateway(tx, &id, &token, trusted).await }))
        .await?;
    Ok(Json(enrolled))
}

/// `PUT /api/v1/operators/{id}`
pub async fn operator(
    State(app): State<App>,
    CallingActor(actor): CallingActor,
    Path(id): Path<String>,
) -> Result<Json<Enrolled>, Problem> {
    let id: ActorId = id.parse().map_err(|_| Problem::BadParameter)?;
    let token = Token::draw().map_err(|_| Problem::Internal)?;
    let enrolled = Enrolled { id: id.as_str().to_owned(), token: token.expose().to_owned() };
    tracing::info!(operator = id.as_str(), by = actor.as_str(), "an operator gets a token");
    app.store
        .writer
        .run(Priority::Person, 1, move |tx| Box::pin(async move { enrolment::operator(tx, &id, &token).await }))
        .await?;
    Ok(Json(enrolled))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PersonBody {
    name: String,
    address: String,
    contacts: Box<RawValue>,
    conditions: Box<RawValue>,
    /// Where the home is on the map; both or neither.
    lat: Option<f64>,
    lon: Option<f64>,
}

/// `PUT /api/v1/people/{ref}`
pub async fn person(
    State(app): State<App>,
    _: CallingActor,
    Path(reference): Path<String>,
    body: Payload,
) -> Result<StatusCode, Problem> {
    let body: PersonBody = body.json()?;
    // A reference is in addresses and logs: it follows the rule of names.
    let reference: ActorId = reference.parse().map_err(|_| Problem::BadParameter)?;
    let texts = [body.name.as_str(), body.address.as_str(), body.contacts.get(), body.conditions.get()];
    if texts.iter().any(|text| text.len() > limits::PERSON_TEXT_BYTES_MAX) {
        return Err(Problem::TooLarge);
    }
    if body.name.trim().is_empty() || !body.contacts.get().starts_with('[') || !body.conditions.get().starts_with('[') {
        return Err(Problem::BadJson);
    }
    let place = match (body.lat, body.lon) {
        (None, None) => None,
        (Some(lat), Some(lon)) => Some(Coordinates::new(lat, lon).ok_or(Problem::BadParameter)?),
        (Some(_), None) | (None, Some(_)) => return Err(Problem::BadParameter),
    };
    let person = Person {
        reference: reference.as_str().to_owned(),
        name: body.name,
        address: body.address,
        contacts: body.contacts.get().to_owned(),
        conditions: body.conditions.get().to_owned(),
        place,
    };
    app.store
        .writer
        .run(Priority::Person, 1, move |tx| Box::pin(async move { enrolment::person(tx, &person).await }))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CardBody {
    serial: String,
}

/// The reference of a card.
#[derive(Debug, Serialize)]
pub struct CardReference {
    card: String,
}

/// `POST /api/v1/people/{ref}/cards`
pub async fn card(
    State(app): State<App>,
    _: CallingActor,
    Path(reference): Path<String>,
    body: Payload,
) -> Result<Json<CardReference>, Problem> {
    let CardBody { serial } = body.json()?;
    let serial = serial_number(&serial).ok_or(Problem::BadParameter)?;
    let answer = app
        .store
        .writer
        .run(Priority::Person, 1, move |tx| Box::pin(async move { enrolment::card(tx, &serial, &reference).await }))
        .await?;
    match answer {
        EnrolAnswer::Enrolled(card) => Ok(Json(CardReference { card })),
        EnrolAnswer::NoSuch => Err(Problem::NotFound),
        EnrolAnswer::Taken => Err(Problem::CardTaken),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeviceBody {
    kind: String,
    place: String,
    person: Option<String>,
    gateway: Option<GatewayId>,
    /// Those who may take its alarms further, too.
    #[serde(default)]
    standby: BTreeSet<GatewayId>,
    silent_after_s: u32,
    heartbeat_s: u32,
}

/// `PUT /api/v1/devices/{id}`
pub async fn device(
    State(app): State<App>,
    _: CallingActor,
    Path(id): Path<String>,
    body: Payload,
) -> Result<StatusCode, Problem> {
    let id: DeviceId = id.parse().map_err(|_| Problem::BadParameter)?;
    let body: DeviceBody = body.json()?;
    let times = limits::HEARTBEAT_S_MIN..=limits::HEARTBEAT_S_MAX;
    // A device is not silent before it could have missed a heartbeat.
    if !times.contains(&body.heartbeat_s) || body.silent_after_s <= body.heartbeat_s {
        return Err(Problem::BadParameter);
    }
    if body.standby.len() > limits::STANDBYS_MAX {
        return Err(Problem::TooLarge);
    }
    if [&body.kind, &body.place].iter().any(|text| text.len() > limits::SERVICE_NAME_BYTES_MAX) {
        return Err(Problem::TooLarge);
    }
    let device = Device {
        id,
        kind: body.kind,
        place: body.place,
        person: body.person,
        gateway: body.gateway,
        standby: body.standby,
        silent_after_s: body.silent_after_s,
        heartbeat_s: body.heartbeat_s,
    };
    let answer = app
        .store
        .writer
        .run(Priority::Person, 1, move |tx| Box::pin(async move { enrolment::device(tx, &device).await }))
        .await?;
    match answer {
        EnrolAnswer::Enrolled(()) => Ok(StatusCode::NO_CONTENT),
        EnrolAnswer::NoSuch | EnrolAnswer::Taken => Err(Problem::NotFound),
    }
}
