//! Which repair a finding asks for.

use std::sync::Arc;

use crate::db::{Db, IndexChange};
use crate::index::recover::{blocking, chain};
use crate::index::restore::{Restored, restore_stream};
use crate::index::{IndexResult, holes};
use crate::media::{BlockInfo, BlockState, Gap, GapCause, RunId, SegmentTable, StreamId, TimeRange, Timestamp};
use crate::store::{BlockHeader, RunEnd, Sealed, forget_open, read_sealed, remove_empty, scan};

use super::mend::{Action, Job};
use super::{Checker, StreamJob};

/// What the index knows of the time right behind a block.
pub(super) struct Surroundings {
    /// The cause of the gap that begins there.
    pub run_end: Option<RunEnd>,
    /// Footage of the same run lies behind, right there or after what was lost.
    pub goes_on: bool,
    /// Neither footage nor gap.
    pub nothing: bool,
}

impl Surroundings {
    pub(super) async fn look(db: &Db, stream: &StreamId, run: RunId, end: Timestamp) -> IndexResult<Surroundings> {
        let Ok(behind) = TimeRange::new(end, Timestamp::MAX) else {
            return Ok(Surroundings { run_end: None, goes_on: false, nothing: true });
        };
        let gap = db.gaps_in(stream, behind, 1).await?.pop();
        let next = db.run_extents(stream, behind, 1).await?.pop();
        let goes_on = next.as_ref().is_some_and(|next| next.run == run);
        let nothing = gap.is_none() && next.is_none();
        let run_end = gap.filter(|gap| gap.start == end && !goes_on).map(|gap| RunEnd { cause: gap.cause, detail: gap.detail });
        Ok(Surroundings { run_end, goes_on, nothing })
    }
}

