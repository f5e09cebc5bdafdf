//! Bookmarks: moments and ranges that people want to find again.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::accounts::AccountsError;
use crate::bookmarks::{BookmarkChange, Draft};
use crate::db::BookmarkRow;
use crate::entitlement::{Principal, Scope};
use crate::http::extract::{Json, Path, Query, time};
use crate::http::problem::{HttpResult, ProblemSchema};
use crate::http::state::AppState;
use crate::media::{AccountId, StreamId, TimeRange, Timestamp};

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(stream_bookmarks, add_bookmark))
        .routes(routes!(change_bookmark, remove_bookmark))
        .routes(routes!(account_bookmarks))
}

/// A moment or a range of a stream, with what somebody says about it.
#[derive(Serialize, utoipa::ToSchema)]
struct Bookmark {
    id: i64,
    #[schema(value_type = String)]
    stream: StreamId,
    at_us: i64,
    /// Null: it is about a moment.
    end_us: Option<i64>,
    title: String,
    /// May be empty.
    note: String,
    /// Who made it, as in the audit log: `user ann`, `token t0123456789ab`.
    author: String,
    created_at_us: i64,
    /// Whether the one who asks may change and remove it.
    mine: bool,
}

#[derive(Serialize, utoipa::ToSchema)]
struct BookmarkList {
    bookmarks: Vec<Bookmark>,
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct RangeQuery {
    /// RFC 3339, Unix seconds, or negative seconds relative to now. Missing: from the beginning.
    start: Option<String>,
    /// Missing: to the end.
    end: Option<String>,
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct SearchQuery {
    /// Words that are in title or note, all of them.
    q: Option<String>,
    /// Only those with a smaller number: the next page.
    before: Option<i64>,
}

/// A bookmark to be made.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewBookmark)]
struct NewBookmarkBody {
    /// RFC 3339, Unix seconds, or negative seconds relative to now.
    at: String,
    /// Missing: it is about a moment.
    end: Option<String>,
    title: String,
    #[serde(default)]
    note: String,
}

/// What shall be different. What is missing stays.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct BookmarkChangeBody {
    at: Option<String>,
    /// Null: it is about a moment.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    end: Option<Option<String>>,
    title: Option<String>,
    note: Option<String>,
}

/// Tells a null from what is missing.
fn given<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(value).map(Some)
}

/// Bookmarks of a stream
///
/// Those that touch the range, by time, at most 1,000.
#[utoipa::path(get, path = "/v1/streams/{stream}/bookmarks", tag = "bookmarks",
    params(("stream" = String, Path, description = "Name of the stream"), RangeQuery), responses((status = 200, body = BookmarkList)))]
async fn stream_bookmarks(
    State(state): State<AppState>,
    who: Principal,
    Path(stream): Path<StreamId>,
    Query(query): Query<RangeQuery>,
) -> HttpResult<Json<BookmarkList>> {
    let row = state.visible_stream(&who, &stream).await?;
    let now = state.clock.now();
    let start = time(query.start.as_deref(), now)?.unwrap_or(Timestamp::MIN);
    let end = time(query.end.as_deref(), now)?.unwrap_or(Timestamp::MAX);
    let rows = state.bookmarks().on(&who, &row, TimeRange::new(start, end)?).await?;
    Ok(Json(list(&who, rows)))
}

/// Make a bookmark
#[utoipa::path(post, path = "/v1/streams/{stream}/bookmarks", tag = "bookmarks",
    params(("stream" = String, Path, description = "Name of the stream")), request_body = NewBookmarkBody, responses(
    (status = 201, body = Bookmark, description = "It is there"),
    (status = 409, body = ProblemSchema, content_type = "application/problem+json", description = "`too_many`"),
    (status = 422, body = ProblemSchema, content_type = "application/problem+json", description = "`invalid_value`"),
))]
async fn add_bookmark(
    State(state): State<AppState>,
    who: Principal,
    Path(stream): Path<StreamId>,
    Json(asked): Json<NewBookmarkBody>,
) -> HttpResult<(StatusCode, Json<Bookmark>)> {
    let row = state.visible_stream(&who, &stream).await?;
    let now = state.clock.now();
    let end = asked.end.map(|t| Timestamp::parse(&t, now)).transpose()?;
    let draft = Draft { at: Timestamp::parse(&asked.at, now)?, end, title: asked.title, note: asked.note };
    let made = state.bookmarks().add(&who, now, &row, draft).await?;
    Ok((StatusCode::CREATED, Json(view(&who, made))))
}

