//! What is kept in memory: blocks being written, decoded blocks by the hour, runs, live edges.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use quick_cache::Weighter;
use quick_cache::sync::Cache as Lru;
use tokio::sync::watch;

use super::LiveEdge;
use crate::media::{BlockId, BlockInfo, RunId, RunInfo, SegmentEntry, StreamId, TimeRange, Timestamp};

/// Decoded blocks are kept by the hour: what viewers ask for is near in time, and a lookup of one hour is then
/// at most two entries. A day of 4-second segments is 24 entries of about 25 KB.
pub(super) const HOUR_US: i64 = 3_600_000_000;
/// Bytes of decoded blocks kept: about 2,500 stream-hours.
const HOURS_BYTES_MAX: u64 = 64 << 20;
/// Blocks whose place in time is remembered, at 100 bytes each.
const PLACES_MAX: usize = 8192;
/// Runs kept, at 2 KB each.
const RUNS_MAX: usize = 4096;

/// Sealed blocks that touch one hour of one stream, in time order.
pub(super) type Hour = Arc<[Arc<BlockInfo>]>;

#[derive(Clone)]
pub(super) struct HourWeight;
impl Weighter<(u32, i64), Hour> for HourWeight {
    fn weight(&self, _: &(u32, i64), hour: &Hour) -> u64 {
        hour.iter().map(|b| 200 + (b.table.len() * size_of::<SegmentEntry>()) as u64).sum::<u64>() + 64
    }
}

pub(super) struct Cache {
    pub(super) hours: Lru<(u32, i64), Hour, HourWeight>,
    pub(super) runs: Lru<RunId, Arc<RunInfo>>,
    /// Stream and start of a block asked for by its id: they never change, and lead to its hour, which is kept true. A range
    /// of a block file costs a row otherwise, as much CPU as sending 300 KiB.
    pub(super) places: Lru<BlockId, (StreamId, Timestamp)>,
    streams: RwLock<HashMap<StreamId, Arc<StreamMemory>>>,
    /// Which stream each block opened by this process belongs to.
    owners: RwLock<HashMap<BlockId, Arc<StreamMemory>>>,
    next_number: AtomicU32,
}

/// What is remembered of one stream.
pub(super) struct StreamMemory {
    pub(super) id: StreamId,
    /// Key in the cache of hours: shorter than the name.
    pub(super) number: u32,
    /// Grows when a cached hour of this stream may have become wrong. Held for reading while an hour is put in, so
    /// that one read before a commit is never put in after it.
    pub(super) epoch: RwLock<u64>,
    /// Blocks that this process is writing, as of their last commit.
    open: RwLock<Vec<Arc<BlockInfo>>>,
    pub(super) edge: watch::Sender<LiveEdge>,
}

fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}
fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

impl Cache {
    pub(super) fn new() -> Cache {
        Cache {
            hours: Lru::with_weighter(4096, HOURS_BYTES_MAX, HourWeight),
            runs: Lru::new(RUNS_MAX),
            places: Lru::new(PLACES_MAX),
            streams: RwLock::default(),
            owners: RwLock::default(),
            next_number: AtomicU32::new(0),
        }
    }

    pub(super) fn stream(&self, id: &StreamId) -> Option<Arc<StreamMemory>> {
        read(&self.streams).get(id).cloned()
    }
    pub(super) fn streams(&self) -> Vec<Arc<StreamMemory>> {
        read(&self.streams).values().cloned().collect()
    }
    pub(super) fn remember(&self, id: &StreamId, edge: LiveEdge) -> Arc<StreamMemory> {
        let mut streams = write(&self.streams);
        let fresh = || {
            Arc::new(StreamMemory {
                id: id.clone(),
                number: self.next_number.fetch_add(1, Ordering::Relaxed),
                epoch: RwLock::new(0),
                open: RwLock::default(),
                edge: watch::Sender::new(edge),
            })
        };
        Arc::clone(streams.entry(id.clone()).or_insert_with(fresh))
    }

