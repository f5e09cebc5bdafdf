//! Erasure on request: a range of a stream, a stream, an account.
//!
//! ```text
//! asked ─► hidden ─► drained ─► wiped ─► finished
//!   │        rows      time      bytes     no way back from the beginning
//!   └ in one transaction with the look at the holds
//! ```
//!
//! - From the commit of the request on nothing of its range is served ([`crate::db::ErasureRows::pending_erasures`]). A hold that
//!   touches a segment that would go refuses the request; once it is written down, a hold over it is refused: it came too late.
//! - Whole segments go, those that the range touches: nothing smaller can be taken out of a file that must still play.
//! - **Hidden**: the rows pass these segments over, and their time is a gap of cause `erased`. The block that is being written, and one
//!   that a sweep is deleting, are left for later: their turn comes when they are sealed or gone.
//! - **Drained**: a request that began before may be sending these bytes. They are overwritten when it has had the longest time that a
//!   response takes; longer ones (a clip of a day) look at the rows again with each piece and break off.
//! - **Wiped**: bytes are overwritten and synced, then the row has the new checksum; a block of which nothing is left goes with its file.
//!
//! Every step can be repeated; a process that is killed between two leaves them to the next run of the enforcer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::enforcer::FOLDERS_STAY_US;
use super::receipts::make_receipts;
use super::{RetentionError, RetentionResult};
use crate::audit::{Act, Event};
use crate::clock::SharedClock;
use crate::db::{Db, DbResult, ErasedBlock, ErasureRow, IndexChange, NewErasure};
use crate::index::Index;
use crate::media::{BlockId, BlockInfo, StreamId, TimeRange, Timestamp};
use crate::store::{GoneBlock, GoneKind, GoneNote, MediaRoot, StoreError, note_gone, remove_block, wipe_block, wipe_segments};

/// Blocks hidden in one transaction and wiped before one is written down: some megabytes of tables, and a moment for everyone who waits
/// for the writer.
const BATCH: u32 = 64;
/// Requests looked at in one run; the others are next.
const ERASURES_MAX: u32 = 256;
/// By hand an erasure is tried so often, a drain apart: hidden, wiped, finished, and once for a block that was sealed meanwhile.
const TRIES: u32 = 4;

/// How long to wait for whom.
#[derive(Clone, Copy, Debug)]
pub struct EraseSettings {
    /// Between the last row that led to a segment and its overwriting: the longest a response of one may take. The time a handler has
    /// (30 s) and that again for the sending.
    pub drain: Duration,
    /// Footage of a moment has come at the latest so long after it. Longer than the longest segment with its sync.
    pub settle: Duration,
    /// Rest after each batch, so that recording and playback have the disk.
    pub rest: Duration,
}

impl Default for EraseSettings {
    fn default() -> Self {
        EraseSettings { drain: Duration::from_secs(60), settle: Duration::from_secs(60), rest: Duration::from_millis(20) }
    }
}

impl EraseSettings {
    /// Where nobody reads and nobody writes: no service runs.
    pub fn alone() -> Self {
        EraseSettings { drain: Duration::ZERO, settle: Duration::ZERO, rest: Duration::ZERO }
    }
}

/// Carries out what was asked for.
#[derive(Clone)]
pub struct Eraser {
    index: Index,
    root: MediaRoot,
    settings: EraseSettings,
}

/// What would go of one stream.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Going {
    /// Widened to whole segments: from the first that goes to the end of the last. `None`: there is nothing.
    pub range: Option<TimeRange>,
    pub segments: u64,
    /// Of media.
    pub bytes: u64,
    /// Of which nothing is left.
    pub whole_blocks: u64,
    /// Of which the rest stays.
    pub part_blocks: u64,
}

/// What one look at all requests has done.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ErasuresAdvanced)]
pub struct Advance {
    /// Blocks from which bytes were erased.
    pub wiped: u64,
    pub finished: Vec<i64>,
    /// Requests of which something is still to come: a drain to end, a block to be sealed.
    pub waiting: Vec<i64>,
    /// Blocks that resist, and why.
    #[schema(value_type = Vec<(String, String)>)]
    pub failed: Vec<(BlockId, String)>,
}

