//! Signing in to the web app, and out.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::entitlement::{EntitlementError, Principal};
use crate::http::auth::{SESSION_COOKIE, require_own_origin, session_cookie};
use crate::http::extract::Json;
use crate::http::peer::Visitor;
use crate::http::problem::{Code, HttpResult, Problem};
use crate::http::state::AppState;

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(sign_in, show_session, sign_out)).routes(routes!(change_password))
}

/// Name and password.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Credentials {
    #[schema(example = "admin")]
    user: String,
    password: String,
}

/// The password one has, and the one to have.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct PasswordChange {
    current: String,
    /// At least 8 characters.
    password: String,
}

/// Who is signed in.
#[derive(Serialize, utoipa::ToSchema)]
struct Session {
    user: String,
    account: String,
    /// `en` or `fr`; null: whatever the browser prefers.
    language: Option<String>,
    /// `viewer`, `manager`, `auditor`, `operator`.
    role: String,
    /// The account's time zone, in which its days are counted: `Europe/Paris`.
    zone: String,
}

/// Sign in
///
/// Sets the cookie `retroview_session`. Requests with it that change something need the header `X-Retroview: 1`.
#[utoipa::path(post, path = "/v1/session", tag = "session", request_body = Credentials,
    responses((status = 200, body = Session, description = "Signed in; the cookie is set")))]
async fn sign_in(
    State(state): State<AppState>,
    visitor: Visitor,
    uri: Uri,
    headers: HeaderMap,
    Json(credentials): Json<Credentials>,
) -> HttpResult<Response> {
    // Another site could sign its own user in here, to watch what they do. A form cannot send JSON; this is the second lock.
    require_own_origin(&state, &uri, &headers)?;
    let caller = visitor.caller();
    let session = state.access.sign_in(&credentials.user, credentials.password, caller).await.map_err(|error| match error {
        EntitlementError::BadCredentials => Problem::new(Code::BadCredentials, "Check both and try again."),
        other => other.into(),
    })?;
    tracing::info!(user = session.user, address = caller.address, "signed in");
    let cookie = cookie(&session.cookie, session.lifetime.as_secs(), state.settings.secure_cookies);
    let zone = state.accounts().account(&session.account).await?.zone;
    let view = Session { user: session.user, account: session.account.into(), language: session.language, role: session.role, zone };
    Ok(([(header::SET_COOKIE, cookie)], Json(view)).into_response())
}

/// Who is signed in
#[utoipa::path(get, path = "/v1/session", tag = "session", responses((status = 200, body = Session, description = "Who the cookie belongs to")))]
async fn show_session(State(state): State<AppState>, who: Principal) -> HttpResult<Json<Session>> {
    let user = who.user().ok_or(EntitlementError::NotASession)?;
    let row = state.access.user(user).await?.ok_or(EntitlementError::NotASession)?;
    let zone = state.accounts().account(&row.account).await?.zone;
    Ok(Json(Session { user: row.name, account: row.account.into(), language: row.language, role: row.role, zone }))
}

/// Sign out
#[utoipa::path(delete, path = "/v1/session", tag = "session", responses((status = 204, description = "The session has ended")))]
async fn sign_out(State(state): State<AppState>, _who: Principal, headers: HeaderMap) -> HttpResult<Response> {
    if let Some(secret) = session_cookie(&headers) {
        state.access.sign_out(secret).await?;
    }
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie("", 0, state.settings.secure_cookies))]).into_response())
}

/// Change one's own password
///
/// All other sessions end.
#[utoipa::path(put, path = "/v1/session/password", tag = "session", request_body = PasswordChange,
    responses((status = 204, description = "The new one is good, the old one is not")))]
async fn change_password(
    State(state): State<AppState>,
    who: Principal,
    visitor: Visitor,
    headers: HeaderMap,
    Json(asked): Json<PasswordChange>,
) -> HttpResult<StatusCode> {
    let cookie = session_cookie(&headers).unwrap_or_default();
    let changed = state.access.change_password(&who, cookie, asked.current, &asked.password, visitor.caller()).await;
    changed.map_err(|error| match error {
        EntitlementError::BadCredentials => Problem::new(Code::BadCredentials, "The current password is another; check it and try again."),
        other => other.into(),
    })?;
    Ok(StatusCode::NO_CONTENT)
}

fn cookie(value: &str, max_age_s: u64, secure: bool) -> HeaderValue {
    let secure = if secure { "; Secure" } else { "" };
    let text = format!("{SESSION_COOKIE}={value}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::try_from(text).expect("cookies of ours are made of header characters")
}