    pub(super) fn owner(&self, block: BlockId) -> Option<Arc<StreamMemory>> {
        read(&self.owners).get(&block).cloned()
    }
    pub(super) fn open_block(&self, id: BlockId) -> Option<Arc<BlockInfo>> {
        let owner = self.owner(id)?;
        let open = read(&owner.open);
        open.iter().find(|b| b.id == id).cloned()
    }

    /// From now on this process answers for the block's row.
    pub(super) fn open_insert(&self, memory: &Arc<StreamMemory>, block: BlockInfo) {
        write(&self.owners).insert(block.id, Arc::clone(memory));
        let mut open = write(&memory.open);
        open.retain(|b| b.id != block.id);
        open.push(Arc::new(block));
        open.sort_by_key(|b| b.start);
    }
    /// `None`: the block is not one of ours.
    pub(super) fn open_append(&self, memory: &StreamMemory, block: BlockId, entry: SegmentEntry) -> Option<Timestamp> {
        let mut open = write(&memory.open);
        let info = Arc::make_mut(open.iter_mut().find(|b| b.id == block)?);
        info.table.push(entry);
        info.size_bytes += u64::from(entry.stored_bytes());
        Some(info.end())
    }
    pub(super) fn open_remove(&self, block: BlockId) -> Option<Arc<BlockInfo>> {
        let owner = write(&self.owners).remove(&block)?;
        let mut open = write(&owner.open);
        let at = open.iter().position(|b| b.id == block)?;
        Some(open.remove(at))
    }

    /// What was kept of `range` may be wrong.
    pub(super) fn forget(&self, memory: &StreamMemory, range: TimeRange) {
        let mut epoch = write(&memory.epoch);
        *epoch += 1;
        for hour in hours_of(range) {
            self.hours.remove(&(memory.number, hour));
        }
    }

    /// Everything but the blocks being written may be wrong.
    pub(super) fn forget_all(&self) {
        for memory in self.streams() {
            *write(&memory.epoch) += 1;
        }
        self.hours.clear();
    }

    /// Nothing in memory can be relied on: from here on everything is read from the rows, and blocks being written
    /// are taken over again with their next segment.
    pub(super) fn reset(&self) {
        write(&self.owners).clear();
        for memory in self.streams() {
            write(&memory.open).clear();
        }
        self.forget_all();
    }

    /// Keeps an hour as it was in the rows at `epoch`; drops it when a commit came between.
    pub(super) fn keep_hour(&self, memory: &StreamMemory, epoch: u64, hour: i64, blocks: Hour) {
        let now = read(&memory.epoch);
        if *now == epoch {
            self.hours.insert((memory.number, hour), blocks);
        }
    }
}

impl StreamMemory {
    pub(super) fn epoch(&self) -> u64 {
        *read(&self.epoch)
    }
    /// Blocks being written that hold footage of `range`.
    pub(super) fn open_in(&self, range: TimeRange) -> Vec<Arc<BlockInfo>> {
        read(&self.open).iter().filter(|b| b.range().is_some_and(|r| r.overlaps(range))).cloned().collect()
    }
    pub(super) fn is_open(&self, block: BlockId) -> bool {
        read(&self.open).iter().any(|b| b.id == block)
    }
}

/// The hours (since the epoch) that `range` touches.
pub(super) fn hours_of(range: TimeRange) -> std::ops::RangeInclusive<i64> {
    range.start().as_micros().div_euclid(HOUR_US)..=(range.end().as_micros() - 1).div_euclid(HOUR_US)
}

pub(super) fn hour_range(hour: i64) -> TimeRange {
    let start = Timestamp(hour.saturating_mul(HOUR_US));
    TimeRange::new(start, start.saturating_add_micros(HOUR_US)).expect("an hour is not empty")
}
