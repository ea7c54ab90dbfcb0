//! Alarms as the centre sees them: raised by gateways, taken further by people here and there.
//!
//! ```text
//! raised -> accepted -> acknowledged -> dispatched -> on_site -> resolved        forward only
//! ```
//!
//! An alarm that is here is at least accepted. Its state is the highest step known, in whatever order steps arrive;
//! each step is kept with who took it.
//!
//! **Invariant:** no press is lost: a further press on a resolved alarm is an alarm of its own, one on an alarm that is
//! not here yet begins it. Each is counted, also those that a gateway tells by number only.
//! **Invariant:** what the elder took back stays open; the next press on it clears that it was taken back.
//! **Invariant:** of two people who take the same step, exactly one takes it.

use std::collections::BTreeMap;

use protocols::device::AlarmState;
use protocols::id::{ActorId, GatewayId, Seq};
use protocols::uplink::{
    AlarmBody, AlarmDatedBody, AlarmStateOrder, AlarmStepBody, ENDED_PRESSES_MAX, Epoch, Origin, OwnAlarm, Source,
    Urgency,
};
use serde::Deserialize;
use serde_json::json;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::intake::record::same_json;
use crate::intake::shape::{Fact, Readable};
use crate::limits::PRESSES_MAX;
use crate::news::{Event, News};
use crate::orders::{self, What};
use crate::origin_key;
use crate::store::{StoreError, Tx, in_list, insert_rows};
use crate::without_journal;

/// All states, lowest first; the place in it is what is stored.
const STATES: [AlarmState; 6] = [
    AlarmState::Raised,
    AlarmState::Accepted,
    AlarmState::Acknowledged,
    AlarmState::Dispatched,
    AlarmState::OnSite,
    AlarmState::Resolved,
];

/// Who accepted an alarm that a further press began: no person did.
const BY_THE_CENTRE: &str = "centre";

/// How far a state is, from 0.
#[must_use]
pub const fn rank(state: AlarmState) -> i64 {
    match state {
        AlarmState::Raised => 0,
        AlarmState::Accepted => 1,
        AlarmState::Acknowledged => 2,
        AlarmState::Dispatched => 3,
        AlarmState::OnSite => 4,
        AlarmState::Resolved => 5,
    }
}

/// The state that is so far.
///
/// # Errors
/// No state is.
pub fn of_rank(rank: i64) -> Result<AlarmState, StoreError> {
    usize::try_from(rank).ok().and_then(|rank| STATES.get(rank).copied()).ok_or(StoreError::Row { table: "alarms" })
}

/// Where the age of a late alarm stands in its body.
const AGE: &str = "age_ms";

/// The word for an urgency.
#[must_use]
pub const fn urgency_word(urgency: Urgency) -> &'static str {
    match urgency {
        Urgency::Test => "test",
        Urgency::Technical => "technical",
        Urgency::Request => "request",
        Urgency::Urgent => "urgent",
        Urgency::Emergency => "emergency",
    }
}

struct NewAlarm<'a> {
    id: String,
    origin: String,
    variant: i64,
    entry: &'a Readable,
    alarm: &'a AlarmBody,
    follows: Option<String>,
    /// Presses that are known besides those that are told of it now.
    presses: i64,
}

/// Raises the alarms of new entries.
///
/// # Errors
/// The database cannot do it.
pub async fn raise(tx: &mut Tx, gateway: &GatewayId, raised: &[(&Readable, &AlarmBody)]) -> Result<(), StoreError> {
    if raised.is_empty() {
        return Ok(());
    }
    let alarms: Vec<NewAlarm<'_>> = raised
        .iter()
        .map(|(entry, alarm)| NewAlarm {
            id: entry.origin.alarm_id(),
            origin: entry.origin_key.clone(),
            variant: 0,
            entry,
            alarm,
            follows: None,
            presses: 1,
        })
        .collect();
    let fresh = insert(tx, gateway, &alarms).await?;
    for alarm in alarms.iter().filter(|alarm| !fresh.contains_key(&alarm.origin)) {
        complete(tx, gateway, alarm).await?;
    }
    let origins: Vec<String> = raised.iter().map(|(entry, _)| entry.origin_key.clone()).collect();
    told(tx, gateway, &origins).await
}

