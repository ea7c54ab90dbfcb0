//! Bodies: bounded in size by their route and in time by one deadline, and read as JSON.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use serde::de::DeserializeOwned;

use super::problem::Problem;
use crate::limits;

/// The bytes of a body.
#[derive(Debug)]
pub struct Payload(pub Bytes);

impl Payload {
    /// The body as a value.
    ///
    /// # Errors
    /// It is no JSON of that form.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        serde_json::from_slice(&self.0).map_err(|_| Problem::BadJson)
    }
}

impl<S: Send + Sync> FromRequest<S> for Payload {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match tokio::time::timeout(limits::BODY_TIME, Bytes::from_request(request, state)).await {
            Ok(Ok(bytes)) => Ok(Self(bytes)),
            Ok(Err(rejection)) => {
                let too_large = rejection.into_response().status() == StatusCode::PAYLOAD_TOO_LARGE;
                Err(if too_large { Problem::TooLarge } else { Problem::BadJson })
            }
            Err(_) => Err(Problem::TooSlow),
        }
    }
}
