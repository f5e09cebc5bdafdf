//! The picture at a time: what has to be decoded for it, and its keyframe as a file of its own.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::boxes::{be32, damaged};
use super::footage::Slice;
use super::{Playback, PlaybackError};
use crate::entitlement::{Principal, Verb};
use crate::ffmpeg::FrameError;
use crate::media::fragment::{DECODE_TIME_AT, SEQUENCE_AT, TRUN_AT};
use crate::media::{RunInfo, Segment, StreamId, TimeRange, Timestamp};

/// Where a moment lies in what must be decoded to see it.
#[derive(Clone, Debug)]
pub struct FrameAt {
    pub run: Arc<RunInfo>,
    /// Video fragments from the keyframe on, in order; the last one holds the moment.
    pub fragments: Vec<Bytes>,
    /// When the first of them starts.
    pub start: Timestamp,
    pub at: Timestamp,
    /// Media time from the first picture to the moment: the picture shown then is the last that is not later.
    pub offset_us: i64,
    /// Names the segments and the moment within them.
    pub etag: String,
}

/// Pictures made a moment ago, by what they show and how wide: many viewers look at the same newest picture.
#[derive(Debug)]
pub(super) struct PictureCache(Cache<(String, u32), Bytes, ByLength>);

/// A hundred pictures of full HD, or two thousand small ones.
const PICTURES_BYTES_MAX: u64 = 32 << 20;

#[derive(Clone, Debug)]
struct ByLength;
impl Weighter<(String, u32), Bytes> for ByLength {
    fn weight(&self, _: &(String, u32), picture: &Bytes) -> u64 {
        picture.len() as u64 + 100
    }
}

impl PictureCache {
    pub(super) fn new() -> Self {
        PictureCache(Cache::with_weighter(1024, PICTURES_BYTES_MAX, ByLength))
    }
}

/// One keyframe as an MP4 file.
#[derive(Clone, Debug)]
pub struct FrameMp4 {
    pub bytes: Bytes,
    /// When it was taken.
    pub start: Timestamp,
    pub etag: String,
}

impl Playback {
    /// What must be decoded to see the picture at `at`.
    ///
    /// # Errors
    /// Not permitted, no footage at that time, or sound alone.
    pub async fn frame_at(&self, who: &Principal, stream: &StreamId, at: Timestamp) -> Result<FrameAt, PlaybackError> {
        let (slice, run) = self.shown_at(who, stream, at).await?;
        let segments: Vec<Segment> = slice.segments().collect();
        let mut fragments = Vec::with_capacity(segments.len());
        for s in &segments {
            let media = s.media_offset();
            fragments.push(self.reader().bytes(&slice.block, media..media + u64::from(s.entry.video_bytes)).await?);
        }
        let offset_us = media_offset(&segments, at);
        let etag = format!("{}-{}-{offset_us}", slice.block.id, slice.from);
        Ok(FrameAt { run, fragments, start: slice.start, at, offset_us, etag })
    }

    /// The segments from a keyframe on to the one that holds `at`.
    async fn shown_at(&self, who: &Principal, stream: &StreamId, at: Timestamp) -> Result<(Slice, Arc<RunInfo>), PlaybackError> {
        let instant = TimeRange::new(at, at.saturating_add_micros(1))?;
        let permitted = self.permit(who, Verb::Thumbnail, stream, instant).await?;
        let blocks = self.index().blocks(stream, instant, 1).await?;
        let block = blocks.into_iter().find(|b| b.account == *permitted.account());
        let slice = block.and_then(|b| Slice::of(&b, instant).pop()).filter(|s| s.segments().all(|s| permitted.shows(s.range())));
        let Some(mut slice) = slice else { return Err(self.nothing_in(permitted.visible(), instant).await?) };
        slice.go_back_to_keyframe();
        let run = self.index().run(slice.block.run).await?.ok_or(PlaybackError::UnknownRun(slice.block.run))?;
        if run.video.is_none() {
            return Err(PlaybackError::NoPicture);
        }
        Ok((slice, run))
    }

    /// The picture as a JPEG file, `width` wide at most (0: as recorded).
    ///
    /// # Errors
    /// It cannot be decoded, or not now.
    pub async fn picture(&self, frame: &FrameAt, width: u32) -> Result<Bytes, PlaybackError> {
        let key = (frame.etag.clone(), width);
        if let Some(known) = self.pictures().0.get(&key) {
            return Ok(known);
        }
        let decoders = self.decoders().ok_or_else(|| PlaybackError::Decoder("this service has no decoders".into()))?;
        let media = match frame.fragments.as_slice() {
            [one] => one.clone(),
            several => several.concat().into(),
        };
        let jpeg = decoders.frame(frame.run.init.clone(), media, frame.offset_us, width).await.map_err(|error| match error {
            FrameError::Busy => PlaybackError::Busy,
            FrameError::Undecodable(_) | FrameError::TooLarge => PlaybackError::Undecodable(error.into()),
            _ => PlaybackError::Decoder(error.into()),
        })?;
        self.pictures().0.insert(key, jpeg.bytes.clone());
        Ok(jpeg.bytes)
    }

