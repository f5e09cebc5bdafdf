//! What applies to one moment of a stream, and why.

use serde::Serialize;
use serde_json::Value;

use super::judge::{AccountRules, Verdict, leaves_at};
use super::rules::Decided;
use crate::db::{Db, DbResult, SweptRow};
use crate::index::Index;
use crate::media::{StreamId, TimeRange, Timestamp, Window};

/// All that can be said about `at`, seen from `now`.
#[derive(Clone, PartialEq, Debug, Serialize, utoipa::ToSchema)]
pub struct Explanation {
    #[schema(value_type = String)]
    pub stream: StreamId,
    #[schema(value_type = i64)]
    pub at_us: Timestamp,
    /// The moment that is asked from: any, past or future.
    #[schema(value_type = i64)]
    pub now_us: Timestamp,
    /// The segment in which `at` lies, while it is stored.
    #[schema(value_type = Option<Object>, example = json!({ "start_us": 1_777_816_800_000_000_i64, "end_us": 1_777_816_804_000_000_i64 }))]
    pub segment: Option<TimeRange>,
    /// Of that segment, or of footage that ended at `at`.
    pub verdict: Verdict,
    /// What begins before is not served; `None`: everything is.
    #[schema(value_type = Option<i64>)]
    pub window_start_us: Option<Timestamp>,
    pub plan: Option<String>,
    pub plan_version: Option<u32>,
    pub window: Window,
    pub cap_hours: Option<u32>,
    /// When it leaves the window, or has left it, by what is decided; `None`: never.
    #[schema(value_type = Option<i64>)]
    pub leaves_at_us: Option<Timestamp>,
    /// Holds that touch it.
    pub holds: Vec<i64>,
    #[schema(value_type = Option<i64>)]
    pub marked_at_us: Option<Timestamp>,
    /// The end of the grace.
    #[schema(value_type = Option<i64>)]
    pub due_at_us: Option<Timestamp>,
    /// The sweep that took it or is taking it.
    pub sweep: Option<i64>,
    /// Footage that was there, and how it went; null: it is there, or never was.
    pub gone: Option<Gone>,
    /// Under which it was marked.
    #[schema(value_type = Option<Object>)]
    pub rule: Option<Value>,
}

/// How footage went.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, utoipa::ToSchema)]
#[serde(tag = "by", rename_all = "snake_case")]
#[schema(as = FootageGone)]
pub enum Gone {
    /// Deleted because its time was up.
    Sweep {
        sweep: i64,
        /// When it was done; null: it is being deleted.
        #[schema(value_type = Option<i64>)]
        at_us: Option<Timestamp>,
    },
    /// Erased on request.
    Erasure {
        erasure: i64,
        /// From then on nobody was shown it.
        #[schema(value_type = i64)]
        hidden_at_us: Timestamp,
        /// From then on its bytes were not there; null: soon.
        #[schema(value_type = Option<i64>)]
        at_us: Option<Timestamp>,
    },
}

async fn gone(db: &Db, stream: &StreamId, at: Timestamp, swept: Option<&SweptRow>) -> DbResult<Option<Gone>> {
    if let Some(swept) = swept {
        let at_us = db.sweep(swept.sweep).await?.and_then(|s| s.finished_at);
        return Ok(Some(Gone::Sweep { sweep: swept.sweep, at_us }));
    }
    let Ok(moment) = TimeRange::new(at, at.saturating_add_micros(1)) else { return Ok(None) };
    let erased = db.erased_in(stream, moment).await?;
    Ok(erased.map(|e| Gone::Erasure { erasure: e.erasure, hidden_at_us: e.hidden_at, at_us: e.gone_at }))
}

/// # Errors
/// [`crate::db::DbError`].
pub async fn explain(index: &Index, rules: &AccountRules, stream: &StreamId, at: Timestamp, now: Timestamp) -> DbResult<Explanation> {
    let db = index.db();
    let located = index.segment_covering(stream, at).await?;
    let segment = located.as_ref().map(|l| l.segment.range());
    let judged = segment.unwrap_or_else(|| instant(at));
    let decided = Decided::of(db, stream).await?;
    let (judge, cap) = (decided.judge_at(rules, now), decided.cap_at(now));
    let touching = db.holds_on(stream).await?.into_iter().filter(|h| h.active_at(now) && h.kept().overlaps(judged));
    let mark = match &located {
        Some(located) => db.mark_of(located.block.id).await?,
        None => None,
    };
    let swept = if located.is_none() { db.swept_at(stream, at).await? } else { None };
    let gone = if located.is_none() { gone(db, stream, at, swept.as_ref()).await? } else { None };
    let plan = rules.history.at(now);
    Ok(Explanation {
        gone,
        stream: stream.clone(),
        at_us: at,
        now_us: now,
        segment,
        verdict: judge.judge(judged),
        window_start_us: judge.window_start(),
        plan: plan.map(|p| p.plan.clone()),
        plan_version: plan.map(|p| p.version),
        window: rules.history.window_at(now),
        cap_hours: cap.map(|c| c.hours),
        leaves_at_us: leaves_at(judged.end(), judged.end(), rules, cap),
        holds: touching.map(|h| h.id).collect(),
        marked_at_us: mark.as_ref().map(|m| m.marked_at).or(swept.as_ref().map(|s| s.marked_at)),
        due_at_us: mark.as_ref().map(|m| m.due_at),
        sweep: mark.as_ref().and_then(|m| m.sweep).or(swept.as_ref().map(|s| s.sweep)),
        rule: mark.map(|m| m.rule).or(swept.map(|s| s.rule)),
    })
}

/// Footage of which nothing is known but that it lay there.
fn instant(at: Timestamp) -> TimeRange {
    TimeRange::new(at.saturating_add_micros(-1), at).expect("a microsecond")
}
