//! Orders to gateways: states that a gateway should take over, per gateway and lane, numbered upwards.
//!
//! The numbers belong to a stream that is as old as the database. Of each subject (an alarm, a device, the catalogue)
//! only the newest order is kept, so reading from the beginning is the snapshot that a gateway without a known stream
//! needs.
//!
//! **Invariant:** a number is given once and never again; orders are states, so taking one twice does no harm.

use jiff::Timestamp;
use protocols::device::AlarmState;
use protocols::id::{DeviceId, GatewayId};
use protocols::uplink::{
    AlarmStateOrder, CatalogueOrder, DeviceAssignOrder, DeviceUnassignOrder, HotlistOrder, Lane, Order,
    OrderResultBody, OrderVerdict, Origin, PolicyOrder, SaleSettledOrder, SettingsOrder, Source, order_kind,
};
use serde_json::json;
use serde_json::value::RawValue;
use sqlx::{Row as _, SqliteConnection, SqlitePool};

use crate::limits;
use crate::news::{Event, News};
use crate::store::{StoreError, Tx};

/// What is ordered.
#[derive(Debug)]
pub enum What<'a> {
    /// An alarm's state.
    Alarm(&'a AlarmStateOrder),
    /// Cards that must not pay.
    Hotlist(&'a HotlistOrder),
    /// What can be ordered.
    Catalogue(&'a CatalogueOrder),
    /// Rules.
    Policy(&'a PolicyOrder),
    /// A device belongs to the gateway.
    Assign(&'a DeviceAssignOrder),
    /// A device no longer does.
    Unassign(&'a DeviceUnassignOrder),
    /// Settings of a device.
    Settings(&'a SettingsOrder),
    /// What became of a sale that the gateway left as unknown.
    SaleSettled(&'a SaleSettledOrder),
}

impl What<'_> {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Alarm(_) => order_kind::ALARM_STATE,
            Self::Hotlist(_) => order_kind::HOTLIST,
            Self::Catalogue(_) => order_kind::CATALOGUE,
            Self::Policy(_) => order_kind::POLICY,
            Self::Assign(_) => order_kind::DEVICE_ASSIGN,
            Self::Unassign(_) => order_kind::DEVICE_UNASSIGN,
            Self::Settings(_) => order_kind::SETTINGS,
            Self::SaleSettled(_) => order_kind::SALE_SETTLED,
        }
    }

    const fn lane(&self) -> Lane {
        match self {
            Self::Alarm(_) => Lane::Alarms,
            Self::Hotlist(_)
            | Self::Catalogue(_)
            | Self::Policy(_)
            | Self::Assign(_)
            | Self::Unassign(_)
            | Self::Settings(_)
            | Self::SaleSettled(_) => Lane::Other,
        }
    }

    /// Of orders with the same subject only the newest matters.
    fn subject(&self) -> String {
        let device = |device: &DeviceId| format!("device:{device}");
        match self {
            Self::Alarm(order) => format!("alarm:{}", order.alarm),
            Self::Hotlist(_) => "hotlist".to_owned(),
            Self::Catalogue(_) => "catalogue".to_owned(),
            Self::Policy(order) => policy_subject(&order.from),
            Self::Assign(order) => device(&order.device),
            Self::Unassign(order) => device(&order.device),
            Self::Settings(order) => format!("settings:{}", order.device),
            Self::SaleSettled(order) => sale_subject(&order.sale.to_string()),
        }
    }

    fn body(&self) -> String {
        let text = match self {
            Self::Alarm(order) => serde_json::to_string(order),
            Self::Hotlist(order) => serde_json::to_string(order),
            Self::Catalogue(order) => serde_json::to_string(order),
            Self::Policy(order) => serde_json::to_string(order),
            Self::Assign(order) => serde_json::to_string(order),
            Self::Unassign(order) => serde_json::to_string(order),
            Self::Settings(order) => serde_json::to_string(order),
            Self::SaleSettled(order) => serde_json::to_string(order),
        };
        text.expect("orders have only texts, numbers and lists, which always are JSON")
    }
}

/// Orders something from a gateway; its long poll wakes after the commit.
///
/// # Errors
/// The database cannot do it.
pub async fn add(tx: &mut Tx, gateway: &str, what: &What<'_>) -> Result<(), StoreError> {
    let lane = what.lane();
    let subject = what.subject();
    let k: i64 = sqlx::query_scalar(
        "INSERT INTO order_numbers (gateway, lane, k) VALUES ($1, $2, 1)
         ON CONFLICT (gateway, lane) DO UPDATE SET k = order_numbers.k + 1 RETURNING k",
    )
    .bind(gateway)
    .bind(lane.name())
    .fetch_one(&mut tx.conn)
    .await?;
    sqlx::query("DELETE FROM orders WHERE gateway = $1 AND lane = $2 AND subject = $3")
        .bind(gateway)
        .bind(lane.name())
        .bind(&subject)
        .execute(&mut tx.conn)
        .await?;
    sqlx::query(
        "INSERT INTO orders (gateway, lane, k, subject, kind, body, created_ms) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(gateway)
    .bind(lane.name())
    .bind(k)
    .bind(subject)
    .bind(what.kind())
    .bind(what.body())
    .bind(tx.now.ms)
    .execute(&mut tx.conn)
    .await?;
    tx.news.push(News::Orders { gateway: gateway.to_owned(), lane });
    Ok(())
}

/// Orders something from every gateway.
///
/// # Errors
/// The database cannot do it.
pub async fn add_for_all(tx: &mut Tx, what: &What<'_>) -> Result<(), StoreError> {
    let gateways: Vec<String> =
        sqlx::query_scalar("SELECT id FROM gateways ORDER BY id").fetch_all(&mut tx.conn).await?;
    for gateway in gateways {
        add(tx, &gateway, what).await?;
    }
    Ok(())
}

/// The orders of a gateway and lane after number `after`.
///
/// # Errors
/// The database cannot answer.
pub async fn page(readers: &SqlitePool, gateway: &str, lane: Lane, after: u64) -> Result<Vec<Order>, StoreError> {
    let rows =
        sqlx::query("SELECT k, kind, body FROM orders WHERE gateway = $1 AND lane = $2 AND k > $3 ORDER BY k LIMIT $4")
            .bind(gateway)
            .bind(lane.name())
            .bind(i64::try_from(after).unwrap_or(i64::MAX))
            .bind(limits::ORDERS_PER_PAGE)
            .fetch_all(readers)
            .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Order {
                k: row.try_get::<i64, _>(0)?.unsigned_abs(),
                kind: row.try_get(1)?,
                body: RawValue::from_string(row.try_get(2)?).map_err(|_| StoreError::Row { table: "orders" })?,
            })
        })
        .collect()
}

/// The stream that the numbers belong to.
///
/// # Errors
/// The database cannot answer.
pub async fn stream(conn: &mut SqliteConnection) -> Result<String, StoreError> {
    Ok(sqlx::query_scalar("SELECT value FROM facts WHERE name = 'stream'").fetch_one(conn).await?)
}

/// Keeps what a gateway did with an order. An order about a resolved alarm has then done its work.
///
/// # Errors
/// The database cannot do it.
pub async fn result(
    tx: &mut Tx,
    gateway: &GatewayId,
    about: &Origin,
    result: &OrderResultBody,
) -> Result<(), StoreError> {
    let verdict = match result.verdict {
        OrderVerdict::Done => "done",
        OrderVerdict::Stale => "stale",
        OrderVerdict::Refused => "refused",
    };
    sqlx::query(
        "INSERT INTO order_results (gateway, order_key, kind, verdict, reason, received_ms)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (gateway, order_key) DO NOTHING",
    )
    .bind(gateway.as_str())
    .bind(about.to_string())
    .bind(&result.kind)
    .bind(verdict)
    .bind(result.reason.as_deref())
    .bind(tx.now.ms)
    .execute(&mut tx.conn)
    .await?;
    if result.verdict == OrderVerdict::Refused {
        tx.news.push(News::Event(Event {
            name: "gateway.order_refused",
            data: json!({"gateway": gateway.as_str(), "kind": result.kind, "reason": result.reason}),
        }));
    }
    let Source::Centre(lane) = &about.source else { return Ok(()) };
    if result.kind == order_kind::SALE_SETTLED {
        return drop_answered(tx, gateway, lane, about).await;
    }
    sqlx::query(
        "DELETE FROM orders WHERE gateway = $1 AND lane = $2 AND k = $3 AND kind = $4
         AND (SELECT MIN(a.state) FROM alarms a WHERE 'alarm:' || a.origin = orders.subject) = $5",
    )
    .bind(gateway.as_str())
    .bind(lane.as_str())
    .bind(i64::try_from(about.seq.get()).unwrap_or(i64::MAX))
    .bind(order_kind::ALARM_STATE)
    .bind(crate::alarms::rank(AlarmState::Resolved))
    .execute(&mut tx.conn)
    .await?;
    Ok(())
}

/// A settled sale is ordered once; the answer ends it.
async fn drop_answered(tx: &mut Tx, gateway: &GatewayId, lane: &GatewayId, about: &Origin) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM orders WHERE gateway = $1 AND lane = $2 AND k = $3 AND kind = $4")
        .bind(gateway.as_str())
        .bind(lane.as_str())
        .bind(i64::try_from(about.seq.get()).unwrap_or(i64::MAX))
        .bind(order_kind::SALE_SETTLED)
        .execute(&mut tx.conn)
        .await?;
    Ok(())
}

/// Drops orders of rules whose first day is before `from`: later ones hold, and no gateway needs those.
///
/// # Errors
/// The database cannot do it.
pub async fn drop_policies_before(tx: &mut Tx, from: &str) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM orders WHERE lane = $1 AND kind = $2 AND subject < $3")
        .bind(Lane::Other.name())
        .bind(order_kind::POLICY)
        .bind(policy_subject(from))
        .execute(&mut tx.conn)
        .await?;
    Ok(())
}

