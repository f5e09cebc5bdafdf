//! Rows and files of one stream, side by side in time order.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::media::{BlockId, BlockInfo, BlockState, RunInfo, SegmentTable, StreamId, TimeRange, Timestamp};
use crate::store::{BlockName, Entry, StreamWalk, is_being_written, move_to_lost, open_notes};

use super::finding::{Finding, FindingKind};
use super::inspect::{Depth, Orphan, Problem, Verdict, inspect, inspect_orphan, key};
use super::mend::Action;
use super::repair::Surroundings;
use super::{Checker, StreamJob};
use crate::db::{Db, DbError};
use crate::index::IndexResult;
use crate::index::recover::{blocking, chain};

/// Rows read at once: half a megabyte of tables.
const PAGE: u32 = 256;

/// The blocks with footage of one stream, by start and id.
pub(super) struct Rows {
    db: Db,
    stream: StreamId,
    page: VecDeque<BlockInfo>,
    last: Option<(Timestamp, BlockId)>,
    at_end: bool,
}

impl Rows {
    pub(super) fn new(db: &Db, stream: &StreamId) -> Rows {
        Rows { db: db.clone(), stream: stream.clone(), page: VecDeque::new(), last: None, at_end: false }
    }

    pub(super) async fn peek(&mut self) -> IndexResult<Option<&BlockInfo>> {
        if self.page.is_empty() && !self.at_end {
            self.turn().await?;
        }
        Ok(self.page.front())
    }

    pub(super) async fn next(&mut self) -> IndexResult<Option<BlockInfo>> {
        self.peek().await?;
        Ok(self.page.pop_front())
    }

    /// Reads on from the start of the last row. Rows that begin at the same moment (which only a damaged index
    /// has) may be cut apart by a page's end, so the last moment of a full page is read again with the next.
    async fn turn(&mut self) -> IndexResult<()> {
        let from = self.last.map_or(Timestamp::MIN, |(start, _)| start);
        let Ok(range) = TimeRange::new(from, Timestamp::MAX) else { return Ok(()) };
        let mut limit = PAGE;
        loop {
            let mut rows = self.db.blocks_in(&self.stream, range, limit).await?;
            let full = rows.len() as u64 >= u64::from(limit);
            rows.sort_by_key(key);
            rows.retain(|row| self.last.is_none_or(|last| key(row) > last));
            if let Some(end) = rows.last().map(|row| row.start).filter(|_| full) {
                rows.retain(|row| row.start < end);
                if rows.is_empty() {
                    limit = limit.saturating_mul(2);
                    continue;
                }
            }
            self.at_end = !full;
            self.last = rows.last().map(key).or(self.last);
            self.page = rows.into();
            return Ok(());
        }
    }
}

/// The block files of one stream, by start and id; strays as they are met.
struct Files {
    walk: Option<StreamWalk>,
    found: VecDeque<Entry>,
}

impl Files {
    async fn next(&mut self) -> IndexResult<Option<Entry>> {
        while self.found.is_empty() {
            let Some(mut walk) = self.walk.take() else { return Ok(None) };
            let (walk, listed) = blocking(move || {
                let listed = walk.next_folder();
                (walk, listed)
            })
            .await?;
            if let Some(entries) = listed? {
                self.found = entries.into();
                self.walk = Some(walk);
            }
        }
        Ok(self.found.pop_front())
    }
}

