//! Shares: ranges that are shown to people without an account, by a link. Its secret travels in bodies only, so that no log has it.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::accounts::AccountsError;
use crate::db::ShareRow;
use crate::entitlement::{NewShare, Principal, Scope};
use crate::http::auth::{SHARE_COOKIE, SHARE_TOKEN, require_own_origin};
use crate::http::extract::{Json, Path, Query};
use crate::http::peer::Visitor;
use crate::http::problem::{HttpResult, Problem, ProblemSchema};
use crate::http::state::AppState;
use crate::media::{AccountId, StreamId, TimeRange, Timestamp};

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(make_share)).routes(routes!(open_share)).routes(routes!(revoke_share)).routes(routes!(list_shares))
}

/// A range that is shown by a link.
#[derive(Serialize, utoipa::ToSchema)]
struct Share {
    /// Its public name: in lists, in the audit log.
    id: String,
    account: String,
    streams: Vec<String>,
    start_us: i64,
    end_us: i64,
    expires_at_us: i64,
    /// Files may be taken away, too.
    download: bool,
    note: String,
    made_by: String,
    created_at_us: i64,
    revoked_by: Option<String>,
    revoked_at_us: Option<i64>,
    /// How often the link was opened.
    opens: u64,
    last_used_at_us: Option<i64>,
    /// `active`, `expired`, `revoked`.
    state: &'static str,
}

#[derive(Serialize, utoipa::ToSchema)]
struct ShareList {
    shares: Vec<Share>,
}

/// A share to be made.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewShare)]
struct NewShareBody {
    /// 1 to 100, of one account.
    #[schema(value_type = Vec<String>)]
    streams: Vec<StreamId>,
    /// RFC 3339, Unix seconds, or negative seconds relative to now.
    start: String,
    end: String,
    /// In 366 days at the latest.
    expires_at: String,
    /// For those who get the link, and for the list.
    #[serde(default)]
    note: String,
    /// Files may be taken away, too.
    #[serde(default)]
    download: bool,
}

/// A share that was just made.
#[derive(Serialize, utoipa::ToSchema)]
struct FreshShare {
    #[serde(flatten)]
    share: Share,
    /// The link. It is shown this once.
    url: String,
    /// What is behind `#/share/` in it.
    secret: String,
}

/// What is behind `#/share/` in a link.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct ShareSecret {
    secret: String,
}

/// What a link shows.
#[derive(Serialize, utoipa::ToSchema)]
struct OpenShare {
    id: String,
    /// For the parameter `token` of whatever is asked for: it picks this share's cookie among others, and before a session's.
    token: String,
    streams: Vec<SharedStream>,
    start_us: i64,
    end_us: i64,
    expires_at_us: i64,
    /// Files may be taken away, too.
    download: bool,
    note: String,
    /// The server's clock.
    now_us: i64,
}

#[derive(Serialize, utoipa::ToSchema)]
struct SharedStream {
    id: String,
    title: String,
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct SharesQuery {
    /// Id of a share: only those made before it, the next page.
    before: Option<String>,
}

/// Share a range
///
/// Whoever has the link may watch these streams over this range until it expires, as long as its maker may; nothing else, and nothing that
/// only a hold keeps.
#[utoipa::path(post, path = "/v1/shares", tag = "shares", request_body = NewShareBody, responses(
    (status = 201, body = FreshShare, description = "Made; the link is shown this once"),
    (status = 409, body = ProblemSchema, content_type = "application/problem+json", description = "`too_many`"),
    (status = 410, body = ProblemSchema, content_type = "application/problem+json", description = "All of it has left the retention window"),
    (status = 422, body = ProblemSchema, content_type = "application/problem+json", description = "`invalid_value`"),
))]
async fn make_share(
    State(state): State<AppState>,
    who: Principal,
    uri: Uri,
    headers: HeaderMap,
    Json(asked): Json<NewShareBody>,
) -> HttpResult<(StatusCode, Json<FreshShare>)> {
    who.require(Scope::View)?;
    let now = state.clock.now();
    let moment = |t: &str| Timestamp::parse(t, now);
    let range = TimeRange::new(moment(&asked.start)?, moment(&asked.end)?)?;
    let new = NewShare { range, download: asked.download, note: asked.note, expires_at: moment(&asked.expires_at)? };
    let mut streams = Vec::new();
    for stream in asked.streams {
        state.visible_stream(&who, &stream).await?;
        let visible = state.retention.windows().visible(&stream, now).await?;
        streams.push(visible.ok_or_else(|| Problem::unknown_stream(&stream))?);
    }
    let made = state.access.directory().make_share(&who, now, &streams, new).await?;
    tracing::info!(share = made.row.id, by = who.label(), "range shared");
    let url = made.url(&state.base_url(&uri, &headers));
    Ok((StatusCode::CREATED, Json(FreshShare { share: view(made.row, now), url, secret: made.secret })))
}

