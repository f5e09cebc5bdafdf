//! Bearer tokens for programs.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::db::TokenRow;
use crate::entitlement::{EntitlementError, NewToken, Principal, Rights, Scope};
use crate::http::extract::{Json, Path, Query};
use crate::http::problem::{Code, HttpResult, Problem};
use crate::http::state::AppState;
use crate::media::{AccountId, StreamId};

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list_tokens, make_token)).routes(routes!(revoke_token))
}

/// A token without its secret.
#[derive(Serialize, utoipa::ToSchema)]
struct Token {
    #[schema(example = "t0123456789ab")]
    id: String,
    #[schema(value_type = String)]
    account: AccountId,
    name: String,
    /// `viewer`, `manager`, `auditor`, `operator`; null where there are scopes.
    role: Option<String>,
    /// `view`, `ingest`, `admin`, `audit`, `operate`; empty where there is a role.
    scopes: Vec<String>,
    /// Empty: all streams.
    #[schema(value_type = Vec<String>)]
    streams: Vec<StreamId>,
    /// `user ann`, `token t0123456789ab`, `command line`; null where nobody wrote it down. The token stays when its maker goes.
    made_by: Option<String>,
    created_at_us: i64,
    /// Null: never.
    expires_at_us: Option<i64>,
    /// To a minute; null: not yet.
    last_used_at_us: Option<i64>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct TokenList {
    tokens: Vec<Token>,
}

/// A token that was just made.
#[derive(Serialize, utoipa::ToSchema)]
struct FreshToken {
    #[serde(flatten)]
    view: Token,
    /// Shown now and never again.
    #[schema(example = "rv_…")]
    token: String,
}

/// What a token shall open.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewToken)]
struct NewTokenBody {
    /// For people, to know it by.
    name: String,
    /// `viewer`, `manager`, `auditor`, `operator`: as much as users of this role may. In place of scopes.
    role: Option<String>,
    /// `view`, `ingest`, `admin`, `audit`, `operate`; none that the sender lacks. In place of a role.
    #[serde(default)]
    #[schema(example = json!(["view"]))]
    scopes: Vec<String>,
    /// Missing or empty: all streams.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    streams: Vec<StreamId>,
    /// Missing: it never expires.
    expires_in_s: Option<u32>,
    /// Missing: the sender's own.
    #[schema(value_type = Option<String>)]
    account: Option<AccountId>,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct TokensOf {
    /// Missing: the sender's own.
    #[param(value_type = Option<String>)]
    account: Option<AccountId>,
}

/// List tokens
#[utoipa::path(get, path = "/v1/tokens", tag = "tokens", params(TokensOf),
    responses((status = 200, body = TokenList, description = "Without their secrets")))]
async fn list_tokens(State(state): State<AppState>, who: Principal, Query(of): Query<TokensOf>) -> HttpResult<Json<TokenList>> {
    let account = of.account.unwrap_or_else(|| who.account().clone());
    state.account_for(&who, Scope::Admin, &account).await?;
    let rows = state.access.directory().tokens(&who, Some(&account)).await?;
    Ok(Json(TokenList { tokens: rows.into_iter().map(view).collect() }))
}

/// Make a token
///
/// With a role or with scopes. It opens nothing that the sender cannot open, and does not outlive the token it was made with.
#[utoipa::path(post, path = "/v1/tokens", tag = "tokens", request_body = NewTokenBody,
    responses((status = 201, body = FreshToken, description = "With its secret, this once")))]
async fn make_token(
    State(state): State<AppState>,
    who: Principal,
    Json(asked): Json<NewTokenBody>,
) -> HttpResult<(StatusCode, Json<FreshToken>)> {
    let account = asked.account.unwrap_or_else(|| who.account().clone());
    state.account_for(&who, Scope::Admin, &account).await?;
    let now = state.clock.now();
    let new = NewToken {
        account,
        name: asked.name,
        rights: rights(asked.role.as_deref(), &asked.scopes)?,
        streams: asked.streams,
        expires_at: asked.expires_in_s.map(|s| now.saturating_add_micros(i64::from(s) * 1_000_000)),
    };
    let (row, token) = state.access.directory().make_token(&who, now, new).await?;
    tracing::info!(token = row.id, name = row.name, by = who.label(), "token made");
    Ok((StatusCode::CREATED, Json(FreshToken { view: view(row), token })))
}

fn rights(role: Option<&str>, scopes: &[String]) -> HttpResult<Rights> {
    match role {
        Some(_) if !scopes.is_empty() => Err(Problem::new(Code::InvalidValue, "Give a role or scopes, not both.")),
        Some(role) => Ok(Rights::Role(role.parse()?)),
        None => Ok(Rights::Scopes(scopes.iter().map(|s| s.parse::<Scope>()).collect::<Result<_, EntitlementError>>()?)),
    }
}

/// Revoke a token
#[utoipa::path(delete, path = "/v1/tokens/{id}", tag = "tokens", params(("id" = String, Path, description = "As listed")),
    responses((status = 204, description = "It opens nothing any more")))]
async fn revoke_token(State(state): State<AppState>, who: Principal, Path(id): Path<String>) -> HttpResult<StatusCode> {
    let row = state.access.directory().revoke_token(&who, state.clock.now(), &id).await?;
    tracing::info!(token = row.id, by = who.label(), "token revoked");
    Ok(StatusCode::NO_CONTENT)
}

fn view(row: TokenRow) -> Token {
    Token {
        id: row.id,
        account: row.account,
        name: row.name,
        role: row.role,
        scopes: row.scopes,
        streams: row.streams,
        made_by: row.made_by,
        created_at_us: row.created_at.as_micros(),
        expires_at_us: row.expires_at.map(|t| t.as_micros()),
        last_used_at_us: row.last_used_at.map(|t| t.as_micros()),
    }
}
