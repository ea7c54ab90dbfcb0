//! Which gateways hear of an alarm, and what: those that told of it or of a press in it hear of each step.
//!
//! **Invariant:** whoever tells of an alarm hears how far it is, also where it was known here before; whoever tells of a press in
//! it, where the device is assigned to that gateway.

use std::collections::BTreeMap;

use protocols::device::AlarmState;
use protocols::id::GatewayId;
use protocols::uplink::{AlarmStateOrder, ENDED_PRESSES_MAX, Origin, Source};
use serde_json::json;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::alarms::{self, of_rank};
use crate::intake::shape::{Fact, Readable};
use crate::news::{Event, News};
use crate::orders::{self, What};
use crate::origin_key;
use crate::steps::raise_state;
use crate::store::{StoreError, Tx, in_list, insert_rows};
use crate::without_journal;

/// Who accepted an alarm that a further press began: no person did.
const BY_THE_CENTRE: &str = "centre";

/// Notes that a gateway told of alarms, and lets it hear of their steps where that is the first time. A step that came
/// before its alarm counts where the device is assigned to the gateway that told the step; of a device that is assigned to nobody,
/// once that gateway has told the alarm too.
pub(crate) async fn told(tx: &mut Tx, gateway: &GatewayId, origins: &[String]) -> Result<(), StoreError> {
    let fresh = note_told(tx, gateway, origins).await?;
    tell_steps(tx, gateway, &fresh).await
}

/// Notes that a gateway told of a press in an alarm, and lets it hear of its steps; also of those of the alarm that another
/// gateway made of the press, where there is one. Only where the device is assigned to it: whoever knows a press alone does not
/// know the alarm.
pub(crate) async fn told_of_press(
    tx: &mut Tx,
    gateway: &GatewayId,
    alarm: String,
    press: &str,
) -> Result<(), StoreError> {
    for alarm in parts_of(alarm, press) {
        if has_device(tx, gateway, &alarm).await? {
            told(tx, gateway, &[alarm]).await?;
        }
    }
    Ok(())
}

/// The alarm that a press was counted into, and the one that it may be itself.
fn parts_of(alarm: String, press: &str) -> impl Iterator<Item = String> {
    let own = (alarm != press).then(|| press.to_owned());
    std::iter::once(alarm).chain(own)
}

/// Whether the device that an alarm is about is assigned to a gateway.
async fn has_device(tx: &mut Tx, gateway: &GatewayId, alarm: &str) -> Result<bool, StoreError> {
    let found: Option<i64> = sqlx::query_scalar(
        "SELECT 1 FROM alarms a JOIN assignments s ON s.device = a.device AND s.gateway = $2
         WHERE a.origin = $1 AND a.variant = 0",
    )
    .bind(alarm)
    .bind(gateway.as_str())
    .fetch_optional(&mut tx.conn)
    .await?;
    Ok(found.is_some())
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
        "SELECT e.alarm, e.state, e.actor, e.cause, e.at, e.responder, e.eta_min FROM alarm_events e WHERE e.what = 'step' AND e.variant = 0
         AND (e.source = 'centre'
          OR EXISTS (SELECT 1 FROM assignments a WHERE a.device = substr(e.alarm, 8, instr(e.alarm, '/') - 8)
           AND a.gateway = e.source)
          OR EXISTS (SELECT 1 FROM alarm_gateways g WHERE g.alarm = e.alarm AND g.gateway = e.source
           AND (g.assigned = 1 OR NOT EXISTS (SELECT 1 FROM assignments a
            WHERE a.device = substr(e.alarm, 8, instr(e.alarm, '/') - 8)))))
         AND e.alarm IN",
        "ORDER BY e.state, e.id",
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
/// gateway may have told of the press. A press that is here as one on another alarm, as whoever told of it first saw it, is
/// counted into this one, too: the end of either says that it ended.
///
/// # Errors
/// The database cannot do it.
pub async fn told_again(tx: &mut Tx, gateway: &GatewayId, entries: &[&Readable]) -> Result<(), StoreError> {
    let mut origins: Vec<String> = Vec::new();
    for entry in entries {
        if let Fact::Raised(_) = entry.fact {
            origins.push(entry.origin_key.clone());
        }
        let (Fact::Repeated(body), Some(about)) = (&entry.fact, &entry.about) else { continue };
        let Some(alarm) = alarm_with(tx, &entry.origin_key, about).await? else {
            alarms::repeat(tx, gateway, entry, about, body).await?;
            continue;
        };
        let began = alarm == entry.origin_key;
        for alarm in parts_of(alarm, &entry.origin_key) {
            if !has_device(tx, gateway, &alarm).await? {
                continue;
            }
            if began {
                tell_of_own(tx, gateway, &entry.origin).await?;
            }
            origins.push(alarm);
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

/// A gateway tells of a press on a resolved alarm, and the press is an alarm of its own here: it hears so, and how far that is.
pub(crate) async fn told_of_own(tx: &mut Tx, gateway: &GatewayId, entry: &Readable) -> Result<(), StoreError> {
    let origins = [entry.origin_key.clone()];
    tell_of_own(tx, gateway, &entry.origin).await?;
    note_told(tx, gateway, &origins).await?;
    tell_steps(tx, gateway, &origins).await
}

/// Lets a gateway know that a press which it folded into a resolved alarm is an alarm of its own here.
pub(crate) async fn tell_of_own(tx: &mut Tx, gateway: &GatewayId, origin: &Origin) -> Result<(), StoreError> {
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
        responder: None,
        eta_min: None,
    };
    add_order(tx, gateway.as_str(), order).await
}

/// Tells the gateways of an alarm and the pages. Also the gateway where it was taken: it may have had no journal for it, it does
/// not know which presses the step ended, and whoever replaces it knows nothing.
pub(crate) async fn tell_step(tx: &mut Tx, variant: i64, step: &AlarmStateOrder) -> Result<(), StoreError> {
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
    for gateway in &gateways {
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

/// Tells the pages that somebody else has an alarm now; gateways hear of steps alone.
pub(crate) fn tell_taken_over(tx: &mut Tx, id: &str, step: &AlarmStateOrder) {
    let data = json!({"id": id, "state": step.state, "by": step.by});
    tx.news.push(News::Event(Event { name: "alarm.taken_over", data }));
}

/// Orders a step at a gateway, with what the alarm is and which one it follows, since the gateway may not know it. The end
/// of an alarm names the presses that it ended with, this gateway's first: an answer about them may be lost, and the gateway would take them for
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
        "SELECT e.state, e.actor, e.cause, e.at, e.responder, e.eta_min FROM alarm_events e JOIN alarms a ON a.origin = e.alarm AND a.variant = 0
         WHERE e.alarm = $1 AND e.variant = 0 AND e.what = 'step' AND e.state = a.state ORDER BY e.id LIMIT 1",
    )
    .bind(origin)
    .fetch_optional(&mut tx.conn)
    .await?;
    row.map(|row| step_order(&row, 0, known_as.clone())).transpose()
}

/// A step from a row with state, actor, cause, time, who was sent and in how many minutes they are there, from a column on.
fn step_order(row: &SqliteRow, from: usize, alarm: Origin) -> Result<AlarmStateOrder, StoreError> {
    let [actor, cause, at, responder, eta_min] = [1, 2, 3, 4, 5].map(|next| from.saturating_add(next));
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
        responder: row.try_get(responder)?,
        eta_min: row.try_get::<Option<i64>, _>(eta_min)?.and_then(|minutes| u16::try_from(minutes).ok()),
    })
}
