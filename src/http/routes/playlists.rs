//! HLS playlists.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::entitlement::Principal;
use crate::http::auth::SignedToken;
use crate::http::extract::{Path, Query, time};
use crate::http::problem::ProblemSchema;
use crate::http::{AppState, HttpResult, Services, gzip};
use crate::media::{StreamId, Timestamp};
use crate::playback::{Playlist, PlaylistRequest};

const CONTENT_TYPE: &str = "application/vnd.apple.mpegurl";

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(multivariant)).routes(routes!(media)).routes(routes!(iframes))
}

/// The time a playlist covers.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PlaylistQuery {
    /// RFC 3339, Unix seconds with decimals, or negative seconds relative to now. Missing with no `end`: live.
    pub start: Option<String>,
    /// Missing or in the future: the playlist grows.
    pub end: Option<String>,
    /// `1`: gaps are spelled out with EXT-X-GAP, so that the playlist's time runs like the clock.
    pub gaps: Option<String>,
    /// Signed token of `POST /v1/streams/{stream}/urls`, in place of other credentials.
    #[allow(dead_code, reason = "read by the layer that recognises callers; here for the API's description")]
    pub token: Option<String>,
    /// Wait until the playlist has the segment of this number (RFC 8216bis §6.2.5.2).
    #[serde(rename = "_HLS_msn")]
    pub wait_for: Option<u64>,
    /// `YES`: only what is new (RFC 8216bis §6.2.5.1).
    #[serde(rename = "_HLS_skip")]
    pub skip: Option<String>,
}

impl PlaylistQuery {
    fn gaps(&self) -> bool {
        matches!(self.gaps.as_deref(), Some("1" | "true" | "yes"))
    }
}

/// Multivariant playlist
///
/// Where players begin: names the media playlist, the I-frame playlist, codecs and bit rates.
#[utoipa::path(get, path = "/v1/streams/{stream}/playlist.m3u8", tag = "playback",
    params(("stream" = String, Path), PlaylistQuery), responses(
    (status = 200, content_type = "application/vnd.apple.mpegurl", body = String),
    (status = 400, body = ProblemSchema, content_type = "application/problem+json", description = "`invalid_time`, `empty_range`, `range_too_long`"),
    (status = 403, body = ProblemSchema, content_type = "application/problem+json", description = "`stream_not_covered`, `time_not_covered`"),
    (status = 404, body = ProblemSchema, content_type = "application/problem+json", description = "`unknown_stream`; `no_footage` with the nearest before and after"),
))]
async fn multivariant(
    State(app): State<AppState>,
    who: Principal,
    SignedToken(token): SignedToken,
    Path(stream): Path<StreamId>,
    Query(query): Query<PlaylistQuery>,
    headers: HeaderMap,
) -> HttpResult<Response> {
    app.visible_stream(&who, &stream).await?;
    let now = app.clock.now();
    let (start, end) = (time(query.start.as_deref(), now)?, time(query.end.as_deref(), now)?);
    let span = Span { start, end, gaps: query.gaps() };
    send_multivariant(&app, &who, stream, span, token, "", &headers).await
}

/// Media playlist
///
/// With an end in the past: complete (VOD). With an end in the future, or none: grows (EVENT). Without start and end:
/// the last two minutes, sliding. Begins with the segment that holds `start`; `EXT-X-START` says how far in that is.
#[utoipa::path(get, path = "/v1/streams/{stream}/media.m3u8", tag = "playback",
    params(("stream" = String, Path), PlaylistQuery), responses(
    (status = 200, content_type = "application/vnd.apple.mpegurl", body = String),
    (status = 302, description = "A relative `start` of a growing playlist: to the same with the time in place of it"),
    (status = 400, body = ProblemSchema, content_type = "application/problem+json"),
))]
async fn media(
    State(app): State<AppState>,
    who: Principal,
    SignedToken(token): SignedToken,
    Path(stream): Path<StreamId>,
    Query(query): Query<PlaylistQuery>,
    headers: HeaderMap,
) -> HttpResult<Response> {
    app.visible_stream(&who, &stream).await?;
    let now = app.clock.now();
    let (start, end) = (time(query.start.as_deref(), now)?, time(query.end.as_deref(), now)?);
    let span = Span { start, end, gaps: query.gaps() };
    let is_relative = query.start.as_deref().is_some_and(|t| t.trim().starts_with('-'));
    if is_relative && end.is_none_or(|end| end > now) {
        // Each reload would begin a little later, and the player's place would slide away under it.
        return Ok(redirect(&format!("media.m3u8{}", span.query(token.as_deref()))));
    }
    let mut asked = request(stream, span, token.as_deref());
    asked.wait_for = query.wait_for;
    asked.delta = query.skip.as_deref().is_some_and(|s| s == "YES" || s == "v2");
    let playlist = app.playback.media_playlist(&who, &asked).await?;
    Ok(send(&headers, playlist))
}

