//! Reads: the state of everything, as the core has it, and what monitoring asks.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use gateway_core::{DeviceTest, Refusal, SaleView};
use protocols::uplink::CatalogueOrder;
use serde::Serialize;
use serde_json::json;

use super::app::{App, RefusalRecord};
use super::desk::{SaleBody, sale_id};
use super::error::{ApiError, refusal_told};
use super::guard::Caller;
use super::lang::Lang;
use super::view::{AlarmView, DeviceView, HourView, QuarantineView, RefusedReportView, StatusView};
use crate::troubles::Part;

/// The description of the interface, kept by hand.
const OPENAPI: &str = include_str!("../../../openapi.json");

type Answer<T> = Result<Json<T>, ApiError>;

/// The state with why sales are closed in the caller's language.
#[derive(Debug, Serialize)]
pub struct StatusBody {
    #[serde(flatten)]
    status: StatusView,
    sales_closed_message: Option<&'static str>,
}

/// `GET /api/v1/status`.
pub async fn status(State(app): State<Arc<App>>, headers: HeaderMap) -> Answer<StatusBody> {
    let status = app.view.status().await?;
    let lang = Lang::of(&headers);
    let sales_closed_message = status.sales_closed.map(|refusal| refusal_told(refusal).message(lang));
    Ok(Json(StatusBody { status, sales_closed_message }))
}

/// `GET /api/v1/catalogue`.
pub async fn catalogue(State(app): State<Arc<App>>) -> Answer<CatalogueOrder> {
    Ok(Json(app.view.catalogue().await?))
}

/// `GET /api/v1/sales`.
pub async fn sales(State(app): State<Arc<App>>) -> Answer<Vec<SaleView>> {
    Ok(Json(app.view.sales().await?))
}

/// `GET /api/v1/sales/{id}`.
pub async fn sale(State(app): State<Arc<App>>, Path(id): Path<String>, headers: HeaderMap) -> Answer<SaleBody> {
    let view = app.view.sale(sale_id(id)?).await?.ok_or(Refusal::SaleUnknown)?;
    Ok(Json(SaleBody::new(view, Lang::of(&headers))))
}

/// `GET /api/v1/alarms`: open ones, the most urgent first, then the oldest; with `?all=1` the last ones, closed ones too,
/// the newest first. Who did what, and what a person wrote, is told to staff and programs alone.
pub async fn alarms(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Answer<Vec<AlarmView>> {
    let all = query.is_some_and(|query| query.split('&').any(|pair| pair == "all=1"));
    let mut alarms = app.view.alarms(all).await?;
    if !all {
        alarms.sort_by(|a, b| b.urgency.cmp(&a.urgency).then_with(|| a.raised_at.cmp(&b.raised_at)));
    }
    match caller {
        Caller::Actor(_) => {}
        Caller::Stranger | Caller::Here | Caller::Kiosk => alarms.iter_mut().for_each(AlarmView::leave_people_out),
    }
    Ok(Json(alarms))
}

/// `GET /api/v1/devices`.
pub async fn devices(State(app): State<Arc<App>>) -> Answer<Vec<DeviceView>> {
    Ok(Json(app.view.devices().await?))
}

/// `GET /api/v1/figures`: the last 24 hours, the oldest first.
pub async fn figures(State(app): State<Arc<App>>) -> Answer<Vec<HourView>> {
    Ok(Json(app.view.figures().await?))
}

/// `GET /api/v1/tests`: tests of devices under way and the last ones that ended, the newest first.
pub async fn tests(State(app): State<Arc<App>>) -> Answer<Vec<DeviceTest>> {
    Ok(Json(app.view.tests().await?))
}

/// `GET /api/v1/quarantine`.
pub async fn quarantine(State(app): State<Arc<App>>) -> Answer<Vec<QuarantineView>> {
    Ok(Json(app.view.quarantine().await?))
}

/// What was refused, and where it came from.
#[derive(Debug, Serialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum RefusalBody {
    /// A request to this interface.
    Request(RefusalRecord),
    /// A report of a device, or a login as one.
    Device(RefusedReportView),
}

impl RefusalBody {
    fn at(&self) -> &str {
        match self {
            Self::Request(request) => &request.at,
            Self::Device(report) => &report.at,
        }
    }
}

/// `GET /api/v1/refusals`: what was refused lately, requests to this interface (since the start) and reports of devices
/// (from the journal), the newest first.
pub async fn refusals(State(app): State<Arc<App>>) -> Answer<Vec<RefusalBody>> {
    let reports = app.view.refused_reports().await?.into_iter().map(RefusalBody::Device);
    let mut all: Vec<RefusalBody> = app.refusals().into_iter().map(RefusalBody::Request).chain(reports).collect();
    all.sort_by(|a, b| b.at().cmp(a.at()));
    Ok(Json(all))
}

/// `GET /healthz`: 200 while the core answers.
pub async fn healthz(State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    app.view.status().await?;
    Ok(Json(json!({"healthy": true})).into_response())
}

/// `GET /readyz`: 200 while alarms are taken as promised: the journal takes entries, and devices can reach the gateway; else
/// 503 with the parts that keep it from that.
pub async fn readyz(State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    let seen = app.view.status().await?;
    let storing = seen.journal.storing;
    let mut reasons: Vec<&str> =
        seen.degraded.iter().filter(|trouble| trouble.alarms_concerned).map(|trouble| trouble.part).collect();
    if !storing && !reasons.contains(&Part::Journal.word()) {
        reasons.push(Part::Journal.word());
    }
    let ready = reasons.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Ok((status, Json(json!({"ready": ready, "journal": storing, "reasons": reasons}))).into_response())
}

/// `GET /metrics`, Prometheus text format.
pub async fn metrics(State(app): State<Arc<App>>) -> Response {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], app.metrics.render()).into_response()
}

/// `GET /api/v1/openapi.json`.
pub async fn openapi() -> Response {
    ([(CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}