/// Inserts alarms; gives back those that were not here, by origin.
async fn insert(
    tx: &mut Tx,
    gateway: &GatewayId,
    alarms: &[NewAlarm<'_>],
) -> Result<BTreeMap<String, String>, StoreError> {
    let now_ms = tx.now.ms;
    let rows = insert_rows(
        &mut tx.conn,
        "INSERT INTO alarms (id, origin, variant, gateway, device, kind, urgency, state, recorded_at, received_ms, body, follows, presses)",
        "ON CONFLICT DO NOTHING RETURNING origin, id",
        alarms,
        |row, new| {
            row.push_bind(new.id.clone())
                .push_bind(new.origin.clone())
                .push_bind(new.variant)
                .push_bind(gateway.as_str().to_owned())
                .push_bind(new.alarm.device.as_ref().map(|device| device.as_str().to_owned()))
                .push_bind(new.alarm.kind.clone())
                .push_bind(urgency_word(new.alarm.urgency))
                .push_bind(rank(AlarmState::Accepted))
                .push_bind(new.entry.recorded_at.clone())
                .push_bind(now_ms)
                .push_bind(new.entry.body.clone())
                .push_bind(new.follows.clone())
                .push_bind(new.presses);
        },
    )
    .await?;
    let mut fresh = BTreeMap::new();
    for row in rows {
        fresh.insert(row.try_get::<String, _>(0)?, row.try_get::<String, _>(1)?);
    }
    taken_back_before(tx, fresh.keys().cloned().collect()).await?;
    for new in alarms.iter().filter(|new| fresh.contains_key(&new.origin)) {
        tx.news.push(News::Event(Event {
            name: "alarm.raised",
            data: json!({
                "id": new.id,
                "kind": new.alarm.kind,
                "urgency": urgency_word(new.alarm.urgency),
                "device": new.alarm.device,
                "gateway": gateway.as_str(),
            }),
        }));
    }
    Ok(fresh)
}

/// An alarm that its take-back overtook is taken back from the beginning.
async fn taken_back_before(tx: &mut Tx, fresh: Vec<String>) -> Result<(), StoreError> {
    let rows = in_list(
        &mut tx.conn,
        "SELECT DISTINCT alarm FROM alarm_events WHERE what = 'cancelled' AND variant = 0 AND alarm IN",
        "",
        &fresh,
        |list, origin| {
            list.push_bind(origin.clone());
        },
    )
    .await?;
    for row in rows {
        take_back(tx, &row.try_get::<String, _>(0)?).await?;
    }
    Ok(())
}

/// An alarm that a further press began is completed by its own entry. Where only the id is taken (two sources with one
/// name), it gets an id that says its source.
async fn complete(tx: &mut Tx, gateway: &GatewayId, new: &NewAlarm<'_>) -> Result<(), StoreError> {
    let done = sqlx::query(
        "UPDATE alarms SET kind = $3, urgency = $4, device = $5, recorded_at = $6, body = $7
         WHERE origin = $1 AND variant = $2",
    )
    .bind(&new.origin)
    .bind(new.variant)
    .bind(&new.alarm.kind)
    .bind(urgency_word(new.alarm.urgency))
    .bind(new.alarm.device.as_ref().map(|device| device.as_str()))
    .bind(&new.entry.recorded_at)
    .bind(&new.entry.body)
    .execute(&mut tx.conn)
    .await?;
    if done.rows_affected() == 0 {
        let id = format!("{}~{}", new.id, new.origin.split(':').next().unwrap_or("other"));
        let renamed = NewAlarm { id, origin: new.origin.clone(), follows: None, ..*new };
        insert(tx, gateway, &[renamed]).await?;
    }
    Ok(())
}

/// Notes that a gateway told of alarms, and lets it hear of their steps where that is the first time. A step that came before its
/// alarm counts where the device is assigned to the gateway that told the step; of a device that is assigned to nobody,
/// once that gateway has told the alarm too.
async fn told(tx: &mut Tx, gateway: &GatewayId, origins: &[String]) -> Result<(), StoreError> {
    let fresh = note_told(tx, gateway, origins).await?;
    tell_steps(tx, gateway, &fresh).await
}

/// Notes that a gateway told of alarms; gives those of which it had not told before.
async fn note_told(tx: &mut Tx, gateway: &GatewayId, origins: &[String]) -> Result<Vec<String>, StoreError> {
    let name = gateway.as_str().to_owned();
    let rows = insert_rows(
        &mut tx.conn,
        "INSERT INTO alarm_gateways (alarm, gateway, assigned)",
        "ON CONFLICT (alarm, gateway) DO NOTHING RETURNING alarm",
        origins,
        |row, origin| {
            row.push_bind(origin.clone())
                .push_bind(name.clone())
                .push("EXISTS (SELECT 1 FROM assignments WHERE device = ")
                .push_bind_unseparated(device_of(origin))
                .push_unseparated(" AND gateway = ")
                .push_bind_unseparated(name.clone())
                .push_unseparated(")");
        },
    )
    .await?;
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}

/// Lets a gateway hear of the highest step of each of these alarms.
async fn tell_steps(tx: &mut Tx, gateway: &GatewayId, origins: &[String]) -> Result<(), StoreError> {
    let steps = in_list(
        &mut tx.conn,
        "SELECT e.alarm, e.state, e.actor, e.cause, e.at FROM alarm_events e WHERE e.what = 'step' AND e.variant = 0
         AND (e.source = 'centre'
          OR EXISTS (SELECT 1 FROM assignments a WHERE a.device = substr(e.alarm, 8, instr(e.alarm, '/') - 8)
           AND a.gateway = e.source)
          OR EXISTS (SELECT 1 FROM alarm_gateways g WHERE g.alarm = e.alarm AND g.gateway = e.source
           AND (g.assigned = 1 OR NOT EXISTS (SELECT 1 FROM assignments a
            WHERE a.device = substr(e.alarm, 8, instr(e.alarm, '/') - 8)))))
         AND e.alarm IN",
        "ORDER BY e.state",
        origins,
        |list, origin| {
            list.push_bind(origin.clone());
        },
    )
    .await?;
    let mut highest: BTreeMap<String, AlarmStateOrder> = BTreeMap::new();
    for row in steps {
        let origin: String = row.try_get(0)?;
        let alarm = origin_key::parse(&origin).ok_or(StoreError::Row { table: "alarm_events" })?;
        highest.insert(origin, step_order(&row, 1, alarm)?);
    }
    for (origin, order) in highest {
        raise_state(tx, &origin, 0, order.state).await?;
        add_order(tx, gateway.as_str(), order).await?;
    }
    Ok(())
}

/// The device that an alarm's origin names.
fn device_of(origin: &str) -> Option<String> {
    match origin_key::parse(origin)?.source {
        Source::Device(device) => Some(device.as_str().to_owned()),
        Source::Terminal(_) | Source::Gateway(_) | Source::Centre(_) => None,
    }
}

/// A gateway told of alarms and presses that were here already. It hears how far their alarms are, although it may have told
/// of them before: it may have known nothing of an alarm that no disk of its took when the order about it came, or another
/// gateway may have told of the press.
///
/// # Errors
/// The database cannot do it.
pub async fn told_again(tx: &mut Tx, gateway: &GatewayId, entries: &[&Readable]) -> Result<(), StoreError> {
    let mut origins: Vec<String> = Vec::new();
    for entry in entries {
        match (&entry.fact, &entry.about) {
            (Fact::Raised(_), _) => origins.push(entry.origin_key.clone()),
            (Fact::Repeated(_), Some(about)) => {
                let Some(alarm) = alarm_with(tx, &entry.origin_key, about).await? else { continue };
                if alarm == entry.origin_key {
                    tell_of_own(tx, gateway, &entry.origin).await?;
                }
                origins.push(alarm);
            }
            _ => {}
        }
    }
    if origins.is_empty() {
        return Ok(());
    }
    note_told(tx, gateway, &origins).await?;
    tell_steps(tx, gateway, &origins).await
}

/// The alarm into which an entry about a further press was counted, or which it began.
async fn alarm_with(tx: &mut Tx, entry: &str, about: &Origin) -> Result<Option<String>, StoreError> {
    let found = sqlx::query_scalar(
        "SELECT a.origin FROM alarms a WHERE a.variant = 0 AND (a.origin = $1 OR a.origin = $2 OR a.follows = $2)
         AND EXISTS (SELECT 1 FROM alarm_events e
          WHERE e.alarm = a.origin AND e.variant = 0 AND e.what = 'repeated' AND e.entry = $1) LIMIT 1",
    )
    .bind(entry)
    .bind(about.to_string())
    .fetch_optional(&mut tx.conn)
    .await?;
    Ok(found)
}

/// Raises an alarm whose origin was used with another body, beside the first.
///
/// # Errors
/// The database cannot do it.
pub async fn raise_conflicting(
    tx: &mut Tx,
    gateway: &GatewayId,
    entry: &Readable,
    alarm: &AlarmBody,
) -> Result<(), StoreError> {
    let rows = sqlx::query("SELECT variant, body FROM alarms WHERE origin = $1 ORDER BY variant")
        .bind(&entry.origin_key)
        .fetch_all(&mut tx.conn)
        .await?;
    let mut variant: i64 = 1;
    for row in rows {
        variant = row.try_get::<i64, _>(0)?.saturating_add(1);
        if same_json(&row.try_get::<String, _>(1)?, &entry.body) {
            return Ok(());
        }
    }
    let new = NewAlarm {
        id: format!("{}~{variant}", entry.origin.alarm_id()),
        origin: entry.origin_key.clone(),
        variant,
        entry,
        alarm,
        follows: None,
        presses: 1,
    };
    insert(tx, gateway, &[new]).await?;
    Ok(())
}

/// Raises an alarm of the centre's own about a gateway, unless one of that kind is open; false then.
///
/// # Errors
/// The database cannot do it.
pub async fn raise_own(tx: &mut Tx, gateway: &str, found: OwnAlarm, stream: &str) -> Result<bool, StoreError> {
    let kind = found.word();
    let seq = Seq::new(tx.now.ms.unsigned_abs()).ok_or(StoreError::Row { table: "facts" })?;
    let source = Source::Centre(gateway.parse().map_err(|_| StoreError::Row { table: "gateways" })?);
    let origin = Origin { source, epoch: Epoch::Text(stream.to_owned()), seq };
    let body = json!({"kind": kind, "urgency": urgency_word(Urgency::Urgent), "device": null, "boot": null,
        "up_ms": null, "at": null, "battery_mv": null, "rssi_dbm": null, "detail": null});
    let done = sqlx::query(
        "INSERT INTO alarms (id, origin, variant, gateway, kind, urgency, state, recorded_at, received_ms, body)
         SELECT $1, $2, 0, $3, $4, $5, $6, $7, $8, $9
         WHERE NOT EXISTS (SELECT 1 FROM alarms WHERE gateway = $3 AND kind = $4 AND state < 5)",
    )
    .bind(origin.alarm_id())
    .bind(origin.to_string())
    .bind(gateway)
    .bind(kind)
    .bind(urgency_word(Urgency::Urgent))
    .bind(rank(AlarmState::Accepted))
    .bind(&tx.now.text)
    .bind(tx.now.ms)
    .bind(body.to_string())
    .execute(&mut tx.conn)
    .await?;
    if done.rows_affected() == 1 {
        tx.news.push(News::Event(Event {
            name: "alarm.raised",
            data: json!({"id": origin.alarm_id(), "kind": kind, "urgency": "urgent", "device": null, "gateway": gateway}),
        }));
    }
    Ok(done.rows_affected() == 1)
}

/// A further press on an alarm.
///
/// # Errors
/// The database cannot do it.
pub async fn repeat(
    tx: &mut Tx,
    gateway: &GatewayId,
    entry: &Readable,
    about: &Origin,
    alarm: &AlarmBody,
) -> Result<(), StoreError> {
    let origin = about.to_string();
    let state: Option<i64> = sqlx::query_scalar("SELECT state FROM alarms WHERE origin = $1 AND variant = 0")
        .bind(&origin)
        .fetch_optional(&mut tx.conn)
        .await?;
    let open: Option<String> = match state {
        Some(state) if state < rank(AlarmState::Resolved) => Some(origin.clone()),
        Some(_) => {
            sqlx::query_scalar(
                "SELECT origin FROM alarms WHERE follows = $1 AND state < $2 ORDER BY received_ms LIMIT 1",
            )
            .bind(&origin)
            .bind(rank(AlarmState::Resolved))
            .fetch_optional(&mut tx.conn)
            .await?
        }
        None => None,
    };
    if let Some(open) = open {
        raise_urgency(tx, &open, alarm.urgency).await?;
        count_presses(tx, gateway, &open, entry).await?;
        tx.news.push(News::Event(Event { name: "alarm.repeated", data: json!({"id": about.alarm_id()}) }));
        return told(tx, gateway, &[open]).await;
    }
    // A press on what is resolved is the first of an alarm of its own; one that overtook its alarm is not.
    let (raised, follows, presses) = match state {
        Some(_) => (&entry.origin, Some(origin), 0),
        None => (about, None, 1),
    };
    let new =
        NewAlarm { id: raised.alarm_id(), origin: raised.to_string(), variant: 0, entry, alarm, follows, presses };
    let (key, is_new) = (new.origin.clone(), new.follows.is_some());
    insert(tx, gateway, &[new]).await?;
    count_presses(tx, gateway, &key, entry).await?;
    if is_new {
        tell_of_own(tx, gateway, &entry.origin).await?;
    }
    told(tx, gateway, &[key]).await
}

/// The one part of a further press's body that tells how many it stands for.
#[derive(Default, Deserialize)]
struct Folded {
    #[serde(default)]
    folded: Option<u64>,
}

/// How many presses an entry about further ones stands for: one, unless it tells them by count.
fn presses_of(body: &str) -> i64 {
    let Folded { folded } = serde_json::from_str(body).unwrap_or_default();
    folded.and_then(|folded| i64::try_from(folded).ok()).unwrap_or(1).clamp(1, PRESSES_MAX)
}

/// Keeps an entry about further presses on an alarm: whoever presses again wants help again.
pub(crate) async fn count_presses(
    tx: &mut Tx,
    gateway: &GatewayId,
    origin: &str,
    entry: &Readable,
) -> Result<(), StoreError> {
    note(tx, gateway, origin, "repeated", entry).await?;
    sqlx::query(
        "UPDATE alarms SET presses = MIN(presses + $2, $3), last_press_at = $4, taken_back = 0
         WHERE origin = $1 AND variant = 0",
    )
    .bind(origin)
    .bind(presses_of(&entry.body))
    .bind(PRESSES_MAX)
    .bind(&entry.recorded_at)
    .execute(&mut tx.conn)
    .await?;
    Ok(())
}

/// Lets a gateway know that a press which it folded into a resolved alarm is an alarm of its own here.
async fn tell_of_own(tx: &mut Tx, gateway: &GatewayId, origin: &Origin) -> Result<(), StoreError> {
    let order = AlarmStateOrder {
        alarm: origin.clone(),
        state: AlarmState::Accepted,
        by: BY_THE_CENTRE.parse().expect("it is a name"),
        at: tx.now.text.clone(),
        cause: None,
        presses: Vec::new(),
        follows: None,
        kind: None,
        urgency: None,
    };
    add_order(tx, gateway.as_str(), order).await
}

/// A further press never lowers the urgency.
pub(crate) async fn raise_urgency(tx: &mut Tx, origin: &str, urgency: Urgency) -> Result<(), StoreError> {
    let lower = [Urgency::Test, Urgency::Technical, Urgency::Request, Urgency::Urgent]
        .into_iter()
        .filter(|lower| *lower < urgency);
    for lower in lower {
        sqlx::query("UPDATE alarms SET urgency = $2 WHERE origin = $1 AND variant = 0 AND urgency = $3")
            .bind(origin)
            .bind(urgency_word(urgency))
            .bind(urgency_word(lower))
            .execute(&mut tx.conn)
            .await?;
    }
    Ok(())
}

/// The elder took an alarm back: it is noted, and stays open until a person closes it.
///
/// # Errors
/// The database cannot do it.
pub async fn cancelled(tx: &mut Tx, gateway: &GatewayId, entry: &Readable, about: &Origin) -> Result<(), StoreError> {
    let origin = about.to_string();
    note(tx, gateway, &origin, "cancelled", entry).await?;
    take_back(tx, &origin).await?;
    tx.news.push(News::Event(Event { name: "alarm.cancelled", data: json!({"id": about.alarm_id()}) }));
    Ok(())
}

async fn take_back(tx: &mut Tx, origin: &str) -> Result<(), StoreError> {
    sqlx::query("UPDATE alarms SET taken_back = 1 WHERE origin = $1 AND variant = 0")
        .bind(origin)
        .execute(&mut tx.conn)
        .await?;
    Ok(())
}

/// An alarm reached its gateway late: how late stands with it from now on.
///
/// # Errors
/// The database cannot do it.
pub async fn dated(
    tx: &mut Tx,
    gateway: &GatewayId,
    entry: &Readable,
    about: &Origin,
    dated: &AlarmDatedBody,
) -> Result<(), StoreError> {
    let origin = about.to_string();
    note(tx, gateway, &origin, "dated", entry).await?;
    let body: Option<String> = sqlx::query_scalar("SELECT body FROM alarms WHERE origin = $1 AND variant = 0")
        .bind(&origin)
        .fetch_optional(&mut tx.conn)
        .await?;
    let Some(serde_json::Value::Object(mut body)) = body.and_then(|body| serde_json::from_str(&body).ok()) else {
        return Ok(());
    };
    body.insert(AGE.to_owned(), json!(dated.age_ms));
    sqlx::query("UPDATE alarms SET body = $2 WHERE origin = $1 AND variant = 0")
        .bind(&origin)
        .bind(serde_json::Value::Object(body).to_string())
        .execute(&mut tx.conn)
        .await?;
    tx.news.push(News::Event(Event { name: "alarm.dated", data: json!({"id": about.alarm_id()}) }));
    Ok(())
}

/// How long before its gateway recorded it an alarm was raised, milliseconds, from its body; `None` where it came at
/// once or nobody knows.
#[must_use]
pub fn age_ms(body: &str) -> Option<u64> {
    serde_json::from_str::<serde_json::Value>(body).ok()?.get(AGE)?.as_u64()
}

async fn note(
    tx: &mut Tx,
    gateway: &GatewayId,
    origin: &str,
    what: &'static str,
    entry: &Readable,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO alarm_events (alarm, variant, what, source, at, received_ms, entry)
         VALUES ($1, 0, $2, $3, $4, $5, $6)",
    )
    .bind(origin)
    .bind(what)
    .bind(gateway.as_str())
    .bind(&entry.recorded_at)
    .bind(tx.now.ms)
    .bind(&entry.origin_key)
    .execute(&mut tx.conn)
    .await?;
    Ok(())
}