impl Checker<'_> {
    /// A row whose file is damaged, abandoned or missing.
    pub(super) async fn repair_row(&mut self, row: &BlockInfo) -> IndexResult<Action> {
        let run = self.run_of(row).await?;
        let behind = self.surroundings(row).await?;
        // Nobody told why an abandoned block ended.
        let killed = || RunEnd { cause: GapCause::ServiceKilled, detail: String::new() };
        let abandoned = row.state == BlockState::Open && !behind.goes_on;
        let run_end = behind.run_end.or_else(|| abandoned.then(killed));
        if row.table.is_empty() && self.has_no_footage(row.path()).await? {
            return self.drop_empty(row).await;
        }
        let gap = (abandoned && behind.nothing).then(|| run_end.clone()).flatten();
        let mended =
            self.mend(Job { row: row.clone(), run, span: row.range(), run_end, goes_on: behind.goes_on, taken: Vec::new() }).await?;
        if let (Some(RunEnd { cause, detail }), Ok(_)) = (gap, &mended) {
            let start = self.db.totals(&row.stream).await?.last_end.unwrap_or(row.end());
            self.index.commit(vec![IndexChange::GapOpened { stream: row.stream.clone(), start, cause, detail }]).await?;
        }
        Ok(mended)
    }

    /// A block file that no row names and that is what its name says.
    pub(super) async fn repair_orphan(&mut self, job: &StreamJob, header: &BlockHeader, range: Option<TimeRange>) -> IndexResult<Action> {
        let bare = header.block_info(0, SegmentTable::default(), None);
        let Some(range) = range else { return self.drop_empty(&bare).await };
        if let Restored::OtherAccount(_) = restore_stream(&self.db, &self.root, &job.folder, self.now).await? {
            return self.move_aside(&bare.path()).await;
        }
        let in_the_way = self.db.blocks_in(&bare.stream, range, 1).await?;
        if let Some(other) = in_the_way.first() {
            let why = format!("block {} holds that time", other.id);
            return Ok(self.move_aside(&bare.path()).await?.map(|moved| format!("{why}; {moved}")));
        }
        let Some(row) = self.row_of_orphan(header).await? else { return Ok(Err("it cannot be read any more".into())) };
        let span = TimeRange::new(header.start, range.end()).ok();
        let mended =
            self.mend(Job { row, run: Arc::new(header.run.clone()), span, run_end: None, goes_on: false, taken: Vec::new() }).await?;
        if mended.is_ok() {
            self.gaps_around(header, range.end()).await?;
        }
        Ok(mended.map(|what| format!("indexed: {what}")))
    }

    /// What the file says of itself, as a row. Without a trailer, segments behind damage are not in it.
    async fn row_of_orphan(&self, header: &BlockHeader) -> IndexResult<Option<BlockInfo>> {
        let file = self.root.file(&header.block_info(0, SegmentTable::default(), None).path());
        let Ok(scan) = blocking(move || scan(&file, 0)).await? else { return Ok(None) };
        let Ok((_, first_offset)) = &scan.header else { return Ok(None) };
        if let Some(trailer) = &scan.trailer {
            let sealed = Sealed { size_bytes: scan.len, checksum: trailer.checksum };
            return Ok(Some(header.block_info(*first_offset, trailer.table.clone(), Some(sealed))));
        }
        let mut table = SegmentTable::default();
        let mut next = header.start;
        for found in scan.segments.iter().take_while(|found| {
            let follows = found.header.start == next;
            next = found.range().end();
            follows
        }) {
            table.push(found.header.entry);
        }
        Ok(Some(header.block_info(*first_offset, table, None)))
    }

    /// Accounts for the time around footage from `header.start` to `end` that has just been indexed, as far as the
    /// index knows nothing of it.
    async fn gaps_around(&mut self, header: &BlockHeader, end: Timestamp) -> IndexResult<()> {
        let (stream, start) = (&header.run.stream, header.start);
        let add = |gap: Gap| IndexChange::GapAdded { stream: stream.clone(), gap };
        let before = match self.db.neighbours(stream, start).await?.0 {
            Some(before) => self.block_end(stream, before).await?,
            None => None,
        };
        let mut changes: Vec<IndexChange> = holes::gaps_between(before.as_ref(), &header.run, start).into_iter().map(add).collect();
        let told = self.block_end(stream, end).await?.and_then(|block| block.run_end);
        let RunEnd { cause, detail } = told.unwrap_or(RunEnd { cause: GapCause::Unknown, detail: String::new() });
        let next = match TimeRange::new(end, Timestamp::MAX) {
            Ok(behind) => self.db.run_extents(stream, behind, 1).await?.pop(),
            Err(_) => None,
        };
        match next {
            Some(next) => changes.push(add(Gap { start: end, end: Some(next.range.start()), cause, detail })),
            None if Surroundings::look(&self.db, stream, header.run.id, end).await?.nothing => {
                changes.push(IndexChange::GapOpened { stream: stream.clone(), start: end, cause, detail });
            }
            None => {}
        }
        Ok(self.index.commit(changes).await?)
    }

    /// The block that ends at `end`, and what its file says of it.
    async fn block_end(&mut self, stream: &StreamId, end: Timestamp) -> IndexResult<Option<holes::BlockEnd>> {
        let Ok(last_moment) = TimeRange::new(end.saturating_add_micros(-1), end) else { return Ok(None) };
        let Some(block) = self.db.blocks_in(stream, last_moment, 1).await?.pop() else { return Ok(None) };
        let run = self.run_of(&block).await?;
        let path = self.root.file(&block.path());
        // What cannot be read says nothing here; it is a finding of its own.
        let run_end = blocking(move || read_sealed(&path).ok().flatten().and_then(|file| file.trailer.end)).await?;
        Ok(Some(holes::BlockEnd::new(None, &run, block.end(), run_end)))
    }

    async fn has_no_footage(&self, path: String) -> IndexResult<bool> {
        let path = self.root.file(&path);
        blocking(move || scan(&path, 0).map_or_else(|e| e.is_missing(), |scan| scan.segments.is_empty())).await
    }

    /// A block that never got a whole segment: nothing is lost with it.
    async fn drop_empty(&self, row: &BlockInfo) -> IndexResult<Action> {
        self.index.commit(vec![IndexChange::BlockForgotten { block: row.id }]).await?;
        let (root, block) = (self.root.clone(), row.clone());
        let removed = blocking(move || remove_empty(&root, &block).and_then(|()| forget_open(&root, block.id))).await?;
        Ok(removed.map(|()| "it held no footage and is gone".to_string()).map_err(|e| chain(&e)))
    }
}
