//! Which request an answer is for.
//!
//! **Invariant:** every answer to a request that has a name repeats it, whatever the answer is.

use axum::extract::Request;
use axum::http::HeaderName;
use axum::middleware::Next;
use axum::response::Response;
use protocols::uplink::{REQUEST_HEADER, REQUEST_NAME_LEN_MAX};

/// Repeats the request's name in its answer.
pub async fn name(request: Request, next: Next) -> Response {
    let name = request.headers().get(REQUEST_HEADER).filter(|name| name.len() <= REQUEST_NAME_LEN_MAX).cloned();
    let mut answer = next.run(request).await;
    if let Some(name) = name {
        answer.headers_mut().insert(HeaderName::from_static(REQUEST_HEADER), name);
    }
    answer
}
