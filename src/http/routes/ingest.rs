//! Pushing: an endless body goes to the worker that records the stream.
//!
//! The bytes pass through: read from the connection only as fast as the worker takes them, never collected. What they are is
//! for the worker to find out; here only the container is told apart.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use bytes::Bytes;
use futures_util::StreamExt;
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::entitlement::{Principal, Scope};
use crate::http::extract::{Json, Path};
use crate::http::problem::{Code, HttpResult, Problem};
use crate::http::state::{AppState, Services};
use crate::ingest::protocol::PushFormat;
use crate::ingest::{PublishError, PublishReport, SourceKind, SourceSpec};
use crate::media::{GapCause, StreamId};

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(push, push_with_put))
}

/// A worker takes bytes as fast as they are read from the network, or it hangs; the supervisor sees to that in less.
const WORKER_STALL_MAX: Duration = Duration::from_secs(60);
/// Enough to tell MPEG-TS by its second sync byte.
const SNIFF_BYTES: usize = 189;

/// What became of it.
#[derive(Serialize, utoipa::ToSchema)]
struct Pushed {
    segments: u64,
    bytes: u64,
}

/// Push
///
/// Records the body as it comes, for as long as it comes: MPEG-TS (`video/mp2t`) or fragmented MP4 (`video/mp4`); with
/// `application/octet-stream` or no type, it is looked at. One sender at a time. Answers when the body has ended and everything is stored.
#[utoipa::path(post, path = "/v1/streams/{stream}/ingest", tag = "ingest", params(("stream" = String, Path, description = "Name of the stream")),
    request_body(description = "Endless, or not", content(
        (Vec<u8> = "video/mp2t"), (Vec<u8> = "video/mp4"), (Vec<u8> = "application/octet-stream"))),
    responses((status = 200, body = Pushed, description = "The body has ended, and this much of it is stored")))]
async fn push(
    State(state): State<AppState>,
    who: Principal,
    Path(stream): Path<StreamId>,
    headers: HeaderMap,
    body: Body,
) -> HttpResult<Json<Pushed>> {
    let row = state.stream_for(&who, Scope::Ingest, &stream).await?;
    if row.removed_at.is_some() {
        return Err(Problem::unknown_stream(&stream));
    }
    if SourceSpec::stored(&row.source, None).is_ok_and(|s| s.kind() != SourceKind::Push) {
        return Err(PublishError::NotPush(stream).into());
    }
    // The recorder hears of a pause a moment later than the row.
    if row.paused {
        return Err(PublishError::Paused(stream).into());
    }
    let mut body = Sender { chunks: body.into_data_stream(), idle: state.settings.ingest_idle_timeout };
    let kind = headers.get(header::CONTENT_TYPE).map(|v| v.to_str().unwrap_or("?"));
    let (format, first) = match format_of(kind)? {
        Some(format) => (format, Bytes::new()),
        None => sniff(&mut body).await?,
    };
    let report = record(&state, &stream, format, first, &mut body).await;
    match &report {
        Ok(done) => tracing::info!(%stream, segments = done.segments, bytes = done.bytes, "push ended"),
        Err(problem) => tracing::info!(%stream, code = problem.code().as_str(), "push ended"),
    }
    report.map(Json)
}

/// Push
///
/// The same as with POST, for senders that cannot do that.
#[utoipa::path(put, path = "/v1/streams/{stream}/ingest", tag = "ingest", params(("stream" = String, Path, description = "Name of the stream")),
    request_body(description = "Endless, or not", content(
        (Vec<u8> = "video/mp2t"), (Vec<u8> = "video/mp4"), (Vec<u8> = "application/octet-stream"))),
    responses((status = 200, body = Pushed, description = "The body has ended, and this much of it is stored")))]
async fn push_with_put(
    state: State<AppState>,
    who: Principal,
    stream: Path<StreamId>,
    headers: HeaderMap,
    body: Body,
) -> HttpResult<Json<Pushed>> {
    push(state, who, stream, headers, body).await
}

