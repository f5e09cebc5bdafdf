//! Existing recordings become footage like any other.
//!
//! Files are read by a worker process too: they may be as hostile as any camera. What it reports is committed as it
//! comes, so an import that is interrupted has kept what it had, and the next one goes on behind it: a file cut
//! by the same rules gives the same segments. A file is known again by its content and start ([`key`]).
//!
//! Works beside a running service: rows are committed by this process, which tells the service.
//!
//! **Invariants.** Before anything is read, every file's range is checked against the others and against what is
//! recorded; nothing is imported when one of them would overlap. Time between imported footage and its
//! neighbours is a gap (`not_imported`) unless something is known of it already.
//!
//! **When things fail.** A damaged file gives what can be read of it, and an error that says so. A full disk ends
//! the import; nothing is dropped silently, because the file is still there to be read again.

mod child;
pub mod error;
mod key;
mod plan;
mod start;

use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use super::protocol::{FromWorker, ImportJob, WorkerConfig};
use super::supervisor::WorkerProgram;
use super::supervisor::book::{Book, change_of};
use crate::clock::SharedClock;
use crate::db::{Db, IndexChange};
use crate::index::Index;
use crate::media::{Gap, GapCause, StreamId, TimeRange, Timestamp};
use child::Child;
pub use error::ImportError;
use plan::Planned;
pub use start::StartFrom;

/// Changes committed together. Imports come in bursts; a larger batch would keep live streams' rows waiting.
const BATCH_MAX: usize = 128;
/// One import writes at a time; another one waits and looks again this often.
const LOCK_POLL: Duration = Duration::from_millis(100);
const LOCK_FILE: &str = "import.lock";

/// What imports work with.
#[derive(Clone)]
pub struct Importer {
    /// Of a command: [`Index::for_command`], so that a running service looks again.
    pub index: Index,
    pub clock: SharedClock,
    /// How to start a worker.
    pub program: WorkerProgram,
    pub worker: WorkerConfig,
    /// Where the lock between imports is.
    pub run_dir: PathBuf,
}

/// What to import.
#[derive(Clone, Debug)]
pub struct ImportRequest {
    pub stream: StreamId,
    /// Files, and folders whose media files (also in folders below) are meant.
    pub paths: Vec<PathBuf>,
    pub start: StartFrom,
}

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportProgress {
    /// From 0.
    pub file: usize,
    pub files: usize,
    pub path: PathBuf,
    /// Of this file, imported so far and expected in all.
    pub done_us: i64,
    pub total_us: i64,
}

/// What became of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedFile {
    pub path: PathBuf,
    /// Where its footage is now; `None` when it holds none.
    pub range: Option<TimeRange>,
    pub segments: u64,
    pub bytes: u64,
    /// It was there before; nothing has been added.
    pub known: bool,
}

impl Importer {
    /// Imports all files, in order of their time.
    ///
    /// # Errors
    /// [`ImportError`] names the file, and what is in its way. What was imported before the error stays.
    pub async fn import(
        &self,
        request: &ImportRequest,
        progress: &mut (dyn FnMut(&ImportProgress) + Send),
    ) -> Result<Vec<ImportedFile>, ImportError> {
        let row = self.db().stream(&request.stream).await?;
        row.ok_or_else(|| ImportError::UnknownStream(request.stream.clone()))?;
        let _only_one = self.lock().await?;
        let planned = plan::plan(self, request).await?;
        let files = planned.len();
        let mut done: Vec<ImportedFile> = Vec::with_capacity(files);
        for (file, planned) in planned.into_iter().enumerate() {
            let mut told = ImportProgress { file, files, path: planned.path.clone(), done_us: 0, total_us: planned.range.micros() };
            progress(&told);
            let imported = if planned.complete {
                ImportedFile { path: planned.path, range: Some(planned.range), segments: 0, bytes: 0, known: true }
            } else {
                let imported = self
                    .import_file(&request.stream, &planned, &mut |end| {
                        told.done_us = end.micros_since(planned.range.start()).clamp(0, told.total_us);
                        progress(&told);
                    })
                    .await?;
                self.explain_silence(&request.stream, imported.range).await?;
                imported
            };
            done.push(imported);
        }
        Ok(done)
    }

    fn db(&self) -> &Db {
        self.index.db()
    }