impl Eraser {
    pub fn new(index: Index, root: MediaRoot, settings: EraseSettings) -> Eraser {
        Eraser { index, root, settings }
    }

    fn db(&self) -> &Db {
        self.index.db()
    }

    /// Writes the request down. Nothing of it is served from then on.
    ///
    /// # Errors
    /// [`RetentionError::ErasureAhead`], [`RetentionError::ErasureWords`]; [`crate::db::DbError::Held`]. Nothing has changed then.
    pub async fn ask(&self, new: &NewErasure, now: Timestamp) -> RetentionResult<ErasureRow> {
        check(new, now)?;
        let event = event_of("erasure.asked", new, now).by(&new.actor).with("reason", new.reason.as_str());
        Ok(self.db().add_erasure(new, now, event.with("asked_by", new.asked_by.as_str())).await?)
    }

    /// What would go, stream by stream; nothing is changed.
    ///
    /// # Errors
    /// As [`Eraser::ask`] without holds.
    pub async fn preview(&self, new: &NewErasure, now: Timestamp) -> RetentionResult<BTreeMap<StreamId, Going>> {
        check(new, now)?;
        let mut all = BTreeMap::new();
        for stream in self.streams(new).await? {
            let mut going = Going::default();
            let mut rest = Some(new.range);
            while let Some(range) = rest {
                let blocks = self.db().blocks_in(&stream, range, BATCH).await?;
                blocks.iter().for_each(|block| going.add(block, new.range));
                rest = behind(&blocks, range);
            }
            all.insert(stream, going);
        }
        Ok(all)
    }

    /// All that can be done now for all requests: hides, wipes what has drained, finishes.
    ///
    /// # Errors
    /// [`RetentionError`]. What was done stays done; the next call goes on from there. A block that resists is in the answer.
    pub async fn advance(&self, now: Timestamp) -> RetentionResult<Advance> {
        let mut done = Advance::default();
        let pending = self.db().unfinished_erasures(ERASURES_MAX).await?;
        if pending.is_empty() {
            return Ok(done);
        }
        let root = self.root.clone();
        blocking(move || root.still_there()).await??;
        for erasure in &pending {
            self.hide(erasure, now).await?;
        }
        self.wipe(now, &mut done).await?;
        for erasure in &pending {
            let finished = self.is_through(erasure, now).await? && self.finish(erasure.id, now).await?;
            if finished { done.finished.push(erasure.id) } else { done.waiting.push(erasure.id) }
        }
        if !done.finished.is_empty() {
            make_receipts(self.db(), now).await?;
        }
        Ok(done)
    }

    /// [`Eraser::advance`] until this one is finished, or only a block being written is left of it, for which the enforcer comes back.
    ///
    /// # Errors
    /// As [`Eraser::advance`].
    pub async fn carry_out(&self, id: i64, clock: &SharedClock) -> RetentionResult<()> {
        for attempt in 1..=TRIES {
            let done = self.advance(clock.now()).await?;
            if !done.waiting.contains(&id) || attempt == TRIES {
                break;
            }
            // A moment longer than both: what began just before has then had its time.
            let pause = self.settings.drain.max(self.settings.settle);
            tokio::time::sleep(pause + pause / 10).await;
        }
        Ok(())
    }

    async fn streams(&self, new: &NewErasure) -> DbResult<Vec<StreamId>> {
        match &new.stream {
            Some(stream) => Ok(vec![stream.clone()]),
            // Removed ones too: their footage is there.
            None => Ok(self.db().streams(true).await?.into_iter().filter(|s| s.account == new.account).map(|s| s.id).collect()),
        }
    }