/// I-frame playlist
///
/// One entry per keyframe, for fast seeking and trick play.
#[utoipa::path(get, path = "/v1/streams/{stream}/iframes.m3u8", tag = "playback",
    params(("stream" = String, Path), PlaylistQuery), responses(
    (status = 200, content_type = "application/vnd.apple.mpegurl", body = String),
    (status = 400, body = ProblemSchema, content_type = "application/problem+json"),
    (status = 404, body = ProblemSchema, content_type = "application/problem+json", description = "Also `no_picture`: the stream is sound alone"),
))]
async fn iframes(
    State(app): State<AppState>,
    who: Principal,
    SignedToken(token): SignedToken,
    Path(stream): Path<StreamId>,
    Query(query): Query<PlaylistQuery>,
    headers: HeaderMap,
) -> HttpResult<Response> {
    app.visible_stream(&who, &stream).await?;
    let now = app.clock.now();
    let (start, end) = (time(query.start.as_deref(), now)?, time(query.end.as_deref(), now)?);
    let asked = request(stream, Span { start, end, gaps: false }, token.as_deref());
    Ok(send(&headers, app.playback.iframe_playlist(&who, &asked).await?))
}

/// The time a playlist covers, absolute.
#[derive(Clone, Copy, Debug, Default)]
pub struct Span {
    pub start: Option<Timestamp>,
    pub end: Option<Timestamp>,
    pub gaps: bool,
}

impl Span {
    /// As a query, so that whatever is asked with it later means the same time. Empty when there is nothing to say.
    fn query(&self, token: Option<&str>) -> String {
        let mut pairs = Vec::new();
        let seconds = |t: Timestamp| {
            let us = t.as_micros();
            let text = format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        };
        pairs.extend(self.start.map(|t| format!("start={}", seconds(t))));
        pairs.extend(self.end.map(|t| format!("end={}", seconds(t))));
        pairs.extend(self.gaps.then(|| "gaps=1".to_owned()));
        pairs.extend(token.map(|t| format!("token={t}")));
        if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
    }
}

/// The multivariant playlist; `prefix` leads from where it is fetched to where media playlists are.
pub async fn send_multivariant(
    app: &Services,
    who: &Principal,
    stream: StreamId,
    span: Span,
    token: Option<String>,
    prefix: &str,
    headers: &HeaderMap,
) -> HttpResult<Response> {
    let query = span.query(token.as_deref());
    let asked = request(stream, span, token.as_deref());
    let playlist = app.playback.multivariant_playlist(who, &asked, prefix, &query).await?;
    Ok(send(headers, playlist))
}

fn request(stream: StreamId, span: Span, token: Option<&str>) -> PlaylistRequest {
    let query = token.map_or_else(String::new, |t| format!("?token={t}"));
    PlaylistRequest { stream, start: span.start, end: span.end, gaps: span.gaps, query, wait_for: None, delta: false }
}

fn send(headers: &HeaderMap, playlist: Playlist) -> Response {
    // Complete ones may still be hidden later (retention), so not for long.
    let cache_control = if playlist.complete { "private, max-age=60" } else { "private, no-cache" };
    gzip::respond(headers, CONTENT_TYPE, cache_control, playlist.text)
}

fn redirect(to: &str) -> Response {
    let location = HeaderValue::try_from(to).unwrap_or(HeaderValue::from_static("media.m3u8"));
    (StatusCode::FOUND, [(header::LOCATION, location), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))]).into_response()
}
