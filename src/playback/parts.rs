//! What playlists name: init segments, segments, blocks.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::footage::Slice;
use super::{Playback, PlaybackError};
use crate::entitlement::{EntitlementError, Principal};
use crate::index::Located;
use crate::media::{BlockId, BlockInfo, BlockState, RunId, RunInfo, Segment, StreamId, TimeRange, Timestamp};

/// A segment, its bytes mapped.
#[derive(Clone, Debug)]
pub struct SegmentPart {
    pub block: Arc<BlockInfo>,
    pub segment: Segment,
    pub bytes: Bytes,
}

/// Which part of a segment to send.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Track {
    #[default]
    All,
    Video,
    Audio,
}

impl SegmentPart {
    /// Names the bytes; they never change.
    pub fn etag(&self, track: Track) -> String {
        let suffix = match track {
            Track::All => "",
            Track::Video => "v",
            Track::Audio => "a",
        };
        format!("{}-{}{suffix}", self.block.id, self.segment.position)
    }
}

/// A block file as far as it is committed.
#[derive(Clone, Debug)]
pub struct BlockPart {
    pub block: Arc<BlockInfo>,
}

impl BlockPart {
    pub fn len(&self) -> u64 {
        self.block.size_bytes
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    pub fn is_complete(&self) -> bool {
        self.block.state == BlockState::Sealed
    }
    pub fn etag(&self) -> String {
        format!("{}-{}", self.block.id, self.len())
    }
}

impl Playback {
    /// The init segment of a run.
    ///
    /// # Errors
    /// Not permitted, or there is no such run in this stream.
    pub async fn init_segment(&self, who: &Principal, stream: &StreamId, run: RunId) -> Result<Arc<RunInfo>, PlaybackError> {
        who.permit(stream, TimeRange::ALL)?;
        let found = self.index().run(run).await?.filter(|r| r.stream == *stream).ok_or(PlaybackError::UnknownRun(run))?;
        // An init segment shows nothing, but one from after the permitted time still says that there was a change.
        who.permit(stream, TimeRange::new(found.start, Timestamp::MAX)?)?;
        Ok(found)
    }

    /// The segment that starts exactly at `start`.
    ///
    /// # Errors
    /// Not permitted, or none starts then.
    pub async fn segment(&self, who: &Principal, stream: &StreamId, start: Timestamp, track: Track) -> Result<SegmentPart, PlaybackError> {
        who.permit(stream, TimeRange::ALL)?;
        let found = self.index().segment_at(stream, start).await?.ok_or(PlaybackError::UnknownSegment(start))?;
        permit_segment(who, &found)?;
        let Located { block, segment } = found;
        let media = segment.media_offset();
        let (video, whole) = (u64::from(segment.entry.video_bytes), u64::from(segment.entry.media_bytes()));
        let part = match track {
            Track::All => 0..whole,
            Track::Video => 0..video,
            Track::Audio => video..whole,
        };
        let bytes = self.reader().bytes(&block, media + part.start..media + part.end).await?;
        Ok(SegmentPart { block, segment, bytes })
    }

    /// A block of the stream; all of it must be permitted.
    ///
    /// # Errors
    /// Not permitted, or there is no such block in this stream.
    pub async fn block(&self, who: &Principal, stream: &StreamId, id: BlockId) -> Result<BlockPart, PlaybackError> {
        who.permit(stream, TimeRange::ALL)?;
        let block = self.index().block(id).await?.filter(|b| b.stream == *stream && b.account == *who.account());
        let block = block.ok_or(PlaybackError::UnknownBlock(id))?;
        let range = block.range().ok_or(PlaybackError::UnknownBlock(id))?;
        if who.permit(stream, range)?.range() != range {
            return Err(EntitlementError::TimeNotCovered.into());
        }
        Ok(BlockPart { block })
    }

    /// A part of a block file.
    ///
    /// # Errors
    /// The file has gone or cannot be read.
    pub async fn block_bytes(&self, part: &BlockPart, range: Range<u64>) -> Result<Bytes, PlaybackError> {
        self.reader().bytes(&part.block, range).await
    }
}

/// A permitted range covers the segments that overlap it, and those before it that its first picture needs: the same ones
/// that a playlist of the range lists.
fn permit_segment(who: &Principal, found: &Located) -> Result<(), PlaybackError> {
    let (block, range) = (&found.block, found.segment.range());
    if block.account != *who.account() {
        return Err(PlaybackError::UnknownSegment(range.start()));
    }
    let refused = match who.permit(&block.stream, range) {
        Ok(_) => return Ok(()),
        Err(refused) => refused,
    };
    let first = who.window().filter(|w| w.start() > range.start()).and_then(|window| {
        let mut first = Slice::of(block, TimeRange::new(window.start(), window.start().saturating_add_micros(1)).ok()?)?;
        first.go_back_to_keyframe();
        Some(first.start)
    });
    if first.is_some_and(|first| first <= range.start()) { Ok(()) } else { Err(refused.into()) }
}
