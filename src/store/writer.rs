//! Appending segments to a block file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, IoSlice};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::FlockOperation;
use xxhash_rust::xxh3::Xxh3;

use super::error::{StoreError, StoreResult, at, at_os};
use super::format::{BlockChecksum, BlockHeader, RunEnd, SEGMENT_HEADER_BYTES, Sealed, SegmentHeader, Trailer, check_entry};
use super::root::{MediaRoot, create_dirs, sync_dir};
use super::thumbnails::{Pictures, Thumbnail};
use crate::media::{AccountId, BlockId, BlockInfo, RunInfo, SegmentEntry, SegmentTable, Timestamp, block_path};

/// Media is hashed and written in pieces of this size. Between 64 and 256 KiB the piece is still in the
/// cache when the kernel copies it; calls of 1 MiB cost 3–4 times as much per byte.
const WRITE_BYTES: usize = 128 << 10;
/// The kernel takes no more parts in one call (`IOV_MAX`).
const PARTS_MAX: usize = 1024;

/// What a new block file starts with.
#[derive(Clone, Debug)]
pub struct NewBlock<'a> {
    pub account: AccountId,
    pub id: BlockId,
    /// Start of the first segment; also in the file's name.
    pub start: Timestamp,
    pub first_sequence: u64,
    pub run: &'a RunInfo,
}

/// One whole segment to append. `video` and `audio` are the pieces of their `moof mdat`, in order; they
/// are written as they lie, without being copied together.
#[derive(Clone, Copy, Debug)]
pub struct NewSegment<'a> {
    pub start: Timestamp,
    pub wall_us: u32,
    pub media_us: u32,
    pub keyframe_bytes: u32,
    pub independent: bool,
    pub sequence: u64,
    pub video: &'a [&'a [u8]],
    pub audio: &'a [&'a [u8]],
}

impl NewSegment<'_> {
    fn entry(&self) -> Option<SegmentEntry> {
        let bytes = |parts: &[&[u8]]| u32::try_from(parts.iter().map(|p| p.len() as u64).sum::<u64>()).ok();
        Some(SegmentEntry {
            wall_us: self.wall_us,
            media_us: self.media_us,
            video_bytes: bytes(self.video)?,
            audio_bytes: bytes(self.audio)?,
            keyframe_bytes: self.keyframe_bytes,
            independent: self.independent,
            erased: false,
        })
    }
}

/// The one writer of one block file. Holds the file's lock (`flock`), which ends with the process, so that
/// nobody takes the block for abandoned while it lives.
#[derive(Debug)]
pub struct BlockWriter {
    path: PathBuf,
    file: Arc<File>,
    first_offset: u64,
    /// End of the last whole segment: where the next one goes.
    end: u64,
    start: Timestamp,
    next_start: Timestamp,
    first_sequence: u64,
    table: SegmentTable,
    checksum: BlockChecksum,
    pictures: Vec<u8>,
    broken: bool,
}

impl BlockWriter {
    /// Creates the file with init segment and block header, durable with its name, and notes it in the
    /// journal of open blocks (see [`super::journal`]).
    ///
    /// # Errors
    /// [`StoreError::Full`] and others; nothing is left behind then. [`StoreError::NotMounted`] when the
    /// media root's disk has gone.
    pub fn create(root: &MediaRoot, new: &NewBlock<'_>) -> StoreResult<BlockWriter> {
        root.still_there()?;
        let relative = block_path(&new.account, &new.run.stream, new.start, new.id);
        let path = root.file(&relative);
        let folder = path.parent().expect("a block path has folders").to_path_buf();
        create_dirs(root.path(), &folder)?;
        super::journal::note_open(root, new.id, &relative)?;
        let made = Self::create_file(&path, &folder, new);
        if made.is_err() {
            // A leftover note is only clutter, and the first error is the one to tell.
            let _ = super::journal::forget_open(root, new.id);
        }
        made
    }

