//! Reading block files back: their header, their trailer, every segment; and recovery of a file that was
//! being written when the process ended.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use xxhash_rust::xxh3::Xxh3;

use super::error::{StoreError, StoreResult, at};
use super::format::{
    BOX_BYTES_MAX, BlockChecksum, BlockHeader, FOOTER_BYTES, SEGMENT_HEADER_BYTES, Sealed, SegmentHeader, Trailer, UUID_BOX, What, u32_at,
};
use super::thumbnails::{Pictures, is_picture_box};
use super::writer::{BlockWriter, lock};
use crate::media::{BlockInfo, SegmentTable, TimeRange};

/// Enough for header and trailer of nearly every block, so that each takes one read.
const EDGE_BYTES: usize = 16 << 10;
const READ_BYTES: usize = 256 << 10;

/// A whole segment in a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Found {
    pub header: SegmentHeader,
    /// Of the header box.
    pub offset: u64,
}

impl Found {
    pub fn end_offset(&self) -> u64 {
        self.offset + u64::from(self.header.entry.stored_bytes())
    }
    pub fn range(&self) -> TimeRange {
        let end = self.header.start.saturating_add_micros(i64::from(self.header.entry.wall_us));
        TimeRange::new(self.header.start, end).expect("decoded headers have a positive duration")
    }
}

/// A place where a file does not hold what was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Damage {
    pub offset: u64,
    pub what: What,
}

/// Everything of a file that can be used, and everything that cannot.
#[derive(Clone, Debug)]
pub struct Scan {
    /// Header and offset of the first segment, or why they cannot be read.
    pub header: Result<(BlockHeader, u64), What>,
    /// Whole segments in file order, those behind damage included.
    pub segments: Vec<Found>,
    /// How many of `segments` follow one another from the start without damage.
    pub unbroken: usize,
    pub damage: Vec<Damage>,
    pub trailer: Option<Trailer>,
    /// Length of the file.
    pub len: u64,
}

impl Scan {
    pub fn table(&self) -> SegmentTable {
        SegmentTable::from_entries(self.segments.iter().map(|s| s.header.entry).collect())
    }
    /// The block's checksum as its segments give it.
    pub fn checksum(&self) -> u64 {
        let mut sum = BlockChecksum::default();
        self.segments.iter().for_each(|s| sum.add(s.header.media_xxh3));
        sum.value()
    }
}

/// A sealed file, read at both ends only.
#[derive(Clone, Debug)]
pub struct SealedFile {
    pub header: BlockHeader,
    pub first_offset: u64,
    pub trailer: Trailer,
    pub size_bytes: u64,
}

impl SealedFile {
    pub fn block_info(&self) -> BlockInfo {
        let sealed = Sealed { size_bytes: self.size_bytes, checksum: self.trailer.checksum };
        self.header.block_info(self.first_offset, self.trailer.table.clone(), Some(sealed))
    }
}

/// Header of a block file, and the offset of its first segment.
///
/// # Errors
/// [`StoreError::Damaged`] when it has none; [`StoreError::Io`].
pub fn read_header(path: &Path) -> StoreResult<(BlockHeader, u64)> {
    let file = File::open(path).map_err(at("open", path))?;
    let len = file.metadata().map_err(at("ask for the length of", path))?.len();
    header_of(&file, len, path)?.map_err(|what| StoreError::damaged(path, what))
}

/// Reads the last few KiB and the first: enough to index a sealed block. `None`: it is not sealed.
///
/// # Errors
/// [`StoreError::Damaged`] when the ends do not belong together; [`StoreError::Io`].
pub fn read_sealed(path: &Path) -> StoreResult<Option<SealedFile>> {
    let file = File::open(path).map_err(at("open", path))?;
    let size_bytes = file.metadata().map_err(at("ask for the length of", path))?.len();
    let trailer = match trailer_of(&file, size_bytes, path)? {
        None => return Ok(None),
        Some(trailer) => trailer.map_err(|what| StoreError::damaged(path, what))?,
    };
    let (header, first_offset) = header_of(&file, size_bytes, path)?.map_err(|what| StoreError::damaged(path, what))?;
    let media: u64 = trailer.0.table.entries().iter().map(|e| u64::from(e.stored_bytes())).sum();
    if first_offset + media + u64::from(trailer.0.pictures_bytes) != trailer.1 {
        return Err(StoreError::damaged(path, "its segment table does not fit its length"));
    }
    Ok(Some(SealedFile { header, first_offset, trailer: trailer.0, size_bytes }))
}

