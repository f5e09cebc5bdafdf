//! How much was stored day by day: what [`StorageRows`] promises.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::DbResult;
use crate::media::{AccountId, StreamId, Timestamp};

/// One day (UTC) of a stream, or of several together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StorageDay {
    /// Since 1970-01-01.
    pub day: i64,
    /// At its end.
    pub stored_bytes: u64,
    pub added_bytes: u64,
    pub removed_bytes: u64,
}

/// What rows of blocks say of days, by day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StorageChanges {
    /// Of footage that begins on the day, whether it is there still or not.
    pub added: BTreeMap<i64, u64>,
    /// Swept or erased on the day.
    pub removed: BTreeMap<i64, u64>,
}

/// Days that are over, as they were.
#[async_trait]
pub trait StorageRows: Send + Sync {
    /// The newest day of the stream that is written down.
    async fn last_storage_day(&self, stream: &StreamId) -> DbResult<Option<StorageDay>>;
    /// Replaces days that are written down.
    async fn put_storage_days(&self, stream: &StreamId, days: &[StorageDay]) -> DbResult<()>;
    /// What came and went since the beginning of this day. Reads the rows of all blocks that are as young.
    async fn storage_changes(&self, stream: &StreamId, from_day: i64) -> DbResult<StorageChanges>;
    /// What went since this moment, of all streams of the account or of everybody.
    async fn removed_since(&self, account: Option<&AccountId>, since: Timestamp) -> DbResult<u64>;
    /// All streams of the account (`None`: of everybody) together, from this day on, in order.
    async fn storage_sums(&self, account: Option<&AccountId>, from_day: i64) -> DbResult<Vec<StorageDay>>;
    /// What was added to each stream from this day on, by stream and day.
    async fn storage_added(&self, account: Option<&AccountId>, from_day: i64) -> DbResult<Vec<(StreamId, i64, u64)>>;
}
