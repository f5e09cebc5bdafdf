//! The words of the recorder as pure values. No I/O, no clock, no SQL.
//!
//! | word | type | means |
//! |---|---|---|
//! | timestamp | [`Timestamp`] | wall time: microseconds since the Unix epoch, UTC |
//! | range | [`TimeRange`] | half-open `[start, end)` of wall time, never empty |
//! | ticks | `i64` in names ending `_ticks` | media time in a track's own timescale |
//! | stream, account | [`StreamId`], [`AccountId`] | what is recorded, and whose it is |
//! | run | [`RunInfo`] | everything from one unbroken connection with unchanged codec parameters |
//! | segment | [`SegmentEntry`], [`SegmentTable`] | what players fetch; starts at a keyframe |
//! | block | [`BlockInfo`] | one file of consecutive segments of one run |
//! | gap | [`Gap`], [`GapCause`] | time in which nothing playable is stored, and why |
//! | thumbnail | [`ThumbnailPace`] | a small picture for scrubbing, one for every ten seconds |
//! | window | [`Window`], [`PlanHistory`] | how long a segment stays after its end, and the plans that said so |
//! | coverage | [`Coverage`] | runs and gaps over a range |
//!
//! Wall time and media time are never silently derived from one another: a segment stores both its wall
//! duration and its media duration.
//!
//! **Invariants.** Ranges are half-open and never empty. Segments of one block are contiguous in wall time:
//! each starts where the one before ends. What lies between runs is a gap.

mod block;
mod coverage;
pub mod fragment;
mod gap;
mod id;
mod run;
mod segment;
mod thumbnail;
mod time;
mod window;

pub use block::{BlockInfo, BlockState, block_path};
pub use coverage::{Coverage, CoverageRun};
pub use gap::{Gap, GapCause};
pub use id::{AccountId, BlockId, IdError, RunId, StreamId};
pub use run::{AUDIO_TRACK_ID, AudioTrack, RunInfo, VIDEO_TIMESCALE, VIDEO_TRACK_ID, VideoTrack};
pub use segment::{Segment, SegmentEntry, SegmentTable, SegmentTableError};
pub use thumbnail::{THUMBNAIL_STEP_US, THUMBNAIL_WIDTH, ThumbnailPace, thumbnail_size};
pub use time::{EmptyRange, TimeRange, Timestamp, TimestampError};
pub use window::{PlanHistory, PlanSpan, Window};
