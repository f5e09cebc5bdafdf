//! A connection test: what a source sends, before anybody records it.

use std::time::Instant;

use axum::extract::State;
use axum::http::{HeaderValue, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::streams::{changed_source, checked_source};
use crate::entitlement::{Principal, Scope};
use crate::http::extract::Json;
use crate::http::problem::{Code, HttpResult, Problem};
use crate::http::state::AppState;
use crate::ingest::LookError;
use crate::ingest::protocol::{SeenAudio, SeenVideo, Sight, WhyNoSight};
use crate::media::{AccountId, StreamId};

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(probe_source))
}

/// A source to be tried.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct ProbeBody {
    /// Whose it would be. Missing: one's own. Operators may name another.
    #[schema(value_type = Option<String>)]
    account: Option<AccountId>,
    /// The stream whose source it would be from now on: where `***` stands in the new source, its credentials are used, as long as
    /// they go to the same place.
    #[schema(value_type = Option<String>)]
    stream: Option<StreamId>,
    /// As for a new stream.
    #[schema(example = "rtsp://viewer:secret@192.0.2.7/stream1")]
    source: String,
}

/// What a source sends.
#[derive(Serialize, utoipa::ToSchema)]
struct Probe {
    /// Always true: what cannot be reached is a problem.
    reached: bool,
    /// RFC 6381, video first; null when nothing came that could be recorded.
    codecs: Option<String>,
    tracks: Vec<ProbedTrack>,
    /// The first picture as a `data:` URL of a JPEG, at most 640 pixels wide. Null: see `warnings`, or there is no video.
    picture: Option<String>,
    took_ms: u64,
    warnings: Vec<ProbeWarning>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum ProbedTrack {
    Video {
        /// `h264`, `h265`, `av1`.
        codec: String,
        /// Null where the source does not say.
        width: Option<u32>,
        height: Option<u32>,
        fps: Option<f64>,
    },
    Audio {
        /// As it would be recorded: `aac`, `opus`, `mp3`.
        codec: String,
        sample_rate: u32,
        channels: u32,
        /// What the source sends when that is not what is recorded.
        recoded_from: Option<String>,
    },
}

/// Something to know before it is recorded.
#[derive(Serialize, utoipa::ToSchema)]
struct ProbeWarning {
    code: ProbeWarningCode,
    /// A sentence for people.
    detail: String,
}

#[derive(Clone, Copy, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum ProbeWarningCode {
    /// Many browsers cannot play its video.
    Hevc,
    /// Its sound is recoded to AAC.
    AudioRecoded,
    /// There is only sound.
    NoVideo,
    /// There is video, and no picture of it could be made.
    NoPicture,
}

/// Try a source
///
/// Connects as a recording would, and answers with what it sends and its first picture; nothing is recorded. Takes up to 15
/// seconds; a few at a time.
#[utoipa::path(post, path = "/v1/streams/probe", tag = "streams", request_body = ProbeBody,
    responses((status = 200, body = Probe, description = "It answers, and this is what it sends")))]
async fn probe_source(State(state): State<AppState>, who: Principal, Json(asked): Json<ProbeBody>) -> HttpResult<Json<Probe>> {
    who.require_everywhere(Scope::Admin)?;
    if let Some(account) = &asked.account {
        state.account_for(&who, Scope::Admin, account).await?;
    }
    let source = match &asked.stream {
        Some(stream) => {
            state.stream_for(&who, Scope::Admin, stream).await?;
            changed_source(&state, stream, &asked.source).await?
        }
        None => checked_source(&state, &asked.source)?,
    };
    let began = Instant::now();
    let outcome = state.recorder.look(&source).await;
    let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(%source, took_ms, reached = outcome.is_ok(), by = who.label(), "source tried");
    Ok(Json(probe(outcome.map_err(problem)?, took_ms)))
}

fn probe(sight: Sight, took_ms: u64) -> Probe {
    let warnings = warnings(&sight);
    let video = sight.video.map(video);
    let audio = sight.audio.map(audio);
    Probe {
        reached: true,
        codecs: sight.codecs,
        tracks: video.into_iter().chain(audio).collect(),
        picture: sight.picture.map(|p| format!("data:image/jpeg;base64,{}", STANDARD.encode(&p.jpeg))),
        took_ms,
        warnings,
    }
}

fn video(seen: SeenVideo) -> ProbedTrack {
    let known = |pixels: u32| (pixels > 0).then_some(pixels);
    let fps = (seen.fps_num > 0 && seen.fps_den > 0).then(|| f64::from(seen.fps_num) / f64::from(seen.fps_den));
    ProbedTrack::Video { codec: seen.codec, width: known(seen.width), height: known(seen.height), fps }
}

fn audio(seen: SeenAudio) -> ProbedTrack {
    let SeenAudio { codec, sample_rate, channels, recoded_from } = seen;
    ProbedTrack::Audio { codec, sample_rate, channels, recoded_from }
}

fn warnings(sight: &Sight) -> Vec<ProbeWarning> {
    let mut found = Vec::new();
    let mut warn = |code, detail: String| found.push(ProbeWarning { code, detail });
    match &sight.video {
        Some(video) if video.codec == "h265" => {
            let detail =
                "Its video is H.265 (HEVC), which many browsers cannot play; it can be recorded, downloaded, and watched in player apps.";
            warn(ProbeWarningCode::Hevc, detail.into());
        }
        Some(_) => {}
        None => warn(ProbeWarningCode::NoVideo, "It sends sound only.".into()),
    }
    if let Some(from) = sight.audio.as_ref().and_then(|a| a.recoded_from.as_ref()) {
        warn(ProbeWarningCode::AudioRecoded, format!("Its sound is {from}, which browsers cannot play; it is recoded to AAC."));
    }
    if let Some(why) = &sight.why_no_picture {
        warn(ProbeWarningCode::NoPicture, format!("No picture could be made of its video: {why}."));
    }
    found
}

fn problem(error: LookError) -> Problem {
    let sentence = |text: &str| format!("{}{}.", text[..1].to_uppercase(), text[1..].trim_end_matches('.'));
    match error {
        LookError::NoSight(no) => {
            let code = match no.why {
                WhyNoSight::NotAllowed => Code::InvalidSource,
                WhyNoSight::Unreachable => Code::Unreachable,
                WhyNoSight::Refused => Code::Refused,
                WhyNoSight::Unauthorized => Code::UnauthorizedSource,
                WhyNoSight::NoMedia => Code::NoMedia,
            };
            Problem::new(code, sentence(&no.detail))
        }
        LookError::TimedOut => Problem::new(Code::Unreachable, "Nothing was to be seen of it in time; is the address right, and is it on?"),
        LookError::Died(_) => {
            Problem::new(Code::NoMedia, "What it sends is damaged so badly that it could not be looked at.").caused_by(error)
        }
        LookError::Busy => Problem::new(Code::Unavailable, "Other sources are being tried; try again in a moment.")
            .header(header::RETRY_AFTER, HeaderValue::from_static("3")),
        LookError::Start(_) => Problem::new(Code::Unavailable, "The process that looks at it could not be started.").caused_by(error),
    }
}
