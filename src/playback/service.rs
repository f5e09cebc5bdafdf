//! What everything in this room works with.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::clip::{Clip, ClipPlanner};
use super::footage::{Footage, Slice};
use super::frame::PictureCache;
use super::{PlaybackError, Reader};
use crate::clock::SharedClock;
use crate::entitlement::{PermittedRange, Principal};
use crate::ffmpeg::DecoderPool;
use crate::index::{CoverageAnswer, Index, LiveEdge};
use crate::media::{BlockInfo, RunId, RunInfo, StreamId, TimeRange, Timestamp};
use crate::store::BlockCache;

/// Blocks looked up at a time: a day of 10-minute blocks in one go, and a clip of months in bounded memory.
const BLOCKS_BATCH: usize = 256;

/// Everything that can be played. Cheap to clone.
#[derive(Clone)]
pub struct Playback {
    inner: Arc<Inner>,
    /// Without it there are no pictures, and all else works.
    decoders: Option<DecoderPool>,
}

struct Inner {
    index: Index,
    reader: Reader,
    clock: SharedClock,
    /// The longest target duration shown of each live stream, in seconds.
    target_floors: Mutex<HashMap<StreamId, u32>>,
    pictures: PictureCache,
}

impl std::fmt::Debug for Playback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Playback").finish_non_exhaustive()
    }
}

impl Playback {
    pub fn new(index: Index, files: Arc<BlockCache>, clock: SharedClock) -> Self {
        let reader = Reader::new(index.clone(), files);
        let inner = Inner { index, reader, clock, target_floors: Mutex::default(), pictures: PictureCache::new() };
        Playback { inner: Arc::new(inner), decoders: None }
    }

    /// The same, with pictures.
    pub fn with_decoders(self, decoders: DecoderPool) -> Self {
        Playback { decoders: Some(decoders), ..self }
    }

