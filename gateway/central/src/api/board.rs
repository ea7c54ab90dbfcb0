//! The operator board: files that are in the binary.

use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};
use rust_embed::{Embed, EmbeddedFile};

use super::problem::Problem;

#[derive(Embed)]
#[folder = "board/"]
struct Files;

/// What the pages of the gateway and of the centre share.
#[derive(Embed)]
#[folder = "../pages/"]
struct Shared;

/// The description of every address.
pub const OPENAPI: &str = include_str!("../../openapi.json");

/// Scripts, styles and connections only from here; nobody frames the board.
const POLICY: &str =
    "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/// `GET /`
pub async fn index() -> Result<Response, Problem> {
    serve("index.html", Files::get("index.html"))
}

/// `GET /board/{file}`
pub async fn file(Path(path): Path<String>) -> Result<Response, Problem> {
    serve(&path, Files::get(&path))
}

/// `GET /pages/{file}`
pub async fn shared(Path(path): Path<String>) -> Result<Response, Problem> {
    serve(&path, Shared::get(&path))
}

/// `GET /api/openapi.json`
pub async fn openapi() -> Response {
    ([(CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

fn serve(path: &str, file: Option<EmbeddedFile>) -> Result<Response, Problem> {
    let file = file.ok_or(Problem::NotFound)?;
    let kind = match path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("json") => "application/json",
        Some("woff2") => "font/woff2",
        Some("png") => "image/png",
        Some(_) | None => "application/octet-stream",
    };
    let headers = [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "no-cache"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CONTENT_SECURITY_POLICY, POLICY),
    ];
    Ok((headers, file.data.into_owned()).into_response())
}
