//! A clip's bytes: read, patched and handed on as they are asked for.
//!
//! Of each fragment the first 84 bytes are copied and four fields rewritten (see [`crate::media::fragment`]); the rest
//! is a slice of the mapped block file. So a clip of a day takes no more memory to send than one of a minute.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, Stream};

use super::super::boxes::damaged;
use super::super::footage::Slice;
use super::super::fragment_head::FragmentHead;
use super::super::{PlaybackError, Reader};
use super::moov::{RunPlaces, TrackPlace};
use super::plan::{Base, Clip, ClipSlice, fragments};
use crate::media::fragment::TRUN_AT;
use crate::media::{Segment, VIDEO_TIMESCALE};
use crate::store::Reading;

/// The bytes of `range` of `clip`, in pieces of at most a fragment. When blocks have gone meanwhile the stream ends in an
/// error: the connection breaks off instead of sending what is not the clip.
pub fn clip_bytes(clip: Arc<Clip>, reader: Reader, range: Range<u64>) -> impl Stream<Item = Result<Bytes, PlaybackError>> + Send {
    let walk = Walk::new(clip, reader, range);
    stream::try_unfold(walk, |mut walk| async move { Ok(walk.next().await?.map(|piece| (piece, walk))) })
}

/// So many blocks are looked at before a clip's answer begins: hours of footage, and milliseconds.
const CHECKED_MAX: usize = 32;

/// Whether the first blocks of the clip can be read to their ends.
///
/// # Errors
/// As [`Reader::reaches`].
pub async fn check_clip(clip: &Clip, reader: &Reader) -> Result<(), PlaybackError> {
    for planned in clip.slices.iter().take(CHECKED_MAX) {
        let slice = load(reader, *planned).await?;
        if let Some(last) = slice.segments().last() {
            reader.reaches(&slice.block, last.media_offset() + u64::from(last.entry.media_bytes()))?;
        }
    }
    Ok(())
}

struct Walk {
    clip: Arc<Clip>,
    /// A sweep waits for a download that has begun.
    _reading: Reading,
    reader: Reader,
    /// Still to be sent; its start is where `ready` ends.
    range: Range<u64>,
    next_slice: usize,
    current: VecDeque<Planned>,
    slice: Option<Slice>,
    ready: VecDeque<Bytes>,
}

/// One segment of the current slice.
#[derive(Clone, Copy)]
struct Planned {
    segment: Segment,
    /// Offset in the clip.
    at: u64,
    first_fragment: u32,
    stretch: usize,
}

/// What of the fragment's first bytes is rewritten.
struct Patch {
    place: TrackPlace,
    sequence: u32,
    /// Decode time by the run's clock that becomes `starts_at_us` in the clip.
    base_ticks: u64,
    starts_at_us: i64,
}

impl Walk {
    fn new(clip: Arc<Clip>, reader: Reader, range: Range<u64>) -> Self {
        let mut ready = VecDeque::new();
        let head = clip.head.len() as u64;
        let range = range.start..range.end.min(clip.len());
        let next_slice = clip.slice_at(range.start);
        let reading = reader.hold(clip.slices.iter().skip(next_slice).map(|s| s.block).collect());
        let mut walk =
            Walk { clip, _reading: reading, reader, range, next_slice, current: VecDeque::new(), slice: None, ready: VecDeque::new() };
        if walk.range.start < head {
            let part = walk.range.start as usize..walk.range.end.min(head) as usize;
            ready.push_back(walk.clip.head.slice(part));
            walk.range.start = head;
        }
        walk.ready = ready;
        walk
    }

    async fn next(&mut self) -> Result<Option<Bytes>, PlaybackError> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return Ok(Some(piece));
            }
            if self.range.start >= self.range.end {
                return Ok(None);
            }
            match self.current.pop_front() {
                Some(planned) => self.read(planned).await?,
                None => self.open_next_slice().await?,
            }
        }
    }

    async fn open_next_slice(&mut self) -> Result<(), PlaybackError> {
        let planned = *self.clip.slices.get(self.next_slice).ok_or_else(|| damaged("a clip ended before its length"))?;
        self.next_slice += 1;
        let slice = load(&self.reader, planned).await?;
        let (mut at, mut first_fragment) = (planned.at, planned.first_fragment);
        for segment in slice.segments() {
            let end = at + u64::from(segment.entry.media_bytes());
            if at < self.range.end && end > self.range.start {
                self.current.push_back(Planned { segment, at, first_fragment, stretch: planned.stretch });
            }
            at = end;
            first_fragment = first_fragment.wrapping_add(fragments(&segment.entry));
        }
        self.slice = Some(slice);
        Ok(())
    }

    async fn read(&mut self, planned: Planned) -> Result<(), PlaybackError> {
        let base = base_of(&self.clip, &self.reader, planned.stretch).await?;
        let slice = self.slice.as_ref().ok_or_else(|| damaged("a clip's slice is not open"))?;
        let (places, starts_at_us) = (self.clip.stretches[planned.stretch].places, self.clip.stretches[planned.stretch].starts_at_us);
        let entry = planned.segment.entry;
        let media_at = planned.segment.media_offset();
        let media = self.reader.bytes(&slice.block, media_at..media_at + u64::from(entry.media_bytes())).await?;
        let video = media.slice(..entry.video_bytes as usize);
        let audio = media.slice(entry.video_bytes as usize..);
        let tracks = [(video, places.video, base.video_ticks), (audio, places.audio, base.audio_ticks)];
        let (mut at, mut sequence) = (planned.at, planned.first_fragment);
        for (fragment, place, base_ticks) in tracks.into_iter().filter(|(fragment, ..)| !fragment.is_empty()) {
            let place = place.ok_or_else(|| damaged("a segment has a track that its run's init segment does not have"))?;
            let patch = Patch { place, sequence, base_ticks, starts_at_us };
            let head = patched_head(&fragment, &patch)?;
            for piece in [head, fragment.slice(TRUN_AT..)] {
                let end = at + piece.len() as u64;
                self.queue(piece, at);
                at = end;
            }
            sequence = sequence.wrapping_add(1);
        }
        self.range.start = at;
        Ok(())
    }

    /// The part of a piece at `at` that is still to be sent.
    fn queue(&mut self, piece: Bytes, at: u64) {
        let len = piece.len() as u64;
        let from = self.range.start.saturating_sub(at).min(len) as usize;
        let to = self.range.end.saturating_sub(at).min(len) as usize;
        if from < to {
            self.ready.push_back(piece.slice(from..to));
        }
    }
}

