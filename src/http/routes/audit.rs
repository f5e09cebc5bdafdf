//! The audit log.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::audit::{KEY_BYTES, Record};
use crate::db::{self, AuditQuery, DbError};
use crate::entitlement::{Principal, Scope};
use crate::http::extract::{Json, Query, time};
use crate::http::problem::{HttpResult, Problem};
use crate::http::state::AppState;
use crate::media::{AccountId, StreamId, TimeRange, Timestamp};

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list_records)).routes(routes!(export_log)).routes(routes!(sign_log))
}

/// Records in one answer.
const RECORDS_MAX: u32 = 1000;

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct AuditParams {
    /// Missing: one's own account; for operators, the whole installation.
    account: Option<String>,
    stream: Option<String>,
    /// As records have it: `user ann`, `token t0123456789ab`, `command line`, `system`.
    actor: Option<String>,
    /// A whole act (`hold.placed`) or its noun (`hold`).
    act: Option<String>,
    /// When it happened. RFC 3339, Unix seconds, or negative seconds relative to now.
    start: Option<String>,
    end: Option<String>,
    /// Only records after this number: the next page.
    after: Option<u64>,
}

/// Something that happened.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = AuditRecord)]
struct RecordView {
    /// From 1, without holes over all accounts.
    n: u64,
    at_us: i64,
    account: Option<String>,
    actor: String,
    /// Noun and participle: `hold.placed`.
    act: String,
    stream: Option<String>,
    /// The footage it is about.
    start_us: Option<i64>,
    end_us: Option<i64>,
    #[schema(value_type = Object)]
    details: serde_json::Value,
    /// SHA-256 of the canonical form, hexadecimal.
    hash: String,
}

#[derive(Serialize, utoipa::ToSchema)]
struct AuditPage {
    records: Vec<RecordView>,
    /// For `after`; null: there are no more.
    next: Option<u64>,
}

/// List records of the audit log
///
/// Oldest first, at most 1,000 at a time. One's own account's; operators see all.
#[utoipa::path(get, path = "/v1/audit", tag = "audit", params(AuditParams), responses((status = 200, body = AuditPage)))]
async fn list_records(State(state): State<AppState>, who: Principal, Query(asked): Query<AuditParams>) -> HttpResult<Json<AuditPage>> {
    who.require_everywhere(Scope::Audit)?;
    let now = state.clock.now();
    let account = match asked.account.as_deref() {
        Some(account) => Some(state.account_for(&who, Scope::Audit, &account.parse::<AccountId>()?).await?.id),
        None if who.scopes().has(Scope::Operate) => None,
        None => Some(who.account().clone()),
    };
    let start = time(asked.start.as_deref(), now)?.unwrap_or(Timestamp::MIN);
    let end = time(asked.end.as_deref(), now)?.unwrap_or(Timestamp::MAX);
    let query = AuditQuery {
        account,
        stream: asked.stream.map(|s| s.parse::<StreamId>()).transpose()?,
        actor: asked.actor,
        act: asked.act,
        range: Some(TimeRange::new(start, end)?),
    };
    let records = state.db.audit_records(&query, asked.after.unwrap_or(0), RECORDS_MAX).await?;
    let next = records.last().filter(|_| records.len() == RECORDS_MAX as usize).map(|r| r.n);
    Ok(Json(AuditPage { records: records.into_iter().map(view).collect(), next }))
}

/// Export the audit log
///
/// All of it, one record a line in the form that is hashed: what `retroview audit verify` reads.
#[utoipa::path(get, path = "/v1/audit/export", tag = "audit",
    responses((status = 200, content_type = "application/x-ndjson", body = String, description = "From the first record on")))]
async fn export_log(State(state): State<AppState>, who: Principal) -> HttpResult<Response> {
    who.require_everywhere(Scope::Operate)?;
    let lines = stream::try_unfold((state, 0), |(state, after)| async move {
        let page = state.db.audit_records(&AuditQuery::default(), after, RECORDS_MAX).await?;
        let Some(last) = page.last().map(|r| r.n) else { return Ok::<_, DbError>(None) };
        let text: String = page.iter().map(|record| record.to_line() + "\n").collect();
        Ok(Some((Bytes::from(text), (state, last))))
    });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"audit.jsonl\"")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, Body::from_stream(lines)).into_response())
}

/// Sign a checkpoint
///
/// How far the log reaches now, signed with Ed25519. Keep it where the log is not.
#[utoipa::path(post, path = "/v1/audit/checkpoints", tag = "audit",
    responses((status = 201, body = Object, description = "The checkpoint, as `retroview audit verify --checkpoint` reads it")))]
async fn sign_log(State(state): State<AppState>, who: Principal) -> HttpResult<(StatusCode, Json<serde_json::Value>)> {
    who.require_everywhere(Scope::Operate)?;
    let mut fresh = [0; KEY_BYTES];
    getrandom::fill(&mut fresh).map_err(Problem::internal)?;
    let checkpoint = db::sign_checkpoint(&state.db, &fresh, &who.label(), state.clock.now()).await?;
    Ok((StatusCode::CREATED, Json(checkpoint.to_json())))
}

fn view(record: Record) -> RecordView {
    let e = record.event;
    RecordView {
        n: record.n,
        at_us: e.at.as_micros(),
        account: e.account.map(|a| a.to_string()),
        actor: e.actor,
        act: e.act,
        stream: e.stream.map(|s| s.to_string()),
        start_us: e.range.map(|r| r.start().as_micros()),
        end_us: e.range.map(|r| r.end().as_micros()),
        details: serde_json::json!(e.details),
        hash: record.hash.iter().map(|b| format!("{b:02x}")).collect(),
    }
}
