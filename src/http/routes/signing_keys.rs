//! Keys of signed addresses.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::audit::acts;
use crate::db::DbError;
use crate::entitlement::{EntitlementError, Principal, Scope};
use crate::http::extract::{Json, Path};
use crate::http::problem::{Code, HttpResult, Problem, ProblemSchema};
use crate::http::state::AppState;

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list_keys, rotate_key)).routes(routes!(remove_key))
}

/// A key, without the key.
#[derive(Serialize, utoipa::ToSchema)]
struct SigningKey {
    id: u16,
    /// 0: before there were several.
    created_at_us: i64,
    /// It signs new addresses; the others only open what they signed.
    signs: bool,
}

#[derive(Serialize, utoipa::ToSchema)]
struct SigningKeyList {
    keys: Vec<SigningKey>,
}

/// List keys of signed addresses
#[utoipa::path(get, path = "/v1/signing-keys", tag = "tokens", responses((status = 200, body = SigningKeyList, description = "Oldest first")))]
async fn list_keys(State(state): State<AppState>, who: Principal) -> HttpResult<Json<SigningKeyList>> {
    who.require_everywhere(Scope::Operate)?;
    let keys = state.access.signing_keys().await?;
    let newest = keys.last().map(|(id, _)| *id);
    let view = |(id, created_at): (u16, crate::media::Timestamp)| SigningKey {
        id,
        created_at_us: created_at.as_micros(),
        signs: Some(id) == newest,
    };
    Ok(Json(SigningKeyList { keys: keys.into_iter().map(view).collect() }))
}

/// Sign with a new key
///
/// Addresses that are signed already stay good: live players do not notice. Remove the old key once they have expired, or at once
/// when it may be known to others.
#[utoipa::path(post, path = "/v1/signing-keys", tag = "tokens", responses((status = 201, body = SigningKeyList, description = "Oldest first")))]
async fn rotate_key(State(state): State<AppState>, who: Principal) -> HttpResult<(StatusCode, Json<SigningKeyList>)> {
    who.require_everywhere(Scope::Operate)?;
    state.access.rotate_signing_key(state.act(&who, acts::SIGNING_KEY_ADDED)).await?;
    Ok((StatusCode::CREATED, list_keys(State(state), who).await?))
}

/// Remove a key
///
/// What it signed opens nothing any more.
#[utoipa::path(delete, path = "/v1/signing-keys/{key}", tag = "tokens", params(("key" = u16, Path, description = "Number of the key")), responses(
    (status = 204, description = "Gone"),
    (status = 404, body = ProblemSchema, content_type = "application/problem+json", description = "`unknown_key`"),
    (status = 409, body = ProblemSchema, content_type = "application/problem+json", description = "`key_in_use`: it signs new addresses; add another first"),
))]
async fn remove_key(State(state): State<AppState>, who: Principal, Path(key): Path<u16>) -> HttpResult<StatusCode> {
    who.require_everywhere(Scope::Operate)?;
    let event = state.act(&who, acts::SIGNING_KEY_REMOVED).with("key", key);
    match state.access.remove_signing_key(key, event).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(EntitlementError::Db(DbError::Missing { .. })) => Err(Problem::new(Code::UnknownKey, format!("There is no key {key}."))),
        Err(EntitlementError::Db(DbError::Exists { .. })) => {
            Err(Problem::new(Code::KeyInUse, format!("Key {key} signs new addresses; add another first.")))
        }
        Err(other) => Err(other.into()),
    }
}
