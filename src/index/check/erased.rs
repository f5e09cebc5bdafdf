//! What was deleted on purpose: it must not come back, and its rows are no mystery.

use std::collections::HashMap;

use super::Checker;
use super::finding::{Finding, FindingKind};
use super::mend::Action;
use crate::db::IndexChange;
use crate::index::IndexResult;
use crate::index::recover::{blocking, chain};
use crate::media::{BlockId, BlockInfo, Gap, GapCause, TimeRange, Timestamp};
use crate::store::{GoneKind, gone_notes, remove_block, wipe_block, wipe_segments};

/// How a block went, by the note in the media folder.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gone {
    kind: GoneKind,
    number: i64,
    at: Timestamp,
}

impl Checker<'_> {
    /// Whether somebody else is about to finish with this block: an erasure that waits for its readers, or a sweep.
    pub(super) async fn is_going(&self, row: &BlockInfo) -> IndexResult<bool> {
        let swept = self.db.mark_of(row.id).await?.is_some_and(|mark| mark.sweep.is_some());
        Ok(swept || self.db.wipe_is_due(row.id).await?)
    }

    /// A row without its file. True when the file was deleted on purpose: then the row is older than that.
    pub(super) async fn deleted_since(&mut self, row: &BlockInfo) -> IndexResult<bool> {
        let Some(gone) = self.gone().await?.get(&row.id).copied() else { return Ok(false) };
        let (what, at) = (gone.kind.as_str(), gone.at.to_rfc3339(0));
        let detail = format!("{what} {} of {at} deleted it, which this database does not know: it is from before that", gone.number);
        let finding = Finding::new(FindingKind::DeletedSince, detail).of_stream(&row.stream).of_block(row.id);
        let action = if self.options.repair { Some(self.take_out(row, gone.kind).await?) } else { None };
        self.tell_with(finding.at_path(row.path()).in_range(row.range()), action);
        Ok(true)
    }

    async fn gone(&mut self) -> IndexResult<&HashMap<BlockId, Gone>> {
        if self.gone.is_none() {
            let root = self.root.clone();
            let notes = blocking(move || gone_notes(&root)).await??;
            let of = |note: crate::store::GoneNote| {
                let gone = Gone { kind: note.kind, number: note.number, at: note.at };
                note.blocks.into_iter().map(move |b| (b.block, gone))
            };
            self.gone = Some(notes.into_iter().flat_map(of).collect());
        }
        Ok(self.gone.get_or_insert_default())
    }

    async fn take_out(&self, row: &BlockInfo, kind: GoneKind) -> IndexResult<Action> {
        let mut changes = vec![IndexChange::BlockForgotten { block: row.id }];
        if let (GoneKind::Erasure, Some(range)) = (kind, row.range()) {
            changes.push(erased_gap(row, range));
        }
        self.index.commit(changes).await?;
        Ok(Ok("its row is gone too".into()))
    }

    /// Erases again what somebody has brought back.
    pub(super) async fn erase_again(&self, row: &BlockInfo) -> IndexResult<Action> {
        let (root, row) = (self.root.clone(), row.clone());
        let wiped = blocking(move || wipe_segments(&root, &row)).await?;
        Ok(wiped.map(|_| "it is erased again".to_string()).map_err(|e| chain(&e)))
    }

    /// A file of which an erasure left nothing. True when it is one.
    pub(super) async fn erased_file(&mut self, bare: &BlockInfo, range: Option<TimeRange>) -> IndexResult<bool> {
        let Some(erased) = self.db.whole_erased(bare.id).await? else { return Ok(false) };
        let detail = format!("erasure {} left nothing of this block, and here it is again", erased.erasure);
        let finding = Finding::new(FindingKind::ErasedFootage, detail).of_stream(&bare.stream).of_block(bare.id);
        let action = if self.options.repair { Some(self.remove_again(bare).await?) } else { None };
        self.tell_with(finding.at_path(bare.path()).in_range(range), action);
        Ok(true)
    }

    async fn remove_again(&self, bare: &BlockInfo) -> IndexResult<Action> {
        let (root, bare) = (self.root.clone(), bare.clone());
        let removed = blocking(move || wipe_block(&root, &bare).and_then(|()| remove_block(&root, &bare.path(), false))).await?;
        Ok(removed.map(|()| "it is deleted again".to_string()).map_err(|e| chain(&e)))
    }
}

fn erased_gap(row: &BlockInfo, range: TimeRange) -> IndexChange {
    let gap = Gap { start: range.start(), end: Some(range.end()), cause: GapCause::Erased, detail: String::new() };
    IndexChange::GapAdded { stream: row.stream.clone(), gap }
}
