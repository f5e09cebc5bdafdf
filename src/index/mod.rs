//! Which blocks and segments cover which time: lookup, coverage, the live edge, and the single door for changes.
//!
//! Leaves to others: the rows themselves (`db`), the bytes (`store`), who may see what (`entitlement`).
//!
//! **Invariants.**
//! - [`Index::commit`] is the only way in: first the rows, in one transaction, then what is cached here, then
//!   the wake-ups. Who is woken finds what woke him.
//! - What is committed is durable in its file already; the caller syncs first.
//! - An answer is never older than the last commit made through this index. Commits of other processes are
//!   seen at the latest after [`Index::refresh`], which the service calls when
//!   [`crate::db::StreamRows::streams_generation`] has grown.
//!
//! **When things fail.** A commit that fails changes nothing, here or in the rows. The index can be lost: see
//! [`rebuild()`]. Rows and bytes can disagree: see [`check()`].

mod cache;
mod change;
pub mod check;
pub mod coverage;
mod holes;
mod lookup;
pub mod rebuild;
mod recover;
mod restore;
mod salvage;
mod stopwatch;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use tokio::sync::watch;

use crate::db::{Db, DbError, StreamTotals};
use crate::media::{BlockId, BlockInfo, Gap, RunId, RunInfo, Segment, StreamId, TimeRange, Timestamp};
use crate::store::{MediaRoot, StoreError};

pub use check::{CheckEvent, CheckOptions, CheckSummary, Depth, Finding, FindingKind, Progress, check};
pub use coverage::{CoverageAnswer, GapSpan, Missing, RunSpan};
pub use rebuild::{RebuildEvent, RebuildSummary, rebuild};
pub use recover::{RecoveryReport, recover};

/// What can go wrong with the index as a whole.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    #[error(transparent)]
    Db(#[from] DbError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the work was cut short: {0}")]
    Interrupted(String),
}

pub type IndexResult<T> = Result<T, IndexError>;

/// One segment and the block it lies in.
#[derive(Clone, Debug)]
pub struct Located {
    pub block: Arc<BlockInfo>,
    pub segment: Segment,
}

/// Where a stream's recording stands.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LiveEdge {
    /// End of the newest footage.
    pub end: Option<Timestamp>,
    /// The gap that lasts now, if nothing is being recorded.
    pub open_gap: Option<Gap>,
    /// Grows with every change to the stream's footage or gaps.
    pub version: u64,
}

/// The index of one installation. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Index(Arc<Inner>);

struct Inner {
    db: Db,
    /// Where the journal of open blocks and the streams' cards are; `None` in tests of rows alone.
    root: Option<MediaRoot>,
    /// Commits tell a service running beside this process.
    announce: bool,
    /// Commits go through one at a time, so that memory changes in the order of the rows.
    door: tokio::sync::Mutex<()>,
    cache: cache::Cache,
}

impl Index {
    /// For the service.
    pub fn new(db: Db, root: MediaRoot) -> Index {
        Self::build(db, Some(root), false)
    }

    /// For a command that works beside a running service: its commits make the service look again.
    pub fn for_command(db: Db, root: MediaRoot) -> Index {
        Self::build(db, Some(root), true)
    }

    /// Without a media folder: lookups and commits of rows only.
    pub fn rows_only(db: Db) -> Index {
        Self::build(db, None, false)
    }

    fn build(db: Db, root: Option<MediaRoot>, announce: bool) -> Index {
        Index(Arc::new(Inner { db, root, announce, door: tokio::sync::Mutex::default(), cache: cache::Cache::new() }))
    }

    pub fn db(&self) -> &Db {
        &self.0.db
    }

    /// A run, with its init segment. Runs never change, so the answer is kept.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn run(&self, id: RunId) -> Result<Option<Arc<RunInfo>>, DbError> {
        if let Some(run) = self.0.cache.runs.get(&id) {
            return Ok(Some(run));
        }
        let Some(run) = self.db().run(id).await? else { return Ok(None) };
        let run = Arc::new(run);
        self.0.cache.runs.insert(id, Arc::clone(&run));
        Ok(Some(run))
    }

    /// A block's row.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn block(&self, id: BlockId) -> Result<Option<Arc<BlockInfo>>, DbError> {
        if let Some(open) = self.0.cache.open_block(id) {
            return Ok(Some(open));
        }
        if let Some((stream, start)) = self.0.cache.places.get(&id)
            && let Ok(instant) = TimeRange::new(start, start.saturating_add_micros(1))
            && let Some(found) = self.blocks(&stream, instant, 2).await?.into_iter().find(|b| b.id == id)
        {
            return Ok(Some(found));
        }
        let found = self.db().block(id).await?.map(Arc::new);
        if let Some(block) = &found {
            self.0.cache.places.insert(id, (block.stream.clone(), block.start));
        }
        Ok(found)
    }

    /// Sums over a stream's footage.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn totals(&self, stream: &StreamId) -> Result<StreamTotals, DbError> {
        self.db().totals(stream).await
    }

    /// Follows a stream's newest footage. The receiver wakes after every commit that touches the stream.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn live_edge(&self, stream: &StreamId) -> Result<watch::Receiver<LiveEdge>, DbError> {
        Ok(self.memory(stream).await?.edge.subscribe())
    }
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Index").finish_non_exhaustive()
    }
}
