//! Accounts: who they are, and what they are entitled to.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::accounts::NewAccount;
use crate::db::AccountRow;
use crate::entitlement::{Principal, Scope};
use crate::http::extract::{Json, Path};
use crate::http::problem::HttpResult;
use crate::http::state::AppState;
use crate::media::AccountId;

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_accounts, add_account))
        .routes(routes!(show_account, change_account))
        .routes(routes!(show_entitlements))
}

/// A customer.
#[derive(Serialize, utoipa::ToSchema)]
struct Account {
    #[schema(value_type = String, example = "acme")]
    id: AccountId,
    name: String,
    /// IANA name; months of windows and terms are counted in it.
    #[schema(example = "Europe/Paris")]
    zone: String,
    /// `en` or `fr`.
    language: String,
    created_at_us: i64,
    /// Whether a hold is released by someone other than who asks for it.
    release_needs_second: bool,
}

#[derive(Serialize, utoipa::ToSchema)]
struct AccountList {
    accounts: Vec<Account>,
}

/// An account to be added. Its first term begins at once.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewAccount)]
struct NewAccountBody {
    #[schema(value_type = String, example = "acme")]
    id: AccountId,
    name: String,
    #[schema(example = "Europe/Paris")]
    zone: String,
    /// Missing: `en`.
    language: Option<String>,
    #[serde(default)]
    release_needs_second: bool,
    /// In the version sold today.
    #[schema(example = "basic")]
    plan: String,
    /// Missing: 12.
    term_months: Option<u32>,
    /// Missing: it renews.
    renews: Option<bool>,
}

/// What shall be different. What is missing stays.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct AccountChange {
    name: Option<String>,
    zone: Option<String>,
    language: Option<String>,
    release_needs_second: Option<bool>,
}

/// Grants by key: each with `has_access` and `kind`; static ones with `value`, metered ones with `limit`, `used`, `balance` and
/// `resets_at_us`.
#[derive(Serialize, utoipa::ToSchema)]
struct Entitlements {
    #[schema(value_type = Object)]
    entitlements: serde_json::Value,
}

/// List accounts
///
/// All of them for operators, one's own for others.
#[utoipa::path(get, path = "/v1/accounts", tag = "accounts", responses((status = 200, body = AccountList, description = "By id")))]
async fn list_accounts(State(state): State<AppState>, who: Principal) -> HttpResult<Json<AccountList>> {
    who.require_everywhere(Scope::Audit)?;
    let rows = state.accounts().list().await?;
    Ok(Json(AccountList { accounts: rows.into_iter().filter(|a| who.covers_account(&a.id)).map(view).collect() }))
}

/// Add an account
#[utoipa::path(post, path = "/v1/accounts", tag = "accounts", request_body = NewAccountBody,
    responses((status = 201, body = Account, description = "It is there, and its first term has begun")))]
async fn add_account(
    State(state): State<AppState>,
    who: Principal,
    Json(asked): Json<NewAccountBody>,
) -> HttpResult<(StatusCode, Json<Account>)> {
    who.require_everywhere(Scope::Operate)?;
    let new = NewAccount {
        id: asked.id,
        name: asked.name,
        zone: asked.zone,
        language: asked.language.unwrap_or_else(|| "en".into()),
        release_needs_second: asked.release_needs_second,
        plan: asked.plan,
        term_months: asked.term_months.unwrap_or(12),
        renews: asked.renews.unwrap_or(true),
    };
    let row = state.accounts().add(&state.by(&who), new).await?;
    Ok((StatusCode::CREATED, Json(view(row))))
}

/// One account
#[utoipa::path(get, path = "/v1/accounts/{account}", tag = "accounts", params(("account" = String, Path, description = "Id of the account")),
    responses((status = 200, body = Account)))]
async fn show_account(State(state): State<AppState>, who: Principal, Path(account): Path<AccountId>) -> HttpResult<Json<Account>> {
    Ok(Json(view(state.account_for(&who, Scope::Audit, &account).await?)))
}

/// Change an account
#[utoipa::path(patch, path = "/v1/accounts/{account}", tag = "accounts", params(("account" = String, Path, description = "Id of the account")),
    request_body = AccountChange, responses((status = 200, body = Account, description = "As it is now")))]
async fn change_account(
    State(state): State<AppState>,
    who: Principal,
    Path(account): Path<AccountId>,
    Json(asked): Json<AccountChange>,
) -> HttpResult<Json<Account>> {
    let row = state.account_for(&who, Scope::Admin, &account).await?;
    let changed = AccountRow {
        name: asked.name.unwrap_or(row.name),
        zone: asked.zone.unwrap_or(row.zone),
        language: asked.language.unwrap_or(row.language),
        release_needs_second: asked.release_needs_second.unwrap_or(row.release_needs_second),
        ..row
    };
    state.accounts().change(&state.by(&who), changed.clone()).await?;
    state.retention.changed();
    Ok(Json(view(changed)))
}

/// What an account is entitled to
#[utoipa::path(get, path = "/v1/accounts/{account}/entitlements", tag = "accounts",
    params(("account" = String, Path, description = "Id of the account")), responses((status = 200, body = Entitlements)))]
async fn show_entitlements(
    State(state): State<AppState>,
    who: Principal,
    Path(account): Path<AccountId>,
) -> HttpResult<Json<Entitlements>> {
    state.account_for(&who, Scope::Audit, &account).await?;
    let granted = state.accounts().entitlements(&account, state.clock.now()).await?;
    Ok(Json(Entitlements { entitlements: serde_json::json!(granted) }))
}

fn view(row: AccountRow) -> Account {
    Account {
        id: row.id,
        name: row.name,
        zone: row.zone,
        language: row.language,
        created_at_us: row.created_at.as_micros(),
        release_needs_second: row.release_needs_second,
    }
}
