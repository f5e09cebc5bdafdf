//! The segments of a range, as playlists and clips walk over them: stretch by stretch, without a copy of the tables.

use std::sync::Arc;

use crate::entitlement::PermittedRange;
use crate::media::{BlockInfo, RunInfo, Segment, SegmentEntry, TimeRange, Timestamp};

/// Consecutive segments of one block.
#[derive(Clone, Debug)]
pub struct Slice {
    pub block: Arc<BlockInfo>,
    /// Positions in the block's table, half-open, not empty.
    pub from: usize,
    pub to: usize,
    /// Of the first segment.
    pub start: Timestamp,
    /// In the block file, of the first segment's header box.
    pub offset: u64,
}

impl Slice {
    /// The segments of `block` that overlap `range`: one slice, or more where something between them was erased.
    pub fn of(block: &Arc<BlockInfo>, range: TimeRange) -> Vec<Slice> {
        let mut slices: Vec<Slice> = Vec::new();
        let inside = block.segments().take_while(|s| s.start < range.end()).filter(|s| s.end() > range.start());
        for segment in inside {
            let position = segment.position as usize;
            match slices.last_mut().filter(|last| last.to == position) {
                Some(last) => last.to += 1,
                None => slices.push(Slice {
                    block: block.clone(),
                    from: position,
                    to: position + 1,
                    start: segment.start,
                    offset: segment.offset,
                }),
            }
        }
        slices
    }

    /// Takes in segments before the first until that one starts with a keyframe; not past the start of the block, nor past what
    /// was erased.
    pub fn go_back_to_keyframe(&mut self) {
        let entries = self.block.table.entries();
        let mut before = (0..=self.from).rev().take_while(|at| !entries[*at].erased);
        let from = before.find(|at| entries[*at].independent).unwrap_or(self.from);
        if let Some(wider) = Slice::at(self.block.clone(), from, self.to) {
            *self = wider;
        }
    }

    /// The segments at these positions; `None` when the block does not have them, or not any more.
    pub fn at(block: Arc<BlockInfo>, from: usize, to: usize) -> Option<Slice> {
        let entries = block.table.entries();
        if from >= to || to > entries.len() || entries[from..to].iter().any(|e| e.erased) {
            return None;
        }
        let before = &entries[..from];
        let start = block.start.saturating_add_micros(before.iter().map(|e| i64::from(e.wall_us)).sum());
        let offset = block.first_offset + before.iter().map(|e| u64::from(e.stored_bytes())).sum::<u64>();
        Some(Slice { block, from, to, start, offset })
    }

    /// The parts of it that are shown: what has left the window or is being erased is left out, to the segment.
    pub fn shown(&self, permitted: &PermittedRange) -> Vec<Slice> {
        let segments: Vec<Segment> = self.segments().collect();
        let runs = segments.chunk_by(|a, b| permitted.shows(a.range()) == permitted.shows(b.range()));
        let shown = runs.filter(|run| permitted.shows(run[0].range()));
        let slice = |run: &[Segment]| {
            let from = run[0].position as usize;
            Slice { block: Arc::clone(&self.block), from, to: from + run.len(), start: run[0].start, offset: run[0].offset }
        };
        shown.map(slice).collect()
    }

    pub fn entries(&self) -> &[SegmentEntry] {
        &self.block.table.entries()[self.from..self.to]
    }
    pub fn segments(&self) -> impl Iterator<Item = Segment> + '_ {
        let (mut start, mut offset) = (self.start, self.offset);
        self.entries().iter().zip(self.from..).map(move |(entry, position)| {
            let position = u32::try_from(position).expect("a block holds far fewer than 2^32 segments");
            let segment = Segment { start, entry: *entry, offset, position };
            start = segment.end();
            offset += u64::from(entry.stored_bytes());
            segment
        })
    }
    pub fn end(&self) -> Timestamp {
        self.start.saturating_add_micros(self.entries().iter().map(|e| i64::from(e.wall_us)).sum())
    }
    /// Number in the stream of the first segment.
    pub fn first_sequence(&self) -> u64 {
        self.block.first_sequence + self.from as u64
    }
    pub fn len(&self) -> usize {
        self.to - self.from
    }
    pub fn is_empty(&self) -> bool {
        self.to == self.from
    }
}

/// Segments of one run that follow one another without a hole. Between stretches lies a discontinuity.
#[derive(Clone, Debug)]
pub struct Stretch {
    pub run: Arc<RunInfo>,
    /// Not empty, in time order.
    pub slices: Vec<Slice>,
}

impl Stretch {
    pub fn segments(&self) -> impl Iterator<Item = Segment> + '_ {
        self.slices.iter().flat_map(Slice::segments)
    }
    pub fn entries(&self) -> impl Iterator<Item = &SegmentEntry> + '_ {
        self.slices.iter().flat_map(Slice::entries)
    }
    pub fn start(&self) -> Timestamp {
        self.slices[0].start
    }
    pub fn end(&self) -> Timestamp {
        self.slices[self.slices.len() - 1].end()
    }
    pub fn first_sequence(&self) -> u64 {
        self.slices[0].first_sequence()
    }
    pub fn len(&self) -> usize {
        self.slices.iter().map(Slice::len).sum()
    }
    pub fn is_empty(&self) -> bool {
        self.slices.is_empty()
    }
    pub fn media_us(&self) -> i64 {
        self.entries().map(|e| i64::from(e.media_us)).sum()
    }
}

