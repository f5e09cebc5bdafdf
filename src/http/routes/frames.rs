//! The picture at a time.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::response::Response;
use bytes::Bytes;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::media::immutable;
use crate::audit::Verb;
use crate::db::StreamRow;
use crate::entitlement::Principal;
use crate::http::auth::SignedToken;
use crate::http::entity::{self, Entity, REVALIDATE, slice_of};
use crate::http::extract::{Path, Query, time};
use crate::http::problem::{Code, Problem, ProblemSchema};
use crate::http::{AppState, HttpResult};
use crate::media::{StreamId, TimeRange, Timestamp};

/// Wider than any source; a wider one is not made larger.
const WIDTH_MAX: u32 = 7680;
/// Narrower is not a picture.
const WIDTH_MIN: u32 = 16;

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(jpeg)).routes(routes!(keyframe))
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct FrameQuery {
    /// RFC 3339, Unix seconds with decimals, or negative seconds relative to now. Missing: the newest.
    at: Option<String>,
    /// In pixels, at most the source's; the height follows. Missing: as the source.
    width: Option<u32>,
    /// Signed token.
    #[allow(dead_code, reason = "read by the layer that recognises callers; here for the API's description")]
    token: Option<String>,
}

/// Picture at a time
///
/// The picture that was showing at `at`, to the frame.
#[utoipa::path(get, path = "/v1/streams/{stream}/frame.jpg", tag = "playback",
    params(("stream" = String, Path), FrameQuery), responses(
    (status = 200, content_type = "image/jpeg", body = Vec<u8>,
        headers(("Retroview-At-Us" = i64, description = "The time served"), ("Retroview-Start-Us" = i64, description = "Start of the segment it comes from"))),
    (status = 304, description = "Unchanged"),
    (status = 404, body = ProblemSchema, content_type = "application/problem+json",
        description = "`no_footage` with the nearest before and after; `no_picture`: sound alone"),
    (status = 503, body = ProblemSchema, content_type = "application/problem+json", description = "`unavailable`: too many at once"),
))]
async fn jpeg(
    State(app): State<AppState>,
    who: Principal,
    token: SignedToken,
    Path(stream): Path<StreamId>,
    Query(query): Query<FrameQuery>,
    method: Method,
    headers: HeaderMap,
) -> HttpResult<Response> {
    let width = match query.width {
        None => 0,
        Some(width) if (WIDTH_MIN..=WIDTH_MAX).contains(&width) => width,
        Some(_) => return Err(Problem::new(Code::InvalidQuery, format!("`width` is {WIDTH_MIN} to {WIDTH_MAX}."))),
    };
    let row = app.visible_stream(&who, &stream).await?;
    let at = moment(&app, &stream, &query).await?;
    let frame = app.playback.frame_at(&who, &stream, at).await?;
    saw(&app, &who, &row, at);
    let etag = format!("{}-{width}", frame.etag);
    // Decoding is the dearest thing there is; not for an answer that says "unchanged".
    let known = entity::is_known(&headers, &etag);
    let jpeg = if known { Bytes::new() } else { app.playback.picture(&frame, width).await? };
    let keep = query.keep(&token);
    Ok(send("image/jpeg", &etag, jpeg, (frame.start, at), keep, (&method, &headers)))
}

/// Keyframe before a time
///
/// One picture as an MP4 file; nothing is decoded, so it costs next to nothing.
#[utoipa::path(get, path = "/v1/streams/{stream}/frame.mp4", tag = "playback",
    params(("stream" = String, Path), FrameQuery), responses(
    (status = 200, content_type = "video/mp4", body = Vec<u8>,
        headers(("Retroview-At-Us" = i64, description = "When it was taken"), ("Retroview-Start-Us" = i64, description = "The same"))),
    (status = 206, content_type = "video/mp4", body = Vec<u8>),
    (status = 304, description = "Unchanged"),
    (status = 404, body = ProblemSchema, content_type = "application/problem+json", description = "`no_footage`, `no_picture`"),
))]
async fn keyframe(
    State(app): State<AppState>,
    who: Principal,
    token: SignedToken,
    Path(stream): Path<StreamId>,
    Query(query): Query<FrameQuery>,
    method: Method,
    headers: HeaderMap,
) -> HttpResult<Response> {
    let row = app.visible_stream(&who, &stream).await?;
    let at = moment(&app, &stream, &query).await?;
    let frame = app.playback.frame_mp4(&who, &stream, at).await?;
    saw(&app, &who, &row, frame.start);
    let keep = query.keep(&token);
    Ok(send("video/mp4", &frame.etag, frame.bytes, (frame.start, frame.start), keep, (&method, &headers)))
}

fn saw(app: &AppState, who: &Principal, row: &StreamRow, at: Timestamp) {
    if let Ok(moment) = TimeRange::new(at, at.saturating_add_micros(1)) {
        app.saw(who, (&row.account, &row.id), Verb::Pictured, moment);
    }
}

/// The time asked for, or that of the newest picture.
async fn moment(app: &AppState, stream: &StreamId, query: &FrameQuery) -> HttpResult<Timestamp> {
    let now = app.clock.now();
    match time(query.at.as_deref(), now)? {
        Some(at) => Ok(at),
        None => Ok(app.playback.newest_moment(stream).await?.unwrap_or(now)),
    }
}

impl FrameQuery {
    /// What shows at a time that is named as such never changes; one that counts from now is another one with the next request.
    fn keep(&self, token: &SignedToken) -> HeaderValue {
        let at = self.at.as_deref().map_or("", str::trim);
        let is_fixed = at.bytes().next().is_some_and(|b| b.is_ascii_digit());
        // The tag makes asking again cheap.
        if is_fixed { immutable(token) } else { REVALIDATE }
    }
}

fn send(
    content_type: &'static str,
    etag: &str,
    bytes: Bytes,
    (start, at): (Timestamp, Timestamp),
    keep: HeaderValue,
    (method, headers): (&Method, &HeaderMap),
) -> Response {
    let mut entity = Entity::new(content_type, etag, bytes.len() as u64, keep);
    entity.headers.insert("retroview-start-us", start.as_micros().into());
    entity.headers.insert("retroview-at-us", at.as_micros().into());
    entity.respond(method, headers, slice_of(bytes))
}
