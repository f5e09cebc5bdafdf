//! Segments and the packed table a block keeps of them.
//!
//! The table is the index: six months of one stream are about four million segments, so a segment costs
//! a few bytes. Start times and offsets are not stored: segments of a block are contiguous in wall time
//! and in the file, so they follow from the sums.
//!
//! Packed form: per segment, LEB128 varints `wall_us`, zigzag(`media_us - wall_us`), `video_bytes`,
//! `audio_bytes`, `keyframe_bytes`, `flags` (1 independent, 2 erased). Little more than 12 bytes a segment in practice.
//!
//! An erased segment keeps its entry: its time and its bytes in the file are still taken, so that what follows keeps place,
//! number and address. Whoever plays, lists or counts footage passes it over.

use serde::{Deserialize, Serialize};

use super::{TimeRange, Timestamp};

/// One segment as the packed table keeps it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SegmentEntry {
    /// Wall duration in microseconds: the next segment of the block starts that much later. Positive.
    pub wall_us: u32,
    /// Duration of the media by the source's clock, in microseconds. This is what `EXTINF` says.
    pub media_us: u32,
    /// Bytes of the video `moof mdat`; 0 in audio-only runs.
    pub video_bytes: u32,
    /// Bytes of the audio `moof mdat`; 0 when the segment has no audio.
    pub audio_bytes: u32,
    /// Bytes from the start of the video `moof` to the end of its first sample: what an I-frame playlist names.
    pub keyframe_bytes: u32,
    /// The first sample is a keyframe. A source that sends none is cut anyway, and says so here.
    pub independent: bool,
    /// An erasure took it: nothing but its place is left.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub erased: bool,
}

impl SegmentEntry {
    /// The segment header box that stands before the media: see `store`.
    pub const HEADER_BYTES: u32 = 80;

    /// What a player fetches: both fragments, without our header box.
    pub fn media_bytes(&self) -> u32 {
        self.video_bytes + self.audio_bytes
    }
    /// What the segment takes in the file.
    pub fn stored_bytes(&self) -> u32 {
        Self::HEADER_BYTES + self.media_bytes()
    }
}

/// One segment with its place: a [`SegmentEntry`] unfolded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment {
    pub start: Timestamp,
    pub entry: SegmentEntry,
    /// Offset in the block file of the segment header box; media starts `HEADER_BYTES` later.
    pub offset: u64,
    /// Place in the block, from 0.
    pub position: u32,
}

impl Segment {
    pub fn end(&self) -> Timestamp {
        self.start.saturating_add_micros(i64::from(self.entry.wall_us))
    }
    pub fn range(&self) -> TimeRange {
        TimeRange::new(self.start, self.end()).expect("wall_us is positive")
    }
    /// Offset in the block file of the media (the video `moof`, or the audio `moof` without video).
    pub fn media_offset(&self) -> u64 {
        self.offset + u64::from(SegmentEntry::HEADER_BYTES)
    }
}

/// A table that is not one: its block must be read from the file instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("segment table is damaged at byte {0}")]
pub struct SegmentTableError(pub usize);

/// The packed table of one block.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SegmentTable {
    entries: Vec<SegmentEntry>,
}

impl SegmentTable {
    pub fn from_entries(entries: Vec<SegmentEntry>) -> Self {
        SegmentTable { entries }
    }
    pub fn entries(&self) -> &[SegmentEntry] {
        &self.entries
    }
    pub fn len(&self) -> usize {
        self.entries.len()
    }
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
    pub fn push(&mut self, entry: SegmentEntry) {
        self.entries.push(entry);
    }
    /// How many of the segments can be played.
    pub fn kept(&self) -> usize {
        self.entries.iter().filter(|e| !e.erased).count()
    }
    /// Media of erased segments: in the file's length, and not footage.
    pub fn erased_bytes(&self) -> u64 {
        self.entries.iter().filter(|e| e.erased).map(|e| u64::from(e.media_bytes())).sum()
    }
    /// Marks the segments at these positions as erased; positions past the end are passed over.
    pub fn erase(&mut self, positions: &[u32]) {
        for position in positions {
            if let Some(entry) = self.entries.get_mut(*position as usize) {
                entry.erased = true;
            }
        }
    }
    pub fn wall_us(&self) -> i64 {
        self.entries.iter().map(|e| i64::from(e.wall_us)).sum()
    }

    /// The segments in order, the first starting at `start` and standing at `first_offset` in the file.
    pub fn segments(&self, start: Timestamp, first_offset: u64) -> impl Iterator<Item = Segment> + '_ {
        let (mut start, mut offset) = (start, first_offset);
        self.entries.iter().zip(0u32..).map(move |(entry, position)| {
            let segment = Segment { start, entry: *entry, offset, position };
            start = segment.end();
            offset += u64::from(entry.stored_bytes());
            segment
        })
    }

    pub fn pack(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.entries.len() * 13);
        for entry in &self.entries {
            pack_entry(&mut out, entry);
        }
        out
    }

    /// # Errors
    /// [`SegmentTableError`] where the bytes do not hold a table; no panic whatever they are.
    pub fn unpack(bytes: &[u8]) -> Result<Self, SegmentTableError> {
        let mut entries = Vec::with_capacity(bytes.len() / 12);
        let mut at = 0;
        while at < bytes.len() {
            let begin = at;
            entries.push(unpack_entry(bytes, &mut at).ok_or(SegmentTableError(begin))?);
        }
        Ok(SegmentTable { entries })
    }
}

