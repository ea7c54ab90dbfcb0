//! Who may speak of what: a gateway moves only the alarms of devices that are assigned to it, and the sales that it began.
//!
//! Whoever has an identity may tell of an alarm of any device: a press is never lost. Telling of it gives no right over
//! it: a step, a take-back or a date counts from a gateway that the device is assigned to, now or when that gateway told
//! the alarm. Of devices that are assigned to nobody, it counts from those who told the alarm.
//!
//! **Invariant:** an entry never moves an alarm or a sale of another gateway; it is refused and kept for people. A further
//! press on a foreign alarm is an alarm of its own.

use std::collections::{BTreeMap, BTreeSet};

use protocols::id::GatewayId;
use protocols::uplink::{Origin, Source};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::shape::{Fact, Item, Readable, Refusal};
use crate::origin_key;
use crate::store::{StoreError, Tx, in_list};

/// What is known about the subjects of an upload.
#[derive(Default)]
struct Known {
    /// Alarms that are here.
    alarms: BTreeSet<String>,
    /// Those that this gateway told of, before or in this upload.
    told: BTreeSet<String>,
    /// Those that it told of while their device was assigned to it.
    told_as_assigned: BTreeSet<String>,
    /// Devices that are assigned, and whether this gateway is among those that have them.
    assigned: BTreeMap<String, bool>,
    /// Sales whose intent is here, with the gateway that began them.
    sales: BTreeMap<String, String>,
}

impl Known {
    /// Whether a further press that this gateway told can be one on that alarm.
    fn reaches(&self, gateway: &GatewayId, about: &Origin) -> bool {
        match &about.source {
            Source::Gateway(name) => name == gateway,
            Source::Centre(_) => false,
            Source::Device(_) | Source::Terminal(_) => {
                let about = about.to_string();
                !self.alarms.contains(&about) || self.told.contains(&about)
            }
        }
    }

    /// Whether what this gateway says of an alarm changes it.
    fn moves(&self, gateway: &GatewayId, about: &Origin) -> bool {
        let assigned = match &about.source {
            Source::Device(device) => self.assigned.get(device.as_str()),
            Source::Terminal(_) | Source::Gateway(_) | Source::Centre(_) => None,
        };
        assigned.map_or_else(
            || self.reaches(gateway, about),
            |ours| *ours || self.told_as_assigned.contains(&about.to_string()),
        )
    }
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
        let Some(about) = &entry.about else { continue };
        match &entry.fact {
            Fact::Repeated(alarm) if !known.reaches(gateway, about) => entry.fact = Fact::Raised(alarm.clone()),
            Fact::Cancelled(_) | Fact::Dated(_) | Fact::Step(_) if !known.moves(gateway, about) => {
                item.entry = Err(Refusal::ForeignOrigin);
            }
            Fact::Outcome(_) if known.sales.get(&about.to_string()).is_some_and(|owner| owner != gateway.as_str()) => {
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
        let (origin, teller) = (row.try_get::<String, _>(0)?, row.try_get::<String, _>(1)?);
        if teller == gateway.as_str() {
            known.told.insert(origin.clone());
            if row.try_get::<i64, _>(2)? == 1 {
                known.told_as_assigned.insert(origin.clone());
            }
        }
        known.alarms.insert(origin);
    }
    for row in assignments(tx, &alarms).await? {
        let ours = row.try_get::<String, _>(1)? == gateway.as_str();
        *known.assigned.entry(row.try_get(0)?).or_default() |= ours;
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

/// The devices of alarms, with each gateway that they are assigned to.
async fn assignments(tx: &mut Tx, alarms: &[String]) -> Result<Vec<SqliteRow>, StoreError> {
    let devices: BTreeSet<String> = alarms
        .iter()
        .filter_map(|origin| match origin_key::parse(origin)?.source {
            Source::Device(device) => Some(device.as_str().to_owned()),
            Source::Terminal(_) | Source::Gateway(_) | Source::Centre(_) => None,
        })
        .collect();
    let devices: Vec<String> = devices.into_iter().collect();
    let rows = in_list(
        &mut tx.conn,
        "SELECT device, gateway FROM assignments WHERE device IN",
        "",
        &devices,
        |list, device| {
            list.push_bind(device.clone());
        },
    )
    .await?;
    Ok(rows)
}

/// Alarms with each gateway that has a part in them, and whether their device was assigned to it when it told them.
async fn about_alarms(tx: &mut Tx, origins: &[String]) -> Result<Vec<SqliteRow>, StoreError> {
    let bind = |list: &mut sqlx::query_builder::Separated<'_, sqlx::Sqlite, &'static str>, origin: &String| {
        list.push_bind(origin.clone());
    };
    let mut rows =
        in_list(&mut tx.conn, "SELECT origin, gateway, 0 FROM alarms WHERE origin IN", "", origins, bind).await?;
    rows.extend(
        in_list(&mut tx.conn, "SELECT alarm, gateway, assigned FROM alarm_gateways WHERE alarm IN", "", origins, bind)
            .await?,
    );
    Ok(rows)
}

fn subjects<'a>(entries: impl Iterator<Item = &'a Readable>, wanted: fn(&Fact) -> bool) -> Vec<String> {
    let origins: BTreeSet<String> =
        entries.filter(|entry| wanted(&entry.fact)).filter_map(Readable::about_key).collect();
    origins.into_iter().collect()
}