/// A step that a person took at a gateway.
///
/// # Errors
/// The database cannot do it.
pub async fn step_from_gateway(
    tx: &mut Tx,
    gateway: &GatewayId,
    entry: &Readable,
    about: &Origin,
    step: &AlarmStepBody,
) -> Result<(), StoreError> {
    let counted_into = without_journal::counted_into(tx, gateway, about).await?;
    let about = counted_into.as_ref().unwrap_or(about);
    let origin = about.to_string();
    let variant: i64 =
        sqlx::query_scalar("SELECT COALESCE(MIN(variant), 0) FROM alarms WHERE origin = $1 AND gateway = $2")
            .bind(&origin)
            .bind(gateway.as_str())
            .fetch_one(&mut tx.conn)
            .await?;
    let order = AlarmStateOrder {
        alarm: about.clone(),
        state: step.state,
        by: step.by.clone(),
        at: entry.recorded_at.clone(),
        cause: step.cause.clone(),
        presses: Vec::new(),
        follows: None,
        kind: None,
        urgency: None,
    };
    keep_step(tx, variant, &order, gateway.as_str()).await?;
    if raise_state(tx, &origin, variant, step.state).await? {
        tell_step(tx, variant, &order, Some(gateway.as_str())).await?;
    }
    Ok(())
}

