//! What accounts have bought, and what is sold.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::accounts::{Agreement, Quote};
use crate::db::PlanRef;
use crate::entitlement::{Principal, Scope};
use crate::http::extract::{Json, Path};
use crate::http::problem::{Code, HttpResult, Problem};
use crate::http::state::AppState;
use crate::media::{AccountId, Timestamp};
use crate::plans::Plan;

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_plans, add_plan))
        .routes(routes!(show_subscription, change_renewal))
        .routes(routes!(quote_upgrade))
        .routes(routes!(upgrade))
        .routes(routes!(schedule_downgrade))
        .routes(routes!(cancel_downgrade))
        .routes(routes!(show_ledger))
}

#[derive(Serialize, utoipa::ToSchema)]
struct PlanList {
    /// Every version of every plan, the smallest first.
    #[schema(value_type = Vec<Object>)]
    plans: Vec<Plan>,
}

/// A plan by name and version.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = PlanName)]
struct PlanView {
    #[schema(example = "basic")]
    plan: String,
    plan_version: u32,
}

#[derive(Serialize, utoipa::ToSchema)]
struct Subscription {
    #[serde(flatten)]
    plan: PlanView,
    term_start_us: i64,
    term_end_us: i64,
    term_months: u32,
    renews: bool,
    /// It did not renew, and its last term is over: only footage is left of it.
    lapsed: bool,
    /// The downgrade that takes effect at the end of the term; null: none.
    scheduled: Option<Scheduled>,
    /// Grows with every change. Changes name the one that was seen.
    version: u64,
}

#[derive(Serialize, utoipa::ToSchema)]
struct Scheduled {
    #[serde(flatten)]
    plan: PlanView,
    takes_effect_us: i64,
}

/// The plan that is asked for.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct WantedPlan {
    #[schema(example = "extended")]
    plan: String,
    /// Missing: the one sold today.
    plan_version: Option<u32>,
}

/// What an upgrade costs. Take it by naming `version` and `quoted_at_us`; it is good for an hour.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Quote)]
struct QuoteView {
    from: PlanView,
    to: PlanView,
    version: u64,
    quoted_at_us: i64,
    term_end_us: i64,
    /// For a whole term, in minor units of the currency.
    old_fee_minor: i64,
    new_fee_minor: i64,
    /// (new fee − old fee) × remaining time ÷ term, to the nearest unit, halves away from zero.
    charge_minor: i64,
    currency: String,
}

/// An upgrade as it was quoted, asked for in writing.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Upgrade {
    plan: String,
    plan_version: Option<u32>,
    version: u64,
    quoted_at_us: i64,
    /// The request in its own words, which are kept.
    words: String,
}

/// A downgrade at the end of the term, asked for in writing.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Downgrade {
    plan: String,
    plan_version: Option<u32>,
    version: u64,
    words: String,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Cancellation {
    version: u64,
    words: String,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct RenewalChange {
    renews: bool,
    version: u64,
    words: String,
}

#[derive(Serialize, utoipa::ToSchema)]
struct Ledger {
    /// Oldest first.
    lines: Vec<LedgerLineView>,
    /// Requests for changes in their own words, oldest first.
    requests: Vec<RequestView>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = LedgerLine)]
struct LedgerLineView {
    at_us: i64,
    /// What the account owes more; negative: less. Minor units.
    amount_minor: i64,
    currency: String,
    /// `term`, `upgrade`.
    kind: String,
    /// What the amount was computed from.
    #[schema(value_type = Object)]
    details: serde_json::Value,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = WrittenRequest)]
struct RequestView {
    at_us: i64,
    actor: String,
    act: String,
    words: String,
}

/// What is sold, and what was
#[utoipa::path(get, path = "/v1/plans", tag = "subscriptions", responses((status = 200, body = PlanList)))]
async fn list_plans(State(state): State<AppState>, _who: Principal) -> HttpResult<Json<PlanList>> {
    Ok(Json(PlanList { plans: state.accounts().catalogue().await?.plans().into_iter().cloned().collect() }))
}

