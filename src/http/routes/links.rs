//! One-time links, as those use them whom they were made for. Open: the link is the credential. It travels in the body, never in an
//! address, so that no log has it.

use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::auth::require_own_origin;
use crate::http::extract::Json;
use crate::http::peer::Visitor;
use crate::http::problem::HttpResult;
use crate::http::state::AppState;

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(show_link)).routes(routes!(use_link))
}

/// What is behind `#/link/` in a one-time link.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct LinkSecret {
    link: String,
}

/// A link and the password chosen with it.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct ChosenPassword {
    link: String,
    /// At least 8 characters.
    password: String,
}

/// Whom a link is for.
#[derive(Serialize, utoipa::ToSchema)]
struct LinkInfo {
    /// What they sign in with.
    user: String,
    /// `invitation` or `reset`.
    kind: String,
    /// `en` or `fr`; null: whatever the browser prefers.
    language: Option<String>,
    expires_at_us: i64,
}

/// Who can sign in now.
#[derive(Serialize, utoipa::ToSchema)]
struct LinkUser {
    user: String,
}

/// What a one-time link is for
///
/// Looking does not use it.
#[utoipa::path(post, path = "/v1/links/show", tag = "links", request_body = LinkSecret,
    responses((status = 200, body = LinkInfo), (status = 404, description = "There is no such link; a newer one may have taken its place"),
        (status = 410, description = "It has been used, or is too old; see `code`")))]
async fn show_link(State(state): State<AppState>, visitor: Visitor, Json(asked): Json<LinkSecret>) -> HttpResult<Json<LinkInfo>> {
    let open = state.access.link(&asked.link, visitor.caller()).await?;
    Ok(Json(LinkInfo {
        user: open.user.name,
        kind: open.row.kind,
        language: open.user.language,
        expires_at_us: open.row.expires_at.as_micros(),
    }))
}

/// Choose a password with a one-time link
///
/// The link is used up; the user's sessions end. Nobody is signed in by this: `POST /v1/session` does that.
#[utoipa::path(post, path = "/v1/links/use", tag = "links", request_body = ChosenPassword,
    responses((status = 200, body = LinkUser, description = "The password is good"),
        (status = 404, description = "There is no such link; a newer one may have taken its place"),
        (status = 410, description = "It has been used, or is too old; see `code`")))]
async fn use_link(
    State(state): State<AppState>,
    visitor: Visitor,
    uri: Uri,
    headers: HeaderMap,
    Json(asked): Json<ChosenPassword>,
) -> HttpResult<Json<LinkUser>> {
    require_own_origin(&state, &uri, &headers)?;
    let user = state.access.use_link(&asked.link, &asked.password, visitor.caller()).await?;
    tracing::info!(user = user.name, "password chosen with a link");
    Ok(Json(LinkUser { user: user.name }))
}
