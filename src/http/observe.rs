//! What a request leaves behind: an id, a line in the log, a measurement.
//!
//! The outermost layer, so that it sees every answer, those to strangers and those of a panic included.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;

use super::peer::Peer;
use super::problem::Cause;
use super::state::AppState;
use crate::telemetry::metric;

pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The layer. Gives the request an id, and tells of the answer once its head is there.
pub async fn observe(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let id = next_id();
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let peer = request.extensions().get::<Peer>().and_then(|p| p.0);
    let span = tracing::info_span!("request", id, who = tracing::field::Empty, peer = peer.map(tracing::field::display));
    let started = state.clock.monotonic();
    let mut response = next.run(request).instrument(span.clone()).await;
    let took_s = state.clock.monotonic().saturating_sub(started).as_secs_f64();
    span.in_scope(|| log(&method, &uri, &response, took_s));
    let route = route.as_ref().map_or("other", |r| r.as_str()).to_owned();
    measure(route, response.status(), took_s);
    // Of digits and letters: always a header value.
    if let Ok(id) = HeaderValue::try_from(id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// Unique in a log: a number per process that hardly repeats, and a count.
fn next_id() -> String {
    static PROCESS: LazyLock<u32> = LazyLock::new(|| {
        let mut bytes = [0; 4];
        // Without random numbers the ids of two processes may look alike; no reason not to serve.
        let _ = getrandom::fill(&mut bytes);
        u32::from_ne_bytes(bytes)
    });
    static COUNT: AtomicU64 = AtomicU64::new(1);
    format!("{:08x}{:06x}", *PROCESS, COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Plain reads that went well are for those who look closely; changes and refusals an operator would mention.
fn log(method: &Method, uri: &Uri, response: &Response, took_s: f64) {
    let (path, status) = (without_token(uri), response.status().as_u16());
    let cause = response.extensions().get::<Cause>().map(|cause| cause.0.as_ref() as &(dyn std::error::Error + 'static));
    let took_ms = (took_s * 1e6).round() / 1e3;
    match response.status() {
        StatusCode::INTERNAL_SERVER_ERROR | StatusCode::INSUFFICIENT_STORAGE => {
            tracing::error!(%method, path, status, took_ms, error = cause, "answered");
        }
        // Busy, or stopping: nothing went wrong, and a clean end is no reason to warn.
        StatusCode::SERVICE_UNAVAILABLE if cause.is_none() => tracing::info!(%method, path, status, took_ms, "answered"),
        s if s.is_server_error() => tracing::warn!(%method, path, status, took_ms, error = cause, "answered"),
        s if s.is_client_error() || !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) => {
            tracing::info!(%method, path, status, took_ms, error = cause, "answered");
        }
        _ => tracing::debug!(%method, path, status, took_ms, "answered"),
    }
}

/// The path and query as asked for, but for what opens doors.
fn without_token(uri: &Uri) -> String {
    let Some(query) = uri.query() else { return uri.path().to_owned() };
    let pairs: Vec<&str> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            // Any name that ends so: a sender who misspells it has still written a secret there.
            Some((name, _)) if name.to_ascii_lowercase().ends_with("token") => "token=***",
            _ => pair,
        })
        .collect();
    format!("{}?{}", uri.path(), pairs.join("&"))
}

fn measure(route: String, status: StatusCode, took_s: f64) {
    let status = status.as_str().to_owned();
    metrics::histogram!(metric::HTTP_REQUEST_SECONDS, "route" => route.clone(), "status" => status.clone()).record(took_s);
    metrics::counter!(metric::HTTP_REQUESTS, "route" => route, "status" => status).increment(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_opens_doors_is_not_logged() {
        let shown = |text: &str| without_token(&text.parse().unwrap());
        assert_eq!(shown("/a/b.m3u8?start=-60&token=v1.x.y&end=now"), "/a/b.m3u8?start=-60&token=***&end=now");
        assert_eq!(shown("/a?Token=1&access_token=2"), "/a?token=***&token=***");
        assert_eq!(shown("/a"), "/a");
    }

    #[test]
    fn no_two_requests_share_an_id() {
        assert_ne!(next_id(), next_id());
    }
}