    /// The keyframe at or before `at`; nothing is decoded, and no more of its segment is read.
    ///
    /// # Errors
    /// As [`Playback::frame_at`].
    pub async fn frame_mp4(&self, who: &Principal, stream: &StreamId, at: Timestamp) -> Result<FrameMp4, PlaybackError> {
        let (slice, run) = self.shown_at(who, stream, at).await?;
        let first = slice.segments().next().ok_or(PlaybackError::NoPicture)?;
        let media = first.media_offset();
        // An older table may not say how long it is.
        let len = Some(first.entry.keyframe_bytes).filter(|len| *len > 0).unwrap_or(first.entry.video_bytes);
        let fragment = self.reader().bytes(&slice.block, media..media + u64::from(len)).await?;
        let etag = format!("{}-{}-frame", slice.block.id, slice.from);
        Ok(FrameMp4 { bytes: first_sample_file(&run.init, &fragment)?, start: slice.start, etag })
    }
}

/// From the start of the first segment to `at`, by the camera's clock: inside a segment media time runs evenly over wall time.
fn media_offset(segments: &[Segment], at: Timestamp) -> i64 {
    let mut offset = 0;
    for s in segments {
        let (wall, media) = (i64::from(s.entry.wall_us), i64::from(s.entry.media_us));
        if at < s.end() {
            let inside = i128::from(at.micros_since(s.start).max(0)) * i128::from(media) / i128::from(wall.max(1));
            return offset + i64::try_from(inside).unwrap_or(media);
        }
        offset += media;
    }
    offset
}

// Flags of `trun` (ISO/IEC 14496-12 §8.8.8).
const DATA_OFFSET: u32 = 0x001;
const FIRST_FLAGS: u32 = 0x004;
const DURATIONS: u32 = 0x100;
const SIZES: u32 = 0x200;
/// Depends on no other sample.
const SYNC_SAMPLE: u32 = 0x0200_0000;

/// `init` and a fragment with only the first sample of `fragment`, at time zero.
fn first_sample_file(init: &Bytes, fragment: &[u8]) -> Result<Bytes, PlaybackError> {
    let cut = || damaged("a fragment is cut short");
    let word = |at: usize| be32(fragment, at).ok_or_else(cut);
    let present = word(TRUN_AT + 8)? & 0x00ff_ffff;
    if present & SIZES == 0 || present & DATA_OFFSET == 0 {
        return Err(damaged("a fragment is not one of ours"));
    }
    let data_at = word(TRUN_AT + 16)? as usize;
    let first = TRUN_AT + 20 + if present & FIRST_FLAGS != 0 { 4 } else { 0 };
    let size = word(first + if present & DURATIONS != 0 { 4 } else { 0 })?;
    let sample = data_at.checked_add(size as usize).and_then(|end| fragment.get(data_at..end)).ok_or_else(cut)?;

    let mut out = BytesMut::with_capacity(init.len() + TRUN_AT + 32 + 8 + sample.len());
    out.extend_from_slice(init);
    let (moof, trun) = (init.len(), (TRUN_AT + 28) as u32);
    out.extend_from_slice(fragment.get(..TRUN_AT).ok_or_else(cut)?);
    out[moof..moof + 4].copy_from_slice(&trun.to_be_bytes());
    // `traf` begins at 24 and reaches to the end of `moof`.
    out[moof + 24..moof + 28].copy_from_slice(&(trun - 24).to_be_bytes());
    out[moof + SEQUENCE_AT.start..moof + SEQUENCE_AT.end].copy_from_slice(&1u32.to_be_bytes());
    out[moof + DECODE_TIME_AT.start..moof + DECODE_TIME_AT.end].copy_from_slice(&0u64.to_be_bytes());
    out.put_u32(28);
    out.extend_from_slice(b"trun");
    out.put_u32(DATA_OFFSET | FIRST_FLAGS | SIZES);
    out.put_u32(1);
    out.put_u32(trun + 8);
    out.put_u32(SYNC_SAMPLE);
    out.put_u32(size);
    out.put_u32(8 + size);
    out.extend_from_slice(b"mdat");
    out.extend_from_slice(sample);
    Ok(out.freeze())
}