/// What is recorded of a range, widened to whole segments. Never empty.
#[derive(Clone, Debug)]
pub struct Footage {
    pub stretches: Vec<Stretch>,
}

impl Footage {
    /// Puts slices (in time order) together. `run` finds the run of a block. `None` when there are no slices.
    pub fn assemble(slices: Vec<Slice>, run: impl Fn(&BlockInfo) -> Option<Arc<RunInfo>>) -> Option<Footage> {
        let mut stretches: Vec<Stretch> = Vec::new();
        for slice in slices {
            match stretches.last_mut() {
                Some(last) if last.run.id == slice.block.run && last.end() == slice.start => last.slices.push(slice),
                _ => stretches.push(Stretch { run: run(&slice.block)?, slices: vec![slice] }),
            }
        }
        (!stretches.is_empty()).then_some(Footage { stretches })
    }

    pub fn segments(&self) -> impl Iterator<Item = Segment> + '_ {
        self.stretches.iter().flat_map(Stretch::segments)
    }
    pub fn entries(&self) -> impl Iterator<Item = &SegmentEntry> + '_ {
        self.stretches.iter().flat_map(Stretch::entries)
    }
    pub fn runs(&self) -> impl Iterator<Item = &RunInfo> + '_ {
        self.stretches.iter().map(|s| s.run.as_ref())
    }
    pub fn start(&self) -> Timestamp {
        self.stretches[0].start()
    }
    pub fn end(&self) -> Timestamp {
        self.stretches[self.stretches.len() - 1].end()
    }
    pub fn first_sequence(&self) -> u64 {
        self.stretches[0].first_sequence()
    }
    pub fn len(&self) -> usize {
        self.stretches.iter().map(Stretch::len).sum()
    }
    pub fn is_empty(&self) -> bool {
        self.stretches.is_empty()
    }
    pub fn media_us(&self) -> i64 {
        self.stretches.iter().map(Stretch::media_us).sum()
    }
    pub fn bytes(&self) -> u64 {
        self.entries().map(|e| u64::from(e.media_bytes())).sum()
    }

    /// Drops stretches from the front until the rest can slide as a live window: numbers of segments without a
    /// hole (`EXT-X-MEDIA-SEQUENCE` must name the same segment the same way on each reload), and no hole
    /// inside a run (`EXT-X-DISCONTINUITY-SEQUENCE` counts runs).
    pub fn keep_sliding_tail(&mut self) {
        let mut keep_from = self.stretches.len() - 1;
        while keep_from > 0 {
            let (before, after) = (&self.stretches[keep_from - 1], &self.stretches[keep_from]);
            let numbered_on = before.first_sequence() + before.len() as u64 == after.first_sequence();
            let runs_apart = after.run.ordinal.saturating_sub(before.run.ordinal);
            if !numbered_on || !(1..=RUNS_APART_MAX).contains(&runs_apart) {
                break;
            }
            keep_from -= 1;
        }
        self.stretches.drain(..keep_from);
    }
}

/// A run without footage still took an ordinal; its discontinuity is written all the same, up to so many in a row.
const RUNS_APART_MAX: u64 = 16;

#[cfg(test)]
pub(crate) mod testing {
    //! Footage drawn as text: one letter per run, one character per 4-second segment, `.` where nothing is.

    use super::*;
    use crate::media::{AccountId, AudioTrack, BlockId, BlockState, RunId, SegmentTable, VideoTrack};

    pub const START_S: i64 = 1_777_816_800;

    pub fn run_info(letter: char, ordinal: u64, start: Timestamp) -> RunInfo {
        RunInfo {
            id: RunId::from_bytes([letter as u8; 16]),
            stream: "cam1".parse().unwrap(),
            start,
            ordinal,
            video: Some(VideoTrack { codec: "avc1.64001f".into(), width: 1280, height: 720, fps_num: 25, fps_den: 1 }),
            audio: Some(AudioTrack { codec: "mp4a.40.2".into(), sample_rate: 48_000, channels: 2 }),
            init: bytes::Bytes::from_static(b"init"),
            gaps_before: Vec::new(),
            import_key: None,
        }
    }

