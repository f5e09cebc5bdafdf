//! The video of a source: its parameter sets, and its packets as samples.

use bytes::Bytes;

use super::nal::{self, Framing, Kind};
use super::obu;
use super::params::ParameterSets;
use super::timeline::Timeline;
use crate::ffmpeg::{VideoCodec, VideoParams, picture_size};
use crate::media::VIDEO_TIMESCALE;

/// Packets above this are no pictures. A 16K intra picture is a tenth of it.
const PACKET_MAX_BYTES: usize = 64 << 20;

pub(super) struct Video {
    params: VideoParams,
    framing: Framing,
    pub timeline: Timeline,
    /// What the decoder of the run in flight was told.
    sets: ParameterSets,
    /// Sets that came in the stream since the last keyframe.
    in_band: ParameterSets,
    /// A picture parameter set that the init segment does not have has been kept in a sample: from then on
    /// all are kept, or the decoder would go on with the wrong one.
    keeps_sets: bool,
    /// The size is of other parameter sets.
    size_is_stale: bool,
}

impl Video {
    pub(super) fn new(params: VideoParams) -> Self {
        let (sets, framing) = ParameterSets::from_extradata(params.codec, &params.extradata);
        let interval =
            if params.fps_num > 0 { i64::from(VIDEO_TIMESCALE) * i64::from(params.fps_den) / i64::from(params.fps_num) } else { 0 };
        Video {
            framing,
            timeline: Timeline::new(params.time_base, interval),
            sets,
            in_band: ParameterSets::default(),
            keeps_sets: false,
            size_is_stale: params.width == 0 || params.height == 0,
            params,
        }
    }

    /// Looks at the parameter sets in a keyframe; true when the pictures from here on need another decoder.
    pub(super) fn keyframe_changes_parameters(&mut self, data: &[u8]) -> bool {
        let codec = self.params.codec;
        let found = &mut self.in_band;
        if codec == VideoCodec::Av1 {
            obu::for_each(data, |kind, unit| {
                if kind == obu::SEQUENCE_HEADER {
                    found.push(Kind::Sps, unit);
                }
            });
        } else {
            nal::for_each(framing_of(self.framing, data), data, |unit| {
                let kind = nal::kind(codec, unit);
                if matches!(kind, Kind::Vps | Kind::Sps | Kind::Pps) {
                    found.push(kind, unit);
                }
            });
        }
        let found = std::mem::take(&mut self.in_band);
        if found.is_empty() || found.sequence.iter().all(|unit| self.sets.contains(Kind::Sps, unit)) {
            return false;
        }
        let had_any = !self.sets.is_empty();
        self.sets = found.over(codec, &self.sets);
        self.size_is_stale = had_any || self.params.width == 0 || self.params.height == 0;
        true
    }

    /// Parameters for an init segment, the size read from `keyframe` where it is not known. `None` while
    /// something is missing.
    pub(super) fn init_params(&mut self, keyframe: &[u8]) -> Option<VideoParams> {
        let codec = self.params.codec;
        if !self.sets.is_complete(codec) {
            return None;
        }
        let extradata = self.sets.to_extradata(codec);
        if self.size_is_stale {
            let (width, height) = self.size_from(&extradata, keyframe)?;
            (self.params.width, self.params.height) = (width, height);
            self.size_is_stale = false;
        }
        self.keeps_sets = false;
        Some(VideoParams { extradata, ..self.params.clone() })
    }

    fn size_from(&self, extradata: &Bytes, keyframe: &[u8]) -> Option<(u32, u32)> {
        let codec = self.params.codec;
        // The parser reads Annex B when its extradata is Annex B.
        let mut unit = extradata.to_vec();
        match codec {
            VideoCodec::Av1 => unit = keyframe.to_vec(),
            _ => {
                nal::for_each(framing_of(self.framing, keyframe), keyframe, |nal| {
                    unit.extend_from_slice(&[0, 0, 0, 1]);
                    unit.extend_from_slice(nal);
                });
            }
        }
        picture_size(codec, extradata, &unit)
    }

    /// Appends the packet as a sample. False when nothing of it is left or it is damaged; then `out` is as
    /// it was.
    pub(super) fn append(&mut self, data: &[u8], out: &mut Vec<u8>) -> bool {
        if data.len() > PACKET_MAX_BYTES {
            return false;
        }
        let begin = out.len();
        // Lengths may be longer than start codes: one byte more per unit, and units are few.
        grow(out, data.len() + data.len() / 16 + 64);
        let is_whole = if self.params.codec == VideoCodec::Av1 { self.append_obus(data, out) } else { self.append_nals(data, out) };
        if !is_whole {
            out.truncate(begin);
        }
        out.len() > begin
    }

