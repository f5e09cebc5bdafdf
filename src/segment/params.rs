//! Parameter sets: what a decoder must know before the first picture, and when it changes.

use bytes::Bytes;

use super::nal::{self, Framing, Kind};
use crate::ffmpeg::VideoCodec;

/// VPS, SPS and PPS of H.264 or H.265 in the order they came; or the sequence header OBU of AV1.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct ParameterSets {
    /// VPS and SPS, or the AV1 sequence header: another one of these is another decoder.
    pub sequence: Vec<Vec<u8>>,
    pub picture: Vec<Vec<u8>>,
}

impl ParameterSets {
    /// Whether pictures can be decoded with these alone.
    pub(super) fn is_complete(&self, codec: VideoCodec) -> bool {
        !self.sequence.is_empty() && (codec == VideoCodec::Av1 || !self.picture.is_empty())
    }

    pub(super) fn push(&mut self, kind: Kind, unit: &[u8]) {
        let used = unit.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
        let unit = &unit[..used];
        let list = if kind == Kind::Pps { &mut self.picture } else { &mut self.sequence };
        // A hostile source may send any number: no real one has more than a handful.
        if list.len() < 64 && !list.iter().any(|known| known == unit) {
            list.push(unit.to_vec());
        }
    }

    pub(super) fn contains(&self, kind: Kind, unit: &[u8]) -> bool {
        let list = if kind == Kind::Pps { &self.picture } else { &self.sequence };
        list.iter().any(|known| known == unit)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sequence.is_empty() && self.picture.is_empty()
    }

    /// These sets, completed with the kinds that only `older` has.
    pub(super) fn over(mut self, codec: VideoCodec, older: &ParameterSets) -> ParameterSets {
        for kind in [Kind::Vps, Kind::Sps] {
            if !self.sequence.iter().any(|unit| set_kind(codec, unit) == kind) {
                self.sequence.extend(older.sequence.iter().filter(|unit| set_kind(codec, unit) == kind).cloned());
            }
        }
        if self.picture.is_empty() {
            self.picture.clone_from(&older.picture);
        }
        self
    }

    /// In the form the muxer takes: Annex B, or bare OBUs.
    pub(super) fn to_extradata(&self, codec: VideoCodec) -> Bytes {
        let start_code: &[u8] = if codec == VideoCodec::Av1 { &[] } else { &[0, 0, 0, 1] };
        let mut out = Vec::new();
        for unit in self.in_order(codec) {
            out.extend_from_slice(start_code);
            out.extend_from_slice(unit);
        }
        out.into()
    }

    /// Appends all sets as a sample has them, each behind its length.
    pub(super) fn append_to(&self, codec: VideoCodec, out: &mut Vec<u8>) {
        for unit in self.in_order(codec) {
            out.extend_from_slice(&u32::try_from(unit.len()).unwrap_or(0).to_be_bytes());
            out.extend_from_slice(unit);
        }
    }

    /// VPS before SPS before PPS, whatever the order they came in.
    fn in_order(&self, codec: VideoCodec) -> impl Iterator<Item = &Vec<u8>> {
        let is_sps = move |unit: &&Vec<u8>| matches!(nal::kind(codec, unit), Kind::Sps);
        let first = self.sequence.iter().filter(move |unit| !is_sps(unit));
        first.chain(self.sequence.iter().filter(is_sps)).chain(&self.picture)
    }

    /// From a container's codec parameters; what cannot be read is left out.
    pub(super) fn from_extradata(codec: VideoCodec, extradata: &[u8]) -> (ParameterSets, Framing) {
        let read = match codec {
            VideoCodec::H264 => from_avcc(extradata),
            VideoCodec::H265 => from_hvcc(extradata),
            VideoCodec::Av1 => from_av1c(extradata).map(|sets| (sets, Framing::AnnexB)),
        };
        read.unwrap_or_else(|| {
            let mut sets = ParameterSets::default();
            if codec == VideoCodec::Av1 {
                super::obu::for_each(extradata, |kind, obu| {
                    if kind == super::obu::SEQUENCE_HEADER {
                        sets.push(Kind::Sps, obu);
                    }
                });
            } else {
                nal::for_each(Framing::AnnexB, extradata, |unit| sets.push_if_set(codec, unit));
            }
            (sets, Framing::AnnexB)
        })
    }

