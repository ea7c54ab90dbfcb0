//! The pages, held in the binary.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

use super::app::App;
use super::error::{ApiError, Fault};
use super::guard::is_here;

#[derive(RustEmbed)]
#[folder = "kiosk/"]
struct Pages;

/// What the pages of the gateway and of the centre share.
#[derive(RustEmbed)]
#[folder = "pages/"]
struct Shared;

fn kind(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        Some(_) | None => "application/octet-stream",
    }
}

fn answer(name: &str, file: EmbeddedFile, headers: &HeaderMap) -> Result<Response, ApiError> {
    let hash = file.metadata.sha256_hash();
    let tag = format!("\"{}\"", hex::encode(hash.get(..16).unwrap_or(&hash)));
    let known = headers.get(IF_NONE_MATCH).is_some_and(|value| value.as_bytes() == tag.as_bytes());
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(CONTENT_TYPE, kind(name))], file.data).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(ETAG, tag.parse().map_err(|_| Fault::Broken)?);
    Ok(response)
}

fn page(name: &str, headers: &HeaderMap) -> Result<Response, ApiError> {
    let file = Pages::get(name).ok_or(Fault::NotFound)?;
    answer(name, file, headers)
}

/// `GET /`: the kiosk's page; on this machine it gets the kiosk's session.
pub async fn kiosk(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let mut response = page("index.html", &headers)?;
    if is_here(peer, &headers) {
        let cookie = app.sessions().kiosk_cookie();
        response.headers_mut().insert(SET_COOKIE, cookie.parse().map_err(|_| Fault::Broken)?);
    }
    Ok(response)
}

/// `GET /staff`: the staff page.
pub async fn staff(headers: HeaderMap) -> Result<Response, ApiError> {
    page("staff.html", &headers)
}

/// `GET /page/{file}`: scripts and styles.
pub async fn file(Path(name): Path<String>, headers: HeaderMap) -> Result<Response, ApiError> {
    page(&name, &headers)
}

/// `GET /pages/{file}`: what all pages share, the texts of each language among it.
pub async fn shared(Path(name): Path<String>, headers: HeaderMap) -> Result<Response, ApiError> {
    let file = Shared::get(&name).ok_or(Fault::NotFound)?;
    answer(&name, file, &headers)
}
