//! Streams: what is recorded, and how it is doing.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::audit::acts;
use crate::db::{DbError, NewStream, StreamRow, StreamTotals};
use crate::entitlement::{Principal, Scope};
use crate::http::extract::{Json, Path, Query};
use crate::http::problem::{Code, HttpResult, Problem};
use crate::http::state::{AppState, Services};
use crate::ingest::protocol::StreamState;
use crate::ingest::{SourceError, SourceSpec, StreamStatus};
use crate::media::{AccountId, GapCause, StreamId, Timestamp};

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_streams, add_stream))
        .routes(routes!(show_stream, change_stream, remove_stream))
        .routes(routes!(pause_stream))
        .routes(routes!(resume_stream))
        .routes(routes!(restore_stream))
}

/// Longest title: what fits a list.
const TITLE_CHARS_MAX: usize = 200;

/// A stream and what it is doing.
#[derive(Serialize, utoipa::ToSchema)]
struct Stream {
    #[schema(value_type = String, example = "door")]
    id: StreamId,
    account: String,
    /// When it was removed: its footage can be played until its time is up, and restoring brings it back. Null: it was not.
    removed_at_us: Option<i64>,
    title: String,
    /// Without credentials.
    #[schema(example = "rtsp://***@192.0.2.7/stream1")]
    source: String,
    kind: Kind,
    paused: bool,
    state: StreamState,
    /// One sentence for people; may be empty.
    state_detail: String,
    state_since_us: i64,
    /// Of footage that is served: what has left the retention window is not. Null while there is none.
    first_start_us: Option<i64>,
    last_end_us: Option<i64>,
    /// As `stored_bytes`.
    bytes: u64,
    /// On disk, with what has left the window and is not deleted yet.
    stored_bytes: u64,
    segments: u64,
    blocks: u64,
    /// Connections lost and made again since the service started.
    reconnects: u64,
    /// Of the newest half minute. Null while nothing is recorded.
    bitrate_bps: Option<u64>,
    last_gap: Option<StreamGap>,
    /// Of the newest footage (RFC 6381, video first); null while there is none.
    codecs: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
    has_video: bool,
    has_audio: bool,
}

/// A stream's newest gap.
#[derive(Serialize, utoipa::ToSchema)]
struct StreamGap {
    start_us: i64,
    /// Null while it lasts.
    end_us: Option<i64>,
    cause: GapCause,
}

/// How its bytes come.
#[derive(Clone, Copy, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = StreamKind)]
enum Kind {
    /// Fetched from its source.
    Pull,
    /// Sent to `POST /v1/streams/{stream}/ingest`.
    Push,
    /// Read from a file.
    File,
}

impl Stream {
    /// Where a camera is in the network is not for those who were only sent a link.
    fn shown_to(mut self, who: &Principal) -> Self {
        if who.require_own().is_err() {
            self.source.clear();
        }
        self
    }
}

#[derive(Serialize, utoipa::ToSchema)]
struct StreamList {
    streams: Vec<Stream>,
}

/// A stream to be recorded.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewStream)]
struct NewStreamBody {
    /// Its name in addresses and folders: 1 to 64 of `a-z`, `0-9`, `-` and `_`.
    #[schema(value_type = String, example = "door")]
    id: StreamId,
    /// Missing: one's own. Operators may name another.
    #[schema(value_type = Option<String>)]
    account: Option<AccountId>,
    /// Missing: the id.
    title: Option<String>,
    /// A URL (rtsp, rtmp, srt, http, https, udp, rtp, file), or `push:`. Credentials in it are never shown again.
    #[schema(example = "rtsp://viewer:secret@192.0.2.7/stream1")]
    source: String,
}

/// What shall be different. What is missing stays.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct StreamChange {
    title: Option<String>,
    /// With its credentials, if it needs any; `***` keeps them, as long as scheme, host and port stay.
    source: Option<String>,
    /// Whether it is recorded.
    paused: Option<bool>,
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct StreamsQuery {
    /// `1`: also those that were removed.
    removed: Option<String>,
}

/// List streams
///
/// Those the credentials cover; for operators, those of all accounts.
#[utoipa::path(get, path = "/v1/streams", tag = "streams", params(StreamsQuery),
    responses((status = 200, body = StreamList, description = "By id")))]
