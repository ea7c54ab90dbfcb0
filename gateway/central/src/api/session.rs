//! Sessions of operators: opened with name and password, ended by whoever has them; and passwords.
//!
//! A session is a bearer token in a header, as every other token is: no browser sends it by itself, so no other page can.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use protocols::id::ActorId;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::caller::{CallingActor, CallingSession};
use super::payload::Payload;
use super::presence::tell;
use super::problem::{Detailed, Problem};
use crate::app::App;
use crate::limits;
use crate::login::password::{self, PasswordError};
use crate::login::{self, LoginAnswer, session};
use crate::store::Priority;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LoginBody {
    who: String,
    password: String,
}

/// An open session, shown once.
#[derive(Serialize)]
pub struct Opened {
    who: String,
    token: String,
    /// After how many seconds without a request it ends.
    idle_s: i64,
}

/// Who calls.
#[derive(Debug, Serialize)]
pub struct Caller {
    who: String,
    /// Whether by a session; else by a token of their own.
    session: bool,
}

/// `POST /api/v1/session`
pub async fn open(State(app): State<App>, body: Payload) -> Result<(StatusCode, Json<Opened>), Detailed> {
    let LoginBody { who, password } = body.json()?;
    let password = Zeroizing::new(password);
    if password.len() > limits::PASSWORD_BYTES_MAX {
        return Err(Problem::PasswordWrong.into());
    }
    let refused = match login::log_in(&app, &who, password).await? {
        LoginAnswer::Opened(token) => {
            let who = who.trim().to_owned();
            tracing::info!(operator = who, "an operator logged in");
            let idle_s = limits::SESSION_IDLE_MS / 1_000;
            return Ok((StatusCode::CREATED, Json(Opened { who, token: token.expose().to_owned(), idle_s })));
        }
        LoginAnswer::Wrong => Detailed::Plain(Problem::PasswordWrong),
        LoginAnswer::Locked(left_s) => Detailed::Locked(left_s),
        LoginAnswer::Busy => Detailed::Plain(Problem::Busy),
    };
    tracing::warn!("a log-in was refused");
    Err(refused)
}

/// `GET /api/v1/session`
pub async fn who(CallingSession { actor, session }: CallingSession) -> Json<Caller> {
    Json(Caller { who: actor.as_str().to_owned(), session: session.is_some() })
}

/// `DELETE /api/v1/session`: a token of their own stays.
pub async fn close(
    State(app): State<App>,
    CallingSession { actor, session }: CallingSession,
) -> Result<StatusCode, Problem> {
    if let Some(token) = session {
        app.store
            .writer
            .run(Priority::Person, 1, move |tx| Box::pin(async move { session::end(tx, &token).await }))
            .await?;
        if app.presence.leave(&actor) {
            tell(&app, &actor, None);
        }
    }
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PasswordBody {
    password: String,
}

/// `PUT /api/v1/operators/{id}/password`: ends that operator's sessions.
pub async fn set_password(
    State(app): State<App>,
    CallingActor(actor): CallingActor,
    Path(id): Path<String>,
    body: Payload,
) -> Result<StatusCode, Problem> {
    let id: ActorId = id.parse().map_err(|_| Problem::BadParameter)?;
    let PasswordBody { password } = body.json()?;
    let password = Zeroizing::new(password);
    let permit = std::sync::Arc::clone(&app.password_checks).try_acquire_owned().map_err(|_| Problem::Busy)?;
    let hashed = tokio::task::spawn_blocking(move || {
        let _held_while_hashing = permit;
        password::hash(&password)
    });
    let hash = hashed.await.map_err(|_| Problem::Internal)?.map_err(|error| match error {
        PasswordError::Form => Problem::PasswordForm,
        PasswordError::System => Problem::Busy,
    })?;
    tracing::info!(operator = id.as_str(), by = actor.as_str(), "an operator gets a password");
    let whose = id.clone();
    app.store
        .writer
        .run(Priority::Person, 1, move |tx| Box::pin(async move { password::set(tx, &whose, &hash).await }))
        .await?;
    app.lockout().clear(&id);
    Ok(StatusCode::NO_CONTENT)
}
