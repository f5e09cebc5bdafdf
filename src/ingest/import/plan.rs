//! Which files, when each was recorded, and whether there is room for them in time.

use std::path::{Path, PathBuf};

use super::child::{Child, Probe};
use super::error::spoken;
use super::{ImportError, ImportRequest, Importer, StartFrom, key, start};
use crate::db::DbError;
use crate::media::{StreamId, TimeRange, Timestamp};

const ENDINGS: [&str; 9] = ["mp4", "m4v", "mov", "mkv", "webm", "ts", "mts", "m2ts", "flv"];
const ENDINGS_TEXT: &str = "mp4, m4v, mov, mkv, webm, ts, mts, m2ts, flv";
/// Files of one recorder often meet with a second or less too much, because names hold whole seconds and
/// containers round. So much is cut off; more is a mistake.
const SEAM_US: i64 = 1_000_000;
/// What is missing at the end of a file that counts as imported: the container's duration is not exact.
const COMPLETE_US: i64 = 1_500_000;

/// One file with its place in time.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    pub path: PathBuf,
    pub text: String,
    pub key: String,
    /// Of the file's first picture, whatever is cut off at the seams.
    pub start: Timestamp,
    /// Where its footage may be.
    pub range: TimeRange,
    /// Where it begins, or goes on when part of it is there already.
    pub from: Timestamp,
    /// All of it is there.
    pub complete: bool,
}

impl Planned {
    /// The index refuses what was thought to fit: somebody was faster, or the file is longer than it says.
    pub fn refused(&self, error: DbError) -> ImportError {
        match error {
            DbError::Overlap { existing, .. } => ImportError::OvertakenBy { path: self.path.clone(), existing },
            e => e.into(),
        }
    }
}

pub(super) async fn plan(importer: &Importer, request: &ImportRequest) -> Result<Vec<Planned>, ImportError> {
    let mut files = Vec::new();
    for path in &request.paths {
        collect(path, &mut files)?;
    }
    files.dedup();
    let mut planned = Vec::with_capacity(files.len());
    let mut follows = None;
    for path in files {
        let one = place(importer, request, path, follows).await?;
        follows = Some(one.range.end());
        planned.push(one);
    }
    planned.sort_by_key(|p| p.range.start());
    fit_together(&mut planned)?;
    for one in &mut planned {
        fit_into(importer, &request.stream, one).await?;
    }
    Ok(planned)
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), ImportError> {
    let unreadable = |source| ImportError::Unreadable { path: path.to_path_buf(), source };
    if !path.metadata().map_err(unreadable)?.is_dir() {
        files.push(path.canonicalize().map_err(unreadable)?);
        return Ok(());
    }
    let before = files.len();
    walk(path, files)?;
    if files.len() == before {
        return Err(ImportError::NoFiles { path: path.to_path_buf(), known: ENDINGS_TEXT });
    }
    files[before..].sort();
    Ok(())
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), ImportError> {
    let unreadable = |source| ImportError::Unreadable { path: folder.to_path_buf(), source };
    for entry in folder.read_dir().map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let kind = path.symlink_metadata().map_err(unreadable)?;
        // Links to folders are not followed: they may lead in circles.
        if kind.is_dir() {
            walk(&path, files)?;
        } else if has_known_ending(&path) && path.is_file() {
            files.push(path.canonicalize().map_err(unreadable)?);
        }
    }
    Ok(())
}

fn has_known_ending(path: &Path) -> bool {
    path.extension().and_then(|e| e.to_str()).is_some_and(|e| ENDINGS.iter().any(|known| known.eq_ignore_ascii_case(e)))
}

async fn place(importer: &Importer, request: &ImportRequest, path: PathBuf, follows: Option<Timestamp>) -> Result<Planned, ImportError> {
    let text = path.to_str().ok_or_else(|| ImportError::Name { path: path.clone() })?.to_string();
    let Probe { duration_us, creation_time } = Child::start(importer, &path).await?.probe(&text).await?;
    let start = match &request.start {
        StartFrom::Given(first) => follows.unwrap_or(*first),
        StartFrom::Name { pattern, zone } => start::from_name(&path, pattern, zone)?,
        StartFrom::Metadata => start::from_metadata(&path, creation_time.as_deref())?,
    };
    let failed = |why: &str| ImportError::Failed { path: path.clone(), why: why.into() };
    let duration_us = duration_us.ok_or_else(|| failed("how long it is cannot be found out"))?;
    let range = TimeRange::new(start, start.saturating_add_micros(duration_us)).map_err(|_| failed("it is empty"))?;
    if range.end() > importer.clock.now() {
        return Err(ImportError::Future { path, end: range.end().to_rfc3339(0) });
    }
    let key = {
        let path = path.clone();
        let made = tokio::task::spawn_blocking(move || key::of(&path, start)).await;
        let made = made.map_err(std::io::Error::other).and_then(|r| r);
        made.map_err(|source| ImportError::Unreadable { path: PathBuf::from(&text), source })?
    };
    Ok(Planned { path, text, key, start, range, from: start, complete: false })
}

/// Files must not overlap one another; small seams are cut at the later file's start.
fn fit_together(planned: &mut [Planned]) -> Result<(), ImportError> {
    for i in 1..planned.len() {
        let (before, this) = (&planned[i - 1], &planned[i]);
        // The same recording under two names.
        if before.key == this.key || this.range.start() >= before.range.end() {
            continue;
        }
        let seam = before.range.end().micros_since(this.range.start());
        let cut = TimeRange::new(before.range.start(), this.range.start());
        match cut {
            Ok(cut) if seam <= SEAM_US => planned[i - 1].range = cut,
            _ => {
                return Err(ImportError::FilesOverlap {
                    path: this.path.clone(),
                    range: this.range,
                    other: before.path.clone(),
                    other_range: before.range,
                });
            }
        }
    }
    Ok(())
}

/// Fits a file between what is recorded, and finds out how much of it is there already.
async fn fit_into(importer: &Importer, stream: &StreamId, one: &mut Planned) -> Result<(), ImportError> {
    let db = importer.index.db();
    let mine = db.import_extents(stream, &one.key).await?;
    for extent in &mine {
        one.from = one.from.max(extent.range.end());
    }
    one.complete = !mine.is_empty() && one.range.end().micros_since(one.from) < COMPLETE_US;
    if one.complete {
        return Ok(());
    }
    // Extents are few: one for each stretch of a run. A bound all the same.
    const EXTENTS_MAX: u32 = 10_000;
    for extent in db.run_extents(stream, one.range, EXTENTS_MAX).await? {
        if mine.iter().any(|m| m.run == extent.run) {
            continue;
        }
        let (start, end) = (extent.range.start(), extent.range.end());
        let at_head = end.micros_since(one.range.start()) <= SEAM_US;
        let at_tail = one.range.end().micros_since(start) <= SEAM_US;
        let cut = match (at_head, at_tail) {
            (true, _) => TimeRange::new(end, one.range.end()),
            (_, true) => TimeRange::new(one.range.start(), start),
            _ => {
                let run = importer.index.run(extent.run).await?;
                let import = run.and_then(|r| r.import_key.clone()).map_or(String::new(), |k| format!(", an import with key {k}"));
                return Err(ImportError::Overlap {
                    path: one.path.clone(),
                    range: one.range,
                    existing: extent.range,
                    run: extent.run,
                    import,
                });
            }
        };
        one.range = cut.map_err(|_| ImportError::Failed {
            path: one.path.clone(),
            why: format!("it is shorter than what it overlaps, {}", spoken(extent.range)),
        })?;
        one.from = one.from.max(one.range.start());
    }
    Ok(())
}
