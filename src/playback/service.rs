//! What everything in this room works with.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::clip::{Clip, ClipPlanner};
use super::footage::{Footage, Slice};
use super::frame::PictureCache;
use super::thumbnails::HeadCache;
use super::{PlaybackError, Reader};
use crate::clock::SharedClock;
use crate::entitlement::{EntitlementError, Everything, Limit, PermittedRange, Principal, Scope, Verb, Visible, Windows};
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
    windows: Arc<dyn Windows>,
    /// The longest target duration shown of each live stream, in seconds.
    target_floors: Mutex<HashMap<StreamId, u32>>,
    pictures: PictureCache,
    picture_heads: HeadCache,
}

impl std::fmt::Debug for Playback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Playback").finish_non_exhaustive()
    }
}

impl Playback {
    /// Of everything that is stored.
    pub fn new(index: Index, files: Arc<BlockCache>, clock: SharedClock) -> Self {
        let everything = Arc::new(Everything(Arc::clone(index.db())));
        Playback::within(everything, index, files, clock)
    }

    /// Of what `windows` says is there to be seen.
    pub fn within(windows: Arc<dyn Windows>, index: Index, files: Arc<BlockCache>, clock: SharedClock) -> Self {
        let reader = Reader::new(index.clone(), files);
        let inner = Inner {
            index,
            reader,
            clock,
            windows,
            target_floors: Mutex::default(),
            pictures: PictureCache::new(),
            picture_heads: HeadCache::new(),
        };
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
    pub(super) fn picture_heads(&self) -> &HeadCache {
        &self.inner.picture_heads
    }
    pub(super) fn target_floors(&self) -> MutexGuard<'_, HashMap<StreamId, u32>> {
        self.inner.target_floors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A run: what a stream looks like while it lasts.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn run_of(&self, run: RunId) -> Result<Option<Arc<RunInfo>>, PlaybackError> {
        Ok(self.index().run(run).await?)
    }

    /// Just before the end of the newest footage.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn newest_moment(&self, stream: &StreamId) -> Result<Option<Timestamp>, PlaybackError> {
        let end = self.live_edge(stream).await?.borrow().end;
        Ok(end.map(|end| end.saturating_add_micros(-1)))
    }

    /// What of the stream is there to be seen now, for someone who may watch it.
    ///
    /// # Errors
    /// No right to view it; [`PlaybackError::UnknownStream`] also for another account's.
    pub async fn visible(&self, who: &Principal, stream: &StreamId) -> Result<Arc<Visible>, PlaybackError> {
        // Said first, so that names cannot be guessed.
        who.require_on(Scope::View, stream)?;
        let visible = self.inner.windows.visible(stream, self.clock().now()).await?;
        visible.filter(|v| who.covers_account(&v.account)).ok_or_else(|| PlaybackError::UnknownStream(stream.clone()))
    }

    /// The part of `asked` that `who` may have.
    ///
    /// # Errors
    /// Nothing of it, with the reason: see [`Playback::nothing_in`].
    pub(super) async fn permit(
        &self,
        who: &Principal,
        verb: Verb,
        stream: &StreamId,
        asked: TimeRange,
    ) -> Result<PermittedRange, PlaybackError> {
        let visible = self.visible(who, stream).await?;
        match who.permit(verb, asked, &visible) {
            Ok(permitted) => Ok(permitted),
            Err(EntitlementError::OutsideWindow) => Err(self.nothing_in(&visible, asked).await?),
            Err(refused) => Err(refused.into()),
        }
    }

    /// What is recorded of a range, bounded in size; nothing of what is not shown. With the start of the window.
    ///
    /// # Errors
    /// No right to view it.
    pub async fn coverage(
        &self,
        who: &Principal,
        stream: &StreamId,
        asked: TimeRange,
        resolution_us: Option<i64>,
    ) -> Result<(CoverageAnswer, Arc<Visible>), PlaybackError> {
        let visible = self.visible(who, stream).await?;
        let permitted = match who.permit(Verb::View, asked, &visible) {
            // Somebody scrolled to where nothing is any more: that is an answer, not an error.
            Err(EntitlementError::OutsideWindow) => {
                let resolution_us = resolution_us.unwrap_or(0);
                return Ok((CoverageAnswer { range: asked, resolution_us, runs: Vec::new(), gaps: Vec::new() }, visible));
            }
            permitted => permitted?,
        };
        let now = self.clock().now();
        let mut answer = self.index().coverage(stream, permitted.range(), resolution_us.unwrap_or(0), now).await?;
        if !permitted.is_whole() {
            answer.keep_within(&permitted.parts());
        }
        Ok((answer, visible))
    }

    pub(super) async fn live_edge(&self, stream: &StreamId) -> Result<tokio::sync::watch::Receiver<LiveEdge>, PlaybackError> {
        Ok(self.index().live_edge(stream).await?)
    }

    /// Why nothing of `asked` is shown: it has left the window, was erased, or there was nothing.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn nothing_in(&self, visible: &Visible, asked: TimeRange) -> Result<PlaybackError, PlaybackError> {
        let (stream, index) = (&visible.stream, self.index());
        let erasing = visible.erasing.iter().any(|r| r.overlaps(asked));
        let is_there = !index.blocks(stream, asked, 1).await?.is_empty();
        if is_there && let Some(limit) = visible.why_not(erasing) {
            return Ok(PlaybackError::Gone { limit, window_start: visible.window_start() });
        }
        if let Some(limit) = self.taken_from(stream, asked).await? {
            return Ok(PlaybackError::Gone { limit, window_start: visible.window_start() });
        }
        let (previous_end, next_start) = index.neighbours(stream, asked.start()).await?;
        let previous_end = previous_end.filter(|end| visible.window_start().is_none_or(|from| *end > from));
        Ok(PlaybackError::NoFootage { previous_end, next_start })
    }

    /// What took the footage that was in `asked`; `None`: there was none.
    async fn taken_from(&self, stream: &StreamId, asked: TimeRange) -> Result<Option<Limit>, PlaybackError> {
        let db = self.index().db();
        if db.erased_in(stream, asked).await?.is_some() {
            return Ok(Some(Limit::Erased));
        }
        let swept = db.swept_in(stream, asked).await?;
        Ok(swept.map(|row| serde_json::from_value(row.rule).unwrap_or(Limit::Unknown)))
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
            None => Err(self.nothing_in(permitted.visible(), permitted.range()).await?),
        }
    }

    /// One file over all footage of `asked`, worked out from the index alone.
    ///
    /// # Errors
    /// Nothing may be seen of the range, or there is nothing in it.
    pub async fn clip(&self, who: &Principal, stream: &StreamId, asked: TimeRange) -> Result<Clip, PlaybackError> {
        let permitted = self.permit(who, Verb::Export, stream, asked).await?;
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
            None => Err(self.nothing_in(permitted.visible(), asked).await?),
        }
    }
}

/// The blocks of a permitted range, a bounded number at a time.
pub(super) struct Batches<'a> {
    permitted: &'a PermittedRange,
    rest: Option<TimeRange>,
    is_first: bool,
}

impl<'a> Batches<'a> {
    pub(super) fn of(permitted: &'a PermittedRange) -> Self {
        Batches { permitted, rest: Some(permitted.range()), is_first: true }
    }

    pub(super) async fn next(&mut self, index: &Index) -> Result<Option<Vec<Arc<BlockInfo>>>, PlaybackError> {
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
        if self.permitted.is_whole() { slices } else { slices.iter().flat_map(|s| s.shown(self.permitted)).collect() }
    }
}