/// Add a plan
///
/// Or the next version of one. Who has an older version keeps it.
#[utoipa::path(post, path = "/v1/plans", tag = "subscriptions", request_body = Object,
    responses((status = 201, body = Object, description = "It can be bought")))]
async fn add_plan(
    State(state): State<AppState>,
    who: Principal,
    Json(asked): Json<serde_json::Value>,
) -> HttpResult<(StatusCode, Json<Plan>)> {
    who.require_everywhere(Scope::Operate)?;
    let plan: Plan = serde_json::from_value(asked).map_err(|e| Problem::new(Code::InvalidBody, format!("{e}.")))?;
    state.accounts().add_plan(&state.by(&who), &plan).await?;
    Ok((StatusCode::CREATED, Json(plan)))
}

/// An account's subscription
#[utoipa::path(get, path = "/v1/accounts/{account}/subscription", tag = "subscriptions",
    params(("account" = String, Path, description = "Id of the account")), responses((status = 200, body = Subscription)))]
async fn show_subscription(
    State(state): State<AppState>,
    who: Principal,
    Path(account): Path<AccountId>,
) -> HttpResult<Json<Subscription>> {
    state.account_for(&who, Scope::Audit, &account).await?;
    view(&state, &account).await
}

/// Let a subscription renew, or not
///
/// One that has lapsed begins again.
#[utoipa::path(patch, path = "/v1/accounts/{account}/subscription", tag = "subscriptions", request_body = RenewalChange,
    params(("account" = String, Path, description = "Id of the account")), responses((status = 200, body = Subscription)))]
async fn change_renewal(
    State(state): State<AppState>,
    who: Principal,
    Path(account): Path<AccountId>,
    Json(asked): Json<RenewalChange>,
) -> HttpResult<Json<Subscription>> {
    state.account_for(&who, Scope::Admin, &account).await?;
    let agreement = Agreement { version: asked.version, words: asked.words };
    state.accounts().set_renewal(&state.by(&who), &account, asked.renews, &agreement).await?;
    state.retention.changed();
    view(&state, &account).await
}

/// What an upgrade would cost now
#[utoipa::path(post, path = "/v1/accounts/{account}/subscription/quote", tag = "subscriptions", request_body = WantedPlan,
    params(("account" = String, Path, description = "Id of the account")), responses((status = 200, body = QuoteView)))]
async fn quote_upgrade(
    State(state): State<AppState>,
    who: Principal,
    Path(account): Path<AccountId>,
    Json(asked): Json<WantedPlan>,
) -> HttpResult<Json<QuoteView>> {
    state.account_for(&who, Scope::Admin, &account).await?;
    let quote = state.accounts().quote(&account, &asked.plan, asked.plan_version, state.clock.now()).await?;
    Ok(Json(quote_view(quote)))
}

/// Upgrade at once
///
/// For exactly what was quoted. A downgrade that was scheduled is cancelled.
#[utoipa::path(post, path = "/v1/accounts/{account}/subscription/upgrade", tag = "subscriptions", request_body = Upgrade,
    params(("account" = String, Path, description = "Id of the account")), responses((status = 200, body = Subscription)))]
async fn upgrade(
    State(state): State<AppState>,
    who: Principal,
    Path(account): Path<AccountId>,
    Json(asked): Json<Upgrade>,
) -> HttpResult<Json<Subscription>> {
    state.account_for(&who, Scope::Admin, &account).await?;
    let agreement = Agreement { version: asked.version, words: asked.words };
    let quoted_at = Timestamp::from_micros(asked.quoted_at_us);
    state.accounts().upgrade(&state.by(&who), &account, &asked.plan, asked.plan_version, quoted_at, &agreement).await?;
    state.retention.changed();
    view(&state, &account).await
}

