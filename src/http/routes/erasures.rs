//! Erasures on request: ask for them, and see what became of them.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::db::{ErasedBlock, ErasureRow, NewErasure};
use crate::entitlement::{Principal, Scope};
use crate::http::extract::{Json, ListQuery, Path, Query};
use crate::http::problem::{Code, HttpResult, Problem};
use crate::http::state::{AppState, Services};
use crate::media::{AccountId, BlockId, StreamId, TimeRange, Timestamp};
use crate::retention::Going;

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list_erasures, ask_erasure)).routes(routes!(show_erasure))
}

/// Erasures in one answer.
const LIST_MAX: u32 = 200;
/// Blocks in one answer: a week of one stream.
const BLOCKS_MAX: u32 = 1000;

/// What is to be erased. Every segment that the range touches goes, and cannot be brought back.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct NewErasureBody {
    /// Missing: every stream of `account`.
    #[schema(value_type = Option<String>, example = "door")]
    stream: Option<StreamId>,
    /// Instead of `stream`.
    #[schema(value_type = Option<String>)]
    account: Option<AccountId>,
    /// RFC 3339, Unix seconds, or negative seconds relative to now. Missing: from the first footage.
    #[schema(example = "2026-05-03T14:00:00Z")]
    start: Option<String>,
    /// Missing: now. Not in the future.
    #[schema(example = "2026-05-03T15:00:00Z")]
    end: Option<String>,
    /// Must be true where neither `start` nor `end` is given: all footage up to now.
    #[serde(default)]
    all: bool,
    #[schema(example = "Request under Article 17 GDPR")]
    reason: String,
    /// Whose wish it is.
    #[schema(example = "Mrs Miller, letter of 2 May")]
    asked_by: String,
    /// Only say what would go.
    #[serde(default)]
    dry_run: bool,
}

/// An erasure. Nothing of its range is served from `asked_at_us` on.
#[derive(Serialize, utoipa::ToSchema)]
struct Erasure {
    id: i64,
    #[schema(value_type = String)]
    account: AccountId,
    /// Null: every stream of the account.
    #[schema(value_type = Option<String>)]
    stream: Option<StreamId>,
    start_us: i64,
    end_us: i64,
    reason: String,
    asked_by: String,
    /// Who entered it.
    actor: String,
    asked_at_us: i64,
    /// Null: bytes of it are still on disk, or something of it may still come from a block that is being written.
    finished_at_us: Option<i64>,
    /// Blocks of which something went, so far.
    blocks: u64,
    segments: u64,
    /// Of media.
    bytes: u64,
}

#[derive(Serialize, utoipa::ToSchema)]
struct ErasureList {
    erasures: Vec<Erasure>,
}

/// What goes of one stream, widened to whole segments.
#[derive(Serialize, utoipa::ToSchema)]
struct GoingView {
    #[schema(value_type = String)]
    stream: StreamId,
    /// Of the first segment. Null: there is nothing.
    start_us: Option<i64>,
    /// Of the last segment.
    end_us: Option<i64>,
    segments: u64,
    bytes: u64,
    /// Blocks of which nothing is left.
    whole_blocks: u64,
    /// Blocks of which the rest stays.
    part_blocks: u64,
}

#[derive(Serialize, utoipa::ToSchema)]
struct AskedErasure {
    /// Null for a dry run.
    erasure: Option<Erasure>,
    going: Vec<GoingView>,
}

/// What went of one block.
#[derive(Serialize, utoipa::ToSchema)]
struct ErasedView {
    #[schema(value_type = String)]
    block: BlockId,
    #[schema(value_type = String)]
    stream: StreamId,
    start_us: i64,
    end_us: i64,
    /// Nothing was left of the block.
    whole: bool,
    segments: u64,
    bytes: u64,
    /// Of the block before, in hexadecimal.
    checksum: Option<String>,
    hidden_at_us: i64,
    /// Null: its bytes are still on disk.
    gone_at_us: Option<i64>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct ErasureDetail {
    erasure: Erasure,
    /// By block, at most 1,000.
    taken: Vec<ErasedView>,
    /// The last block of a full page: what `after` takes to go on. Null: that was all.
    #[schema(value_type = Option<String>)]
    next: Option<BlockId>,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct DetailQuery {
    /// Blocks after this one.
    #[param(value_type = Option<String>)]
    after: Option<BlockId>,
}

/// List erasures
///
/// Newest first, at most 200: all of them for operators, one's own account's for others.
#[utoipa::path(get, path = "/v1/erasures", tag = "retention", params(ListQuery),
    responses((status = 200, body = ErasureList, description = "Newest first")))]
async fn list_erasures(State(state): State<AppState>, who: Principal, Query(query): Query<ListQuery>) -> HttpResult<Json<ErasureList>> {
    let account = state.audited_account(&who, query.account)?;
    let rows = state.db.erasures(account.as_ref(), query.before, LIST_MAX).await?;
    Ok(Json(ErasureList { erasures: rows.into_iter().map(view).collect() }))
}

/// Erase footage
///
/// From the answer on nothing of the range is served. The bytes follow within minutes, when requests that began before have had
/// their time; those of a block that is being written, when it is sealed. Footage that a hold keeps is refused with `held`.
#[utoipa::path(post, path = "/v1/erasures", tag = "retention", request_body = NewErasureBody, responses(
    (status = 200, body = AskedErasure, description = "A dry run: what would go"),
    (status = 202, body = AskedErasure, description = "It is written down and under way; there is no way back")))]
