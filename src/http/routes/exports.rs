//! Exports: footage written into a file, to be taken away.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::accounts::AccountsError;
use crate::audit::Verb;
use crate::db::{ExportFormat, ExportRow, ExportState};
use crate::entitlement::{Principal, Scope};
use crate::exports::NewJob;
use crate::http::entity::{Entity, REVALIDATE};
use crate::http::extract::{Json, Path, Query};
use crate::http::problem::{HttpResult, ProblemSchema};
use crate::http::state::AppState;
use crate::media::{AccountId, StreamId, TimeRange, Timestamp};

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list_exports, ask_export)).routes(routes!(show_export, remove_export)).routes(routes!(export_file))
}

/// Read from disk and sent in steps of this size, as of blocks.
const STEP_BYTES: u64 = 1024 * 1024;

/// An export, and what has become of it.
#[derive(Serialize, utoipa::ToSchema)]
struct Export {
    id: String,
    account: String,
    streams: Vec<String>,
    start_us: i64,
    end_us: i64,
    /// `mp4`, `archive`.
    format: &'static str,
    note: String,
    /// Who asked for it, as in the audit log.
    by: String,
    created_at_us: i64,
    /// `waiting`, `running`, `done`, `failed`, `cancelled`.
    #[schema(value_type = String)]
    state: ExportState,
    done_bytes: u64,
    /// Of media; the file is a little longer.
    total_bytes: u64,
    /// Until it is done, by how fast it was so far. Null: not to be told yet.
    eta_s: Option<u64>,
    /// A sentence, where it failed.
    error: Option<String>,
    /// What the file is saved as; null while there is none.
    file_name: Option<String>,
    size_bytes: Option<u64>,
    /// Of the file, in hexadecimal.
    sha256: Option<String>,
    /// When it is removed; null while it waits or runs.
    expires_at_us: Option<i64>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct ExportList {
    exports: Vec<Export>,
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct ExportsQuery {
    /// Missing: one's own.
    #[param(value_type = Option<String>)]
    account: Option<AccountId>,
    /// Id of an export: only those asked for before it, the next page.
    before: Option<String>,
}

/// What is to be exported.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewExport)]
struct NewExportBody {
    /// Of one account; one for an MP4.
    #[schema(value_type = Vec<String>)]
    streams: Vec<StreamId>,
    /// RFC 3339, Unix seconds, or negative seconds relative to now.
    start: String,
    end: String,
    format: Format,
    /// Why: part of the manifest and the audit log.
    #[serde(default)]
    note: String,
}

/// What it is written as.
#[derive(Clone, Copy, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ExportFormat)]
enum Format {
    /// One stream as one MP4.
    Mp4,
    /// An MP4 of each stream and `manifest.json`, as a zip.
    Archive,
}

/// List exports
///
/// For who sees to the account all, for others their own; the newest first, at most 200 at a time.
#[utoipa::path(get, path = "/v1/exports", tag = "exports", params(ExportsQuery), responses((status = 200, body = ExportList)))]
async fn list_exports(State(state): State<AppState>, who: Principal, Query(query): Query<ExportsQuery>) -> HttpResult<Json<ExportList>> {
    who.require(Scope::View)?;
    let account = query.account.unwrap_or_else(|| who.account().clone());
    if !who.covers_account(&account) {
        return Err(AccountsError::Unknown(account).into());
    }
    state.accounts().account(&account).await?;
    let rows = state.exports.list(&who, &account, query.before.as_deref()).await?;
    let now = state.clock.now();
    Ok(Json(ExportList { exports: rows.into_iter().map(|row| view(row, now)).collect() }))
}

/// Ask for an export
///
/// It is written in the background, and stays when nobody waits for it. What is exported is what the one who asks may have when it is
/// written.
#[utoipa::path(post, path = "/v1/exports", tag = "exports", request_body = NewExportBody, responses(
    (status = 202, body = Export, description = "It waits for its turn"),
    (status = 404, body = ProblemSchema, content_type = "application/problem+json", description = "`unknown_stream`, `no_footage`"),
    (status = 409, body = ProblemSchema, content_type = "application/problem+json", description = "`too_many` under way, `no_room`"),
    (status = 410, body = ProblemSchema, content_type = "application/problem+json", description = "`pruned`, `erased`"),
    (status = 422, body = ProblemSchema, content_type = "application/problem+json", description = "`invalid_value`"),
))]
async fn ask_export(
    State(state): State<AppState>,
    who: Principal,
    Json(asked): Json<NewExportBody>,
) -> HttpResult<(StatusCode, Json<Export>)> {
    who.require(Scope::View)?;
    let now = state.clock.now();
    let range = TimeRange::new(Timestamp::parse(&asked.start, now)?, Timestamp::parse(&asked.end, now)?)?;
    let mut streams = Vec::new();
    for stream in &asked.streams {
        streams.push(state.visible_stream(&who, stream).await?);
    }
    let format = match asked.format {
        Format::Mp4 => ExportFormat::Mp4,
        Format::Archive => ExportFormat::Archive,
    };
    let row = state.exports.ask(&who, NewJob { streams, range, format, note: asked.note }).await?;
    tracing::info!(export = row.export.id, by = who.label(), bytes = row.export.total_bytes, "export asked for");
    Ok((StatusCode::ACCEPTED, Json(view(row, now))))
}

