//! Which streams are wanted, as the database says, and where each stands.

use std::collections::HashSet;

use tokio::sync::oneshot;

use super::book::Book;
use super::placement::WorkerId;
use crate::db::{Db, DbResult, StreamRow};
use crate::ingest::gap_list::GapList;
use crate::ingest::protocol::StreamJob;
use crate::ingest::source::{SourceKind, SourceSpec};
use crate::media::{AccountId, BlockId, GapCause, StreamId, TimeRange, Timestamp};

/// How much of what was sent to a push stream became footage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishReport {
    pub segments: u64,
    pub bytes: u64,
    /// Why it ended: `NoPublisher` when the sender ended it, anything else is a fault.
    pub cause: GapCause,
    pub detail: String,
}

/// What an operator wants of a stream.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub account: AccountId,
    pub source: String,
    pub credentials: Option<String>,
    pub paused: bool,
}

impl std::fmt::Debug for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wanted").field("source", &self.source).field("paused", &self.paused).finish_non_exhaustive()
    }
}

/// Where a stream stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Idle,
    /// A file that has been read to its end.
    Finished,
    Running(WorkerId),
    /// Told to stop at this monotonic time.
    Stopping(WorkerId, std::time::Duration),
    /// Its worker died; what it left is being looked through.
    Salvaging,
}

/// One stream of the supervisor.
#[derive(Debug)]
pub(super) struct Entry {
    /// `None`: removed.
    pub wanted: Option<Wanted>,
    /// What its worker was started with.
    pub running: Option<Wanted>,
    pub phase: Phase,
    pub book: Book,
    /// Blocks reported sealed by the worker it has: not to be salvaged.
    pub sealed: HashSet<BlockId>,
    /// The database refused its reports: nothing more of this worker's counts.
    pub refused: bool,
    /// Quarantined until the worker's first report that it records.
    pub quarantined: bool,
    pub publisher: Option<oneshot::Sender<PublishReport>>,
}

impl Entry {
    pub fn new(wanted: Wanted, book: Book) -> Self {
        Entry {
            wanted: Some(wanted),
            running: None,
            phase: Phase::Idle,
            book,
            sealed: HashSet::new(),
            refused: false,
            quarantined: false,
            publisher: None,
        }
    }

    /// What is to be recorded; `Err` says why nothing is.
    pub fn target(&self) -> Result<&Wanted, GapCause> {
        match &self.wanted {
            None => Err(GapCause::Removed),
            Some(w) if w.paused => Err(GapCause::Paused),
            Some(w) => Ok(w),
        }
    }

    /// Of a stream that has just been heard of. A file that an earlier service has read to its end is not read again;
    /// pausing and resuming the stream does that.
    pub fn phase_at_start(&self) -> Phase {
        let source = self.wanted.as_ref().and_then(|w| SourceSpec::stored(&w.source, None).ok());
        let is_read_once = source.is_some_and(|s| s.kind() == SourceKind::File && !s.repeats());
        let has_ended = self.book.gaps.open.as_ref().is_some_and(|g| g.cause == GapCause::SourceEnded);
        if is_read_once && has_ended { Phase::Finished } else { Phase::Idle }
    }

    /// The worker that has the stream, also while it stops.
    pub fn worker(&self) -> Option<WorkerId> {
        match self.phase {
            Phase::Running(w) | Phase::Stopping(w, _) => Some(w),
            _ => None,
        }
    }

    pub fn job(&self, stream: &StreamId, wanted: &Wanted, delay: std::time::Duration) -> StreamJob {
        StreamJob {
            stream: stream.clone(),
            account: wanted.account.clone(),
            source: wanted.source.clone(),
            credentials: wanted.credentials.clone(),
            not_before: self.book.end,
            next_run_ordinal: self.book.next_run_ordinal,
            next_sequence: self.book.next_sequence,
            gaps_before: self.book.gaps.closed.clone(),
            open_gap: self.book.gaps.open.clone(),
            delay_us: i64::try_from(delay.as_micros()).unwrap_or(i64::MAX),
        }
    }
}

/// Gaps since the last footage that are looked at; see [`crate::ingest::gap_list::GAPS_MAX`].
const GAPS_READ: u32 = 64;

/// All streams that are not removed, with their credentials.
pub(super) async fn read_wanted(db: &Db) -> DbResult<Vec<(StreamRow, Wanted)>> {
    let mut all = Vec::new();
    for row in db.streams(false).await? {
        let credentials = db.stream_credentials(&row.id).await?;
        let wanted = Wanted { account: row.account.clone(), source: row.source.clone(), credentials, paused: row.paused };
        all.push((row, wanted));
    }
    Ok(all)
}

/// Where the stream's timeline stands, as the index says.
pub(super) async fn read_book(db: &Db, row: &StreamRow) -> DbResult<Book> {
    let (end, _) = db.neighbours(&row.id, Timestamp::MAX).await?;
    let mut gaps = GapList::default();
    if let Some(range) = end.and_then(|end| TimeRange::new(end, Timestamp::MAX).ok()) {
        for gap in db.gaps_in(&row.id, range, GAPS_READ).await? {
            if gap.end.is_some() { gaps.closed.push(gap) } else { gaps.open = Some(gap) }
        }
    }
    // An import has an end of its own: nothing was cut off there.
    let last = end.and_then(|end| TimeRange::new(Timestamp(end.as_micros() - 1), end).ok());
    let mut imported_last = false;
    if let Some(last) = last.filter(|_| gaps.open.is_none()) {
        for extent in db.run_extents(&row.id, last, 1).await? {
            imported_last = db.run(extent.run).await?.is_some_and(|r| r.import_key.is_some());
        }
    }
    Ok(Book {
        end: end.unwrap_or_default(),
        imported_last,
        next_run_ordinal: row.next_run_ordinal,
        next_sequence: row.next_sequence,
        gaps,
        ..Book::default()
    })
}
