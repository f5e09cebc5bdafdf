//! What playlists name: init segments, segments, blocks.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::footage::Slice;
use super::fragment_head::FragmentHead;
use super::{Playback, PlaybackError};
use crate::entitlement::{EntitlementError, Principal, Verb, Visible};
use crate::index::Located;
use crate::media::fragment::TRUN_AT;
use crate::media::{BlockId, BlockInfo, BlockState, RunId, RunInfo, Segment, StreamId, TimeRange, Timestamp, VIDEO_TIMESCALE};
use crate::store::Reading;

/// A segment as it is sent: the stored one, with decode times counted from the Unix epoch.
///
/// Stored decode times begin at zero with each run. In a playlist over several runs they would fall back at each, and
/// libavformat's HLS (ffmpeg, mpv) throws away what is not later than what came before. From the epoch they only rise, and
/// the same segment has the same bytes in every playlist.
#[derive(Clone, Debug)]
pub struct SegmentPart {
    pub block: Arc<BlockInfo>,
    pub segment: Segment,
    /// To be sent one after another; the long ones are mapped.
    pub pieces: Vec<Bytes>,
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
        format!("{}-{}e{suffix}", self.block.id, self.segment.position)
    }
    pub fn len(&self) -> u64 {
        self.pieces.iter().map(|p| p.len() as u64).sum()
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A block file as far as it is committed.
#[derive(Clone, Debug)]
pub struct BlockPart {
    pub block: Arc<BlockInfo>,
    /// A sweep waits for a download that has begun.
    _reading: Arc<Reading>,
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
    /// Another one once something of it is erased.
    pub fn etag(&self) -> String {
        let (id, len) = (self.block.id, self.len());
        match self.block.table.len() - self.block.table.kept() {
            0 => format!("{id}-{len}"),
            erased => format!("{id}-{len}-{erased}"),
        }
    }
}

impl Playback {
    /// The init segment of a run.
    ///
    /// # Errors
    /// Not permitted, or there is no such run in this stream.
    pub async fn init_segment(&self, who: &Principal, stream: &StreamId, run: RunId) -> Result<Arc<RunInfo>, PlaybackError> {
        let visible = self.visible(who, stream).await?;
        who.permit(Verb::View, TimeRange::ALL, &visible)?;
        let found = self.index().run(run).await?.filter(|r| r.stream == *stream).ok_or(PlaybackError::UnknownRun(run))?;
        // An init segment shows nothing, but one from after the permitted time still says that there was a change.
        who.permit(Verb::View, TimeRange::new(found.start, Timestamp::MAX)?, &visible)?;
        Ok(found)
    }

    /// The segment that starts exactly at `start`.
    ///
    /// # Errors
    /// Not permitted, or none starts then.
    pub async fn segment(&self, who: &Principal, stream: &StreamId, start: Timestamp, track: Track) -> Result<SegmentPart, PlaybackError> {
        let visible = self.visible(who, stream).await?;
        who.permit(Verb::View, TimeRange::ALL, &visible)?;
        let Some(found) = self.index().segment_at(stream, start).await? else { return Err(self.no_segment(&visible, start).await?) };
        if !permit_segment(who, &visible, &found)? {
            return Err(self.nothing_in(&visible, found.segment.range()).await?);
        }
        let Located { block, segment } = found;
        let run = self.index().run(block.run).await?.ok_or(PlaybackError::UnknownRun(block.run))?;
        let media = segment.media_offset();
        let (video, whole) = (u64::from(segment.entry.video_bytes), u64::from(segment.entry.media_bytes()));
        let bytes = self.reader().bytes(&block, media..media + whole).await?;
        let (video, audio) = (bytes.slice(..video as usize), bytes.slice(video as usize..));
        let mut pieces = Vec::with_capacity(4);
        if track != Track::Audio {
            push_from_epoch(&mut pieces, video, run.start, VIDEO_TIMESCALE)?;
        }
        if track != Track::Video {
            push_from_epoch(&mut pieces, audio, run.start, run.audio.as_ref().map_or(VIDEO_TIMESCALE, |a| a.sample_rate))?;
        }
        Ok(SegmentPart { block, segment, pieces })
    }

    /// A block of the stream; all of it must be permitted.
    ///
    /// # Errors
    /// Not permitted, or there is no such block in this stream.
    pub async fn block(&self, who: &Principal, stream: &StreamId, id: BlockId) -> Result<BlockPart, PlaybackError> {
        let visible = self.visible(who, stream).await?;
        who.permit(Verb::Export, TimeRange::ALL, &visible)?;
        let block = self.index().block(id).await?.filter(|b| b.stream == *stream && b.account == visible.account);
        let block = block.ok_or(PlaybackError::UnknownBlock(id))?;
        // Of a block of which nothing is kept only the file is left, and not for long.
        let range = block.range().filter(|_| block.table.kept() > 0).ok_or(PlaybackError::UnknownBlock(id))?;
        // Rows pass over what is hidden, and until it is overwritten its bytes are in the file all the same.
        let erasing = visible.erasing.iter().any(|r| r.overlaps(range));
        let permitted = match who.permit(Verb::Export, range, &visible) {
            Ok(permitted) if !erasing && block.segments().all(|s| permitted.shows(s.range())) => permitted,
            Ok(_) | Err(EntitlementError::OutsideWindow) => return Err(self.nothing_in(&visible, range).await?),
            Err(refused) => return Err(refused.into()),
        };
        if permitted.range() != range && permitted.is_whole() {
            return Err(EntitlementError::TimeNotCovered.into());
        }
        let reading = Arc::new(self.reader().hold(vec![block.id]));
        Ok(BlockPart { block, _reading: reading })
    }

    /// Why no segment starts there: players with a playlist of yesterday ask for what has been deleted since.
    async fn no_segment(&self, visible: &Visible, start: Timestamp) -> Result<PlaybackError, PlaybackError> {
        let instant = TimeRange::new(start, start.saturating_add_micros(1))?;
        match self.nothing_in(visible, instant).await? {
            gone @ PlaybackError::Gone { .. } => Ok(gone),
            _ => Ok(PlaybackError::UnknownSegment(start)),
        }
    }

    /// A part of a block file.
    ///
    /// # Errors
    /// The file has gone, cannot be read, or something of it has been erased since the answer began: it breaks off then, rather than
    /// send half of each.
    pub async fn block_bytes(&self, part: &BlockPart, range: Range<u64>) -> Result<Bytes, PlaybackError> {
        let now = self.reader().block(part.block.id).await?;
        if now.table.kept() < part.block.table.kept() {
            return Err(PlaybackError::UnknownBlock(part.block.id));
        }
        self.reader().bytes(&part.block, range).await
    }
}

/// Appends a fragment whose decode times count from `run_start`, counted from the epoch.
fn push_from_epoch(pieces: &mut Vec<Bytes>, fragment: Bytes, run_start: Timestamp, timescale: u32) -> Result<(), PlaybackError> {
    if fragment.is_empty() {
        return Ok(());
    }
    let mut head = FragmentHead::copy(&fragment)?;
    let from_epoch = i128::from(run_start.as_micros()) * i128::from(timescale) / 1_000_000;
    head.set_decode_time(head.decode_time().saturating_add(u64::try_from(from_epoch).unwrap_or(0)));
    pieces.extend([head.into(), fragment.slice(TRUN_AT..)]);
    Ok(())
}

/// A permitted range covers the segments that overlap it, and those before it that its first picture needs: the same ones
/// that a playlist of the range lists. False where it is not shown any more.
fn permit_segment(who: &Principal, visible: &Arc<Visible>, found: &Located) -> Result<bool, PlaybackError> {
    let (block, range) = (&found.block, found.segment.range());
    if block.account != visible.account {
        return Err(PlaybackError::UnknownSegment(range.start()));
    }
    let refused = match who.permit(Verb::View, range, visible) {
        Ok(permitted) => return Ok(permitted.shows(range)),
        Err(EntitlementError::OutsideWindow) => return Ok(false),
        Err(refused) => refused,
    };
    let first = who.window().filter(|w| w.start() > range.start()).and_then(|window| {
        let mut first = Slice::of(block, TimeRange::new(window.start(), window.start().saturating_add_micros(1)).ok()?).pop()?;
        first.go_back_to_keyframe();
        Some(first.start)
    });
    if first.is_some_and(|first| first <= range.start()) { Ok(visible.shows_anyone(range)) } else { Err(refused.into()) }
}
