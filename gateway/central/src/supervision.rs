//! A gateway that is not there is an alarm for people at the centre.
//!
//! A healthy gateway always has a long poll open, so it calls at least every minute. One that has called before and is
//! not heard for the configured time raises one alarm, which stays open until a person closes it.
//!
//! **Invariant:** after a start every gateway has the whole time again: the centre may have been away itself.

use std::time::Duration;

use protocols::uplink::OwnAlarm;
use sqlx::Row as _;

use crate::alarms;
use crate::app::App;
use crate::limits;
use crate::store::{Now, Priority, StoreError};

/// Looks after the gateways until the centre stops.
pub async fn run(app: App, silent_after: Duration) {
    let started_ms = Now::read().ms;
    let pause = (silent_after / 4).clamp(limits::SUPERVISION_PAUSE_MIN, limits::SUPERVISION_PAUSE_MAX);
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = app.stopping() => return,
        }
        if let Err(error) = look(&app, silent_after, started_ms).await {
            tracing::error!(error = ?error, "gateways could not be looked after");
        }
    }
}

async fn look(app: &App, silent_after: Duration, started_ms: i64) -> Result<(), StoreError> {
    let rows = sqlx::query("SELECT id, last_seen_ms FROM gateways ORDER BY id").fetch_all(&app.store.readers).await?;
    let silent_ms = i64::try_from(silent_after.as_millis()).unwrap_or(i64::MAX);
    for row in rows {
        let gateway: String = row.try_get(0)?;
        let Some(seen) = app.seen(&gateway).max(row.try_get(1)?) else { continue };
        if Now::read().ms.saturating_sub(seen.max(started_ms)) < silent_ms {
            continue;
        }
        let (name, stream) = (gateway.clone(), app.stream.clone());
        let raised = app.store.writer.run(Priority::Alarm, 1, move |tx| {
            Box::pin(async move { alarms::raise_own(tx, &name, OwnAlarm::GatewaySilent, &stream).await })
        });
        if raised.await? {
            metrics::counter!("central_gateways_silent_total").increment(1);
            tracing::warn!(gateway, "a gateway is silent");
        }
    }
    Ok(())
}
