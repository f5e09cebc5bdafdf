//! Holds: ranges that nothing may prune.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::db::{NewHold, Release};
use crate::entitlement::{Principal, Scope};
use crate::http::extract::{Json, Path, Query};
use crate::http::problem::{HttpResult, ProblemSchema};
use crate::http::state::AppState;
use crate::media::{AccountId, StreamId, TimeRange, Timestamp};
use crate::retention::HoldView;

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list_holds, place_hold)).routes(routes!(show_hold)).routes(routes!(release_hold))
}

/// Holds in one answer.
const HOLDS_MAX: u32 = 1000;

#[derive(Serialize, utoipa::ToSchema)]
struct HoldList {
    holds: Vec<HoldView>,
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct HoldsQuery {
    /// Only those after this number: the next page.
    after: Option<i64>,
}

/// A range that nothing may prune.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewHold)]
struct NewHoldBody {
    /// At least one, of this account.
    #[schema(value_type = Vec<String>)]
    streams: Vec<StreamId>,
    /// RFC 3339, Unix seconds, or negative seconds relative to now.
    start: String,
    end: String,
    /// Kept beside the range, in seconds.
    #[serde(default)]
    margin_before_s: u32,
    #[serde(default)]
    margin_after_s: u32,
    /// What it belongs to: a number of a file, an incident.
    case: String,
    reason: String,
    /// Missing: until it is released.
    expires_at: Option<String>,
}

/// A hold that was just placed.
#[derive(Serialize, utoipa::ToSchema)]
struct FreshHold {
    #[serde(flatten)]
    hold: HoldView,
    /// Blocks that were given up already and are not any more.
    rescued_blocks: u64,
    /// Blocks inside it that were being deleted already: too late.
    too_late_blocks: u64,
}

/// What came of asking for a release.
#[derive(Serialize, utoipa::ToSchema)]
struct ReleaseAnswer {
    /// `released`; `asked`: another person has to ask for it too; `needs_another`: the same person asked before; `was_released`.
    outcome: &'static str,
    hold: HoldView,
}

/// List holds
///
/// By number, at most 1,000 at a time; those that are over too.
#[utoipa::path(get, path = "/v1/accounts/{account}/holds", tag = "holds",
    params(("account" = String, Path, description = "Id of the account"), HoldsQuery), responses((status = 200, body = HoldList)))]
async fn list_holds(
    State(state): State<AppState>,
    who: Principal,
    Path(account): Path<AccountId>,
    Query(query): Query<HoldsQuery>,
) -> HttpResult<Json<HoldList>> {
    state.account_for(&who, Scope::Audit, &account).await?;
    let rows = state.retention.holds(Some(&account), query.after.unwrap_or(0), HOLDS_MAX).await?;
    let now = state.clock.now();
    Ok(Json(HoldList { holds: rows.into_iter().map(|row| HoldView::of(row, now)).collect() }))
}

/// Place a hold
///
/// What retention has given up and not begun to delete is rescued at once.
#[utoipa::path(post, path = "/v1/accounts/{account}/holds", tag = "holds", params(("account" = String, Path, description = "Id of the account")),
    request_body = NewHoldBody, responses(
    (status = 201, body = FreshHold),
    (status = 404, body = ProblemSchema, content_type = "application/problem+json", description = "`unknown_stream`, also for another account's"),
    (status = 422, body = ProblemSchema, content_type = "application/problem+json", description = "`invalid_value`"),
))]
async fn place_hold(
    State(state): State<AppState>,
    who: Principal,
    Path(account): Path<AccountId>,
    Json(asked): Json<NewHoldBody>,
) -> HttpResult<(StatusCode, Json<FreshHold>)> {
    state.account_for(&who, Scope::Admin, &account).await?;
    let now = state.clock.now();
    let by = state.by(&who);
    let new = NewHold {
        account,
        streams: asked.streams,
        range: TimeRange::new(Timestamp::parse(&asked.start, now)?, Timestamp::parse(&asked.end, now)?)?,
        margin_before_us: i64::from(asked.margin_before_s) * Timestamp::MICROS_PER_SECOND,
        margin_after_us: i64::from(asked.margin_after_s) * Timestamp::MICROS_PER_SECOND,
        case: asked.case,
        reason: asked.reason,
        author: by.actor.clone(),
        expires_at: asked.expires_at.map(|t| Timestamp::parse(&t, now)).transpose()?,
    };
    let placed = state.retention.place_hold(&by, new).await?;
    let fresh = FreshHold { hold: HoldView::of(placed.row, by.now), rescued_blocks: placed.rescued, too_late_blocks: placed.too_late };
    Ok((StatusCode::CREATED, Json(fresh)))
}

/// One hold
#[utoipa::path(get, path = "/v1/accounts/{account}/holds/{hold}", tag = "holds",
    params(("account" = String, Path, description = "Id of the account"), ("hold" = i64, Path, description = "Number of the hold")),
    responses((status = 200, body = HoldView)))]
async fn show_hold(
    State(state): State<AppState>,
    who: Principal,
    Path((account, hold)): Path<(AccountId, i64)>,
) -> HttpResult<Json<HoldView>> {
    state.account_for(&who, Scope::Audit, &account).await?;
    Ok(Json(HoldView::of(state.retention.hold(&account, hold).await?, state.clock.now())))
}

/// Release a hold
///
/// Where the account says so, a second person has to ask for it too.
#[utoipa::path(post, path = "/v1/accounts/{account}/holds/{hold}/release", tag = "holds",
    params(("account" = String, Path, description = "Id of the account"), ("hold" = i64, Path, description = "Number of the hold")),
    responses((status = 200, body = ReleaseAnswer)))]
async fn release_hold(
    State(state): State<AppState>,
    who: Principal,
    Path((account, hold)): Path<(AccountId, i64)>,
) -> HttpResult<Json<ReleaseAnswer>> {
    state.account_for(&who, Scope::Admin, &account).await?;
    let outcome = match state.retention.release_hold(&state.by(&who), &account, hold).await? {
        Release::Released => "released",
        Release::Asked => "asked",
        Release::NeedsAnother => "needs_another",
        Release::WasReleased => "was_released",
    };
    Ok(Json(ReleaseAnswer { outcome, hold: HoldView::of(state.retention.hold(&account, hold).await?, state.clock.now()) }))
}
