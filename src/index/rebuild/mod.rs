//! A new index from the media folder alone.
//!
//! Every block file says whose footage it holds, in which run, from when, and what lies before that run; sealed
//! ones have their segment table at their end, so two small reads index a block. The others are scanned and stay
//! open: the next start ends them as after a crash.
//!
//! The walk goes stream by stream in time order and keeps the block before the current one in mind, nothing else.
//!
//! **Invariants.** Files are only read. What cannot be used is told and left where it is; `check --repair` saves
//! of it what can be saved. Numbers that files have used are never given out again.
//!
//! **When things fail.** A damaged or foreign file costs only itself. Anything else ends the rebuild with the index
//! half made: do it again.
//!
//! What was erased on request stays so: files say it of segments, and notes in the media folder of whole blocks. Such a block is left
//! out when its file is there again, and its time is a gap of cause `erased`.
//!
//! What came after the last footage, and whether the stream is paused or removed, is on the card in its folder.
//!
//! **What files do not say.** Credentials of sources; changes to a stream's row since its last run or gap began.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Serialize;

use crate::db::{Db, IndexChange};
use crate::media::{BlockId, BlockInfo, Gap, GapCause, RunId, RunInfo, StreamId, TimeRange, Timestamp};
use crate::store::{
    BlockName, Entry, GoneKind, MediaRoot, RunEnd, StoreError, StoreResult, StreamCard, StreamFolder, StreamWalk, gone_notes, read_sealed,
    scan, stream_folders,
};

use super::check::{Finding, FindingKind, Progress};
use super::holes::{BlockEnd, gaps_between};
use super::recover::{blocking, chain};
use super::restore::{Restored, restore_stream};
use super::{Index, IndexResult};

/// Changes committed at once: a transaction of some ten milliseconds. Fewer make the journal's sync count,
/// more only take memory.
const BATCH: usize = 512;
/// Files read at the same time. A spinning disk orders their reads; more than a few bring nothing.
const READERS: usize = 4;

/// What a rebuild tells while it goes on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RebuildEvent {
    /// Not in the new index, or not whole, and why.
    Skipped(Finding),
    Progress(Progress),
}

/// What a rebuild has made.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct RebuildSummary {
    pub streams: u64,
    pub runs: u64,
    pub blocks: u64,
    pub segments: u64,
    pub gaps: u64,
    /// Files and folders that are not in the index, or not whole.
    pub skipped: u64,
    /// Streams that had no row: their sources may need credentials, which only an operator knows.
    pub restored_streams: Vec<StreamId>,
    /// Those of them of which only the name is known: paused, and with no source until an operator sets one.
    pub nameless_streams: Vec<StreamId>,
}

/// Where a rebuild tells how it goes on.
pub type Report<'a> = &'a mut (dyn FnMut(RebuildEvent) + Send);

/// Replaces all runs, blocks and gaps by what the files say. Streams that the database does not know are added.
/// Nothing else may use the database or write to the media folder meanwhile.
///
/// # Errors
/// [`super::IndexError::Store`] when the media folder cannot be listed; [`super::IndexError::Db`] when the database fails.
pub async fn rebuild(index: &Index, root: &MediaRoot, now: Timestamp, report: Report<'_>) -> IndexResult<RebuildSummary> {
    root.still_there()?;
    let listed = root.clone();
    let (folders, strays) = blocking(move || stream_folders(&listed)).await??;
    let progress = Progress { streams_total: folders.len() as u64, ..Progress::default() };
    let mut work = Rebuild {
        db: index.db(),
        root,
        now,
        report,
        summary: RebuildSummary::default(),
        progress,
        changes: Vec::new(),
        erased: BTreeMap::new(),
    };
    // Past the index's own door, which would look each new block up before it stores it: nothing is cached that could
    // become wrong, and what is, is forgotten at the end.
    let db = index.db();
    db.replace_footage(&[]).await?;
    index.refresh().await?;
    for path in strays {
        work.skip(Finding::new(FindingKind::ForeignFile, "nothing that Retroview keeps here").at_path(path));
    }
    for folder in folders {
        work.stream(&folder).await?;
    }
    db.set_media_root_id(root.id()).await?;
    index.refresh().await?;
    Ok(work.summary)
}

struct Rebuild<'a> {
    db: &'a Db,
    root: &'a MediaRoot,
    now: Timestamp,
    report: Report<'a>,
    summary: RebuildSummary,
    progress: Progress,
    changes: Vec<IndexChange>,
    /// Blocks of the current stream that erasures left nothing of, and their time.
    erased: BTreeMap<BlockId, TimeRange>,
}

