//! Finding blocks and segments by time.

use std::sync::Arc;

use super::cache::{Hour, StreamMemory, hour_range, hours_of};
use super::stopwatch::Stopwatch;
use super::{Index, Located};
use crate::db::DbResult;
use crate::media::{BlockInfo, BlockState, StreamId, TimeRange, Timestamp};

/// Blocks fetched at a time. More cost memory for nothing when only one hour is wanted; fewer would make a
/// long playlist many queries.
const FETCH_MAX: u32 = 256;

impl Index {
    /// Blocks with footage inside `range`, in time order, at most `limit`.
    ///
    /// # Errors
    /// [`crate::db::DbError`].
    pub async fn blocks(&self, stream: &StreamId, range: TimeRange, limit: usize) -> DbResult<Vec<Arc<BlockInfo>>> {
        let began = Stopwatch::start();
        let memory = self.memory(stream).await?;
        let mut kind = "cached";
        // Before anything else: a block sealed while we look is then found in one place or the other, or both.
        let open = memory.open_in(range);
        let mut out: Vec<Arc<BlockInfo>> = Vec::new();
        let mut cursor = range.start();
        while cursor < range.end() && out.len() < limit {
            let hour = *hours_of(TimeRange::new(cursor, range.end()).expect("checked just now")).start();
            match self.0.cache.hours.get(&(memory.number, hour)) {
                Some(blocks) => {
                    extend(&mut out, &blocks, range);
                    cursor = hour_range(hour).end();
                }
                None => {
                    kind = "rows";
                    cursor = self.load(&memory, &open, hour, range, &mut out).await?;
                }
            }
        }
        merge_open(&mut out, open);
        out.truncate(limit);
        began.lookup(kind);
        Ok(out)
    }

    /// Segments of which any part lies inside `range`, in time order, at most `limit`.
    ///
    /// # Errors
    /// [`crate::db::DbError`].
    pub async fn segments(&self, stream: &StreamId, range: TimeRange, limit: usize) -> DbResult<Vec<Located>> {
        let mut out = Vec::new();
        let mut rest = Some(range);
        while let Some(range) = rest {
            // Nearly every block holds a segment of the range; where something was erased, it may be the next one's turn.
            let blocks = self.blocks(stream, range, limit).await?;
            blocks.iter().for_each(|block| take(&mut out, block, range, limit));
            let more = blocks.len() == limit && out.len() < limit;
            rest = blocks.last().filter(|_| more).and_then(|last| TimeRange::new(last.end(), range.end()).ok());
        }
        Ok(out)
    }

    /// The segment that starts exactly at `start`.
    ///
    /// # Errors
    /// [`crate::db::DbError`].
    pub async fn segment_at(&self, stream: &StreamId, start: Timestamp) -> DbResult<Option<Located>> {
        Ok(self.segment_covering(stream, start).await?.filter(|l| l.segment.start == start))
    }

    /// The segment in which `t` lies.
    ///
    /// # Errors
    /// [`crate::db::DbError`].
    pub async fn segment_covering(&self, stream: &StreamId, t: Timestamp) -> DbResult<Option<Located>> {
        let Ok(instant) = TimeRange::new(t, t.saturating_add_micros(1)) else { return Ok(None) };
        let blocks = self.blocks(stream, instant, 1).await?;
        Ok(blocks.into_iter().find_map(|block| {
            let segment = block.segments().find(|s| s.range().contains(t))?;
            Some(Located { block, segment })
        }))
    }

    /// The end of the newest footage before `t` (or `t` itself inside footage), and the start of the oldest
    /// after it: what to offer where there is none.
    ///
    /// # Errors
    /// [`crate::db::DbError`].
    pub async fn neighbours(&self, stream: &StreamId, t: Timestamp) -> DbResult<(Option<Timestamp>, Option<Timestamp>)> {
        self.db().neighbours(stream, t).await
    }

