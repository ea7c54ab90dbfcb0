//! Who calls, as extractors: a handler that names one is reached only by such a caller.
//!
//! **Invariant:** no handler reads the `Authorization` header itself.
//! **Invariant:** whatever is about one person (their data, alarms, devices, cards, sales) is reached by a
//! [`CallingActor`] only, on loopback too.

use axum::extract::{ConnectInfo, FromRequestParts, RawPathParams};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use protocols::id::{ActorId, GatewayId};

use super::problem::Problem;
use crate::app::App;
use crate::identity;
use crate::listener::Peer;

/// A gateway, at an address that carries its own name, with its own token and, where the connection has a client
/// certificate, with its own certificate.
#[derive(Debug)]
pub struct CallingGateway(pub GatewayId);

/// A person with a token: whoever writes, or reads what is about people.
#[derive(Debug)]
pub struct CallingActor(pub ActorId);

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
        let actor = identity::actor(&app.store.readers, bearer(parts)?).await?;
        actor.map(Self).ok_or(Problem::Unauthorized)
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
