//! Who and what belongs to the district: gateways, operators, people, cards, devices.
//!
//! **Invariant:** what is enrolled twice with the same data is enrolled once; a token changes only by being given anew.

use std::collections::BTreeSet;

use protocols::card::value::ApplicationSerialNumber;
use protocols::id::{ActorId, DeviceId, GatewayId};
use protocols::uplink::{DeviceAssignOrder, DeviceUnassignOrder, SettingsOrder};
use sqlx::Row as _;

use crate::identity::Token;
use crate::orders::{self, What};
use crate::people;
use crate::store::{StoreError, Tx};
use crate::{catalogue, hotlist, versions};

/// What became of an enrolment that names others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnrolAnswer<T> {
    /// It is enrolled, now or before.
    Enrolled(T),
    /// The person or gateway that it names is not known.
    NoSuch,
    /// It belongs to another person.
    Taken,
}

/// A gateway with its token; a gateway that is known gets the new token. It is ordered everything that is in force.
/// `trusted`: its very first journal needs no approval.
///
/// # Errors
/// The database cannot do it.
pub async fn gateway(tx: &mut Tx, id: &GatewayId, token: &Token, trusted: bool) -> Result<(), StoreError> {
    let known: Option<i64> = sqlx::query_scalar("SELECT 1 FROM gateways WHERE id = $1")
        .bind(id.as_str())
        .fetch_optional(&mut tx.conn)
        .await?;
    sqlx::query(
        "INSERT INTO gateways (id, token_hash, trusted) VALUES ($1, $2, $3)
         ON CONFLICT (id) DO UPDATE SET token_hash = excluded.token_hash",
    )
    .bind(id.as_str())
    .bind(token.digest())
    .bind(i64::from(trusted))
    .execute(&mut tx.conn)
    .await?;
    if known.is_none() {
        catalogue::tell(tx, id.as_str()).await?;
        hotlist::tell(tx, id.as_str()).await?;
    }
    Ok(())
}

/// An operator with a token; one who is known gets the new token.
///
/// # Errors
/// The database cannot do it.
pub async fn operator(tx: &mut Tx, id: &ActorId, token: &Token) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO actors (id, token_hash, role) VALUES ($1, $2, 'operator')
         ON CONFLICT (id) DO UPDATE SET token_hash = excluded.token_hash",
    )
    .bind(id.as_str())
    .bind(token.digest())
    .execute(&mut tx.conn)
    .await?;
    Ok(())
}

/// A person as somebody enrols them; the account has the same reference.
#[derive(Debug, Clone)]
pub struct Person {
    /// The reference.
    pub reference: String,
    /// The name.
    pub name: String,
    /// Where they live.
    pub address: String,
    /// Whom to call, JSON.
    pub contacts: String,
    /// What helpers must know, JSON.
    pub conditions: String,
    /// Where the home is on the map; none leaves it where it is.
    pub place: Option<Coordinates>,
}

/// A point on the map, degrees (WGS 84).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coordinates {
    lat: f64,
    lon: f64,
}

impl Coordinates {
    /// The point, where there is one with these degrees.
    #[must_use]
    pub fn new(lat: f64, lon: f64) -> Option<Self> {
        let is_point = (-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lon);
        is_point.then_some(Self { lat, lon })
    }
}

/// A person; of one who is known, everything but the reference is replaced, the place on the map only by another.
///
/// # Errors
/// The database cannot do it.
pub async fn person(tx: &mut Tx, person: &Person) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO people (ref, name, address, contacts, conditions, lat, lon) VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (ref) DO UPDATE SET name = excluded.name, address = excluded.address,
         contacts = excluded.contacts, conditions = excluded.conditions,
         lat = COALESCE(excluded.lat, lat), lon = COALESCE(excluded.lon, lon)",
    )
    .bind(&person.reference)
    .bind(&person.name)
    .bind(&person.address)
    .bind(&person.contacts)
    .bind(&person.conditions)
    .bind(person.place.map(|place| place.lat))
    .bind(person.place.map(|place| place.lon))
    .execute(&mut tx.conn)
    .await?;
    Ok(())
}

/// Where a gateway is.
///
/// # Errors
/// The database cannot do it.
pub async fn gateway_place(tx: &mut Tx, id: &GatewayId, place: Coordinates) -> Result<EnrolAnswer<()>, StoreError> {
    let done = sqlx::query("UPDATE gateways SET lat = $2, lon = $3 WHERE id = $1")
        .bind(id.as_str())
        .bind(place.lat)
        .bind(place.lon)
        .execute(&mut tx.conn)
        .await?;
    Ok(if done.rows_affected() == 1 { EnrolAnswer::Enrolled(()) } else { EnrolAnswer::NoSuch })
}

