//! Copying whole segments out of a file that cannot stay as it is into fresh blocks.
//!
//! One row stands for one file whose segments follow one another. When a segment in the middle is lost, the
//! others could stay where they are only if rows could name parts of files; then every reader, the trailer and a
//! rebuild would have to know about parts. Damage is rare and copying is cheap, so what is whole is copied into
//! new blocks, each as good as if it had been recorded so, and the old file is moved out of the way.

use std::path::Path;

use super::{IndexError, IndexResult};
use crate::db::IndexChange;
use crate::media::{AccountId, BlockId, BlockInfo, Gap, GapCause, RunInfo, StreamId, TimeRange, Timestamp};
use crate::store::{self, BlockHeader, Found, MediaRoot, RunEnd, StoreError, StoreResult};

/// Segments that follow one another in time and number. What goes back in time is left out, and so is what was erased: zeros are
/// not worth a copy.
pub(super) fn stretches(segments: &[Found]) -> Vec<&[Found]> {
    let mut end = Timestamp::MIN;
    let mut in_order = Vec::new();
    let follows = |a: &Found, b: &Found| {
        a.range().end() == b.header.start && a.header.sequence + 1 == b.header.sequence && a.header.entry.erased == b.header.entry.erased
    };
    for stretch in segments.chunk_by(follows).filter(|stretch| !stretch[0].header.entry.erased) {
        if stretch[0].header.start >= end {
            end = stretch.last().map_or(end, |last| last.range().end());
            in_order.push(stretch);
        }
    }
    in_order
}

/// Copies `segments` of the file at `path` into new sealed blocks, one for each unbroken stretch. They are in
/// place and durable, but nothing is indexed yet: a kill before that leaves orphans, which `check` finds.
///
/// `end`: why nothing follows the last of them.
///
/// # Errors
/// [`StoreError`]; files made so far are removed again.
pub(super) fn copy_out(
    root: &MediaRoot,
    path: &Path,
    account: &AccountId,
    run: &RunInfo,
    segments: &[Found],
    end: Option<RunEnd>,
) -> IndexResult<Vec<BlockInfo>> {
    let stretches = stretches(segments);
    let mut copies = Vec::with_capacity(stretches.len());
    for (i, stretch) in stretches.iter().enumerate() {
        let first = stretch[0].header;
        let header = BlockHeader {
            account: account.clone(),
            block: fresh_id(first.start)?,
            start: first.start,
            first_sequence: first.sequence,
            run: run.clone(),
        };
        let end = end.clone().filter(|_| i + 1 == stretches.len());
        copies.push(store::copy_block(root, &header, path, stretch, end)?);
    }
    let mut placed = Vec::with_capacity(copies.len());
    for copy in copies {
        match copy.put_in_place() {
            Ok(info) => placed.push(info),
            Err(e) => {
                take_back(root, &placed);
                return Err(e.into());
            }
        }
    }
    Ok(placed)
}

/// Removes copies whose rows could not be stored. What stays is an orphan, which `check` moves aside.
pub(super) fn take_back(root: &MediaRoot, copies: &[BlockInfo]) {
    for copy in copies {
        if let Err(error) = store::remove_copy(root, copy) {
            tracing::warn!(block = %copy.id, %error, "could not remove a copy that is not needed");
        }
    }
}

pub(super) fn fresh_id(now: Timestamp) -> IndexResult<BlockId> {
    let mut random = [0u8; 16];
    getrandom::fill(&mut random).map_err(|e| IndexError::Interrupted(format!("no randomness: {e}")))?;
    Ok(BlockId::new(now, u128::from_be_bytes(random)))
}

/// Moves a file that is in the way, but may still hold something, to the lost-and-found folder, where nothing
/// ever deletes it. Answers where it is now, below the media root; `None`: there was no file.
pub(super) fn set_aside(root: &MediaRoot, path: &Path) -> StoreResult<Option<String>> {
    let relative = path.strip_prefix(root.path()).map_err(|_| StoreError::damaged(path, "it does not lie in the media folder"))?;
    match store::move_to_lost(root, &relative.to_string_lossy()) {
        Ok(to) => Ok(Some(to)),
        Err(e) if e.is_missing() => Ok(None),
        Err(e) => Err(e),
    }
}

/// What of `span` none of `kept` covers, as gaps; `kept` is in time order. The index fills only time of which it
/// knows nothing else.
pub(super) fn lost_time(stream: &StreamId, span: Option<TimeRange>, kept: impl IntoIterator<Item = TimeRange>) -> Vec<IndexChange> {
    let Some(span) = span else { return Vec::new() };
    let mut holes = Vec::new();
    let mut cursor = span.start();
    for range in kept {
        holes.extend(TimeRange::new(cursor, range.start()));
        cursor = cursor.max(range.end());
    }
    holes.extend(TimeRange::new(cursor, span.end()));
    let gap = |hole: TimeRange| Gap { start: hole.start(), end: Some(hole.end()), cause: GapCause::Damaged, detail: String::new() };
    holes.into_iter().map(|hole| IndexChange::GapAdded { stream: stream.clone(), gap: gap(hole) }).collect()
}
