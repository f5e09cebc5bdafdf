//! A new index from a media folder alone.
//!
//! Every block file says whose it is, which run it belongs to, which gaps came before the run, and, in its
//! trailer, why nothing followed. So the same blocks, coverage and playlists come out as were lost. What only the rows
//! knew is gone: users, tokens, passwords of sources, and changes of a gap's cause after the last recording.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::recover::{blocking, chain};
use super::{Index, IndexResult};
use crate::db::{DbError, IndexChange, NewStream};
use crate::media::{AccountId, BlockInfo, Gap, GapCause, RunId, RunInfo, SegmentTable, StreamId, Timestamp};
use crate::store::{self, MediaRoot, RecoveredState, RunEnd, StoreError};

/// Blocks committed together: bounds memory (2 KB each) and the length of a transaction.
const BATCH: usize = 256;
/// What a stream is configured to read when its folder does not say: nothing, until the operator sets it.
pub const PLACEHOLDER_SOURCE: &str = "push:";

/// What a rebuild found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RebuildReport {
    pub streams: usize,
    pub blocks: usize,
    pub segments: usize,
    /// Streams that were made anew; their sources' passwords must be set again.
    pub streams_made: Vec<StreamId>,
    /// Of those, the ones whose folder did not name the source either. They are paused.
    pub without_source: Vec<StreamId>,
    /// Files that could not be indexed whole, and why: `retroview check --repair` looks into them.
    pub problems: Vec<(String, String)>,
}

/// Empties the index and fills it from the files under `root`. Streams, users and tokens in the database stay.
/// Interrupted, it leaves an index with part of the footage: run it again.
///
/// # Errors
/// When the folder cannot be listed or rows cannot be written; trouble with one file is in the report.
pub async fn rebuild(index: &Index, root: &MediaRoot, now: Timestamp) -> IndexResult<RebuildReport> {
    let mut report = RebuildReport::default();
    index.db().set_media_root_id(root.id()).await?;
    index.db().replace_footage(&[]).await?;
    index.refresh().await?;
    for folder in folders(root.path(), |_| true)? {
        let Some(account) = name_of::<AccountId>(&folder) else { continue };
        for folder in folders(&folder, |_| true)? {
            let Some(stream) = name_of::<StreamId>(&folder) else { continue };
            report.streams += 1;
            ensure_stream(index, root, &account, &stream, now, &mut report).await?;
            rebuild_stream(index, &stream, &folder, &mut report).await?;
        }
    }
    index.refresh().await?;
    Ok(report)
}

pub(super) async fn ensure_stream(
    index: &Index,
    root: &MediaRoot,
    account: &AccountId,
    stream: &StreamId,
    now: Timestamp,
    report: &mut RebuildReport,
) -> IndexResult<()> {
    let card = root.stream_card(account, stream);
    let has_source = card.is_some();
    let (title, source) = card.map_or_else(|| (stream.to_string(), PLACEHOLDER_SOURCE.to_string()), |c| (c.title, c.source));
    let new = NewStream { id: stream.clone(), account: account.clone(), title, source, credentials: None };
    match index.db().add_stream(&new, now).await {
        Ok(_) => {}
        Err(DbError::Exists { .. }) => return Ok(()),
        Err(e) => return Err(e.into()),
    }
    report.streams_made.push(stream.clone());
    if !has_source {
        report.without_source.push(stream.clone());
        index.db().set_stream_paused(stream, true).await?;
    }
    Ok(())
}

/// Walks the stream's files in time order, one day's folder at a time.
async fn rebuild_stream(index: &Index, stream: &StreamId, folder: &Path, report: &mut RebuildReport) -> IndexResult<()> {
    let mut story = Story::new(stream.clone());
    let digits = |name: &str| name.bytes().all(|b| b.is_ascii_digit());
    for year in folders(folder, digits)? {
        for month in folders(&year, digits)? {
            for day in folders(&month, digits)? {
                for path in block_files(&day)? {
                    let read = blocking({
                        let path = path.clone();
                        move || read_block(&path)
                    })
                    .await?;
                    match read {
                        Ok(file) if file.info.stream == *stream => story.take(file, report),
                        Ok(_) => report.problems.push((shown(&path), "it belongs to another stream".into())),
                        Err(e) => report.problems.push((shown(&path), chain(&e))),
                    }
                    if story.changes.len() >= BATCH {
                        story.commit(index, report).await?;
                    }
                }
            }
        }
    }
    story.finish();
    story.commit(index, report).await
}

/// What one file tells.
struct File {
    path: String,
    info: BlockInfo,
    run: RunInfo,
    end: Option<RunEnd>,
}

fn read_block(path: &Path) -> Result<File, StoreError> {
    if let Some(sealed) = store::read_sealed(path)? {
        let info = sealed.block_info();
        return Ok(File { path: shown(path), info, run: sealed.header.run, end: sealed.trailer.end });
    }
    // Open when the service ended: as at start, cut the torn tail off and seal.
    let recovered = store::recover(path, 0)?;
    if recovered.segments.is_empty() {
        return Err(StoreError::Damaged { path: path.to_path_buf(), what: "it holds no whole segment".into() });
    }
    let killed = RunEnd { cause: GapCause::ServiceKilled, detail: String::new() };
    let table = SegmentTable::from_entries(recovered.segments.iter().map(|s| s.header.entry).collect());
    let (sealed, end) = match recovered.state {
        RecoveredState::Sealed(sealed, trailer) => (Some(sealed), trailer.end),
        RecoveredState::Open(mut writer) => (Some(writer.seal(Some(killed.clone()))?), Some(killed)),
        RecoveredState::Broken => {
            return Err(StoreError::Damaged { path: path.to_path_buf(), what: "segments in its middle are damaged".into() });
        }
    };
    let info = recovered.header.block_info(recovered.first_offset, table, sealed);
    Ok(File { path: shown(path), info, run: recovered.header.run, end })
}

