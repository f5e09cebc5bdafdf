//! At start: what the process that ended was still writing.
//!
//! Looked at are the blocks whose rows are open and those noted in the journal, so the work is as large as the
//! number of streams that were recording, whatever the archive holds.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::{Index, IndexError, IndexResult, salvage};
use crate::db::{DbError, IndexChange};
use crate::media::{BlockId, BlockInfo, BlockState, GapCause, RunInfo, StreamId, TimeRange, Timestamp};
use crate::store::{self, MediaRoot, Recovered, RecoveredState, RunEnd, StoreError};

/// A worker that outlives its supervisor ends within a moment; wait that long for its lock.
const BUSY_TRIES: u32 = 20;
const BUSY_PAUSE: Duration = Duration::from_millis(100);

/// What recovery did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Blocks looked at.
    pub blocks: usize,
    /// Whole segments that had not been indexed and now are.
    pub segments_found: usize,
    /// Bytes of torn segments cut off.
    pub cut_bytes: u64,
    /// Blocks without one whole segment, removed.
    pub discarded: usize,
    /// Blocks that another process is still writing, left alone.
    pub busy: Vec<BlockId>,
    /// Blocks that could not be recovered, and why: `retroview check --repair` looks into them.
    pub failed: Vec<(BlockId, String)>,
    /// Streams whose recording was cut off by the end of the process; a gap opens there.
    pub interrupted: Vec<StreamId>,
}

/// Indexes whole segments beyond the rows, cuts torn ones off, seals what was open, and opens a gap of cause
/// [`GapCause::ServiceKilled`] where a stream's recording was cut off. Can be repeated at any time; blocks being
/// written by a living process are left alone.
///
/// # Errors
/// Only when rows or journal cannot be read at all; trouble with one block is in the report.
pub async fn recover(index: &Index, root: &MediaRoot) -> IndexResult<RecoveryReport> {
    let mut report = RecoveryReport::default();
    for (id, candidate) in candidates(index, root).await? {
        report.blocks += 1;
        match recover_block(index, root, id, candidate, &mut report).await {
            Ok(()) => {}
            Err(IndexError::Store(StoreError::Busy { .. })) => report.busy.push(id),
            Err(e) => report.failed.push((id, chain(&e))),
        }
    }
    close_interrupted(index, &mut report).await?;
    Ok(report)
}

/// An error with its causes, as one sentence.
pub(super) fn chain(e: &dyn std::error::Error) -> String {
    let mut text = e.to_string();
    let mut source = e.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = text + ": " + &cause_text;
        }
        source = cause.source();
    }
    text
}

/// Runs file work where it may block.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> IndexResult<T> {
    tokio::task::spawn_blocking(work).await.map_err(|e| IndexError::Interrupted(e.to_string()))
}

struct Candidate {
    row: Option<BlockInfo>,
    path: String,
}

async fn candidates(index: &Index, root: &MediaRoot) -> IndexResult<BTreeMap<BlockId, Candidate>> {
    let mut found = BTreeMap::new();
    for row in index.db().open_blocks().await? {
        let path = row.path();
        found.insert(row.id, Candidate { row: Some(row), path });
    }
    let notes_root = root.clone();
    for note in blocking(move || store::open_notes(&notes_root)).await?? {
        if found.contains_key(&note.id) {
            continue;
        }
        match index.db().block(note.id).await? {
            // Sealed and committed; only the note's removal did not happen.
            Some(row) if row.state == BlockState::Sealed => store::forget_open(root, note.id)?,
            row => {
                found.insert(note.id, Candidate { row, path: note.path });
            }
        }
    }
    Ok(found)
}

async fn recover_block(index: &Index, root: &MediaRoot, id: BlockId, candidate: Candidate, report: &mut RecoveryReport) -> IndexResult<()> {
    let path = root.file(&candidate.path);
    // The last committed segment is read again: a power cut may have taken it where syncs are not for each.
    let verify_from = candidate.row.as_ref().and_then(|row| row.places().last()).map_or(0, |s| s.offset);
    let known = candidate.row.as_ref().map_or(0, |row| row.table.len());
    let recovered = match recover_file(path.clone(), verify_from).await {
        Ok(recovered) => recovered,
        Err(e) => return without_header(index, root, id, candidate, path, e, report).await,
    };
    report.cut_bytes += recovered.cut_bytes;
    report.segments_found += recovered.segments.len().saturating_sub(known);
    if recovered.segments.is_empty() {
        report.discarded += 1;
        return discard(index, root, id, candidate.row.is_some(), path).await;
    }
    let run = recovered.header.run.clone();
    let stream = run.stream.clone();
    let blocks = blocking({
        let root = root.clone();
        let path = path.clone();
        move || seal(&root, path, recovered)
    })
    .await??;
    let was_copied = blocks.iter().all(|b| b.id != id);
    let mut changes = vec![IndexChange::RunStarted(run)];
    if was_copied {
        changes.push(IndexChange::BlockForgotten { block: id });
    }
    let ranges: Vec<TimeRange> = blocks.iter().filter_map(BlockInfo::range).collect();
    let span = ranges.first().zip(ranges.last()).and_then(|(a, b)| TimeRange::new(a.start(), b.end()).ok());
    changes.extend(blocks.into_iter().map(IndexChange::BlockIndexed));
    changes.extend(salvage::lost_time(&stream, span, ranges));
    commit_or_set_aside(index, root, id, path, changes, was_copied).await
}

