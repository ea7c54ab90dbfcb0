//! HTTP: `/v1` for gateways, `/api/v1` for people and their pages.
//!
//! **Invariant:** every address is in the table that [`routes`] returns, and in the OpenAPI document; a test holds the
//! two against each other.
//! **Invariant:** bodies are bounded; whatever a body holds, the answer is a problem with a code, never a panic.

mod alarms;
mod board;
mod caller;
mod gateways;
mod health;
pub mod problem;

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
    let (get, post) = (Method::GET, Method::POST);
    Routes { router: Router::new(), table: Vec::new() }
        .at(&get, "/", board::index)
        .at(&get, "/board/{*file}", board::file)
        .at(&get, "/healthz", health::alive)
        .at(&get, "/readyz", health::ready)
        .at(&get, "/metrics", health::metrics)
        .at_most(&post, "/v1/gateways/{gateway}/entries", limits::UPLOAD_BYTES_MAX, gateways::entries)
        .at(&post, "/v1/gateways/{gateway}/holds", gateways::holds)
        .at(&get, "/v1/gateways/{gateway}/orders", gateways::orders)
        .at(&get, "/api/v1/alarms", alarms::list)
        .at(&get, "/api/v1/alarms/{id}", alarms::one)
        .at(&post, "/api/v1/alarms/{id}/acknowledge", alarms::acknowledge)
        .at(&post, "/api/v1/alarms/{id}/dispatch", alarms::dispatch)
        .at(&post, "/api/v1/alarms/{id}/on_site", alarms::on_site)
        .at(&post, "/api/v1/alarms/{id}/resolve", alarms::resolve)
}

/// Every method and address that is served.
#[must_use]
pub fn routes() -> Vec<(Method, &'static str)> {
    all().table
}

/// The router.
pub fn router(app: App) -> Router {
    health::install();
    all().router.fallback(async || Problem::NotFound).layer(middleware::from_fn(problem::localise)).with_state(app)
}
