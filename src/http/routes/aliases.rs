//! Addresses that players of other recorders know. They map onto the same playlists and clips.
//!
//! | who | address |
//! |---|---|
//! | Flussonic | `/{stream}/index.m3u8`, `archive-{utc}-{seconds}.m3u8` and `.mp4`, `archive-{utc}-now.m3u8`, `timeshift_abs-{utc}.m3u8`, `timeshift_rel-{seconds}.m3u8` |
//! | Kodi and other IPTV players | `/playlist.m3u`, whose entries take `?utc=&lutc=` for catch-up |
//! | MediaMTX | `/list?path=&start=&end=`, `/get?path=&start=&duration=&format=` |

use std::fmt::Write as _;

use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::{Deserialize, Serialize};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::clips::send_clip;
use super::playlists::{Span, send_multivariant};
use crate::entitlement::{Principal, Scope, Verbs};
use crate::http::auth::{SHARE_TOKEN, SignedToken};
use crate::http::extract::{Json, Path, Query, time};
use crate::http::problem::{Code, Problem, ProblemSchema};
use crate::http::{AppState, HttpResult};
use crate::media::{StreamId, TimeRange, Timestamp};

/// How long the addresses in an M3U work: players fetch the list when they start, and a set-top box may not for a week.
const LIST_EXPIRES_US: i64 = 8 * 86_400_000_000;

/// The routes whose paths axum cannot write as players do.
#[derive(OpenApi)]
#[openapi(paths(flussonic))]
struct Described;

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(Described::openapi())
        .route("/{stream}/{file}", get(flussonic))
        .routes(routes!(m3u))
        .routes(routes!(mediamtx_list))
        .routes(routes!(mediamtx_get))
}

/// What an address of Flussonic's asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Asked {
    Live,
    /// Start, and seconds from there; `None`: to now and on.
    Playlist(Timestamp, Option<i64>),
    Clip(Timestamp, i64),
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct CatchUpQuery {
    /// Kodi's catch-up: where to start, in Unix seconds. For `index.m3u8`.
    utc: Option<String>,
    /// Kodi's catch-up: the time now, by the player. Not needed.
    #[allow(dead_code, reason = "players send it; here for the API's description")]
    lutc: Option<String>,
    /// Signed token.
    #[allow(dead_code, reason = "read by the layer that recognises callers; here for the API's description")]
    token: Option<String>,
}

/// Flussonic's addresses
///
/// `index.m3u8` (live; `?utc=` for catch-up), `archive-{utc}-{seconds}.m3u8`, `archive-{utc}-{seconds}.mp4`, `archive-{utc}-now.m3u8`,
/// `timeshift_abs-{utc}.m3u8`, `timeshift_rel-{seconds}.m3u8`. The same playlists and clips as under `/v1`.
#[utoipa::path(get, path = "/{stream}/{file}", tag = "aliases",
    params(("stream" = String, Path), ("file" = String, Path, example = "archive-1777816800-3600.m3u8"), CatchUpQuery), responses(
    (status = 200, content_type = "application/vnd.apple.mpegurl", body = String, description = "A multivariant playlist, or a clip"),
    (status = 206, content_type = "video/mp4", body = Vec<u8>),
    (status = 404, body = ProblemSchema, content_type = "application/problem+json", description = "`unknown_route`, `no_footage`"),
))]
async fn flussonic(
    State(app): State<AppState>,
    who: Principal,
    SignedToken(token): SignedToken,
    Path((stream, file)): Path<(String, String)>,
    Query(query): Query<CatchUpQuery>,
    method: Method,
    headers: HeaderMap,
) -> HttpResult<Response> {
    let unknown = || Problem::new(Code::UnknownRoute, "See /v1/openapi.json for what there is.");
    let stream: StreamId = stream.parse().map_err(|_| unknown())?;
    let now = app.clock.now();
    let catch_up = time(query.utc.as_deref(), now)?;
    let (start, seconds) = match parse(&file, now).ok_or_else(unknown)? {
        Asked::Clip(start, seconds) => {
            let range = TimeRange::new(start, later(start, seconds))?;
            return send_clip(&app, &who, &stream, range, false, &method, &headers).await;
        }
        Asked::Live => (catch_up, None),
        Asked::Playlist(start, seconds) => (Some(start), seconds),
    };
    app.visible_stream(&who, &stream).await?;
    let end = start.zip(seconds).map(|(start, seconds)| later(start, seconds));
    let prefix = format!("/v1/streams/{stream}/");
    send_multivariant(&app, &who, stream, Span { start, end, gaps: false }, token, &prefix, &headers).await
}