/// Appends one packed entry: what a growing block adds to its row.
pub(super) fn pack_entry(out: &mut Vec<u8>, e: &SegmentEntry) {
    let skew = i64::from(e.media_us) - i64::from(e.wall_us);
    put_varint(out, u64::from(e.wall_us));
    put_varint(out, ((skew << 1) ^ (skew >> 63)) as u64);
    put_varint(out, u64::from(e.video_bytes));
    put_varint(out, u64::from(e.audio_bytes));
    put_varint(out, u64::from(e.keyframe_bytes));
    put_varint(out, u64::from(e.independent) | u64::from(e.erased) << 1);
}

fn unpack_entry(bytes: &[u8], at: &mut usize) -> Option<SegmentEntry> {
    let mut next = || take_varint(bytes, at);
    let wall = next()?;
    let zigzag = next()?;
    let skew = ((zigzag >> 1) as i64) ^ -((zigzag & 1) as i64);
    let entry = SegmentEntry {
        wall_us: u32::try_from(wall).ok()?,
        media_us: u32::try_from(i64::try_from(wall).ok()?.checked_add(skew)?).ok()?,
        video_bytes: u32::try_from(next()?).ok()?,
        audio_bytes: u32::try_from(next()?).ok()?,
        keyframe_bytes: u32::try_from(next()?).ok()?,
        independent: false,
        erased: false,
    };
    let flags = next()?;
    let entry = SegmentEntry { independent: flags & 1 == 1, erased: flags & 2 == 2, ..entry };
    // Sums of entries are used as offsets: refuse what no writer makes.
    let total = u64::from(entry.video_bytes) + u64::from(entry.audio_bytes);
    (entry.wall_us > 0 && total <= u64::from(u32::MAX / 2) && entry.keyframe_bytes <= entry.video_bytes).then_some(entry)
}

fn put_varint(out: &mut Vec<u8>, mut v: u64) {
    while v >= 0x80 {
        out.push(v as u8 | 0x80);
        v >>= 7;
    }
    out.push(v as u8);
}

fn take_varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut v = 0u64;
    for shift in (0..64).step_by(7) {
        let b = *bytes.get(*at)?;
        *at += 1;
        if shift == 63 && b > 1 {
            return None;
        }
        v |= u64::from(b & 0x7f) << shift;
        if b & 0x80 == 0 {
            return Some(v);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry() -> impl Strategy<Value = SegmentEntry> {
        (1u32..60_000_000, 0u32..60_000_000, 0u32..1 << 29, 0u32..1 << 24, any::<bool>(), any::<bool>()).prop_map(
            |(wall_us, media_us, video_bytes, audio_bytes, independent, erased)| SegmentEntry {
                wall_us,
                media_us,
                video_bytes,
                audio_bytes,
                keyframe_bytes: video_bytes / 3,
                independent,
                erased,
            },
        )
    }

    proptest! {
        #[test]
        fn a_packed_table_unpacks_to_itself(entries in proptest::collection::vec(entry(), 0..200)) {
            let table = SegmentTable::from_entries(entries);
            prop_assert_eq!(SegmentTable::unpack(&table.pack()), Ok(table));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = SegmentTable::unpack(&bytes);
        }
    }

    #[test]
    fn segments_are_contiguous_in_time_and_file() {
        let e = |wall_us, video_bytes| SegmentEntry {
            wall_us,
            media_us: wall_us,
            video_bytes,
            audio_bytes: 10,
            keyframe_bytes: 5,
            independent: true,
            erased: false,
        };
        let table = SegmentTable::from_entries(vec![e(4_000_000, 100), e(5_000_000, 200)]);
        let s: Vec<_> = table.segments(Timestamp::from_secs(100), 1000).collect();
        assert_eq!((s[0].start, s[0].offset), (Timestamp::from_secs(100), 1000));
        assert_eq!((s[1].start, s[1].offset), (Timestamp::from_secs(104), 1000 + 80 + 110));
        assert_eq!(s[1].end(), Timestamp::from_secs(109));
    }

    #[test]
    fn a_four_second_segment_costs_little_more_than_a_dozen_bytes() {
        let entry = SegmentEntry {
            wall_us: 4_000_000,
            media_us: 4_000_000,
            video_bytes: 2_000_000,
            audio_bytes: 64_000,
            keyframe_bytes: 90_000,
            independent: true,
            erased: false,
        };
        assert!(SegmentTable::from_entries(vec![entry]).pack().len() <= 16);
    }
}
