//! Erasures on request: what [`ErasureRows`] promises.

use async_trait::async_trait;

use super::DbResult;
use crate::audit::Event;
use crate::media::{AccountId, BlockId, StreamId, TimeRange, Timestamp};

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewErasure {
    pub account: AccountId,
    /// `None`: every stream of the account, removed ones too.
    pub stream: Option<StreamId>,
    /// Every segment that it touches goes.
    pub range: TimeRange,
    pub reason: String,
    /// Whose wish it is: a person, a letter, a court.
    pub asked_by: String,
    /// Who entered it.
    pub actor: String,
}

/// An erasure, with what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasureRow {
    pub id: i64,
    pub erasure: NewErasure,
    pub asked_at: Timestamp,
    /// `None`: something of it is still on disk, or may still come from a block that is being written. Nothing of it is served.
    pub finished_at: Option<Timestamp>,
    /// What has gone, or is hidden and about to go: blocks touched, segments, bytes of media.
    pub blocks: u64,
    pub segments: u64,
    pub bytes: u64,
}

/// What an erasure took of one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasedBlock {
    pub erasure: i64,
    pub block: BlockId,
    pub account: AccountId,
    pub stream: StreamId,
    /// From the first segment that went to the end of the last.
    pub range: TimeRange,
    /// Nothing was left of the block, and its file went too.
    pub whole: bool,
    pub segments: u64,
    /// Of media.
    pub bytes: u64,
    /// The block's checksum before.
    pub checksum: Option<u64>,
    /// From then on no row led to it.
    pub hidden_at: Timestamp,
    /// From then on its bytes were not there.
    pub gone_at: Option<Timestamp>,
}

/// Erasures. What flags segments and deletes rows are [`super::IndexChange::SegmentsErased`] and
/// [`super::IndexChange::ErasedBytesGone`], through the index.
#[async_trait]
pub trait ErasureRows: Send + Sync {
    /// Writes it down, with its record, in one transaction with the look at the holds. From then on [`ErasureRows::pending_erasures`]
    /// has it. The record gets `erasure`.
    ///
    /// # Errors
    /// [`super::DbError::Held`] when a hold touches a segment that would go: nothing has changed then.
    /// [`super::DbError::Missing`] for a stream that is not the account's.
    async fn add_erasure(&self, new: &NewErasure, now: Timestamp, event: Event) -> DbResult<ErasureRow>;
    async fn erasure(&self, id: i64) -> DbResult<Option<ErasureRow>>;
    /// Newest first, those before the one with this number, at most `limit`.
    async fn erasures(&self, account: Option<&AccountId>, before: Option<i64>, limit: u32) -> DbResult<Vec<ErasureRow>>;
    /// Oldest first.
    async fn unfinished_erasures(&self, limit: u32) -> DbResult<Vec<ErasureRow>>;
    /// Of this stream: nothing that touches these ranges may be served.
    async fn pending_erasures(&self, stream: &StreamId) -> DbResult<Vec<TimeRange>>;
    /// What the erasure took, in order of block ids after this one, at most `limit`.
    async fn erased_by(&self, erasure: i64, after: Option<BlockId>, limit: u32) -> DbResult<Vec<ErasedBlock>>;
    /// Blocks hidden at `hidden_until` or before, and nothing of them later, whose bytes are still there; at most `limit`.
    async fn blocks_to_wipe(&self, hidden_until: Timestamp, limit: u32) -> DbResult<Vec<ErasedBlock>>;
    /// Whether the block has segments that are hidden and whose bytes are still there.
    async fn wipe_is_due(&self, block: BlockId) -> DbResult<bool>;
    /// The erasure that left nothing of this block.
    async fn whole_erased(&self, block: BlockId) -> DbResult<Option<ErasedBlock>>;
    /// One of those that were in `range` of the stream before an erasure took them: the one that began last.
    async fn erased_in(&self, stream: &StreamId, range: TimeRange) -> DbResult<Option<ErasedBlock>>;
    /// The erasure is over. False, and nothing recorded, when it was before or bytes of it are still there.
    async fn finish_erasure(&self, id: i64, now: Timestamp, event: Event) -> DbResult<bool>;
}