fn later(t: Timestamp, seconds: i64) -> Timestamp {
    t.saturating_add_micros(seconds.saturating_mul(1_000_000))
}

/// Reads the last part of an address.
fn parse(file: &str, now: Timestamp) -> Option<Asked> {
    let (name, extension) = file.rsplit_once('.')?;
    let seconds = |text: &str| text.parse::<i64>().ok().filter(|s| (0..=1_000_000_000_000).contains(s));
    let moment = |text: &str| seconds(text).map(Timestamp::from_secs);
    match (name.split_once('-').unwrap_or((name, "")), extension) {
        (("index" | "mono" | "video", ""), "m3u8") => Some(Asked::Live),
        (("archive" | "index" | "mono" | "video", rest), "m3u8") => match rest.split_once('-')? {
            (start, "now") => Some(Asked::Playlist(moment(start)?, None)),
            (start, duration) => Some(Asked::Playlist(moment(start)?, Some(seconds(duration)?))),
        },
        (("archive", rest), "mp4") => {
            let (start, duration) = rest.split_once('-')?;
            Some(Asked::Clip(moment(start)?, seconds(duration)?))
        }
        (("timeshift_abs", start), "m3u8") => Some(Asked::Playlist(moment(start)?, None)),
        (("timeshift_rel", back), "m3u8") => Some(Asked::Playlist(later(now, -seconds(back)?), None)),
        _ => None,
    }
}

/// M3U with catch-up
///
/// All streams the caller may view, with addresses signed for eight days, as Kodi's "PVR IPTV Simple Client", TiviMate and others
/// read it. `catchup="shift"`: players add `utc=` and `lutc=` to go back.
#[utoipa::path(get, path = "/playlist.m3u", tag = "aliases", responses(
    (status = 200, content_type = "audio/x-mpegurl", body = String),
))]
async fn m3u(
    State(app): State<AppState>,
    who: Principal,
    SignedToken(own): SignedToken,
    uri: Uri,
    headers: HeaderMap,
) -> HttpResult<Response> {
    who.require(Scope::View)?;
    let now = app.clock.now();
    let base = app.base_url(&uri, &headers);
    let mut out = String::from("#EXTM3U\n");
    let rows = app.db.streams(false).await?;
    for row in rows.into_iter().filter(|r| who.covers_account(&r.account) && who.covers_stream(&r.id)) {
        let first = app.db.totals(&row.id).await?.first_start.unwrap_or(now);
        let days = (now.micros_since(first).max(0) / 86_400_000_000) + 1;
        let expires_at = now.saturating_add_micros(LIST_EXPIRES_US);
        let token = match (&own, who.share_id()) {
            // A signed address covers this one stream, and lasts no longer by being asked for the list.
            (Some(own), _) => own.clone(),
            // Its cookie opens what is listed.
            (None, Some(share)) => format!("{SHARE_TOKEN}{share}"),
            (None, None) => {
                let visible = app.playback.visible(&who, &row.id).await?;
                app.access.sign(&who, &visible, TimeRange::ALL, Verbs::ALL, expires_at).await?.0
            }
        };
        // A quote would end an attribute and a line break the entry.
        let title: String = row.title.chars().map(|c| if c == '"' || c.is_control() { ' ' } else { c }).collect();
        let id = &row.id;
        writeln!(out, "#EXTINF:-1 tvg-id=\"{id}\" tvg-name=\"{title}\" catchup=\"shift\" catchup-days=\"{days}\",{title}")
            .expect("writing to a string cannot fail");
        writeln!(out, "{base}/{id}/index.m3u8?token={token}").expect("writing to a string cannot fail");
    }
    Ok(([(header::CONTENT_TYPE, "audio/x-mpegurl; charset=utf-8"), (header::CACHE_CONTROL, "no-store")], out).into_response())
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// The stream.
    path: String,
    start: Option<String>,
    end: Option<String>,
}

/// One unbroken recording, in MediaMTX's words.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct MediaMtxSpan {
    /// RFC 3339.
    start: String,
    /// Seconds.
    duration: f64,
    url: String,
}

