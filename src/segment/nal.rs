//! NAL units: from Annex B or length-prefixed access units to what a sample holds.
//!
//! Source: ITU-T H.264 annex B and §7.4.1, H.265 annex B and §7.4.2.2; ISO/IEC 14496-15 §5.3 (what samples hold).

use memchr::memmem;

use crate::ffmpeg::VideoCodec;

/// How NAL units are marked off in the source's packets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Framing {
    AnnexB,
    /// Each unit after its length in so many bytes (1, 2 or 4).
    LengthPrefixed(u8),
}

/// What a unit is, as far as recording cares.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Vps,
    Sps,
    Pps,
    /// Access unit delimiter or filler data: no picture needs it, samples must or should not hold it.
    Ballast,
    Other,
}

pub(super) fn kind(codec: VideoCodec, unit: &[u8]) -> Kind {
    let Some(first) = unit.first() else { return Kind::Ballast };
    match codec {
        VideoCodec::H264 => match first & 0x1f {
            7 => Kind::Sps,
            8 => Kind::Pps,
            9 | 12 => Kind::Ballast,
            _ => Kind::Other,
        },
        VideoCodec::H265 => match (first >> 1) & 0x3f {
            32 => Kind::Vps,
            33 => Kind::Sps,
            34 => Kind::Pps,
            35 | 38 => Kind::Ballast,
            _ => Kind::Other,
        },
        VideoCodec::Av1 => Kind::Other,
    }
}

/// Calls `f` with each unit of an access unit, without start codes, lengths and trailing zeros. False when
/// the bytes do not have this framing; then `f` may have seen units already.
pub(super) fn for_each<'a>(framing: Framing, data: &'a [u8], mut f: impl FnMut(&'a [u8])) -> bool {
    match framing {
        Framing::AnnexB => annex_b(data, f),
        Framing::LengthPrefixed(bytes) => {
            let bytes = usize::from(bytes);
            let mut rest = data;
            while !rest.is_empty() {
                let Some((length, tail)) = rest.split_at_checked(bytes) else { return false };
                let length = length.iter().fold(0usize, |n, b| n << 8 | usize::from(*b));
                let Some((unit, tail)) = tail.split_at_checked(length) else { return false };
                f(unit);
                rest = tail;
            }
            true
        }
    }
}

fn annex_b<'a>(data: &'a [u8], mut f: impl FnMut(&'a [u8])) -> bool {
    thread_local! {
        // Building a searcher costs as much as searching a small packet.
        static START_CODE: memmem::Finder<'static> = memmem::Finder::new(&[0, 0, 1]);
    }
    START_CODE.with(|finder| {
        let Some(first) = finder.find(data) else { return false };
        let mut begin = first + 3;
        loop {
            let next = finder.find(&data[begin..]).map(|at| begin + at);
            let unit = &data[begin..next.unwrap_or(data.len())];
            // Zeros before a start code belong to it (the four-byte form) or are padding.
            let used = unit.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
            if used > 0 {
                f(&unit[..used]);
            }
            match next {
                Some(next) => begin = next + 3,
                None => return true,
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn units(framing: Framing, data: &[u8]) -> Option<Vec<Vec<u8>>> {
        let mut out = Vec::new();
        for_each(framing, data, |u| out.push(u.to_vec())).then_some(out)
    }

    #[test]
    fn both_start_codes_and_padding_are_left_out() {
        let data = [0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 2, 0, 0, 0, 0, 1, 0x65, 0, 0, 3, 1, 0, 0];
        let got = units(Framing::AnnexB, &data).unwrap();
        assert_eq!(got, [vec![0x67, 1], vec![0x68, 2], vec![0x65, 0, 0, 3, 1]]);
    }

    #[test]
    fn lengths_must_add_up() {
        assert_eq!(units(Framing::LengthPrefixed(4), &[0, 0, 0, 2, 1, 2, 0, 0, 0, 1, 9]).unwrap(), [vec![1, 2], vec![9]]);
        assert_eq!(units(Framing::LengthPrefixed(2), &[0, 1, 7]).unwrap(), [vec![7]]);
        assert!(units(Framing::LengthPrefixed(4), &[0, 0, 0, 9, 1]).is_none());
        assert!(units(Framing::LengthPrefixed(4), &[0, 0]).is_none());
        assert!(units(Framing::AnnexB, &[1, 2, 3]).is_none());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(data in proptest::collection::vec(prop_oneof![Just(0u8), Just(1u8), any::<u8>()], 0..200)) {
            for framing in [Framing::AnnexB, Framing::LengthPrefixed(1), Framing::LengthPrefixed(4)] {
                units(framing, &data);
            }
        }
    }
}
