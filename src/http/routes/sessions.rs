//! Where the one who asks is signed in.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::db::SessionRow;
use crate::entitlement::Principal;
use crate::http::extract::{Json, Path};
use crate::http::problem::HttpResult;
use crate::http::state::AppState;

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list_own_sessions, revoke_other_sessions)).routes(routes!(revoke_own_session))
}

/// A browser in which somebody is signed in.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = BrowserSession)]
pub(super) struct SessionInfo {
    /// Not the cookie: it opens nothing.
    #[schema(example = "s0123456789ab")]
    id: String,
    created_at_us: i64,
    expires_at_us: i64,
    /// To a minute; null: not since this is kept.
    seen_at_us: Option<i64>,
    /// Where it began; behind a proxy the proxy's.
    address: String,
    /// What the browser called itself.
    agent: String,
    /// The one this was asked with.
    current: bool,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct SessionList {
    /// The newest first.
    sessions: Vec<SessionInfo>,
}

pub(super) fn list_of(rows: Vec<SessionRow>, who: &Principal) -> SessionList {
    let this = who.signed_in().map(|(_, id)| id.to_owned());
    let info = |row: SessionRow| SessionInfo {
        current: this.as_deref() == Some(&*row.id),
        id: row.id,
        created_at_us: row.created_at.as_micros(),
        expires_at_us: row.expires_at.as_micros(),
        seen_at_us: row.seen_at.map(|t| t.as_micros()),
        address: row.address,
        agent: row.agent,
    };
    SessionList { sessions: rows.into_iter().map(info).collect() }
}

/// Where one is signed in
#[utoipa::path(get, path = "/v1/sessions", tag = "session", responses((status = 200, body = SessionList, description = "The newest first")))]
async fn list_own_sessions(State(state): State<AppState>, who: Principal) -> HttpResult<Json<SessionList>> {
    let rows = state.access.directory().own_sessions(&who, state.clock.now()).await?;
    Ok(Json(list_of(rows, &who)))
}

/// Sign out everywhere else
#[utoipa::path(delete, path = "/v1/sessions", tag = "session",
    responses((status = 204, description = "Only the session this was asked with is left")))]
async fn revoke_other_sessions(State(state): State<AppState>, who: Principal) -> HttpResult<StatusCode> {
    state.access.directory().revoke_other_sessions(&who, state.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// End one of one's own sessions
#[utoipa::path(delete, path = "/v1/sessions/{session}", tag = "session", params(("session" = String, Path, description = "As listed")),
    responses((status = 204, description = "It has ended")))]
async fn revoke_own_session(State(state): State<AppState>, who: Principal, Path(session): Path<String>) -> HttpResult<StatusCode> {
    state.access.directory().revoke_own_session(&who, state.clock.now(), &session).await?;
    Ok(StatusCode::NO_CONTENT)
}
