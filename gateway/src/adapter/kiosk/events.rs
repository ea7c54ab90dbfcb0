//! `GET /api/v1/events`: what changes, as server-sent events (HTML standard, section 9.2).
//!
//! | event | data |
//! |---|---|
//! | `reader.changed` | `{"reader":"…","state":"card"}` |
//! | `reader.card` | `{"reader":"…"}`: what is known of the card there changed; the rest is read at the reader's address |
//! | `sale.changed` | `{"sale":"…","state":"paid","reader":"…"}`; the rest is read at the sale's address |
//! | `alarm.changed` | `{"alarm":"…","state":"acknowledged"}` |
//! | `device.changed` | `{"device":"…"}` |
//! | `uplink.changed` | `{"online":true}` |
//! | `resync` | `{}`: the page lagged behind; it has to load everything anew, as after each connect |
//!
//! **Invariant:** amounts and balances are not in an event: every open page on the machine hears it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, StreamExt};
use gateway_core::Notice;
use serde_json::{Value, json};
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;

use super::app::App;
use super::error::{ApiError, Fault};
use super::limits::{EVENT_KEEP_ALIVE_S, EVENT_STREAM_S};

/// An event's name and data.
fn told(notice: &Notice) -> (&'static str, Value) {
    match notice {
        Notice::Reader { reader, state } => ("reader.changed", json!({"reader": reader, "state": state})),
        Notice::Card { reader } => ("reader.card", json!({"reader": reader})),
        Notice::Sale { sale } => ("sale.changed", json!({"sale": sale.id, "state": sale.state, "reader": sale.reader})),
        Notice::Alarm { alarm, state } => ("alarm.changed", json!({"alarm": alarm, "state": state})),
        Notice::Device { device } => ("device.changed", json!({"device": device})),
        Notice::Uplink { online } => ("uplink.changed", json!({"online": online})),
    }
}

fn event(received: Result<Notice, BroadcastStreamRecvError>) -> Event {
    let (name, data) = match received {
        Ok(notice) => told(&notice),
        Err(BroadcastStreamRecvError::Lagged(_)) => ("resync", json!({})),
    };
    Event::default().event(name).data(data.to_string())
}

/// Opens a stream of events.
pub async fn events(
    State(app): State<Arc<App>>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let permit = Arc::clone(&app.streams).try_acquire_owned().map_err(|_| Fault::Busy)?;
    let mut closing = app.closing.subscribe();
    let end = async move {
        let closed = closing.wait_for(|closing| *closing);
        drop(tokio::time::timeout(Duration::from_secs(EVENT_STREAM_S), closed).await);
    };
    let stream = BroadcastStream::new(app.listen())
        .map(move |received| {
            let _held_while_streaming = &permit;
            Ok(event(received))
        })
        .take_until(Box::pin(end));
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(EVENT_KEEP_ALIVE_S))))
}