    fn create_file(path: &Path, folder: &Path, new: &NewBlock<'_>) -> StoreResult<BlockWriter> {
        let header = BlockHeader {
            account: new.account.clone(),
            block: new.id,
            start: new.start,
            first_sequence: new.first_sequence,
            run: new.run.clone(),
        };
        let head = header.encode().map_err(|what| StoreError::damaged(path, what))?;
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path).map_err(at("create", path))?;
        // Waits: on a file this new, only a `check` that happens to look can hold it, and for no time at all.
        let written = rustix::fs::flock(&file, FlockOperation::LockExclusive)
            .map_err(at_os("lock", path))
            .and_then(|()| file.write_all_at(&head, 0).map_err(at("write the header of", path)))
            .and_then(|()| file.sync_all().map_err(at("sync", path)))
            .and_then(|()| sync_dir(folder));
        if written.is_err() {
            // Likewise.
            let _ = fs::remove_file(path);
        }
        written?;
        let first_offset = head.len() as u64;
        Ok(Self::at_end(path.to_path_buf(), file, &header, first_offset, SegmentTable::default(), BlockChecksum::default()))
    }

    /// A writer that stands behind the last segment of `table`: used after recovery.
    pub(super) fn at_end(
        path: PathBuf,
        file: File,
        header: &BlockHeader,
        first_offset: u64,
        table: SegmentTable,
        checksum: BlockChecksum,
    ) -> BlockWriter {
        let media: u64 = table.entries().iter().map(|e| u64::from(e.stored_bytes())).sum();
        BlockWriter {
            path,
            file: Arc::new(file),
            first_offset,
            end: first_offset + media,
            start: header.start,
            next_start: header.start.saturating_add_micros(table.wall_us()),
            first_sequence: header.first_sequence,
            table,
            checksum,
            pictures: Vec::new(),
            broken: false,
        }
    }

    /// Where the first segment's header box stands: for [`BlockInfo::first_offset`].
    pub fn first_offset(&self) -> u64 {
        self.first_offset
    }
    /// Length of the file: whole segments only.
    pub fn size_bytes(&self) -> u64 {
        self.end
    }
    pub fn start(&self) -> Timestamp {
        self.start
    }
    /// Where the next segment must start.
    pub fn next_start(&self) -> Timestamp {
        self.next_start
    }
    pub fn next_sequence(&self) -> u64 {
        self.first_sequence + self.table.len() as u64
    }
    pub fn table(&self) -> &SegmentTable {
        &self.table
    }
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes one whole segment behind the last. It is not durable, and must not be reported, before
    /// [`BlockWriter::sync`] has come back.
    ///
    /// # Errors
    /// After any error the file is cut back to its last whole segment and the writer can go on, for instance
    /// when there is room again; [`StoreError::Broken`] when even that failed.
    pub fn append(&mut self, segment: &NewSegment<'_>) -> StoreResult<SegmentEntry> {
        let entry = self.check(segment)?;
        match self.write_segment(segment, entry) {
            Ok(media_xxh3) => {
                self.end += u64::from(entry.stored_bytes());
                self.next_start = self.next_start.saturating_add_micros(i64::from(entry.wall_us));
                self.table.push(entry);
                self.checksum.add(media_xxh3);
                Ok(entry)
            }
            Err(source) => Err(self.cut_back("write a segment to", source)),
        }
    }

    fn check(&self, segment: &NewSegment<'_>) -> StoreResult<SegmentEntry> {
        if self.broken {
            return Err(StoreError::Broken { path: self.path.clone() });
        }
        let misplaced = |what| StoreError::Misplaced { sequence: segment.sequence, what };
        let entry = segment.entry().ok_or_else(|| misplaced("it is larger than 4 GiB"))?;
        check_entry(&entry).map_err(misplaced)?;
        if segment.start != self.next_start {
            return Err(misplaced("it does not start where the last one ends"));
        }
        if segment.sequence != self.next_sequence() {
            return Err(misplaced("its number is not the next one"));
        }
        Ok(entry)
    }

    /// Media first, hashed piece by piece while it is in the cache; then the header in front of it.
    fn write_segment(&self, segment: &NewSegment<'_>, entry: SegmentEntry) -> io::Result<u64> {
        let mut hash = Xxh3::new();
        let mut at = self.end + SEGMENT_HEADER_BYTES as u64;
        let mut parts: Vec<IoSlice<'_>> = Vec::with_capacity(64);
        let mut gathered = 0usize;
        for part in segment.video.iter().chain(segment.audio) {
            let mut rest = *part;
            while !rest.is_empty() {
                let (piece, more) = rest.split_at(rest.len().min(WRITE_BYTES - gathered));
                hash.update(piece);
                parts.push(IoSlice::new(piece));
                gathered += piece.len();
                rest = more;
                if gathered == WRITE_BYTES || parts.len() == PARTS_MAX {
                    write_parts_at(&self.file, &mut parts, at)?;
                    at += gathered as u64;
                    gathered = 0;
                }
            }
        }
        write_parts_at(&self.file, &mut parts, at)?;
        let media_xxh3 = hash.digest();
        let header = SegmentHeader { start: segment.start, sequence: segment.sequence, entry, media_xxh3 };
        self.file.write_all_at(&header.encode(), self.end)?;
        Ok(media_xxh3)
    }

    /// Makes all appended segments durable.
    ///
    /// # Errors
    /// [`StoreError::Io`]: what was appended since the last sync may or may not be on disk and must not be
    /// reported. The writer takes no more segments, because the kernel reports such a loss only once.
    pub fn sync(&mut self) -> StoreResult<()> {
        self.file.sync_data().map_err(|e| {
            self.broken = true;
            StoreError::io("sync", &self.path, e)
        })
    }

    /// Takes small pictures, in time order, to be sealed in with the footage; those of a time that the block does not hold are left out.
    pub fn set_pictures(&mut self, mut thumbnails: Vec<Thumbnail>) {
        thumbnails.retain(|t| (self.start..self.next_start).contains(&t.at));
        self.pictures = Pictures::of(&thumbnails).map_or_else(Vec::new, |pictures| pictures.encode());
    }

    /// Writes the trailer and makes the whole file durable. Can be tried again after [`StoreError::Full`].
    /// `end`: why the run ended here; `None` when it goes on in another block.
    ///
    /// # Errors
    /// As [`BlockWriter::append`]; all segments are kept, the block stays recoverable.
    pub fn seal(&mut self, end: Option<RunEnd>) -> StoreResult<Sealed> {
        let checksum = self.checksum.value();
        let pictures_bytes = u32::try_from(self.pictures.len()).expect("a box is bounded");
        let trailer = Trailer { table: self.table.clone(), end, checksum, pictures_bytes }.encode();
        let trailer = [&self.pictures[..], &trailer].concat();
        if let Err(e) = self.file.write_all_at(&trailer, self.end) {
            return Err(self.cut_back("write the trailer of", e));
        }
        self.file.sync_data().map_err(at("sync", &self.path))?;
        self.broken = true;
        Ok(Sealed { size_bytes: self.end + trailer.len() as u64, checksum })
    }

    /// Forgets a block in which no segment is complete: removes the file.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the file cannot be removed.
    pub fn discard(self, root: &MediaRoot, id: BlockId) -> StoreResult<()> {
        debug_assert!(self.table.is_empty(), "only a block without footage is discarded");
        fs::remove_file(&self.path).map_err(at("remove", &self.path))?;
        super::journal::forget_open(root, id)
    }

    fn cut_back(&mut self, step: &'static str, source: io::Error) -> StoreError {
        // Without this a later segment would stand behind a torn one and be lost to recovery.
        self.broken = self.file.set_len(self.end).is_err();
        StoreError::io(step, &self.path, source)
    }
}

