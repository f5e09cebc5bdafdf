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
/// Durations are in microseconds: 32 bits hold 71 minutes, far longer than any reference.
const TIMESCALE: u32 = 1_000_000;
const REFERENCE_US_MAX: u64 = u32::MAX as u64;

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
    pub(super) fn finish(self, out: &mut Vec<u8>, track_id: u32) {
        let fits = |r: &Reference| r.bytes <= REFERENCE_BYTES_MAX && r.us <= REFERENCE_US_MAX;
        if !self.references.iter().all(fits) {
            return;
        }
        put_full(out, b"sidx", 1, 0, |out| {
            put32(out, track_id);
            put32(out, TIMESCALE);
            put64(out, 0); // earliest_presentation_time: a clip starts at zero
            put64(out, 0); // first_offset: media follows at once
            put16(out, 0);
            put16(out, self.references.len() as u16);
            for r in &self.references {
                put32(out, r.bytes as u32);
                put32(out, r.us as u32);
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
        builder.finish(&mut out, 1);
        let payload = child(&out, b"sidx").unwrap().payload;
        let rows = payload[32..].chunks(12);
        rows.map(|r| (be32(r, 0).unwrap() / 500_000, be32(r, 4).unwrap() / 4_000_000)).collect()
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
        builder.finish(&mut out, 1);
        assert!(out.is_empty());
    }
}
