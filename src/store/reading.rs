//! Blocks that are being read: what a sweep leaves alone until their readers are done.
//!
//! An open file outlives its name, but a long download opens one block after the other. Who begins one says here which
//! blocks it will want.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::media::BlockId;

/// How many read each block, in this process. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Readers(Arc<Mutex<HashMap<BlockId, u32>>>);

impl Readers {
    fn lock(&self) -> MutexGuard<'_, HashMap<BlockId, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn hold(&self, blocks: Vec<BlockId>) -> Reading {
        let mut readers = self.lock();
        for block in &blocks {
            *readers.entry(*block).or_insert(0) += 1;
        }
        Reading { readers: self.clone(), blocks }
    }

    pub(super) fn any(&self, block: BlockId) -> bool {
        self.lock().contains_key(&block)
    }
}

/// As long as it lives, these blocks are being read.
#[derive(Debug)]
pub struct Reading {
    readers: Readers,
    blocks: Vec<BlockId>,
}

impl Drop for Reading {
    fn drop(&mut self) {
        let mut readers = self.readers.lock();
        for block in &self.blocks {
            if let Some(count) = readers.get_mut(block) {
                *count -= 1;
                if *count == 0 {
                    readers.remove(block);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_read_until_its_last_reader_is_done() {
        let (a, b) = (BlockId::from_bytes([1; 16]), BlockId::from_bytes([2; 16]));
        let readers = Readers::default();
        let first = readers.hold(vec![a, b]);
        let second = readers.hold(vec![a]);
        drop(first);
        assert!(readers.any(a) && !readers.any(b));
        drop(second);
        assert!(!readers.any(a) && readers.lock().is_empty());
    }
}
