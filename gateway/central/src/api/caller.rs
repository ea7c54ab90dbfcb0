//! Who calls, as extractors: a handler that names one is reached only by such a caller.
//!
//! **Invariant:** no handler reads the `Authorization` header itself.
//! **Invariant:** whatever is about one person (their data, alarms, devices, cards, sales) is reached by a
//! [`CallingActor`] only, on loopback too.

use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts, RawPathParams};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use protocols::id::{ActorId, GatewayId};

use super::problem::Problem;
use crate::app::App;
use crate::identity::{self, Token};
use crate::limits::SESSION_TOUCH_MS;
use crate::listener::Peer;
use crate::login::session;
use crate::store::{Now, Priority};

/// A gateway, at an address that carries its own name, with its own token and, where the connection has a client
/// certificate, with its own certificate.
#[derive(Debug)]
pub struct CallingGateway(pub GatewayId);

/// A person with a token of their own or of a session: whoever writes, or reads what is about people.
#[derive(Debug)]
pub struct CallingActor(pub ActorId);

/// The same, with the token of the session; none where it is a token of their own.
#[derive(Debug)]
pub struct CallingSession {
    /// Who.
    pub actor: ActorId,
    /// The session's token.
    pub session: Option<Token>,
}

/// Somebody who reads what is about no person: anybody on loopback, a person with a token elsewhere.
#[derive(Debug)]
pub struct CallingReader;

fn bearer(parts: &Parts) -> Result<&str, Problem> {
    let value = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).ok_or(Problem::Unauthorized)?;
    let (scheme, token) = value.split_once(' ').ok_or(Problem::Unauthorized)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim()) } else { Err(Problem::Unauthorized) }
}

impl FromRequestParts<App> for CallingGateway {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let token = bearer(parts)?.to_owned();
        let gateway = identity::gateway(&app.store.readers, &token).await?.ok_or(Problem::Unauthorized)?;
        let path = RawPathParams::from_request_parts(parts, app).await.map_err(|_| Problem::NotFound)?;
        let named = path.iter().find(|(name, _)| *name == "gateway").map(|(_, value)| value);
        if named != Some(gateway.as_str()) {
            return Err(Problem::ForeignGateway);
        }
        // The server notes the peer of every connection; without it there is nothing to judge by.
        let ConnectInfo(peer) = parts.extensions.get::<ConnectInfo<Peer>>().ok_or(Problem::Internal)?;
        if !peer.may_be(gateway.as_str()) {
            tracing::warn!(gateway = gateway.as_str(), "a gateway's token came with a certificate of another name");
            return Err(Problem::ForeignCertificate);
        }
        app.saw(&gateway);
        Ok(Self(gateway))
    }
}

impl FromRequestParts<App> for CallingActor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let CallingSession { actor, .. } = CallingSession::from_request_parts(parts, app).await?;
        Ok(Self(actor))
    }
}

impl FromRequestParts<App> for CallingSession {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let token = Token::from_text(bearer(parts)?);
        if let Some(actor) = identity::actor(&app.store.readers, &token).await? {
            return Ok(Self { actor, session: None });
        }
        let session = session::find(&app.store.readers, &token).await?.ok_or(Problem::Unauthorized)?;
        if session.seen_ms.saturating_add(SESSION_TOUCH_MS) < Now::read().ms {
            tokio::spawn(note_use(Arc::clone(app), token.clone()));
        }
        Ok(Self { actor: session.actor, session: Some(token) })
    }
}

/// Notes, beside the request, that a session is used.
async fn note_use(app: App, token: Token) {
    let noted = app
        .store
        .writer
        .run(Priority::Bulk, 1, move |tx| Box::pin(async move { session::touch(tx, &token).await }))
        .await;
    if let Err(error) = noted {
        tracing::warn!(error = %error, "the use of a session was not noted; the next request tries again");
    }
}

impl FromRequestParts<App> for CallingReader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        if app.open_reads {
            return Ok(Self);
        }
        CallingActor::from_request_parts(parts, app).await.map(|_| Self)
    }
}
