//! What playlists name: init segments, segments, blocks.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Method, header};
use axum::response::Response;
use axum::routing::get;
use futures_util::stream;
use serde::Deserialize;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::audit::Verb;
use crate::entitlement::Principal;
use crate::http::auth::SignedToken;
use crate::http::entity::{Entity, IMMUTABLE, IMMUTABLE_SHARED, REVALIDATE, slice_of, slices_of};
use crate::http::extract::{Path, Query};
use crate::http::problem::{Code, Problem, ProblemSchema};
use crate::http::{AppState, HttpResult};
use crate::media::{BlockId, RunId, StreamId, Timestamp};
use crate::playback::{BlockPart, Playback, PlaybackError, Track};

/// Described as clients see them; axum has no way to write a path whose last part ends in a suffix.
#[derive(OpenApi)]
#[openapi(paths(init, segment, block))]
struct Described;

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(Described::openapi())
        .route("/v1/streams/{stream}/init/{file}", get(init))
        .route("/v1/streams/{stream}/segments/{file}", get(segment))
        .route("/v1/streams/{stream}/blocks/{file}", get(block))
}

/// A block is read from disk and sent in steps of this size. Half costs more calls per byte; double makes a slow disk hold
/// up the first byte for longer.
const BLOCK_STEP_BYTES: u64 = 1024 * 1024;

/// Init segment of a run
#[utoipa::path(get, path = "/v1/streams/{stream}/init/{run}.mp4", tag = "playback",
    params(("stream" = String, Path), ("run" = String, Path), ("token" = Option<String>, Query, description = "Signed token")), responses(
    (status = 200, content_type = "video/mp4", body = Vec<u8>),
    (status = 206, content_type = "video/mp4", body = Vec<u8>),
    (status = 304, description = "Unchanged"),
    (status = 404, body = ProblemSchema, content_type = "application/problem+json", description = "`unknown_run`"),
    (status = 416, body = ProblemSchema, content_type = "application/problem+json"),
))]
async fn init(
    State(app): State<AppState>,
    who: Principal,
    token: SignedToken,
    Path((stream, file)): Path<(StreamId, String)>,
    method: Method,
    headers: HeaderMap,
) -> HttpResult<Response> {
    let name = name_of(&file, ".mp4")?;
    let run: RunId = name.parse().map_err(|_| Problem::new(Code::UnknownRun, format!("There is no run `{name}`.")))?;
    let run = app.playback.init_segment(&who, &stream, run).await?;
    let content_type = if run.video.is_some() { "video/mp4" } else { "audio/mp4" };
    let entity = Entity::new(content_type, &format!("init-{}", run.id), run.init.len() as u64, immutable(&token));
    Ok(entity.respond(&method, &headers, slice_of(run.init.clone())))
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SegmentQuery {
    /// `video` or `audio`: only that track.
    track: Option<String>,
    /// Signed token.
    #[allow(dead_code, reason = "read by the layer that recognises callers; here for the API's description")]
    token: Option<String>,
}

/// Segment
///
/// By its exact start in microseconds since the epoch, as playlists name it. Never changes. Its decode times count from the
/// epoch, too.
#[utoipa::path(get, path = "/v1/streams/{stream}/segments/{start_us}.m4s", tag = "playback",
    params(("stream" = String, Path), ("start_us" = i64, Path), SegmentQuery), responses(
    (status = 200, content_type = "video/iso.segment", body = Vec<u8>),
    (status = 206, content_type = "video/iso.segment", body = Vec<u8>),
    (status = 304, description = "Unchanged"),
    (status = 404, body = ProblemSchema, content_type = "application/problem+json", description = "`unknown_segment`"),
    (status = 416, body = ProblemSchema, content_type = "application/problem+json"),
))]
async fn segment(
    State(app): State<AppState>,
    who: Principal,
    token: SignedToken,
    Path((stream, file)): Path<(StreamId, String)>,
    Query(query): Query<SegmentQuery>,
    method: Method,
    headers: HeaderMap,
) -> HttpResult<Response> {
    let start = start_of(&file)?;
    let track = match query.track.as_deref() {
        None => Track::All,
        Some("video") => Track::Video,
        Some("audio") => Track::Audio,
        Some(_) => return Err(Problem::new(Code::InvalidQuery, "`track` is `video` or `audio`.")),
    };
    let part = app.playback.segment(&who, &stream, start, track).await?;
    if method == Method::GET {
        app.saw(&who, (&part.block.account, &stream), Verb::Watched, part.segment.range());
    }
    let entity = Entity::new("video/iso.segment", &part.etag(track), part.len(), immutable(&token));
    Ok(entity.respond(&method, &headers, slices_of(part.pieces)))
}

