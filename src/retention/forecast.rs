//! What would go: by time passing, another plan, a cap, a hold released.

use serde::{Deserialize, Serialize};

use super::judge::{AccountRules, Cap, Judge};
use super::rules::Decided;
use crate::db::{BlockBrief, BlockSums, Db, DbResult};
use crate::media::{PlanHistory, PlanSpan, StreamId, Timestamp, Window};

/// Blocks are read so many at a time: 1 MB of rows.
pub(super) const PAGE: u32 = 500;

/// How much footage.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = FootageAmount)]
pub struct Amount {
    pub blocks: u64,
    pub segments: u64,
    pub bytes: u64,
    /// Wall time.
    pub duration_us: i64,
}

impl Amount {
    pub fn add(&mut self, block: &BlockBrief) {
        self.blocks += 1;
        self.segments += block.segments;
        self.bytes += block.size_bytes;
        self.duration_us += block.range.micros();
    }
    /// What is left of it without `part`, which was counted in it.
    #[must_use]
    pub fn without(self, part: Amount) -> Amount {
        Amount {
            blocks: self.blocks.saturating_sub(part.blocks),
            segments: self.segments.saturating_sub(part.segments),
            bytes: self.bytes.saturating_sub(part.bytes),
            duration_us: (self.duration_us - part.duration_us).max(0),
        }
    }
    pub fn hours(&self) -> f64 {
        self.duration_us as f64 / 3.6e9
    }
}

impl std::ops::AddAssign for Amount {
    fn add_assign(&mut self, more: Amount) {
        self.blocks += more.blocks;
        self.segments += more.segments;
        self.bytes += more.bytes;
        self.duration_us += more.duration_us;
    }
}

impl From<BlockSums> for Amount {
    fn from(sums: BlockSums) -> Amount {
        Amount { blocks: sums.blocks, segments: sums.segments, bytes: sums.bytes, duration_us: sums.duration_us }
    }
}

/// What is different from what is known. The default: nothing, only time passes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct WhatIf {
    /// Instead of the plans, from the beginning of time.
    pub window: Option<Window>,
    /// Instead of the stream's cap.
    pub cap: Option<Cap>,
    /// A hold that is not there any more.
    pub released: Option<i64>,
}

/// What of the stream would be given up at `then` and is not marked yet.
///
/// # Errors
/// [`crate::db::DbError`].
pub async fn forecast(db: &Db, stream: &StreamId, rules: &AccountRules, then: Timestamp, what_if: WhatIf) -> DbResult<Amount> {
    leaving_by(db, stream, &judge_if(db, stream, rules, then, what_if).await?).await
}

/// What of the stream this judge gives up and is not marked yet.
pub(super) async fn leaving_by(db: &Db, stream: &StreamId, judge: &Judge) -> DbResult<Amount> {
    let mut amount = Amount::default();
    let mut after = Timestamp::MIN.saturating_add_micros(-1);
    while let Some(page) = expired_page(db, stream, judge, &mut after).await? {
        page.iter().filter(|b| !judge.judge(b.range).keeps()).for_each(|b| amount.add(b));
    }
    Ok(amount)
}

/// What of the stream has left the window at `then` as things are, is still stored, and would be kept. Marked or not: what a
/// sweep has begun to delete is not counted.
///
/// # Errors
/// [`crate::db::DbError`].
pub async fn rescued_by(db: &Db, stream: &StreamId, rules: &AccountRules, then: Timestamp, what_if: WhatIf) -> DbResult<Amount> {
    let (now, other) = (judge_if(db, stream, rules, then, WhatIf::default()).await?, judge_if(db, stream, rules, then, what_if).await?);
    let mut amount = Amount::default();
    let rescues = |range| !now.judge(range).keeps() && other.judge(range).keeps();
    let mut after = Timestamp::MIN.saturating_add_micros(-1);
    while let Some(page) = expired_page(db, stream, &now, &mut after).await? {
        page.iter().filter(|b| rescues(b.range)).for_each(|b| amount.add(b));
    }
    let mut after = None;
    loop {
        let page = db.marks(after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(amount) };
        after = Some(last.block.id);
        let ours = page.iter().filter(|m| m.sweep.is_none() && m.block.stream == *stream && rescues(m.block.range));
        ours.for_each(|m| amount.add(&m.block));
    }
}

async fn judge_if(db: &Db, stream: &StreamId, rules: &AccountRules, then: Timestamp, what_if: WhatIf) -> DbResult<Judge> {
    let decided = Decided::of(db, stream).await?;
    let held = decided.held_at(then, what_if.released);
    let cap = what_if.cap.or(decided.cap_at(then));
    let Some(window) = what_if.window else { return Ok(Judge::at(then, rules, cap, held)) };
    let span = PlanSpan { from: Timestamp::MIN, plan: String::new(), version: 0, window };
    let other = AccountRules { zone: rules.zone.clone(), history: PlanHistory::new(vec![span]) };
    Ok(Judge::at(then, &other, cap, held))
}

/// The next blocks that end outside the judge's window and are not marked, holds apart; moves `after` behind them.
pub(super) async fn expired_page(db: &Db, stream: &StreamId, judge: &Judge, after: &mut Timestamp) -> DbResult<Option<Vec<BlockBrief>>> {
    let Some(until) = judge.window_start() else { return Ok(None) };
    let page = db.unmarked_until(stream, until, *after, PAGE).await?;
    let Some(last) = page.last() else { return Ok(None) };
    *after = last.range.start();
    Ok(Some(page))
}
