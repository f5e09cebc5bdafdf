//! Do rows and bytes agree? And mending where they do not.
//!
//! Every sealed block is read whole and every checksum compared, so it takes as long as reading the archive;
//! findings are told as they are met. A service may be recording meanwhile: blocks being written are looked at as
//! far as they are committed and never changed.
//!
//! **Invariant.** Repair never deletes a file that holds a whole segment. What is whole stays playable: in place,
//! or copied into new blocks with the old file moved to `lost-and-found`. What is lost becomes a gap of cause
//! [`GapCause::Damaged`].

mod examine;
mod repair;

use std::path::PathBuf;

use self::examine::Verdict;
use super::rebuild::{block_files, folders};
use super::recover::{blocking, chain};
use super::{Index, IndexResult};
use crate::media::{BlockId, BlockInfo, GapCause, StreamId, TimeRange, Timestamp};
use crate::store::MediaRoot;

/// Rows read at a time.
const BATCH: u32 = 64;
/// Overlaps told at a time; repairing them shows the next.
const OVERLAPS_MAX: u32 = 1000;

/// What kind of disagreement.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// A row names a file that is not there.
    MissingFile,
    /// A block file that no row names.
    OrphanedFile,
    /// A sealed file has fewer bytes than when it was sealed.
    ShortenedFile,
    /// A byte is not what was written: in the init segment, the header, a segment, or the trailer.
    Checksum,
    /// A row names segments that the file, whole as it is, does not hold.
    RowWithoutBytes,
    /// Two rows of a stream claim the same time.
    Overlap,
    /// What is derived from the blocks (recorded ranges, sums) is not what they add up to.
    DerivedRows,
}

impl FindingKind {
    /// The stable name used in JSON and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            FindingKind::MissingFile => "missing_file",
            FindingKind::OrphanedFile => "orphaned_file",
            FindingKind::ShortenedFile => "shortened_file",
            FindingKind::Checksum => "checksum",
            FindingKind::RowWithoutBytes => "row_without_bytes",
            FindingKind::Overlap => "overlap",
            FindingKind::DerivedRows => "derived_rows",
        }
    }
}

/// What became of a finding.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
#[serde(tag = "outcome", content = "detail", rename_all = "snake_case")]
pub enum Repair {
    NotAsked,
    /// One sentence: what was done.
    Done(String),
    /// Why it could not be done; nothing was made worse.
    Failed(String),
}

/// One disagreement.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Finding {
    pub kind: FindingKind,
    pub stream: Option<StreamId>,
    pub block: Option<BlockId>,
    /// Below the media root.
    pub path: Option<String>,
    /// The time concerned, where it is known.
    pub range: Option<TimeRange>,
    /// One sentence for people.
    pub detail: String,
    pub repair: Repair,
}

/// What was looked at.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, serde::Serialize)]
pub struct CheckSummary {
    pub blocks: u64,
    pub segments: u64,
    pub bytes: u64,
    pub findings: u64,
    pub repaired: u64,
}

/// Compares all rows with all files under `root`, telling `found` of each disagreement.
///
/// # Errors
/// When rows or folders cannot be read; a repair that fails is in its finding.
pub async fn check(
    index: &Index,
    root: &MediaRoot,
    repair: bool,
    now: Timestamp,
    found: &mut (dyn FnMut(Finding) + Send),
) -> IndexResult<CheckSummary> {
    let mut check = Check { index, root, repair, now, found, summary: CheckSummary::default() };
    // Derived rows first: what repairs below commit is checked against them.
    check.derived().await?;
    check.rows().await?;
    check.overlaps().await?;
    check.orphans().await?;
    Ok(check.summary)
}

struct Check<'a> {
    index: &'a Index,
    root: &'a MediaRoot,
    repair: bool,
    now: Timestamp,
    found: &'a mut (dyn FnMut(Finding) + Send),
    summary: CheckSummary,
}

