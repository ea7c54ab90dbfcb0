//! Who is at a board, and which alarm they look at.

use axum::Json;
use axum::extract::State;
use protocols::id::ActorId;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::Instant;

use super::caller::CallingActor;
use super::payload::Payload;
use super::problem::Problem;
use crate::app::App;
use crate::limits::ALARM_ID_BYTES_MAX;
use crate::news::{Event, News};
use crate::presence::Present;

/// Who is there.
#[derive(Debug, Serialize)]
pub struct PresentList {
    operators: Vec<Present>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PresenceBody {
    alarm: Option<String>,
}

/// `PUT /api/v1/presence`: says what the caller looks at, and answers who is there.
pub async fn say(
    State(app): State<App>,
    CallingActor(actor): CallingActor,
    body: Payload,
) -> Result<Json<PresentList>, Problem> {
    let PresenceBody { alarm } = body.json()?;
    if alarm.as_ref().is_some_and(|alarm| alarm.len() > ALARM_ID_BYTES_MAX) {
        return Err(Problem::TooLarge);
    }
    if app.presence.say(&actor, alarm.clone(), Instant::now()) {
        tell(&app, &actor, alarm.as_deref());
    }
    Ok(Json(PresentList { operators: app.presence.list(Instant::now()) }))
}

/// `GET /api/v1/presence`
pub async fn list(State(app): State<App>, _: CallingActor) -> Json<PresentList> {
    Json(PresentList { operators: app.presence.list(Instant::now()) })
}

/// Tells the pages that somebody looks elsewhere now.
pub(super) fn tell(app: &App, who: &ActorId, alarm: Option<&str>) {
    let data = json!({"who": who, "alarm": alarm});
    app.store.writer.desk().tell(vec![News::Event(Event { name: "presence", data })]);
}
