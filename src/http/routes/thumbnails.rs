//! Small pictures for scrubbing.

use axum::extract::State;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use axum::routing::get;
use serde::{Deserialize, Serialize};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::media::{immutable, name_of};
use crate::audit::Verb;
use crate::entitlement::Principal;
use crate::http::auth::SignedToken;
use crate::http::entity::{Entity, REVALIDATE, slice_of};
use crate::http::extract::{Path, Query, time};
use crate::http::problem::{Code, Problem, ProblemSchema};
use crate::http::{AppState, HttpResult, gzip};
use crate::media::{BlockId, StreamId, TimeRange};
use crate::playback::{Part, THUMBNAILS_US_MAX, Thumbnail, Thumbnails};

/// Described as clients see it; axum has no way to write a path whose last part ends in a suffix.
#[derive(OpenApi)]
#[openapi(paths(image))]
struct Described;

pub fn routes() -> OpenApiRouter<AppState> {
    let described = OpenApiRouter::with_openapi(Described::openapi()).route("/v1/streams/{stream}/thumbnails/{file}", get(image));
    OpenApiRouter::new().routes(routes!(vtt)).routes(routes!(json)).merge(described)
}

/// What is listed when no start is given, in microseconds.
const HOUR_US: i64 = 3_600_000_000;

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct ThumbnailsQuery {
    /// RFC 3339, Unix seconds with decimals, or negative seconds relative to now. Missing: an hour before the end.
    start: Option<String>,
    /// Missing: now. At most 6 hours after the start.
    end: Option<String>,
    /// Signed token.
    #[allow(dead_code, reason = "read by the layer that recognises callers; here for the API's description")]
    token: Option<String>,
}

/// Small pictures over a range, in time order; where there is no footage, there is none.
#[derive(Serialize, utoipa::ToSchema)]
struct ThumbnailsView {
    start_us: i64,
    end_us: i64,
    thumbnails: Vec<ThumbnailView>,
}

/// One picture, as a part of an image file.
#[derive(Serialize, utoipa::ToSchema)]
struct ThumbnailView {
    /// When it was taken. Of the first it may be before the range.
    at_us: i64,
    /// It stands for the time until then.
    until_us: i64,
    /// Where the image is, relative to this document. Many pictures share one.
    image: String,
    x: u32,
    y: u32,
    /// An image that is one picture alone may differ from this by its pixels' shape.
    w: u32,
    h: u32,
}

/// Thumbnails as WebVTT
///
/// For seek bars of players: one picture about every ten seconds, cue times counted from `start`. A note says which time that is.
#[utoipa::path(get, path = "/v1/streams/{stream}/thumbnails.vtt", tag = "playback",
    params(("stream" = String, Path), ThumbnailsQuery), responses(
    (status = 200, content_type = "text/vtt", body = String),
    (status = 400, body = ProblemSchema, content_type = "application/problem+json", description = "Also when the range is longer than 6 hours"),
))]
async fn vtt(
    State(app): State<AppState>,
    who: Principal,
    SignedToken(token): SignedToken,
    Path(stream): Path<StreamId>,
    Query(query): Query<ThumbnailsQuery>,
    headers: HeaderMap,
) -> HttpResult<Response> {
    let list = list(&app, &who, &stream, &query).await?;
    Ok(gzip::respond(&headers, "text/vtt; charset=utf-8", "private, no-cache", list.to_vtt(token.as_deref())))
}

/// Thumbnails
///
/// The same as data.
#[utoipa::path(get, path = "/v1/streams/{stream}/thumbnails.json", tag = "playback",
    params(("stream" = String, Path), ThumbnailsQuery), responses(
    (status = 200, body = ThumbnailsView),
    (status = 400, body = ProblemSchema, content_type = "application/problem+json", description = "Also when the range is longer than 6 hours"),
))]
async fn json(
    State(app): State<AppState>,
    who: Principal,
    SignedToken(token): SignedToken,
    Path(stream): Path<StreamId>,
    Query(query): Query<ThumbnailsQuery>,
    headers: HeaderMap,
) -> HttpResult<Response> {
    let list = list(&app, &who, &stream, &query).await?;
    let view = |t: &Thumbnail| {
        let [x, y, w, h] = t.place;
        ThumbnailView { at_us: t.at.as_micros(), until_us: t.until.as_micros(), image: t.image.url(token.as_deref()), x, y, w, h }
    };
    let (start_us, end_us) = (list.range.start().as_micros(), list.range.end().as_micros());
    let view = ThumbnailsView { start_us, end_us, thumbnails: list.thumbnails.iter().map(view).collect() };
    let json = serde_json::to_vec(&view).map_err(Problem::internal)?;
    Ok(gzip::respond(&headers, "application/json", "private, no-cache", json))
}

