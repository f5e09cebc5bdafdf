//! Making a block's row and file agree again, keeping all footage that can be played.
//!
//! | what is left of the block | what becomes of it |
//! |---|---|
//! | the file is whole | its row is written again from it |
//! | all segments the file can still hold, from the first on | written to a new file of the same name, sealed |
//! | segments with damaged ones between or behind them | each unbroken stretch becomes a block of its own; the file is moved aside |
//! | nothing | the row goes, the file is moved aside |
//!
//! Segments keep start time, sequence number and bytes, so their URLs and what these answer stay the same.
//! The time of what is lost becomes a gap, [`GapCause::Damaged`].
//!
//! **Order.** New files are durable and in place, then rows change in one transaction, then the old file is
//! moved. A kill in between leaves a file too many, which the next check finds and moves aside.

use std::sync::Arc;

use super::Checker;
use crate::db::{DbError, IndexChange};
use crate::index::recover::{blocking, chain};
use crate::index::{IndexError, IndexResult, salvage};
use crate::media::{BlockInfo, GapCause, RunInfo, TimeRange};
use crate::store::{
    BlockHeader, Found, MediaRoot, MendedBlock, RunEnd, Scan, Sealed, StoreError, copy_block, forget_open, move_to_lost, provable_segments,
    scan,
};

/// A block to mend.
#[derive(Clone)]
pub(super) struct Job {
    /// What the file should hold; of an orphan, what it does.
    pub row: BlockInfo,
    pub run: Arc<RunInfo>,
    /// The time to account for: what of it holds no footage in the end is a gap.
    pub span: Option<TimeRange>,
    /// Why nothing follows the row's end, if nothing does.
    pub run_end: Option<RunEnd>,
    /// Whether footage of the same run follows the row's end.
    pub goes_on: bool,
    /// Time that belongs to other blocks, where rows overlap.
    pub taken: Vec<TimeRange>,
}

/// How a repair ended, in words.
pub(super) type Action = Result<String, String>;

enum Prepared {
    AsItIs(Box<BlockInfo>),
    Replace(Box<MendedBlock>),
    /// Copies that are in place.
    Split(Vec<BlockInfo>),
    /// No segment can be kept.
    Nothing,
}

impl Checker<'_> {
    /// # Errors
    /// [`IndexError::Db`] when the database fails. What only this block is in the way of is an
    /// [`Action`] that did not work out.
    pub(super) async fn mend(&self, job: Job) -> IndexResult<Action> {
        let (root, asked) = (self.root.clone(), job.clone());
        match blocking(move || prepare(&root, &asked)).await? {
            Ok((prepared, run)) => self.carry_out(prepared, run, job).await,
            Err(IndexError::Store(e)) if e.is_missing() => {
                let run = (*job.run).clone();
                self.carry_out(Prepared::Nothing, run, job).await
            }
            Err(e) => Ok(Err(chain(&e))),
        }
    }

    async fn carry_out(&self, prepared: Prepared, run: RunInfo, job: Job) -> IndexResult<Action> {
        let row = &job.row;
        let (mut aside, mut copies) = (false, Vec::new());
        let kept = match prepared {
            Prepared::AsItIs(info) => vec![*info],
            Prepared::Replace(block) => match blocking(move || block.put_in_place()).await? {
                Ok(info) => vec![info],
                Err(e) => return Ok(Err(chain(&e))),
            },
            Prepared::Split(infos) => {
                aside = true;
                copies.clone_from(&infos);
                infos
            }
            Prepared::Nothing => {
                aside = self.root.file(&row.path()).exists();
                Vec::new()
            }
        };
        let mut changes = vec![IndexChange::BlockForgotten { block: row.id }];
        if !job.taken.is_empty() {
            // Two rows for one time: what is derived from them is only right once one of them is gone.
            self.index.commit(std::mem::take(&mut changes)).await?;
            self.db.recount(true).await?;
            self.index.refresh().await?;
        }
        if !kept.is_empty() {
            changes.push(IndexChange::RunStarted(run));
        }
        changes.extend(kept.iter().cloned().map(IndexChange::BlockIndexed));
        changes.extend(salvage::lost_time(&row.stream, job.span, kept.iter().filter_map(BlockInfo::range)));
        if let Err(e) = self.index.commit(changes).await {
            let root = self.root.clone();
            blocking(move || salvage::take_back(&root, &copies)).await?;
            return match e {
                DbError::Overlap { .. } => Ok(Err(chain(&e))),
                e => Err(e.into()),
            };
        }
        self.finish(row, &kept, aside).await
    }

    /// The rows are right; the old file and its note in the journal go out of the way.
    async fn finish(&self, row: &BlockInfo, kept: &[BlockInfo], aside: bool) -> IndexResult<Action> {
        let (root, path, id) = (self.root.clone(), row.path(), row.id);
        let moved = blocking(move || {
            let moved = aside.then(|| move_to_lost(&root, &path)).transpose()?;
            forget_open(&root, id)?;
            Ok::<_, StoreError>(moved)
        });
        let moved = match moved.await? {
            Ok(moved) => moved.map(|to| format!("; the old file is at {to}")).unwrap_or_default(),
            Err(e) => return Ok(Err(format!("the rows are right, but {}", chain(&e)))),
        };
        let segments: usize = kept.iter().map(|b| b.table.len()).sum();
        Ok(Ok(match kept {
            [] => format!("its row is gone and its time is a gap{moved}"),
            [one] if one.id == row.id && one.table == row.table => format!("all {segments} segments are there{moved}"),
            [one] => format!("{segments} segments are kept in block {}{moved}", one.id),
            many => format!("{segments} segments are kept in {} blocks{moved}", many.len()),
        }))
    }
}

