//! Packets become segments: where to cut, what a fragment holds, when a run ends and another begins.
//!
//! [`Segmenter`] is packets in, [`Event`]s out. It does no I/O and asks no clock: the caller says when each
//! packet arrived. One per stream; it holds the segment in flight and little more.
//!
//! What it leaves to others: where packets come from (`ffmpeg`, `ingest`), where segments go (`store`).
//!
//! **How it works.** Timestamps are first made steady (`timeline`, `audio_timeline`). A run begins at a video
//! keyframe, or with audio where there is no video; its first segment decides, when it is written, whether
//! there is audio at all: a declared track that never comes would stall players. A segment ends at the first
//! keyframe at or after the target; without one it ends at the upper bound and its successor says that it is
//! not independent. Audio belongs to the segment that covers its time; a finished segment waits for its audio,
//! but not for long ([`segmenter::AUDIO_WAIT`], [`segmenter::INTERLEAVE_MAX_TICKS`]). A run ends when the decoder would need other parameters,
//! when time jumps, when a track comes or goes for good, and when the caller says so.
//!
//! **Invariants.** Segments of a run are contiguous in wall time, and no run starts before the end of the one
//! before or before `not_before`. Decode times rise; the first one of a run is 0 and equals its presentation
//! time. Every segment has `wall_us > 0`, and bytes in at least one track. Memory is bounded by
//! [`SegmenterConfig::max_bytes`] and [`SegmenterConfig::max_us`] whatever comes.
//!
//! When things fail: damaged packets are left out and counted ([`Oddities`]). [`ffmpeg::Error`] only where a
//! track's parameters cannot be put into an init segment; then nothing of this source can be recorded.
//!
//! [`ffmpeg::Error`]: crate::ffmpeg::Error

mod audio;
mod audio_timeline;
mod fragment;
mod frame_length;
mod nal;
mod obu;
mod params;
mod run;
mod segmenter;
mod timeline;
mod video;
mod wall_clock;

use crate::ffmpeg::InitSegment;
use crate::media::{GapCause, Timestamp};

pub use segmenter::Segmenter;
pub use wall_clock::Arrival;

/// How wall time is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClockMode {
    /// By arrival, smoothed.
    Live,
    /// By media time alone, from this start: files and imports.
    Exact { start: Timestamp },
}

/// How to cut.
#[derive(Clone, Copy, Debug)]
pub struct SegmenterConfig {
    /// Segments end at the first keyframe at or after this. Positive.
    pub target_us: u32,
    /// A source without keyframes is cut here. At least the target.
    pub max_us: u32,
    /// A segment is cut before it grows beyond this. Below 1 GiB.
    pub max_bytes: usize,
    /// Nothing starts before: the end of what is already recorded.
    pub not_before: Timestamp,
    pub clock: ClockMode,
    /// The source names tracks only as their packets come (FLV): the first segment waits a moment for sound that was not
    /// named yet.
    pub tracks_may_come: bool,
}

impl SegmenterConfig {
    /// Four seconds, cut at twenty without a keyframe.
    pub fn live(not_before: Timestamp) -> Self {
        SegmenterConfig {
            target_us: 4_000_000,
            max_us: 20_000_000,
            max_bytes: 256 << 20,
            not_before,
            clock: ClockMode::Live,
            tracks_may_come: false,
        }
    }
    /// The same for a file whose first picture was taken at `start`.
    pub fn exact(start: Timestamp) -> Self {
        SegmenterConfig { clock: ClockMode::Exact { start }, ..Self::live(start) }
    }
}

/// What came out.
#[derive(Debug)]
pub enum Event<'a> {
    /// Comes right before the run's first segment.
    RunStarted(RunStart),
    Segment(FinishedSegment<'a>),
    /// Nothing more of this run will come. Only after its `RunStarted`.
    RunEnded(RunEnd),
}

/// A run begins.
#[derive(Clone, Debug)]
pub struct RunStart {
    pub start: Timestamp,
    pub init: InitSegment,
}

/// A run is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunEnd {
    pub end: Timestamp,
    pub cause: GapCause,
    /// One sentence for people; may be empty.
    pub detail: &'static str,
}

/// A segment, borrowed while the sink looks at it.
#[derive(Clone, Copy, Debug)]
pub struct FinishedSegment<'a> {
    pub start: Timestamp,
    pub wall_us: u32,
    pub media_us: u32,
    /// From the start of the video `moof` to the end of its first sample; 0 without video.
    pub keyframe_bytes: u32,
    pub independent: bool,
    video: [&'a [u8]; 2],
    audio: [&'a [u8]; 2],
}

impl<'a> FinishedSegment<'a> {
    /// `moof` and `mdat` of the video in pieces to be written one after another; empty without video.
    pub fn video(&self) -> &[&'a [u8]] {
        if self.video[0].is_empty() { &[] } else { &self.video }
    }
    /// The same of the audio.
    pub fn audio(&self) -> &[&'a [u8]] {
        if self.audio[0].is_empty() { &[] } else { &self.audio }
    }
}

/// What was not as it should be, for logs and statistics.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Oddities {
    /// Packets left out: damaged, before the first keyframe, or audio of another time.
    pub dropped: u64,
    /// Packets whose timestamps were missing or wrong and have been mended.
    pub mended: u64,
}

/// Where events go.
pub type Sink<'a> = &'a mut dyn FnMut(Event<'_>);

#[cfg(test)]
mod tests;