/// The small pictures of a sealed file. `None`: it has none.
///
/// # Errors
/// [`StoreError::Damaged`] when they do not match their checksum, or the file has no trailer; [`StoreError::Io`].
pub fn block_pictures(path: &Path) -> StoreResult<Option<Pictures>> {
    let file = File::open(path).map_err(at("open", path))?;
    let len = file.metadata().map_err(at("ask for the length of", path))?.len();
    let trailer = trailer_of(&file, len, path)?.unwrap_or(Err("no trailer"));
    let (trailer, offset) = trailer.map_err(|what| StoreError::damaged(path, what))?;
    match pictures_before(&file, path, offset, trailer.pictures_bytes)? {
        None => Ok(None),
        Some(read) => read.map(Some).map_err(|what| StoreError::damaged(path, what)),
    }
}

/// The pictures of `len` bytes that end at `end`. `None`: there are none.
pub(super) fn pictures_before(file: &File, path: &Path, end: u64, len: u32) -> StoreResult<Option<Result<Pictures, What>>> {
    let Some(from) = end.checked_sub(u64::from(len)).filter(|_| len > 0) else { return Ok(None) };
    let mut bytes = vec![0; len as usize];
    file.read_exact_at(&mut bytes, from).map_err(at("read", path))?;
    Ok(Some(match Pictures::decode(&bytes.into()) {
        Ok(Some(pictures)) if pictures.len() == len as usize => Ok(pictures),
        Ok(_) => Err("pictures do not match their checksum"),
        Err(what) => Err(what),
    }))
}

/// Length of the box of pictures that begins at `offset`, by its own word; 0: none does.
pub(super) fn pictures_len_at(file: &File, path: &Path, offset: u64, limit: u64) -> StoreResult<u32> {
    let mut head = [0; UUID_BOX];
    if offset + UUID_BOX as u64 > limit {
        return Ok(0);
    }
    file.read_exact_at(&mut head, offset).map_err(at("read", path))?;
    let len = u32_at(&head, 0);
    Ok(if is_picture_box(&head) && offset + u64::from(len) <= limit { len } else { 0 })
}

/// Reads the whole file. The media of segments that begin before `verify_from` is not read, only their
/// headers: pass 0 to verify all.
///
/// # Errors
/// [`StoreError::Io`] only; damage is in the answer.
pub fn scan(path: &Path, verify_from: u64) -> StoreResult<Scan> {
    let file = File::open(path).map_err(at("open", path))?;
    scan_file(&file, path, verify_from)
}

/// Whether a living writer holds the file. False also when there is no file.
///
/// # Errors
/// [`StoreError::Io`] when it cannot be asked.
pub fn is_being_written(path: &Path) -> StoreResult<bool> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(StoreError::io("open", path, e)),
    };
    // Shared, so that two who ask do not take one another for a writer; given back when the file is closed.
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(false),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(true),
        Err(e) => Err(StoreError::io("lock", path, e.into())),
    }
}

/// What recovery made of a file.
#[derive(Debug)]
pub struct Recovered {
    pub header: BlockHeader,
    pub first_offset: u64,
    /// The block's whole segments.
    pub segments: Vec<Found>,
    /// Bytes of a torn segment that were cut off.
    pub cut_bytes: u64,
    pub state: RecoveredState,
}

/// See [`recover`].
#[derive(Debug)]
pub enum RecoveredState {
    /// The file was already complete.
    Sealed(Sealed, Trailer),
    /// Ready to be sealed.
    Open(Box<BlockWriter>),
    /// Whole segments stand behind damage: nothing was changed; `Recovered::segments` holds all of them. Only
    /// a power cut within a relaxed sync interval, or a failing disk, does this.
    Broken,
}

/// Finds out what of a block file can be kept after the process writing it has ended, and cuts off a torn
/// segment at its end. Media before `verify_from` (what the index already names) is not read again.
///
/// # Errors
/// [`StoreError::Busy`] while the writer lives; [`StoreError::Damaged`] when there is no readable header.
pub fn recover(path: &Path, verify_from: u64) -> StoreResult<Recovered> {
    let file = OpenOptions::new().read(true).write(true).open(path).map_err(at("open", path))?;
    lock(&file, path)?;
    let scan = scan_file(&file, path, verify_from)?;
    let (header, first_offset) = scan.header.clone().map_err(|what| StoreError::damaged(path, what))?;
    if let (Some(trailer), true) = (&scan.trailer, scan.damage.is_empty()) {
        let sealed = Sealed { size_bytes: scan.len, checksum: trailer.checksum };
        let state = RecoveredState::Sealed(sealed, trailer.clone());
        return Ok(Recovered { header, first_offset, segments: scan.segments, cut_bytes: 0, state });
    }
    if scan.unbroken < scan.segments.len() || scan.trailer.is_some() {
        let state = RecoveredState::Broken;
        return Ok(Recovered { header, first_offset, segments: scan.segments, cut_bytes: 0, state });
    }
    let end = scan.segments.last().map_or(first_offset, Found::end_offset);
    if scan.len > end {
        file.set_len(end).map_err(at("cut the torn end off", path))?;
        file.sync_all().map_err(at("sync", path))?;
    }
    let mut checksum = BlockChecksum::default();
    scan.segments.iter().for_each(|s| checksum.add(s.header.media_xxh3));
    let writer = BlockWriter::at_end(path.to_path_buf(), file, &header, first_offset, scan.table(), checksum);
    Ok(Recovered {
        header,
        first_offset,
        segments: scan.segments,
        cut_bytes: scan.len - end,
        state: RecoveredState::Open(Box::new(writer)),
    })
}

