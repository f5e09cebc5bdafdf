//! The users of an account: who they are, what they may, where they are signed in.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::sessions::{SessionList, list_of};
use crate::db::UserRow;
use crate::entitlement::{FreshLink, NewUser, Principal, Role, Scope, UserChange};
use crate::http::extract::{Json, Path, Query};
use crate::http::problem::HttpResult;
use crate::http::state::AppState;
use crate::media::{AccountId, StreamId};

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_users, invite_user))
        .routes(routes!(show_user, change_user, remove_user))
        .routes(routes!(make_link))
        .routes(routes!(list_sessions, revoke_sessions))
        .routes(routes!(revoke_session))
}

/// Somebody who can sign in, or will.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct User {
    #[schema(example = "ann@example.org")]
    name: String,
    #[schema(value_type = String)]
    account: AccountId,
    /// `viewer`, `manager`, `auditor`, `operator`.
    role: String,
    /// What a viewer may watch; empty: all streams of the account.
    #[schema(value_type = Vec<String>)]
    streams: Vec<StreamId>,
    /// `en` or `fr`; null: whatever the browser prefers.
    language: Option<String>,
    created_at_us: i64,
    /// Nobody has chosen a password with the invitation yet.
    invited: bool,
    /// May not sign in.
    disabled: bool,
}

#[derive(Serialize, utoipa::ToSchema)]
struct UserList {
    /// By name.
    users: Vec<User>,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct UserPage {
    /// Only names behind this one: the last of the answer before. 500 come at once.
    after: Option<String>,
}

/// A user to be invited.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewUser)]
struct NewUserBody {
    /// What they sign in with: letters and digits, between them `.`, `_`, `-`, `@`, `+`. One of its kind in the installation.
    #[schema(example = "ann@example.org")]
    name: String,
    /// `viewer`, `manager`, `auditor`, `operator`; none that may more than the sender.
    #[schema(example = "viewer")]
    role: String,
    /// What a viewer may watch. Missing or empty: all streams of the account.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    streams: Vec<StreamId>,
    /// `en` or `fr`. Missing: whatever the browser prefers.
    language: Option<String>,
}

/// What shall be different. What is missing stays.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UserChange)]
struct UserChangeBody {
    role: Option<String>,
    /// What a viewer may watch. Empty: all streams of the account.
    #[schema(value_type = Option<Vec<String>>)]
    streams: Option<Vec<StreamId>>,
    language: Option<String>,
    /// Whether they may not sign in any more.
    disabled: Option<bool>,
}

/// A link with which a user chooses a password, once.
#[derive(Serialize, utoipa::ToSchema)]
struct OneTimeLink {
    /// For them alone. Shown now and never again.
    #[schema(example = "https://video.example/#/link/…")]
    url: String,
    /// `invitation` for who has no password yet, `reset` for who has one.
    kind: String,
    expires_at_us: i64,
}

#[derive(Serialize, utoipa::ToSchema)]
struct InvitedUser {
    #[serde(flatten)]
    user: User,
    link: OneTimeLink,
}

/// List users
#[utoipa::path(get, path = "/v1/accounts/{account}/users", tag = "users",
    params(("account" = String, Path, description = "Id of the account"), UserPage), responses((status = 200, body = UserList)))]
async fn list_users(
    State(state): State<AppState>,
    who: Principal,
    Path(account): Path<AccountId>,
    Query(page): Query<UserPage>,
) -> HttpResult<Json<UserList>> {
    state.account_for(&who, Scope::Admin, &account).await?;
    let rows = state.access.directory().users(&who, Some(&account), page.after.as_deref().unwrap_or("")).await?;
    Ok(Json(UserList { users: rows.into_iter().map(view).collect() }))
}

/// Invite a user
///
/// They choose their password with the link, which is good for seven days.
#[utoipa::path(post, path = "/v1/accounts/{account}/users", tag = "users", request_body = NewUserBody,
    params(("account" = String, Path, description = "Id of the account")),
    responses((status = 201, body = InvitedUser, description = "With the link, this once")))]
async fn invite_user(
    State(state): State<AppState>,
    who: Principal,
    Path(account): Path<AccountId>,
    uri: Uri,
    headers: HeaderMap,
    Json(asked): Json<NewUserBody>,
) -> HttpResult<(StatusCode, Json<InvitedUser>)> {
    state.account_for(&who, Scope::Admin, &account).await?;
    let new = NewUser { account, name: asked.name, role: asked.role.parse()?, streams: chosen(asked.streams), language: asked.language };
    let (row, link) = state.access.directory().invite(&who, state.clock.now(), new).await?;
    tracing::info!(user = row.name, role = row.role, by = who.label(), "user invited");
    let link = link_view(&link, &state.base_url(&uri, &headers));
    Ok((StatusCode::CREATED, Json(InvitedUser { user: view(row), link })))
}

/// One user
#[utoipa::path(get, path = "/v1/accounts/{account}/users/{user}", tag = "users",
    params(("account" = String, Path, description = "Id of the account"), ("user" = String, Path, description = "Name of the user")),
    responses((status = 200, body = User)))]
async fn show_user(
    State(state): State<AppState>,
    who: Principal,
    Path((account, user)): Path<(AccountId, String)>,
) -> HttpResult<Json<User>> {
    state.account_for(&who, Scope::Admin, &account).await?;
    Ok(Json(view(state.access.directory().user(&who, &account, &user).await?)))
}