async fn list_streams(State(state): State<AppState>, who: Principal, Query(query): Query<StreamsQuery>) -> HttpResult<Json<StreamList>> {
    who.require(Scope::View)?;
    let removed = matches!(query.removed.as_deref(), Some("1" | "true" | "yes"));
    let mut streams = Vec::new();
    let mut totals = state.db.all_totals().await?;
    for row in state.db.streams(removed).await? {
        if who.covers_account(&row.account) && who.covers_stream(&row.id) {
            let totals = totals.remove(&row.id).unwrap_or_default();
            streams.push(view_with(&state, row, totals).await?.shown_to(&who));
        }
    }
    Ok(Json(StreamList { streams }))
}

/// One stream
#[utoipa::path(get, path = "/v1/streams/{stream}", tag = "streams", params(("stream" = String, Path, description = "Name of the stream")),
    responses((status = 200, body = Stream, description = "What it is and does")))]
async fn show_stream(State(state): State<AppState>, who: Principal, Path(stream): Path<StreamId>) -> HttpResult<Json<Stream>> {
    let row = state.visible_stream(&who, &stream).await?;
    Ok(Json(view(&state, row).await?.shown_to(&who)))
}

/// Add a stream
///
/// Recording begins at once.
#[utoipa::path(post, path = "/v1/streams", tag = "streams", request_body = NewStreamBody,
    responses((status = 201, body = Stream, description = "It is there")))]
async fn add_stream(
    State(state): State<AppState>,
    who: Principal,
    Json(asked): Json<NewStreamBody>,
) -> HttpResult<(StatusCode, Json<Stream>)> {
    who.require_everywhere(Scope::Admin)?;
    let source = checked_source(&state, &asked.source)?;
    let account = match asked.account {
        Some(account) => state.account_for(&who, Scope::Admin, &account).await?.id,
        None => who.account().clone(),
    };
    let new = NewStream {
        title: asked.title.map_or_else(|| Ok(asked.id.to_string()), checked_title)?,
        id: asked.id,
        account,
        source: source.to_string(),
        credentials: source.credentials_text(),
    };
    let added = state.act(&who, acts::STREAM_ADDED).of_account(&new.account).on_stream(&new.id).with("source", new.source.clone());
    let row = match state.db.recording(added).add_stream(&new, state.clock.now()).await {
        Err(DbError::Exists { .. }) => return Err(exists(&state, &new.id).await?),
        outcome => outcome?,
    };
    tracing::info!(stream = %row.id, source = row.source, by = who.label(), "stream added");
    state.recorder.reload().await?;
    Ok((StatusCode::CREATED, Json(view(&state, row).await?)))
}

/// Change a stream
///
/// A new source is connected to at once; what is stored stays.
#[utoipa::path(patch, path = "/v1/streams/{stream}", tag = "streams", params(("stream" = String, Path, description = "Name of the stream")),
    request_body = StreamChange, responses((status = 200, body = Stream, description = "As it is now")))]
async fn change_stream(
    State(state): State<AppState>,
    who: Principal,
    Path(stream): Path<StreamId>,
    Json(asked): Json<StreamChange>,
) -> HttpResult<Json<Stream>> {
    let row = recorded(&state, &who, &stream).await?;
    let source = match &asked.source {
        Some(text) => Some(changed_source(&state, &stream, text).await?),
        None => None,
    };
    let title = asked.title.map(checked_title).transpose()?;
    let changed = |key: &str, to: &str| state.act(&who, acts::STREAM_CHANGED).of_account(&row.account).on_stream(&stream).with(key, to);
    if let Some(title) = &title {
        state.db.recording(changed("title", title)).set_stream_title(&stream, title).await?;
    }
    if let Some(source) = &source {
        state
            .db
            .recording(changed("source", &source.to_string()))
            .set_stream_source(&stream, &source.to_string(), source.credentials_text().as_deref())
            .await?;
    }
    if let Some(paused) = asked.paused.filter(|paused| *paused != row.paused) {
        let act = if paused { acts::STREAM_PAUSED } else { acts::STREAM_RESUMED };
        let event = state.act(&who, act).of_account(&row.account).on_stream(&stream);
        state.db.recording(event).set_stream_paused(&stream, paused).await?;
    }
    tracing::info!(%stream, title, paused = asked.paused, source = source.map(|s| s.to_string()), by = who.label(), "stream changed");
    state.recorder.reload().await?;
    Ok(Json(view(&state, recorded(&state, &who, &stream).await?).await?))
}

/// Remove a stream
///
/// Recording stops. Footage stays until its time is up; restoring brings the stream back.
#[utoipa::path(delete, path = "/v1/streams/{stream}", tag = "streams", params(("stream" = String, Path, description = "Name of the stream")),
    responses((status = 204, description = "It is not recorded any more")))]