async fn recover_file(path: PathBuf, verify_from: u64) -> IndexResult<Recovered> {
    let mut tries = 0;
    loop {
        let path = path.clone();
        match blocking(move || store::recover(&path, verify_from)).await? {
            Err(StoreError::Busy { .. }) if tries < BUSY_TRIES => tries += 1,
            other => return Ok(other?),
        }
        tokio::time::sleep(BUSY_PAUSE).await;
    }
}

/// Makes sealed blocks of what was found. A disk too full for the trailer leaves the block open: it is whole and
/// playable, and the next start seals it.
fn seal(root: &MediaRoot, path: PathBuf, recovered: Recovered) -> IndexResult<Vec<BlockInfo>> {
    let Recovered { header, first_offset, segments, state, .. } = recovered;
    let table = || crate::media::SegmentTable::from_entries(segments.iter().map(|s| s.header.entry).collect());
    let killed = Some(RunEnd { cause: GapCause::ServiceKilled, detail: String::new() });
    match state {
        RecoveredState::Sealed(sealed, _) => Ok(vec![header.block_info(first_offset, table(), Some(sealed))]),
        RecoveredState::Open(mut writer) => match seal_with_pictures(root, header.block, &mut writer, killed) {
            Ok(sealed) => Ok(vec![header.block_info(first_offset, table(), Some(sealed))]),
            Err(e) if e.is_full() => Ok(vec![header.block_info(first_offset, table(), None)]),
            Err(e) => Err(e.into()),
        },
        RecoveredState::Broken => salvage::copy_out(root, &path, &header.account, &header.run, &segments, killed),
    }
}

fn seal_with_pictures(
    root: &MediaRoot,
    id: BlockId,
    writer: &mut store::BlockWriter,
    end: Option<RunEnd>,
) -> store::StoreResult<store::Sealed> {
    writer.set_pictures(store::thumbnails::open_thumbnails(root, id));
    writer.seal(end)
}

async fn commit_or_set_aside(
    index: &Index,
    root: &MediaRoot,
    id: BlockId,
    path: PathBuf,
    changes: Vec<IndexChange>,
    was_copied: bool,
) -> IndexResult<()> {
    match index.commit(changes).await {
        Ok(()) if !was_copied => Ok(()),
        // What it holds is there already (a repair that did not come to its end): keep the file, not the row.
        Err(DbError::Overlap { .. }) | Ok(()) => {
            let aside_root = root.clone();
            blocking(move || salvage::set_aside(&aside_root, &path)).await??;
            Ok(store::forget_open(root, id)?)
        }
        Err(e) => Err(e.into()),
    }
}

/// The file is missing, or was cut off before its header was complete.
async fn without_header(
    index: &Index,
    root: &MediaRoot,
    id: BlockId,
    candidate: Candidate,
    path: PathBuf,
    error: IndexError,
    report: &mut RecoveryReport,
) -> IndexResult<()> {
    let missing = matches!(&error, IndexError::Store(e) if e.is_missing());
    let damaged = matches!(&error, IndexError::Store(StoreError::Damaged { .. }));
    let row_is_empty = candidate.row.as_ref().is_none_or(|row| row.table.is_empty());
    let nothing_in_it = missing
        || (damaged && {
            let path = path.clone();
            blocking(move || store::scan(&path, 0)).await??.segments.is_empty()
        });
    if row_is_empty && nothing_in_it {
        report.discarded += 1;
        return discard(index, root, id, candidate.row.is_some(), path).await;
    }
    Err(error)
}

async fn discard(index: &Index, root: &MediaRoot, id: BlockId, has_row: bool, path: PathBuf) -> IndexResult<()> {
    if has_row {
        index.commit(vec![IndexChange::BlockForgotten { block: id }]).await?;
    }
    match std::fs::remove_file(&path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(StoreError::io("remove", &path, e).into()),
        _ => Ok(store::forget_open(root, id)?),
    }
}

/// A live stream that was stopped in order has an open gap, one that was recording has none.
async fn close_interrupted(index: &Index, report: &mut RecoveryReport) -> IndexResult<()> {
    let busy = report.busy.clone();
    let mut busy_streams = Vec::new();
    for id in busy {
        busy_streams.extend(index.db().block(id).await?.map(|b| b.stream));
    }
    let mut changes = Vec::new();
    for stream in index.db().streams(true).await? {
        if busy_streams.contains(&stream.id) {
            continue;
        }
        let edge = index.live_edge(&stream.id).await?.borrow().clone();
        let (Some(end), None) = (edge.end, edge.open_gap) else { continue };
        if is_live(index, &stream.id, end).await? {
            report.interrupted.push(stream.id.clone());
            let (cause, detail) = (GapCause::ServiceKilled, String::new());
            changes.push(IndexChange::GapOpened { stream: stream.id, start: end, cause, detail });
        }
    }
    Ok(index.commit(changes).await?)
}

/// Whether what ends at `end` was recorded as it came; an import has an end of its own.
async fn is_live(index: &Index, stream: &StreamId, end: Timestamp) -> IndexResult<bool> {
    let Ok(last) = TimeRange::new(Timestamp(end.as_micros() - 1), end) else { return Ok(false) };
    let Some(extent) = index.db().run_extents(stream, last, 1).await?.pop() else { return Ok(false) };
    Ok(index.run(extent.run).await?.is_some_and(|run: std::sync::Arc<RunInfo>| run.import_key.is_none()))
}
