//! Every SQL statement of the product, behind traits by noun.
//!
//! Leaves to others: what the rows mean (`index`, `ingest`, `entitlement`), and bytes (`store`).
//!
//! **Invariants.** A commit is all or nothing. Visible segments of one stream never overlap: a commit that
//! would make them is refused whole with [`DbError::Overlap`]. A row names only bytes that are durable; the
//! caller syncs first.

mod access;
mod accounts;
mod bookmarks;
mod checkpoint;
#[cfg(test)]
pub(crate) mod contract;
mod erasure;
mod exports;
mod keys;
mod papers;
mod retention;
mod shares;
pub mod sqlite;
mod storage;
mod verification;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;

pub use access::{AccessRows, LinkRow, LinkUse, SESSIONS_MAX, SessionRow, TokenRow, UserRow};
pub use accounts::{AccountRow, AccountRows, LedgerLine, PlanRef, PlanRow, PlanSince, SubscriptionChange, SubscriptionRow, WrittenRequest};
pub use bookmarks::{BookmarkQuery, BookmarkRow, BookmarkRows, NewBookmark};
pub use checkpoint::{checkpoint_key, sign_checkpoint};
pub use keys::{KeyRows, SigningKeyRow};

use crate::audit::{Chain, Event, Record};
use crate::media::{AccountId, BlockId, BlockInfo, Gap, GapCause, RunId, RunInfo, SegmentEntry, StreamId, TimeRange, Timestamp};

fn holds_keep(holds: &[i64]) -> String {
    let names: Vec<String> = holds.iter().map(i64::to_string).collect();
    match holds.len() {
        1 => format!("hold {} keeps", names[0]),
        _ => format!("holds {} keep", names.join(", ")),
    }
}

