//! Writes `moof` boxes of the one shape that [`crate::media::fragment`] describes.

use crate::media::fragment::TRUN_AT;

/// One sample of a fragment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Sample {
    pub size: u32,
    pub duration_ticks: u32,
    /// Presentation minus decode time.
    pub offset_ticks: i32,
    pub sync: bool,
}

/// ISO/IEC 14496-12 §8.8.3.1: depends on nothing / depends on others and is no sync sample.
const SYNC: u32 = 0x0200_0000;
const NON_SYNC: u32 = 0x0101_0000;

const DATA_OFFSET: u32 = 0x01;
const FIRST_FLAGS: u32 = 0x04;
const DURATIONS: u32 = 0x100;
const SIZES: u32 = 0x200;
const FLAGS: u32 = 0x400;
const OFFSETS: u32 = 0x800;

/// Length of the `mdat` header that follows the `moof`.
const MDAT_HEADER_BYTES: u32 = 8;

/// Fills `out` with `moof` and the header of the `mdat`: the samples' bytes follow as they are.
/// `samples` is not empty, and their bytes stay below 2 GiB.
pub(super) fn write(out: &mut Vec<u8>, sequence: u32, track_id: u32, decode_time: u64, samples: &[Sample]) {
    let first = samples[0];
    // What most samples have in common goes into the header once.
    let duration = samples[samples.len() / 2].duration_ticks;
    let rest_flags = samples.get(1).map_or(flags(first), |s| flags(*s));
    let mut present = DATA_OFFSET | SIZES;
    if samples.iter().any(|s| s.duration_ticks != duration) {
        present |= DURATIONS;
    }
    if samples.iter().any(|s| s.offset_ticks != 0) {
        present |= OFFSETS;
    }
    if samples.iter().skip(1).any(|s| flags(*s) != rest_flags) {
        present |= FLAGS;
    } else if flags(first) != rest_flags {
        present |= FIRST_FLAGS;
    }
    let per_sample = 4 * (present & (DURATIONS | SIZES | FLAGS | OFFSETS)).count_ones();
    let trun_bytes = 20 + if present & FIRST_FLAGS != 0 { 4 } else { 0 } + per_sample * samples.len() as u32;
    let moof_bytes = TRUN_AT as u32 + trun_bytes;

    out.clear();
    out.reserve((moof_bytes + MDAT_HEADER_BYTES) as usize);
    let mut put = |v: u32| out.extend_from_slice(&v.to_be_bytes());
    let tag = |name: &[u8; 4]| u32::from_be_bytes(*name);
    put(moof_bytes);
    put(tag(b"moof"));
    put(16);
    put(tag(b"mfhd"));
    put(0);
    put(sequence);
    put(moof_bytes - 24);
    put(tag(b"traf"));
    put(32);
    put(tag(b"tfhd"));
    put(0x02_003a);
    put(track_id);
    put(1);
    put(duration);
    put(first.size);
    put(rest_flags);
    put(20);
    put(tag(b"tfdt"));
    put(0x0100_0000);
    put((decode_time >> 32) as u32);
    put(decode_time as u32);
    put(trun_bytes);
    put(tag(b"trun"));
    put(0x0100_0000 | present);
    put(samples.len() as u32);
    put(moof_bytes + MDAT_HEADER_BYTES);
    if present & FIRST_FLAGS != 0 {
        put(flags(first));
    }
    for s in samples {
        if present & DURATIONS != 0 {
            put(s.duration_ticks);
        }
        put(s.size);
        if present & FLAGS != 0 {
            put(flags(*s));
        }
        if present & OFFSETS != 0 {
            put(s.offset_ticks as u32);
        }
    }
    let payload: u32 = samples.iter().map(|s| s.size).sum();
    put(MDAT_HEADER_BYTES + payload);
    put(tag(b"mdat"));
}

fn flags(sample: Sample) -> u32 {
    if sample.sync { SYNC } else { NON_SYNC }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::fragment::{DECODE_TIME_AT, DESCRIPTION_AT, SEQUENCE_AT, TRACK_ID_AT};

    fn sample(size: u32, offset_ticks: i32, sync: bool) -> Sample {
        Sample { size, duration_ticks: 3600, offset_ticks, sync }
    }

    #[test]
    fn everything_that_is_patched_stands_where_it_is_said_to() {
        for samples in [
            vec![sample(100, 0, true)],
            vec![sample(100, 0, true), sample(20, 0, false)],
            vec![sample(100, 0, true), sample(20, 7200, false), sample(10, -3600, false), sample(90, 0, true)],
        ] {
            let mut out = Vec::new();
            write(&mut out, 7, 1, 0x1_0000_0002, &samples);
            let u32_at = |r: std::ops::Range<usize>| u32::from_be_bytes(out[r].try_into().unwrap());
            assert_eq!(u32_at(SEQUENCE_AT), 7);
            assert_eq!(u32_at(TRACK_ID_AT), 1);
            assert_eq!(u32_at(DESCRIPTION_AT), 1);
            assert_eq!(&out[DECODE_TIME_AT], &0x1_0000_0002u64.to_be_bytes());
            let moof = u32_at(0..4);
            assert_eq!(moof as usize + 8, out.len());
            assert_eq!(&out[TRUN_AT + 4..TRUN_AT + 8], b"trun");
            assert_eq!(u32_at(TRUN_AT..TRUN_AT + 4) as usize, out.len() - 8 - TRUN_AT);
            assert_eq!(u32_at(TRUN_AT + 16..TRUN_AT + 20), moof + 8);
            let payload: u32 = samples.iter().map(|s| s.size).sum();
            assert_eq!(u32_at(out.len() - 8..out.len() - 4), payload + 8);
        }
    }

    #[test]
    fn steady_audio_costs_four_bytes_a_sample() {
        let samples = vec![Sample { size: 300, duration_ticks: 1024, offset_ticks: 0, sync: true }; 188];
        let mut out = Vec::new();
        write(&mut out, 1, 2, 0, &samples);
        assert_eq!(out.len(), TRUN_AT + 20 + 188 * 4 + 8);
    }
}