/// A block file that can be indexed.
struct Readable {
    info: BlockInfo,
    run: RunInfo,
    run_end: Option<RunEnd>,
    /// Why only a part of it is.
    complaint: Option<Finding>,
}

/// One stream's files, as far as they have been seen.
#[derive(Default)]
struct Seen {
    /// Read, but not yet known to be free of overlap with the next.
    pending: Option<Readable>,
    before: Option<BlockEnd>,
    last_run: Option<RunId>,
    next_run_ordinal: u64,
    next_sequence: u64,
}

impl Rebuild<'_> {
    async fn stream(&mut self, folder: &StreamFolder) -> IndexResult<()> {
        self.progress.stream = Some(folder.stream.clone());
        (self.report)(RebuildEvent::Progress(self.progress.clone()));
        let restored = restore_stream(self.db, self.root, folder, self.now).await?;
        if let Restored::OtherAccount(row) = &restored {
            let detail = format!("the stream `{}` belongs to account `{}`", row.id, row.account);
            let path = format!("{}/{}", folder.account, folder.stream);
            self.skip(Finding::new(FindingKind::ForeignFile, detail).of_stream(&row.id).at_path(path));
            return Ok(());
        }
        self.summary.restored_streams.extend(restored.new_stream().cloned());
        if let Restored::Placeholder(row) = &restored {
            self.summary.nameless_streams.push(row.id.clone());
        }
        let mut seen = Seen::default();
        self.erased_before(folder).await?;
        let mut walk = StreamWalk::new(self.root, folder);
        loop {
            let (back, listed) = blocking(move || {
                let listed = walk.next_folder();
                (walk, listed)
            })
            .await?;
            walk = back;
            let Some(entries) = listed? else { break };
            self.entries(folder, entries, &mut seen).await?;
        }
        self.end_of_stream(folder, seen, restored.new_stream().is_some()).await?;
        self.summary.streams += 1;
        self.progress.streams += 1;
        (self.report)(RebuildEvent::Progress(self.progress.clone()));
        Ok(())
    }

    /// Gaps that erasures left where no file is, first: footage that is there all the same makes them give way.
    async fn erased_before(&mut self, folder: &StreamFolder) -> IndexResult<()> {
        let root = self.root.clone();
        let notes = blocking(move || gone_notes(&root)).await??;
        let erased = notes.into_iter().filter(|n| n.kind == GoneKind::Erasure).flat_map(|n| n.blocks);
        self.erased = erased.filter(|b| b.stream == folder.stream).map(|b| (b.block, b.range)).collect();
        let gap = |range: &TimeRange| Gap { start: range.start(), end: Some(range.end()), cause: GapCause::Erased, detail: String::new() };
        let gaps = self.erased.values().map(|range| IndexChange::GapAdded { stream: folder.stream.clone(), gap: gap(range) });
        self.changes.extend(gaps);
        Ok(())
    }

    async fn entries(&mut self, folder: &StreamFolder, entries: Vec<Entry>, seen: &mut Seen) -> IndexResult<()> {
        let mut names = VecDeque::new();
        for entry in entries {
            match entry {
                Entry::Block(name) => names.push_back(name),
                Entry::Stray(path) => {
                    let finding = Finding::new(FindingKind::ForeignFile, "no block of this stream has this name");
                    self.skip(finding.of_stream(&folder.stream).at_path(path));
                }
            }
        }
        let root = self.root.clone();
        let owner = folder.clone();
        let mut files = stream::iter(names)
            .map(move |name| {
                let (root, folder) = (root.clone(), owner.clone());
                blocking(move || read(&root, &folder, name))
            })
            .buffered(READERS);
        while let Some(file) = files.try_next().await? {
            self.progress.files += 1;
            match file {
                Ok(file) if self.erased.contains_key(&file.info.id) => {
                    let detail = "it was erased on request, and here it is again";
                    self.skip(about(&file.info, FindingKind::ErasedFootage, detail).in_range(file.info.range()));
                }
                Ok(file) => {
                    self.progress.bytes += file.info.size_bytes;
                    self.take(file, seen).await?;
                }
                Err(finding) => self.skip(*finding),
            }
        }
        (self.report)(RebuildEvent::Progress(self.progress.clone()));
        Ok(())
    }

    /// The next file in time order. One that overlaps the file before it is left out, or leaves that one out.
    async fn take(&mut self, file: Readable, seen: &mut Seen) -> IndexResult<()> {
        seen.next_run_ordinal = seen.next_run_ordinal.max(file.run.ordinal + 1);
        seen.next_sequence = seen.next_sequence.max(file.info.first_sequence + file.info.table.len() as u64);
        let Some(pending) = seen.pending.take() else {
            seen.pending = Some(file);
            return Ok(());
        };
        if file.info.start >= pending.info.end() {
            seen.pending = Some(file);
            return self.index(pending, seen).await;
        }
        let (kept, left_out) = if prefer_first(&pending.info, &file.info) { (pending, file) } else { (file, pending) };
        let common = left_out.info.range().zip(kept.info.range()).and_then(|(a, b)| a.intersection(b));
        let detail = format!("block {} holds this time too, and is in the index instead", kept.info.id);
        self.skip(about(&left_out.info, FindingKind::Overlap, detail).in_range(common));
        seen.pending = Some(kept);
        Ok(())
    }

    async fn index(&mut self, file: Readable, seen: &mut Seen) -> IndexResult<()> {
        let Readable { info, run, run_end, complaint } = file;
        if let Some(finding) = complaint {
            self.skip(finding);
        }
        // A block in which nothing was complete yet says nothing about coverage.
        if !info.table.is_empty() {
            let gaps = gaps_between(seen.before.as_ref(), &run, info.start);
            self.summary.gaps += gaps.len() as u64;
            self.changes.extend(gaps.into_iter().map(|gap| IndexChange::GapAdded { stream: info.stream.clone(), gap }));
            seen.before = Some(BlockEnd::new(seen.before.as_ref(), &run, info.end(), run_end));
        }
        if seen.last_run != Some(run.id) {
            seen.last_run = Some(run.id);
            self.summary.runs += 1;
            self.changes.push(IndexChange::RunStarted(run));
        }
        self.summary.blocks += 1;
        self.summary.segments += info.table.len() as u64;
        self.changes.push(IndexChange::BlockIndexed(info));
        if self.changes.len() >= BATCH { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> IndexResult<()> {
        self.db.commit(&self.changes).await?;
        self.changes.clear();
        Ok(())
    }

    async fn end_of_stream(&mut self, folder: &StreamFolder, mut seen: Seen, is_new: bool) -> IndexResult<()> {
        let mut recording = false;
        if let Some(last) = seen.pending.take() {
            recording = last.info.checksum.is_none() && !last.info.table.is_empty();
            self.index(last, &mut seen).await?;
        }
        // An open block is ended by the next start, which also tells the gap behind it.
        let card = self.root.stream_card(&folder.account, &folder.stream);
        if let Some(end) = seen.before.as_ref().filter(|_| !recording) {
            self.gaps_behind(&folder.stream, end, card.as_ref());
        }
        self.flush().await?;
        self.db.raise_stream_counters(&folder.stream, seen.next_run_ordinal, seen.next_sequence).await?;
        if let (true, Some(end)) = (is_new, seen.before) {
            match card.filter(|card| is_current(card, &end)) {
                Some(card) => self.restore_card(&card).await?,
                None => self.restore_state(&folder.stream, &end).await?,
            }
        }
        Ok(())
    }

    /// What came after the last footage: as the stream's card has it, when it speaks of the same footage, else as its last
    /// block does.
    fn gaps_behind(&mut self, stream: &StreamId, end: &BlockEnd, card: Option<&StreamCard>) {
        let told = card.filter(|card| is_current(card, end)).map(|card| &card.gaps_after[..]);
        let from_block = || end.trailing_gap().map(|RunEnd { cause, detail }| Gap { start: end.at, end: None, cause, detail });
        let gaps = told.map_or_else(|| from_block().into_iter().collect(), <[Gap]>::to_vec);
        self.summary.gaps += gaps.len() as u64;
        self.changes.extend(gaps.into_iter().map(|gap| match gap.end {
            Some(_) => IndexChange::GapAdded { stream: stream.clone(), gap },
            None => IndexChange::GapOpened { stream: stream.clone(), start: gap.start, cause: gap.cause, detail: gap.detail },
        }));
    }

    async fn restore_card(&mut self, card: &StreamCard) -> IndexResult<()> {
        if card.paused {
            self.db.set_stream_paused(&card.stream, true).await?;
        }
        if card.removed_at.is_some() {
            self.db.set_stream_removed(&card.stream, card.removed_at).await?;
        }
        Ok(())
    }

    /// A stream that was paused or removed when it last recorded must not begin again because its row was lost.
    async fn restore_state(&mut self, stream: &StreamId, end: &BlockEnd) -> IndexResult<()> {
        match end.live_end.as_ref().map(|end| end.cause) {
            Some(GapCause::Paused) => self.db.set_stream_paused(stream, true).await?,
            Some(GapCause::Removed) => self.db.set_stream_removed(stream, Some(end.at)).await?,
            _ => {}
        }
        Ok(())
    }

    fn skip(&mut self, finding: Finding) {
        self.summary.skipped += 1;
        (self.report)(RebuildEvent::Skipped(finding));
    }
}

/// Whether the card was written after this end of the footage.
fn is_current(card: &StreamCard, end: &BlockEnd) -> bool {
    card.gaps_after.first().is_some_and(|gap| gap.start == end.at)
}

/// Of two blocks that overlap: the one that holds all of the other, else the older. Ids begin with the moment
/// of their making.
fn prefer_first(first: &BlockInfo, second: &BlockInfo) -> bool {
    let (Some(a), Some(b)) = (first.range(), second.range()) else { return first.range().is_some() };
    match (a.covers(b), b.covers(a)) {
        (true, false) => true,
        (false, true) => false,
        _ => first.id < second.id,
    }
}

fn about(info: &BlockInfo, kind: FindingKind, detail: impl Into<String>) -> Finding {
    Finding::new(kind, detail).of_stream(&info.stream).of_block(info.id).at_path(info.path())
}

/// One file, or why it cannot be indexed.
fn read(root: &MediaRoot, folder: &StreamFolder, name: BlockName) -> Result<Readable, Box<Finding>> {
    let path = name.path(folder);
    let file = root.file(&path);
    let finding = |kind, detail: String| Box::new(Finding::new(kind, detail).of_stream(&folder.stream).of_block(name.id).at_path(&path));
    let unreadable = |e: StoreError| finding(FindingKind::Unreadable, chain(&e));
    let open = || read_open(&file).map_err(unreadable)?.map_err(|what| finding(FindingKind::Checksum, what));
    let found = match read_sealed(&file) {
        Ok(Some(sealed)) => {
            let info = sealed.block_info();
            Readable { info, run: sealed.header.run, run_end: sealed.trailer.end, complaint: None }
        }
        // Was being written.
        Ok(None) => open()?,
        // Damaged at an end: a scan tells what there is.
        Err(StoreError::Damaged { what, .. }) => {
            let found = open()?;
            let complaint = found.complaint.or_else(|| Some(Finding::new(FindingKind::Checksum, what)));
            Readable { complaint, ..found }
        }
        Err(e) => return Err(unreadable(e)),
    };
    if found.info.path() != path {
        return Err(finding(FindingKind::ForeignFile, format!("its own header says that it belongs at {}", found.info.path())));
    }
    let complaint = found.complaint.map(|c| Finding { stream: Some(folder.stream.clone()), block: Some(name.id), path: Some(path), ..c });
    Ok(Readable { complaint, ..found })
}

/// A block that was being written: its whole segments up to the first damage. Behind the last whole one there
/// may be a torn one or half a trailer, as a kill leaves them; the next start cuts them off.
fn read_open(file: &std::path::Path) -> StoreResult<Result<Readable, String>> {
    let scan = scan(file, 0)?;
    let (header, first_offset) = match &scan.header {
        Ok(found) => found,
        Err(what) => return Ok(Err(format!("init segment or block header: {what}"))),
    };
    let whole = &scan.segments[..scan.unbroken];
    let begins = whole.first().is_none_or(|first| first.header.start == header.start && first.header.sequence == header.first_sequence);
    if !begins {
        return Ok(Err("its first segment is not the one its header names".into()));
    }
    let table = crate::media::SegmentTable::from_entries(whole.iter().map(|found| found.header.entry).collect());
    let left_out = scan.damage.first().filter(|_| scan.unbroken < scan.segments.len());
    let complaint = left_out.map(|damage| {
        let behind = whole.last().map_or(header.start, |last| last.range().end());
        let range = scan.segments.last().and_then(|last| TimeRange::new(behind, last.range().end()).ok());
        Finding::new(FindingKind::Checksum, format!("only what lies before byte {}: {}", damage.offset, damage.what)).in_range(range)
    });
    let info = header.block_info(*first_offset, table, None);
    Ok(Ok(Readable { info, run: header.run.clone(), run_end: None, complaint }))
}