/// A person's card. Gives back its reference.
///
/// # Errors
/// The database cannot do it.
pub async fn card(
    tx: &mut Tx,
    serial: &ApplicationSerialNumber,
    person: &str,
) -> Result<EnrolAnswer<String>, StoreError> {
    if !is_known(tx, "SELECT 1 FROM people WHERE ref = $1", person).await? {
        return Ok(EnrolAnswer::NoSuch);
    }
    let card = people::card_or_new(tx, serial).await?;
    if card.person.as_deref().is_some_and(|owner| owner != person) {
        return Ok(EnrolAnswer::Taken);
    }
    sqlx::query("UPDATE cards SET person = $2 WHERE ref = $1")
        .bind(&card.reference)
        .bind(person)
        .execute(&mut tx.conn)
        .await?;
    Ok(EnrolAnswer::Enrolled(card.reference))
}

async fn is_known(tx: &mut Tx, query: &'static str, name: &str) -> Result<bool, StoreError> {
    let known: Option<i64> = sqlx::query_scalar(query).bind(name).fetch_optional(&mut tx.conn).await?;
    Ok(known.is_some())
}

/// A device as somebody enrols it.
#[derive(Debug, Clone)]
pub struct Device {
    /// Its id.
    pub id: DeviceId,
    /// `button`, `pull_cord` …
    pub kind: String,
    /// Where it is.
    pub place: String,
    /// Whose it is.
    pub person: Option<String>,
    /// Which gateway has it.
    pub gateway: Option<GatewayId>,
    /// Gateways that stand by for it: they may take its alarms further.
    pub standby: BTreeSet<GatewayId>,
    /// Seconds without a sign after which it counts as silent.
    pub silent_after_s: u32,
    /// Seconds between heartbeats.
    pub heartbeat_s: u32,
}

/// A device; where its gateway or times change, the gateways are told.
///
/// # Errors
/// The database cannot do it.
pub async fn device(tx: &mut Tx, device: &Device) -> Result<EnrolAnswer<()>, StoreError> {
    if let Some(person) = &device.person
        && !is_known(tx, "SELECT 1 FROM people WHERE ref = $1", person).await?
    {
        return Ok(EnrolAnswer::NoSuch);
    }
    for gateway in device.gateway.iter().chain(&device.standby) {
        if !is_known(tx, "SELECT 1 FROM gateways WHERE id = $1", gateway.as_str()).await? {
            return Ok(EnrolAnswer::NoSuch);
        }
    }
    let known = sqlx::query("SELECT gateway, silent_after_s, heartbeat_s FROM devices WHERE id = $1")
        .bind(device.id.as_str())
        .fetch_optional(&mut tx.conn)
        .await?;
    let before = known
        .map(|row| Ok::<_, StoreError>((row.try_get::<Option<String>, _>(0)?, row.try_get(1)?, row.try_get(2)?)))
        .transpose()?;
    let now = (
        device.gateway.as_ref().map(|gateway| gateway.as_str().to_owned()),
        i64::from(device.silent_after_s),
        i64::from(device.heartbeat_s),
    );
    sqlx::query(
        "INSERT INTO devices (id, kind, place, person, gateway, silent_after_s, heartbeat_s)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, place = excluded.place, person = excluded.person,
         gateway = excluded.gateway, silent_after_s = excluded.silent_after_s, heartbeat_s = excluded.heartbeat_s",
    )
    .bind(device.id.as_str())
    .bind(&device.kind)
    .bind(&device.place)
    .bind(&device.person)
    .bind(&now.0)
    .bind(now.1)
    .bind(now.2)
    .execute(&mut tx.conn)
    .await?;
    stand_by(tx, device).await?;
    if before.as_ref() != Some(&now) {
        tell_device(tx, device, before.and_then(|(gateway, _, _)| gateway)).await?;
    }
    Ok(EnrolAnswer::Enrolled(()))
}

/// Keeps who stands by for a device, in place of those who did. They are told nothing: only one gateway watches over it.
async fn stand_by(tx: &mut Tx, device: &Device) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM device_standbys WHERE device = $1").bind(device.id.as_str()).execute(&mut tx.conn).await?;
    for gateway in &device.standby {
        sqlx::query("INSERT INTO device_standbys (device, gateway) VALUES ($1, $2)")
            .bind(device.id.as_str())
            .bind(gateway.as_str())
            .execute(&mut tx.conn)
            .await?;
    }
    Ok(())
}

/// Tells the gateway that had a device, and the one that has it now.
async fn tell_device(tx: &mut Tx, device: &Device, before: Option<String>) -> Result<(), StoreError> {
    if let Some(old) = before
        && device.gateway.as_ref().map(GatewayId::as_str) != Some(&old)
    {
        orders::add(tx, &old, &What::Unassign(&DeviceUnassignOrder { device: device.id.clone() })).await?;
    }
    let Some(gateway) = &device.gateway else { return Ok(()) };
    let assign = DeviceAssignOrder { device: device.id.clone(), silent_after_s: device.silent_after_s };
    orders::add(tx, gateway.as_str(), &What::Assign(&assign)).await?;
    let version = versions::advance(tx, "settings_version").await?;
    let settings = SettingsOrder { device: device.id.clone(), version, heartbeat_s: device.heartbeat_s };
    orders::add(tx, gateway.as_str(), &What::Settings(&settings)).await
}