async fn keep_step(tx: &mut Tx, variant: i64, step: &AlarmStateOrder, source: &str) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO alarm_events (alarm, variant, what, state, actor, cause, source, at, received_ms)
         VALUES ($1, $2, 'step', $3, $4, $5, $6, $7, $8)",
    )
    .bind(step.alarm.to_string())
    .bind(variant)
    .bind(rank(step.state))
    .bind(step.by.as_str())
    .bind(step.cause.as_deref())
    .bind(source)
    .bind(&step.at)
    .bind(tx.now.ms)
    .execute(&mut tx.conn)
    .await?;
    Ok(())
}

/// Moves an alarm forward; false where it was so far already, or is not here yet.
async fn raise_state(tx: &mut Tx, origin: &str, variant: i64, state: AlarmState) -> Result<bool, StoreError> {
    let done = sqlx::query("UPDATE alarms SET state = $3 WHERE origin = $1 AND variant = $2 AND state < $3")
        .bind(origin)
        .bind(variant)
        .bind(rank(state))
        .execute(&mut tx.conn)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Tells the gateways of an alarm, except the one that told us, and the pages.
async fn tell_step(tx: &mut Tx, variant: i64, step: &AlarmStateOrder, except: Option<&str>) -> Result<(), StoreError> {
    let origin = step.alarm.to_string();
    let gateways: Vec<String> = if variant == 0 {
        sqlx::query_scalar("SELECT gateway FROM alarm_gateways WHERE alarm = $1 ORDER BY gateway")
            .bind(&origin)
            .fetch_all(&mut tx.conn)
            .await?
    } else {
        sqlx::query_scalar("SELECT gateway FROM alarms WHERE origin = $1 AND variant = $2")
            .bind(&origin)
            .bind(variant)
            .fetch_all(&mut tx.conn)
            .await?
    };
    for gateway in gateways.iter().filter(|gateway| Some(gateway.as_str()) != except) {
        add_order(tx, gateway, step.clone()).await?;
    }
    let id: Option<String> = sqlx::query_scalar("SELECT id FROM alarms WHERE origin = $1 AND variant = $2")
        .bind(&origin)
        .bind(variant)
        .fetch_optional(&mut tx.conn)
        .await?;
    tx.news
        .push(News::Event(Event { name: "alarm.step", data: json!({"id": id, "state": step.state, "by": step.by}) }));
    Ok(())
}

/// Orders a step at a gateway, with what the alarm is and which one it follows, since the gateway may not know it. The end of an alarm names the
/// presses that it ended with, this gateway's first: an answer about them may be lost, and the gateway would take them for
/// alarms of their own.
async fn add_order(tx: &mut Tx, gateway: &str, mut order: AlarmStateOrder) -> Result<(), StoreError> {
    let alarm = sqlx::query("SELECT kind, urgency, follows FROM alarms WHERE origin = $1 AND variant = 0")
        .bind(order.alarm.to_string())
        .fetch_optional(&mut tx.conn)
        .await?;
    if let Some(alarm) = alarm {
        order.kind = Some(alarm.try_get(0)?);
        let urgency: String = alarm.try_get(1)?;
        let urgency = serde_json::from_value(json!(urgency)).map_err(|_| StoreError::Row { table: "alarms" })?;
        order.urgency = Some(urgency);
        order.follows = alarm.try_get::<Option<String>, _>(2)?.as_deref().and_then(origin_key::parse);
    }
    if order.state == AlarmState::Resolved {
        let entries: Vec<String> = sqlx::query_scalar(
            "SELECT entry FROM alarm_events WHERE alarm = $1 AND variant = 0 AND what = 'repeated' AND entry IS NOT NULL
             ORDER BY source = $2 DESC, id DESC LIMIT $3",
        )
        .bind(order.alarm.to_string())
        .bind(gateway)
        .bind(i64::try_from(ENDED_PRESSES_MAX).unwrap_or(i64::MAX))
        .fetch_all(&mut tx.conn)
        .await?;
        order.presses = entries.iter().filter_map(|entry| origin_key::parse(entry)).collect();
    }
    orders::add(tx, gateway, &What::Alarm(&order)).await?;
    without_journal::order(tx, gateway, &order).await
}

/// The step that took an alarm as far as it is, as an order about the origin under which a gateway knows it.
pub(crate) async fn last_step(
    tx: &mut Tx,
    origin: &str,
    known_as: &Origin,
) -> Result<Option<AlarmStateOrder>, StoreError> {
    let row = sqlx::query(
        "SELECT e.state, e.actor, e.cause, e.at FROM alarm_events e JOIN alarms a ON a.origin = e.alarm AND a.variant = 0
         WHERE e.alarm = $1 AND e.variant = 0 AND e.what = 'step' AND e.state = a.state ORDER BY e.id LIMIT 1",
    )
    .bind(origin)
    .fetch_optional(&mut tx.conn)
    .await?;
    row.map(|row| step_order(&row, 0, known_as.clone())).transpose()
}

/// A step from a row with state, actor, cause and time from a column on.
fn step_order(row: &SqliteRow, from: usize, alarm: Origin) -> Result<AlarmStateOrder, StoreError> {
    let [actor, cause, at] = [1, 2, 3].map(|next| from.saturating_add(next));
    Ok(AlarmStateOrder {
        alarm,
        state: of_rank(row.try_get(from)?)?,
        by: row.try_get::<String, _>(actor)?.parse().map_err(|_| StoreError::Row { table: "alarm_events" })?,
        cause: row.try_get(cause)?,
        at: row.try_get(at)?,
        presses: Vec::new(),
        follows: None,
        kind: None,
        urgency: None,
    })
}

/// What became of a step that a person at the centre asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepAnswer {
    /// This person has taken it, now or before.
    Taken {
        /// How far the alarm is; it may be beyond the step.
        state: AlarmState,
    },
    /// The alarm is so far already, by somebody else.
    TakenBy {
        /// Who took the step, or one beyond it.
        by: Option<String>,
        /// How far the alarm is.
        state: AlarmState,
    },
    /// No such alarm.
    NoAlarm,
}

