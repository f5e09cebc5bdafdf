//! One row against its file. Reads, decides, changes nothing.

use std::fs;
use std::io::ErrorKind;

use super::finding::FindingKind;
use crate::index::recover::chain;
use crate::media::{BlockInfo, BlockState, RunInfo, Segment, TimeRange, Timestamp};
use crate::store::{BlockHeader, Damage, MediaRoot, Scan, SealedFile, StoreError, StoreResult, is_wiped, read_sealed, scan};

/// How much of each file is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Depth {
    /// Both ends: finds what is missing, cut off or disagrees.
    Quick,
    /// Every byte, against its checksum.
    #[default]
    Full,
}

/// Something about one file that is not as it should be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Problem {
    pub kind: FindingKind,
    pub range: Option<TimeRange>,
    pub detail: String,
}

impl Problem {
    pub(super) fn new(kind: FindingKind, range: Option<TimeRange>, detail: impl Into<String>) -> Problem {
        Problem { kind, range, detail: detail.into() }
    }
}

/// What a row's file is like.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// With what was read of it; no problems: it agrees.
    Read {
        len: u64,
        problems: Vec<Problem>,
    },
    Missing,
    /// The disk does not give it.
    Unreadable(String),
}

pub(super) fn inspect(root: &MediaRoot, row: &BlockInfo, run: &RunInfo, depth: Depth) -> Verdict {
    match read(root, row, run, depth) {
        Ok((len, problems)) => Verdict::Read { len, problems },
        Err(e) if e.is_missing() => Verdict::Missing,
        Err(e) => Verdict::Unreadable(chain(&e)),
    }
}

fn read(root: &MediaRoot, row: &BlockInfo, run: &RunInfo, depth: Depth) -> StoreResult<(u64, Vec<Problem>)> {
    let path = root.file(&row.path());
    let len = fs::metadata(&path).map_err(|e| StoreError::io("ask for the length of", &path, e))?.len();
    if row.state == BlockState::Sealed
        && let Some(problem) = erased_footage(root, row, depth)
    {
        return Ok((len, vec![problem]));
    }
    let problems = match (row.state, depth) {
        (BlockState::Open, Depth::Quick) => {
            // Its end is still moving: only its length can be compared.
            if len < row.media_end_offset() { vec![missing_end(row, len)] } else { Vec::new() }
        }
        (BlockState::Open, Depth::Full) => committed_part(row, run, &scan(&path, 0)?),
        (BlockState::Sealed, Depth::Full) => sealed_full(row, run, &scan(&path, 0)?),
        (BlockState::Sealed, Depth::Quick) => match read_sealed(&path) {
            Ok(Some(file)) => header_problem(row, run, &file.header).into_iter().chain(table_problem(row, &file)).collect(),
            Ok(None) if len < row.size_bytes => vec![shortened(row, len)],
            Ok(None) => vec![trailer("no trailer")],
            Err(StoreError::Damaged { .. }) if len < row.size_bytes => vec![shortened(row, len)],
            Err(StoreError::Damaged { what, .. }) => vec![Problem::new(FindingKind::Checksum, None, what)],
            Err(e) if is_end_of_file(&e) => vec![shortened(row, len)],
            Err(e) => return Err(e),
        },
    };
    Ok((len, problems))
}

/// Footage that the row has as erased, and that is in the file all the same: somebody put an older copy back. It is looked for before
/// anything else, because for every other difference the file is believed. A file that cannot be read to that end says nothing here.
fn erased_footage(root: &MediaRoot, row: &BlockInfo, depth: Depth) -> Option<Problem> {
    let erased = row.erased_ranges();
    let hull = TimeRange::new(erased.first()?.start(), erased.last()?.end()).ok();
    let listed = read_sealed(&root.file(&row.path())).ok().flatten().is_some_and(|file| {
        let same_length = file.trailer.table.len() == row.table.len();
        same_length && row.table.entries().iter().zip(file.trailer.table.entries()).any(|(row, file)| row.erased && !file.erased)
    });
    let back = listed || (depth == Depth::Full && is_wiped(root, row).is_ok_and(|wiped| !wiped));
    back.then(|| Problem::new(FindingKind::ErasedFootage, hull, "what was erased on request is in this file again"))
}

/// A file that was cut between asking for its length and reading it.
fn is_end_of_file(e: &StoreError) -> bool {
    matches!(e, StoreError::Io { source, .. } if source.kind() == ErrorKind::UnexpectedEof)
}

