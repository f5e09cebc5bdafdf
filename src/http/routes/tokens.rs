//! Bearer tokens for programs.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::db::TokenRow;
use crate::entitlement::{NewToken, Principal, Scope, Scopes};
use crate::http::extract::{Json, Path};
use crate::http::problem::{Code, HttpResult, Problem};
use crate::http::state::AppState;
use crate::media::StreamId;

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list_tokens, make_token)).routes(routes!(revoke_token))
}

/// A token without its secret.
#[derive(Serialize, utoipa::ToSchema)]
struct Token {
    #[schema(example = "t0123456789ab")]
    id: String,
    name: String,
    /// `view`, `ingest`, `admin`, `audit`, `operate`.
    scopes: Vec<String>,
    /// Empty: all streams.
    #[schema(value_type = Vec<String>)]
    streams: Vec<StreamId>,
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
    /// `view`, `ingest`, `admin`, `audit`, `operate`; at least one, and none that the sender lacks.
    #[schema(example = json!(["view"]))]
    scopes: Vec<String>,
    /// Missing or empty: all streams.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    streams: Vec<StreamId>,
    /// Missing: it never expires.
    expires_in_s: Option<u32>,
}

/// List tokens
#[utoipa::path(get, path = "/v1/tokens", tag = "tokens", responses((status = 200, body = TokenList, description = "Without their secrets")))]
async fn list_tokens(State(state): State<AppState>, who: Principal) -> HttpResult<Json<TokenList>> {
    who.require_everywhere(Scope::Admin)?;
    let rows = state.access.tokens().await?;
    Ok(Json(TokenList { tokens: rows.into_iter().filter(|t| t.account == *who.account()).map(view).collect() }))
}

/// Make a token
#[utoipa::path(post, path = "/v1/tokens", tag = "tokens", request_body = NewTokenBody,
    responses((status = 201, body = FreshToken, description = "With its secret, this once")))]
async fn make_token(
    State(state): State<AppState>,
    who: Principal,
    Json(asked): Json<NewTokenBody>,
) -> HttpResult<(StatusCode, Json<FreshToken>)> {
    who.require_everywhere(Scope::Admin)?;
    if asked.name.trim().is_empty() {
        return Err(Problem::new(Code::InvalidValue, "Give the token a name, to know it by."));
    }
    if asked.scopes.is_empty() {
        return Err(Problem::new(Code::InvalidValue, "Give at least one scope: view, ingest, admin, audit, operate."));
    }
    let scopes: Scopes = asked.scopes.iter().map(|s| s.parse::<Scope>()).collect::<Result<_, _>>()?;
    who.require_all(scopes)?;
    let now = state.clock.now();
    let new = NewToken {
        account: who.account().clone(),
        name: asked.name,
        scopes,
        streams: asked.streams,
        expires_at: asked.expires_in_s.map(|s| now.saturating_add_micros(i64::from(s) * 1_000_000)),
    };
    let (row, token) = state.access.create_token(new).await?;
    tracing::info!(token = row.id, name = row.name, by = who.label(), "token made");
    Ok((StatusCode::CREATED, Json(FreshToken { view: view(row), token })))
}

/// Revoke a token
#[utoipa::path(delete, path = "/v1/tokens/{id}", tag = "tokens", params(("id" = String, Path, description = "As listed")),
    responses((status = 204, description = "It opens nothing any more")))]
async fn revoke_token(State(state): State<AppState>, who: Principal, Path(id): Path<String>) -> HttpResult<StatusCode> {
    who.require_everywhere(Scope::Admin)?;
    let of_account = state.access.tokens().await?.iter().any(|t| t.id == id && t.account == *who.account());
    if !of_account || !state.access.revoke_token(&id).await? {
        return Err(Problem::new(Code::UnknownToken, format!("There is no token `{id}`.")));
    }
    tracing::info!(token = id, by = who.label(), "token revoked");
    Ok(StatusCode::NO_CONTENT)
}

fn view(row: TokenRow) -> Token {
    Token {
        id: row.id,
        name: row.name,
        scopes: row.scopes,
        streams: row.streams,
        created_at_us: row.created_at.as_micros(),
        expires_at_us: row.expires_at.map(|t| t.as_micros()),
        last_used_at_us: row.last_used_at.map(|t| t.as_micros()),
    }
}
