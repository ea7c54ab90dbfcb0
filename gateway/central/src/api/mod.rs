//! HTTP: `/v1` for gateways, `/api/v1` for people and their pages.
//!
//! **Invariant:** every address is in the table that [`routes`] returns, and in the OpenAPI document; a test holds the
//! two against each other.
//! **Invariant:** bodies are bounded; whatever a body holds, the answer is a problem with a code, never a panic.

mod accounts;
mod alarms;
mod answered;
mod board;
mod caller;
mod conflicts;
mod enrol;
mod events;
mod figures;
mod gateways;
mod health;
mod host;
mod map;
mod payload;
mod presence;
pub mod problem;
mod proofs;
mod refunds;
mod registry;
mod rules;
mod sales;
mod session;
mod settlements;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware;
use axum::routing::{MethodFilter, on};

use crate::app::App;
use crate::limits;
use problem::Problem;

/// The router with its table of addresses.
struct Routes {
    router: Router<App>,
    table: Vec<(Method, &'static str)>,
}

impl Routes {
    fn at<H, T>(self, method: &Method, path: &'static str, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.at_most(method, path, limits::BODY_BYTES_MAX, handler)
    }

    fn at_most<H, T>(mut self, method: &Method, path: &'static str, bytes: usize, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        let filter = MethodFilter::try_from(method.clone()).expect("the table names only common methods");
        let route = on(filter, handler).layer(DefaultBodyLimit::max(bytes));
        self.router = self.router.route(path, route);
        self.table.push((method.clone(), path));
        self
    }
}

fn all() -> Routes {
    let routes = Routes { router: Router::new(), table: Vec::new() };
    for_enrolment(for_operators(for_people(for_gateways(for_machines(routes)))))
}

fn for_machines(routes: Routes) -> Routes {
    let get = Method::GET;
    routes
        .at(&get, "/", board::index)
        .at(&get, "/board/{*file}", board::file)
        .at(&get, "/pages/{*file}", board::shared)
        .at(&get, "/healthz", health::alive)
        .at(&get, "/readyz", health::ready)
        .at(&get, "/metrics", health::metrics)
        .at(&get, "/api/openapi.json", board::openapi)
}

fn for_gateways(routes: Routes) -> Routes {
    let (get, post) = (Method::GET, Method::POST);
    routes
        .at_most(&post, "/v1/gateways/{gateway}/entries", limits::UPLOAD_BYTES_MAX, gateways::entries)
        .at(&post, "/v1/gateways/{gateway}/holds", gateways::holds)
        .at(&post, "/v1/gateways/{gateway}/balances", gateways::balances)
        .at(&get, "/v1/gateways/{gateway}/orders", gateways::orders)
}

fn for_operators(routes: Routes) -> Routes {
    let (get, post, put, delete) = (Method::GET, Method::POST, Method::PUT, Method::DELETE);
    routes
        .at(&post, "/api/v1/session", session::open)
        .at(&get, "/api/v1/session", session::who)
        .at(&delete, "/api/v1/session", session::close)
        .at(&put, "/api/v1/operators/{id}/password", session::set_password)
        .at(&get, "/api/v1/presence", presence::list)
        .at(&put, "/api/v1/presence", presence::say)
        .at(&get, "/api/v1/figures", figures::sheet)
        .at(&get, "/api/v1/map", map::district)
}

fn for_enrolment(routes: Routes) -> Routes {
    let (post, put) = (Method::POST, Method::PUT);
    routes
        .at(&put, "/api/v1/people/{ref}", enrol::person)
        .at(&post, "/api/v1/people/{ref}/cards", enrol::card)
        .at(&put, "/api/v1/devices/{id}", enrol::device)
        .at(&put, "/api/v1/gateways/{gateway}", enrol::gateway)
        .at(&put, "/api/v1/gateways/{gateway}/place", map::place_gateway)
        .at(&put, "/api/v1/operators/{id}", enrol::operator)
}

fn for_people(routes: Routes) -> Routes {
    let (get, post, put, delete) = (Method::GET, Method::POST, Method::PUT, Method::DELETE);
    routes
        .at(&get, "/api/v1/alarms", alarms::list)
        .at(&get, "/api/v1/alarms/{id}", alarms::one)
        .at(&post, "/api/v1/alarms/{id}/acknowledge", alarms::acknowledge)
        .at(&post, "/api/v1/alarms/{id}/dispatch", alarms::dispatch)
        .at(&post, "/api/v1/alarms/{id}/on_site", alarms::on_site)
        .at(&post, "/api/v1/alarms/{id}/resolve", alarms::resolve)
        .at(&get, "/api/v1/sales", sales::list)
        .at(&post, "/api/v1/sales/settle", sales::settle)
        .at(&get, "/api/v1/sales/{origin}", proofs::one)
        .at(&get, "/api/v1/accounts/{ref}", accounts::one)
        .at(&post, "/api/v1/accounts/{ref}/grants", accounts::grant)
        .at(&post, "/api/v1/holds/release", accounts::release)
        .at(&post, "/api/v1/refunds", refunds::give_back)
        .at(&get, "/api/v1/people", registry::people)
        .at(&get, "/api/v1/people/{ref}", registry::person)
        .at(&get, "/api/v1/devices", registry::devices)
        .at(&get, "/api/v1/gateways", registry::gateways)
        .at(&post, "/api/v1/gateways/{gateway}/approve", registry::approve)
        .at(&get, "/api/v1/settlements/{provider}/{day}", settlements::one)
        .at(&get, "/api/v1/hotlist", rules::hotlist)
        .at(&put, "/api/v1/hotlist/{ref}", rules::block)
        .at(&delete, "/api/v1/hotlist/{ref}", rules::unblock)
        .at(&get, "/api/v1/catalogue", rules::catalogue)
        .at_most(&put, "/api/v1/catalogue", limits::CATALOGUE_BYTES_MAX, rules::put_catalogue)
        .at(&get, "/api/v1/policy", rules::policy)
        .at(&put, "/api/v1/policy", rules::put_policy)
        .at(&get, "/api/v1/conflicts", conflicts::list)
        .at(&get, "/api/v1/events", events::listen)
}

/// Every method and address that is served.
#[must_use]
pub fn routes() -> Vec<(Method, &'static str)> {
    all().table
}

/// The router.
pub fn router(app: App) -> Router {
    health::install();
    all()
        .router
        .fallback(async || Problem::NotFound)
        .layer(middleware::from_fn_with_state(Arc::clone(&app), host::check))
        .layer(middleware::from_fn(problem::localise))
        .layer(middleware::from_fn(answered::name))
        .with_state(app)
}
