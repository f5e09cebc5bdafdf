//! Erasing segments inside a sealed block file, and whole files beyond recovery.
//!
//! The file keeps its length, and everything else its place: a slice of the file names the same bytes before and after. What is erased
//! becomes a segment header that says so, and a `free` box of zeros, which players skip (ISO/IEC 14496-12 §8.1.2). Where the file
//! system can, the zeros are a hole, and the disk gets its room back.
//!
//! Small pictures of erased segments are painted over: the sheet that holds them is put together again without them, in the same place.
//!
//! **Order.** First the trailer, then segments and pictures, durable before the next: who reads the file in between finds a table that has
//! them as erased already. Every step writes the same bytes when it is repeated; but a sheet that was half written when the power went is
//! given up whole.
//!
//! **What this cannot do.** A file system that copies on write, a snapshot, a backup and the spare cells of a flash disk may keep what
//! was written once. Encrypt the disk, and let backups expire.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{FallocateFlags, fallocate};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::MediaRoot;
use super::error::{StoreError, StoreResult, at};
use super::format::{BlockChecksum, RunEnd, SEGMENT_HEADER_BYTES, SegmentHeader, Trailer};
use super::mend::hash_range;
use super::scan::{pictures_before, pictures_len_at, trailer_of};
use super::thumbnails::Pictures;
use super::writer::lock;
use crate::media::{BlockInfo, Segment};

/// Zeros are written in pieces of this size where a hole cannot be made.
static ZEROS: [u8; 128 << 10] = [0; 128 << 10];
/// size, `free`.
const FREE_BOX: usize = 8;

/// Makes the file what the row's table says: segments that it has as erased are, beyond recovery, and trailer and checksum agree with
/// it. Answers the block's new checksum; durable on return. Can be repeated.
///
/// # Errors
/// [`StoreError::Io`], [`StoreError::Full`]: repeat it then. [`StoreError::Busy`] while somebody else does the same.
/// [`StoreError::Damaged`] when the file is not the row's.
pub fn wipe_segments(root: &MediaRoot, row: &BlockInfo) -> StoreResult<u64> {
    let path = root.file(&row.path());
    let file = OpenOptions::new().read(true).write(true).open(&path).map_err(at("open", &path))?;
    lock(&file, &path)?;
    let erased = headers(row);
    let checksum = checksum(&file, &path, row)?;
    let pictures_bytes = write_trailer(&file, &path, row, checksum)?;
    file.sync_data().map_err(at("sync", &path))?;
    wipe_pictures(&file, &path, row, pictures_bytes)?;
    for header in &erased {
        wipe(&file, header).map_err(at("erase inside", &path))?;
    }
    file.sync_all().map_err(at("sync", &path))?;
    Ok(checksum)
}

/// Overwrites all media of a file that is about to be removed: who has it open keeps nothing. No error when it is not there.
///
/// # Errors
/// [`StoreError::Io`]; repeat it then.
pub fn wipe_block(root: &MediaRoot, row: &BlockInfo) -> StoreResult<()> {
    let path = root.file(&row.path());
    let file = match OpenOptions::new().write(true).open(&path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        other => other.map_err(at("open", &path))?,
    };
    let len = file.metadata().map_err(at("ask for the length of", &path))?.len();
    zero(&file, row.first_offset, len.saturating_sub(row.first_offset)).map_err(at("erase", &path))?;
    file.sync_all().map_err(at("sync", &path))
}

/// Header box and place of each erased segment.
fn headers(row: &BlockInfo) -> Vec<(Segment, SegmentHeader)> {
    let numbered = row.places().zip(row.first_sequence..).filter(|(segment, _)| segment.entry.erased);
    let header = |(segment, sequence): (Segment, u64)| {
        let media_xxh3 = erased_sum(u64::from(segment.entry.media_bytes()));
        (segment, SegmentHeader { start: segment.start, sequence, entry: segment.entry, media_xxh3 })
    };
    numbered.map(header).collect()
}

/// The sum of `len` bytes as an erasure leaves them.
fn erased_sum(len: u64) -> u64 {
    let head = free_box(len);
    let mut hash = Xxh3::new();
    hash.update(&head);
    let mut left = len - head.len() as u64;
    while left > 0 {
        let n = left.min(ZEROS.len() as u64);
        hash.update(&ZEROS[..n as usize]);
        left -= n;
    }
    hash.digest()
}

/// The beginning of a `free` box of `len` bytes; nothing where it has no room, which no media of ours is short enough for.
fn free_box(len: u64) -> Vec<u8> {
    match u32::try_from(len) {
        Ok(size) if len >= FREE_BOX as u64 => [&size.to_be_bytes()[..], b"free"].concat(),
        _ => Vec::new(),
    }
}

fn checksum(file: &File, path: &Path, row: &BlockInfo) -> StoreResult<u64> {
    let mut sum = BlockChecksum::default();
    for segment in row.places() {
        let media = u64::from(segment.entry.media_bytes());
        sum.add(if segment.entry.erased { erased_sum(media) } else { kept_sum(file, path, &segment)? });
    }
    Ok(sum.value())
}