/// Block file
///
/// As it lies on disk: a fragmented MP4 that plays by itself. One that is still being written is as long as what is committed.
#[utoipa::path(get, path = "/v1/streams/{stream}/blocks/{block}.mp4", tag = "playback",
    params(("stream" = String, Path), ("block" = String, Path), ("token" = Option<String>, Query, description = "Signed token")), responses(
    (status = 200, content_type = "video/mp4", body = Vec<u8>),
    (status = 206, content_type = "video/mp4", body = Vec<u8>),
    (status = 304, description = "Unchanged"),
    (status = 403, body = ProblemSchema, content_type = "application/problem+json", description = "Also when only part of the block may be seen"),
    (status = 404, body = ProblemSchema, content_type = "application/problem+json", description = "`unknown_block`"),
    (status = 412, body = ProblemSchema, content_type = "application/problem+json"),
    (status = 416, body = ProblemSchema, content_type = "application/problem+json"),
))]
async fn block(
    State(app): State<AppState>,
    who: Principal,
    token: SignedToken,
    Path((stream, file)): Path<(StreamId, String)>,
    method: Method,
    headers: HeaderMap,
) -> HttpResult<Response> {
    let name = name_of(&file, ".mp4")?;
    let id: BlockId = name.parse().map_err(|_| Problem::new(Code::UnknownBlock, format!("There is no block `{name}`.")))?;
    let part = app.playback.block(&who, &stream, id).await?;
    if let (&Method::GET, Some(range)) = (&method, part.block.range()) {
        app.saw(&who, (&part.block.account, &stream), Verb::Exported, range);
    }
    let cache_control = if part.is_complete() { immutable(&token) } else { REVALIDATE };
    let mut entity = Entity::new("video/mp4", &part.etag(), part.len(), cache_control);
    entity.headers.insert("retroview-start-us", part.block.start.as_micros().into());
    let playback = app.playback.clone();
    Ok(entity.respond(&method, &headers, |range| block_body(playback.clone(), part.clone(), range)))
}

fn block_body(playback: Playback, part: BlockPart, range: std::ops::Range<u64>) -> Body {
    Body::from_stream(stream::try_unfold(range, move |range| {
        let (playback, part) = (playback.clone(), part.clone());
        async move {
            if range.is_empty() {
                return Ok::<_, PlaybackError>(None);
            }
            let step = range.end.min(range.start + BLOCK_STEP_BYTES);
            let bytes = playback.block_bytes(&part, range.start..step).await?;
            Ok(Some((bytes, step..range.end)))
        }
    }))
}

pub(super) fn immutable(token: &SignedToken) -> header::HeaderValue {
    if token.opens() { IMMUTABLE_SHARED } else { IMMUTABLE }
}

pub(super) fn name_of<'a>(file: &'a str, suffix: &str) -> HttpResult<&'a str> {
    file.strip_suffix(suffix).ok_or_else(|| Problem::new(Code::UnknownRoute, format!("Names here end in `{suffix}`.")))
}

/// One spelling per segment: caches compare URLs as text.
fn start_of(file: &str) -> HttpResult<Timestamp> {
    let digits = name_of(file, ".m4s")?;
    let start = digits.parse().ok().filter(|us: &i64| us.to_string() == digits && *us >= 0);
    start
        .map(Timestamp::from_micros)
        .ok_or_else(|| Problem::new(Code::UnknownSegment, "Segments are named by their start in microseconds."))
}