/// Open a share
///
/// Needs no account. Sets a cookie with which the streams can be watched over the range.
#[utoipa::path(post, path = "/v1/shares/open", tag = "shares", request_body = ShareSecret, responses(
    (status = 200, body = OpenShare, description = "Open; the cookie is set"),
    (status = 404, description = "There is no such share"),
    (status = 410, description = "It was revoked, has expired, or its maker may not share it any more; see `code`"),
    (status = 429, description = "Too many links that open nothing came from this address"),
))]
async fn open_share(
    State(state): State<AppState>,
    visitor: Visitor,
    uri: Uri,
    headers: HeaderMap,
    Json(asked): Json<ShareSecret>,
) -> HttpResult<Response> {
    require_own_origin(&state, &uri, &headers)?;
    let open = state.access.open_share(&asked.secret, visitor.caller()).await?;
    let now = state.clock.now();
    let mut streams = Vec::new();
    for stream in &open.streams {
        let row = state.db.stream(stream).await?.ok_or_else(|| Problem::unknown_stream(stream))?;
        streams.push(SharedStream { id: row.id.to_string(), title: row.title });
    }
    tracing::info!(share = open.row.id, "share opened");
    let cookie = cookie(&open.row, &open.cookie, now, state.settings.secure_cookies);
    let row = open.row;
    let body = OpenShare {
        token: format!("{SHARE_TOKEN}{}", row.id),
        id: row.id,
        streams,
        start_us: row.range.start().as_micros(),
        end_us: row.range.end().as_micros(),
        expires_at_us: row.expires_at.as_micros(),
        download: row.download,
        note: row.note,
        now_us: now.as_micros(),
    };
    Ok(([(header::SET_COOKIE, cookie)], Json(body)).into_response())
}

/// Revoke a share
///
/// One's own; who sees to the account, anyone's. Those who are watching see no more within two seconds.
#[utoipa::path(delete, path = "/v1/shares/{id}", tag = "shares", params(("id" = String, Path, description = "Id of the share")), responses(
    (status = 204, description = "It opens nothing any more"),
    (status = 410, description = "It was revoked before"),
))]
async fn revoke_share(State(state): State<AppState>, who: Principal, Path(id): Path<String>) -> HttpResult<StatusCode> {
    let row = state.access.directory().revoke_share(&who, state.clock.now(), &id).await?;
    tracing::info!(share = row.id, by = who.label(), "share revoked");
    Ok(StatusCode::NO_CONTENT)
}

/// List shares
///
/// For those who see to the account or its records all, those that are over too; for others their own. The newest first, at most 500 at a
/// time.
#[utoipa::path(get, path = "/v1/accounts/{account}/shares", tag = "shares",
    params(("account" = String, Path, description = "Id of the account"), SharesQuery), responses((status = 200, body = ShareList)))]
async fn list_shares(
    State(state): State<AppState>,
    who: Principal,
    Path(account): Path<AccountId>,
    Query(query): Query<SharesQuery>,
) -> HttpResult<Json<ShareList>> {
    if !who.covers_account(&account) {
        return Err(AccountsError::Unknown(account).into());
    }
    state.accounts().account(&account).await?;
    let rows = state.access.directory().shares(&who, &account, query.before.as_deref()).await?;
    let now = state.clock.now();
    Ok(Json(ShareList { shares: rows.into_iter().map(|row| view(row, now)).collect() }))
}

fn view(row: ShareRow, now: Timestamp) -> Share {
    let state = match &row.revoked {
        Some(_) => "revoked",
        None if row.expires_at <= now => "expired",
        None => "active",
    };
    let (revoked_by, revoked_at) = row.revoked.unzip();
    Share {
        id: row.id,
        account: row.account.to_string(),
        streams: row.streams.iter().map(ToString::to_string).collect(),
        start_us: row.range.start().as_micros(),
        end_us: row.range.end().as_micros(),
        expires_at_us: row.expires_at.as_micros(),
        download: row.download,
        note: row.note,
        made_by: row.made_by,
        created_at_us: row.created_at.as_micros(),
        revoked_by,
        revoked_at_us: revoked_at.map(Timestamp::as_micros),
        opens: row.opens,
        last_used_at_us: row.last_used_at.map(Timestamp::as_micros),
        state,
    }
}

/// One cookie a share: a browser may have several open, and somebody signed in besides.
fn cookie(row: &ShareRow, value: &str, now: Timestamp, secure: bool) -> HeaderValue {
    let secure = if secure { "; Secure" } else { "" };
    let max_age_s = row.expires_at.micros_since(now) / Timestamp::MICROS_PER_SECOND;
    let text = format!("{SHARE_COOKIE}{}={value}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Lax{secure}", row.id);
    HeaderValue::try_from(text).expect("cookies of ours are made of header characters")
}
