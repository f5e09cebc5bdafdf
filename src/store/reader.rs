//! Block files open for reading, and the cache of them.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use quick_cache::sync::Cache;

use super::error::{StoreError, StoreResult, at};
use super::mapped;
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
}

impl BlockCache {
    /// Enough for a few hundred viewers at different places while well below the usual limit of 1,024 open files.
    pub const FILES_MAX: usize = 384;

    pub fn new(root: MediaRoot) -> Self {
        Self::with_capacity(root, Self::FILES_MAX)
    }
    pub fn with_capacity(root: MediaRoot, files_max: usize) -> Self {
        BlockCache { root, files: Cache::new(files_max) }
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

    /// [`BlockCache::open`], then [`BlockFile::slice`].
    ///
    /// # Errors
    /// As those.
    pub fn slice(&self, block: &BlockInfo, range: Range<u64>) -> StoreResult<Bytes> {
        self.open(block)?.slice(range)
    }

    /// Lets go of a block whose file is removed; slices handed out stay valid.
    pub fn forget(&self, id: BlockId) {
        self.files.remove(&id);
    }
}