/// Decides, and writes what is to be written. Also answers the run that the kept segments belong to.
fn prepare(root: &MediaRoot, job: &Job) -> IndexResult<(Prepared, RunInfo)> {
    let row = &job.row;
    let path = root.file(&row.path());
    let scan = scan(&path, 0)?;
    if let Some(what) = newer_format(&scan) {
        return Err(StoreError::damaged(&path, format!("{what}; mend it with the version that wrote it")).into());
    }
    // The file's own header is proved by its checksum; the row's run is what there is without it.
    let run = scan.header.as_ref().map_or_else(|_| (*job.run).clone(), |(header, _)| header.run.clone());
    if scan.header.as_ref().is_ok_and(|(header, _)| !belongs_to(header, row)) {
        return Ok((Prepared::Nothing, run));
    }
    let is_taken = |range: TimeRange| job.taken.iter().any(|taken| taken.overlaps(range));
    if let Some(info) = as_it_is(&scan).filter(|info| !info.range().is_some_and(is_taken)) {
        return Ok((Prepared::AsItIs(Box::new(info)), run));
    }
    let mut good = provable_segments(&path, &scan, row)?;
    good.retain(|found| !is_taken(found.range()));
    let stretches = salvage::stretches(&good);
    let Some(last) = stretches.last() else { return Ok((Prepared::Nothing, run)) };
    let end = end_of(job, &scan, last);
    if stretches.len() == 1 && last[0].header.start == row.start && !loses_media(&scan, row, last) {
        let (account, block, start, first_sequence) = (row.account.clone(), row.id, row.start, last[0].header.sequence);
        let header = BlockHeader { account, block, start, first_sequence, run: run.clone() };
        let copy = copy_block(root, &header, &path, last, end)?;
        return Ok((Prepared::Replace(Box::new(copy)), run));
    }
    Ok((Prepared::Split(salvage::copy_out(root, &path, &row.account, &run, &good, end)?), run))
}

/// Whether the file is the row's at all, and not somebody else's block under its name.
fn belongs_to(header: &BlockHeader, row: &BlockInfo) -> bool {
    header.block == row.id && header.run.stream == row.stream && header.account == row.account && header.start == row.start
}

/// An older version must not write again what a newer one wrote: it would drop what it does not know.
fn newer_format(scan: &Scan) -> Option<&'static str> {
    let whats = scan.header.as_ref().err().copied().into_iter().chain(scan.damage.iter().map(|d| d.what));
    whats.into_iter().find(|what| what.contains("newer format"))
}

/// The row of a sealed file in which nothing is damaged.
fn as_it_is(scan: &Scan) -> Option<BlockInfo> {
    let (header, first_offset) = scan.header.as_ref().ok()?;
    let trailer = scan.trailer.as_ref().filter(|_| scan.damage.is_empty())?;
    let first = scan.segments.first()?;
    let begins = first.header.start == header.start && first.header.sequence == header.first_sequence;
    let sealed = Sealed { size_bytes: scan.len, checksum: trailer.checksum };
    begins.then(|| header.block_info(*first_offset, trailer.table.clone(), Some(sealed)))
}

/// Whether bytes that might still show something are not among what is kept. What lies behind all segments that
/// the row names is no such thing: a trailer, or a torn segment, which is cut off after a crash too.
fn loses_media(scan: &Scan, row: &BlockInfo, kept: &[Found]) -> bool {
    let is_kept = |offset: u64| kept.iter().any(|found| found.offset == offset);
    let end = kept.last().map_or(0, Found::end_offset).max(row.media_end_offset());
    let header_damage = usize::from(scan.header.is_err());
    let damaged = scan.damage.iter().skip(header_damage).any(|d| !d.is_torn_end() && !is_kept(d.offset) && d.offset < end);
    damaged || scan.segments.iter().any(|s| !is_kept(s.offset))
}

/// Why nothing follows the last kept segment.
fn end_of(job: &Job, scan: &Scan, last_stretch: &[Found]) -> Option<RunEnd> {
    let end = last_stretch.last()?.range().end();
    if end >= job.row.end() {
        return scan.trailer.as_ref().map_or_else(|| job.run_end.clone(), |trailer| trailer.end.clone());
    }
    (!job.goes_on).then(|| RunEnd { cause: GapCause::Damaged, detail: String::new() })
}