/// What can go wrong with rows.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    #[error("{what} `{id}` already exists")]
    Exists { what: &'static str, id: String },
    #[error("{what} `{id}` does not exist")]
    Missing { what: &'static str, id: String },
    #[error("the {what} `{id}` has changed in the meantime; look at it again, then decide")]
    Changed { what: &'static str, id: String },
    #[error("`{id}` is the last {what} who can sign in; make another first")]
    Last { what: &'static str, id: String },
    #[error("{stream}: {new:?} overlaps what is already recorded, {existing:?}")]
    Overlap { stream: StreamId, new: TimeRange, existing: TimeRange },
    #[error("there are {max} {what} already; remove some first")]
    TooMany { what: &'static str, max: u64 },
    #[error("the database is locked by another process; stop it or wait, then try again")]
    Locked(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the database cannot be written: {0}")]
    ReadOnly(String),
    #[error("the database's disk is full; make room")]
    Full(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("{step}")]
    Sql {
        step: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("{path} cannot be used as Retroview's database: {detail}")]
    NotOurs { path: PathBuf, detail: String },
    #[error("{path} was last used by a newer Retroview (its tables are of version {found}): update this one")]
    Newer { path: PathBuf, found: i64 },
    #[error("{} what is to be erased; release {} first, or leave it out", holds_keep(holds), if holds.len() == 1 { "it" } else { "them" })]
    Held { holds: Vec<i64> },
    #[error("erasure {erasure} was asked for before and is under way: it is too late to hold this; hold what lies outside it")]
    Erasing { erasure: i64 },
    #[error("{what} in the database is damaged: {detail}")]
    Damaged { what: &'static str, detail: String },
}

pub use erasure::{ErasedBlock, ErasureRow, ErasureRows, NewErasure};
pub use exports::{ExportEnd, ExportFile, ExportFormat, ExportRow, ExportRows, ExportState, NewExport};
pub use papers::{NewReceipt, PaperRows, ReceiptKind, ReceiptRow};
pub use retention::{
    BlockBrief, BlockSums, CapRow, HoldRow, HoldRows, MarkRow, NewHold, NewMark, PlacedHold, Release, RetentionRows, RetentionState,
    SweepRow, SweepSummary, SweptRow,
};
pub use shares::{ShareRow, ShareRows};

pub use storage::{StorageChanges, StorageDay, StorageRows};
pub use verification::{AuditVerifier, Verification, VerificationState};

pub type DbResult<T> = Result<T, DbError>;
pub type Db = Arc<dyn Database>;

/// One change to the index. A slice of them commits as one transaction.
#[derive(Clone, Debug)]
pub enum IndexChange {
    RunStarted(RunInfo),
    /// A new block file; its table is empty and no one sees it until the first segment.
    BlockOpened(BlockInfo),
    /// One more whole, durable segment at the end of an open block.
    SegmentAppended {
        block: BlockId,
        entry: SegmentEntry,
    },
    /// The block is complete. `size_bytes` includes the trailer.
    BlockSealed {
        block: BlockId,
        size_bytes: u64,
        checksum: u64,
    },
    /// Nothing comes from `start` on; replaces the cause when a gap is already open at that start.
    /// A zero-length gap is dropped.
    GapOpened {
        stream: StreamId,
        start: Timestamp,
        cause: GapCause,
        detail: String,
    },
    /// Recording goes on at `end`.
    GapClosed {
        stream: StreamId,
        end: Timestamp,
    },
    /// A whole gap at once (import, rebuild, repair).
    GapAdded {
        stream: StreamId,
        gap: Gap,
    },
    /// A whole block with its table at once (import, rebuild, recovery); replaces a row of the same id.
    BlockIndexed(BlockInfo),
    /// The row goes; the caller has seen to the bytes.
    BlockForgotten {
        block: BlockId,
    },
    /// The rows of blocks whose bytes a sweep has deleted go, and are kept as its receipt; only those that are marked for
    /// it. With `finished` the sweep is over.
    BlocksSwept {
        sweep: i64,
        blocks: Vec<BlockId>,
        finished: Option<Timestamp>,
        /// Recorded in the same transaction.
        event: Box<Event>,
    },
    /// Segments at these positions of these blocks are footage no longer: no row leads to them, their time is a gap of cause
    /// [`GapCause::Erased`], and their bytes are to go. Blocks that are open, gone, or being swept, and what a hold touches at `at`,
    /// are passed over. Recorded, with what was taken, when something was.
    SegmentsErased {
        erasure: i64,
        blocks: Vec<(BlockId, Vec<u32>)>,
        at: Timestamp,
        event: Box<Event>,
    },
    /// The bytes of erased segments are gone: of blocks with a checksum the rest is there, the others' rows go.
    ErasedBytesGone {
        blocks: Vec<(BlockId, Option<u64>)>,
        /// What was hidden later is still there.
        hidden_until: Timestamp,
        at: Timestamp,
        event: Box<Event>,
    },
    /// Tells other processes, with this very commit, that footage changed: [`StreamRows::streams_generation`]
    /// grows. For imports and repairs made beside a running service.
    Announced,
}

/// A stream's row. The source's credentials are kept apart and are not in here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamRow {
    pub id: StreamId,
    pub account: AccountId,
    pub title: String,
    /// What the operator configured, without credentials. Its meaning is `ingest`'s: see `ingest::SourceSpec`.
    pub source: String,
    pub paused: bool,
    pub created_at: Timestamp,
    pub removed_at: Option<Timestamp>,
    /// Ordinal for the next run, and sequence number for the next segment of the stream.
    pub next_run_ordinal: u64,
    pub next_sequence: u64,
}

/// What is asked for when a stream is added.
#[derive(Clone, Debug)]
pub struct NewStream {
    pub id: StreamId,
    pub account: AccountId,
    pub title: String,
    pub source: String,
    /// User info of the source URL (`user:password`), kept in a table of its own; never returned by lists.
    pub credentials: Option<String>,
}

/// Streams and their sources.
#[async_trait]
pub trait StreamRows: Send + Sync {
    /// # Errors
    /// [`DbError::Exists`] also for a removed stream of that id: bring it back instead.
    async fn add_stream(&self, new: &NewStream, now: Timestamp) -> DbResult<StreamRow>;
    async fn stream(&self, id: &StreamId) -> DbResult<Option<StreamRow>>;
    /// All streams by id, removed ones only when asked.
    async fn streams(&self, with_removed: bool) -> DbResult<Vec<StreamRow>>;
    async fn stream_credentials(&self, id: &StreamId) -> DbResult<Option<String>>;
    /// Replaces source and credentials.
    async fn set_stream_source(&self, id: &StreamId, source: &str, credentials: Option<&str>) -> DbResult<()>;
    async fn set_stream_title(&self, id: &StreamId, title: &str) -> DbResult<()>;
    async fn set_stream_paused(&self, id: &StreamId, paused: bool) -> DbResult<()>;
    /// Footage stays. `None` brings the stream back.
    async fn set_stream_removed(&self, id: &StreamId, removed_at: Option<Timestamp>) -> DbResult<()>;
    /// Grows with every change to streams by any process, and with [`IndexChange::Announced`]; the service
    /// looks at it to notice the command line.
    async fn streams_generation(&self) -> DbResult<i64>;
    /// Makes sure that ordinals and sequence numbers below these are never given out again: a rebuild has seen them
    /// in files.
    async fn raise_stream_counters(&self, id: &StreamId, next_run_ordinal: u64, next_sequence: u64) -> DbResult<()>;
}

/// One unbroken stretch of a run's footage, without its init segment: what coverage is made of. A run has one,
/// or more when part of it was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunExtent {
    pub run: RunId,
    pub range: TimeRange,
}

/// A stream's newest gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastGap {
    pub start: Timestamp,
    /// `None` while it lasts.
    pub end: Option<Timestamp>,
    pub cause: GapCause,
}

/// Sums over a stream's visible footage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamTotals {
    pub first_start: Option<Timestamp>,
    /// Start of the first gap: before the first footage when that was lost.
    pub first_gap: Option<Timestamp>,
    pub last_end: Option<Timestamp>,
    /// Whose footage is the newest.
    pub last_run: Option<RunId>,
    /// The newest gap, with the one that lasts.
    pub last_gap: Option<LastGap>,
    pub blocks: u64,
    pub segments: u64,
    pub bytes: u64,
}

/// Runs, blocks, gaps.
#[async_trait]
pub trait FootageRows: Send + Sync {
    async fn commit(&self, changes: &[IndexChange]) -> DbResult<()>;
    async fn block(&self, id: BlockId) -> DbResult<Option<BlockInfo>>;
    /// Those of the blocks that are there, in no order.
    async fn blocks(&self, ids: &[BlockId]) -> DbResult<Vec<BlockInfo>>;
    /// Blocks with at least one segment inside `range`, in time order, at most `limit`.
    async fn blocks_in(&self, stream: &StreamId, range: TimeRange, limit: u32) -> DbResult<Vec<BlockInfo>>;
    /// Open blocks of all streams, those without a segment included: what recovery looks at on start.
    async fn open_blocks(&self) -> DbResult<Vec<BlockInfo>>;
    /// Every block by id order from `after`, at most `limit`: what `check` walks.
    async fn blocks_after(&self, after: Option<BlockId>, limit: u32) -> DbResult<Vec<BlockInfo>>;
    async fn run(&self, id: RunId) -> DbResult<Option<RunInfo>>;
    /// Stretches of runs with footage inside `range` (not clipped), in time order.
    async fn run_extents(&self, stream: &StreamId, range: TimeRange, limit: u32) -> DbResult<Vec<RunExtent>>;
    async fn gaps_in(&self, stream: &StreamId, range: TimeRange, limit: u32) -> DbResult<Vec<Gap>>;
    /// The end of the newest footage before or at `t`, and the start of the oldest after `t`.
    async fn neighbours(&self, stream: &StreamId, t: Timestamp) -> DbResult<(Option<Timestamp>, Option<Timestamp>)>;
    async fn totals(&self, stream: &StreamId) -> DbResult<StreamTotals>;
    /// The same of every stream at once, removed ones included: what lists show. Costs a few lookups a stream.
    async fn all_totals(&self) -> DbResult<HashMap<StreamId, StreamTotals>>;
    /// Whether footage of an import with this key is in the index.
    async fn import_known(&self, stream: &StreamId, key: &str) -> DbResult<bool> {
        Ok(!self.import_extents(stream, key).await?.is_empty())
    }
    /// The footage of imports with this key, in time order: an import that was interrupted goes on behind it.
    async fn import_extents(&self, stream: &StreamId, key: &str) -> DbResult<Vec<RunExtent>>;
    /// Blocks of one stream whose ranges overlap, as (earlier, later), at most `limit` pairs: what `check` asks.
    async fn overlapping_blocks(&self, limit: u32) -> DbResult<Vec<(BlockId, BlockId)>>;
    /// Streams whose extents and sums are not what their blocks add up to. With `mend` they are made so; where
    /// blocks overlap, the earlier one counts. Reads every block's row.
    async fn recount(&self, mend: bool) -> DbResult<Vec<StreamId>>;
    /// Empties runs, blocks and gaps of all streams: the first step of a rebuild, in the same transaction as
    /// `changes`. Counters of streams stay, so that no number is used twice.
    async fn replace_footage(&self, changes: &[IndexChange]) -> DbResult<()>;
}

/// Which records of the audit log are wanted; empty: all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditQuery {
    pub account: Option<AccountId>,
    pub stream: Option<StreamId>,
    pub actor: Option<String>,
    /// Part of the name of a user, a token or whatever else acted, in either case. Only of searches from the newest back.
    pub person: Option<String>,
    /// A whole act (`stream.paused`) or its noun (`stream`).
    pub act: Option<String>,
    /// When it happened.
    pub range: Option<TimeRange>,
}

/// The audit log. Nothing in it changes or goes.
#[async_trait]
pub trait AuditRows: Send + Sync {
    /// The same database, whose next change also records `event`, in the same transaction: both happen or neither. Once;
    /// changes after it record nothing.
    fn recording(&self, event: Event) -> Db;
    /// Records what changes no other row.
    async fn audit(&self, event: Event) -> DbResult<Record>;
    /// Number and hash of the newest record.
    async fn audit_head(&self) -> DbResult<Chain>;
    /// Records after the one with this number, oldest first, at most `limit`.
    async fn audit_records(&self, query: &AuditQuery, after: u64, limit: u32) -> DbResult<Vec<Record>>;
    /// Records before the one with this number, newest first, at most `limit`.
    async fn newest_audit_records(&self, query: &AuditQuery, before: u64, limit: u32) -> DbResult<Vec<Record>>;
}

/// Whether the database answers and can be written: `/readyz`.
#[async_trait]
pub trait Health: Send + Sync {
    async fn check_writable(&self) -> DbResult<()>;
}

/// Facts about the installation itself.
#[async_trait]
pub trait InstallationRows: Send + Sync {
    /// Something that is remembered under a name; `None` before it is.
    async fn fact(&self, name: &str) -> DbResult<Option<String>>;
    /// Replaces what was remembered.
    async fn set_fact(&self, name: &str, value: &str) -> DbResult<()>;
    /// What the rows take on disk.
    async fn database_bytes(&self) -> DbResult<u64>;
    /// Identity of the media folder that these rows belong to; `None` before the first start.
    async fn media_root_id(&self) -> DbResult<Option<String>> {
        self.fact("media_root").await
    }
    async fn set_media_root_id(&self, id: &str) -> DbResult<()> {
        self.set_fact("media_root", id).await
    }
}

/// Everything an installation keeps in rows.
pub trait Database:
    StreamRows
    + FootageRows
    + AccessRows
    + InstallationRows
    + AuditRows
    + AccountRows
    + KeyRows
    + HoldRows
    + RetentionRows
    + ErasureRows
    + PaperRows
    + StorageRows
    + BookmarkRows
    + ShareRows
    + ExportRows
    + Health
{
}
impl<T> Database for T where
    T: StreamRows
        + FootageRows
        + AccessRows
        + InstallationRows
        + AuditRows
        + AccountRows
        + KeyRows
        + HoldRows
        + RetentionRows
        + ErasureRows
        + PaperRows
        + StorageRows
        + BookmarkRows
        + ShareRows
        + ExportRows
        + Health
{
}
