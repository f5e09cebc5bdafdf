//! The small pictures of a block that is still being written: a file beside its note in the journal of open blocks.
//!
//! Whoever records makes it, whoever makes pictures appends to it, playback reads it, and sealing the block takes what is in it. It goes
//! when the block's sealed row is committed. Nothing of it is synced: what a power cut takes is a few pictures.
//!
//! Each picture is `len u32 · at_us i64 · XXH3-64`, then `len` bytes of JPEG. What does not match its sum ends the reading: the
//! end was torn off.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use bytes::Bytes;
use xxhash_rust::xxh3::Xxh3;

use super::Thumbnail;
use super::jpeg::PICTURE_BYTES_MAX;
use crate::media::{BlockId, Timestamp};
use crate::store::error::{StoreError, StoreResult, at};
use crate::store::root::{JOURNAL_FOLDER, MediaRoot, create_dirs};

const HEAD_BYTES: usize = 20;
/// A block of an hour with two pictures of every step.
pub const PICTURES_MAX: usize = 1024;

fn path_of(root: &MediaRoot, block: BlockId) -> PathBuf {
    root.path().join(JOURNAL_FOLDER).join(format!("{block}.pictures"))
}

/// Begins the file of a new block.
///
/// # Errors
/// [`StoreError`]: then the block gets no pictures.
pub fn begin_thumbnails(root: &MediaRoot, block: BlockId) -> StoreResult<()> {
    create_dirs(root.path(), &root.path().join(JOURNAL_FOLDER))?;
    let path = path_of(root, block);
    File::create(&path).map(drop).map_err(at("create", &path))
}

/// Adds a picture. False: the block is sealed and gone from here, or has enough.
///
/// # Errors
/// [`StoreError`]: the picture is lost, those before it stay.
pub fn add_thumbnail(root: &MediaRoot, block: BlockId, picture: &Thumbnail) -> StoreResult<bool> {
    let path = path_of(root, block);
    if picture.jpeg.len() > PICTURE_BYTES_MAX {
        return Ok(false);
    }
    let mut file = match OpenOptions::new().append(true).open(&path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(false),
        other => other.map_err(at("open", &path))?,
    };
    let mut record = Vec::with_capacity(HEAD_BYTES + picture.jpeg.len());
    record.extend_from_slice(&(picture.jpeg.len() as u32).to_be_bytes());
    record.extend_from_slice(&picture.at.as_micros().to_be_bytes());
    record.extend_from_slice(&sum(picture.at, &picture.jpeg).to_be_bytes());
    record.extend_from_slice(&picture.jpeg);
    let before = file.metadata().map_err(at("ask for the length of", &path))?.len();
    if let Err(e) = file.write_all(&record) {
        // Half a record would hide what comes after it.
        let _ = file.set_len(before);
        return Err(StoreError::io("write a small picture to", &path, e));
    }
    Ok(true)
}

/// What was added so far, in time order. Empty when there is no such file, or it cannot be read: pictures are never worth an error.
pub fn open_thumbnails(root: &MediaRoot, block: BlockId) -> Vec<Thumbnail> {
    let Ok(bytes) = std::fs::read(path_of(root, block)) else { return Vec::new() };
    let bytes = Bytes::from(bytes);
    let mut found: Vec<Thumbnail> = Vec::new();
    let mut offset = 0;
    while let Some(picture) = record_at(&bytes, offset).filter(|_| found.len() < PICTURES_MAX) {
        offset += HEAD_BYTES + picture.jpeg.len();
        found.push(picture);
    }
    found.sort_by_key(|picture| picture.at);
    found.dedup_by_key(|picture| picture.at);
    found
}

/// Removes the file; no error when there is none.
///
/// # Errors
/// [`StoreError::Io`].
pub(in crate::store) fn forget_thumbnails(root: &MediaRoot, block: BlockId) -> StoreResult<()> {
    let path = path_of(root, block);
    match std::fs::remove_file(&path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(StoreError::io("remove", &path, e)),
        _ => Ok(()),
    }
}

fn record_at(bytes: &Bytes, offset: usize) -> Option<Thumbnail> {
    let head = bytes.get(offset..offset + HEAD_BYTES)?;
    let len = u32::from_be_bytes(head[..4].try_into().ok()?) as usize;
    let taken = Timestamp::from_micros(i64::from_be_bytes(head[4..12].try_into().ok()?));
    let from = offset + HEAD_BYTES;
    if len > PICTURE_BYTES_MAX || bytes.len() < from + len {
        return None;
    }
    let jpeg = bytes.slice(from..from + len);
    (u64::from_be_bytes(head[12..].try_into().ok()?) == sum(taken, &jpeg)).then_some(Thumbnail { at: taken, jpeg })
}

fn sum(at: Timestamp, jpeg: &[u8]) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(&at.as_micros().to_be_bytes());
    hash.update(jpeg);
    hash.digest()
}
