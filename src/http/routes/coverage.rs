//! What is recorded when.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::entitlement::{Principal, Visible};
use crate::http::extract::{Path, Query, time};
use crate::http::problem::{Code, Problem, ProblemSchema};
use crate::http::{AppState, HttpResult, gzip};
use crate::index::{CoverageAnswer, GapSpan, RunSpan};
use crate::media::{GapCause, RunId, StreamId, TimeRange, Timestamp};
use crate::retention::MarkedSpan;

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(coverage))
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CoverageQuery {
    /// RFC 3339, Unix seconds, or negative seconds relative to now. Missing: from the first footage.
    start: Option<String>,
    /// Missing: now.
    end: Option<String>,
    /// Seconds (decimals allowed); what is finer is merged.
    resolution: Option<f64>,
    /// Signed token.
    #[allow(dead_code, reason = "read by the layer that recognises callers; here for the API's description")]
    token: Option<String>,
}

/// Runs and gaps, at most 2,000 entries together. Time before the first footage is neither.
#[derive(Serialize, utoipa::ToSchema)]
pub struct CoverageView {
    #[schema(value_type = String)]
    stream: StreamId,
    start_us: i64,
    end_us: i64,
    /// Details finer than this are merged.
    resolution_us: i64,
    /// The server's clock.
    now_us: i64,
    runs: Vec<RunView>,
    gaps: Vec<GapView>,
    /// What ended before has left the retention window and is not served. Null: everything is kept.
    window_start_us: Option<i64>,
    /// Ranges that nothing may prune, at most 1,000; empty for those who may not see holds.
    holds: Vec<HoldView>,
    /// Footage that was given up and is not deleted yet, at most 1,000 spans; empty for those who may not see holds.
    marked: Vec<MarkedView>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct RunView {
    start_us: i64,
    end_us: i64,
    /// Null where several runs were merged.
    #[schema(value_type = Option<String>)]
    run: Option<RunId>,
    /// How much of a merged stretch lies in gaps that are too short to be listed at this resolution.
    missing_us: i64,
    /// Why most of that is missing; null where nothing is.
    missing_cause: Option<GapCause>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct GapView {
    start_us: i64,
    end_us: i64,
    cause: GapCause,
    /// One sentence for people; may be empty.
    detail: String,
    /// It lasts still.
    ongoing: bool,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct HoldView {
    start_us: i64,
    end_us: i64,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct MarkedView {
    start_us: i64,
    end_us: i64,
    /// When the first of it may be deleted.
    due_us: i64,
}

/// Coverage
#[utoipa::path(get, path = "/v1/streams/{stream}/coverage", tag = "playback",
    params(("stream" = String, Path), CoverageQuery), responses(
    (status = 200, body = CoverageView),
    (status = 400, body = ProblemSchema, content_type = "application/problem+json"),
))]
async fn coverage(
    State(app): State<AppState>,
    who: Principal,
    Path(stream): Path<StreamId>,
    Query(query): Query<CoverageQuery>,
    headers: HeaderMap,
) -> HttpResult<Response> {
    app.visible_stream(&who, &stream).await?;
    let now = app.clock.now();
    let start = match time(query.start.as_deref(), now)? {
        Some(start) => start,
        None => app.db.totals(&stream).await?.first_start.unwrap_or(Timestamp::MIN),
    };
    let end = time(query.end.as_deref(), now)?.unwrap_or(now);
    let resolution_us = match query.resolution {
        None => None,
        Some(s) if (0.0..1e9).contains(&s) => Some((s * 1e6) as i64),
        Some(_) => return Err(Problem::new(Code::InvalidQuery, "`resolution` is seconds, not negative.")),
    };
    let asked = TimeRange::new(start, end)?;
    let (answer, visible) = app.playback.coverage(&who, &stream, asked, resolution_us).await?;
    let mut view = view(stream.clone(), now, answer);
    view.window_start_us = visible.window_start().map(Timestamp::as_micros);
    if who.sees_holds() {
        view.holds = holds_in(&visible, asked);
        view.marked = app.retention.marked(&stream, asked, view.resolution_us).await?.into_iter().map(marked).collect();
    }
    let json = serde_json::to_vec(&view).map_err(Problem::internal)?;
    Ok(gzip::respond(&headers, "application/json", "no-store", json))
}

/// More than a time bar can show.
const HOLDS_MAX: usize = 1000;

fn holds_in(visible: &Visible, asked: TimeRange) -> Vec<HoldView> {
    let inside = visible.held.iter().filter_map(|held| held.intersection(asked));
    inside.take(HOLDS_MAX).map(|r| HoldView { start_us: r.start().as_micros(), end_us: r.end().as_micros() }).collect()
}

fn view(stream: StreamId, now: Timestamp, answer: CoverageAnswer) -> CoverageView {
    let span = |r: TimeRange| (r.start().as_micros(), r.end().as_micros());
    let (start_us, end_us) = span(answer.range);
    let run = |r: RunSpan| {
        let (start_us, end_us) = span(r.range);
        let missing_us = r.missing.map_or(0, |m| m.micros.min(end_us - start_us));
        RunView { start_us, end_us, run: r.run, missing_us, missing_cause: r.missing.map(|m| m.cause) }
    };
    let gap = |g: GapSpan| {
        let (start_us, end_us) = span(g.range);
        GapView { start_us, end_us, cause: g.cause, detail: g.detail, ongoing: g.ongoing }
    };
    CoverageView {
        stream,
        start_us,
        end_us,
        resolution_us: answer.resolution_us,
        now_us: now.as_micros(),
        runs: answer.runs.into_iter().map(run).collect(),
        gaps: answer.gaps.into_iter().map(gap).collect(),
        window_start_us: None,
        holds: Vec::new(),
        marked: Vec::new(),
    }
}

fn marked(span: MarkedSpan) -> MarkedView {
    MarkedView { start_us: span.range.start().as_micros(), end_us: span.range.end().as_micros(), due_us: span.due_at.as_micros() }
}
