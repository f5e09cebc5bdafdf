//! Notices that the codec behind an MPEG-TS stream has changed.
//!
//! libavformat reads a stream's type from the first program map only: when a sender goes from H.264 to H.265 on
//! the same PID, it keeps the old parser and hands out nonsense. The access units themselves tell: in MPEG-TS
//! each begins with a delimiter or parameter set, whose first bytes cannot be taken for one another.

use super::VideoCodec;

/// So many access units in a row must look like the other codec: a damaged packet is no change.
const EVIDENCE: u32 = 4;

#[derive(Debug, Default)]
pub(super) struct CodecWatch {
    suspicious: u32,
}

impl CodecWatch {
    pub(super) fn look(&mut self, codec: VideoCodec, packet: &[u8]) -> Verdict {
        match looks_like_other(codec, packet) {
            Some(true) => self.suspicious += 1,
            Some(false) => self.suspicious = 0,
            None => {}
        }
        match self.suspicious {
            0 => Verdict::Same,
            n if n < EVIDENCE => Verdict::Suspicious,
            _ => Verdict::Changed,
        }
    }
}

/// What a packet shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    Same,
    /// Not to be recorded, but no proof yet.
    Suspicious,
    /// The stream is of another codec by now.
    Changed,
}

/// `None` where the first unit does not tell.
fn looks_like_other(codec: VideoCodec, packet: &[u8]) -> Option<bool> {
    let unit = packet.strip_prefix(&[0, 0, 0, 1]).or_else(|| packet.strip_prefix(&[0, 0, 1]))?;
    let [first, second] = *unit.first_chunk()?;
    // H.265 §7.3.1.2 VPS and access unit delimiter in the base layer: in H.264 the reserved type 0, and an SEI
    // that others refer to, which §7.4.1 forbids.
    let is_h265 = second == 1 && matches!(first, 0x40 | 0x46);
    // H.264 §7.4.1 access unit delimiter, or SPS of a known profile: in H.265 a layer that nobody sends.
    let is_h264 = (first == 0x09 && second & 0x0f == 0) || (first & 0x9f == 7 && matches!(second, 66 | 77 | 88 | 100 | 110 | 122 | 244));
    match codec {
        VideoCodec::H264 if is_h265 => Some(true),
        VideoCodec::H264 if is_h264 => Some(false),
        VideoCodec::H265 if is_h264 => Some(true),
        VideoCodec::H265 if is_h265 => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn access_units_of_the_other_codec_are_noticed_after_a_few() {
        let h264: &[u8] = &[0, 0, 0, 1, 0x09, 0xf0, 0, 0, 0, 1, 0x67, 0x64];
        let h265: &[u8] = &[0, 0, 0, 1, 0x46, 0x01, 0x50];
        for (codec, own, other) in [(VideoCodec::H264, h264, h265), (VideoCodec::H265, h265, h264)] {
            let mut watch = CodecWatch::default();
            assert!((0..100).all(|_| watch.look(codec, own) == Verdict::Same));
            assert_eq!(watch.look(codec, other), Verdict::Suspicious);
            assert_eq!(watch.look(codec, own), Verdict::Same);
            let seen: Vec<Verdict> = (0..4).map(|_| watch.look(codec, other)).collect();
            assert_eq!(seen, [Verdict::Suspicious, Verdict::Suspicious, Verdict::Suspicious, Verdict::Changed]);
        }
    }
}