async fn load(reader: &Reader, planned: ClipSlice) -> Result<Slice, PlaybackError> {
    let block = reader.block(planned.block).await?;
    Slice::at(block, planned.from, planned.to).ok_or_else(|| damaged("a block has fewer segments than it had"))
}

/// Where the stretch begins by its run's own clock: the decode time of its first fragment. Audio is shifted by the same time as
/// video, so that they stay together.
async fn base_of(clip: &Clip, reader: &Reader, stretch: usize) -> Result<Base, PlaybackError> {
    let stretch = &clip.stretches[stretch];
    let read = || async {
        let slice = load(reader, clip.slices[stretch.first_slice]).await?;
        let first = slice.segments().next().ok_or_else(|| damaged("a clip's slice is empty"))?;
        let at = first.media_offset();
        let head = FragmentHead::copy(&reader.bytes(&slice.block, at..at + TRUN_AT as u64).await?)?;
        Ok::<_, PlaybackError>(base_from(head.decode_time(), first.entry.video_bytes > 0, stretch.places))
    };
    stretch.base.get_or_try_init(read).await.copied()
}

fn base_from(first_ticks: u64, is_video: bool, places: RunPlaces) -> Base {
    if !is_video {
        return Base { video_ticks: 0, audio_ticks: first_ticks };
    }
    let audio_timescale = places.audio.map_or(VIDEO_TIMESCALE, |a| a.timescale);
    let audio = u128::from(first_ticks) * u128::from(audio_timescale) / u128::from(VIDEO_TIMESCALE);
    Base { video_ticks: first_ticks, audio_ticks: u64::try_from(audio).unwrap_or(u64::MAX) }
}

/// A copy of the fragment's first bytes with this clip's numbers in them.
fn patched_head(fragment: &[u8], patch: &Patch) -> Result<Bytes, PlaybackError> {
    let mut head = FragmentHead::copy(fragment)?;
    let stored = head.decode_time();
    head.set_sequence(patch.sequence);
    head.set_track(patch.place.track_id, patch.place.description);
    head.set_decode_time(clip_ticks(stored, patch));
    Ok(head.into())
}

/// A decode time on the clip's time line. Sound that begins a little before the first picture of the clip is moved to
/// zero: there is nothing before zero.
fn clip_ticks(stored: u64, patch: &Patch) -> u64 {
    let starts_at = i128::from(patch.starts_at_us) * i128::from(patch.place.timescale) / 1_000_000;
    let ticks = starts_at + i128::from(stored) - i128::from(patch.base_ticks);
    u64::try_from(ticks.max(0)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(timescale: u32) -> TrackPlace {
        TrackPlace { track_id: 1, description: 1, timescale }
    }

    #[test]
    fn a_stretch_moves_to_its_place_in_the_clip_and_sound_moves_with_the_picture() {
        let places = RunPlaces { video: Some(place(90_000)), audio: Some(place(48_000)) };
        let base = base_from(900_000, true, places);
        assert_eq!(base, Base { video_ticks: 900_000, audio_ticks: 480_000 });
        let at = |timescale, base_ticks, stored| {
            clip_ticks(stored, &Patch { place: place(timescale), sequence: 1, base_ticks, starts_at_us: 8_000_000 })
        };
        assert_eq!(at(90_000, base.video_ticks, 900_000 + 360_000), 720_000 + 360_000);
        assert_eq!(at(48_000, base.audio_ticks, 480_000 - 512), 384_000 - 512);
    }

    #[test]
    fn sound_before_the_first_picture_of_the_clip_begins_at_zero() {
        let patch = Patch { place: place(48_000), sequence: 1, base_ticks: 480_000, starts_at_us: 0 };
        assert_eq!(clip_ticks(480_000 - 512, &patch), 0);
    }
}
