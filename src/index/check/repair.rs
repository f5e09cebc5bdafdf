//! Mending one finding. Each answers with a sentence that says what was done.

use std::path::{Path, PathBuf};

use super::super::rebuild::ensure_stream;
use super::super::recover::blocking;
use super::super::{Index, IndexError, IndexResult, salvage};
use super::GapCause;
use crate::db::IndexChange;
use crate::media::{AccountId, BlockInfo, Gap, RunInfo, TimeRange, Timestamp};
use crate::store::{self, Found, MediaRoot, RecoveredState, RunEnd, Scan, StoreError};

/// Extents looked at when asking whether time is free.
const EXTENTS_MAX: u32 = 10_000;

/// A row whose file is missing, shortened, damaged, or not the one it names.
pub(super) async fn row(index: &Index, root: &MediaRoot, row: &BlockInfo, scan: Option<Box<Scan>>) -> IndexResult<String> {
    let path = root.file(&row.path());
    let Some(scan) = scan else {
        let mut changes = vec![IndexChange::BlockForgotten { block: row.id }];
        changes.extend(lost(row, &[]));
        index.commit(changes).await?;
        return Ok("the row is forgotten, its time is a gap".into());
    };
    refuse_while_written(&path).await?;
    let own = scan.header.as_ref().ok().filter(|(h, _)| h.run.stream == row.stream).map(|(h, _)| h.run.clone());
    let run = match own {
        Some(run) => run,
        // The init segment or the header is damaged; the rows have the same facts.
        None => index.db().run(row.run).await?.ok_or_else(|| StoreError::damaged(&path, "neither file nor rows know its run"))?,
    };
    let mut usable = Vec::new();
    let foreign = scan.header.as_ref().is_ok_and(|(h, _)| h.run.stream != row.stream);
    for found in scan.segments.iter().filter(|_| !foreign) {
        let ours = row.range().is_some_and(|r| r.covers(found.range()));
        if ours || is_free(index, row, found.range()).await? {
            usable.push(*found);
        }
    }
    let end = scan.trailer.as_ref().and_then(|t| t.end.clone());
    let copied = copy(root, &path, &row.account, &run, &usable, end).await?;
    let mut changes = vec![IndexChange::BlockForgotten { block: row.id }, IndexChange::RunStarted(run)];
    changes.extend(copied.iter().cloned().map(IndexChange::BlockIndexed));
    changes.extend(lost(row, &usable));
    index.commit(changes).await?;
    let aside = aside(root, path).await?;
    Ok(format!("{} of {} segments are kept{aside}", usable.len(), row.table.len()))
}

/// The later of two rows that claim the same time: it is forgotten, and what only its file holds is indexed
/// again as from a file without a row, which it then is.
pub(super) async fn overlap(index: &Index, root: &MediaRoot, later: &BlockInfo, now: Timestamp) -> IndexResult<String> {
    let path = root.file(&later.path());
    refuse_while_written(&path).await?;
    let scan = blocking({
        let path = path.clone();
        move || store::scan(&path, 0)
    })
    .await??;
    index.commit(vec![IndexChange::BlockForgotten { block: later.id }]).await?;
    // Forgetting took the time out of what is recorded, also where the other block has it.
    index.db().recount(true).await?;
    orphan(index, root, &path, scan, now).await
}

