//! The table of routes: one line each, with who may use it. The OpenAPI document is held against it by a test.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, delete, get, post};

use super::app::App;
use super::error::{ApiError, Fault};
use super::guard::guard;
use super::limits::BODY_LEN_MAX;
use super::{counter, desk, events, front, login, pages, reads};

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Open,
    /// Everybody on this machine; from elsewhere staff and programs.
    Read,
    /// The kiosk's page on this machine, staff and programs.
    Desk,
    /// Staff and programs.
    Staff,
}

/// A route without its handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteName {
    /// The method, upper case.
    pub method: &'static str,
    /// The path, with `{name}` for what varies.
    pub path: &'static str,
    /// Who may use it.
    pub access: Access,
}

struct Route {
    name: RouteName,
    handler: MethodRouter<Arc<App>>,
}

const fn name(method: &'static str, path: &'static str, access: Access) -> RouteName {
    RouteName { method, path, access }
}

fn table() -> Vec<Route> {
    use Access::{Desk, Open, Read, Staff};
    let row = |name, handler| Route { name, handler };
    vec![
        row(name("GET", "/", Open), get(pages::kiosk)),
        row(name("GET", "/staff", Open), get(pages::staff)),
        row(name("GET", "/page/{file}", Open), get(pages::file)),
        row(name("GET", "/pages/{*file}", Open), get(pages::shared)),
        row(name("GET", "/healthz", Open), get(reads::healthz)),
        row(name("GET", "/readyz", Open), get(reads::readyz)),
        row(name("GET", "/metrics", Read), get(reads::metrics)),
        row(name("GET", "/api/v1/openapi.json", Open), get(reads::openapi)),
        row(name("GET", "/api/v1/session", Open), get(login::who)),
        row(name("POST", "/api/v1/session", Open), post(login::open)),
        row(name("DELETE", "/api/v1/session", Open), delete(login::close)),
        row(name("GET", "/api/v1/status", Read), get(reads::status)),
        row(name("GET", "/api/v1/events", Read), get(events::events)),
        row(name("GET", "/api/v1/catalogue", Read), get(reads::catalogue)),
        row(name("GET", "/api/v1/sales", Staff), get(reads::sales)),
        row(name("POST", "/api/v1/sales", Desk), post(desk::start_sale)),
        row(name("GET", "/api/v1/sales/{id}", Read), get(reads::sale)),
        row(name("DELETE", "/api/v1/sales/{id}", Desk), delete(desk::cancel_sale)),
        row(name("GET", "/api/v1/readers/{reader}/card", Desk), get(counter::card)),
        row(name("POST", "/api/v1/help", Desk), post(counter::call_staff)),
        row(name("GET", "/api/v1/help/{id}", Desk), get(counter::help)),
        row(name("GET", "/api/v1/alarms", Read), get(reads::alarms)),
        row(name("POST", "/api/v1/alarms/{id}/acknowledge", Staff), post(desk::acknowledge)),
        row(name("POST", "/api/v1/alarms/{id}/dispatch", Staff), post(desk::dispatch)),
        row(name("POST", "/api/v1/alarms/{id}/on_site", Staff), post(desk::on_site)),
        row(name("POST", "/api/v1/alarms/{id}/resolve", Staff), post(desk::resolve)),
        row(name("GET", "/api/v1/devices", Read), get(reads::devices)),
        row(name("POST", "/api/v1/devices/{id}/test", Staff), post(desk::test_device)),
        row(name("GET", "/api/v1/tests", Staff), get(reads::tests)),
        row(name("GET", "/api/v1/quarantine", Staff), get(reads::quarantine)),
        row(name("POST", "/api/v1/quarantine/{id}/send_again", Staff), post(desk::send_again)),
        row(name("GET", "/api/v1/figures", Staff), get(reads::figures)),
        row(name("GET", "/api/v1/refusals", Staff), get(reads::refusals)),
    ]
}

/// Every route, for tests and documents.
#[must_use]
pub fn route_names() -> Vec<RouteName> {
    table().into_iter().map(|route| route.name).collect()
}

/// The whole interface.
pub fn router(app: &Arc<App>) -> Router {
    let mut router = Router::new();
    for Route { name, handler } in table() {
        let guarded = handler.layer(from_fn_with_state((Arc::clone(app), name), guard));
        router = router.route(name.path, guarded);
    }
    router
        .method_not_allowed_fallback(|| async { ApiError::from(Fault::MethodNotAllowed) })
        .fallback(|| async { ApiError::from(Fault::NotFound) })
        .layer(DefaultBodyLimit::max(BODY_LEN_MAX))
        .layer(from_fn_with_state(Arc::clone(app), front::front))
        .with_state(Arc::clone(app))
}
