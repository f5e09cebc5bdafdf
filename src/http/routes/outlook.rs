//! What pages about retention show: what leaves next, what the next run would do, what is there, and what went.

use std::collections::BTreeMap;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::db::SweepSummary;
use crate::entitlement::{Principal, Scope};
use crate::http::extract::{Json, ListQuery, Path, Query};
use crate::http::problem::{Code, HttpResult, Problem};
use crate::http::state::AppState;
use crate::media::{AccountId, StreamId};
use crate::retention::{Ahead, Amount, Expiry, Kept, KeptQuery};

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(show_ahead)).routes(routes!(show_expiry)).routes(routes!(show_kept)).routes(routes!(list_sweeps))
}

const DAYS_DEFAULT: i64 = 7;
const DAYS_MAX: i64 = 31;
/// A page of the ledger: fifty sweeps of up to a thousand blocks each are added up for it.
const SWEEPS_MAX: u32 = 50;
/// Streams in one answer of what is kept: each is counted from its runs and gaps.
const KEPT_STREAMS_MAX: usize = 50;
const PARTS_DEFAULT: usize = 100;
const PARTS_MAX: usize = 400;

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct ExpiryQuery {
    /// So many days ahead, 1 to 31. Missing: 7.
    days: Option<i64>,
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct KeptParams {
    /// Only this stream.
    stream: Option<String>,
    /// Only streams behind this one by name: the next page.
    after: Option<String>,
    /// Into how many parts the range is divided, 1 to 400. Missing: 100.
    parts: Option<usize>,
}

/// What one sweep took.
#[derive(Serialize, utoipa::ToSchema)]
struct Sweep {
    id: i64,
    #[schema(value_type = String)]
    account: AccountId,
    begun_at_us: i64,
    /// Null: it is at work, or was cut short and is taken up again.
    finished_at_us: Option<i64>,
    taken: Amount,
    #[schema(value_type = BTreeMap<String, Amount>)]
    streams: BTreeMap<StreamId, Amount>,
    /// From when to when the footage was; null: nothing was taken yet.
    start_us: Option<i64>,
    end_us: Option<i64>,
    /// Numbers of its receipts: `/v1/receipts/{id}`.
    receipts: Vec<i64>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct SweepList {
    sweeps: Vec<Sweep>,
    /// For `before`; null: there are no more.
    next: Option<i64>,
}

/// What the next run would do
///
/// By account, as if nothing stopped it: what an operator confirms.
#[utoipa::path(get, path = "/v1/retention/ahead", tag = "retention", responses((status = 200, body = Ahead)))]
async fn show_ahead(State(state): State<AppState>, who: Principal) -> HttpResult<Json<Ahead>> {
    who.require_everywhere(Scope::Operate)?;
    Ok(Json(state.retention.ahead(state.clock.now()).await?))
}

/// What leaves next
///
/// Of the account's streams, day by day: what ends outside the window from then on. Holds keep what they touch of it.
#[utoipa::path(get, path = "/v1/accounts/{account}/retention/expiring", tag = "retention",
    params(("account" = String, Path, description = "Id of the account"), ExpiryQuery), responses((status = 200, body = Expiry)))]
async fn show_expiry(
    State(state): State<AppState>,
    who: Principal,
    Path(account): Path<AccountId>,
    Query(asked): Query<ExpiryQuery>,
) -> HttpResult<Json<Expiry>> {
    state.account_for(&who, Scope::Audit, &account).await?;
    let days = asked.days.unwrap_or(DAYS_DEFAULT);
    if !(1..=DAYS_MAX).contains(&days) {
        return Err(Problem::new(Code::InvalidQuery, format!("`days` is 1 to {DAYS_MAX}.")));
    }
    Ok(Json(state.retention.expiry(&account, days, state.clock.now()).await?))
}

/// What of the promised windows is there
///
/// Up to 50 streams at a time, by name: how much of each window is there, how much lies in gaps of which cause, and how much nothing
/// explains; and a picture of it in equal parts.
#[utoipa::path(get, path = "/v1/accounts/{account}/retention/kept", tag = "retention",
    params(("account" = String, Path, description = "Id of the account"), KeptParams), responses((status = 200, body = Kept)))]
async fn show_kept(
    State(state): State<AppState>,
    who: Principal,
    Path(account): Path<AccountId>,
    Query(asked): Query<KeptParams>,
) -> HttpResult<Json<Kept>> {
    state.account_for(&who, Scope::Audit, &account).await?;
    let parts = asked.parts.unwrap_or(PARTS_DEFAULT);
    if !(1..=PARTS_MAX).contains(&parts) {
        return Err(Problem::new(Code::InvalidQuery, format!("`parts` is 1 to {PARTS_MAX}.")));
    }
    let id = |text: Option<String>| text.map(|s| s.parse::<StreamId>()).transpose();
    let query = KeptQuery { after: id(asked.after)?, limit: KEPT_STREAMS_MAX, parts, stream: id(asked.stream)? };
    Ok(Json(state.retention.kept(&account, &query, state.clock.now()).await?))
}

/// The ledger of sweeps
///
/// Newest first, at most 50: all of them for operators, one's own account's for others.
#[utoipa::path(get, path = "/v1/sweeps", tag = "retention", params(ListQuery), responses((status = 200, body = SweepList, description = "Newest first")))]
async fn list_sweeps(State(state): State<AppState>, who: Principal, Query(query): Query<ListQuery>) -> HttpResult<Json<SweepList>> {
    let account = state.audited_account(&who, query.account)?;
    let found = state.db.sweep_summaries(account.as_ref(), query.before, SWEEPS_MAX).await?;
    let next = found.last().filter(|_| found.len() == SWEEPS_MAX as usize).map(|s| s.sweep.id);
    Ok(Json(SweepList { sweeps: found.into_iter().map(view).collect(), next }))
}

fn view(found: SweepSummary) -> Sweep {
    let mut taken = Amount::default();
    let streams: BTreeMap<StreamId, Amount> = found.streams.into_iter().map(|(stream, sums)| (stream, sums.into())).collect();
    streams.values().for_each(|amount| taken += *amount);
    Sweep {
        id: found.sweep.id,
        account: found.sweep.account,
        begun_at_us: found.sweep.begun_at.as_micros(),
        finished_at_us: found.sweep.finished_at.map(|t| t.as_micros()),
        taken,
        streams,
        start_us: found.range.map(|r| r.start().as_micros()),
        end_us: found.range.map(|r| r.end().as_micros()),
        receipts: found.receipts,
    }
}