/// One stream's footage as it is told by its files, in time order.
struct Story {
    stream: StreamId,
    changes: Vec<IndexChange>,
    /// End of the footage so far, and why it ended there.
    end: Option<(Timestamp, Option<RunEnd>)>,
    /// The run of the last block is no import.
    last_is_live: bool,
    known_runs: HashSet<RunId>,
}

impl Story {
    fn new(stream: StreamId) -> Self {
        Story { stream, changes: Vec::new(), end: None, last_is_live: false, known_runs: HashSet::new() }
    }

    fn take(&mut self, file: File, report: &mut RebuildReport) {
        let Some(range) = file.info.range() else { return };
        if let Some((end, _)) = self.end.as_ref().filter(|(end, _)| range.start() < *end) {
            report.problems.push((file.path, format!("it overlaps other footage, which reaches to {end}")));
            return;
        }
        let new_run = self.known_runs.insert(file.run.id);
        if new_run {
            self.changes.push(IndexChange::RunStarted(file.run.clone()));
        }
        self.fill(range.start(), new_run.then_some(&file.run));
        report.blocks += 1;
        report.segments += file.info.table.len();
        self.last_is_live = file.run.import_key.is_none();
        self.end = Some((range.end(), file.end));
        self.changes.push(IndexChange::BlockIndexed(file.info));
    }

    /// The gaps up to `until`: what the run says that starts there, then why the one before ended.
    fn fill(&mut self, until: Timestamp, new_run: Option<&RunInfo>) {
        let stream = &self.stream;
        let add = |gap: Gap| IndexChange::GapAdded { stream: stream.clone(), gap };
        let Some((end, why)) = &self.end else {
            // Before the first footage: not shown, but true.
            let before = new_run.map(|run| run.gaps_before.clone()).unwrap_or_default();
            self.changes.extend(before.into_iter().filter(|g| g.end.is_some()).map(add));
            return;
        };
        if until <= *end {
            return;
        }
        // Clipped: footage that has been pruned or imported since may lie where a gap was once.
        for gap in new_run.map(|run| run.gaps_before.clone()).unwrap_or_default() {
            let (start, stop) = (gap.start.max(*end), gap.end.unwrap_or(until).min(until));
            if start < stop {
                self.changes.push(add(Gap { start, end: Some(stop), ..gap }));
            }
        }
        let (cause, detail) = match why {
            Some(why) => (why.cause, why.detail.clone()),
            // The run goes on behind a hole: something of it was lost.
            None if new_run.is_none() => (GapCause::Damaged, String::new()),
            None => (GapCause::Unknown, String::new()),
        };
        // Only what is left: a gap added never covers one that is there.
        self.changes.push(add(Gap { start: *end, end: Some(until), cause, detail }));
    }

    /// After the last footage: why it ended, or, where a live run does not say, a kill between two blocks.
    fn finish(&mut self) {
        let Some((end, why)) = self.end.take() else { return };
        let killed = || RunEnd { cause: GapCause::ServiceKilled, detail: String::new() };
        let Some(RunEnd { cause, detail }) = why.or_else(|| self.last_is_live.then(killed)) else { return };
        self.changes.push(IndexChange::GapOpened { stream: self.stream.clone(), start: end, cause, detail });
    }

    async fn commit(&mut self, index: &Index, report: &mut RebuildReport) -> IndexResult<()> {
        let changes = std::mem::take(&mut self.changes);
        match index.commit(changes.clone()).await {
            Err(DbError::Overlap { .. }) => {
                // Not seen in time order (a wrong name): one by one, to know which.
                for change in changes {
                    match index.commit(vec![change.clone()]).await {
                        Err(e @ DbError::Overlap { .. }) => {
                            let IndexChange::BlockIndexed(info) = change else { return Err(e.into()) };
                            report.problems.push((info.path(), chain(&e)));
                        }
                        other => other?,
                    }
                }
                Ok(())
            }
            other => Ok(other?),
        }
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn name_of<T: std::str::FromStr>(folder: &Path) -> Option<T> {
    folder.file_name()?.to_str()?.parse().ok()
}

/// Folders in `folder` whose name `fits`, in order; hidden ones and lost-and-found are not ours to read.
pub(super) fn folders(folder: &Path, fits: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>, StoreError> {
    let listed = |e| StoreError::io("list", folder, e);
    let mut out = Vec::new();
    for entry in fs::read_dir(folder).map_err(listed)? {
        let entry = entry.map_err(listed)?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let ours = !name.starts_with('.') && name != store::LOST_FOLDER && name != "lost+found";
        if ours && fits(name) && entry.file_type().map_err(listed)?.is_dir() {
            out.push(entry.path());
        }
    }
    out.sort();
    Ok(out)
}

/// Block files of one day, in order of their start.
pub(super) fn block_files(day: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let listed = |e| StoreError::io("list", day, e);
    let mut out = Vec::new();
    for entry in fs::read_dir(day).map_err(listed)? {
        let path = entry.map_err(listed)?.path();
        if path.extension().is_some_and(|e| e == "mp4") {
            out.push(path);
        }
    }
    out.sort();
    Ok(out)
}
