//! Do rows and bytes agree? Names each place where they do not, and mends what can be mended.
//!
//! Rows and files of a stream are walked side by side in time order, so the check needs no memory for the
//! archive, whatever its size. What looks wrong is looked up once more before it is told: a service that
//! records meanwhile has moved on.
//!
//! Leaves to others: the journal and the end of blocks that were being written (`index::recover`, at start),
//! making a new index (`index::rebuild`).
//!
//! **Invariants.** Without repair nothing is changed. Repair deletes no footage that can still be played: it goes
//! on being served, or it is moved to `lost-and-found`. No file is changed in place. After a repair that could mend
//! everything, a second check finds nothing.
//!
//! **When things fail.** A file that the disk does not give is a finding, and the walk goes on. A database
//! that fails ends the check. A repair that does not work out says why in [`Finding::action`].

mod erased;
mod files;
mod finding;
mod inspect;
mod mend;
mod overlap;
mod repair;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::db::Db;
use crate::media::{AccountId, BlockId, StreamId, Timestamp};
use crate::store::{MediaRoot, StreamFolder, stream_folders};

use super::recover::blocking;
use super::{Index, IndexResult};
use erased::Gone;
pub use finding::{CheckEvent, CheckSummary, Finding, FindingKind, Progress};
pub use inspect::Depth;

/// What to check, and what to do about it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CheckOptions {
    /// Only these streams; empty: all, and what lies beside them.
    pub streams: Vec<StreamId>,
    pub depth: Depth,
    pub repair: bool,
    /// A service is recording into this media folder. Open blocks are its business then.
    pub beside_service: bool,
}

/// Where a check tells what it finds.
pub type Report<'a> = &'a mut (dyn FnMut(CheckEvent) + Send);

/// Compares all rows with all files. Findings are told as they come.
///
/// # Errors
/// [`super::IndexError::Store`] when the media folder is not the one that was opened, or a folder in it cannot be listed;
/// [`super::IndexError::Db`] when the database fails. What was repaired until then stays repaired.
pub async fn check(
    index: &Index,
    root: &MediaRoot,
    now: Timestamp,
    options: &CheckOptions,
    report: Report<'_>,
) -> IndexResult<CheckSummary> {
    root.still_there()?;
    let mut checker = Checker {
        index: index.clone(),
        db: index.db().clone(),
        root: root.clone(),
        now,
        options: options.clone(),
        report,
        summary: CheckSummary::default(),
        progress: Progress::default(),
        gone: None,
    };
    checker.run().await?;
    Ok(checker.summary)
}

/// The folders and rows of one stream.
struct StreamJob {
    folder: StreamFolder,
    /// Whether the database knows the stream.
    known: bool,
}

struct Checker<'a> {
    index: Index,
    db: Db,
    root: MediaRoot,
    now: Timestamp,
    options: CheckOptions,
    report: Report<'a>,
    summary: CheckSummary,
    progress: Progress,
    /// What was deleted on purpose, read when a file is missed.
    gone: Option<HashMap<BlockId, Gone>>,
}

impl Checker<'_> {
    async fn run(&mut self) -> IndexResult<()> {
        let root = self.root.clone();
        let (folders, strays) = blocking(move || stream_folders(&root)).await??;
        let (streams, misplaced) = self.streams(folders).await?;
        self.progress.streams_total = streams.len() as u64;
        // First: what repair commits is checked against them.
        self.check_derived_rows().await?;
        let any_overlap = !self.db.overlapping_blocks(1).await?.is_empty();
        if self.options.streams.is_empty() {
            for path in strays {
                self.stray(&path, "nothing that Retroview keeps here", None).await?;
            }
        }
        for (folder, account) in misplaced {
            let detail = format!("the stream `{}` belongs to account `{account}`", folder.stream);
            self.stray(&format!("{}/{}", folder.account, folder.stream), &detail, Some(&folder.stream)).await?;
        }
        for job in streams {
            self.progress.stream = Some(job.folder.stream.clone());
            self.tell_progress();
            if job.known && any_overlap {
                self.check_overlaps(&job.folder.stream).await?;
            }
            self.check_files(&job).await?;
            self.progress.streams += 1;
        }
        self.progress.stream = None;
        self.tell_progress();
        (self.summary.streams, self.summary.files, self.summary.bytes) = (self.progress.streams, self.progress.files, self.progress.bytes);
        Ok(())
    }

    /// Streams that have rows or a folder; and folders of streams that belong to another account.
    async fn streams(&self, folders: Vec<StreamFolder>) -> IndexResult<(Vec<StreamJob>, Vec<(StreamFolder, AccountId)>)> {
        let wanted: BTreeSet<&StreamId> = self.options.streams.iter().collect();
        let wants = |stream: &StreamId| wanted.is_empty() || wanted.contains(stream);
        let mut jobs = BTreeMap::new();
        for row in self.db.streams(true).await?.into_iter().filter(|row| wants(&row.id)) {
            let folder = StreamFolder { account: row.account, stream: row.id.clone() };
            jobs.insert(row.id, StreamJob { folder, known: true });
        }
        let mut misplaced = Vec::new();
        for folder in folders.into_iter().filter(|folder| wants(&folder.stream)) {
            match jobs.get(&folder.stream) {
                Some(job) if job.folder.account == folder.account => {}
                Some(job) => misplaced.push((folder, job.folder.account.clone())),
                None => {
                    jobs.insert(folder.stream.clone(), StreamJob { folder, known: false });
                }
            }
        }
        Ok((jobs.into_values().collect(), misplaced))
    }

    fn tell_progress(&mut self) {
        (self.report)(CheckEvent::Progress(self.progress.clone()));
    }

    fn tell(&mut self, finding: Finding) {
        self.summary.count(&finding);
        (self.report)(CheckEvent::Finding(finding));
    }

    /// Recorded ranges and sums are kept beside the blocks' rows; repair counts them again.
    async fn check_derived_rows(&mut self) -> IndexResult<()> {
        let different = self.db.recount(self.options.repair).await?;
        for stream in different {
            let detail = format!("recorded ranges or sums of stream `{stream}` are not what its blocks add up to");
            let action = self.options.repair.then(|| Ok("counted again from the blocks".to_string()));
            self.tell_with(Finding::new(FindingKind::DerivedRows, detail).of_stream(&stream), action);
        }
        if self.options.repair { Ok(self.index.refresh().await?) } else { Ok(()) }
    }
}
