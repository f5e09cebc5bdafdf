//! The audit log.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::audit::{KEY_BYTES, Record, acts};
use crate::db::{self, AuditQuery, DbError, VerificationState};
use crate::entitlement::{Principal, Scope};
use crate::http::extract::{Json, Query, time};
use crate::http::problem::{Code, HttpResult, Problem};
use crate::http::state::{AppState, Services};
use crate::media::{AccountId, StreamId, TimeRange, Timestamp};

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_records))
        .routes(routes!(export_log))
        .routes(routes!(sign_log))
        .routes(routes!(show_verification, verify_log))
}

/// Records in one answer.
const RECORDS_MAX: u32 = 1000;

/// Which records are wanted.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Missing: one's own account; for operators, the whole installation.
    account: Option<String>,
    stream: Option<String>,
    /// As records have it: `user ann`, `token t0123456789ab`, `command line`, `system`.
    actor: Option<String>,
    /// Part of the name of who acted, in either case: of a user, a token (also its id), a shared range. In lists only with `order=desc`.
    person: Option<String>,
    /// A whole act (`hold.placed`) or its noun (`hold`).
    act: Option<String>,
    /// When it happened. RFC 3339, Unix seconds, or negative seconds relative to now.
    start: Option<String>,
    end: Option<String>,
}

/// Which page of them.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Page {
    /// `asc` (the oldest first, as it comes) or `desc`.
    order: Option<String>,
    /// With `asc` only records after this number: the next page.
    after: Option<u64>,
    /// With `desc` only records before this number: the next page.
    before: Option<u64>,
    /// At most so many, 1 to 1,000. Missing: 1,000.
    limit: Option<u32>,
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
    /// For `after`, or with `desc` for `before`; null: there are no more.
    next: Option<u64>,
}

/// List records of the audit log
///
/// At most 1,000 at a time. One's own account's; operators see all.
#[utoipa::path(get, path = "/v1/audit", tag = "audit", params(Wanted, Page), responses((status = 200, body = AuditPage)))]
async fn list_records(
    State(state): State<AppState>,
    who: Principal,
    Query(wanted): Query<Wanted>,
    Query(asked): Query<Page>,
) -> HttpResult<Json<AuditPage>> {
    let query = query(&state, &who, wanted).await?;
    let limit = asked.limit.unwrap_or(RECORDS_MAX);
    let wrong = |what: &str| Err(Problem::new(Code::InvalidQuery, what));
    if !(1..=RECORDS_MAX).contains(&limit) {
        return wrong("`limit` is 1 to 1000.");
    }
    let newest_first = match asked.order.as_deref() {
        None | Some("asc") => false,
        Some("desc") => true,
        Some(_) => return wrong("`order` is `asc` or `desc`."),
    };
    let records = match newest_first {
        false if query.person.is_some() || asked.before.is_some() => return wrong("`person` and `before` need `order=desc`."),
        true if asked.after.is_some() => return wrong("`after` is for `order=asc`; give `before`."),
        false => state.db.audit_records(&query, asked.after.unwrap_or(0), limit).await?,
        true => state.db.newest_audit_records(&query, asked.before.unwrap_or(u64::MAX), limit).await?,
    };
    let next = records.last().filter(|_| records.len() == limit as usize).map(|r| r.n);
    Ok(Json(AuditPage { records: records.into_iter().map(view).collect(), next }))
}

async fn query(state: &Services, who: &Principal, wanted: Wanted) -> HttpResult<AuditQuery> {
    who.require_everywhere(Scope::Audit)?;
    let now = state.clock.now();
    let account = match wanted.account.as_deref() {
        Some(account) => Some(state.account_for(who, Scope::Audit, &account.parse::<AccountId>()?).await?.id),
        None if who.scopes().has(Scope::Operate) => None,
        None => Some(who.account().clone()),
    };
    let start = time(wanted.start.as_deref(), now)?.unwrap_or(Timestamp::MIN);
    let end = time(wanted.end.as_deref(), now)?.unwrap_or(Timestamp::MAX);
    Ok(AuditQuery {
        account,
        stream: wanted.stream.map(|s| s.parse::<StreamId>()).transpose()?,
        actor: wanted.actor,
        person: wanted.person.filter(|p| !p.is_empty()),
        act: wanted.act,
        range: Some(TimeRange::new(start, end)?),
    })
}

/// Export the audit log
///
/// One record a line in the form that is hashed. All of it, from the first record on, is what `retroview audit verify` reads, and what
/// operators get who ask for nothing less; a part is for reading elsewhere (with `person` the newest come first).
#[utoipa::path(get, path = "/v1/audit/export", tag = "audit", params(Wanted),
    responses((status = 200, content_type = "application/x-ndjson", body = String, description = "Line by line")))]
