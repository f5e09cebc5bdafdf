//! Copying whole segments out of a file that cannot stay as it is into fresh blocks.
//!
//! One row stands for one file whose segments follow one another. When a segment in the middle is lost, the
//! others could stay where they are only if rows could name parts of files; then every reader, the trailer and a
//! rebuild would have to know about parts. Damage is rare and copying is cheap, so what is whole is copied into
//! new blocks, each as good as if it had been recorded so, and the old file is moved out of the way.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::{IndexError, IndexResult};
use crate::media::{AccountId, BlockId, BlockInfo, BlockState, GapCause, RunInfo, TimeRange, Timestamp};
use crate::store::{BlockWriter, Found, LOST_FOLDER, MediaRoot, NewBlock, NewSegment, RunEnd, StoreError};

/// Segments that follow one another in time and number.
fn stretches(segments: &[Found]) -> Vec<&[Found]> {
    segments.chunk_by(|a, b| a.range().end() == b.header.start && a.header.sequence + 1 == b.header.sequence).collect()
}

/// Copies `segments` of the file at `path` into new sealed blocks, one for each unbroken stretch. Nothing is
/// indexed yet: until the rows are committed the new files are noted in the journal.
///
/// `end`: why nothing follows the last of them.
///
/// # Errors
/// [`StoreError`]; new files made so far stay, and the next start deals with them.
pub(super) fn copy_out(
    root: &MediaRoot,
    path: &Path,
    account: &AccountId,
    run: &RunInfo,
    segments: &[Found],
    end: Option<RunEnd>,
) -> IndexResult<Vec<BlockInfo>> {
    let source = File::open(path).map_err(|e| StoreError::io("open", path, e))?;
    let mut blocks = Vec::new();
    let stretches = stretches(segments);
    for (i, stretch) in stretches.iter().enumerate() {
        let end = if i + 1 == stretches.len() { end.clone() } else { Some(RunEnd { cause: GapCause::Damaged, detail: String::new() }) };
        blocks.push(copy_stretch(root, &source, path, account, run, stretch, end)?);
    }
    Ok(blocks)
}

fn copy_stretch(
    root: &MediaRoot,
    source: &File,
    path: &Path,
    account: &AccountId,
    run: &RunInfo,
    stretch: &[Found],
    end: Option<RunEnd>,
) -> IndexResult<BlockInfo> {
    let first = stretch[0].header;
    let id = fresh_id(first.start)?;
    let new = NewBlock { account: account.clone(), id, start: first.start, first_sequence: first.sequence, run };
    let mut writer = BlockWriter::create(root, &new)?;
    for found in stretch {
        let entry = found.header.entry;
        let mut media = vec![0; entry.media_bytes() as usize];
        let at = found.offset + u64::from(crate::media::SegmentEntry::HEADER_BYTES);
        source.read_exact_at(&mut media, at).map_err(|e| StoreError::io("read", path, e))?;
        let (video, audio) = media.split_at(entry.video_bytes as usize);
        writer.append(&NewSegment {
            start: found.header.start,
            wall_us: entry.wall_us,
            media_us: entry.media_us,
            keyframe_bytes: entry.keyframe_bytes,
            independent: entry.independent,
            sequence: found.header.sequence,
            video: &[video],
            audio: &[audio],
        })?;
    }
    let mut info = writer.block_info(account, id, run);
    let sealed = writer.seal(end)?;
    info.state = BlockState::Sealed;
    info.size_bytes = sealed.size_bytes;
    info.checksum = Some(sealed.checksum);
    Ok(info)
}

fn fresh_id(start: Timestamp) -> IndexResult<BlockId> {
    let mut random = [0u8; 16];
    getrandom::fill(&mut random).map_err(|e| IndexError::Interrupted(format!("no randomness: {e}")))?;
    Ok(BlockId::new(start, u128::from_be_bytes(random) >> 48))
}

/// Moves a file that is in the way, but may still hold something, to the lost-and-found folder, where nothing
/// ever deletes it. `None`: there was no file.
pub(super) fn set_aside(root: &MediaRoot, path: &Path) -> IndexResult<Option<PathBuf>> {
    let folder = root.path().join(LOST_FOLDER);
    fs::create_dir_all(&folder).map_err(|e| StoreError::io("create", &folder, e))?;
    let relative = path.strip_prefix(root.path()).unwrap_or(path);
    let flat = relative.to_string_lossy().replace('/', "_");
    let mut to = folder.join(&flat);
    for n in 1u32.. {
        if !to.exists() {
            break;
        }
        to = folder.join(format!("{n}_{flat}"));
    }
    match fs::rename(path, &to) {
        Ok(()) => Ok(Some(to)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(StoreError::io("move to lost-and-found", path, e).into()),
    }
}

/// The parts of `range` that none of `kept` covers; `kept` is in time order.
pub(super) fn holes(range: TimeRange, kept: impl IntoIterator<Item = TimeRange>) -> Vec<TimeRange> {
    let mut out = Vec::new();
    let mut cursor = range.start();
    for k in kept {
        out.extend(TimeRange::new(cursor, k.start().min(range.end())));
        cursor = cursor.max(k.end());
    }
    out.extend(TimeRange::new(cursor, range.end()));
    out
}
