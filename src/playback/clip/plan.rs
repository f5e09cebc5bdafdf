//! What a clip consists of, worked out from the index alone.

use std::collections::HashMap;

use bytes::Bytes;
use tokio::sync::OnceCell;
use xxhash_rust::xxh3::Xxh3;

use super::super::PlaybackError;
use super::super::footage::Slice;
use super::moov::{MOVIE_TIMESCALE, RunPlaces, clip_head};
use super::sidx::SidxBuilder;
use crate::media::{BlockId, RunId, RunInfo, SegmentEntry, Timestamp};

/// The layout below; part of the ETag, so that a clip cached before a change of layout is not continued after it.
const LAYOUT_VERSION: u8 = 1;

/// A clip before any of its media has been read: the place of every byte is known.
#[derive(Debug)]
pub struct Clip {
    /// `ftyp moov sidx`.
    pub(super) head: Bytes,
    pub(super) stretches: Vec<ClipStretch>,
    pub(super) slices: Vec<ClipSlice>,
    len: u64,
    etag: String,
    start: Timestamp,
    end: Timestamp,
    media_us: i64,
}

/// Segments of one run without a hole between them, on the clip's time line.
#[derive(Debug)]
pub(super) struct ClipStretch {
    pub places: RunPlaces,
    pub starts_at_us: i64,
    /// Its first slice, whose first fragment says where this begins on the run's own time line.
    pub first_slice: usize,
    /// Read from there when first needed.
    pub base: OnceCell<Base>,
}

/// Decode times, by the run's clock, at which a stretch begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Base {
    pub video_ticks: u64,
    pub audio_ticks: u64,
}

/// Consecutive segments of one block. Names the block instead of holding its table, so that the plan of months
/// stays small.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClipSlice {
    pub block: BlockId,
    /// Positions in the block's table, half-open.
    pub from: usize,
    pub to: usize,
    /// Index into [`Clip::stretches`].
    pub stretch: usize,
    /// Offset in the clip of the first segment.
    pub at: u64,
    /// `mfhd.sequence_number` of the first fragment.
    pub first_fragment: u32,
}

impl Clip {
    pub fn len(&self) -> u64 {
        self.len
    }
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
    /// Without quotes. Names the segments, and so the bytes.
    pub fn etag(&self) -> &str {
        &self.etag
    }
    /// Of the first segment.
    pub fn start(&self) -> Timestamp {
        self.start
    }
    /// Of the last segment.
    pub fn end(&self) -> Timestamp {
        self.end
    }
    /// How long it plays.
    pub fn media_us(&self) -> i64 {
        self.media_us
    }
    /// The slice that holds the byte at `at`; the first for a byte of the head.
    pub(super) fn slice_at(&self, at: u64) -> usize {
        self.slices.partition_point(|s| s.at <= at).saturating_sub(1)
    }
}

/// The fragments of a segment: one per track that has bytes in it.
pub(super) fn fragments(entry: &SegmentEntry) -> u32 {
    u32::from(entry.video_bytes > 0) + u32::from(entry.audio_bytes > 0)
}

/// Puts a clip together from slices in time order.
#[derive(Default)]
pub struct ClipPlanner {
    inits: Vec<Bytes>,
    known_inits: HashMap<Bytes, usize>,
    /// Run, init segment, start in the clip, first slice.
    stretches: Vec<(RunId, usize, i64, usize)>,
    slices: Vec<ClipSlice>,
    sidx: SidxBuilder,
    identity: Xxh3,
    media_bytes: u64,
    media_us: i64,
    fragments: u32,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
}

impl ClipPlanner {
    pub fn push(&mut self, slice: &Slice, run: &RunInfo) {
        let goes_on = self.end == Some(slice.start) && self.stretches.last().is_some_and(|(id, ..)| *id == run.id);
        if !goes_on {
            let init = *self.known_inits.entry(run.init.clone()).or_insert_with(|| {
                self.inits.push(run.init.clone());
                self.inits.len() - 1
            });
            self.stretches.push((run.id, init, self.media_us, self.slices.len()));
        }
        self.slices.push(ClipSlice {
            block: slice.block.id,
            from: slice.from,
            to: slice.to,
            stretch: self.stretches.len() - 1,
            at: self.media_bytes,
            first_fragment: self.fragments + 1,
        });
        self.identity.update(&slice.block.id.to_bytes());
        self.identity.update(&(slice.from as u64).to_be_bytes());
        self.identity.update(&(slice.to as u64).to_be_bytes());
        for entry in slice.entries() {
            self.sidx.push(entry);
            self.media_bytes += u64::from(entry.media_bytes());
            self.media_us += i64::from(entry.media_us);
            // Numbers may repeat after 2^32 fragments: 270 years of video and audio.
            self.fragments = self.fragments.wrapping_add(fragments(entry));
        }
        self.start.get_or_insert(slice.start);
        self.end = Some(slice.end());
    }

    /// `None` when nothing was pushed.
    ///
    /// # Errors
    /// [`PlaybackError::Damaged`] when an init segment cannot be understood.
    pub fn finish(self) -> Result<Option<Clip>, PlaybackError> {
        let (Some(start), Some(end)) = (self.start, self.end) else { return Ok(None) };
        let duration_ticks = self.media_us.unsigned_abs() * u64::from(MOVIE_TIMESCALE) / 1_000_000;
        let (moov, places) = clip_head(&self.inits, duration_ticks)?;
        let mut head = Vec::with_capacity(moov.len() + 64 + self.sidx.len() * 12);
        head.extend_from_slice(&moov);
        let timescale = places.iter().flat_map(|p| [p.video, p.audio]).flatten().find(|t| t.track_id == 1).map(|t| t.timescale);
        self.sidx.finish(&mut head, 1, timescale.unwrap_or(MOVIE_TIMESCALE));
        let head_len = head.len() as u64;
        let stretch = |(_, init, starts_at_us, first_slice): (RunId, usize, i64, usize)| ClipStretch {
            places: places[init],
            starts_at_us,
            first_slice,
            base: OnceCell::new(),
        };
        Ok(Some(Clip {
            head: head.into(),
            stretches: self.stretches.into_iter().map(stretch).collect(),
            slices: self.slices.into_iter().map(|s| ClipSlice { at: s.at + head_len, ..s }).collect(),
            len: head_len + self.media_bytes,
            etag: format!("clip{LAYOUT_VERSION}-{:032x}", self.identity.digest128()),
            start,
            end,
            media_us: self.media_us,
        }))
    }
}
