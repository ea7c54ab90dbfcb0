//! Events for pages, as server-sent events: what became true since the page connected.
//!
//! **Invariant:** events are hints to look again; a listener that fell behind is told so (`missed`), and reads anew.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::response::sse::{Event as SseEvent, KeepAlive, Sse};
use futures_util::Stream;
use futures_util::stream;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::caller::CallingActor;
use super::problem::Problem;
use crate::app::{App, Centre};
use crate::limits;
use crate::news::Event;

/// `GET /api/v1/events`
pub async fn listen(
    State(app): State<App>,
    _: CallingActor,
) -> Result<Sse<impl Stream<Item = Result<SseEvent, Infallible>>>, Problem> {
    let desk = app.store.writer.desk();
    if desk.listeners() >= limits::EVENT_LISTENERS_MAX {
        return Err(Problem::Busy);
    }
    let events = desk.listen();
    let stream = stream::unfold((app, events), next);
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(limits::EVENT_KEEP_ALIVE)))
}

type Listening = (Arc<Centre>, Receiver<Event>);

async fn next((app, mut events): Listening) -> Option<(Result<SseEvent, Infallible>, Listening)> {
    let heard = tokio::select! {
        heard = events.recv() => heard,
        () = app.stopping() => return None,
    };
    let event = match heard {
        Ok(event) => SseEvent::default().event(event.name).data(event.data.to_string()),
        Err(RecvError::Lagged(count)) => SseEvent::default().event("missed").data(count.to_string()),
        Err(RecvError::Closed) => return None,
    };
    Some((Ok(event), (app, events)))
}
