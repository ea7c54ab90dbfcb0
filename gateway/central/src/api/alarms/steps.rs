//! The steps of an alarm, by a person at the centre.

use axum::Json;
use axum::extract::{Path, State};
use protocols::device::AlarmState;
use protocols::uplink::{is_eta_min, is_responder};
use serde::{Deserialize, Serialize};

use crate::api::caller::CallingActor;
use crate::api::payload::Payload;
use crate::api::problem::{Detailed, Problem};
use crate::app::App;
use crate::limits;
use crate::steps::{self, StepAnswer, Wish};
use crate::store::Priority;

/// Body of a step; may be missing where nothing is to be said.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct StepBody {
    /// Why it ends.
    cause: Option<String>,
    /// Who is sent.
    responder: Option<String>,
    /// In how many minutes they are there.
    eta_min: Option<u16>,
    /// Also where somebody else has the alarm.
    #[serde(default)]
    take_over: bool,
}

/// The answer to a step.
#[derive(Debug, Serialize)]
pub struct StepDone {
    id: String,
    /// How far the alarm is.
    state: AlarmState,
}

macro_rules! steps {
    ($($(#[$doc:meta])* $name:ident $state:ident)*) => {
        $(
            $(#[$doc])*
            pub async fn $name(
                app: State<App>,
                actor: CallingActor,
                id: Path<String>,
                body: Payload,
            ) -> Result<Json<StepDone>, Detailed> {
                step(app, actor, id, &body, AlarmState::$state).await
            }
        )*
    };
}

steps! {
    /// `POST /api/v1/alarms/{id}/acknowledge`
    acknowledge Acknowledged
    /// `POST /api/v1/alarms/{id}/dispatch`
    dispatch Dispatched
    /// `POST /api/v1/alarms/{id}/on_site`
    on_site OnSite
    /// `POST /api/v1/alarms/{id}/resolve`
    resolve Resolved
}

async fn step(
    State(app): State<App>,
    CallingActor(by): CallingActor,
    Path(id): Path<String>,
    body: &Payload,
    state: AlarmState,
) -> Result<Json<StepDone>, Detailed> {
    let StepBody { cause, responder, eta_min, take_over } =
        if body.0.is_empty() { StepBody::default() } else { body.json()? };
    let text = |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let (cause, responder) = (text(cause), text(responder));
    if cause.as_ref().is_some_and(|cause| cause.len() > limits::CAUSE_BYTES_MAX) {
        return Err(Problem::TooLarge.into());
    }
    if state == AlarmState::Resolved && cause.is_none() {
        return Err(Problem::CauseMissing.into());
    }
    let fits = responder.as_deref().is_none_or(is_responder) && eta_min.is_none_or(is_eta_min);
    if !fits {
        return Err(Problem::Responder.into());
    }
    // Only of somebody who is sent is there something to say.
    let sends = state == AlarmState::Dispatched;
    let (responder, eta_min) = (responder.filter(|_| sends), eta_min.filter(|_| sends));
    let wish = Wish { state, by, cause, responder, eta_min, take_over };
    let alarm = id.clone();
    let answer = app
        .store
        .writer
        .run(Priority::Alarm, 1, move |tx| Box::pin(async move { steps::step_by_person(tx, &alarm, wish).await }))
        .await?;
    match answer {
        StepAnswer::Taken { state } => Ok(Json(StepDone { id, state })),
        StepAnswer::TakenBy { by, since, state } => Err(Detailed::AlarmTaken { by, since, state }),
        StepAnswer::NoAlarm => Err(Problem::NotFound.into()),
    }
}