async fn ask_erasure(
    State(state): State<AppState>,
    who: Principal,
    Json(asked): Json<NewErasureBody>,
) -> HttpResult<(StatusCode, Json<AskedErasure>)> {
    who.require_everywhere(Scope::Admin)?;
    let (now, dry_run) = (state.clock.now(), asked.dry_run);
    let new = requested(&state, &who, asked, now).await?;
    let eraser = state.retention.eraser();
    let going = eraser.preview(&new, now).await?.into_iter().map(going_view).collect();
    if dry_run {
        return Ok((StatusCode::OK, Json(AskedErasure { erasure: None, going })));
    }
    let row = eraser.ask(&new, now).await?;
    state.retention.changed();
    // What is sealed is out of every row before the answer; the rest of the work outlives the request.
    eraser.advance(now).await?;
    let (clock, id) = (state.clock.clone(), row.id);
    tokio::spawn(async move {
        if let Err(error) = eraser.carry_out(id, &clock).await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                erasure = id,
                "an erasure was interrupted; the next run of retention goes on with it"
            );
        }
    });
    let row = state.db.erasure(row.id).await?.unwrap_or(row);
    Ok((StatusCode::ACCEPTED, Json(AskedErasure { erasure: Some(view(row)), going })))
}

/// One erasure
#[utoipa::path(get, path = "/v1/erasures/{id}", tag = "retention", params(("id" = i64, Path, description = "Its number"), DetailQuery),
    responses((status = 200, body = ErasureDetail, description = "What was asked for, and what went")))]
async fn show_erasure(
    State(state): State<AppState>,
    who: Principal,
    Path(id): Path<String>,
    Query(query): Query<DetailQuery>,
) -> HttpResult<Json<ErasureDetail>> {
    who.require_everywhere(Scope::Audit)?;
    let unknown = || Problem::new(Code::UnknownErasure, format!("There is no erasure `{id}`."));
    let number: i64 = id.parse().map_err(|_| unknown())?;
    let row = state.db.erasure(number).await?.filter(|row| who.covers_account(&row.erasure.account)).ok_or_else(unknown)?;
    let taken = state.db.erased_by(number, query.after, BLOCKS_MAX).await?;
    let next = taken.last().map(|b| b.block).filter(|_| taken.len() == BLOCKS_MAX as usize);
    Ok(Json(ErasureDetail { erasure: view(row), taken: taken.into_iter().map(erased_view).collect(), next }))
}

/// The request as the rest of the product has it, of an account that `who` may see to.
async fn requested(state: &Services, who: &Principal, asked: NewErasureBody, now: Timestamp) -> HttpResult<NewErasure> {
    if asked.start.is_none() && asked.end.is_none() && !asked.all {
        return Err(Problem::new(Code::InvalidValue, "Give `start` and `end`; or `all`: true, for all footage up to now."));
    }
    let moment = |text: Option<&String>, or| text.map_or(Ok(or), |text| Timestamp::parse(text, now));
    let range = TimeRange::new(moment(asked.start.as_ref(), Timestamp::MIN)?, moment(asked.end.as_ref(), now)?)?;
    let account = match (&asked.stream, asked.account) {
        (Some(stream), None) => {
            let row = state.db.stream(stream).await?.filter(|row| who.covers_account(&row.account));
            row.ok_or_else(|| Problem::unknown_stream(stream))?.account
        }
        (None, Some(account)) => state.account_for(who, Scope::Admin, &account).await?.id,
        _ => return Err(Problem::new(Code::InvalidValue, "Give `stream`, or `account` for all of its streams.")),
    };
    Ok(NewErasure { account, stream: asked.stream, range, reason: asked.reason, asked_by: asked.asked_by, actor: who.label() })
}

fn view(row: ErasureRow) -> Erasure {
    Erasure {
        id: row.id,
        account: row.erasure.account,
        stream: row.erasure.stream,
        start_us: row.erasure.range.start().as_micros(),
        end_us: row.erasure.range.end().as_micros(),
        reason: row.erasure.reason,
        asked_by: row.erasure.asked_by,
        actor: row.erasure.actor,
        asked_at_us: row.asked_at.as_micros(),
        finished_at_us: row.finished_at.map(Timestamp::as_micros),
        blocks: row.blocks,
        segments: row.segments,
        bytes: row.bytes,
    }
}

fn going_view((stream, going): (StreamId, Going)) -> GoingView {
    GoingView {
        stream,
        start_us: going.range.map(|r| r.start().as_micros()),
        end_us: going.range.map(|r| r.end().as_micros()),
        segments: going.segments,
        bytes: going.bytes,
        whole_blocks: going.whole_blocks,
        part_blocks: going.part_blocks,
    }
}

fn erased_view(row: ErasedBlock) -> ErasedView {
    ErasedView {
        block: row.block,
        stream: row.stream,
        start_us: row.range.start().as_micros(),
        end_us: row.range.end().as_micros(),
        whole: row.whole,
        segments: row.segments,
        bytes: row.bytes,
        checksum: row.checksum.map(|sum| format!("{sum:016x}")),
        hidden_at_us: row.hidden_at.as_micros(),
        gone_at_us: row.gone_at.map(Timestamp::as_micros),
    }
}