fn scan_file(file: &File, path: &Path, verify_from: u64) -> StoreResult<Scan> {
    let len = file.metadata().map_err(at("ask for the length of", path))?.len();
    let header = header_of(file, len, path)?;
    let (trailer, limit, trailer_damage) = match trailer_of(file, len, path)? {
        // Pictures stand between segments and trailer.
        Some(Ok((trailer, offset))) => {
            let limit = offset.saturating_sub(u64::from(trailer.pictures_bytes));
            (Some((trailer, offset)), limit, None)
        }
        Some(Err(what)) => (None, len, Some(what)),
        None => (None, len, None),
    };
    let mut walk =
        Walk { file, path, limit, verify_from, buffer: vec![0; READ_BYTES], segments: Vec::new(), damage: Vec::new(), unbroken: None };
    match &header {
        Ok((_, first_offset)) => walk.run(*first_offset)?,
        Err(what) => {
            walk.hurt(0, what);
            if let Some(first) = walk.next_segment(0)? {
                walk.run(first)?;
            }
        }
    }
    // The walk has met the broken trailer as something that is no segment: say what it is instead.
    if let Some(what) = trailer_damage {
        let behind = walk.segments.last().map_or(0, Found::end_offset);
        walk.damage.retain(|d| d.offset < behind);
        walk.hurt(behind, what);
    }
    let Walk { segments, damage, unbroken, .. } = walk;
    let unbroken = unbroken.unwrap_or(segments.len());
    let mut scan = Scan { header, segments, unbroken, damage, trailer: None, len };
    if let Some((trailer, offset)) = trailer {
        let pictures = pictures_before(file, path, offset, trailer.pictures_bytes)?;
        scan.damage.extend(pictures.and_then(Result::err).map(|what| Damage { offset: limit, what }));
        scan.trailer = Some(trailer);
    }
    if let Some(what) = scan.trailer.as_ref().and_then(|t| contradiction(&scan, t)) {
        scan.damage.push(Damage { offset: limit, what });
    }
    Ok(scan)
}

/// Whether a whole trailer tells something else than the segments before it.
fn contradiction(scan: &Scan, trailer: &Trailer) -> Option<What> {
    if !scan.damage.is_empty() {
        return None;
    }
    if trailer.table != scan.table() {
        return Some("the trailer's segment table is not that of the segments");
    }
    (trailer.checksum != scan.checksum()).then_some("the trailer's checksum is not that of the segments")
}

struct Walk<'a> {
    file: &'a File,
    path: &'a Path,
    /// Where segments must have ended: the trailer, or the end of the file.
    limit: u64,
    verify_from: u64,
    buffer: Vec<u8>,
    segments: Vec<Found>,
    damage: Vec<Damage>,
    /// Number of segments before the first damage.
    unbroken: Option<usize>,
}

