//! A block: one file of consecutive segments of one run.

use serde::{Deserialize, Serialize};

use super::{AccountId, BlockId, RunId, Segment, SegmentTable, StreamId, TimeRange, Timestamp};

/// Where a block is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockState {
    /// Still being appended to.
    Open,
    /// Complete, with its trailer; never changes again.
    Sealed,
}

/// One block as the index knows it: a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlockInfo {
    pub id: BlockId,
    pub account: AccountId,
    pub stream: StreamId,
    pub run: RunId,
    pub start: Timestamp,
    pub state: BlockState,
    /// Offset in the file of the first segment's header box: what init segment and block header take.
    pub first_offset: u64,
    /// Number in the stream of the block's first segment; later segments count on from it. Never reused:
    /// `EXT-X-MEDIA-SEQUENCE`.
    pub first_sequence: u64,
    /// Length of the file as far as the index knows it: whole segments, erased ones too, and the trailer once sealed.
    pub size_bytes: u64,
    /// XXH3-64 over the segments' checksums in order; `None` while open.
    pub checksum: Option<u64>,
    pub table: SegmentTable,
}

impl BlockInfo {
    pub fn end(&self) -> Timestamp {
        self.start.saturating_add_micros(self.table.wall_us())
    }
    /// `None` for a block in which no segment is complete yet.
    pub fn range(&self) -> Option<TimeRange> {
        TimeRange::new(self.start, self.end()).ok()
    }
    /// What can be played.
    pub fn segments(&self) -> impl Iterator<Item = Segment> + '_ {
        self.places().filter(|s| !s.entry.erased)
    }
    /// Every segment's place in the file, erased ones included.
    pub fn places(&self) -> impl Iterator<Item = Segment> + '_ {
        self.table.segments(self.start, self.first_offset)
    }
    /// Stretches of time of which the block holds footage: one, unless something was erased.
    pub fn kept_ranges(&self) -> Vec<TimeRange> {
        stretches(self.segments().map(|s| s.range()))
    }
    /// Stretches of time of which it held footage until it was erased.
    pub fn erased_ranges(&self) -> Vec<TimeRange> {
        stretches(self.places().filter(|s| s.entry.erased).map(|s| s.range()))
    }
    /// The end of the last whole segment in the file.
    pub fn media_end_offset(&self) -> u64 {
        self.first_offset + self.table.entries().iter().map(|e| u64::from(e.stored_bytes())).sum::<u64>()
    }
    /// Path below the media root: `<account>/<stream>/<YYYY>/<MM>/<DD>/<start>-<block id>.mp4`, UTC.
    pub fn path(&self) -> String {
        block_path(&self.account, &self.stream, self.start, self.id)
    }
}

/// Ranges in time order; neighbours become one.
fn stretches(ranges: impl Iterator<Item = TimeRange>) -> Vec<TimeRange> {
    let mut out: Vec<TimeRange> = Vec::new();
    for range in ranges {
        match out.last_mut() {
            Some(last) if last.end() == range.start() => {
                *last = TimeRange::new(last.start(), range.end()).expect("the end only moves on");
            }
            _ => out.push(range),
        }
    }
    out
}

/// See [`BlockInfo::path`]. `<start>` is `YYYYMMDDTHHMMSS.ffffffZ`, so a listing sorts by time.
pub fn block_path(account: &AccountId, stream: &StreamId, start: Timestamp, id: BlockId) -> String {
    let t = start.to_rfc3339(6);
    let compact: String = t.chars().filter(|c| *c != '-' && *c != ':').collect();
    format!("{account}/{stream}/{}/{}/{}/{compact}-{id}.mp4", &t[..4], &t[5..7], &t[8..10])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::SegmentEntry;

    #[test]
    fn what_is_erased_keeps_its_place_and_is_passed_over() {
        let e = SegmentEntry {
            wall_us: 4_000_000,
            media_us: 4_000_000,
            video_bytes: 100,
            audio_bytes: 20,
            keyframe_bytes: 50,
            independent: true,
            erased: false,
        };
        let mut block = BlockInfo {
            id: BlockId::from_bytes([0; 16]),
            account: AccountId::main(),
            stream: "cam1".parse().unwrap(),
            run: RunId::from_bytes([1; 16]),
            start: Timestamp::from_secs(100),
            state: BlockState::Sealed,
            first_offset: 1000,
            first_sequence: 7,
            size_bytes: 2000,
            checksum: None,
            table: SegmentTable::from_entries(vec![e; 4]),
        };
        let whole = block.clone();
        block.table.erase(&[1, 2, 9]);
        assert_eq!(block.segments().map(|s| s.position).collect::<Vec<_>>(), [0, 3]);
        assert_eq!(block.segments().last(), whole.segments().last(), "what follows keeps time and place");
        let seconds = |ranges: Vec<TimeRange>| ranges.iter().map(|r| (r.start().0 / 1_000_000, r.end().0 / 1_000_000)).collect::<Vec<_>>();
        assert_eq!(seconds(block.kept_ranges()), [(100, 104), (112, 116)]);
        assert_eq!(seconds(block.erased_ranges()), [(104, 112)]);
        assert_eq!((block.table.kept(), block.table.erased_bytes(), block.range()), (2, 240, whole.range()));
    }

    #[test]
    fn paths_sort_by_time() {
        let id = BlockId::from_bytes([0; 16]);
        let path = block_path(&AccountId::main(), &"cam1".parse().unwrap(), Timestamp(1_777_816_800_250_000), id);
        assert_eq!(path, "main/cam1/2026/05/03/20260503T140000.250000Z-00000000000000000000000000.mp4");
    }
}
