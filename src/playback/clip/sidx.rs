//! The segment index of a clip (ISO/IEC 14496-12 §8.16.3): lets a player seek with one request.
//!
//! A `sidx` holds at most 65,535 references. Of a longer clip neighbours share one: seeking gets coarser (8 s, 16 s, …) instead of
//! needing nested indexes, which libavformat refuses ("reference_type 1").

use super::super::boxes::{put_full, put16, put32, put64};
use crate::media::SegmentEntry;

/// `reference_count` is 16 bits.
const REFERENCES_MAX: usize = 65_535;
/// `referenced_size` is 31 bits.
const REFERENCE_BYTES_MAX: u64 = (1 << 31) - 1;
/// Keeps the sum of a duration in microseconds and ticks inside 32 bits at any timescale up to 192 kHz: six hours.
const REFERENCE_US_MAX: u64 = 20_000_000_000;

#[derive(Clone, Copy, Debug)]
struct Reference {
    bytes: u64,
    us: u64,
    independent: bool,
}

impl Reference {
    fn and(self, next: Reference) -> Reference {
        Reference { bytes: self.bytes + next.bytes, us: self.us + next.us, independent: self.independent }
    }
}

/// Collects references, merging neighbours when there are too many.
#[derive(Clone, Debug)]
pub(super) struct SidxBuilder {
    references: Vec<Reference>,
    /// Segments per reference, and how many the last one has.
    per_reference: usize,
    in_last: usize,
    limit: usize,
}

impl Default for SidxBuilder {
    fn default() -> Self {
        Self::with_limit(REFERENCES_MAX)
    }
}

impl SidxBuilder {
    fn with_limit(limit: usize) -> Self {
        SidxBuilder { references: Vec::new(), per_reference: 1, in_last: 0, limit }
    }

    pub(super) fn len(&self) -> usize {
        self.references.len()
    }

    pub(super) fn push(&mut self, entry: &SegmentEntry) {
        let one = Reference { bytes: entry.media_bytes().into(), us: entry.media_us.into(), independent: entry.independent };
        if self.in_last > 0 && self.in_last < self.per_reference {
            let last = self.references.len() - 1;
            self.references[last] = self.references[last].and(one);
            self.in_last += 1;
            return;
        }
        if self.references.len() == self.limit {
            self.halve();
            return self.push(entry);
        }
        self.references.push(one);
        self.in_last = 1;
    }

    fn halve(&mut self) {
        let odd = self.references.len() % 2 == 1;
        let merged = self.references.chunks(2).map(|pair| match pair {
            [a, b] => a.and(*b),
            _ => pair[0],
        });
        self.references = merged.collect();
        self.in_last = if odd { self.per_reference } else { 2 * self.per_reference };
        self.per_reference *= 2;
    }

    /// The box, or nothing when a reference would not fit into its bits: then players search for fragments themselves.
    ///
    /// `timescale` must be that of the track: libavformat takes the sum of durations for the track's, in its own ticks.
    pub(super) fn finish(self, out: &mut Vec<u8>, track_id: u32, timescale: u32) {
        let fits = |r: &Reference| r.bytes <= REFERENCE_BYTES_MAX && r.us <= REFERENCE_US_MAX;
        if !self.references.iter().all(fits) {
            return;
        }
        put_full(out, b"sidx", 1, 0, |out| {
            put32(out, track_id);
            put32(out, timescale);
            put64(out, 0); // earliest_presentation_time: a clip starts at zero
            put64(out, 0); // first_offset: media follows at once
            put16(out, 0);
            put16(out, self.references.len() as u16);
            let (mut us, mut ticks) = (0, 0);
            for r in &self.references {
                // Rounded where they end, not each by itself: errors must not add up.
                us += r.us;
                let end = u128::from(us) * u128::from(timescale) / 1_000_000;
                put32(out, r.bytes as u32);
                put32(out, (end - ticks) as u32);
                ticks = end;
                // starts_with_SAP, SAP_type 1: a keyframe that comes first in time, too.
                put32(out, if r.independent { 0x9000_0000 } else { 0 });
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::boxes::{be32, child};
    use super::super::super::footage::testing::four_seconds;
    use super::*;

    fn references(segments: usize, limit: usize) -> Vec<(u32, u32)> {
        let mut builder = SidxBuilder::with_limit(limit);
        (0..segments).for_each(|_| builder.push(&four_seconds()));
        let mut out = Vec::new();
        builder.finish(&mut out, 1, 90_000);
        let payload = child(&out, b"sidx").unwrap().payload;
        let rows = payload[32..].chunks(12);
        rows.map(|r| (be32(r, 0).unwrap() / 500_000, be32(r, 4).unwrap() / 360_000)).collect()
    }

    #[test]
    fn each_segment_has_a_reference_until_there_are_too_many_then_neighbours_share_one() {
        assert_eq!(references(3, 4), [(1, 1); 3]);
        assert_eq!(references(4, 4), [(1, 1); 4]);
        assert_eq!(references(5, 4), [(2, 2), (2, 2), (1, 1)]);
        assert_eq!(references(9, 4), [(4, 4), (4, 4), (1, 1)]);
        for (segments, limit) in [(7, 3), (100, 3), (100, 7), (1000, 5)] {
            let found = references(segments, limit);
            assert!(found.len() <= limit, "{segments} in {limit}: {found:?}");
            assert_eq!(found.iter().map(|r| r.0 as usize).sum::<usize>(), segments);
            assert_eq!(found.iter().map(|r| r.1 as usize).sum::<usize>(), segments);
        }
    }

    #[test]
    fn what_does_not_fit_the_box_is_left_out() {
        let huge = SegmentEntry { video_bytes: u32::MAX / 2 - 50_000, ..four_seconds() };
        let mut builder = SidxBuilder::with_limit(1);
        builder.push(&huge);
        builder.push(&huge);
        let mut out = Vec::new();
        builder.finish(&mut out, 1, 90_000);
        assert!(out.is_empty());
    }
}
