//! One row with its file, or one file without a row: looked at, not changed.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::FindingKind;
use crate::media::{BlockInfo, BlockState, TimeRange};
use crate::store::{self, Damage, Found, MediaRoot, Scan, StoreError, StoreResult};

/// What comes of looking at a row.
pub(super) enum Verdict {
    Fine,
    Bad {
        kind: FindingKind,
        detail: String,
        /// What the file holds; `None` when there is no file.
        scan: Option<Box<Scan>>,
    },
}

impl Scan {
    /// From the first to the last whole segment.
    pub(super) fn range(&self) -> Option<TimeRange> {
        TimeRange::new(self.segments.first()?.range().start(), self.segments.last()?.range().end()).ok()
    }
}

pub(super) fn row(root: &MediaRoot, row: &BlockInfo) -> StoreResult<Verdict> {
    let path = root.file(&row.path());
    let len = match fs::metadata(&path) {
        Ok(meta) => meta.len(),
        Err(e) if e.kind() == ErrorKind::NotFound => {
            let detail = format!("the file of {} segments is not there", row.table.len());
            return Ok(Verdict::Bad { kind: FindingKind::MissingFile, detail, scan: None });
        }
        Err(e) => return Err(StoreError::io("ask for the length of", &path, e)),
    };
    let scan = store::scan(&path, 0)?;
    let found = match row.state {
        BlockState::Open => open(row, &scan, len),
        BlockState::Sealed => sealed(row, &scan, len),
    };
    Ok(match found {
        None => Verdict::Fine,
        Some((kind, detail)) => Verdict::Bad { kind, detail, scan: Some(Box::new(scan)) },
    })
}

/// Only what is committed counts; behind it someone may be writing.
fn open(row: &BlockInfo, scan: &Scan, len: u64) -> Option<(FindingKind, String)> {
    let end = row.media_end_offset();
    if len < end {
        let detail = format!("the row names {} segments, {end} bytes; the file has {len}", row.table.len());
        return Some((FindingKind::RowWithoutBytes, detail));
    }
    let committed: Vec<_> = scan.damage.iter().filter(|d| d.offset < end).cloned().collect();
    if !committed.is_empty() {
        return Some((FindingKind::Checksum, describe(&committed)));
    }
    contents(row, scan)
}

fn sealed(row: &BlockInfo, scan: &Scan, len: u64) -> Option<(FindingKind, String)> {
    if len <= row.first_offset {
        let detail = format!("the row names {} segments, the file holds none ({len} bytes)", row.table.len());
        return Some((FindingKind::RowWithoutBytes, detail));
    }
    if len < row.size_bytes {
        let detail = format!("the file had {} bytes when it was sealed and has {len} now", row.size_bytes);
        return Some((FindingKind::ShortenedFile, detail));
    }
    if !scan.damage.is_empty() {
        return Some((FindingKind::Checksum, describe(&scan.damage)));
    }
    if let Err(what) = &scan.header {
        return Some((FindingKind::Checksum, (*what).to_string()));
    }
    if let Some(found) = contents(row, scan) {
        return Some(found);
    }
    let trailer = scan.trailer.as_ref();
    let same = trailer.is_some_and(|t| Some(t.checksum) == row.checksum) && len == row.size_bytes;
    (!same).then(|| (FindingKind::Checksum, "the file's trailer is not the one it was sealed with".to_string()))
}

/// Whether the whole file holds what the row names.
fn contents(row: &BlockInfo, scan: &Scan) -> Option<(FindingKind, String)> {
    match &scan.header {
        Err(what) => return Some((FindingKind::Checksum, (*what).to_string())),
        Ok((header, first_offset)) => {
            let own = header.block == row.id && header.run.stream == row.stream && header.start == row.start;
            if !own || *first_offset != row.first_offset {
                let detail = format!("the file says that it is block {} of {}, from {}", header.block, header.run.stream, header.start);
                return Some((FindingKind::RowWithoutBytes, detail));
            }
        }
    }
    let matches = |(entry, found): (&_, &Found)| *entry == found.header.entry;
    let same = row.table.len() <= scan.segments.len()
        && (row.state == BlockState::Open || row.table.len() == scan.segments.len())
        && row.table.entries().iter().zip(&scan.segments).all(matches);
    (!same).then(|| {
        let detail = format!("the row names {} segments, the file holds {} others", row.table.len(), scan.segments.len());
        (FindingKind::RowWithoutBytes, detail)
    })
}

fn describe(damage: &[Damage]) -> String {
    let first = &damage[0];
    let more = if damage.len() > 1 { format!(", and {} more places", damage.len() - 1) } else { String::new() };
    format!("{} at byte {}{more}", first.what, first.offset)
}

/// `None` while somebody writes it, or when it is gone.
pub(super) fn orphan(path: &Path) -> StoreResult<Option<Scan>> {
    if store::is_being_written(path)? {
        return Ok(None);
    }
    match store::scan(path, 0) {
        Err(e) if e.is_missing() => Ok(None),
        other => other.map(Some),
    }
}