    async fn hide(&self, row: &ErasureRow, now: Timestamp) -> RetentionResult<()> {
        let new = &row.erasure;
        for stream in self.streams(new).await? {
            let mut rest = Some(new.range);
            while let Some(range) = rest {
                let blocks = self.db().blocks_in(&stream, range, BATCH).await?;
                rest = behind(&blocks, range);
                let sealed = blocks.iter().filter(|b| b.checksum.is_some());
                let going: Vec<(BlockId, Vec<u32>)> =
                    sealed.map(|b| (b.id, positions(b, new.range))).filter(|(_, positions)| !positions.is_empty()).collect();
                if !going.is_empty() {
                    let event = event_of("erasure.hidden", new, now).on_stream(&stream).with("erasure", row.id);
                    let change = IndexChange::SegmentsErased { erasure: row.id, blocks: going, at: now, event: Box::new(event) };
                    self.index.commit(vec![change]).await?;
                }
            }
        }
        Ok(())
    }

    async fn wipe(&self, now: Timestamp, done: &mut Advance) -> RetentionResult<()> {
        let until = now - self.settings.drain;
        let mut seen: BTreeSet<BlockId> = BTreeSet::new();
        loop {
            // Those that resisted come first again.
            let limit = BATCH.saturating_add(u32::try_from(seen.len()).unwrap_or(u32::MAX));
            let mut due = self.db().blocks_to_wipe(until, limit).await?;
            due.retain(|b| seen.insert(b.block));
            if due.is_empty() {
                return Ok(());
            }
            for group in by_erasure(due) {
                self.wipe_group(&group, (until, now), done).await?;
            }
            if !self.settings.rest.is_zero() {
                tokio::time::sleep(self.settings.rest).await;
            }
        }
    }

    /// Blocks of one erasure: bytes, then rows.
    async fn wipe_group(
        &self,
        group: &[ErasedBlock],
        (hidden_until, now): (Timestamp, Timestamp),
        done: &mut Advance,
    ) -> RetentionResult<()> {
        let mut rows = Vec::new();
        for erased in group {
            rows.push((erased.clone(), self.db().block(erased.block).await?));
        }
        let root = self.root.clone();
        let outcomes = blocking(move || wipe_files(&root, rows, now)).await??;
        let mut gone = Vec::new();
        for (block, outcome) in outcomes {
            match outcome {
                Ok(checksum) => gone.push((block, checksum)),
                Err(StoreError::Busy { .. }) => {}
                Err(error) => {
                    tracing::error!(%block, %error, "bytes that were to be erased are still there; they are not served");
                    done.failed.push((block, error.to_string()));
                }
            }
        }
        let Some(first) = group.first().filter(|_| !gone.is_empty()) else { return Ok(()) };
        done.wiped += gone.len() as u64;
        let event = Event::system(now, Act("erasure.erased")).of_account(&first.account);
        let event = event.with("erasure", first.erasure).with("blocks", gone.len());
        Ok(self.index.commit(vec![IndexChange::ErasedBytesGone { blocks: gone, hidden_until, at: now, event: Box::new(event) }]).await?)
    }

    /// Nothing of the range is left in a row, and nothing can come any more.
    async fn is_through(&self, row: &ErasureRow, now: Timestamp) -> DbResult<bool> {
        let range = row.erasure.range;
        if range.end() + self.settings.settle > now {
            return Ok(false);
        }
        for stream in self.streams(&row.erasure).await? {
            let mut rest = Some(range);
            while let Some(part) = rest {
                let blocks = self.db().blocks_in(&stream, part, BATCH).await?;
                if blocks.iter().any(|b| !positions(b, range).is_empty()) {
                    return Ok(false);
                }
                rest = behind(&blocks, part);
            }
        }
        Ok(true)
    }

    async fn finish(&self, id: i64, now: Timestamp) -> DbResult<bool> {
        let Some(row) = self.db().erasure(id).await? else { return Ok(false) };
        let event = event_of("erasure.finished", &row.erasure, now).with("erasure", id);
        let event = event.with("blocks", row.blocks).with("segments", row.segments).with("bytes", row.bytes);
        self.db().finish_erasure(id, now, event).await
    }
}