impl Walk<'_> {
    fn hurt(&mut self, offset: u64, what: What) {
        self.unbroken.get_or_insert(self.segments.len());
        self.damage.push(Damage { offset, what });
    }

    fn run(&mut self, first_offset: u64) -> StoreResult<()> {
        let mut offset = first_offset;
        while offset < self.limit {
            match self.segment_at(offset)? {
                Ok(found) => {
                    if let Some(what) = self.out_of_place(&found) {
                        self.hurt(offset, what);
                    }
                    offset = found.end_offset();
                    match found.offset < self.verify_from || self.media_matches(&found)? {
                        true => self.segments.push(found),
                        false => self.hurt(found.offset, "media does not match its checksum"),
                    }
                }
                Err(what) => {
                    self.hurt(offset, what);
                    match self.next_segment(offset + 1)? {
                        Some(next) => offset = next,
                        None => return Ok(()),
                    }
                }
            }
        }
        Ok(())
    }

    /// A segment that is whole but not the one that belongs here; behind damage anything later is welcome.
    fn out_of_place(&self, found: &Found) -> Option<What> {
        let last = self.segments.last()?;
        let follows = last.range().end() == found.header.start && last.header.sequence + 1 == found.header.sequence;
        (last.end_offset() == found.offset && !follows).then_some("segment does not follow the one before it")
    }

    fn segment_at(&self, offset: u64) -> StoreResult<Result<Found, What>> {
        let mut head = [0u8; SEGMENT_HEADER_BYTES];
        if offset + SEGMENT_HEADER_BYTES as u64 > self.limit {
            return Ok(Err("segment header cut off"));
        }
        self.file.read_exact_at(&mut head, offset).map_err(at("read", self.path))?;
        let found = match SegmentHeader::decode(&head) {
            // The process ended between the pictures and the end of the trailer.
            Err(_) if is_picture_box(&head) => return Ok(Err("pictures without a trailer")),
            Ok(header) => Found { header, offset },
            Err(what) => return Ok(Err(what)),
        };
        Ok(if found.end_offset() > self.limit { Err("segment cut off") } else { Ok(found) })
    }

    fn media_matches(&mut self, found: &Found) -> StoreResult<bool> {
        let mut hash = Xxh3::new();
        let mut offset = found.offset + SEGMENT_HEADER_BYTES as u64;
        while offset < found.end_offset() {
            let n = usize::try_from(found.end_offset() - offset).map_or(READ_BYTES, |rest| rest.min(READ_BYTES));
            match self.file.read_exact_at(&mut self.buffer[..n], offset) {
                Ok(()) => {}
                // A bad sector: this segment is lost, the others need not be.
                Err(e) if e.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => return Ok(false),
                Err(e) => return Err(StoreError::io("read", self.path, e)),
            }
            hash.update(&self.buffer[..n]);
            offset += n as u64;
        }
        Ok(hash.digest() == found.header.media_xxh3)
    }

    /// Where the next whole-looking segment begins, at `from` or later.
    fn next_segment(&mut self, from: u64) -> StoreResult<Option<u64>> {
        let needle = SegmentHeader::needle();
        let mut from = from;
        while from + (SEGMENT_HEADER_BYTES as u64) <= self.limit {
            let n = usize::try_from(self.limit - from).map_or(READ_BYTES, |rest| rest.min(READ_BYTES));
            self.file.read_exact_at(&mut self.buffer[..n], from).map_err(at("read", self.path))?;
            let hits: Vec<u64> = find_all(&self.buffer[..n], &needle).map(|i| from + i as u64).collect();
            for offset in hits {
                if self.segment_at(offset)?.is_ok() {
                    return Ok(Some(offset));
                }
            }
            if n < READ_BYTES {
                break;
            }
            // A header may begin in the last bytes of this piece.
            from += (n - needle.len() + 1) as u64;
        }
        Ok(None)
    }
}

fn find_all<'a>(haystack: &'a [u8], needle: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    haystack.windows(needle.len()).enumerate().filter(move |(_, w)| *w == needle).map(|(i, _)| i)
}

fn header_of(file: &File, len: u64, path: &Path) -> StoreResult<Result<(BlockHeader, u64), What>> {
    let mut want = EDGE_BYTES;
    loop {
        let n = usize::try_from(len).map_or(want, |len| len.min(want));
        let mut bytes = vec![0; n];
        file.read_exact_at(&mut bytes, 0).map_err(at("read", path))?;
        match BlockHeader::decode(&bytes) {
            Ok(Ok(found)) => return Ok(Ok(found)),
            Ok(Err(more)) if more as u64 <= len && more > n && more <= 2 * BOX_BYTES_MAX => want = more,
            // A guess may go past the end of a small file: then all of it has been seen.
            Ok(Err(_)) if (n as u64) < len && want < 2 * BOX_BYTES_MAX => want *= 4,
            Ok(Err(_)) => return Ok(Err("header cut off")),
            Err(what) => return Ok(Err(what)),
        }
    }
}

/// The trailer and its offset. `None`: the file does not end like a sealed one.
#[allow(clippy::type_complexity)] // three honest outcomes, used in two places of this file
pub(super) fn trailer_of(file: &File, len: u64, path: &Path) -> StoreResult<Option<Result<(Trailer, u64), What>>> {
    let n = usize::try_from(len).map_or(EDGE_BYTES, |len| len.min(EDGE_BYTES));
    let mut bytes = vec![0; n];
    file.read_exact_at(&mut bytes, len - n as u64).map_err(at("read", path))?;
    let Some(size) = Trailer::size_from_footer(&bytes) else { return Ok(None) };
    if size as u64 > len {
        return Ok(Some(Err("trailer larger than the file")));
    }
    let offset = len - size as u64;
    if size > n {
        bytes = vec![0; size];
        file.read_exact_at(&mut bytes, offset).map_err(at("read", path))?;
    }
    let own = &bytes[bytes.len() - size..];
    debug_assert!(own.len() >= FOOTER_BYTES, "a footer was found in it");
    Ok(Some(Trailer::decode(own).map(|t| (t, offset))))
}