/// A person at the centre takes an alarm a step further.
///
/// # Errors
/// The database cannot do it.
pub async fn step_by_person(
    tx: &mut Tx,
    id: &str,
    state: AlarmState,
    by: &ActorId,
    cause: Option<String>,
) -> Result<StepAnswer, StoreError> {
    let row = sqlx::query("SELECT origin, variant, state FROM alarms WHERE id = $1")
        .bind(id)
        .fetch_optional(&mut tx.conn)
        .await?;
    let Some(row) = row else { return Ok(StepAnswer::NoAlarm) };
    let (origin, variant): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
    let known = of_rank(row.try_get(2)?)?;
    if known >= state {
        let actor: Option<String> = sqlx::query_scalar(
            "SELECT actor FROM alarm_events WHERE alarm = $1 AND variant = $2 AND what = 'step' AND state >= $3
             ORDER BY (source = 'centre' AND actor = $4 AND state = $3) DESC, state, id LIMIT 1",
        )
        .bind(&origin)
        .bind(variant)
        .bind(rank(state))
        .bind(by.as_str())
        .fetch_optional(&mut tx.conn)
        .await?;
        return Ok(if actor.as_deref() == Some(by.as_str()) {
            StepAnswer::Taken { state: known }
        } else {
            StepAnswer::TakenBy { by: actor, state: known }
        });
    }
    let step = AlarmStateOrder {
        alarm: origin_key::parse(&origin).ok_or(StoreError::Row { table: "alarms" })?,
        state,
        by: by.clone(),
        at: tx.now.text.clone(),
        cause,
        presses: Vec::new(),
        follows: None,
        kind: None,
        urgency: None,
    };
    keep_step(tx, variant, &step, "centre").await?;
    raise_state(tx, &origin, variant, state).await?;
    tell_step(tx, variant, &step, None).await?;
    Ok(StepAnswer::Taken { state })
}