    fn append_nals(&mut self, data: &[u8], out: &mut Vec<u8>) -> bool {
        let codec = self.params.codec;
        let (sets, in_band, keeps_sets) = (&self.sets, &mut self.in_band, &mut self.keeps_sets);
        nal::for_each(framing_of(self.framing, data), data, |unit| {
            match nal::kind(codec, unit) {
                Kind::Ballast => return,
                Kind::Other => {}
                kind => {
                    in_band.push(kind, unit);
                    if !*keeps_sets && sets.contains(kind, unit) {
                        return;
                    }
                    *keeps_sets = true;
                }
            }
            let length = u32::try_from(unit.len()).unwrap_or(0);
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(unit);
        })
    }

    fn append_obus(&mut self, data: &[u8], out: &mut Vec<u8>) -> bool {
        obu::for_each(data, |kind, unit| {
            if !obu::is_ballast(kind) {
                out.extend_from_slice(unit);
            }
        })
    }
}

/// The framing of this packet: senders that announce lengths and send start codes exist.
fn framing_of(announced: Framing, data: &[u8]) -> Framing {
    let starts = data.starts_with(&[0, 0, 0, 1]) || data.starts_with(&[0, 0, 1]);
    match announced {
        Framing::LengthPrefixed(_) if starts && !nal::for_each(announced, data, |_| {}) => Framing::AnnexB,
        announced => announced,
    }
}

/// Room for `more` bytes; grows by a quarter instead of doubling: 200 streams share the memory.
pub(super) fn grow(out: &mut Vec<u8>, more: usize) {
    if out.capacity() - out.len() < more {
        out.reserve_exact(more.max(out.capacity() / 4));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffmpeg::TimeBase;

    fn video(codec: VideoCodec, extradata: &'static [u8]) -> Video {
        Video::new(VideoParams {
            codec,
            extradata: Bytes::from_static(extradata),
            width: 640,
            height: 360,
            aspect_num: 0,
            aspect_den: 1,
            fps_num: 25,
            fps_den: 1,
            time_base: TimeBase::new(1, 90_000, 33),
        })
    }

    const SETS: &[u8] = &[0, 0, 0, 1, 0x67, 1, 2, 0, 0, 0, 1, 0x68, 3];

    #[test]
    fn known_sets_and_delimiters_are_left_out_of_samples() {
        let mut v = video(VideoCodec::H264, SETS);
        let packet = [0, 0, 0, 1, 9, 16, 0, 0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x68, 3, 0, 0, 1, 0x65, 8, 8];
        assert!(!v.keyframe_changes_parameters(&packet));
        let mut out = vec![7];
        assert!(v.append(&packet, &mut out));
        assert_eq!(out, [7, 0, 0, 0, 3, 0x65, 8, 8]);
    }

    #[test]
    fn another_sequence_set_is_a_change_and_another_picture_set_is_kept() {
        let mut v = video(VideoCodec::H264, SETS);
        let picture_only = [0, 0, 1, 0x68, 9, 0, 0, 1, 0x65, 1];
        assert!(!v.keyframe_changes_parameters(&picture_only));
        let mut out = Vec::new();
        v.append(&picture_only, &mut out);
        assert_eq!(out, [0, 0, 0, 2, 0x68, 9, 0, 0, 0, 2, 0x65, 1]);
        out.clear();
        v.append(&[0, 0, 1, 0x68, 3, 0, 0, 1, 0x41, 1], &mut out);
        assert_eq!(out, [0, 0, 0, 2, 0x68, 3, 0, 0, 0, 2, 0x41, 1]);
        assert!(v.keyframe_changes_parameters(&[0, 0, 1, 0x67, 5, 0, 0, 1, 0x68, 3, 0, 0, 1, 0x65, 1]));
    }

    #[test]
    fn sets_in_a_packet_of_their_own_count_for_the_next_keyframe() {
        let mut v = video(VideoCodec::H264, SETS);
        let mut out = Vec::new();
        v.append(&[0, 0, 1, 0x67, 5, 0, 0, 1, 0x68, 6], &mut out);
        assert!(v.keyframe_changes_parameters(&[0, 0, 1, 0x65, 1]));
        assert_eq!(&v.sets.to_extradata(VideoCodec::H264)[..], &[0, 0, 0, 1, 0x67, 5, 0, 0, 0, 1, 0x68, 6]);
    }

    #[test]
    fn damaged_packets_leave_nothing_behind() {
        let mut v = video(VideoCodec::H264, &[1, 0x64, 0, 0x1f, 0xff, 0xe1, 0, 2, 0x67, 1, 1, 0, 2, 0x68, 9]);
        let mut out = vec![1];
        assert!(!v.append(&[0, 0, 0, 2, 0x41, 1, 0, 0, 9, 9], &mut out));
        assert!(!v.append(&[], &mut out));
        assert_eq!(out, [1]);
        assert!(v.append(&[0, 0, 0, 1, 0x41, 1, 2], &mut out), "start codes where lengths were announced");
    }
}
