//! Which names the centre answers to.
//!
//! On loopback some addresses are open to anybody, and a page from elsewhere could make a browser of this machine read for it, under a
//! name of its own that leads here (DNS rebinding). So there only loopback names are served.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::header::HOST;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::problem::Problem;
use crate::app::App;

/// Refuses requests for other names than those of loopback, where some addresses are open to anybody.
pub async fn check(State(app): State<App>, request: Request, next: Next) -> Response {
    let named = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    if app.open_reads && !named.is_none_or(is_loopback) {
        return Problem::ForeignHost.into_response();
    }
    next.run(request).await
}

fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(""),
        None => host.split(':').next().unwrap_or(""),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_loopback_are_served() {
        for host in ["127.0.0.1", "127.0.0.1:8090", "localhost:1", "LOCALHOST", "[::1]:8090", "127.1.2.3"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["", "evil.example", "127.0.0.1.evil.example:8090", "192.0.2.1", "[::2]", "localhost.evil.example"]
        {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