/// The other end of the connection.
struct Sender {
    chunks: BodyDataStream,
    idle: Duration,
}

/// Why the bytes have ended.
enum End {
    /// The sender has said all.
    Done,
    /// Nothing came for too long.
    Idle,
    /// The connection broke.
    Broken(axum::Error),
    /// The worker takes no more.
    Refused,
}

impl Sender {
    async fn next(&mut self) -> Result<Bytes, End> {
        match tokio::time::timeout(self.idle, self.chunks.next()).await {
            Err(_) => Err(End::Idle),
            Ok(None) => Err(End::Done),
            Ok(Some(Err(error))) => Err(End::Broken(error)),
            Ok(Some(Ok(chunk))) => Ok(chunk),
        }
    }
}

async fn record(services: &Services, stream: &StreamId, format: PushFormat, first: Bytes, sender: &mut Sender) -> HttpResult<Pushed> {
    let publication = services.recorder.publish(stream, format).await?;
    let (socket, report) = publication.into_parts();
    let (mut from_worker, mut to_worker) = socket.into_split();
    let end = copy(sender, first, &mut to_worker, &mut from_worker).await;
    // Ends the stream for the worker; then it says what it stored. That takes as long as what lies between us plays, when
    // it came faster: a minute of a quiet radio station fits into a socket's buffer. A worker that dies says nothing.
    drop((to_worker, from_worker));
    conclude(end, report.await.ok(), sender.idle)
}

async fn copy(sender: &mut Sender, first: Bytes, to_worker: &mut OwnedWriteHalf, from_worker: &mut OwnedReadHalf) -> End {
    let mut chunk = first;
    loop {
        match tokio::time::timeout(WORKER_STALL_MAX, to_worker.write_all(&chunk)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return End::Refused,
        }
        let mut nothing = [0];
        chunk = tokio::select! {
            biased;
            next = sender.next() => match next {
                Ok(chunk) => chunk,
                Err(end) => return end,
            },
            // A worker never says anything here: it hangs up when it is told to stop or cannot go on.
            _ = from_worker.read(&mut nothing) => return End::Refused,
        };
    }
}

fn conclude(end: End, report: Option<PublishReport>, idle: Duration) -> HttpResult<Pushed> {
    let Some(report) = report else {
        return Err(Problem::new(Code::Unavailable, "Recording was interrupted; what was stored until then stays. Send again."));
    };
    let with_counts = |problem: Problem| problem.with("segments", report.segments).with("bytes", report.bytes);
    match end {
        End::Idle => {
            let detail = format!("Nothing came for {} s, so that others may send; what came before is stored.", idle.as_secs());
            Err(with_counts(Problem::new(Code::IdleTimeout, detail)))
        }
        // Nobody will read this; the log will.
        End::Broken(error) => Err(with_counts(Problem::new(Code::InvalidBody, "The body ended in the middle.").caused_by(error))),
        End::Done | End::Refused if report.cause == GapCause::NoPublisher => Ok(Pushed { segments: report.segments, bytes: report.bytes }),
        End::Done | End::Refused => Err(with_counts(ended_by_us(&report))),
    }
}

/// Recording ended before the sender did.
fn ended_by_us(report: &PublishReport) -> Problem {
    let code = match report.cause {
        GapCause::Paused | GapCause::Removed => Code::Paused,
        GapCause::SourceInvalid | GapCause::TimestampJump => Code::InvalidMedia,
        GapCause::DiskFull => Code::StorageFull,
        _ => Code::Unavailable,
    };
    let detail = if report.detail.is_empty() {
        format!("Recording ended ({}).", report.cause.as_str())
    } else {
        format!("Recording ended: {}.", report.detail.trim_end_matches('.'))
    };
    Problem::new(code, detail)
}

