//! One file over any span.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::response::Response;
use futures_util::TryStreamExt;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::audit::Verb;
use crate::entitlement::Principal;
use crate::http::entity::{Entity, REVALIDATE};
use crate::http::extract::{Path, Query, time};
use crate::http::problem::ProblemSchema;
use crate::http::{AppState, HttpResult, Services};
use crate::media::{StreamId, TimeRange};
use crate::playback::PlaybackError;
use crate::playback::clip::{check_clip, clip_bytes};

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(clip))
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ClipQuery {
    /// RFC 3339, Unix seconds with decimals, or negative seconds relative to now.
    start: Option<String>,
    end: Option<String>,
    /// `1`: browsers save it instead of playing it.
    download: Option<String>,
    /// Signed token.
    #[allow(dead_code, reason = "read by the layer that recognises callers; here for the API's description")]
    token: Option<String>,
}

/// Clip
///
/// All footage from `start` to `end` as one fragmented MP4 that starts at zero; gaps are skipped. It begins and ends with whole
/// segments: `Retroview-Start-Us` and `Retroview-End-Us` say when. Length and ETag are known before the first byte is read, and
/// byte ranges of any size cost the same.
#[utoipa::path(get, path = "/v1/streams/{stream}/clip.mp4", tag = "playback",
    params(("stream" = String, Path), ClipQuery), responses(
    (status = 200, content_type = "video/mp4", body = Vec<u8>,
        headers(("Retroview-Start-Us" = i64, description = "True start"), ("Retroview-End-Us" = i64, description = "True end"),
                ("Retroview-Duration-Us" = i64, description = "How long it plays"))),
    (status = 206, content_type = "video/mp4", body = Vec<u8>),
    (status = 304, description = "Unchanged"),
    (status = 400, body = ProblemSchema, content_type = "application/problem+json", description = "`missing_range`, `invalid_time`, `empty_range`"),
    (status = 404, body = ProblemSchema, content_type = "application/problem+json", description = "`no_footage`"),
    (status = 412, body = ProblemSchema, content_type = "application/problem+json"),
    (status = 416, body = ProblemSchema, content_type = "application/problem+json"),
))]
async fn clip(
    State(app): State<AppState>,
    who: Principal,
    Path(stream): Path<StreamId>,
    Query(query): Query<ClipQuery>,
    method: Method,
    headers: HeaderMap,
) -> HttpResult<Response> {
    let now = app.clock.now();
    let (Some(start), Some(end)) = (time(query.start.as_deref(), now)?, time(query.end.as_deref(), now)?) else {
        return Err(PlaybackError::MissingRange.into());
    };
    let download = matches!(query.download.as_deref(), Some("1" | "true" | "yes"));
    send_clip(&app, &who, &stream, TimeRange::new(start, end)?, download, &method, &headers).await
}

/// The clip over `range`.
pub async fn send_clip(
    app: &Services,
    who: &Principal,
    stream: &StreamId,
    range: TimeRange,
    download: bool,
    method: &Method,
    headers: &HeaderMap,
) -> HttpResult<Response> {
    let row = app.visible_stream(who, stream).await?;
    let clip = Arc::new(app.playback.clip(who, stream, range).await?);
    let mut entity = Entity::new("video/mp4", clip.etag(), clip.len(), REVALIDATE);
    entity.headers.insert("retroview-start-us", clip.start().as_micros().into());
    entity.headers.insert("retroview-end-us", clip.end().as_micros().into());
    entity.headers.insert("retroview-duration-us", clip.media_us().into());
    let start: String = clip.start().to_rfc3339(0).chars().filter(|c| *c != '-' && *c != ':').collect();
    let kind = if download { "attachment" } else { "inline" };
    let disposition = format!("{kind}; filename=\"{stream}-{start}.mp4\"");
    if let Ok(value) = HeaderValue::try_from(disposition) {
        entity.headers.insert(header::CONTENT_DISPOSITION, value);
    }
    let reader = app.playback.reader().clone();
    check_clip(&clip, &reader).await?;
    if let (&Method::GET, Ok(range)) = (method, TimeRange::new(clip.start(), clip.end())) {
        app.saw(who, (&row.account, stream), Verb::Exported, range);
    }
    // After the first byte there is no other way to tell: the connection breaks off, and the log says why.
    let broke_off = |error: &PlaybackError| {
        let error: &(dyn std::error::Error + 'static) = error;
        tracing::error!(error, "a clip broke off: its footage cannot be read back");
    };
    Ok(entity.respond(method, headers, |range| Body::from_stream(clip_bytes(clip.clone(), reader.clone(), range).inspect_err(broke_off))))
}
