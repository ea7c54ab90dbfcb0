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

use std::collections::BTreeMap;

use protocols::device::AlarmState;
use protocols::id::{GatewayId, Seq};
use protocols::uplink::{AlarmBody, AlarmDatedBody, Epoch, Origin, OwnAlarm, Source, Urgency};
use serde::Deserialize;
use serde_json::json;
use sqlx::Row as _;

use crate::intake::record::same_json;
use crate::intake::shape::Readable;
use crate::limits::{ALARM_AGE_MS_MAX, PRESSES_MAX};
use crate::news::{Event, News};
use crate::store::{StoreError, Tx, in_list, insert_rows};
use crate::telling::{tell_of_own, told, told_of_own, told_of_press};

/// All states, lowest first; the place in it is what is stored.
const STATES: [AlarmState; 6] = [
    AlarmState::Raised,
    AlarmState::Accepted,
    AlarmState::Acknowledged,
    AlarmState::Dispatched,
    AlarmState::OnSite,
    AlarmState::Resolved,
];

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
        "INSERT INTO alarms (id, origin, variant, gateway, device, kind, urgency, state, recorded_at, received_ms, body, follows, presses, raised_ms)",
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
                .push_bind(new.presses)
                .push_bind(new.entry.recorded_ms(now_ms));
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
        "UPDATE alarms SET kind = $3, urgency = $4, device = $5, recorded_at = $6, body = $7,
         raised_ms = MIN(raised_ms, $8) WHERE origin = $1 AND variant = $2",
    )
    .bind(&new.origin)
    .bind(new.variant)
    .bind(&new.alarm.kind)
    .bind(urgency_word(new.alarm.urgency))
    .bind(new.alarm.device.as_ref().map(|device| device.as_str()))
    .bind(&new.entry.recorded_at)
    .bind(&new.entry.body)
    .bind(new.entry.recorded_ms(tx.now.ms))
    .execute(&mut tx.conn)
    .await?;
    if done.rows_affected() == 0 {
        let id = format!("{}~{}", new.id, new.origin.split(':').next().unwrap_or("other"));
        let renamed = NewAlarm { id, origin: new.origin.clone(), follows: None, ..*new };
        insert(tx, gateway, &[renamed]).await?;
    }
    Ok(())
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
        "INSERT INTO alarms (id, origin, variant, gateway, kind, urgency, state, recorded_at, received_ms, raised_ms, body)
         SELECT $1, $2, 0, $3, $4, $5, $6, $7, $8, $8, $9
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

/// A further press on an alarm. What a gateway tells of one that has ended goes together, as at that gateway, which knows
/// nothing of what another one told since.
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
                "SELECT a.origin FROM alarms a WHERE a.follows = $1 AND a.state < $2
                 AND EXISTS (SELECT 1 FROM alarm_gateways g WHERE g.alarm = a.origin AND g.gateway = $3)
                 ORDER BY a.received_ms LIMIT 1",
            )
            .bind(&origin)
            .bind(rank(AlarmState::Resolved))
            .bind(gateway.as_str())
            .fetch_optional(&mut tx.conn)
            .await?
        }
        None => None,
    };
    if let Some(open) = open {
        raise_urgency(tx, &open, alarm.urgency).await?;
        count_presses(tx, gateway, &open, entry).await?;
        tx.news.push(News::Event(Event { name: "alarm.repeated", data: json!({"id": about.alarm_id()}) }));
        return told_of_press(tx, gateway, open, &entry.origin_key).await;
    }
    // A press on what is resolved is the first of an alarm of its own; one that overtook its alarm is not.
    let (raised, follows, presses) = match state {
        Some(_) => (&entry.origin, Some(origin), 0),
        None => (about, None, 1),
    };
    let new =
        NewAlarm { id: raised.alarm_id(), origin: raised.to_string(), variant: 0, entry, alarm, follows, presses };
    let (key, is_new) = (new.origin.clone(), new.follows.is_some());
    if insert(tx, gateway, &[new]).await?.is_empty() && is_new {
        // The press is an alarm here already: it is none more, and the word about how far it is stays.
        return told_of_own(tx, gateway, entry).await;
    }
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
    let known = body.insert(AGE.to_owned(), json!(dated.age_ms)).and_then(|age| age.as_i64()).unwrap_or(0);
    let earlier = i64::try_from(dated.age_ms).unwrap_or(0).clamp(0, ALARM_AGE_MS_MAX).saturating_sub(known);
    sqlx::query("UPDATE alarms SET body = $2, raised_ms = raised_ms - $3 WHERE origin = $1 AND variant = 0")
        .bind(&origin)
        .bind(serde_json::Value::Object(body).to_string())
        .bind(earlier)
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
