//! Holds, caps, marks and sweeps: what [`HoldRows`] and [`RetentionRows`] promise.

use async_trait::async_trait;

use super::DbResult;
use crate::audit::Event;
use crate::media::{AccountId, BlockId, StreamId, TimeRange, Timestamp};

/// What is asked for when a hold is placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewHold {
    pub account: AccountId,
    /// At least one, each of the account.
    pub streams: Vec<StreamId>,
    pub range: TimeRange,
    /// Kept beside the range, in microseconds, not negative.
    pub margin_before_us: i64,
    pub margin_after_us: i64,
    pub case: String,
    pub reason: String,
    pub author: String,
    /// `None`: until it is released.
    pub expires_at: Option<Timestamp>,
}

/// A hold, with what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldRow {
    pub id: i64,
    pub hold: NewHold,
    pub placed_at: Timestamp,
    /// Who asked for its release, where a second person has to agree.
    pub release_asked: Option<(String, Timestamp)>,
    pub released: Option<(String, Timestamp)>,
}

impl HoldRow {
    /// The range with its margins.
    pub fn kept(&self) -> TimeRange {
        let start = self.hold.range.start().saturating_add_micros(-self.hold.margin_before_us);
        let end = self.hold.range.end().saturating_add_micros(self.hold.margin_after_us);
        TimeRange::new(start, end).unwrap_or(self.hold.range)
    }
    /// Whether it keeps anything at `t`.
    pub fn active_at(&self, t: Timestamp) -> bool {
        let over = self.released.as_ref().map(|(_, at)| *at).into_iter().chain(self.hold.expires_at).min();
        self.placed_at <= t && over.is_none_or(|over| t < over)
    }
    /// Whether it keeps anything from what is done at `now`, whatever the clock says: where that has gone back, one that was placed
    /// "later" is there all the same.
    pub fn keeps_from(&self, now: Timestamp) -> bool {
        let lasts = self.released.is_none() && self.hold.expires_at.is_none_or(|over| now < over);
        lasts || self.active_at(now)
    }
}

/// A hold that has just been placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedHold {
    pub row: HoldRow,
    /// Blocks that were marked and are not any more.
    pub rescued: u64,
    /// Blocks inside it whose bytes a sweep is deleting already.
    pub too_late: u64,
}

/// What came of asking for a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    Released,
    /// Another person has to ask for it too.
    Asked,
    /// The same person asked before.
    NeedsAnother,
    /// It was released before.
    WasReleased,
}

/// Holds. Each change takes the event that records it, and adds what only the transaction knows.
#[async_trait]
pub trait HoldRows: Send + Sync {
    /// Places a hold and takes marks off what it touches, in one transaction. The record gets `hold`, `rescued` and
    /// `too_late`.
    ///
    /// # Errors
    /// [`super::DbError::Missing`] for a stream that is not the account's; [`super::DbError::Erasing`] where an erasure that was asked
    /// for before is not finished: it is too late then, and a hold would promise what it cannot keep.
    async fn place_hold(&self, new: &NewHold, now: Timestamp, event: Event) -> DbResult<PlacedHold>;
    /// Releases a hold. With `two_people` the second of two different ones does. Recorded only when something changes.
    ///
    /// # Errors
    /// [`super::DbError::Missing`] when there is no such hold.
    async fn release_hold(&self, id: i64, by: &str, two_people: bool, now: Timestamp, event: Event) -> DbResult<Release>;
    async fn hold(&self, id: i64) -> DbResult<Option<HoldRow>>;
    /// By number, those after `after`, at most `limit`; those that are over too.
    async fn holds(&self, account: Option<&AccountId>, after: i64, limit: u32) -> DbResult<Vec<HoldRow>>;
    /// All that ever were on the stream.
    async fn holds_on(&self, stream: &StreamId) -> DbResult<Vec<HoldRow>>;
}

/// From when on which cap a stream had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapRow {
    pub from: Timestamp,
    /// `None`: no cap.
    pub hours: Option<u32>,
    pub set_by: String,
}