    fn push_if_set(&mut self, codec: VideoCodec, unit: &[u8]) {
        let kind = nal::kind(codec, unit);
        if matches!(kind, Kind::Vps | Kind::Sps | Kind::Pps) {
            self.push(kind, unit);
        }
    }
}

fn set_kind(codec: VideoCodec, unit: &[u8]) -> Kind {
    if codec == VideoCodec::Av1 { Kind::Sps } else { nal::kind(codec, unit) }
}

/// Reads big-endian numbers and lists from a configuration record.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(n)?;
        self.0 = tail;
        Some(head)
    }
    fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|b| b[0])
    }
    fn u16(&mut self) -> Option<usize> {
        self.take(2).map(|b| usize::from(b[0]) << 8 | usize::from(b[1]))
    }
    fn unit(&mut self) -> Option<&'a [u8]> {
        let len = self.u16()?;
        self.take(len)
    }
}

/// AVCDecoderConfigurationRecord, ISO/IEC 14496-15 §5.3.3.1.
fn from_avcc(record: &[u8]) -> Option<(ParameterSets, Framing)> {
    if record.first() != Some(&1) {
        return None;
    }
    let mut r = Reader(record.get(4..)?);
    let length_bytes = (r.u8()? & 3) + 1;
    let mut sets = ParameterSets::default();
    for _ in 0..r.u8()? & 0x1f {
        sets.push(Kind::Sps, r.unit()?);
    }
    for _ in 0..r.u8()? {
        sets.push(Kind::Pps, r.unit()?);
    }
    Some((sets, Framing::LengthPrefixed(length_bytes)))
}

/// HEVCDecoderConfigurationRecord, ISO/IEC 14496-15 §8.3.3.1.
fn from_hvcc(record: &[u8]) -> Option<(ParameterSets, Framing)> {
    // Annex B begins with zeros; early encoders wrote version 0, but never with a profile of 0.
    if record.len() < 23 || (record[0] == 0 && record[1] == 0) {
        return None;
    }
    let mut r = Reader(record.get(21..)?);
    let length_bytes = (r.u8()? & 3) + 1;
    let mut sets = ParameterSets::default();
    for _ in 0..r.u8()? {
        r.u8()?;
        for _ in 0..r.u16()? {
            sets.push_if_set(VideoCodec::H265, r.unit()?);
        }
    }
    Some((sets, Framing::LengthPrefixed(length_bytes)))
}

/// AV1CodecConfigurationRecord, AV1 in ISOBMFF §2.3.
fn from_av1c(record: &[u8]) -> Option<ParameterSets> {
    if record.first() != Some(&0x81) {
        return None;
    }
    let mut sets = ParameterSets::default();
    super::obu::for_each(record.get(4..)?, |kind, obu| {
        if kind == super::obu::SEQUENCE_HEADER {
            sets.push(Kind::Sps, obu);
        }
    });
    Some(sets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn avcc_and_annex_b_give_the_same_sets() {
        let avcc = [1, 0x64, 0, 0x1f, 0xff, 0xe1, 0, 3, 0x67, 0x64, 7, 1, 0, 2, 0x68, 9];
        let annex_b = [0, 0, 0, 1, 0x67, 0x64, 7, 0, 0, 1, 0x68, 9];
        let (a, framing) = ParameterSets::from_extradata(VideoCodec::H264, &avcc);
        let (b, bare) = ParameterSets::from_extradata(VideoCodec::H264, &annex_b);
        assert_eq!(a, b);
        assert_eq!((framing, bare), (Framing::LengthPrefixed(4), Framing::AnnexB));
        assert!(a.is_complete(VideoCodec::H264));
        assert_eq!(&a.to_extradata(VideoCodec::H264)[..], &[0, 0, 0, 1, 0x67, 0x64, 7, 0, 0, 0, 1, 0x68, 9]);
    }

    proptest! {
        #[test]
        fn arbitrary_extradata_never_panics(mut data in proptest::collection::vec(any::<u8>(), 0..80), first in prop_oneof![Just(1u8), Just(0x81), any::<u8>()]) {
            if let Some(b) = data.first_mut() { *b = first; }
            for codec in [VideoCodec::H264, VideoCodec::H265, VideoCodec::Av1] {
                let (sets, _) = ParameterSets::from_extradata(codec, &data);
                sets.to_extradata(codec);
            }
        }
    }
}
