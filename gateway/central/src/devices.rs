//! Devices of the district: whose they are, which gateway has them, how they are.

use protocols::uplink::{DeviceStateBody, DeviceTrouble};
use serde_json::json;

use crate::news::{Event, News};
use crate::store::{StoreError, Tx};

/// The word for what supervision found.
#[must_use]
pub const fn word(trouble: DeviceTrouble) -> &'static str {
    match trouble {
        DeviceTrouble::Silent => "silent",
        DeviceTrouble::Back => "back",
        DeviceTrouble::BatteryLow => "battery_low",
        DeviceTrouble::BatteryOk => "battery_ok",
        DeviceTrouble::LostReports => "lost_reports",
        DeviceTrouble::Fault => "fault",
        DeviceTrouble::FaultOver => "fault_over",
    }
}

/// Takes over what a gateway's supervision found.
///
/// # Errors
/// The database cannot do it.
pub async fn state(tx: &mut Tx, state: &DeviceStateBody) -> Result<(), StoreError> {
    sqlx::query("UPDATE devices SET trouble = $2, trouble_ms = $3 WHERE id = $1")
        .bind(state.device.as_str())
        .bind(word(state.trouble))
        .bind(tx.now.ms)
        .execute(&mut tx.conn)
        .await?;
    tx.news.push(News::Event(Event {
        name: "device.state",
        data: json!({"device": state.device, "state": word(state.trouble)}),
    }));
    Ok(())
}