impl Going {
    fn add(&mut self, block: &BlockInfo, range: TimeRange) {
        let (mut going, mut kept) = (0, 0);
        for segment in block.segments() {
            if !segment.range().overlaps(range) {
                kept += 1;
                continue;
            }
            going += 1;
            self.bytes += u64::from(segment.entry.media_bytes());
            let start = self.range.map_or(segment.start, |r| r.start().min(segment.start));
            let end = self.range.map_or(segment.end(), |r| r.end().max(segment.end()));
            self.range = TimeRange::new(start, end).ok();
        }
        self.segments += going;
        match (going, kept) {
            (0, _) => {}
            (_, 0) => self.whole_blocks += 1,
            _ => self.part_blocks += 1,
        }
    }
}

/// # Errors
/// The request makes no sense.
fn check(new: &NewErasure, now: Timestamp) -> RetentionResult<()> {
    if new.range.end() > now {
        return Err(RetentionError::ErasureAhead { end: new.range.end(), now });
    }
    let says = |text: &str| !text.trim().is_empty();
    if !says(&new.reason) || !says(&new.asked_by) {
        return Err(RetentionError::ErasureWords);
    }
    Ok(())
}

fn event_of(act: &'static str, new: &NewErasure, now: Timestamp) -> Event {
    let event = Event::system(now, Act(act)).of_account(&new.account).over(new.range);
    match &new.stream {
        Some(stream) => event.on_stream(stream),
        None => event,
    }
}

/// Segments of the block that the range touches.
fn positions(block: &BlockInfo, range: TimeRange) -> Vec<u32> {
    block.segments().filter(|s| s.range().overlaps(range)).map(|s| s.position).collect()
}

/// The part of `range` behind a full page of blocks.
fn behind(page: &[BlockInfo], range: TimeRange) -> Option<TimeRange> {
    let last = page.last().filter(|_| page.len() == BATCH as usize)?;
    TimeRange::new(last.end(), range.end()).ok()
}

fn by_erasure(blocks: Vec<ErasedBlock>) -> Vec<Vec<ErasedBlock>> {
    let mut groups: BTreeMap<i64, Vec<ErasedBlock>> = BTreeMap::new();
    for block in blocks {
        groups.entry(block.erasure).or_default().push(block);
    }
    groups.into_values().collect()
}

type Outcomes = Vec<(BlockId, Result<Option<u64>, StoreError>)>;

/// Erases in the files; each answer is the block's new checksum, or `None` where its file is gone.
///
/// # Errors
/// What goes whole cannot be noted; nothing was erased then.
fn wipe_files(root: &MediaRoot, rows: Vec<(ErasedBlock, Option<BlockInfo>)>, now: Timestamp) -> Result<Outcomes, StoreError> {
    let whole: Vec<&ErasedBlock> =
        rows.iter().filter(|(_, row)| row.as_ref().is_some_and(|r| r.table.kept() == 0)).map(|(e, _)| e).collect();
    if let Some(first) = whole.first() {
        let number = first.erasure;
        let block = |e: &&ErasedBlock| GoneBlock { block: e.block, stream: e.stream.clone(), range: e.range };
        note_gone(root, &GoneNote { kind: GoneKind::Erasure, number, at: now, blocks: whole.iter().map(block).collect() })?;
    }
    Ok(rows.into_iter().map(|(erased, row)| (erased.block, wipe_file(root, row.as_ref(), now))).collect())
}

fn wipe_file(root: &MediaRoot, row: Option<&BlockInfo>, now: Timestamp) -> Result<Option<u64>, StoreError> {
    // A sweep or a repair was quicker.
    let Some(row) = row else { return Ok(None) };
    if row.table.kept() == 0 {
        wipe_block(root, row)?;
        remove_block(root, &row.path(), now.micros_since(row.start) > FOLDERS_STAY_US)?;
        return Ok(None);
    }
    match wipe_segments(root, row) {
        // Lost before; the check has it.
        Err(e) if e.is_missing() => Ok(row.checksum),
        other => other.map(Some),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> RetentionResult<T> {
    tokio::task::spawn_blocking(work).await.map_err(|e| RetentionError::Interrupted(e.to_string()))
}

impl std::fmt::Debug for Eraser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Eraser").field("settings", &self.settings).finish_non_exhaustive()
    }
}