/// Downgrade at the end of the term
#[utoipa::path(post, path = "/v1/accounts/{account}/subscription/downgrade", tag = "subscriptions", request_body = Downgrade,
    params(("account" = String, Path, description = "Id of the account")), responses((status = 200, body = Subscription)))]
async fn schedule_downgrade(
    State(state): State<AppState>,
    who: Principal,
    Path(account): Path<AccountId>,
    Json(asked): Json<Downgrade>,
) -> HttpResult<Json<Subscription>> {
    state.account_for(&who, Scope::Admin, &account).await?;
    let agreement = Agreement { version: asked.version, words: asked.words };
    state.accounts().schedule_downgrade(&state.by(&who), &account, &asked.plan, asked.plan_version, &agreement).await?;
    state.retention.changed();
    view(&state, &account).await
}

/// Cancel the downgrade that is scheduled
#[utoipa::path(post, path = "/v1/accounts/{account}/subscription/downgrade/cancel", tag = "subscriptions", request_body = Cancellation,
    params(("account" = String, Path, description = "Id of the account")), responses((status = 200, body = Subscription)))]
async fn cancel_downgrade(
    State(state): State<AppState>,
    who: Principal,
    Path(account): Path<AccountId>,
    Json(asked): Json<Cancellation>,
) -> HttpResult<Json<Subscription>> {
    state.account_for(&who, Scope::Admin, &account).await?;
    let agreement = Agreement { version: asked.version, words: asked.words };
    state.accounts().cancel_downgrade(&state.by(&who), &account, &agreement).await?;
    state.retention.changed();
    view(&state, &account).await
}

/// What was charged, and what was asked for in writing
#[utoipa::path(get, path = "/v1/accounts/{account}/ledger", tag = "subscriptions",
    params(("account" = String, Path, description = "Id of the account")), responses((status = 200, body = Ledger)))]
async fn show_ledger(State(state): State<AppState>, who: Principal, Path(account): Path<AccountId>) -> HttpResult<Json<Ledger>> {
    state.account_for(&who, Scope::Audit, &account).await?;
    let (lines, requests) = (state.accounts().ledger(&account).await?, state.accounts().written_requests(&account).await?);
    let line = |l: crate::db::LedgerLine| LedgerLineView {
        at_us: l.at.as_micros(),
        amount_minor: l.amount_minor,
        currency: l.currency,
        kind: l.kind,
        details: l.details,
    };
    let request = |r: crate::db::WrittenRequest| RequestView { at_us: r.at.as_micros(), actor: r.actor, act: r.act, words: r.words };
    Ok(Json(Ledger { lines: lines.into_iter().map(line).collect(), requests: requests.into_iter().map(request).collect() }))
}

async fn view(state: &AppState, account: &AccountId) -> HttpResult<Json<Subscription>> {
    let seen = state.accounts().subscription(account, state.clock.now()).await?;
    let scheduled = seen.row.scheduled.map(|s| Scheduled { plan: plan_view(s.plan), takes_effect_us: s.from.as_micros() });
    Ok(Json(Subscription {
        plan: plan_view(seen.row.plan),
        term_start_us: seen.term.range.start().as_micros(),
        term_end_us: seen.term.range.end().as_micros(),
        term_months: seen.row.term_months,
        renews: seen.row.renews,
        lapsed: seen.lapsed,
        scheduled,
        version: seen.row.version,
    }))
}

fn plan_view(plan: PlanRef) -> PlanView {
    PlanView { plan: plan.name, plan_version: plan.version }
}

fn quote_view(quote: Quote) -> QuoteView {
    QuoteView {
        from: plan_view(quote.from),
        to: plan_view(quote.to),
        version: quote.version,
        quoted_at_us: quote.at.as_micros(),
        term_end_us: quote.term.range.end().as_micros(),
        old_fee_minor: quote.old_fee_minor,
        new_fee_minor: quote.new_fee_minor,
        charge_minor: quote.charge_minor,
        currency: quote.currency,
    }
}