/// The row of a block that has just been created.
impl BlockWriter {
    pub fn block_info(&self, account: &AccountId, id: BlockId, run: &RunInfo) -> BlockInfo {
        BlockInfo {
            id,
            account: account.clone(),
            stream: run.stream.clone(),
            run: run.id,
            start: self.start,
            state: crate::media::BlockState::Open,
            first_offset: self.first_offset,
            first_sequence: self.first_sequence,
            size_bytes: self.end,
            checksum: None,
            table: self.table.clone(),
        }
    }
}

/// # Errors
/// [`StoreError::Busy`] when another process (or writer) holds it.
pub(super) fn lock(file: &File, path: &Path) -> StoreResult<()> {
    rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive).map_err(|e| match io::Error::from(e) {
        e if e.kind() == ErrorKind::WouldBlock => StoreError::Busy { path: path.to_path_buf() },
        e => StoreError::io("lock", path, e),
    })
}

/// Writes all of `parts` and empties it. The kernel may take less than all at a time.
fn write_parts_at(file: &File, parts: &mut Vec<IoSlice<'_>>, mut at: u64) -> io::Result<()> {
    let mut rest = &mut parts[..];
    while !rest.is_empty() {
        match rustix::io::pwritev(file, rest, at) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(n) => {
                at += n as u64;
                IoSlice::advance_slices(&mut rest, n);
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
    parts.clear();
    Ok(())
}