    pub fn reader(&self) -> &Reader {
        &self.inner.reader
    }
    pub(super) fn index(&self) -> &Index {
        &self.inner.index
    }
    pub(super) fn clock(&self) -> &SharedClock {
        &self.inner.clock
    }
    pub(super) fn decoders(&self) -> Option<&DecoderPool> {
        self.decoders.as_ref()
    }
    pub(super) fn pictures(&self) -> &PictureCache {
        &self.inner.pictures
    }
    pub(super) fn target_floors(&self) -> MutexGuard<'_, HashMap<StreamId, u32>> {
        self.inner.target_floors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The run of footage that ends at `last_end`, which the caller has from the rows: what the stream looks like now. Asked of
    /// the rows as well, so that the two agree when another process has just imported something.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn run_ending(&self, stream: &StreamId, last_end: Timestamp) -> Result<Option<Arc<RunInfo>>, PlaybackError> {
        let Ok(last) = TimeRange::new(last_end.saturating_add_micros(-1), last_end) else { return Ok(None) };
        match self.index().db().run_extents(stream, last, 1).await?.first() {
            Some(extent) => Ok(self.index().run(extent.run).await?),
            None => Ok(None),
        }
    }

    /// Just before the end of the newest footage.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn newest_moment(&self, stream: &StreamId) -> Result<Option<Timestamp>, PlaybackError> {
        let end = self.live_edge(stream).await?.borrow().end;
        Ok(end.map(|end| end.saturating_add_micros(-1)))
    }

    /// What is recorded of a range, bounded in size.
    ///
    /// # Errors
    /// Nothing may be seen of the range.
    pub async fn coverage(
        &self,
        who: &Principal,
        stream: &StreamId,
        asked: TimeRange,
        resolution_us: Option<i64>,
    ) -> Result<CoverageAnswer, PlaybackError> {
        let permitted = who.permit(stream, asked)?;
        Ok(self.index().coverage(stream, permitted.range(), resolution_us.unwrap_or(0), self.clock().now()).await?)
    }

    pub(super) async fn live_edge(&self, stream: &StreamId) -> Result<tokio::sync::watch::Receiver<LiveEdge>, PlaybackError> {
        Ok(self.index().live_edge(stream).await?)
    }

    /// Where to look instead.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn nothing_at(&self, stream: &StreamId, t: Timestamp) -> Result<PlaybackError, PlaybackError> {
        let (previous_end, next_start) = self.index().neighbours(stream, t).await?;
        Ok(PlaybackError::NoFootage { previous_end, next_start })
    }

    /// The footage of a range, whole segments, the first going back to a keyframe.
    pub(super) async fn footage(&self, permitted: &PermittedRange, segments_max: usize) -> Result<Footage, PlaybackError> {
        let mut slices = Vec::new();
        let mut segments = 0;
        let mut batches = Batches::of(permitted);
        while let Some(blocks) = batches.next(self.index()).await? {
            for slice in batches.slices(&blocks) {
                segments += slice.len();
                slices.push(slice);
            }
            if segments > segments_max {
                return Err(PlaybackError::RangeTooLong { segments_max });
            }
        }
        let mut runs: HashMap<RunId, Arc<RunInfo>> = HashMap::new();
        for slice in &slices {
            let id = slice.block.run;
            if let std::collections::hash_map::Entry::Vacant(place) = runs.entry(id) {
                place.insert(self.index().run(id).await?.ok_or(PlaybackError::UnknownRun(id))?);
            }
        }
        match Footage::assemble(slices, |block| runs.get(&block.run).cloned()) {
            Some(footage) => Ok(footage),
            None => Err(self.nothing_at(permitted.stream(), permitted.range().start()).await?),
        }
    }

    /// One file over all footage of `asked`, worked out from the index alone.
    ///
    /// # Errors
    /// Nothing may be seen of the range, or there is nothing in it.
    pub async fn clip(&self, who: &Principal, stream: &StreamId, asked: TimeRange) -> Result<Clip, PlaybackError> {
        let permitted = who.permit(stream, asked)?;
        let mut planner = ClipPlanner::default();
        let mut batches = Batches::of(&permitted);
        while let Some(blocks) = batches.next(self.index()).await? {
            for slice in batches.slices(&blocks) {
                let id = slice.block.run;
                let run = self.index().run(id).await?.ok_or(PlaybackError::UnknownRun(id))?;
                planner.push(&slice, &run);
            }
        }
        match planner.finish()? {
            Some(clip) => Ok(clip),
            None => Err(self.nothing_at(stream, permitted.range().start()).await?),
        }
    }
}

/// The blocks of a permitted range, a bounded number at a time.
struct Batches<'a> {
    permitted: &'a PermittedRange,
    rest: Option<TimeRange>,
    is_first: bool,
}

impl<'a> Batches<'a> {
    fn of(permitted: &'a PermittedRange) -> Self {
        Batches { permitted, rest: Some(permitted.range()), is_first: true }
    }

    async fn next(&mut self, index: &Index) -> Result<Option<Vec<Arc<BlockInfo>>>, PlaybackError> {
        let Some(rest) = self.rest else { return Ok(None) };
        let blocks = index.blocks(self.permitted.stream(), rest, BLOCKS_BATCH).await?;
        let last_end = blocks.last().filter(|_| blocks.len() == BLOCKS_BATCH).map(|b| b.end());
        self.rest = last_end.and_then(|end| TimeRange::new(end, rest.end()).ok());
        Ok((!blocks.is_empty()).then_some(blocks))
    }

    fn slices(&mut self, blocks: &[Arc<BlockInfo>]) -> Vec<Slice> {
        let ours = blocks.iter().filter(|b| b.account == *self.permitted.account());
        let mut slices: Vec<Slice> = ours.flat_map(|b| Slice::of(b, self.permitted.range())).collect();
        if let Some(first) = slices.first_mut().filter(|_| self.is_first) {
            first.go_back_to_keyframe();
            self.is_first = false;
        }
        slices
    }
}