impl Check<'_> {
    fn tell(&mut self, finding: Finding) {
        self.summary.findings += 1;
        self.summary.repaired += u64::from(matches!(finding.repair, Repair::Done(_)));
        (self.found)(finding);
    }

    async fn derived(&mut self) -> IndexResult<()> {
        for stream in self.index.db().recount(self.repair).await? {
            let repair = if self.repair { Repair::Done("counted again from the blocks".into()) } else { Repair::NotAsked };
            let detail = format!("recorded ranges or sums of stream {stream} are not what its blocks add up to");
            self.tell(Finding {
                kind: FindingKind::DerivedRows,
                stream: Some(stream),
                block: None,
                path: None,
                range: None,
                detail,
                repair,
            });
        }
        if self.repair {
            self.index.refresh().await?;
        }
        Ok(())
    }

    async fn rows(&mut self) -> IndexResult<()> {
        let mut after = None;
        loop {
            let rows = self.index.db().blocks_after(after, BATCH).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = Some(last.id);
            for row in rows {
                self.row(row).await?;
            }
        }
    }

    async fn row(&mut self, row: BlockInfo) -> IndexResult<()> {
        self.summary.blocks += 1;
        self.summary.segments += row.table.len() as u64;
        self.summary.bytes += row.size_bytes;
        let verdict = blocking({
            let (root, row) = (self.root.clone(), row.clone());
            move || examine::row(&root, &row)
        })
        .await??;
        let Verdict::Bad { kind, detail, scan } = verdict else { return Ok(()) };
        // A service at work may have changed the row since it was read.
        match self.index.db().block(row.id).await? {
            Some(again) if again.state == row.state => {}
            _ => return Ok(()),
        }
        let outcome = match self.repair {
            false => Repair::NotAsked,
            true => match repair::row(self.index, self.root, &row, scan).await {
                Ok(done) => Repair::Done(done),
                Err(e) => Repair::Failed(chain(&e)),
            },
        };
        self.tell(Finding {
            kind,
            stream: Some(row.stream.clone()),
            block: Some(row.id),
            path: Some(row.path()),
            range: row.range(),
            detail,
            repair: outcome,
        });
        Ok(())
    }

    async fn overlaps(&mut self) -> IndexResult<()> {
        loop {
            let pairs = self.index.db().overlapping_blocks(OVERLAPS_MAX).await?;
            let mut mended = false;
            for (earlier, later) in &pairs {
                let (Some(a), Some(b)) = (self.index.db().block(*earlier).await?, self.index.db().block(*later).await?) else {
                    continue;
                };
                let outcome = match self.repair {
                    false => Repair::NotAsked,
                    true => match repair::overlap(self.index, self.root, &b, self.now).await {
                        Ok(done) => Repair::Done(done),
                        Err(e) => Repair::Failed(chain(&e)),
                    },
                };
                mended |= matches!(outcome, Repair::Done(_));
                let range = a.range().zip(b.range()).and_then(|(a, b)| a.intersection(b));
                self.tell(Finding {
                    kind: FindingKind::Overlap,
                    stream: Some(b.stream.clone()),
                    block: Some(b.id),
                    path: Some(b.path()),
                    range,
                    detail: format!("block {} claims time that block {} has too", b.id, a.id),
                    repair: outcome,
                });
            }
            // Mending one may have shown the next: three blocks at one time.
            if !mended {
                return Ok(());
            }
            self.index.refresh().await?;
        }
    }

    async fn orphans(&mut self) -> IndexResult<()> {
        let any = |_: &str| true;
        let digits = |name: &str| name.bytes().all(|b| b.is_ascii_digit());
        for account in folders(self.root.path(), any)? {
            for stream in folders(&account, any)? {
                for year in folders(&stream, digits)? {
                    for month in folders(&year, digits)? {
                        for day in folders(&month, digits)? {
                            for path in block_files(&day)? {
                                self.file(path).await?;
                            }
                        }
                    }
                }
            }
        }
        Ok(())
    }

    async fn file(&mut self, path: PathBuf) -> IndexResult<()> {
        let relative = path.strip_prefix(self.root.path()).unwrap_or(&path).to_string_lossy().into_owned();
        let id = path.file_stem().and_then(|s| s.to_str()).and_then(|s| s.rsplit_once('-')).and_then(|(_, id)| id.parse::<BlockId>().ok());
        let row = match id {
            Some(id) => self.index.db().block(id).await?,
            None => None,
        };
        if row.is_some_and(|row| row.path() == relative) {
            return Ok(());
        }
        let orphan = blocking({
            let path = path.clone();
            move || examine::orphan(&path)
        })
        .await??;
        // Being written, or gone since the folder was listed.
        let Some(orphan) = orphan else { return Ok(()) };
        let range = orphan.range();
        let stream = orphan.header.as_ref().ok().map(|(h, _)| h.run.stream.clone());
        let detail = format!("no row names this file, which holds {} whole segments", orphan.segments.len());
        let outcome = match self.repair {
            false => Repair::NotAsked,
            true => match repair::orphan(self.index, self.root, &path, orphan, self.now).await {
                Ok(done) => Repair::Done(done),
                Err(e) => Repair::Failed(chain(&e)),
            },
        };
        let kind = FindingKind::OrphanedFile;
        self.tell(Finding { kind, stream, block: id, path: Some(relative), range, detail, repair: outcome });
        Ok(())
    }
}