async fn remove_stream(State(state): State<AppState>, who: Principal, Path(stream): Path<StreamId>) -> HttpResult<StatusCode> {
    let row = recorded(&state, &who, &stream).await?;
    let removed = state.act(&who, acts::STREAM_REMOVED).of_account(&row.account).on_stream(&stream);
    state.db.recording(removed).set_stream_removed(&stream, Some(state.clock.now())).await?;
    tracing::info!(%stream, by = who.label(), "stream removed");
    state.recorder.reload().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Pause a stream
///
/// Recording stops for now. What is stored can be played.
#[utoipa::path(post, path = "/v1/streams/{stream}/pause", tag = "streams", params(("stream" = String, Path, description = "Name of the stream")),
    responses((status = 200, body = Stream, description = "As it is now")))]
async fn pause_stream(State(state): State<AppState>, who: Principal, Path(stream): Path<StreamId>) -> HttpResult<Json<Stream>> {
    let row = recorded(&state, &who, &stream).await?;
    let paused = state.act(&who, acts::STREAM_PAUSED).of_account(&row.account).on_stream(&stream);
    state.db.recording(paused).set_stream_paused(&stream, true).await?;
    changed(&state, &who, &stream, "stream paused").await
}

/// Resume a stream
///
/// Also one that was removed.
#[utoipa::path(post, path = "/v1/streams/{stream}/resume", tag = "streams", params(("stream" = String, Path, description = "Name of the stream")),
    responses((status = 200, body = Stream, description = "As it is now")))]
async fn resume_stream(State(state): State<AppState>, who: Principal, Path(stream): Path<StreamId>) -> HttpResult<Json<Stream>> {
    let row = state.stream_for(&who, Scope::Admin, &stream).await?;
    let db = state.db.recording(state.act(&who, acts::STREAM_RESUMED).of_account(&row.account).on_stream(&stream));
    if row.removed_at.is_some() {
        db.set_stream_removed(&stream, None).await?;
    }
    db.set_stream_paused(&stream, false).await?;
    changed(&state, &who, &stream, "stream resumed").await
}

/// Restore a stream
///
/// One that was removed is a stream again, with all its footage that is left; paused if it was. One that was not removed stays as it is.
#[utoipa::path(post, path = "/v1/streams/{stream}/restore", tag = "streams", params(("stream" = String, Path, description = "Name of the stream")),
    responses((status = 200, body = Stream, description = "As it is now")))]
async fn restore_stream(State(state): State<AppState>, who: Principal, Path(stream): Path<StreamId>) -> HttpResult<Json<Stream>> {
    let row = state.stream_for(&who, Scope::Admin, &stream).await?;
    if row.removed_at.is_some() {
        let restored = state.act(&who, acts::STREAM_RESTORED).of_account(&row.account).on_stream(&stream);
        state.db.recording(restored).set_stream_removed(&stream, None).await?;
    }
    changed(&state, &who, &stream, "stream restored").await
}

async fn changed(state: &Services, who: &Principal, stream: &StreamId, what: &'static str) -> HttpResult<Json<Stream>> {
    tracing::info!(%stream, by = who.label(), "{what}");
    state.recorder.reload().await?;
    Ok(Json(view(state, state.stream_for(who, Scope::Admin, stream).await?).await?))
}

/// One that may be changed, and was not removed.
async fn recorded(state: &Services, who: &Principal, stream: &StreamId) -> HttpResult<StreamRow> {
    let row = state.stream_for(who, Scope::Admin, stream).await?;
    if row.removed_at.is_some() {
        let detail = format!("The stream `{stream}` was removed; POST /v1/streams/{stream}/restore brings it back.");
        return Err(Problem::new(Code::UnknownStream, detail));
    }
    Ok(row)
}

async fn exists(state: &Services, stream: &StreamId) -> HttpResult<Problem> {
    let removed = state.db.stream(stream).await?.is_some_and(|row| row.removed_at.is_some());
    let detail = if removed {
        format!("There was a stream `{stream}`, and its footage is kept; POST /v1/streams/{stream}/restore brings it back.")
    } else {
        format!("There is a stream `{stream}` already; choose another name.")
    };
    Ok(Problem::new(Code::StreamExists, detail))
}

