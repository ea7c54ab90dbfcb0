//! Alarms of a gateway's own that it raised while it had no journal: those of one kind are one alarm here.
//!
//! Such a gateway remembers nothing over a start. With a disk that is dead it says so after each start, under a new origin
//! each time; people would have to close each of them. What it raises while one of its kind is open counts into that one,
//! and the gateway hears of steps under the origin that it knows.
//!
//! **Invariant:** of one gateway, kind and device, at most one such alarm is open; none is lost: each is counted.

use protocols::id::GatewayId;
use protocols::uplink::{AlarmBody, AlarmStateOrder, Epoch, NO_STORAGE_EPOCH, Origin, Source};
use serde_json::json;
use sqlx::Row as _;

use crate::alarms;
use crate::intake::shape::Readable;
use crate::news::{Event, News};
use crate::orders::{self, What};
use crate::origin_key;
use crate::store::{StoreError, Tx};
use crate::telling;

/// Whether a gateway gave this origin without a journal.
fn is_one(origin: &Origin) -> bool {
    matches!((&origin.source, &origin.epoch), (Source::Gateway(_), Epoch::Text(epoch)) if epoch == NO_STORAGE_EPOCH)
}

/// Raises an alarm that a gateway without a journal raised of itself, or counts it into the open one of its kind and
/// device; false where it is no such alarm, and nothing is done.
///
/// # Errors
/// The database cannot do it.
pub async fn take(tx: &mut Tx, gateway: &GatewayId, entry: &Readable, alarm: &AlarmBody) -> Result<bool, StoreError> {
    if !is_one(&entry.origin) {
        return Ok(false);
    }
    if !fold(tx, gateway, entry, alarm).await? {
        alarms::raise(tx, gateway, &[(entry, alarm)]).await?;
    }
    Ok(true)
}

async fn fold(tx: &mut Tx, gateway: &GatewayId, entry: &Readable, alarm: &AlarmBody) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "SELECT origin, id FROM alarms WHERE gateway = $1 AND kind = $2 AND device IS $3 AND state < 5 AND variant = 0
         AND origin LIKE 'gateway:%' ORDER BY received_ms, id LIMIT 1",
    )
    .bind(gateway.as_str())
    .bind(&alarm.kind)
    .bind(alarm.device.as_ref().map(|device| device.as_str()))
    .fetch_optional(&mut tx.conn)
    .await?;
    let Some(row) = row else { return Ok(false) };
    let (open, id): (String, String) = (row.try_get(0)?, row.try_get(1)?);
    alarms::raise_urgency(tx, &open, alarm.urgency).await?;
    alarms::count_presses(tx, gateway, &open, entry).await?;
    tx.news.push(News::Event(Event { name: "alarm.repeated", data: json!({"id": id}) }));
    if let Some(order) = telling::last_step(tx, &open, &entry.origin).await? {
        orders::add(tx, gateway.as_str(), &What::Alarm(&order)).await?;
    }
    Ok(true)
}

/// The open alarm that one of these origins was counted into.
///
/// # Errors
/// The database cannot answer.
pub async fn counted_into(tx: &mut Tx, gateway: &GatewayId, about: &Origin) -> Result<Option<Origin>, StoreError> {
    if !is_one(about) {
        return Ok(None);
    }
    let open: Option<String> = sqlx::query_scalar(
        "SELECT a.origin FROM alarms a JOIN alarm_events e ON e.alarm = a.origin AND e.variant = a.variant
         WHERE a.gateway = $1 AND a.state < 5 AND a.variant = 0 AND e.what = 'repeated' AND e.entry = $2 LIMIT 1",
    )
    .bind(gateway.as_str())
    .bind(about.to_string())
    .fetch_optional(&mut tx.conn)
    .await?;
    Ok(open.as_deref().and_then(origin_key::parse))
}

/// Orders a step at a gateway under the origin that it knows since its newest start, where that is another.
///
/// # Errors
/// The database cannot do it.
pub async fn order(tx: &mut Tx, gateway: &str, order: &AlarmStateOrder) -> Result<(), StoreError> {
    if !matches!(&order.alarm.source, Source::Gateway(name) if name.as_str() == gateway) {
        return Ok(());
    }
    let newest: Option<String> = sqlx::query_scalar(
        "SELECT entry FROM alarm_events WHERE alarm = $1 AND variant = 0 AND what = 'repeated' AND source = $2
         AND entry IS NOT NULL ORDER BY id DESC LIMIT 1",
    )
    .bind(order.alarm.to_string())
    .bind(gateway)
    .fetch_optional(&mut tx.conn)
    .await?;
    match newest.as_deref().and_then(origin_key::parse).filter(is_one) {
        Some(alarm) => {
            let order = AlarmStateOrder { alarm, presses: Vec::new(), ..order.clone() };
            orders::add(tx, gateway, &What::Alarm(&order)).await
        }
        None => Ok(()),
    }
}