    /// Reads blocks from the rows, from the beginning of `hour` on, keeps the hours that are complete, and
    /// says how far the answer reaches.
    async fn load(
        &self,
        memory: &StreamMemory,
        open: &[Arc<BlockInfo>],
        hour: i64,
        range: TimeRange,
        out: &mut Vec<Arc<BlockInfo>>,
    ) -> DbResult<Timestamp> {
        let from = hour_range(hour).start();
        let to = hour_range(*hours_of(range).end()).end();
        let wanted = TimeRange::new(from, to).expect("the range ends in this hour or later");
        let epoch = memory.epoch();
        let rows = self.db().blocks_in(&memory.id, wanted, FETCH_MAX).await?;
        let complete = rows.len() < FETCH_MAX as usize;
        let rows: Vec<Arc<BlockInfo>> = rows.into_iter().map(Arc::new).collect();
        // All hours before the one in which the last block begins are known whole.
        let reach = match rows.last() {
            Some(last) if !complete => hour_range(last.start.as_micros().div_euclid(super::cache::HOUR_US)).start(),
            _ => to,
        };
        if reach <= from {
            return self.load_crowded(memory, hour, range, out).await;
        }
        self.keep(memory, open, epoch, &rows, TimeRange::new(from, reach).expect("checked just now"));
        let known: Vec<_> = rows.into_iter().filter(|b| b.start < reach).collect();
        extend(out, &known, range);
        Ok(reach)
    }

    /// An hour of more blocks than are fetched at once: read to its end, and not kept.
    async fn load_crowded(&self, memory: &StreamMemory, hour: i64, range: TimeRange, out: &mut Vec<Arc<BlockInfo>>) -> DbResult<Timestamp> {
        let end = hour_range(hour).end();
        let mut from = hour_range(hour).start();
        while let Ok(rest) = TimeRange::new(from, end) {
            let rows = self.db().blocks_in(&memory.id, rest, FETCH_MAX).await?;
            let done = rows.len() < FETCH_MAX as usize;
            let rows: Vec<Arc<BlockInfo>> = rows.into_iter().map(Arc::new).collect();
            extend(out, &rows, range);
            match rows.last() {
                Some(last) if !done => from = last.end().max(from.saturating_add_micros(1)),
                _ => break,
            }
        }
        Ok(end)
    }

    /// Keeps each hour inside `whole` that has blocks, unless one of them still changes somewhere else.
    fn keep(&self, memory: &StreamMemory, open: &[Arc<BlockInfo>], epoch: u64, rows: &[Arc<BlockInfo>], whole: TimeRange) {
        let mut last_kept = None;
        for row in rows {
            let Some(range) = row.range().and_then(|r| r.intersection(whole)) else { continue };
            for hour in hours_of(range) {
                if last_kept.is_some_and(|kept| hour <= kept) {
                    continue;
                }
                last_kept = Some(hour);
                let inside = hour_range(hour);
                let blocks: Vec<_> = rows.iter().filter(|b| b.range().is_some_and(|r| r.overlaps(inside))).cloned().collect();
                let ours = |b: &BlockInfo| open.iter().any(|o| o.id == b.id) || memory.is_open(b.id);
                if blocks.iter().any(|b| b.state == BlockState::Open && !ours(b)) {
                    continue;
                }
                let sealed: Hour = blocks.into_iter().filter(|b| b.state == BlockState::Sealed).collect();
                self.0.cache.keep_hour(memory, epoch, hour, sealed);
            }
        }
        // An hour without any: asked for again and again by a viewer who looks at a gap.
        let hours = hours_of(whole);
        if rows.is_empty() && hours.end() - hours.start() < 48 {
            for hour in hours {
                self.0.cache.keep_hour(memory, epoch, hour, Arc::from([]));
            }
        }
    }
}

/// Appends the block's segments of `range`, up to `limit`.
fn take(out: &mut Vec<Located>, block: &Arc<BlockInfo>, range: TimeRange, limit: usize) {
    for segment in block.segments().take_while(|s| s.start < range.end()) {
        if out.len() == limit {
            return;
        }
        if segment.end() > range.start() {
            out.push(Located { block: Arc::clone(block), segment });
        }
    }
}

/// Appends what lies in `range` and is not there yet (a block that spans two hours is in both).
fn extend(out: &mut Vec<Arc<BlockInfo>>, blocks: &[Arc<BlockInfo>], range: TimeRange) {
    for block in blocks {
        let inside = block.range().is_some_and(|r| r.overlaps(range));
        if inside && out.last().is_none_or(|last| last.start < block.start) {
            out.push(Arc::clone(block));
        }
    }
}

/// Puts the blocks being written where they belong. Where a block was read from the rows as well, the one
/// with more segments is newer.
fn merge_open(out: &mut Vec<Arc<BlockInfo>>, open: Vec<Arc<BlockInfo>>) {
    for block in open {
        match out.binary_search_by_key(&block.start, |b| b.start) {
            Ok(at) if out[at].table.len() < block.table.len() => out[at] = block,
            Ok(_) => {}
            Err(at) => out.insert(at, block),
        }
    }
}