/// A file that no row names: indexed where its time is free.
pub(super) async fn orphan(index: &Index, root: &MediaRoot, path: &Path, scan: Scan, now: Timestamp) -> IndexResult<String> {
    let Ok((header, first_offset)) = scan.header.clone() else {
        return Ok(format!("it does not say whose it is{}", aside(root, path.to_path_buf()).await?));
    };
    if scan.segments.is_empty() {
        return Ok(format!("it holds no whole segment{}", aside(root, path.to_path_buf()).await?));
    }
    ensure_stream(index, root, &header.account, &header.run.stream, now, &mut super::super::RebuildReport::default()).await?;
    let mut usable = Vec::new();
    for found in &scan.segments {
        let taken = index.db().run_extents(&header.run.stream, found.range(), 1).await?;
        if taken.is_empty() {
            usable.push(*found);
        }
    }
    let whole = usable.len() == scan.segments.len() && scan.unbroken == usable.len();
    let in_place = whole && root.file(&header.block_info(first_offset, scan.table(), None).path()) == path;
    let run = IndexChange::RunStarted(header.run.clone());
    if in_place && index.db().block(header.block).await?.is_none() {
        let info = sealed_in_place(path.to_path_buf()).await?;
        index.commit(vec![run, IndexChange::BlockIndexed(info)]).await?;
        return Ok(format!("indexed with its {} segments", usable.len()));
    }
    let end = scan.trailer.as_ref().and_then(|t| t.end.clone());
    let copied = copy(root, path, &header.account, &header.run, &usable, end).await?;
    let mut changes = vec![run];
    changes.extend(copied.iter().cloned().map(IndexChange::BlockIndexed));
    index.commit(changes).await?;
    let aside = aside(root, path.to_path_buf()).await?;
    Ok(format!("{} of {} segments were at a time still free and are indexed{aside}", usable.len(), scan.segments.len()))
}

async fn sealed_in_place(path: PathBuf) -> IndexResult<BlockInfo> {
    blocking(move || {
        let recovered = store::recover(&path, 0)?;
        let table = crate::media::SegmentTable::from_entries(recovered.segments.iter().map(|s| s.header.entry).collect());
        let sealed = match recovered.state {
            RecoveredState::Sealed(sealed, _) => sealed,
            RecoveredState::Open(mut writer) => writer.seal(None)?,
            RecoveredState::Broken => return Err(StoreError::damaged(&path, "segments in its middle are damaged")),
        };
        Ok(recovered.header.block_info(recovered.first_offset, table, Some(sealed)))
    })
    .await?
    .map_err(IndexError::from)
}

async fn is_free(index: &Index, row: &BlockInfo, range: TimeRange) -> IndexResult<bool> {
    let extents = index.db().run_extents(&row.stream, range, EXTENTS_MAX).await?;
    Ok(extents.is_empty())
}

async fn refuse_while_written(path: &Path) -> IndexResult<()> {
    let path = path.to_path_buf();
    let busy = blocking({
        let path = path.clone();
        move || store::is_being_written(&path)
    })
    .await??;
    if busy { Err(StoreError::Busy { path }.into()) } else { Ok(()) }
}

async fn copy(
    root: &MediaRoot,
    path: &Path,
    account: &AccountId,
    run: &RunInfo,
    segments: &[Found],
    end: Option<RunEnd>,
) -> IndexResult<Vec<BlockInfo>> {
    let (root, path, account, run, segments) = (root.clone(), path.to_path_buf(), account.clone(), run.clone(), segments.to_vec());
    blocking(move || salvage::copy_out(&root, &path, &account, &run, &segments, end)).await?
}

/// Gaps where the row promised footage and nothing whole is left.
fn lost<'a>(row: &'a BlockInfo, kept: &[Found]) -> impl Iterator<Item = IndexChange> + 'a {
    let holes = row.range().map(|range| salvage::holes(range, kept.iter().map(Found::range))).unwrap_or_default();
    holes.into_iter().map(|hole| IndexChange::GapAdded {
        stream: row.stream.clone(),
        gap: Gap { start: hole.start(), end: Some(hole.end()), cause: GapCause::Damaged, detail: String::new() },
    })
}

async fn aside(root: &MediaRoot, path: PathBuf) -> IndexResult<String> {
    let (at_root, root_path) = (root.clone(), root.path().to_path_buf());
    let moved = blocking(move || salvage::set_aside(&at_root, &path)).await??;
    Ok(match moved {
        Some(to) => format!("; the old file is now {}", to.strip_prefix(&root_path).unwrap_or(&to).display()),
        None => String::new(),
    })
}
