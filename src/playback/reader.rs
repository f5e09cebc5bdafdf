//! Blocks and their bytes.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use rustix::io::{Errno, ReadWriteFlags};

use super::PlaybackError;
use crate::index::Index;
use crate::media::{BlockId, BlockInfo};
use crate::store::{BlockCache, MediaRoot, Reading};

/// Reads from disk go in steps of this size; 64 to 256 KiB calls are the cheapest.
const READ_AHEAD_BYTES: usize = 256 * 1024;

/// Finds blocks and reads them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Reader {
    index: Index,
    files: Arc<BlockCache>,
}

impl Reader {
    pub fn new(index: Index, files: Arc<BlockCache>) -> Self {
        Reader { index, files }
    }

    /// The folder that they are in.
    pub fn root(&self) -> &MediaRoot {
        self.files.root()
    }

    /// Says that these blocks are being read: no sweep takes them away until what is returned is dropped.
    pub fn hold(&self, blocks: Vec<BlockId>) -> Reading {
        self.files.hold(blocks)
    }

    pub async fn block(&self, id: BlockId) -> Result<Arc<BlockInfo>, PlaybackError> {
        self.index.block(id).await?.ok_or(PlaybackError::UnknownBlock(id))
    }

    /// Whether the block's file is there and reaches to `end`: damage that can be told before the first byte is sent.
    ///
    /// # Errors
    /// [`PlaybackError::Store`] names the file.
    pub fn reaches(&self, block: &BlockInfo, end: u64) -> Result<(), PlaybackError> {
        let file = self.files.open(block)?;
        self.files.lend(&file, end.saturating_sub(1)..end)?;
        Ok(())
    }

    /// A part of a block file, without copying it.
    ///
    /// What is not in memory is read first, on a thread that may wait: the threads that serve would otherwise stand still
    /// in the page fault (or inside `sendfile`) while all their other viewers wait.
    pub async fn bytes(&self, block: &BlockInfo, range: Range<u64>) -> Result<Bytes, PlaybackError> {
        let file = self.files.open(block)?;
        let bytes = self.files.lend(&file, range.clone())?;
        if !bytes.is_empty() && !is_in_memory(file.file(), &range) {
            let file = file.file().clone();
            // A read error shows again, and is told, when the bytes are sent.
            let _ = tokio::task::spawn_blocking(move || read_through(&file, range)).await;
        }
        Ok(bytes)
    }
}

/// Whether first and last byte are in the page cache: footage is read and written in order, so what lies between
/// nearly always is, too. File systems that cannot tell (tmpfs is memory anyway) count as yes.
fn is_in_memory(file: &File, range: &Range<u64>) -> bool {
    let mut byte = [0u8];
    let mut there = |at: u64| {
        let read = rustix::io::preadv2(file, &mut [IoSliceMut::new(&mut byte)], at, ReadWriteFlags::NOWAIT);
        !matches!(read, Err(Errno::AGAIN))
    };
    there(range.start) && there(range.end - 1)
}

fn read_through(file: &File, range: Range<u64>) -> io::Result<()> {
    let mut scratch = vec![0; READ_AHEAD_BYTES.min((range.end - range.start) as usize)];
    let mut at = range.start;
    while at < range.end {
        let want = scratch.len().min((range.end - at) as usize);
        let got = file.read_at(&mut scratch[..want], at)?;
        if got == 0 {
            break;
        }
        at += got as u64;
    }
    Ok(())
}