/// What the header of a segment that stays says of its media; where that is damaged, the media itself. Damage elsewhere in the block
/// must not keep what is to be erased.
fn kept_sum(file: &File, path: &Path, segment: &Segment) -> StoreResult<u64> {
    let mut head = [0; SEGMENT_HEADER_BYTES];
    file.read_exact_at(&mut head, segment.offset).map_err(at("read", path))?;
    match SegmentHeader::decode(&head) {
        Ok(header) => Ok(header.media_xxh3),
        Err(_) => hash_range(file, path, segment.media_offset(), u64::from(segment.entry.media_bytes())),
    }
}

/// In place of the old one, byte for byte as long: flags take one byte in a table whatever they say. Answers how long the pictures
/// before it are.
fn write_trailer(file: &File, path: &Path, row: &BlockInfo, checksum: u64) -> StoreResult<u32> {
    let len = file.metadata().map_err(at("ask for the length of", path))?.len();
    // One that cannot be read was being written when the power went: the row has all of it but why the run ended.
    let end: Option<RunEnd> = trailer_of(file, len, path)?.and_then(|read| read.ok()).and_then(|(trailer, _)| trailer.end);
    let pictures_bytes = pictures_len_at(file, path, row.media_end_offset(), len)?;
    let offset = row.media_end_offset() + u64::from(pictures_bytes);
    let place = len.checked_sub(offset).and_then(|size| usize::try_from(size).ok());
    let trailer = Trailer { table: row.table.clone(), end, checksum, pictures_bytes };
    let trailer = place
        .and_then(|size| trailer.encode_to(size))
        .ok_or_else(|| StoreError::damaged(path, "its length is not what its row says, so nothing was erased in it; check it first"))?;
    file.write_all_at(&trailer, offset).map_err(at("write the trailer of", path))?;
    Ok(pictures_bytes)
}

/// Paints over the pictures of erased segments. Where that cannot be done, because they are damaged, none is kept.
fn wipe_pictures(file: &File, path: &Path, row: &BlockInfo, len: u32) -> StoreResult<()> {
    let end = row.media_end_offset() + u64::from(len);
    let Some(read) = pictures_before(file, path, end, len)? else { return Ok(()) };
    let erased = row.erased_ranges();
    let kept = read.and_then(|pictures| pictures.without(|at| erased.iter().any(|range| range.contains(at))));
    let left = kept.ok().or_else(|| Pictures::nothing(len as usize)).ok_or_else(|| StoreError::damaged(path, "pictures have no room"))?;
    file.write_all_at(&left.encode(), row.media_end_offset()).map_err(at("erase pictures inside", path))
}

fn wipe(file: &File, (segment, header): &(Segment, SegmentHeader)) -> io::Result<()> {
    let media = u64::from(segment.entry.media_bytes());
    let free = free_box(media);
    zero(file, segment.media_offset() + free.len() as u64, media - free.len() as u64)?;
    file.write_all_at(&[&header.encode()[..], &free].concat(), segment.offset)
}

/// A hole where the file system makes one, else zeros.
fn zero(file: &File, offset: u64, len: u64) -> io::Result<()> {
    if len == 0 {
        return Ok(());
    }
    match fallocate(file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, offset, len) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => overwrite(file, offset, len),
        Err(e) => Err(e.into()),
    }
}

fn overwrite(file: &File, offset: u64, len: u64) -> io::Result<()> {
    let (mut offset, end) = (offset, offset + len);
    while offset < end {
        let n = (end - offset).min(ZEROS.len() as u64);
        file.write_all_at(&ZEROS[..n as usize], offset)?;
        offset += n;
    }
    Ok(())
}

/// Whether the place of every erased segment of the row is as an erasure leaves it.
///
/// # Errors
/// [`StoreError::Io`].
pub fn is_wiped(root: &MediaRoot, row: &BlockInfo) -> StoreResult<bool> {
    let path = root.file(&row.path());
    let file = File::open(&path).map_err(at("open", &path))?;
    for (segment, header) in headers(row) {
        let mut head = [0; SEGMENT_HEADER_BYTES];
        file.read_exact_at(&mut head, segment.offset).map_err(at("read", &path))?;
        let media = u64::from(segment.entry.media_bytes());
        let same = xxh3_64(&head) == xxh3_64(&header.encode());
        if !same || hash_range(&file, &path, segment.media_offset(), media)? != header.media_xxh3 {
            return Ok(false);
        }
    }
    Ok(!shows_erased(&file, &path, row)?)
}