/// MediaMTX: list recordings
#[utoipa::path(get, path = "/list", tag = "aliases", params(ListQuery), responses(
    (status = 200, body = Vec<MediaMtxSpan>),
    (status = 404, body = ProblemSchema, content_type = "application/problem+json", description = "`unknown_stream`, `no_footage`"),
))]
async fn mediamtx_list(
    State(app): State<AppState>,
    who: Principal,
    SignedToken(token): SignedToken,
    Query(query): Query<ListQuery>,
    uri: Uri,
    headers: HeaderMap,
) -> HttpResult<Json<Vec<MediaMtxSpan>>> {
    let stream: StreamId = query.path.parse().map_err(|_| Problem::unknown_stream(&query.path))?;
    app.visible_stream(&who, &stream).await?;
    let now = app.clock.now();
    let start = time(query.start.as_deref(), now)?.unwrap_or(Timestamp::MIN);
    let end = time(query.end.as_deref(), now)?.unwrap_or(now);
    let (answer, visible) = app.playback.coverage(&who, &stream, TimeRange::new(start, end)?, None).await?;
    if answer.runs.is_empty() {
        return Err(app.playback.nothing_in(&visible, answer.range).await?.into());
    }
    let base = app.base_url(&uri, &headers);
    let token = token.map_or_else(String::new, |t| format!("&token={t}"));
    let span = |range: TimeRange| {
        let (start, duration) = (range.start().to_rfc3339(6), range.micros() as f64 / 1e6);
        let url = format!("{base}/get?path={stream}&start={start}&duration={duration}{token}");
        MediaMtxSpan { start, duration, url }
    };
    Ok(Json(answer.runs.iter().map(|r| span(r.range)).collect()))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct GetQuery {
    /// The stream.
    path: String,
    start: String,
    /// Seconds, decimals allowed.
    duration: f64,
    /// `fmp4` or `mp4`: both get a fragmented MP4, which is one.
    format: Option<String>,
}

/// MediaMTX: get a recording
#[utoipa::path(get, path = "/get", tag = "aliases", params(GetQuery), responses(
    (status = 200, content_type = "video/mp4", body = Vec<u8>),
    (status = 206, content_type = "video/mp4", body = Vec<u8>),
    (status = 404, body = ProblemSchema, content_type = "application/problem+json", description = "`no_footage`"),
))]
async fn mediamtx_get(
    State(app): State<AppState>,
    who: Principal,
    Query(query): Query<GetQuery>,
    method: Method,
    headers: HeaderMap,
) -> HttpResult<Response> {
    let stream: StreamId = query.path.parse().map_err(|_| Problem::unknown_stream(&query.path))?;
    if !matches!(query.format.as_deref(), None | Some("fmp4" | "mp4")) {
        return Err(Problem::new(Code::InvalidQuery, "`format` is `fmp4` or `mp4`."));
    }
    if !(query.duration > 0.0 && query.duration < 1e9) {
        return Err(Problem::new(Code::InvalidQuery, "`duration` is seconds, more than none."));
    }
    let start = Timestamp::parse(&query.start, app.clock.now())?;
    let range = TimeRange::new(start, start.saturating_add_micros((query.duration * 1e6).ceil() as i64))?;
    send_clip(&app, &who, &stream, range, false, &method, &headers).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_mean_what_flussonic_means_by_them() {
        let now = Timestamp::from_secs(1_777_820_400);
        let t = Timestamp::from_secs;
        for (file, expected) in [
            ("index.m3u8", Some(Asked::Live)),
            ("archive-1777816800-3600.m3u8", Some(Asked::Playlist(t(1_777_816_800), Some(3600)))),
            ("index-1777816800-3600.m3u8", Some(Asked::Playlist(t(1_777_816_800), Some(3600)))),
            ("archive-1777816800-now.m3u8", Some(Asked::Playlist(t(1_777_816_800), None))),
            ("archive-1777816800-3600.mp4", Some(Asked::Clip(t(1_777_816_800), 3600))),
            ("timeshift_abs-1777816800.m3u8", Some(Asked::Playlist(t(1_777_816_800), None))),
            ("timeshift_rel-3600.m3u8", Some(Asked::Playlist(t(1_777_816_800), None))),
            ("archive-x-3600.m3u8", None),
            ("archive-1777816800.m3u8", None),
            ("archive-1777816800--5.m3u8", None),
            ("timeshift_rel-99999999999999999999.m3u8", None),
            ("app.js", None),
            ("index", None),
        ] {
            assert_eq!(parse(file, now), expected, "{file}");
        }
    }
}
