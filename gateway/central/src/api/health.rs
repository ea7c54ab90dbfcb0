//! Whether the process lives, whether it can take entries, and its metrics.

use std::sync::OnceLock;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use super::caller::CallingReader;
use super::problem::Problem;
use crate::app::App;
use crate::store::Priority;

/// Upper bounds of the buckets of times, seconds.
const SECONDS: [f64; 9] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0];

static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();

/// Makes the recorder of metrics, once in a process.
pub fn install() {
    METRICS.get_or_init(|| {
        let builder = PrometheusBuilder::new();
        let recorder = builder.set_buckets(&SECONDS).unwrap_or_else(|_| PrometheusBuilder::new()).build_recorder();
        let handle = recorder.handle();
        // Where the process has a recorder already, that one records.
        metrics::set_global_recorder(recorder).ok();
        handle
    });
}

/// `GET /healthz`
pub async fn alive() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: a commit goes through.
pub async fn ready(State(app): State<App>) -> Result<&'static str, Problem> {
    app.store
        .writer
        .run(Priority::Person, 1, |tx| {
            Box::pin(async move {
                sqlx::query("UPDATE facts SET value = value WHERE name = 'stream'").execute(&mut tx.conn).await?;
                Ok(())
            })
        })
        .await?;
    Ok("ready\n")
}

/// `GET /metrics`
pub async fn metrics(_: CallingReader) -> impl IntoResponse {
    let text = METRICS.get().map(PrometheusHandle::render).unwrap_or_default();
    (StatusCode::OK, [(CONTENT_TYPE, "text/plain; version=0.0.4")], text)
}
