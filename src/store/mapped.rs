//! Mapped block files, and the way back from a slice of bytes to its place in a file.
//!
//! A response body is an ordinary [`Bytes`] that lies in a mapping, so every layer above can read it. The
//! plain-text socket, which need not look at the bytes, asks [`locate`] where they come from and has the kernel
//! send them (`sendfile`): half the CPU per byte.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use bytes::Bytes;
use memmap2::{Mmap, MmapOptions};

use super::error::{StoreError, StoreResult, at};

/// Live mappings by address. Read once per large write to a socket and written when a file is opened or let
/// go, so a plain lock costs less (20 ns) than anything cleverer would save.
static MAPPINGS: LazyLock<RwLock<BTreeMap<usize, Place>>> = LazyLock::new(RwLock::default);

struct Place {
    end: usize,
    file: Arc<File>,
}

/// A file's first `len` bytes in memory.
struct Mapping {
    // Dropped after `drop` below has run: the registry must forget the addresses before they can be used again.
    map: Mmap,
}

impl AsRef<[u8]> for Mapping {
    fn as_ref(&self) -> &[u8] {
        &self.map
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        let start = self.map.as_ptr().addr();
        MAPPINGS.write().unwrap_or_else(PoisonError::into_inner).remove(&start);
    }
}

/// Maps the first `len` bytes of `file`. The bytes stay valid as long as any slice of them lives, also when
/// the file is unlinked meanwhile.
///
/// # Errors
/// [`StoreError::Shortened`] when the file has fewer bytes: a mapping past the end would kill the process
/// on the first touch.
pub(super) fn map(file: &Arc<File>, path: &Path, len: u64) -> StoreResult<Bytes> {
    let there = file.metadata().map_err(at("ask for the length of", path))?.len();
    if there < len {
        return Err(StoreError::Shortened { path: path.to_path_buf(), len: there, wanted: len });
    }
    if len == 0 {
        return Ok(Bytes::new());
    }
    let map_len = usize::try_from(len).map_err(|_| StoreError::io("map", path, io::ErrorKind::FileTooLarge.into()))?;
    let map = map_readonly(file, map_len).map_err(at("map", path))?;
    let start = map.as_ptr().addr();
    let place = Place { end: start + map_len, file: Arc::clone(file) };
    MAPPINGS.write().unwrap_or_else(PoisonError::into_inner).insert(start, place);
    Ok(Bytes::from_owner(Mapping { map }))
}

#[allow(unsafe_code)]
fn map_readonly(file: &File, len: usize) -> io::Result<Mmap> {
    // SAFETY: the mapped bytes must not change or vanish while the mapping lives. Only committed ranges of
    // block files are mapped: a finished segment is never written again, but for an erasure (`erase`), which keeps the file's length and
    // overwrites only what no row has led to for longer than a response may take; such bytes are sent, not interpreted. A block file is never truncated below its
    // last whole segment (`BlockWriter::cut_back`, recovery), and files are unlinked, not emptied. Someone else
    // truncating files in the media folder would end the process with SIGBUS; the folder is ours alone.
    unsafe { MmapOptions::new().len(len).map(file) }
}

/// Takes what was read of a mapped file out of this process's memory; it stays in the page cache, and comes back from there when
/// it is read again. `whole`: as [`map`] gave it.
#[allow(unsafe_code)]
pub(super) fn let_go(whole: &Bytes) {
    if whole.is_empty() {
        return;
    }
    // SAFETY: the range is one whole mapping, read-only and of a file: its bytes are the same before and after, also for those who
    // read them at this moment.
    let _ = unsafe { rustix::mm::madvise(whole.as_ptr().cast_mut().cast(), whole.len(), rustix::mm::Advice::LinuxDontNeed) };
}

/// The file and offset at which these bytes lie, when they are a slice of a mapped block. The answer is true
/// as long as the slice is alive: its mapping cannot go before it.
pub fn locate(slice: &[u8]) -> Option<(Arc<File>, u64)> {
    let Range { start, end } = slice.as_ptr_range();
    let (start, end) = (start.addr(), end.addr());
    let mappings = MAPPINGS.read().unwrap_or_else(PoisonError::into_inner);
    let (base, place) = mappings.range(..=start).next_back()?;
    (end <= place.end).then(|| (Arc::clone(&place.file), (start - base) as u64))
}

#[cfg(test)]
pub(super) fn still_mapped(address: *const u8) -> bool {
    let mappings = MAPPINGS.read().unwrap_or_else(PoisonError::into_inner);
    mappings.range(..=address.addr()).next_back().is_some_and(|(_, place)| address.addr() < place.end)
}
