//! What holds for every route: bounds on time, headers, compression, a panic that ends one request and not the service.

use std::any::Any;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{Predicate, SizeAbove};

use super::problem::{Code, Problem};
use super::state::AppState;

/// Routes whose requests may last for ever.
pub const ENDLESS: [&str; 1] = ["/v1/streams/{stream}/ingest"];

/// Below this a compressed answer fits into the same packet.
const COMPRESS_FROM_BYTES: u16 = 1024;

/// How long a browser may remember that another site may read footage. Half asks twice as often; Chromium keeps it for at most two hours.
const PREFLIGHT_S: &str = "7200";

/// Gives up a handler that has not begun to answer in time. What it was waiting for is dropped.
pub async fn limit_time(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let endless = request.extensions().get::<MatchedPath>().is_some_and(|path| ENDLESS.contains(&path.as_str()));
    if endless {
        return next.run(request).await;
    }
    match tokio::time::timeout(state.settings.request_timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::new(Code::Timeout, "The recorder is busy or its disk is slow; try again.").into_response(),
    }
}

/// Browsers must not guess types, and must not tell other sites the addresses of ours (they may hold tokens).
pub async fn harden(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}

/// Lets pages of other sites read footage with a signed address or a bearer token. `*` never goes with cookies, so a
/// visitor's session is of no use to them. Only reading, and only what players fetch.
///
/// A preflight carries no credentials, so this stands outside the check of credentials.
pub async fn share_footage(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>();
    if !route.is_some_and(|route| is_footage(route.as_str())) {
        return next.run(request).await;
    }
    let preflight = request.method() == Method::OPTIONS && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if preflight {
        let headers = [
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
            (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD"),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, "Authorization, Range, If-Range, If-None-Match, If-Modified-Since, If-Match"),
            (header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_S),
        ];
        return (StatusCode::NO_CONTENT, headers).into_response();
    }
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let mut response = next.run(request).await;
    if reads {
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    }
    response
}

/// Beyond what every page may read anyway.
const EXPOSED: &str = "Accept-Ranges, Content-Length, Content-Range, Date, ETag, Retroview-At-Us, Retroview-Duration-Us, \
    Retroview-End-Us, Retroview-Start-Us, X-Request-Id";

fn is_footage(route: &str) -> bool {
    let below = route.strip_prefix("/v1/streams/{stream}/");
    below.is_some_and(|rest| !["ingest", "urls", "pause", "resume"].contains(&rest))
        || route.starts_with("/{stream}/")
        || ["/playlist.m3u", "/list", "/get"].contains(&route)
}

/// Playlists, JSON and the app's own files. Media would not get smaller, and a compressed body cannot be sent by the kernel.
#[derive(Clone, Copy, Debug)]
pub struct Compressible;

impl Predicate for Compressible {
    fn should_compress<B: axum::body::HttpBody>(&self, response: &axum::http::Response<B>) -> bool {
        let kind = response.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("");
        let kind = kind.split(';').next().unwrap_or("").trim();
        let worth_it = kind.starts_with("text/")
            || matches!(
                kind,
                "application/json"
                    | "application/problem+json"
                    | "application/vnd.apple.mpegurl"
                    | "application/manifest+json"
                    | "audio/mpegurl"
                    | "audio/x-mpegurl"
                    | "image/svg+xml"
            );
        // A part of a file must stay that part.
        let whole = response.status() != StatusCode::PARTIAL_CONTENT;
        worth_it && whole && SizeAbove::new(COMPRESS_FROM_BYTES).should_compress(response)
    }
}

pub fn compression() -> CompressionLayer<Compressible> {
    CompressionLayer::new().compress_when(Compressible)
}

/// The answer in place of a handler that panicked. The panic itself has been logged by the hook, with its place.
pub fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    #[derive(Debug, thiserror::Error)]
    #[error("a handler panicked: {0}")]
    struct Panicked(String);
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned()).or_else(|| panic.downcast_ref::<String>().cloned());
    Problem::internal(Panicked(text.unwrap_or_default())).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_sites_may_read_footage_and_nothing_else() {
        for route in ["/v1/streams/{stream}/media.m3u8", "/v1/streams/{stream}/segments/{file}", "/{stream}/{file}", "/get"] {
            assert!(is_footage(route), "{route}");
        }
        for route in ["/v1/streams", "/v1/streams/{stream}", "/v1/streams/{stream}/ingest", "/v1/session", "/v1/tokens", "/"] {
            assert!(!is_footage(route), "{route}");
        }
    }

    #[test]
    fn text_is_compressed_and_media_is_not() {
        let compressed = |status: u16, kind: &str, len: usize| {
            let body = axum::body::Body::from(vec![0; len]);
            let response = axum::http::Response::builder().status(status).header("content-type", kind).body(body).unwrap();
            Compressible.should_compress(&response)
        };
        assert!(compressed(200, "application/vnd.apple.mpegurl", 5000));
        assert!(compressed(200, "application/json", 5000));
        assert!(compressed(200, "text/javascript; charset=utf-8", 5000));
        assert!(!compressed(200, "application/json", 100));
        assert!(!compressed(206, "text/plain", 5000));
        assert!(!compressed(200, "video/mp4", 5_000_000));
        assert!(!compressed(200, "image/jpeg", 50_000));
    }
}
