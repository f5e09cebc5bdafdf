//! What a dead worker left behind: whole segments of its open blocks are kept, and the blocks sealed.

use std::collections::{HashMap, HashSet};

use crate::db::IndexChange;
use crate::media::{BlockId, BlockInfo, GapCause, RunInfo, StreamId};
use crate::store::thumbnails::open_thumbnails;
use crate::store::{MediaRoot, RecoveredState, RunEnd, StoreError, open_notes, recover};

/// One block that was saved.
#[derive(Debug)]
pub(super) struct Saved {
    pub run: RunInfo,
    /// Sealed, with its whole table.
    pub block: BlockInfo,
}

impl Saved {
    pub fn changes(self) -> [IndexChange; 2] {
        [IndexChange::RunStarted(self.run), IndexChange::BlockIndexed(self.block)]
    }
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Salvage {
    pub saved: Vec<Saved>,
    /// Blocks that `retroview check` has to look at, with why.
    pub left: Vec<(BlockId, String)>,
}

/// Looks through the journal for blocks of these streams. `known`: what was reported of the blocks the worker had
/// open, so that their media is not read again. Blocks that are sealed and reported are not touched.
/// Blocking; the worker must be dead.
pub(super) fn salvage(
    root: &MediaRoot,
    streams: &HashSet<StreamId>,
    known: &HashMap<BlockId, BlockInfo>,
    sealed: &HashSet<BlockId>,
    end: &RunEnd,
) -> Result<Salvage, StoreError> {
    let mut salvage = Salvage::default();
    for note in open_notes(root)? {
        let ours = known.contains_key(&note.id) || streams.iter().any(|s| note.path.split('/').nth(1) == Some(s.as_str()));
        if !ours || sealed.contains(&note.id) {
            continue;
        }
        let verify_from = known.get(&note.id).map_or(0, BlockInfo::media_end_offset);
        match save(root, note.id, &note.path, verify_from, end) {
            Ok(Some(saved)) => salvage.saved.push(saved),
            Ok(None) => {}
            Err(StoreError::Busy { .. }) => {}
            Err(e) => salvage.left.push((note.id, e.to_string())),
        }
    }
    salvage.saved.sort_by_key(|s| s.block.start);
    Ok(salvage)
}

/// `None`: there was nothing in it, and it is gone.
fn save(root: &MediaRoot, id: BlockId, path: &str, verify_from: u64, end: &RunEnd) -> Result<Option<Saved>, StoreError> {
    let file = root.file(path);
    let recovered = match recover(&file, verify_from) {
        Ok(recovered) => recovered,
        // Noted, but never created.
        Err(e) if e.is_missing() => {
            crate::store::forget_open(root, id)?;
            return Ok(None);
        }
        Err(e) => return Err(e),
    };
    let (header, first_offset) = (recovered.header, recovered.first_offset);
    let table = crate::media::SegmentTable::from_entries(recovered.segments.iter().map(|s| s.header.entry).collect());
    let sealed = match recovered.state {
        RecoveredState::Sealed(sealed, _) => sealed,
        RecoveredState::Open(writer) if table.is_empty() => {
            writer.discard(root, id)?;
            return Ok(None);
        }
        RecoveredState::Open(mut writer) => {
            writer.set_pictures(open_thumbnails(root, id));
            writer.seal(Some(end.clone()))?
        }
        RecoveredState::Broken => {
            return Err(StoreError::damaged(&file, "whole segments stand behind damage; run `retroview check --repair`"));
        }
    };
    let block = header.block_info(first_offset, table, Some(sealed));
    Ok(Some(Saved { run: header.run, block }))
}

/// The reason that is written into blocks whose worker died.
pub(super) fn crashed(words: &str) -> RunEnd {
    RunEnd { cause: GapCause::WorkerCrashed, detail: format!("the process reading this source {words}") }
}
