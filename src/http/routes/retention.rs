//! Retention: what applies to a moment, what a change would do, and how the enforcer stands.

use axum::extract::State;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::entitlement::{Principal, Scope};
use crate::http::extract::{Json, Path, Query, time};
use crate::http::problem::{HttpResult, Problem, ProblemSchema};
use crate::http::state::AppState;
use crate::media::{AccountId, StreamId};
use crate::retention::{AccountOverview, Change, Explanation, Forecast, RunReport, Status, Stopped};

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(show_status))
        .routes(routes!(run_now))
        .routes(routes!(confirm_stop))
        .routes(routes!(explain_moment))
        .routes(routes!(set_cap))
        .routes(routes!(show_overview))
        .routes(routes!(show_forecast))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct RunRequest {
    /// Only say what would be done.
    #[serde(default)]
    dry_run: bool,
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct ExplainQuery {
    /// The moment of footage. RFC 3339, Unix seconds, or negative seconds relative to now.
    at: String,
    /// The moment that is asked from, past or future: what applied then, or will. Missing: now.
    now: Option<String>,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct NewCap {
    /// At least 1; null: no cap.
    hours: Option<u32>,
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct ForecastQuery {
    /// The moment that is spoken of. Missing: now.
    at: Option<String>,
    /// As if this plan held.
    plan: Option<String>,
    /// As if this cap held.
    cap_hours: Option<u32>,
    /// As if this hold were released.
    released: Option<i64>,
    /// Only this stream.
    stream: Option<String>,
}

/// Where retention stands
#[utoipa::path(get, path = "/v1/retention", tag = "retention", responses((status = 200, body = Status)))]
async fn show_status(State(state): State<AppState>, who: Principal) -> HttpResult<Json<Status>> {
    who.require_everywhere(Scope::Operate)?;
    Ok(Json(state.retention.status().await?))
}

/// Run retention now
///
/// Finishes what was cut short, rescues, marks and sweeps what is due. It also runs by itself.
#[utoipa::path(post, path = "/v1/retention/run", tag = "retention", request_body = RunRequest, responses(
    (status = 200, body = RunReport),
    (status = 409, body = ProblemSchema, content_type = "application/problem+json", description = "`retention_running`"),
))]
async fn run_now(State(state): State<AppState>, who: Principal, Json(asked): Json<RunRequest>) -> HttpResult<Json<RunReport>> {
    who.require_everywhere(Scope::Operate)?;
    Ok(Json(state.retention.run(state.clock.now(), asked.dry_run).await?))
}

/// Confirm a stop
///
/// The next run goes past this one stop, and past no other.
#[utoipa::path(post, path = "/v1/retention/confirm", tag = "retention", responses(
    (status = 200, body = Stopped, description = "What was confirmed"),
    (status = 409, body = ProblemSchema, content_type = "application/problem+json", description = "`retention_conflict`: it does not stand still, or has to be put right instead"),
))]
async fn confirm_stop(State(state): State<AppState>, who: Principal) -> HttpResult<Json<Stopped>> {
    who.require_everywhere(Scope::Operate)?;
    Ok(Json(state.retention.confirm(&state.by(&who)).await?))
}

/// What applies to a moment
#[utoipa::path(get, path = "/v1/streams/{stream}/retention", tag = "retention",
    params(("stream" = String, Path, description = "Name of the stream"), ExplainQuery), responses((status = 200, body = Explanation)))]
async fn explain_moment(
    State(state): State<AppState>,
    who: Principal,
    Path(stream): Path<StreamId>,
    Query(query): Query<ExplainQuery>,
) -> HttpResult<Json<Explanation>> {
    // Auditors ask too, who never see footage.
    let scope = if who.scopes().has(Scope::Audit) { Scope::Audit } else { Scope::View };
    state.stream_for(&who, scope, &stream).await?;
    let now = state.clock.now();
    let at = time(Some(&query.at), now)?.ok_or_else(|| Problem::new(crate::http::Code::InvalidQuery, "Give `at`."))?;
    let from = time(query.now.as_deref(), now)?.unwrap_or(now);
    let mut explanation = state.retention.explain(&stream, at, from).await?;
    if !who.sees_holds() {
        explanation.holds.clear();
    }
    Ok(Json(explanation))
}

/// Set a stream's cap
///
/// It shortens the plan's window, and never lengthens it.
#[utoipa::path(put, path = "/v1/streams/{stream}/cap", tag = "retention", params(("stream" = String, Path, description = "Name of the stream")),
    request_body = NewCap, responses((status = 204, description = "From now on")))]
async fn set_cap(
    State(state): State<AppState>,
    who: Principal,
    Path(stream): Path<StreamId>,
    Json(asked): Json<NewCap>,
) -> HttpResult<axum::http::StatusCode> {
    state.stream_for(&who, Scope::Admin, &stream).await?;
    state.retention.set_cap(&state.by(&who), &stream, asked.hours).await?;
    Ok(axum::http::StatusCode::NO_CONTENT)
}

/// Retention of an account
#[utoipa::path(get, path = "/v1/accounts/{account}/retention", tag = "retention",
    params(("account" = String, Path, description = "Id of the account")), responses((status = 200, body = AccountOverview)))]
async fn show_overview(State(state): State<AppState>, who: Principal, Path(account): Path<AccountId>) -> HttpResult<Json<AccountOverview>> {
    state.account_for(&who, Scope::Audit, &account).await?;
    Ok(Json(state.retention.overview(&account, state.clock.now()).await?))
}

/// What a change would do
///
/// A downgrade, a cap, a released hold, or only time: what would leave and what would be rescued. Nothing is changed.
#[utoipa::path(get, path = "/v1/accounts/{account}/retention/forecast", tag = "retention",
    params(("account" = String, Path, description = "Id of the account"), ForecastQuery), responses((status = 200, body = Forecast)))]
async fn show_forecast(
    State(state): State<AppState>,
    who: Principal,
    Path(account): Path<AccountId>,
    Query(query): Query<ForecastQuery>,
) -> HttpResult<Json<Forecast>> {
    state.account_for(&who, Scope::Audit, &account).await?;
    let now = state.clock.now();
    let then = time(query.at.as_deref(), now)?.unwrap_or(now);
    let stream = query.stream.as_deref().map(|s| s.parse::<StreamId>()).transpose()?;
    let change = Change { plan: query.plan, cap_hours: query.cap_hours, released: query.released, stream };
    Ok(Json(state.retention.forecast(&account, then, &change).await?))
}
