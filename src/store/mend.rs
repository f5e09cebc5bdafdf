//! Making whole block files out of damaged ones.
//!
//! **Invariants.** No file is changed in place: a reader may have it mapped. A mended block is a new file that
//! takes its place by one rename; its segments' bytes, start times and sequence numbers are those of the old
//! one, and each is hashed again on the way. What cannot be used is moved to [`LOST_FOLDER`], never deleted.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::error::{StoreError, StoreResult, at};
use super::format::{BlockChecksum, BlockHeader, RunEnd, SEGMENT_HEADER_BYTES, SegmentHeader};
use super::root::{LOST_FOLDER, MediaRoot, create_dirs, sync_dir};
use super::scan::{Damage, Found, Scan, block_pictures, scan};
use super::writer::{BlockWriter, NewSegment, lock};
use crate::media::{BlockInfo, SegmentTable, block_path};

/// Ends the name of a copy that is not finished. What a kill leaves of it is only a copy.
const UNFINISHED: &str = "mending";
const READ_BYTES: usize = 256 << 10;

/// A sealed block file that is complete and durable but not yet in its place. Dropped, it is removed.
#[derive(Debug)]
pub struct MendedBlock {
    temporary: PathBuf,
    path: PathBuf,
    info: BlockInfo,
    in_place: bool,
}

/// Writes a sealed block of `segments`, which are read from `source`. They must follow one another, the
/// first being the one `header` names.
///
/// # Errors
/// [`StoreError::Damaged`] when a segment's media is not what its checksum says; [`StoreError::Full`],
/// [`StoreError::Io`]. Nothing is left behind.
pub fn copy_block(
    root: &MediaRoot,
    header: &BlockHeader,
    source: &Path,
    segments: &[Found],
    end: Option<RunEnd>,
) -> StoreResult<MendedBlock> {
    root.still_there()?;
    let path = root.file(&block_path(&header.account, &header.run.stream, header.start, header.block));
    let folder = path.parent().expect("a block path has folders");
    create_dirs(root.path(), folder)?;
    let temporary = path.with_extension(UNFINISHED);
    let copied = write_copy(&temporary, header, source, segments, end);
    if copied.is_err() {
        // The first error is the one to tell; a leftover is named by the next check.
        let _ = fs::remove_file(&temporary);
    }
    Ok(MendedBlock { temporary, path, info: copied?, in_place: false })
}

impl MendedBlock {
    /// The row of the block, as it will be.
    pub fn info(&self) -> &BlockInfo {
        &self.info
    }
    /// Gives the file its name, in place of whatever had it.
    ///
    /// # Errors
    /// [`StoreError::Io`]; what was there is still there.
    pub fn put_in_place(mut self) -> StoreResult<BlockInfo> {
        fs::rename(&self.temporary, &self.path).map_err(at("put in place", &self.path))?;
        self.in_place = true;
        sync_dir(self.path.parent().expect("a block path has folders"))?;
        Ok(self.info.clone())
    }
}