/// `None`: look at the bytes.
fn format_of(content_type: Option<&str>) -> HttpResult<Option<PushFormat>> {
    let Some(kind) = content_type else { return Ok(None) };
    match kind.split(';').next().unwrap_or("").trim().to_ascii_lowercase().as_str() {
        "video/mp2t" => Ok(Some(PushFormat::MpegTs)),
        "video/mp4" | "audio/mp4" => Ok(Some(PushFormat::FragmentedMp4)),
        "application/octet-stream" | "" => Ok(None),
        _ => {
            let accepted = HeaderValue::from_static("video/mp2t, video/mp4, application/octet-stream");
            let detail = "Send MPEG-TS as `video/mp2t` or fragmented MP4 as `video/mp4`.";
            Err(Problem::new(Code::UnsupportedMediaType, detail).header(header::ACCEPT, accepted))
        }
    }
}

/// Tells the container by its first bytes, which are returned.
async fn sniff(sender: &mut Sender) -> HttpResult<(PushFormat, Bytes)> {
    let mut first = Vec::new();
    while first.len() < SNIFF_BYTES {
        match sender.next().await {
            Ok(chunk) => first.extend_from_slice(&chunk),
            Err(End::Idle) => return Err(Problem::new(Code::IdleTimeout, "Nothing came.")),
            Err(_) => break,
        }
    }
    let format = recognise(&first).ok_or_else(|| {
        let detail = "This is neither MPEG-TS nor fragmented MP4; with ffmpeg, send `-f mpegts`.";
        Problem::new(Code::UnsupportedMediaType, detail)
    })?;
    Ok((format, first.into()))
}

fn recognise(first: &[u8]) -> Option<PushFormat> {
    const SYNC: u8 = 0x47;
    const BOXES: [&[u8]; 6] = [b"ftyp", b"styp", b"moov", b"moof", b"sidx", b"free"];
    if first.get(4..8).is_some_and(|kind| BOXES.contains(&kind)) {
        return Some(PushFormat::FragmentedMp4);
    }
    (first.first() == Some(&SYNC) && first.get(188) == Some(&SYNC)).then_some(PushFormat::MpegTs)
}

impl From<PublishError> for Problem {
    fn from(error: PublishError) -> Self {
        let text = error.to_string();
        let detail = format!("{}{}.", text[..1].to_uppercase(), &text[1..]);
        let code = match &error {
            PublishError::UnknownStream(_) => Code::UnknownStream,
            PublishError::Paused(_) => Code::Paused,
            PublishError::NotPush(_) => Code::NotPush,
            PublishError::PublisherPresent(_) => Code::PublisherPresent,
            PublishError::NotReady(_) => {
                return Problem::new(Code::Unavailable, detail).header(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            PublishError::Socket(_) => return Problem::internal(error),
        };
        Problem::new(code, detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_told_apart_by_type_or_first_bytes() {
        assert_eq!(format_of(Some("Video/MP2T")).unwrap(), Some(PushFormat::MpegTs));
        assert_eq!(format_of(Some("video/mp4; codecs=avc1")).unwrap(), Some(PushFormat::FragmentedMp4));
        assert_eq!(format_of(Some("application/octet-stream")).unwrap(), None);
        assert_eq!(format_of(None).unwrap(), None);
        assert_eq!(format_of(Some("text/plain")).unwrap_err().code(), Code::UnsupportedMediaType);

        let mut ts = vec![0; 376];
        (ts[0], ts[188]) = (0x47, 0x47);
        assert_eq!(recognise(&ts), Some(PushFormat::MpegTs));
        ts[188] = 0;
        assert_eq!(recognise(&ts), None);
        assert_eq!(recognise(b"\0\0\0\x18ftypiso5"), Some(PushFormat::FragmentedMp4));
        assert_eq!(recognise(b""), None);
        assert_eq!(recognise(b"GET / HTTP/1.1"), None, "a G alone is a sync byte by chance");
    }
}