async fn export_log(State(state): State<AppState>, who: Principal, Query(wanted): Query<Wanted>) -> HttpResult<Response> {
    let query = query(&state, &who, wanted).await?;
    let from = if query.person.is_some() { u64::MAX } else { 0 };
    let lines = stream::try_unfold((state, query, from), |(state, query, from)| async move {
        let page = match query.person {
            Some(_) => state.db.newest_audit_records(&query, from, RECORDS_MAX).await?,
            None => state.db.audit_records(&query, from, RECORDS_MAX).await?,
        };
        let Some(last) = page.last().map(|r| r.n) else { return Ok::<_, DbError>(None) };
        let text: String = page.iter().map(|record| record.to_line() + "\n").collect();
        Ok(Some((Bytes::from(text), (state, query, last))))
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

/// Whether the log is whole
///
/// It is verified once a day, all of it from the first record on: each record must be what was hashed and follow the one before, and
/// the log must hold what it held when it was verified before.
#[utoipa::path(get, path = "/v1/audit/verification", tag = "audit", responses((status = 200, body = VerificationView)))]
async fn show_verification(State(state): State<AppState>, who: Principal) -> HttpResult<Json<VerificationView>> {
    who.require_everywhere(Scope::Audit)?;
    Ok(Json(VerificationView::of(&state).await?))
}

/// Verify the log now
///
/// In the background, once at a time; `running` says when it is over. One that ended within the last minute is answered as it is.
#[utoipa::path(post, path = "/v1/audit/verification", tag = "audit", responses(
    (status = 200, body = VerificationView, description = "It was verified a moment ago"),
    (status = 202, body = VerificationView, description = "It is under way"),
))]
async fn verify_log(State(state): State<AppState>, who: Principal) -> HttpResult<(StatusCode, Json<VerificationView>)> {
    who.require_everywhere(Scope::Audit)?;
    let known = state.verifier.state().await?;
    let since_us = known.last.as_ref().map(|last| state.clock.now().micros_since(last.verified_at));
    if !known.running && since_us.is_some_and(|us| (0..FRESH_US).contains(&us)) {
        return Ok((StatusCode::OK, Json(VerificationView::of(&state).await?)));
    }
    if state.verifier.begin() {
        tracing::info!(by = who.label(), "the audit log is being verified");
    }
    Ok((StatusCode::ACCEPTED, Json(VerificationView { running: true, ..VerificationView::of(&state).await? })))
}

/// Reading years of records again and again is what a hostile auditor could do to the others.
const FRESH_US: i64 = 60_000_000;

/// Whether the audit log is whole, as far as is known.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = AuditVerification)]
pub(super) struct VerificationView {
    /// One is under way.
    pub running: bool,
    /// When the last one ended; null before the first.
    verified_at_us: Option<i64>,
    took_ms: Option<u64>,
    /// Records that were whole and in their place.
    records: Option<u64>,
    /// Hash of the last of them, hexadecimal.
    head: Option<String>,
    /// Null before the first.
    ok: Option<bool>,
    /// Null: nothing is wrong.
    first_bad: Option<BadRecord>,
    /// When the last checkpoint was signed.
    checkpoint_at_us: Option<i64>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = BadAuditRecord)]
struct BadRecord {
    n: u64,
    why: String,
}

impl VerificationView {
    pub(super) async fn of(state: &Services) -> HttpResult<VerificationView> {
        let VerificationState { last, running } = state.verifier.state().await?;
        let took = |begun: Timestamp, ended: Timestamp| u64::try_from(ended.micros_since(begun) / 1000).unwrap_or(0);
        Ok(VerificationView {
            running,
            verified_at_us: last.as_ref().map(|v| v.verified_at.as_micros()),
            took_ms: last.as_ref().map(|v| took(v.begun_at, v.verified_at)),
            records: last.as_ref().map(|v| v.records),
            head: last.as_ref().map(|v| v.head.clone()),
            ok: last.as_ref().map(|v| v.first_bad.is_none()),
            first_bad: last.and_then(|v| v.first_bad).map(|(n, why)| BadRecord { n, why }),
            checkpoint_at_us: newest_checkpoint(state).await?.map(Timestamp::as_micros),
        })
    }
}

/// When the last checkpoint was signed.
pub(super) async fn newest_checkpoint(state: &Services) -> HttpResult<Option<Timestamp>> {
    let query = AuditQuery { act: Some(acts::CHECKPOINT_SIGNED.0.into()), ..AuditQuery::default() };
    Ok(state.db.newest_audit_records(&query, u64::MAX, 1).await?.first().map(|record| record.event.at))
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