impl Checker<'_> {
    pub(super) async fn check_files(&mut self, job: &StreamJob) -> IndexResult<()> {
        let stream = &job.folder.stream;
        let mut rows = Rows::new(&self.db, stream);
        let mut files = Files { walk: Some(StreamWalk::new(&self.root, &job.folder)), found: VecDeque::new() };
        // Rows without footage are not among those by time; their files are few.
        let mut empty: Vec<BlockInfo> = self.db.open_blocks().await?;
        empty.retain(|row| row.stream == *stream && row.table.is_empty());
        while let Some(entry) = files.next().await? {
            let name = match entry {
                Entry::Block(name) => name,
                Entry::Stray(path) => {
                    self.stray(&path, "no block of this stream has this name", Some(stream)).await?;
                    continue;
                }
            };
            let file = (name.start, name.id);
            while rows.peek().await?.is_some_and(|row| key(row) < file) {
                if let Some(row) = rows.next().await? {
                    self.row_without_file(row).await?;
                }
            }
            if rows.peek().await?.is_some_and(|row| key(row) == file) {
                if let Some(row) = rows.next().await? {
                    self.row_with_file(row).await?;
                }
            } else if let Some(at) = empty.iter().position(|row| key(row) == file) {
                self.row_with_file(empty.swap_remove(at)).await?;
            } else {
                self.file_without_row(job, name).await?;
            }
        }
        while let Some(row) = rows.next().await? {
            self.row_without_file(row).await?;
        }
        for row in empty {
            self.row_without_file(row).await?;
        }
        Ok(())
    }

    /// The listing did not have the row's file: it may have come, or the row may have gone, since.
    async fn row_without_file(&mut self, row: BlockInfo) -> IndexResult<()> {
        match self.db.block(row.id).await? {
            Some(row) => self.row_with_file(row).await,
            None => Ok(()),
        }
    }

    async fn row_with_file(&mut self, row: BlockInfo) -> IndexResult<()> {
        let Some((row, verdict)) = self.settled_verdict(row).await? else { return Ok(()) };
        if !verdict_is_clean(&verdict)
            && (self.is_going(&row).await? || (matches!(verdict, Verdict::Missing) && self.deleted_since(&row).await?))
        {
            return Ok(());
        }
        let mut problems = match verdict {
            Verdict::Missing => vec![Problem::new(FindingKind::MissingFile, row.range(), "the file is not there")],
            Verdict::Unreadable(detail) => vec![Problem::new(FindingKind::Unreadable, row.range(), detail)],
            Verdict::Read { len, problems } => {
                self.count(len);
                problems
            }
        };
        let missing = problems.iter().any(|p| p.kind == FindingKind::MissingFile);
        let unreadable = problems.iter().any(|p| p.kind == FindingKind::Unreadable);
        let open = row.state == BlockState::Open && !missing;
        let written = open && (self.options.beside_service || self.is_written(&row).await?);
        if open && !written && !unreadable {
            problems.push(Problem::new(FindingKind::Unsealed, row.range(), "the block is open, and nobody writes it"));
        }
        if problems.is_empty() {
            return Ok(());
        }
        let erased = problems.iter().any(|p| p.kind == FindingKind::ErasedFootage);
        let action = match (self.options.repair, written || unreadable) {
            (true, false) if erased => Some(self.erase_again(&row).await?),
            (false, _) => None,
            (true, true) if unreadable => {
                Some(Err("what the disk does not give cannot be mended; copy what you can, then check again".into()))
            }
            (true, true) => Some(Err("the block is being written; check again when it is sealed".into())),
            (true, false) => Some(self.repair_row(&row).await?),
        };
        for Problem { kind, range, detail } in problems {
            let finding = Finding::new(kind, detail).of_stream(&row.stream).of_block(row.id).at_path(row.path()).in_range(range);
            self.tell_with(finding, action.clone());
        }
        Ok(())
    }

    /// The row as it is when its file disagrees with it twice: writers move rows and files on while we look.
    async fn settled_verdict(&self, row: BlockInfo) -> IndexResult<Option<(BlockInfo, Verdict)>> {
        let mut row = row;
        for _ in 0..3 {
            let verdict = self.verdict(&row).await?;
            if verdict_is_clean(&verdict) {
                return Ok(Some((row, verdict)));
            }
            match self.db.block(row.id).await? {
                None => return Ok(None),
                Some(now) if now == row => return Ok(Some((row, verdict))),
                Some(now) => row = now,
            }
        }
        let verdict = self.verdict(&row).await?;
        Ok(Some((row, verdict)))
    }

    async fn verdict(&self, row: &BlockInfo) -> IndexResult<Verdict> {
        let run = self.run_of(row).await?;
        let (root, row, depth) = (self.root.clone(), row.clone(), self.options.depth);
        blocking(move || inspect(&root, &row, &run, depth)).await
    }

    /// A row always has its run: the database sees to it.
    pub(super) async fn run_of(&self, row: &BlockInfo) -> IndexResult<Arc<RunInfo>> {
        Ok(self.index.run(row.run).await?.ok_or_else(|| DbError::Missing { what: "run", id: row.run.to_string() })?)
    }

    async fn is_written(&self, row: &BlockInfo) -> IndexResult<bool> {
        let path = self.root.file(&row.path());
        Ok(blocking(move || is_being_written(&path)).await??)
    }

    async fn file_without_row(&mut self, job: &StreamJob, name: BlockName) -> IndexResult<()> {
        // The journal is asked first: a note goes only after the row has come.
        if self.options.beside_service && self.is_noted(name.id).await? {
            return Ok(());
        }
        if let Some(row) = self.db.block(name.id).await?.filter(|row| key(row) == (name.start, name.id) && row.stream == job.folder.stream)
        {
            return self.row_with_file(row).await;
        }
        let path = name.path(&job.folder);
        let (root, relative, ask_writer) = (self.root.clone(), path.clone(), !self.options.beside_service);
        let orphan = blocking(move || inspect_orphan(&root, &relative, ask_writer)).await?;
        let finding = |kind, detail: String| Finding::new(kind, detail).of_stream(&job.folder.stream).at_path(&path);
        match orphan {
            Orphan::BeingWritten | Orphan::Missing => {}
            Orphan::Unreadable(detail) => self.tell(finding(FindingKind::Unreadable, detail)),
            Orphan::Foreign(detail) => self.stray(&path, &detail, Some(&job.folder.stream)).await?,
            Orphan::Block { header, range, len, detail } => {
                self.count(len);
                let bare = header.block_info(0, SegmentTable::default(), None);
                if self.erased_file(&bare, range).await? {
                    return Ok(());
                }
                let newest = self.db.totals(&job.folder.stream).await?.last_end;
                let newer = newest.is_none_or(|end| header.start >= end);
                let since = if newer { "; it is newer than all that the index has of its stream" } else { "" };
                let action = if self.options.repair { Some(self.repair_orphan(job, &header, range).await?) } else { None };
                let finding = finding(FindingKind::OrphanedFile, detail + since).of_block(name.id).in_range(range);
                self.tell_with(finding, action);
            }
        }
        Ok(())
    }

    async fn is_noted(&self, id: BlockId) -> IndexResult<bool> {
        let root = self.root.clone();
        let notes = blocking(move || open_notes(&root)).await??;
        Ok(notes.iter().any(|note| note.id == id))
    }

    /// Something that is no block of ours, or not of this place. Repair moves it aside.
    pub(super) async fn stray(&mut self, path: &str, detail: &str, stream: Option<&StreamId>) -> IndexResult<()> {
        let action = if self.options.repair { Some(self.move_aside(path).await?) } else { None };
        let mut finding = Finding::new(FindingKind::ForeignFile, detail).at_path(path);
        finding.stream = stream.cloned();
        self.tell_with(finding, action);
        Ok(())
    }

    pub(super) async fn move_aside(&self, path: &str) -> IndexResult<Action> {
        let (root, path) = (self.root.clone(), path.to_string());
        let moved = blocking(move || move_to_lost(&root, &path)).await?;
        Ok(moved.map(|to| format!("moved to {to}")).map_err(|e| chain(&e)))
    }

    pub(super) fn tell_with(&mut self, mut finding: Finding, action: Option<Action>) {
        finding.repaired = matches!(action, Some(Ok(_)));
        finding.action = action.map(|a| a.unwrap_or_else(|why| why));
        self.tell(finding);
    }

    fn count(&mut self, len: u64) {
        self.progress.files += 1;
        self.progress.bytes += len;
        // Often enough for a person, seldom enough to cost nothing.
        if self.progress.files.is_multiple_of(100) || self.options.depth == Depth::Full {
            self.tell_progress();
        }
    }

    /// What lies behind a block's end: see [`Surroundings`].
    pub(super) async fn surroundings(&self, row: &BlockInfo) -> IndexResult<Surroundings> {
        Surroundings::look(&self.db, &row.stream, row.run, row.end()).await
    }
}

fn verdict_is_clean(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Read { problems, .. } if problems.is_empty())
}
