//! Block files open for reading, and the cache of them.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use quick_cache::sync::Cache;

use super::error::{StoreError, StoreResult, at};
use super::mapped;
use super::reading::Reading;
use super::root::MediaRoot;
use crate::media::{BlockId, BlockInfo};

/// One block file, its committed part mapped into memory.
#[derive(Debug)]
pub struct BlockFile {
    path: PathBuf,
    file: Arc<File>,
    /// All committed bytes as of the moment of opening.
    bytes: Bytes,
}

impl BlockFile {
    /// Maps the committed part of the block: `block.size_bytes`.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the file is not there, [`StoreError::Shortened`] when it has fewer bytes
    /// than the index says.
    pub fn open(root: &MediaRoot, block: &BlockInfo) -> StoreResult<BlockFile> {
        let path = root.file(&block.path());
        let file = Arc::new(File::open(&path).map_err(at("open", &path))?);
        Self::map(path, file, block.size_bytes)
    }

    fn map(path: PathBuf, file: Arc<File>, len: u64) -> StoreResult<BlockFile> {
        let bytes = mapped::map(&file, &path, len)?;
        Ok(BlockFile { path, file, bytes })
    }

    /// The same file after more has been committed.
    fn grown(&self, len: u64) -> StoreResult<BlockFile> {
        Self::map(self.path.clone(), Arc::clone(&self.file), len)
    }

    /// A part of the file, without copying it. The slice keeps the bytes alive, also past the file's removal.
    ///
    /// # Errors
    /// [`StoreError::Shortened`] when the range goes past what is committed.
    pub fn slice(&self, range: Range<u64>) -> StoreResult<Bytes> {
        if range.start > range.end || range.end > self.len() {
            return Err(StoreError::Shortened { path: self.path.clone(), len: self.len(), wanted: range.end });
        }
        // Both bounds are below the length of something in memory.
        Ok(self.bytes.slice(range.start as usize..range.end as usize))
    }

    pub fn len(&self) -> u64 {
        self.bytes.len() as u64
    }
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Block files in use, kept open. Bounded by number: an entry costs a file descriptor and address space,
/// no memory of its own (the page cache is the kernel's).
#[derive(Debug)]
pub struct BlockCache {
    root: MediaRoot,
    files: Cache<BlockId, Arc<BlockFile>>,
    lent: Mutex<Lent>,
}

/// What was handed out since pages were last let go.
#[derive(Debug, Default)]
struct Lent {
    bytes: u64,
    files: Vec<Arc<BlockFile>>,
}

impl Lent {
    fn let_go(&mut self) {
        std::mem::take(self).files.iter().for_each(|file| mapped::let_go(&file.bytes));
    }
}

/// After so many bytes handed out, the pages they were read through are taken out of the process's memory. Sending by the kernel
/// touches none, but small pieces and HTTP/2 are copied: a clip of a day would come to stand in this process's account with all of
/// its gigabytes. Half costs twice as many calls; double twice as much memory.
const LENT_BYTES_MAX: u64 = 16 << 20;
/// They are kept open until then, beyond those of the cache.
const LENT_FILES_MAX: usize = 64;
/// The kernel maps this much around a page that is touched.
const FAULT_BYTES: u64 = 64 << 10;

impl BlockCache {
    /// As [`MediaRoot::hold`].
    pub fn hold(&self, blocks: Vec<BlockId>) -> Reading {
        self.root.hold(blocks)
    }

    /// Enough for a few hundred viewers at different places while well below the usual limit of 1,024 open files.
    pub const FILES_MAX: usize = 384;

    pub fn new(root: MediaRoot) -> Self {
        Self::with_capacity(root, Self::FILES_MAX)
    }
    pub fn with_capacity(root: MediaRoot, files_max: usize) -> Self {
        BlockCache { root, files: Cache::new(files_max), lent: Mutex::default() }
    }
    pub fn root(&self) -> &MediaRoot {
        &self.root
    }

    /// The block's file with at least `block.size_bytes` mapped.
    ///
    /// # Errors
    /// As [`BlockFile::open`].
    pub fn open(&self, block: &BlockInfo) -> StoreResult<Arc<BlockFile>> {
        let known = self.files.get(&block.id);
        let file = match known {
            Some(file) if file.len() >= block.size_bytes => return Ok(file),
            Some(file) => file.grown(block.size_bytes)?,
            None => BlockFile::open(&self.root, block)?,
        };
        let file = Arc::new(file);
        self.files.insert(block.id, Arc::clone(&file));
        Ok(file)
    }

    /// A part of an open file, to be sent: see [`BlockFile::slice`]. What was sent before is let go now and then.
    ///
    /// # Errors
    /// As [`BlockFile::slice`].
    pub fn lend(&self, file: &Arc<BlockFile>, range: Range<u64>) -> StoreResult<Bytes> {
        let bytes = file.slice(range)?;
        let mut lent = self.lent.lock().unwrap_or_else(PoisonError::into_inner);
        if lent.bytes >= LENT_BYTES_MAX || lent.files.len() >= LENT_FILES_MAX {
            lent.let_go();
        }
        lent.bytes += (bytes.len() as u64).max(FAULT_BYTES);
        if !lent.files.iter().any(|known| Arc::ptr_eq(known, file)) {
            lent.files.push(Arc::clone(file));
        }
        drop(lent);
        Ok(bytes)
    }

    /// [`BlockCache::open`], then [`BlockCache::lend`].
    ///
    /// # Errors
    /// As those.
    pub fn slice(&self, block: &BlockInfo, range: Range<u64>) -> StoreResult<Bytes> {
        let file = self.open(block)?;
        self.lend(&file, range)
    }

    /// Lets go of a block whose file is removed; slices handed out stay valid.
    pub fn forget(&self, id: BlockId) {
        self.files.remove(&id);
        // The disk's room comes back with the last who holds the file.
        self.lent.lock().unwrap_or_else(PoisonError::into_inner).let_go();
    }
}