    /// Numbers of runs and segments are read from the stream's row: two imports at once would use the same.
    async fn lock(&self) -> Result<File, ImportError> {
        let path = self.run_dir.join(LOCK_FILE);
        let wrong = |source| ImportError::Lock { path: path.clone(), source };
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(wrong)?;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(file),
                Err(rustix::io::Errno::WOULDBLOCK) => tokio::time::sleep(LOCK_POLL).await,
                Err(e) => return Err(wrong(e.into())),
            }
        }
    }

    async fn import_file(
        &self,
        stream: &StreamId,
        planned: &Planned,
        progress: &mut (dyn FnMut(Timestamp) + Send),
    ) -> Result<ImportedFile, ImportError> {
        let row = self.db().stream(stream).await?.ok_or_else(|| ImportError::UnknownStream(stream.clone()))?;
        let mut book =
            Book { end: planned.from, next_run_ordinal: row.next_run_ordinal, next_sequence: row.next_sequence, ..Book::default() };
        let job = ImportJob {
            stream: stream.clone(),
            account: row.account,
            path: planned.text.clone(),
            start: planned.start,
            not_before: planned.from,
            not_after: planned.range.end(),
            key: planned.key.clone(),
            next_run_ordinal: row.next_run_ordinal,
            next_sequence: row.next_sequence,
        };
        let mut child = Child::start(self, &planned.path).await?;
        child.import(job);
        let mut imported = ImportedFile { path: planned.path.clone(), range: None, segments: 0, bytes: 0, known: false };
        let mut changes = Vec::new();
        let mut first = None;
        let mut gaps = 0;
        loop {
            let report = child.next(changes.is_empty() || changes.len() >= BATCH_MAX).await?;
            // Nothing more for the moment, or enough together.
            if report.is_none() || changes.len() >= BATCH_MAX {
                self.index.commit(std::mem::take(&mut changes)).await.map_err(|e| planned.refused(e))?;
            }
            let Some(report) = report else { continue };
            if let FromWorker::Imported { segments, bytes, error, .. } = report {
                self.index.commit(changes).await.map_err(|e| planned.refused(e))?;
                imported.segments = segments;
                imported.bytes = bytes;
                return match error {
                    Some(why) => Err(ImportError::Failed { path: planned.path.clone(), why }),
                    None => Ok(imported),
                };
            }
            let contradiction = |e: super::supervisor::book::Contradiction| ImportError::Failed {
                path: planned.path.clone(),
                why: format!("the process reading it contradicts itself ({e})"),
            };
            book.apply(&report).map_err(contradiction)?;
            match &report {
                FromWorker::BlockOpened { start, .. } => drop(first.get_or_insert(*start)),
                FromWorker::Segment { .. } => {
                    imported.range = first.and_then(|first| TimeRange::new(first, book.end).ok());
                    progress(book.end);
                }
                _ => {}
            }
            // Gaps inside a file are in the past: they are added whole, never opened.
            while gaps < book.gaps.closed.len() {
                let gap = book.gaps.closed[gaps].clone();
                changes.push(IndexChange::GapAdded { stream: stream.clone(), gap });
                gaps += 1;
            }
            if matches!(report, FromWorker::Segment { .. }) {
                gaps = 0;
            }
            if !matches!(report, FromWorker::GapOpened { .. } | FromWorker::GapClosed { .. }) {
                changes.extend(change_of(report, &book));
            }
        }
    }

    /// Unknown time beside what was imported was not imported.
    async fn explain_silence(&self, stream: &StreamId, range: Option<TimeRange>) -> Result<(), ImportError> {
        let Some(range) = range else { return Ok(()) };
        let before = Timestamp(range.start().as_micros() - 1);
        let (previous, _) = self.db().neighbours(stream, before).await?;
        let (_, next) = self.db().neighbours(stream, range.end()).await?;
        let mut changes = Vec::new();
        for (start, end) in [(previous, Some(range.start())), (Some(range.end()), next)] {
            let (Some(start), Some(end)) = (start, end) else { continue };
            if start < end {
                let gap = Gap { start, end: Some(end), cause: GapCause::NotImported, detail: String::new() };
                changes.push(IndexChange::GapAdded { stream: stream.clone(), gap });
            }
        }
        Ok(self.index.commit(changes).await?)
    }
}

#[cfg(test)]
mod tests;
