//! Who may speak of what: a gateway reaches only the alarms that it told of, and the sales that it began.
//!
//! **Invariant:** an entry never moves an alarm or a sale of another gateway. A press is never lost by this: a further
//! press on a foreign alarm is an alarm of its own.

use std::collections::{BTreeMap, BTreeSet};

use protocols::id::GatewayId;
use sqlx::Row as _;

use super::shape::{Fact, Item, Readable, Refusal};
use crate::store::{StoreError, Tx, in_list};

/// What is known about the subjects of an upload.
#[derive(Default)]
struct Known {
    /// Alarms that are here.
    alarms: BTreeSet<String>,
    /// Those that this gateway told of, before or in this upload.
    told: BTreeSet<String>,
    /// Sales whose intent is here, with the gateway that began them.
    sales: BTreeMap<String, String>,
}

/// Turns entries that reach for another gateway's alarm or sale into refusals, and further presses on another gateway's
/// alarm into alarms of their own.
///
/// # Errors
/// The database cannot answer.
pub async fn check(tx: &mut Tx, gateway: &GatewayId, items: &mut [Item]) -> Result<(), StoreError> {
    let known = known(tx, gateway, items).await?;
    for item in items {
        let Ok(entry) = &mut item.entry else { continue };
        let Some(about) = entry.about_key() else { continue };
        let foreign_alarm = known.alarms.contains(&about) && !known.told.contains(&about);
        match &entry.fact {
            Fact::Repeated(alarm) if foreign_alarm => entry.fact = Fact::Raised(alarm.clone()),
            Fact::Cancelled(_) | Fact::Dated(_) | Fact::Step(_) if foreign_alarm => {
                item.entry = Err(Refusal::ForeignOrigin)
            }
            Fact::Outcome(_) if known.sales.get(&about).is_some_and(|owner| owner != gateway.as_str()) => {
                item.entry = Err(Refusal::ForeignOrigin);
            }
            Fact::Raised(_)
            | Fact::Repeated(_)
            | Fact::Cancelled(_)
            | Fact::Dated(_)
            | Fact::Step(_)
            | Fact::DeviceState(_)
            | Fact::Intent(..)
            | Fact::Outcome(_)
            | Fact::OrderResult(_)
            | Fact::Kept => {}
        }
    }
    Ok(())
}

async fn known(tx: &mut Tx, gateway: &GatewayId, items: &[Item]) -> Result<Known, StoreError> {
    let entries = || items.iter().filter_map(|item| item.entry.as_ref().ok());
    let mut known = Known::default();
    let alarms = subjects(entries(), |fact| {
        matches!(fact, Fact::Repeated(_) | Fact::Cancelled(_) | Fact::Dated(_) | Fact::Step(_))
    });
    for row in about_alarms(tx, &alarms).await? {
        let (origin, teller) = (row.try_get::<String, _>(0)?, row.try_get::<Option<String>, _>(1)?);
        if teller.as_deref() == Some(gateway.as_str()) {
            known.told.insert(origin.clone());
        }
        known.alarms.insert(origin);
    }
    known
        .told
        .extend(entries().filter(|entry| matches!(entry.fact, Fact::Raised(_))).map(|entry| entry.origin_key.clone()));
    let sales = subjects(entries(), |fact| matches!(fact, Fact::Outcome(_)));
    let rows = in_list(
        &mut tx.conn,
        "SELECT origin, gateway FROM sales WHERE tender IS NOT NULL AND origin IN",
        "",
        &sales,
        |list, origin| {
            list.push_bind(origin.clone());
        },
    )
    .await?;
    for row in rows {
        known.sales.insert(row.try_get(0)?, row.try_get(1)?);
    }
    Ok(known)
}

/// Alarms with each gateway that has a part in them.
async fn about_alarms(tx: &mut Tx, origins: &[String]) -> Result<Vec<sqlx::sqlite::SqliteRow>, StoreError> {
    let bind = |list: &mut sqlx::query_builder::Separated<'_, sqlx::Sqlite, &'static str>, origin: &String| {
        list.push_bind(origin.clone());
    };
    let mut rows =
        in_list(&mut tx.conn, "SELECT origin, gateway FROM alarms WHERE origin IN", "", origins, bind).await?;
    rows.extend(
        in_list(&mut tx.conn, "SELECT alarm, gateway FROM alarm_gateways WHERE alarm IN", "", origins, bind).await?,
    );
    Ok(rows)
}

fn subjects<'a>(entries: impl Iterator<Item = &'a Readable>, wanted: fn(&Fact) -> bool) -> Vec<String> {
    let origins: BTreeSet<String> =
        entries.filter(|entry| wanted(&entry.fact)).filter_map(Readable::about_key).collect();
    origins.into_iter().collect()
}