impl Drop for MendedBlock {
    fn drop(&mut self) {
        if !self.in_place {
            // Only a copy; what stays of it is named by the next check.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// Takes a mended block away again whose row could not be stored. Only for copies that replaced nothing.
///
/// # Errors
/// [`StoreError::Io`]; the copy is an orphan then.
pub fn remove_copy(root: &MediaRoot, copy: &BlockInfo) -> StoreResult<()> {
    let path = root.file(&copy.path());
    fs::remove_file(&path).map_err(at("remove", &path))
}

/// Removes a block file that never got a whole segment. One that holds anything more is moved aside instead.
/// No error when it is not there.
///
/// # Errors
/// [`StoreError::Io`]; it is still there then.
pub fn remove_empty(root: &MediaRoot, block: &BlockInfo) -> StoreResult<()> {
    let path = root.file(&block.path());
    let scan = match scan(&path, 0) {
        Err(e) if e.is_missing() => return Ok(()),
        other => other?,
    };
    if scan.header.is_err() || !scan.segments.is_empty() || !scan.damage.iter().all(Damage::is_torn_end) {
        return move_to_lost(root, &block.path()).map(drop);
    }
    fs::remove_file(&path).map_err(at("remove", &path))
}

impl Damage {
    /// The torn end of a file or of its trailer, as a kill or a cut leaves it: no whole segment is lost with it.
    pub fn is_torn_end(&self) -> bool {
        self.what.ends_with("cut off") || self.what.contains("trailer")
    }
}

fn write_copy(temporary: &Path, header: &BlockHeader, source: &Path, segments: &[Found], end: Option<RunEnd>) -> StoreResult<BlockInfo> {
    let from = File::open(source).map_err(at("open", source))?;
    let head = header.encode().map_err(|what| StoreError::damaged(temporary, what))?;
    let made = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(temporary);
    let file = made.map_err(at("create", temporary))?;
    lock(&file, temporary)?;
    file.write_all_at(&head, 0).map_err(at("write the header of", temporary))?;
    let kept = file.try_clone().map_err(at("open again", temporary))?;
    let first_offset = head.len() as u64;
    let (table, checksum) = (SegmentTable::default(), BlockChecksum::default());
    let mut writer = BlockWriter::at_end(temporary.to_path_buf(), file, header, first_offset, table, checksum);
    for segment in segments {
        append_copy(&mut writer, &from, source, segment)?;
    }
    // Pictures that cannot be read are no reason to keep footage in a damaged file.
    let pictures = block_pictures(source).ok().flatten().map_or_else(Vec::new, |pictures| pictures.singles());
    writer.set_pictures(pictures);
    let sealed = writer.seal(end)?;
    // `seal` syncs the data; the file is new, so its length must be durable too.
    kept.sync_all().map_err(at("sync", temporary))?;
    Ok(header.block_info(first_offset, writer.table().clone(), Some(sealed)))
}

fn append_copy(writer: &mut BlockWriter, from: &File, source: &Path, segment: &Found) -> StoreResult<()> {
    let SegmentHeader { start, sequence, entry, media_xxh3 } = segment.header;
    let mut media = vec![0; entry.media_bytes() as usize];
    from.read_exact_at(&mut media, segment.offset + SEGMENT_HEADER_BYTES as u64).map_err(at("read", source))?;
    if xxh3_64(&media) != media_xxh3 {
        return Err(StoreError::damaged(source, "media does not match its checksum"));
    }
    let (video, audio) = media.split_at(entry.video_bytes as usize);
    writer.append(&NewSegment {
        start,
        wall_us: entry.wall_us,
        media_us: entry.media_us,
        keyframe_bytes: entry.keyframe_bytes,
        independent: entry.independent,
        sequence,
        video: &[video],
        audio: &[audio],
    })?;
    Ok(())
}

/// The whole segments of a scanned file, and those whose header is damaged but whose media can be proved to be
/// whole: the row knows sizes and times, and its checksum is over the sums of all media.
///
/// # Errors
/// [`StoreError::Io`] when the file cannot be read.
pub fn provable_segments(path: &Path, scan: &Scan, row: &BlockInfo) -> StoreResult<Vec<Found>> {
    let Some(wanted) = row.checksum else { return Ok(scan.segments.clone()) };
    let file = File::open(path).map_err(at("open", path))?;
    let mut checksum = BlockChecksum::default();
    let mut proved = Vec::with_capacity(row.table.len());
    let mut whole = scan.segments.iter().peekable();
    for (segment, sequence) in row.places().zip(row.first_sequence..) {
        while whole.next_if(|w| w.offset < segment.offset).is_some() {}
        if let Some(found) = whole.next_if(|w| w.offset == segment.offset) {
            checksum.add(found.header.media_xxh3);
            proved.push(*found);
            continue;
        }
        if segment.offset + u64::from(segment.entry.stored_bytes()) > scan.len {
            return Ok(scan.segments.clone());
        }
        let mut head = [0; SEGMENT_HEADER_BYTES];
        file.read_exact_at(&mut head, segment.offset).map_err(at("read", path))?;
        if let Ok(header) = SegmentHeader::decode(&head) {
            // The media is damaged; its sum is known all the same.
            checksum.add(header.media_xxh3);
            continue;
        }
        let media_xxh3 = hash_range(&file, path, segment.media_offset(), u64::from(segment.entry.media_bytes()))?;
        let header = SegmentHeader { start: segment.start, sequence, entry: segment.entry, media_xxh3 };
        checksum.add(media_xxh3);
        proved.push(Found { header, offset: segment.offset });
    }
    Ok(if checksum.value() == wanted { proved } else { scan.segments.clone() })
}

pub(super) fn hash_range(file: &File, path: &Path, offset: u64, len: u64) -> StoreResult<u64> {
    let mut hash = Xxh3::new();
    let mut buffer = vec![0; READ_BYTES];
    let (mut offset, end) = (offset, offset + len);
    while offset < end {
        let n = usize::try_from(end - offset).map_or(READ_BYTES, |rest| rest.min(READ_BYTES));
        file.read_exact_at(&mut buffer[..n], offset).map_err(at("read", path))?;
        hash.update(&buffer[..n]);
        offset += n as u64;
    }
    Ok(hash.digest())
}

/// Moves a file or folder, named by its path below the media root, to the same path below [`LOST_FOLDER`].
/// Answers where it is now, below the media root.
///
/// # Errors
/// [`StoreError::Io`]; it is still where it was then.
pub fn move_to_lost(root: &MediaRoot, relative: &str) -> StoreResult<String> {
    let from = root.file(relative);
    let mut aside = format!("{LOST_FOLDER}/{relative}");
    let mut number = 0;
    while fs::symlink_metadata(root.file(&aside)).is_ok() {
        number += 1;
        aside = format!("{LOST_FOLDER}/{relative}.{number}");
    }
    let to = root.file(&aside);
    let folder = to.parent().expect("it lies in the lost folder");
    create_dirs(root.path(), folder)?;
    match fs::rename(&from, &to) {
        Err(e) if e.kind() == ErrorKind::CrossesDevices => {
            let why = std::io::Error::new(e.kind(), "it lies on another disk than the media folder; move it away by hand");
            return Err(StoreError::io("move aside", &from, why));
        }
        other => other.map_err(at("move aside", &from))?,
    }
    sync_dir(folder)?;
    from.parent().map_or(Ok(()), sync_dir)?;
    Ok(aside)
}
