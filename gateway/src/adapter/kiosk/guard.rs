//! Who a request comes from, and whether that is enough.
//!
//! *Here* means: over a loopback connection, to a loopback host name, and not handed on by a proxy.
//!
//! **Invariant:** a cookie alone never changes anything: the browser must say that the page is this gateway's own.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use protocols::id::ActorId;
use tokio::time::Instant;

use super::app::App;
use super::error::Fault;
use super::routes::{Access, RouteName};

/// Headers by which proxies say for whom they ask.
const PROXY_HEADERS: [&str; 4] = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];

/// Who a request comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// Nobody known, from elsewhere.
    Stranger,
    /// Nobody known, from this machine.
    Here,
    /// A kiosk page on this machine.
    Kiosk,
    /// A staff member or a program.
    Actor(ActorId),
}

/// Whether a host name, without its port, stands for this machine itself.
fn is_loopback_name(host: &str) -> bool {
    matches!(host, "127.0.0.1" | "localhost" | "[::1]")
}

/// The `Host` of a request, where it is one of this gateway's.
///
/// # Errors
/// [`Fault::HostForeign`] for any other: the way in of DNS rebinding.
pub fn known_host<'a>(app: &App, headers: &'a HeaderMap) -> Result<&'a str, Fault> {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return Err(Fault::HostForeign);
    };
    let host = host.to_str().map_err(|_| Fault::HostForeign)?;
    let local = app.local();
    if app.hosts.iter().any(|known| known.eq_ignore_ascii_case(host)) || host == local.to_string() {
        return Ok(host);
    }
    let Some((name, port)) = host.rsplit_once(':') else {
        return Err(Fault::HostForeign);
    };
    if is_loopback_name(name) && port == local.port().to_string() { Ok(host) } else { Err(Fault::HostForeign) }
}

/// Whether a request comes from this machine itself.
pub fn is_here(peer: SocketAddr, headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("");
    peer.ip().to_canonical().is_loopback()
        && host.rsplit_once(':').is_some_and(|(name, _)| is_loopback_name(name))
        && PROXY_HEADERS.iter().all(|name| !headers.contains_key(*name))
}

/// Whether the browser says that the request comes from a page of this gateway.
///
/// # Errors
/// [`Fault::OriginForeign`] when it says that it comes from another page.
fn own_page(headers: &HeaderMap) -> Result<bool, Fault> {
    let site = headers.get("sec-fetch-site").map(|value| value.as_bytes());
    if site.is_some_and(|site| site != b"same-origin") {
        return Err(Fault::OriginForeign);
    }
    let Some(origin) = headers.get(ORIGIN) else {
        return Ok(site.is_some());
    };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).ok_or(Fault::OriginForeign)?;
    let origin = origin.to_str().map_err(|_| Fault::OriginForeign)?;
    let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    if authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host)) {
        Ok(true)
    } else {
        Err(Fault::OriginForeign)
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Who the request comes from.
///
/// # Errors
/// When its token is wrong, or a foreign page sent it.
pub fn caller(app: &App, peer: SocketAddr, method: &Method, headers: &HeaderMap) -> Result<Caller, Fault> {
    let changes = !matches!(*method, Method::GET | Method::HEAD);
    let own_page = if changes { own_page(headers)? } else { true };
    if headers.contains_key(AUTHORIZATION) {
        let token = bearer(headers).ok_or(Fault::TokenWrong)?;
        return app.credentials.token_owner(token).cloned().map(Caller::Actor).ok_or(Fault::TokenWrong);
    }
    let here = is_here(peer, headers);
    let known = {
        let mut sessions = app.sessions();
        match sessions.staff(headers, Instant::now()) {
            Some(who) => Some(Caller::Actor(who)),
            None if here && sessions.is_kiosk(headers) => Some(Caller::Kiosk),
            None => None,
        }
    };
    match known {
        Some(caller) if own_page => Ok(caller),
        Some(_) => Err(Fault::OriginForeign),
        None if here => Ok(Caller::Here),
        None => Ok(Caller::Stranger),
    }
}

/// Whether that is enough.
fn allow(access: Access, caller: &Caller) -> Result<(), Fault> {
    match (access, caller) {
        (Access::Open, _)
        | (Access::Read, Caller::Here | Caller::Kiosk | Caller::Actor(_))
        | (Access::Desk, Caller::Kiosk | Caller::Actor(_))
        | (Access::Staff, Caller::Actor(_)) => Ok(()),
        (Access::Staff, Caller::Kiosk) => Err(Fault::StaffOnly),
        (Access::Read, Caller::Stranger)
        | (Access::Desk, Caller::Here | Caller::Stranger)
        | (Access::Staff, Caller::Here | Caller::Stranger) => Err(Fault::LoginMissing),
    }
}

/// Lets a request through when its caller may use the route, tells the handler who it is, and the front which route
/// answered.
pub async fn guard(
    State((app, route)): State<(Arc<App>, RouteName)>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    let caller = caller(&app, peer, request.method(), request.headers());
    let mut response = match caller.and_then(|caller| allow(route.access, &caller).map(|()| caller)) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(fault) => super::ApiError::from(fault).into_response(),
    };
    response.extensions_mut().insert(route);
    response
}