/// Change a user
///
/// Holds at once. Who may not sign in any more is signed out everywhere.
#[utoipa::path(patch, path = "/v1/accounts/{account}/users/{user}", tag = "users", request_body = UserChangeBody,
    params(("account" = String, Path, description = "Id of the account"), ("user" = String, Path, description = "Name of the user")),
    responses((status = 200, body = User, description = "As it is now")))]
async fn change_user(
    State(state): State<AppState>,
    who: Principal,
    Path((account, user)): Path<(AccountId, String)>,
    Json(asked): Json<UserChangeBody>,
) -> HttpResult<Json<User>> {
    state.account_for(&who, Scope::Admin, &account).await?;
    let change = UserChange {
        role: asked.role.map(|role| role.parse::<Role>()).transpose()?,
        streams: asked.streams.map(chosen),
        language: asked.language,
        disabled: asked.disabled,
    };
    let row = state.access.directory().change_user(&who, state.clock.now(), &account, &user, change).await?;
    tracing::info!(user, role = row.role, by = who.label(), "user changed");
    Ok(Json(view(row)))
}

/// Remove a user
///
/// With their sessions. Tokens that they made stay: `GET /v1/tokens` says which those are.
#[utoipa::path(delete, path = "/v1/accounts/{account}/users/{user}", tag = "users",
    params(("account" = String, Path, description = "Id of the account"), ("user" = String, Path, description = "Name of the user")),
    responses((status = 204, description = "They cannot sign in any more")))]
async fn remove_user(
    State(state): State<AppState>,
    who: Principal,
    Path((account, user)): Path<(AccountId, String)>,
) -> HttpResult<StatusCode> {
    state.account_for(&who, Scope::Admin, &account).await?;
    state.access.directory().remove_user(&who, state.clock.now(), &account, &user).await?;
    tracing::info!(user, by = who.label(), "user removed");
    Ok(StatusCode::NO_CONTENT)
}

/// Make a one-time link for a user
///
/// To choose a password: the first one (good for seven days), or another one (good for an hour). It takes the place of one
/// made before.
#[utoipa::path(post, path = "/v1/accounts/{account}/users/{user}/link", tag = "users",
    params(("account" = String, Path, description = "Id of the account"), ("user" = String, Path, description = "Name of the user")),
    responses((status = 201, body = OneTimeLink, description = "The link, this once")))]
async fn make_link(
    State(state): State<AppState>,
    who: Principal,
    Path((account, user)): Path<(AccountId, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> HttpResult<(StatusCode, Json<OneTimeLink>)> {
    state.account_for(&who, Scope::Admin, &account).await?;
    let link = state.access.directory().make_link(&who, state.clock.now(), &account, &user).await?;
    tracing::info!(user, kind = link.kind.as_str(), by = who.label(), "link made");
    Ok((StatusCode::CREATED, Json(link_view(&link, &state.base_url(&uri, &headers)))))
}

/// Where a user is signed in
#[utoipa::path(get, path = "/v1/accounts/{account}/users/{user}/sessions", tag = "users",
    params(("account" = String, Path, description = "Id of the account"), ("user" = String, Path, description = "Name of the user")),
    responses((status = 200, body = SessionList, description = "The newest first")))]
async fn list_sessions(
    State(state): State<AppState>,
    who: Principal,
    Path((account, user)): Path<(AccountId, String)>,
) -> HttpResult<Json<SessionList>> {
    state.account_for(&who, Scope::Admin, &account).await?;
    let rows = state.access.directory().sessions(&who, state.clock.now(), &account, &user).await?;
    Ok(Json(list_of(rows, &who)))
}

/// Sign a user out everywhere
#[utoipa::path(delete, path = "/v1/accounts/{account}/users/{user}/sessions", tag = "users",
    params(("account" = String, Path, description = "Id of the account"), ("user" = String, Path, description = "Name of the user")),
    responses((status = 204, description = "They have no session any more")))]
async fn revoke_sessions(
    State(state): State<AppState>,
    who: Principal,
    Path((account, user)): Path<(AccountId, String)>,
) -> HttpResult<StatusCode> {
    state.account_for(&who, Scope::Admin, &account).await?;
    state.access.directory().revoke_sessions(&who, state.clock.now(), &account, &user).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// End one session of a user
#[utoipa::path(delete, path = "/v1/accounts/{account}/users/{user}/sessions/{session}", tag = "users",
    params(("account" = String, Path, description = "Id of the account"), ("user" = String, Path, description = "Name of the user"),
        ("session" = String, Path, description = "As listed")),
    responses((status = 204, description = "It has ended")))]
async fn revoke_session(
    State(state): State<AppState>,
    who: Principal,
    Path((account, user, session)): Path<(AccountId, String, String)>,
) -> HttpResult<StatusCode> {
    state.account_for(&who, Scope::Admin, &account).await?;
    state.access.directory().revoke_session(&who, state.clock.now(), &account, &user, &session).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn chosen(streams: Vec<StreamId>) -> Option<Vec<StreamId>> {
    Some(streams).filter(|streams| !streams.is_empty())
}

fn link_view(link: &FreshLink, base: &str) -> OneTimeLink {
    OneTimeLink { url: link.url(base), kind: link.kind.as_str().into(), expires_at_us: link.expires_at.as_micros() }
}

fn view(row: UserRow) -> User {
    User {
        name: row.name,
        account: row.account,
        role: row.role,
        streams: row.streams.unwrap_or_default(),
        language: row.language,
        created_at_us: row.created_at.as_micros(),
        invited: row.password_hash.is_empty(),
        disabled: row.disabled_at.is_some(),
    }
}