/// A source in place of the stream's own: see [`SourceSpec::changed`].
pub(super) async fn changed_source(state: &Services, stream: &StreamId, text: &str) -> HttpResult<SourceSpec> {
    let (row, credentials) = (state.db.stream(stream).await?, state.db.stream_credentials(stream).await?);
    let before = row.and_then(|row| SourceSpec::stored(&row.source, credentials.as_deref()).ok());
    let read = before.map_or_else(|| SourceSpec::parse(text), |before| SourceSpec::changed(text, &before));
    allowed_source(state, read)
}

pub(super) fn checked_source(state: &Services, text: &str) -> HttpResult<SourceSpec> {
    allowed_source(state, SourceSpec::parse(text))
}

fn allowed_source(state: &Services, read: Result<SourceSpec, SourceError>) -> HttpResult<SourceSpec> {
    let refused = |why: String| Problem::new(Code::InvalidSource, format!("{}.", why.trim_end_matches('.')));
    let source = read.map_err(|e| refused(e.to_string()))?;
    state.sources.check(&source).map_err(|e| refused(e.to_string()))?;
    Ok(source)
}

fn checked_title(title: String) -> HttpResult<String> {
    let title = title.trim();
    if title.is_empty() || title.chars().count() > TITLE_CHARS_MAX || title.chars().any(char::is_control) {
        let detail = format!("A title is 1 to {TITLE_CHARS_MAX} characters on one line.");
        return Err(Problem::new(Code::InvalidValue, detail));
    }
    Ok(title.to_owned())
}

async fn view(state: &Services, row: StreamRow) -> HttpResult<Stream> {
    let totals = state.db.totals(&row.id).await?;
    view_with(state, row, totals).await
}

async fn view_with(state: &Services, row: StreamRow, totals: StreamTotals) -> HttpResult<Stream> {
    let (first_start, last_end) = shown(state, &row, totals).await?;
    let run = match totals.last_run {
        Some(run) => state.playback.run_of(run).await?,
        None => None,
    };
    let status = state.recorder.status(&row.id).unwrap_or_else(|| not_yet(&row));
    let (video, audio) = (run.as_ref().and_then(|r| r.video.as_ref()), run.as_ref().and_then(|r| r.audio.as_ref()));
    Ok(Stream {
        kind: kind(&row.source),
        account: row.account.to_string(),
        removed_at_us: row.removed_at.map(|t| t.as_micros()),
        title: row.title,
        source: row.source,
        paused: row.paused,
        state: status.state,
        state_detail: status.detail,
        state_since_us: status.since.as_micros(),
        first_start_us: first_start.map(|t| t.as_micros()),
        last_end_us: last_end.map(|t| t.as_micros()),
        bytes: totals.bytes,
        stored_bytes: totals.bytes,
        segments: totals.segments,
        blocks: totals.blocks,
        reconnects: status.reconnects,
        bitrate_bps: status.recent.bits_per_second().filter(|_| status.state == StreamState::Recording),
        last_gap: totals.last_gap.map(|gap| StreamGap {
            start_us: gap.start.as_micros(),
            end_us: gap.end.map(|t| t.as_micros()),
            cause: gap.cause,
        }),
        codecs: run.as_ref().map(|r| r.codecs()),
        width: video.map(|v| v.width),
        height: video.map(|v| v.height),
        has_video: video.is_some(),
        has_audio: audio.is_some(),
        id: row.id,
    })
}

/// From when to when footage is served.
async fn shown(state: &Services, row: &StreamRow, totals: StreamTotals) -> HttpResult<(Option<Timestamp>, Option<Timestamp>)> {
    let (Some(first), Some(last)) = (totals.first_start, totals.last_end) else { return Ok((None, None)) };
    let visible = state.retention.windows().visible(&row.id, state.clock.now()).await?;
    let from = visible.and_then(|v| v.window_start()).unwrap_or(Timestamp::MIN);
    Ok(if last > from { (Some(first.max(from)), Some(last)) } else { (None, None) })
}

/// Of a stream that the supervisor has not looked at yet, or does not record.
fn not_yet(row: &StreamRow) -> StreamStatus {
    let idle = row.paused || row.removed_at.is_some();
    let state = if idle { StreamState::Disabled } else { StreamState::Connecting };
    StreamStatus::new(state, row.removed_at.unwrap_or(row.created_at))
}

fn kind(source: &str) -> Kind {
    match SourceSpec::stored(source, None).map(|s| s.kind().family()) {
        Ok("push") => Kind::Push,
        Ok("file") => Kind::File,
        _ => Kind::Pull,
    }
}