    /// Blocks of at most `per_block` segments; `entry` says what each segment looks like.
    pub fn draw_with(drawing: &str, per_block: usize, entry: impl Fn(usize) -> SegmentEntry) -> Footage {
        let (mut slices, mut runs) = (Vec::<Slice>::new(), Vec::<Arc<RunInfo>>::new());
        let mut now = Timestamp::from_secs(START_S);
        let mut sequence = 100;
        let mut before = '.';
        for (i, letter) in drawing.chars().enumerate() {
            let e = entry(i);
            if letter != '.' {
                let full = slices.last().is_some_and(|s| s.to == per_block);
                if letter != before || full {
                    if !runs.iter().any(|r| r.id.to_bytes()[0] == letter as u8) {
                        runs.push(Arc::new(run_info(letter, runs.len() as u64, now)));
                    }
                    slices.push(slice(letter, now, sequence, slices.len()));
                }
                let slice = slices.last_mut().unwrap();
                Arc::get_mut(&mut slice.block).unwrap().table.push(e);
                slice.to += 1;
                sequence += 1;
            }
            before = letter;
            now = now.saturating_add_micros(i64::from(e.wall_us));
        }
        Footage::assemble(slices, |b| runs.iter().find(|r| r.id == b.run).cloned()).unwrap()
    }

    pub fn draw(drawing: &str) -> Footage {
        draw_with(drawing, 150, |_| four_seconds())
    }

    pub fn four_seconds() -> SegmentEntry {
        SegmentEntry {
            wall_us: 4_000_000,
            media_us: 4_000_000,
            video_bytes: 450_000,
            audio_bytes: 50_000,
            keyframe_bytes: 60_000,
            independent: true,
            erased: false,
        }
    }

    fn slice(run: char, start: Timestamp, first_sequence: u64, number: usize) -> Slice {
        let block = BlockInfo {
            id: BlockId::new(start, number as u128),
            account: AccountId::main(),
            stream: "cam1".parse().unwrap(),
            run: RunId::from_bytes([run as u8; 16]),
            start,
            state: BlockState::Sealed,
            first_offset: 2000,
            first_sequence,
            size_bytes: 0,
            checksum: None,
            table: SegmentTable::default(),
        };
        Slice { block: Arc::new(block), from: 0, to: 0, start, offset: 2000 }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::*;
    use super::*;

    #[test]
    fn a_range_widens_to_whole_segments() {
        let footage = draw("AAAA");
        let block = &footage.stretches[0].slices[0].block;
        let at = |s: i64| Timestamp::from_secs(START_S + s);
        let cut = |a, b| Slice::of(block, TimeRange::new(at(a), at(b)).unwrap()).first().map(|s| (s.from, s.to));
        assert_eq!(cut(5, 9), Some((1, 3)));
        assert_eq!(cut(4, 8), Some((1, 2)), "half-open at both ends");
        assert_eq!(cut(-10, 100), Some((0, 4)));
        assert_eq!(cut(16, 100), None);
        let slice = &Slice::of(block, TimeRange::new(at(5), at(9)).unwrap())[0];
        assert_eq!(slice.segments().collect::<Vec<_>>(), block.segments().skip(1).take(2).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_erased_parts_stretches_and_takes_no_number_of_another() {
        let mut block = (*draw("AAAAAA").stretches[0].slices[0].block).clone();
        block.table.erase(&[2, 3]);
        let block = Arc::new(block);
        let slices = Slice::of(&block, TimeRange::ALL);
        assert_eq!(slices.iter().map(|s| (s.from, s.to, s.first_sequence())).collect::<Vec<_>>(), [(0, 2, 100), (4, 6, 104)]);
        assert_eq!(slices[1].segments().collect::<Vec<_>>(), block.segments().skip(2).collect::<Vec<_>>());
        assert!(Slice::at(block.clone(), 1, 3).is_none(), "a plan made before breaks off");
        let run = Arc::new(run_info('A', 0, block.start));
        assert_eq!(Footage::assemble(slices, |_| Some(run.clone())).unwrap().stretches.len(), 2);
    }

    #[test]
    fn a_picture_is_not_looked_for_behind_what_is_erased() {
        let footage = draw_with("AAAA", 150, |i| SegmentEntry { independent: i == 0, ..four_seconds() });
        let mut block = (*footage.stretches[0].slices[0].block).clone();
        block.table.erase(&[1]);
        let mut slice = Slice::at(Arc::new(block), 3, 4).unwrap();
        slice.go_back_to_keyframe();
        assert_eq!((slice.from, slice.to), (3, 4));
    }

    #[test]
    fn runs_and_holes_part_stretches_and_blocks_do_not() {
        let lengths = |f: Footage| f.stretches.iter().map(Stretch::len).collect::<Vec<_>>();
        assert_eq!(lengths(draw("AAABB..B")), [3, 2, 1]);
        assert_eq!(lengths(draw_with("AAAAAA", 2, |_| four_seconds())), [6]);
    }

    #[test]
    fn a_live_window_begins_after_the_last_hole_inside_a_run() {
        let tail = |drawing: &str| {
            let mut footage = draw(drawing);
            footage.keep_sliding_tail();
            footage.len()
        };
        assert_eq!(tail("AAA"), 3);
        assert_eq!(tail("AAABB"), 5);
        assert_eq!(tail("AAA..BB"), 5);
        assert_eq!(tail("AA..AAABB"), 5);
    }
}