/// A sealed block without its table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockBrief {
    pub id: BlockId,
    pub account: AccountId,
    pub stream: StreamId,
    pub range: TimeRange,
    pub size_bytes: u64,
    pub segments: u64,
    pub checksum: Option<u64>,
}

/// Blocks together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockSums {
    pub blocks: u64,
    pub segments: u64,
    pub bytes: u64,
    /// Wall time.
    pub duration_us: i64,
    pub last_end: Option<Timestamp>,
}

/// What the judge gave up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMark {
    pub block: BlockId,
    pub due_at: Timestamp,
    /// What was decided, under which plan.
    pub rule: serde_json::Value,
}

/// A marked block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkRow {
    pub block: BlockBrief,
    pub marked_at: Timestamp,
    pub due_at: Timestamp,
    pub rule: serde_json::Value,
    /// The sweep that deletes it. Only the enforcer, which knows whether the bytes are still there, can take it back.
    pub sweep: Option<i64>,
}

/// A sweep of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SweepRow {
    pub id: i64,
    pub account: AccountId,
    pub begun_at: Timestamp,
    pub finished_at: Option<Timestamp>,
}

/// What a sweep took, added up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SweepSummary {
    pub sweep: SweepRow,
    /// By stream.
    pub streams: Vec<(StreamId, BlockSums)>,
    /// From the first to the last of the footage; `None`: nothing was taken yet.
    pub range: Option<TimeRange>,
    /// Numbers of its receipts, part by part.
    pub receipts: Vec<i64>,
}

/// A block that is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SweptRow {
    pub sweep: i64,
    pub block: BlockBrief,
    pub marked_at: Timestamp,
    pub due_at: Timestamp,
    pub rule: serde_json::Value,
}

/// Where the enforcer stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetentionState {
    pub last_run: Option<Timestamp>,
    /// Why it stands still, and since when.
    pub stopped: Option<(Timestamp, serde_json::Value)>,
    /// The stops that an operator has seen since the last run that came to its end.
    pub confirmed: Vec<serde_json::Value>,
}