/// All that a scan says of a sealed row's file.
fn sealed_full(row: &BlockInfo, run: &RunInfo, scan: &Scan) -> Vec<Problem> {
    let cut = scan.trailer.is_none() && scan.len < row.size_bytes;
    let cut_in_header = cut && scan.header.as_ref().is_err_and(|what| what.ends_with("cut off"));
    let mut problems: Vec<Problem> = header_problems(row, run, scan).filter(|_| !cut_in_header).collect();
    problems.extend(cut.then(|| shortened(row, scan.len)));
    let whole_end = scan.segments.last().map_or(row.first_offset, |s| s.end_offset());
    let media_end = row.media_end_offset();
    for damage in in_segments(scan) {
        match row.places().take_while(|s| s.offset <= damage.offset).last() {
            // The torn end of a file that was cut has been named already.
            _ if cut && damage.offset >= whole_end => {}
            Some(segment) if damage.offset < media_end => problems.push(segment_problem(&segment, damage.what)),
            _ if damage.what.starts_with("pictures do") => problems.push(Problem::new(FindingKind::Checksum, None, damage.what)),
            // Behind the segments only the trailer can be meant, whatever the scan took it for.
            _ => problems.push(trailer(if damage.is_torn_end() { damage.what } else { "it cannot be read" })),
        }
    }
    match &scan.trailer {
        // Only when nothing else explains it: bytes behind the trailer, or a changed footer.
        None if !cut && !problems.iter().any(|p| p.kind == FindingKind::Checksum && p.range.is_none()) => {
            problems.push(trailer("no trailer"))
        }
        Some(found) if problems.is_empty() => {
            if let Ok((header, first_offset)) = &scan.header {
                let (header, trailer) = (header.clone(), found.clone());
                let file = SealedFile { header, first_offset: *first_offset, trailer, size_bytes: scan.len };
                problems.extend(table_problem(row, &file));
            }
        }
        _ => {}
    }
    problems
}

/// What a scan says of the part of a growing file that the row names.
fn committed_part(row: &BlockInfo, run: &RunInfo, scan: &Scan) -> Vec<Problem> {
    let media_end = row.media_end_offset();
    let mut problems: Vec<Problem> = header_problems(row, run, scan).collect();
    if scan.len < media_end {
        problems.push(missing_end(row, scan.len));
    }
    let whole_end = scan.segments.last().map_or(row.first_offset, |s| s.end_offset());
    let inside = in_segments(scan).filter(|d| d.offset < media_end && (scan.len >= media_end || d.offset < whole_end));
    for damage in inside {
        let segment = row.places().take_while(|s| s.offset <= damage.offset).last();
        problems.extend(segment.map(|s| segment_problem(&s, damage.what)));
    }
    if problems.is_empty() && !scan.segments.iter().map(|s| s.header.entry).zip(row.table.entries()).all(|(a, b)| a == *b) {
        problems.push(Problem::new(FindingKind::RowDiffers, row.range(), "the row's segments are not those of the file"));
    }
    problems
}

/// Damage of segments; that of the header is in [`Scan::header`].
fn in_segments(scan: &Scan) -> impl Iterator<Item = &Damage> {
    let header_damage = usize::from(scan.header.is_err());
    scan.damage.iter().skip(header_damage)
}

fn header_problems(row: &BlockInfo, run: &RunInfo, scan: &Scan) -> impl Iterator<Item = Problem> {
    let problem = match &scan.header {
        Ok((header, first_offset)) => header_problem(row, run, header).or_else(|| offset_problem(row, *first_offset)),
        Err(what) => Some(Problem::new(FindingKind::Checksum, None, format!("init segment or block header: {what}"))),
    };
    problem.into_iter()
}

fn offset_problem(row: &BlockInfo, first_offset: u64) -> Option<Problem> {
    (first_offset != row.first_offset)
        .then(|| differs(row, format!("segments begin at byte {first_offset}, its row says {}", row.first_offset)))
}

fn header_problem(row: &BlockInfo, run: &RunInfo, header: &BlockHeader) -> Option<Problem> {
    if header.block != row.id || header.account != row.account || header.run.stream != row.stream {
        let (block, stream) = (header.block, &header.run.stream);
        return Some(differs(row, format!("the file holds block {block} of stream `{stream}`")));
    }
    if header.start != row.start || header.first_sequence != row.first_sequence {
        let (start, first) = (header.start, header.first_sequence);
        return Some(differs(
            row,
            format!("the file begins at {start} with segment {first}, its row at {} with {}", row.start, row.first_sequence),
        ));
    }
    if header.run.id != row.run || header.run.init != run.init || header.run.ordinal != run.ordinal {
        return Some(differs(
            row,
            format!("the file belongs to run {}, its row to {}, or their init segments differ", header.run.id, row.run),
        ));
    }
    None
}