fn sale_subject(origin: &str) -> String {
    format!("sale:{origin}")
}

/// Whether an order that says what became of a sale waits for its gateway's answer.
///
/// # Errors
/// The database cannot answer.
pub async fn is_settling(tx: &mut Tx, gateway: &GatewayId, sale: &str) -> Result<bool, StoreError> {
    let known: Option<i64> =
        sqlx::query_scalar("SELECT k FROM orders WHERE gateway = $1 AND lane = $2 AND subject = $3")
            .bind(gateway.as_str())
            .bind(Lane::Other.name())
            .bind(sale_subject(sale))
            .fetch_optional(&mut tx.conn)
            .await?;
    Ok(known.is_some())
}

/// Of rules for one first day only the newest matter; those for another day hold before or after them.
fn policy_subject(from: &str) -> String {
    format!("policy:{from}")
}

/// Drops orders about alarms that were resolved so long ago that no gateway needs them.
///
/// # Errors
/// The database cannot do it.
pub async fn sweep(tx: &mut Tx) -> Result<u64, StoreError> {
    let keep_ms = i64::try_from(limits::RESOLVED_ORDER_KEEP.as_millis()).unwrap_or(i64::MAX);
    let done = sqlx::query(
        "DELETE FROM orders WHERE lane = 'alarms' AND created_ms < $1
         AND (SELECT MIN(a.state) FROM alarms a WHERE 'alarm:' || a.origin = orders.subject) = $2",
    )
    .bind(tx.now.ms.saturating_sub(keep_ms))
    .bind(crate::alarms::rank(AlarmState::Resolved))
    .execute(&mut tx.conn)
    .await?;
    Ok(done.rows_affected())
}

/// A time as orders carry it.
#[must_use]
pub fn time_text(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| String::new(), |time| crate::store::Now::at(time).text)
}