/// One export
#[utoipa::path(get, path = "/v1/exports/{id}", tag = "exports", params(("id" = String, Path, description = "Id of the export")),
    responses((status = 200, body = Export)))]
async fn show_export(State(state): State<AppState>, who: Principal, Path(id): Path<String>) -> HttpResult<Json<Export>> {
    Ok(Json(view(state.exports.show(&who, &id).await?, state.clock.now())))
}

/// Cancel or remove an export
///
/// One that waits or runs is cancelled; one that is over is removed with its file.
#[utoipa::path(delete, path = "/v1/exports/{id}", tag = "exports", params(("id" = String, Path, description = "Id of the export")),
    responses((status = 204, description = "Cancelled, or gone")))]
async fn remove_export(State(state): State<AppState>, who: Principal, Path(id): Path<String>) -> HttpResult<StatusCode> {
    state.exports.remove(&who, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The file of an export
#[utoipa::path(get, path = "/v1/exports/{id}/file", tag = "exports", params(("id" = String, Path, description = "Id of the export")), responses(
    (status = 200, content_type = "application/octet-stream", body = Vec<u8>, description = "`video/mp4` or `application/zip`"),
    (status = 206, content_type = "application/octet-stream", body = Vec<u8>),
    (status = 304, description = "Unchanged"),
    (status = 404, body = ProblemSchema, content_type = "application/problem+json", description = "`unknown_export`"),
    (status = 409, body = ProblemSchema, content_type = "application/problem+json", description = "`no_file`: it is not done"),
    (status = 410, body = ProblemSchema, content_type = "application/problem+json", description = "`erased`: footage in it was erased"),
    (status = 412, body = ProblemSchema, content_type = "application/problem+json"),
    (status = 416, body = ProblemSchema, content_type = "application/problem+json"),
))]
async fn export_file(
    State(state): State<AppState>,
    who: Principal,
    Path(id): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> HttpResult<Response> {
    let (row, file, opened) = state.exports.open(&who, &id).await?;
    let job = &row.export;
    if method == Method::GET {
        for stream in &job.streams {
            state.saw(&who, (&job.account, stream), Verb::Exported, job.range);
        }
    }
    let kind = match job.format {
        ExportFormat::Mp4 => "video/mp4",
        ExportFormat::Archive => "application/zip",
    };
    let mut entity = Entity::new(kind, &file.sha256, file.size_bytes, REVALIDATE);
    if let Ok(value) = HeaderValue::try_from(format!("attachment; filename=\"{}\"", file.name)) {
        entity.headers.insert(header::CONTENT_DISPOSITION, value);
    }
    let opened = Arc::new(opened);
    Ok(entity.respond(&method, &headers, |range| file_body(Arc::clone(&opened), range)))
}

fn file_body(file: Arc<File>, range: Range<u64>) -> Body {
    Body::from_stream(stream::try_unfold(range, move |range| {
        let file = Arc::clone(&file);
        async move {
            if range.is_empty() {
                return Ok::<_, std::io::Error>(None);
            }
            let step = range.start..range.end.min(range.start + STEP_BYTES);
            let bytes = tokio::task::spawn_blocking({
                let step = step.clone();
                move || read(&file, &step)
            });
            let bytes = bytes.await.map_err(std::io::Error::other)??;
            Ok(Some((bytes, step.end..range.end)))
        }
    }))
}

fn read(file: &File, range: &Range<u64>) -> std::io::Result<Bytes> {
    let mut bytes = vec![0; (range.end - range.start) as usize];
    file.read_exact_at(&mut bytes, range.start)?;
    Ok(bytes.into())
}

fn view(row: ExportRow, now: Timestamp) -> Export {
    let job = row.export;
    let eta_s = match (row.state, row.started_at) {
        (ExportState::Running, Some(started)) => eta_s(row.done_bytes, job.total_bytes, now.micros_since(started)),
        _ => None,
    };
    let (file_name, size_bytes, sha256) = match row.file {
        Some(file) => (Some(file.name), Some(file.size_bytes), Some(file.sha256)),
        None => (None, None, None),
    };
    Export {
        id: job.id,
        account: job.account.to_string(),
        streams: job.streams.iter().map(ToString::to_string).collect(),
        start_us: job.range.start().as_micros(),
        end_us: job.range.end().as_micros(),
        format: job.format.as_str(),
        note: job.note,
        by: job.made_by,
        created_at_us: job.created_at.as_micros(),
        state: row.state,
        done_bytes: row.done_bytes,
        total_bytes: job.total_bytes,
        eta_s,
        error: row.error,
        file_name,
        size_bytes,
        sha256,
        expires_at_us: row.expires_at.map(Timestamp::as_micros),
    }
}

fn eta_s(done: u64, total: u64, took_us: i64) -> Option<u64> {
    let took_s = u128::try_from(took_us).ok()? / 1_000_000;
    let left = u128::from(total.saturating_sub(done));
    (done > 0).then(|| u64::try_from(left * took_s / u128::from(done)).unwrap_or(u64::MAX))
}