fn table_problem(row: &BlockInfo, file: &SealedFile) -> Option<Problem> {
    let (rows, files) = (row.table.entries(), file.trailer.table.entries());
    if rows.len() > files.len() && rows[..files.len()] == *files {
        let range = row.places().nth(files.len()).and_then(|s| TimeRange::new(s.start, row.end()).ok());
        let detail = format!("the row names {} segments, the file holds {}", rows.len(), files.len());
        return Some(Problem::new(FindingKind::RowWithoutBytes, range, detail));
    }
    if rows != files {
        return Some(differs(row, format!("the row's {} segments are not the {} of the file", rows.len(), files.len())));
    }
    if let Some(problem) = offset_problem(row, file.first_offset) {
        return Some(problem);
    }
    if row.checksum != Some(file.trailer.checksum) {
        return Some(differs(row, "the row's checksum is not that of the file".into()));
    }
    (row.size_bytes != file.size_bytes)
        .then(|| differs(row, format!("the file has {} bytes, its row says {}", file.size_bytes, row.size_bytes)))
}

fn differs(row: &BlockInfo, detail: String) -> Problem {
    Problem::new(FindingKind::RowDiffers, row.range(), detail)
}

fn trailer(what: &str) -> Problem {
    Problem::new(FindingKind::Checksum, None, format!("trailer: {what}"))
}

fn segment_problem(segment: &Segment, what: &str) -> Problem {
    let detail = format!("segment {} of {}: {what}", segment.position + 1, segment.start);
    Problem::new(FindingKind::Checksum, Some(segment.range()), detail)
}

/// From the first segment that a file of `len` bytes does not hold to the row's end.
fn lost_range(row: &BlockInfo, len: u64) -> Option<TimeRange> {
    let lost = row.places().find(|s| s.offset + u64::from(s.entry.stored_bytes()) > len)?;
    TimeRange::new(lost.start, row.end()).ok()
}

fn shortened(row: &BlockInfo, len: u64) -> Problem {
    let detail = format!("{len} bytes are left of {}", row.size_bytes);
    Problem::new(FindingKind::ShortenedFile, lost_range(row, len), detail)
}

/// An open block's file that has fewer bytes than its row names. When it ends with a whole segment nothing
/// says that it was ever longer.
fn missing_end(row: &BlockInfo, len: u64) -> Problem {
    let ends: Vec<u64> = row.places().map(|s| s.offset).collect();
    if ends.contains(&len) {
        let detail = format!("the row names {} segments, the file holds {}", row.table.len(), ends.iter().filter(|o| **o < len).count());
        return Problem::new(FindingKind::RowWithoutBytes, lost_range(row, len), detail);
    }
    shortened(row, len)
}

/// What lies under a name that no row has.
#[derive(Debug)]
pub(super) enum Orphan {
    /// Somebody writes it: its row is about to come.
    BeingWritten,
    /// Gone meanwhile.
    Missing,
    Unreadable(String),
    /// Its header cannot be read or belongs elsewhere.
    Foreign(String),
    Block {
        header: Box<BlockHeader>,
        range: Option<TimeRange>,
        len: u64,
        detail: String,
    },
}

/// Looks at a block file without a row. `Depth` is not asked: orphans are rare, and whether one can be played
/// is what matters.
pub(super) fn inspect_orphan(root: &MediaRoot, path: &str, ask_writer: bool) -> Orphan {
    match read_orphan(root, path, ask_writer) {
        Ok(orphan) => orphan,
        Err(e) if e.is_missing() => Orphan::Missing,
        Err(e) => Orphan::Unreadable(chain(&e)),
    }
}

fn read_orphan(root: &MediaRoot, path: &str, ask_writer: bool) -> StoreResult<Orphan> {
    let file = root.file(path);
    if ask_writer && crate::store::is_being_written(&file)? {
        return Ok(Orphan::BeingWritten);
    }
    let scan = scan(&file, 0)?;
    let (header, first_offset) = match &scan.header {
        Ok(found) => found.clone(),
        Err(what) => return Ok(Orphan::Foreign(format!("no block can be read from it: {what}"))),
    };
    let own = header.block_info(first_offset, scan.table(), None).path();
    if own != path {
        return Ok(Orphan::Foreign(format!("its own header says that it belongs at {own}")));
    }
    let hull = scan.segments.first().zip(scan.segments.last());
    let range = hull.and_then(|(a, b)| TimeRange::new(a.header.start, b.range().end()).ok());
    let detail = match (scan.segments.len(), scan.damage.len()) {
        (0, _) => "no row names it; it holds no footage".to_string(),
        (n, 0) => format!("no row names it; it holds {n} whole segments"),
        (n, d) => format!("no row names it; it holds {n} whole segments and {d} damaged places"),
    };
    Ok(Orphan::Block { header: Box::new(header), range, len: scan.len, detail })
}

/// The start of what comes first, for merging.
pub(super) fn key(row: &BlockInfo) -> (Timestamp, crate::media::BlockId) {
    (row.start, row.id)
}