/// Change a bookmark
///
/// One's own; managers anyone's.
#[utoipa::path(patch, path = "/v1/streams/{stream}/bookmarks/{bookmark}", tag = "bookmarks",
    params(("stream" = String, Path, description = "Name of the stream"), ("bookmark" = i64, Path, description = "Number of the bookmark")),
    request_body = BookmarkChangeBody, responses((status = 200, body = Bookmark, description = "As it is now")))]
async fn change_bookmark(
    State(state): State<AppState>,
    who: Principal,
    Path((stream, bookmark)): Path<(StreamId, i64)>,
    Json(asked): Json<BookmarkChangeBody>,
) -> HttpResult<Json<Bookmark>> {
    let row = state.visible_stream(&who, &stream).await?;
    let now = state.clock.now();
    let moment = |t: String| Timestamp::parse(&t, now);
    let change = BookmarkChange {
        at: asked.at.map(moment).transpose()?,
        end: asked.end.map(|end| end.map(moment).transpose()).transpose()?,
        title: asked.title,
        note: asked.note,
    };
    let changed = state.bookmarks().change(&who, now, &row, bookmark, change).await?;
    Ok(Json(view(&who, changed)))
}

/// Remove a bookmark
///
/// One's own; managers anyone's.
#[utoipa::path(delete, path = "/v1/streams/{stream}/bookmarks/{bookmark}", tag = "bookmarks",
    params(("stream" = String, Path, description = "Name of the stream"), ("bookmark" = i64, Path, description = "Number of the bookmark")),
    responses((status = 204, description = "It is gone")))]
async fn remove_bookmark(
    State(state): State<AppState>,
    who: Principal,
    Path((stream, bookmark)): Path<(StreamId, i64)>,
) -> HttpResult<StatusCode> {
    let row = state.visible_stream(&who, &stream).await?;
    state.bookmarks().remove(&who, state.clock.now(), &row, bookmark).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Bookmarks of an account
///
/// Of the streams that the credentials cover; the newest first, at most 1,000 at a time.
#[utoipa::path(get, path = "/v1/accounts/{account}/bookmarks", tag = "bookmarks",
    params(("account" = String, Path, description = "Id of the account"), SearchQuery), responses((status = 200, body = BookmarkList)))]
async fn account_bookmarks(
    State(state): State<AppState>,
    who: Principal,
    Path(account): Path<AccountId>,
    Query(query): Query<SearchQuery>,
) -> HttpResult<Json<BookmarkList>> {
    who.require(Scope::View)?;
    if !who.covers_account(&account) {
        return Err(AccountsError::Unknown(account).into());
    }
    state.accounts().account(&account).await?;
    let rows = state.bookmarks().of(&who, &account, query.q.as_deref().unwrap_or(""), query.before).await?;
    Ok(Json(list(&who, rows)))
}

fn list(who: &Principal, rows: Vec<BookmarkRow>) -> BookmarkList {
    BookmarkList { bookmarks: rows.into_iter().map(|row| view(who, row)).collect() }
}

fn view(who: &Principal, row: BookmarkRow) -> Bookmark {
    let bookmark = row.bookmark;
    Bookmark {
        id: row.id,
        mine: bookmark.author == who.label() || who.require_on(Scope::Admin, &bookmark.stream).is_ok(),
        stream: bookmark.stream,
        at_us: bookmark.at.as_micros(),
        end_us: bookmark.end.map(Timestamp::as_micros),
        title: bookmark.title,
        note: bookmark.note,
        author: bookmark.author,
        created_at_us: row.created_at.as_micros(),
    }
}