/// Caps, marks, sweeps. What deletes rows of blocks is [`super::IndexChange::BlocksSwept`], through the index.
#[async_trait]
pub trait RetentionRows: Send + Sync {
    async fn set_cap(&self, stream: &StreamId, hours: Option<u32>, by: &str, now: Timestamp, event: Event) -> DbResult<()>;
    /// All caps the stream ever had, oldest first.
    async fn caps(&self, stream: &StreamId) -> DbResult<Vec<CapRow>>;
    /// Sealed blocks that end at `until` or before and start after `after`, oldest first, without those that are marked,
    /// at most `limit`.
    async fn unmarked_until(&self, stream: &StreamId, until: Timestamp, after: Timestamp, limit: u32) -> DbResult<Vec<BlockBrief>>;
    /// Marks those of the blocks that no hold touches at `now` and that are sealed and not marked yet; hold check, marks and
    /// record are one transaction. Recorded, with `blocks`, when there is one.
    async fn mark(&self, marks: &[NewMark], now: Timestamp, event: Event) -> DbResult<Vec<BlockId>>;
    /// Takes marks off again, except where a sweep has begun. Recorded, with `blocks`, when there was one.
    async fn unmark(&self, blocks: &[BlockId], event: Event) -> DbResult<u64>;
    /// Takes marks off again although this sweep has taken the blocks: the caller knows that their bytes are there, and that
    /// nothing deletes them meanwhile. Recorded, with `blocks`, when there was one.
    async fn spare(&self, sweep: i64, blocks: &[BlockId], event: Event) -> DbResult<u64>;
    /// Marks of blocks after this one by id, at most `limit`.
    async fn marks(&self, after: Option<BlockId>, limit: u32) -> DbResult<Vec<MarkRow>>;
    /// Of the stream, those that no sweep has begun to delete; and when the first of them is due.
    async fn marked_sums(&self, stream: &StreamId) -> DbResult<(BlockSums, Option<Timestamp>)>;
    /// Of the stream, what is due at `now` and no sweep has begun to delete.
    async fn due_sums(&self, stream: &StreamId, now: Timestamp) -> DbResult<BlockSums>;
    /// Wall time of all footage of the stream.
    async fn footage_us(&self, stream: &StreamId) -> DbResult<i64>;
    /// Blocks that touch `range` and end at `ended_by` or before.
    async fn sum_blocks(&self, stream: &StreamId, range: TimeRange, ended_by: Timestamp) -> DbResult<BlockSums>;
    /// Blocks of the stream that touch `range` and are given up, with when each is due, in time order, at most `limit`: those a sweep has
    /// taken, too.
    async fn marked_in(&self, stream: &StreamId, range: TimeRange, limit: u32) -> DbResult<Vec<(TimeRange, Timestamp)>>;
    async fn mark_of(&self, block: BlockId) -> DbResult<Option<MarkRow>>;
    /// Begins a sweep of what is due at `now` in one account and held by nothing: at most `limit` blocks, the longest due
    /// first. `None` when nothing is. What a hold touches loses its mark instead.
    async fn begin_sweep(&self, now: Timestamp, limit: u32) -> DbResult<Option<(SweepRow, Vec<MarkRow>)>>;
    /// Sweeps that a crash or an error cut short, with what is left of them.
    async fn unfinished_sweeps(&self) -> DbResult<Vec<(SweepRow, Vec<MarkRow>)>>;
    /// Newest first.
    async fn sweeps(&self, account: Option<&AccountId>, limit: u32) -> DbResult<Vec<SweepRow>>;
    async fn sweep(&self, id: i64) -> DbResult<Option<SweepRow>>;
    /// Newest first, those before the one with this number, at most `limit`.
    async fn sweep_summaries(&self, account: Option<&AccountId>, before: Option<i64>, limit: u32) -> DbResult<Vec<SweepSummary>>;
    async fn swept_by(&self, sweep: i64) -> DbResult<Vec<SweptRow>>;
    /// One of those that were in `range` before a sweep took them: the one that began last.
    async fn swept_in(&self, stream: &StreamId, range: TimeRange) -> DbResult<Option<SweptRow>>;
    /// What was at `t` of the stream before a sweep took it.
    async fn swept_at(&self, stream: &StreamId, t: Timestamp) -> DbResult<Option<SweptRow>> {
        let Ok(instant) = TimeRange::new(t, t.saturating_add_micros(1)) else { return Ok(None) };
        self.swept_in(stream, instant).await
    }

    async fn retention_state(&self) -> DbResult<RetentionState>;
    /// A run came to its end: forgets the confirmed stops.
    async fn note_run(&self, now: Timestamp) -> DbResult<()>;
    /// A command asks the running service for a run.
    async fn ask_run(&self, now: Timestamp) -> DbResult<()>;
    /// When somebody asked, until it is answered.
    async fn run_asked(&self) -> DbResult<Option<Timestamp>>;
    /// Answers all that were asked at `asked` or before.
    async fn answer_run(&self, asked: Timestamp, report: &serde_json::Value) -> DbResult<()>;
    /// The answer to what was asked at `asked`.
    async fn answered_run(&self, asked: Timestamp) -> DbResult<Option<serde_json::Value>>;
    /// The same stop again changes nothing and is not recorded again. True when it is new.
    async fn stop_retention(&self, why: &serde_json::Value, now: Timestamp, event: Event) -> DbResult<bool>;
    /// False when nothing stands still.
    async fn confirm_retention(&self, event: Event) -> DbResult<bool>;
    /// Replaces a forecast made at the same moment, and forgets those a week older.
    async fn save_forecast(&self, account: &AccountId, made_at: Timestamp, bytes: u64) -> DbResult<()>;
    /// The newest made at `t` or before: when, and how many bytes.
    async fn forecast_before(&self, account: &AccountId, t: Timestamp) -> DbResult<Option<(Timestamp, u64)>>;
}