/// Whether a small picture of something erased is there to be seen. Damaged ones are not.
fn shows_erased(file: &File, path: &Path, row: &BlockInfo) -> StoreResult<bool> {
    let (offset, erased) = (row.media_end_offset(), row.erased_ranges());
    let len = file.metadata().map_err(at("ask for the length of", path))?.len();
    let pictures_bytes = pictures_len_at(file, path, offset, len)?;
    let Some(Ok(pictures)) = pictures_before(file, path, offset + u64::from(pictures_bytes), pictures_bytes)? else { return Ok(false) };
    Ok(pictures.head.pictures.iter().any(|p| !p.erased && erased.iter().any(|range| range.contains(p.at))))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::media::{BlockState, GapCause};
    use crate::store::testing::{T0, append, root, run_info, stream, writer};
    use crate::store::{read_sealed, scan};

    /// A sealed block of five segments, and its row with those at `positions` erased.
    fn block(root: &MediaRoot, positions: &[u32]) -> BlockInfo {
        let (mut w, mut info) = writer(root, &run_info(&stream("cam"), T0, 0), T0, 7);
        (0..5).for_each(|_| info.table.push(append(&mut w, 4)));
        let sealed = w.seal(Some(RunEnd { cause: GapCause::Paused, detail: "lunch".into() })).unwrap();
        (info.size_bytes, info.checksum, info.state) = (sealed.size_bytes, Some(sealed.checksum), BlockState::Sealed);
        info.table.erase(positions);
        info
    }

    #[test]
    fn an_erased_segment_is_zeros_in_a_box_that_players_skip_and_the_rest_is_as_it_was() {
        let (_dir, root) = root();
        let row = block(&root, &[1, 2]);
        let path = root.file(&row.path());
        let before = fs::read(&path).unwrap();
        let checksum = wipe_segments(&root, &row).unwrap();
        let after = fs::read(&path).unwrap();
        assert_eq!(before.len(), after.len());
        for segment in row.places() {
            let media = segment.media_offset() as usize..(segment.media_offset() + u64::from(segment.entry.media_bytes())) as usize;
            if segment.entry.erased {
                assert_eq!(after[media.start..media.start + 8], free_box(media.len() as u64)[..]);
                assert!(after[media.start + 8..media.end].iter().all(|b| *b == 0));
            } else {
                assert_eq!(before[segment.offset as usize..media.end], after[segment.offset as usize..media.end]);
            }
        }
        let found = scan(&path, 0).unwrap();
        assert!(found.damage.is_empty(), "{:?}", found.damage);
        assert_eq!((found.table(), found.checksum()), (row.table.clone(), checksum));
        let sealed = read_sealed(&path).unwrap().unwrap();
        assert_eq!(sealed.block_info(), BlockInfo { checksum: Some(checksum), ..row.clone() });
        assert_eq!(sealed.trailer.end.unwrap().detail, "lunch");
        assert!(is_wiped(&root, &row).unwrap());
        assert_eq!(wipe_segments(&root, &row).unwrap(), checksum, "again is the same");
        assert_eq!(fs::read(&path).unwrap(), after);
    }

    #[test]
    fn where_it_was_cut_short_it_can_be_repeated_and_the_table_says_so_from_the_first_step_on() {
        let (_dir, root) = root();
        let row = block(&root, &[0, 3]);
        let path = root.file(&row.path());
        let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let wanted = checksum(&file, &path, &row).unwrap();
        write_trailer(&file, &path, &row, wanted).unwrap();
        let between = read_sealed(&path).unwrap().unwrap();
        assert_eq!(between.trailer.table, row.table, "who reads it now does not find them");
        assert!(!is_wiped(&root, &row).unwrap());
        wipe(&file, &headers(&row)[0]).unwrap();
        drop(file);
        assert_eq!(wipe_segments(&root, &row).unwrap(), wanted);
        assert!(scan(&path, 0).unwrap().damage.is_empty());
        // The trailer was half written.
        let mut bytes = fs::read(&path).unwrap();
        let end = bytes.len();
        bytes[end - 60..].fill(0xff);
        fs::write(&path, bytes).unwrap();
        assert_eq!(wipe_segments(&root, &row).unwrap(), wanted);
        assert!(scan(&path, 0).unwrap().damage.is_empty());
    }

    #[test]
    fn zeros_are_written_where_no_hole_can_be_made() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        fs::write(&path, vec![7u8; 300_000]).unwrap();
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        overwrite(&file, 10, 299_980).unwrap();
        let bytes = fs::read(&path).unwrap();
        assert!(bytes[..10] == [7; 10] && bytes[299_990..] == [7; 10] && bytes[10..299_990].iter().all(|b| *b == 0));
    }

    #[test]
    fn a_file_that_is_not_the_rows_is_left_alone() {
        let (_dir, root) = root();
        let mut row = block(&root, &[1]);
        let before = fs::read(root.file(&row.path())).unwrap();
        row.table.push(row.table.entries()[0]);
        assert!(wipe_segments(&root, &row).is_err());
        assert_eq!(fs::read(root.file(&row.path())).unwrap(), before);
    }

    #[test]
    fn who_has_a_wiped_file_open_keeps_nothing() {
        let (_dir, root) = root();
        let row = block(&root, &[0, 1, 2, 3, 4]);
        let open = File::open(root.file(&row.path())).unwrap();
        wipe_block(&root, &row).unwrap();
        fs::remove_file(root.file(&row.path())).unwrap();
        let mut rest = vec![1; 600];
        open.read_exact_at(&mut rest, row.first_offset).unwrap();
        assert!(rest.iter().all(|b| *b == 0));
        wipe_block(&root, &row).unwrap();
    }
}