async fn list(app: &AppState, who: &Principal, stream: &StreamId, query: &ThumbnailsQuery) -> HttpResult<Thumbnails> {
    app.visible_stream(who, stream).await?;
    let now = app.clock.now();
    let end = time(query.end.as_deref(), now)?.unwrap_or(now);
    let start = time(query.start.as_deref(), now)?.unwrap_or_else(|| end.saturating_add_micros(-HOUR_US));
    let asked = TimeRange::new(start, end)?;
    if asked.micros() > THUMBNAILS_US_MAX {
        return Err(Problem::new(Code::InvalidQuery, "At most 6 hours of thumbnails are listed at once."));
    }
    Ok(app.playback.thumbnails(who, stream, asked).await?)
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct ImageQuery {
    /// Only some of them: the number of the first, from 0.
    from: Option<u32>,
    /// How many from there on, at most 100.
    count: Option<u32>,
    /// As the list says it: another one when something of the image is hidden.
    #[allow(dead_code, reason = "it makes another address of it, which is all it is for")]
    v: Option<String>,
    /// Signed token.
    #[allow(dead_code, reason = "read by the layer that recognises callers; here for the API's description")]
    token: Option<String>,
}

/// Thumbnails of a block
///
/// Small pictures side by side, up to ten in a line, each in a cell whose sides are multiples of 16 pixels; the list says which is where.
/// What may not be seen is grey.
#[utoipa::path(get, path = "/v1/streams/{stream}/thumbnails/{block}.jpg", tag = "playback",
    params(("stream" = String, Path), ("block" = String, Path), ImageQuery), responses(
    (status = 200, content_type = "image/jpeg", body = Vec<u8>),
    (status = 206, content_type = "image/jpeg", body = Vec<u8>),
    (status = 304, description = "Unchanged"),
    (status = 404, body = ProblemSchema, content_type = "application/problem+json", description = "`unknown_block`; `no_picture`: none are kept of it"),
    (status = 416, body = ProblemSchema, content_type = "application/problem+json"),
))]
async fn image(
    State(app): State<AppState>,
    who: Principal,
    token: SignedToken,
    Path((stream, file)): Path<(StreamId, String)>,
    Query(query): Query<ImageQuery>,
    method: Method,
    headers: HeaderMap,
) -> HttpResult<Response> {
    let name = name_of(&file, ".jpg")?;
    let id: BlockId = name.parse().map_err(|_| Problem::new(Code::UnknownBlock, format!("There is no block `{name}`.")))?;
    let part = part_of(&query)?;
    let found = app.playback.thumbnail_file(&who, &stream, id, part).await?;
    if method == Method::GET {
        app.saw(&who, (&found.block.account, &stream), Verb::Pictured, found.range);
    }
    let cache_control = if found.is_final { immutable(&token) } else { REVALIDATE };
    let entity = Entity::new("image/jpeg", &found.etag, found.bytes.len() as u64, cache_control);
    Ok(entity.respond(&method, &headers, slice_of(found.bytes)))
}

fn part_of(query: &ImageQuery) -> HttpResult<Option<Part>> {
    match (query.from, query.count) {
        (None, None) => Ok(None),
        (from, Some(count)) if (1..=Part::COUNT_MAX).contains(&count) => Ok(Some(Part { from: from.unwrap_or(0), count })),
        _ => Err(Problem::new(Code::InvalidQuery, format!("Give `from` and `count` together; `count` is 1 to {}.", Part::COUNT_MAX))),
    }
}
