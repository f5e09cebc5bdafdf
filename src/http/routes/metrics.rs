//! For Prometheus.

use std::fmt::Write as _;

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::db::{StreamRow, StreamTotals};
use crate::entitlement::{Principal, Scope};
use crate::http::problem::HttpResult;
use crate::http::state::{AppState, Services};
use crate::ingest::StreamStatus;
use crate::ingest::protocol::StreamState;
use crate::media::Timestamp;
use crate::retention::Status;
use crate::telemetry::metric;

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(metrics))
}

/// Metrics
///
/// In the text format of Prometheus, about all accounts. Scrape with a bearer token of the scope `operate`.
#[utoipa::path(get, path = "/metrics", tag = "operation",
    responses((status = 200, description = "Exposition format 0.0.4", body = str, content_type = "text/plain")))]
async fn metrics(State(state): State<AppState>, who: Principal) -> HttpResult<Response> {
    who.require_everywhere(Scope::Operate)?;
    let mut text = state.metrics.render();
    let streams = read_streams(&state).await?;
    write_streams(&mut text, &streams, state.clock.now());
    write_retention(&mut text, &state.retention.status().await?, state.clock.now());
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, text).into_response())
}

struct Measured {
    row: StreamRow,
    totals: StreamTotals,
    status: Option<StreamStatus>,
}

async fn read_streams(services: &Services) -> HttpResult<Vec<Measured>> {
    let mut statuses = services.recorder.statuses();
    let mut totals = services.db.all_totals().await?;
    let mut streams = Vec::new();
    for row in services.db.streams(false).await? {
        let totals = totals.remove(&row.id).unwrap_or_default();
        let status = statuses.remove(&row.id);
        streams.push(Measured { row, totals, status });
    }
    Ok(streams)
}

/// Written here rather than set as gauges, so that a stream that was removed is gone from the next scrape. Ids need no
/// escaping: they are letters, digits, `-` and `_`.
fn write_streams(out: &mut String, streams: &[Measured], now: Timestamp) {
    const STATES: [StreamState; 6] = [
        StreamState::Connecting,
        StreamState::Recording,
        StreamState::Stalled,
        StreamState::BackingOff,
        StreamState::Quarantined,
        StreamState::Disabled,
    ];
    let mut lines = |name: &'static str, kind: &str, value: &dyn Fn(&Measured) -> Option<String>| {
        let help = metric::ALL.iter().find(|(n, _)| *n == name).map_or("", |(_, help)| help);
        let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        for stream in streams {
            if let Some(value) = value(stream) {
                let _ = writeln!(out, "{name}{{stream=\"{}\"}} {value}", stream.row.id);
            }
        }
    };
    lines(metric::STREAM_BYTES, "gauge", &|s| Some(s.totals.bytes.to_string()));
    lines(metric::STREAM_SEGMENTS, "gauge", &|s| Some(s.totals.segments.to_string()));
    lines(metric::STREAM_LAST_SEGMENT_AGE, "gauge", &|s| {
        s.totals.last_end.map(|end| format!("{:.3}", now.micros_since(end).max(0) as f64 / 1e6))
    });
    lines(metric::STREAM_RECONNECTS, "counter", &|s| s.status.as_ref().map(|s| s.reconnects.to_string()));
    let help = metric::ALL.iter().find(|(n, _)| *n == metric::STREAM_STATE).map_or("", |(_, help)| help);
    let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} gauge\n", name = metric::STREAM_STATE);
    for stream in streams {
        for state in STATES {
            let is = stream.status.as_ref().is_some_and(|s| s.state == state);
            let (name, id) = (metric::STREAM_STATE, &stream.row.id);
            let _ = writeln!(out, "{name}{{stream=\"{id}\",state=\"{}\"}} {}", word(state), u8::from(is));
        }
    }
}

fn write_retention(out: &mut String, status: &Status, now: Timestamp) {
    let mut line = |name: &'static str, value: String| {
        let help = metric::ALL.iter().find(|(n, _)| *n == name).map_or("", |(_, help)| help);
        let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n");
    };
    line(metric::RETENTION_STOPPED, u8::from(status.stopped.is_some()).to_string());
    if let Some(last) = status.last_run_us {
        line(metric::RETENTION_LAST_RUN_AGE, format!("{:.3}", now.micros_since(Timestamp::from_micros(last)).max(0) as f64 / 1e6));
    }
}

/// As in JSON.
fn word(state: StreamState) -> &'static str {
    match state {
        StreamState::Connecting => "connecting",
        StreamState::Recording => "recording",
        StreamState::Stalled => "stalled",
        StreamState::BackingOff => "backing_off",
        StreamState::Quarantined => "quarantined",
        StreamState::Disabled => "disabled",
    }
}
