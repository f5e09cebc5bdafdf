//! Signed addresses, for players that can send neither cookie nor header.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::audit::acts;
use crate::entitlement::{Principal, Verb, Verbs};
use crate::http::extract::{Json, Path};
use crate::http::problem::{Code, HttpResult, Problem};
use crate::http::state::AppState;
use crate::media::{StreamId, TimeRange, Timestamp};

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(sign_urls))
}

/// A day's viewing and a night's sleep: long enough for a set-top box that fetches its list daily.
const EXPIRES_IN_S: u32 = 36 * 3600;

/// What the addresses shall cover.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct NewUrls {
    /// RFC 3339, Unix seconds, or negative seconds relative to now.
    #[schema(example = "2026-05-03T14:00:00Z")]
    start: String,
    /// Missing: open, for live.
    #[schema(example = "2026-05-03T15:00:00Z")]
    end: Option<String>,
    /// Missing: 36 hours.
    expires_in_s: Option<u32>,
    /// `view` (playlists, segments), `thumbnail` (pictures), `export` (clips, block files). Missing: all of them.
    verbs: Option<Vec<String>>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct SignedUrls {
    /// For the query parameter `token` of any playback address of this stream inside this time.
    token: String,
    playlist_url: String,
    /// Null when the range is open, or without `export`.
    clip_url: Option<String>,
    start_us: i64,
    end_us: i64,
    expires_at_us: i64,
}

/// Sign addresses
///
/// They cover one stream over one range of time, and every request made with them is checked against it.
#[utoipa::path(post, path = "/v1/streams/{stream}/urls", tag = "playback", params(("stream" = String, Path, description = "Name of the stream")),
    request_body = NewUrls, responses((status = 201, body = SignedUrls, description = "Good until `expires_at_us`")))]
async fn sign_urls(
    State(state): State<AppState>,
    who: Principal,
    Path(stream): Path<StreamId>,
    uri: Uri,
    headers: HeaderMap,
    Json(asked): Json<NewUrls>,
) -> HttpResult<(StatusCode, Json<SignedUrls>)> {
    let now = state.clock.now();
    let start = Timestamp::parse(&asked.start, now)?;
    let end = asked.end.as_deref().map(|t| Timestamp::parse(t, now)).transpose()?;
    let range = TimeRange::new(start, end.unwrap_or(Timestamp::MAX))?;
    let verbs: Verbs = match asked.verbs {
        None => Verbs::ALL,
        Some(names) if names.is_empty() => return Err(Problem::new(Code::InvalidValue, "`verbs` is empty; leave it out, or name some.")),
        Some(names) => names.iter().map(|name| name.parse::<Verb>()).collect::<Result<_, _>>()?,
    };
    let visible = state.playback.visible(&who, &stream).await?;
    let expires_in_us = i64::from(asked.expires_in_s.unwrap_or(EXPIRES_IN_S)) * Timestamp::MICROS_PER_SECOND;
    let (token, granted) = state.access.sign(&who, &visible, range, verbs, now.saturating_add_micros(expires_in_us)).await?;
    let shared = state.act(&who, acts::RANGE_SHARED).on_stream(&stream).over(granted.range);
    let verb_names: Vec<&str> = Verb::ALL.into_iter().filter(|v| verbs.has(*v)).map(Verb::as_str).collect();
    let shared = shared.with("expires_at_us", granted.expires_at.as_micros()).with("verbs", verb_names);
    state.db.audit(shared).await?;
    let base = format!("{}/v1/streams/{stream}", state.base_url(&uri, &headers));
    let start = granted.range.start();
    let until = end.map_or_else(String::new, |end| format!("&end={end}"));
    let urls = SignedUrls {
        playlist_url: format!("{base}/playlist.m3u8?start={start}{until}&token={token}"),
        clip_url: end.filter(|_| verbs.has(Verb::Export)).map(|end| format!("{base}/clip.mp4?start={start}&end={end}&token={token}")),
        token,
        start_us: start.as_micros(),
        end_us: granted.range.end().as_micros(),
        expires_at_us: granted.expires_at.as_micros(),
    };
    Ok((StatusCode::CREATED, Json(urls)))
}
