//! Staff sessions: open one with staff number and PIN, ask whose it is, end it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use protocols::id::ActorId;
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::app::App;
use super::error::{ApiError, Fault};
use super::guard::Caller;
use super::limits::PIN_LEN_MAX;
use super::sale_request::JsonBody;

#[derive(Deserialize)]
struct LoginForm {
    who: String,
    pin: String,
}

fn body(caller: &Caller) -> Response {
    let who = match caller {
        Caller::Actor(who) => Some(who),
        Caller::Stranger | Caller::Here | Caller::Kiosk => None,
    };
    Json(json!({"who": who, "kiosk": *caller == Caller::Kiosk})).into_response()
}

/// `GET /api/v1/session`: who the caller is.
pub async fn who(Extension(caller): Extension<Caller>) -> Response {
    body(&caller)
}

/// `POST /api/v1/session`: opens a staff session.
pub async fn open(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    JsonBody(bytes): JsonBody,
) -> Result<Response, ApiError> {
    let form: LoginForm = serde_json::from_slice(&bytes).map_err(|_| Fault::BodyInvalid)?;
    let who: ActorId = form.who.trim().parse().map_err(|_| Fault::PinWrong)?;
    let pin = Zeroizing::new(form.pin);
    if pin.len() > PIN_LEN_MAX {
        return Err(Fault::PinWrong.into());
    }
    let permit = Arc::clone(&app.pin_check).try_acquire_owned().map_err(|_| Fault::Busy)?;
    let checked = Arc::clone(&app);
    let claimed = who.clone();
    let work = move || {
        let _held_while_checking = permit;
        let known = checked.credentials.knows(&claimed).then_some(&claimed);
        checked.lockout().begin(known, Instant::now()).map_err(ApiError::locked)?;
        if checked.credentials.pin_is_right(&claimed, &pin) {
            checked.lockout().right(&claimed);
            Ok(())
        } else {
            Err(ApiError::from(Fault::PinWrong))
        }
    };
    let outcome = tokio::task::spawn_blocking(work).await.map_err(|_| Fault::Broken)?;
    if let Err(error) = outcome {
        metrics::counter!("kiosk_logins_refused_total", "code" => error.told().code).increment(1);
        tracing::warn!(%peer, code = error.told().code, "a staff login was refused");
        return Err(error);
    }
    let cookie = app.sessions().open(who.clone(), Instant::now()).map_err(|_| Fault::Broken)?;
    tracing::info!(%peer, %who, "a staff session was opened");
    let mut response = body(&Caller::Actor(who));
    *response.status_mut() = StatusCode::CREATED;
    response.headers_mut().insert(SET_COOKIE, cookie.parse().map_err(|_| Fault::Broken)?);
    Ok(response)
}

/// `DELETE /api/v1/session`: ends the caller's staff session.
pub async fn close(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, ApiError> {
    let cookie = app.sessions().close(&headers);
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().insert(SET_COOKIE, cookie.parse().map_err(|_| Fault::Broken)?);
    Ok(response)
}
