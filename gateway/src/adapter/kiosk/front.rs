//! What happens to every request before its route and to every answer after it: the host is checked, the time is
//! bounded, errors get the caller's language, and the headers that protect the pages are set.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::app::App;
use super::error::{ApiError, Fault};
use super::guard::known_host;
use super::lang::Lang;
use super::limits::REQUEST_WAIT_MS;
use super::routes::RouteName;

/// Only own files, no inline script or style, in nobody's frame.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; font-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 6] = [
    (CONTENT_SECURITY_POLICY, CONTENT_POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// The outermost layer.
pub async fn front(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let lang = Lang::of(request.headers());
    let method = request.method().clone();
    let mut response = match known_host(&app, request.headers()) {
        Ok(_) => match tokio::time::timeout(Duration::from_millis(REQUEST_WAIT_MS), next.run(request)).await {
            Ok(response) => response,
            Err(_) => ApiError::from(Fault::Late).into_response(),
        },
        Err(fault) => ApiError::from(fault).into_response(),
    };
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        let code = error.told().code;
        let route = response.extensions_mut().remove::<RouteName>().map_or("-", |route| route.path);
        app.record_refusal(method.as_str(), route, code);
        tracing::debug!(%peer, %method, route, code, "request refused");
        let headers = std::mem::take(response.headers_mut());
        response = error.render(lang);
        keep_headers(response.headers_mut(), headers);
        response.headers_mut().insert(CONTENT_LANGUAGE, HeaderValue::from_static(lang.tag()));
        response.headers_mut().insert(VARY, HeaderValue::from_static("accept-language"));
    }
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Headers of the first answer that the rendered one does not set itself, such as `Allow`.
fn keep_headers(rendered: &mut HeaderMap, first: HeaderMap) {
    for (name, value) in first {
        if let Some(name) = name
            && !rendered.contains_key(&name)
        {
            rendered.insert(name, value);
        }
    }
}
