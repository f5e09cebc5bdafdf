//! The video of a source: its parameter sets, and its packets as samples.

use bytes::Bytes;

use super::nal::{self, Framing, Kind};
use super::obu;
use super::params::ParameterSets;
use super::timeline::Timeline;
use crate::ffmpeg::{VideoCodec, VideoParams, init_segment, picture_size};
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
    /// Size of the picture that `sets` describe, once known.
    size: Option<(u32, u32)>,
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
            size: (params.width > 0 && params.height > 0).then_some((params.width, params.height)),
            params,
        }
    }

    /// What the source said of the track.
    pub(super) fn declared(&self) -> &VideoParams {
        &self.params
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
        let new = found.over(codec, &self.sets);
        // A damaged packet must not end a run: what no decoder can use is not believed.
        let Some(size) = self.usable_size(&new, self.size.filter(|_| self.sets.is_empty()), data) else { return false };
        self.sets = new;
        self.size = Some(size);
        true
    }

    /// Parameters for an init segment, the size read from `keyframe` where it is not known. `None` while
    /// something is missing or cannot be used.
    pub(super) fn init_params(&mut self, keyframe: &[u8]) -> Option<VideoParams> {
        let size = self.usable_size(&self.sets, self.size, keyframe)?;
        self.size = Some(size);
        self.keeps_sets = false;
        Some(self.params_with(&self.sets, size))
    }

    fn params_with(&self, sets: &ParameterSets, (width, height): (u32, u32)) -> VideoParams {
        VideoParams { extradata: sets.to_extradata(self.params.codec), width, height, ..self.params.clone() }
    }

    /// The picture's size, if an init segment can be made of these sets.
    fn usable_size(&self, sets: &ParameterSets, known: Option<(u32, u32)>, keyframe: &[u8]) -> Option<(u32, u32)> {
        if !sets.is_complete(self.params.codec) {
            return None;
        }
        let size = known.or_else(|| self.size_from(&sets.to_extradata(self.params.codec), keyframe))?;
        init_segment(Some(&self.params_with(sets, size)), None).is_ok().then_some(size)
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
    ///
    /// A keyframe is given the parameter sets of the init segment, whether the source repeats them or not: a
    /// player that has gone from one run to another without looking at the new init segment (libavformat's HLS,
    /// a clip over several runs) finds them there. 50 bytes each.
    pub(super) fn append(&mut self, data: &[u8], is_keyframe: bool, out: &mut Vec<u8>) -> bool {
        if data.len() > PACKET_MAX_BYTES {
            return false;
        }
        let begin = out.len();
        // Lengths may be longer than start codes: one byte more per unit, and units are few.
        grow(out, data.len() + data.len() / 16 + 256);
        if is_keyframe && self.params.codec != VideoCodec::Av1 {
            self.sets.append_to(self.params.codec, out);
        }
        let sets_end = out.len();
        let is_whole = if self.params.codec == VideoCodec::Av1 { self.append_obus(data, out) } else { self.append_nals(data, out) };
        if !is_whole || out.len() == sets_end {
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
    fn a_keyframe_has_its_sets_once_and_no_delimiters() {
        let mut v = video(VideoCodec::H264, SETS);
        let packet = [0, 0, 0, 1, 9, 16, 0, 0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x68, 3, 0, 0, 1, 0x65, 8, 8];
        assert!(!v.keyframe_changes_parameters(&packet));
        let mut out = vec![7];
        assert!(v.append(&packet, true, &mut out));
        assert_eq!(out, [7, 0, 0, 0, 3, 0x67, 1, 2, 0, 0, 0, 2, 0x68, 3, 0, 0, 0, 3, 0x65, 8, 8]);
        out.clear();
        assert!(v.append(&[0, 0, 1, 0x65, 8, 8], true, &mut out), "a source that does not repeat them");
        assert_eq!(out, [0, 0, 0, 3, 0x67, 1, 2, 0, 0, 0, 2, 0x68, 3, 0, 0, 0, 3, 0x65, 8, 8]);
        assert!(!v.append(&[0, 0, 1, 0x67, 1, 2], true, &mut Vec::new()), "sets alone are no picture");
    }

    #[test]
    fn another_picture_set_is_no_change_but_kept() {
        let mut v = video(VideoCodec::H264, SETS);
        let picture_only = [0, 0, 1, 0x68, 9, 0, 0, 1, 0x65, 1];
        assert!(!v.keyframe_changes_parameters(&picture_only));
        let mut out = Vec::new();
        v.append(&picture_only, true, &mut out);
        assert!(out.ends_with(&[0, 0, 0, 2, 0x68, 3, 0, 0, 0, 2, 0x68, 9, 0, 0, 0, 2, 0x65, 1]), "its own come last, and hold");
        out.clear();
        v.append(&[0, 0, 1, 0x68, 3, 0, 0, 1, 0x41, 1], false, &mut out);
        assert_eq!(out, [0, 0, 0, 2, 0x68, 3, 0, 0, 0, 2, 0x41, 1]);
    }

    /// 640x360 of x264.
    const OTHER: &[u8] =
        &[0x67, 0x42, 0xc0, 0x1e, 0xda, 0x02, 0x80, 0xbf, 0xe5, 0xc0, 0x44, 0, 0, 3, 0, 4, 0, 0, 3, 0, 0xc8, 0x3c, 0x58, 0xba, 0x80];

    #[test]
    fn another_sequence_set_is_a_change_also_in_a_packet_of_its_own() {
        let sets = [&[0, 0, 1][..], OTHER, &[0, 0, 1, 0x68, 0xce, 0x0f, 0xc8]].concat();
        let picture = [0, 0, 1, 0x65, 0x88, 0x84, 0x3f];
        let mut v = video(VideoCodec::H264, SETS);
        assert!(v.keyframe_changes_parameters(&[&sets[..], &picture].concat()));
        let mut v = video(VideoCodec::H264, SETS);
        v.append(&sets, false, &mut Vec::new());
        assert!(v.keyframe_changes_parameters(&picture));
        assert_eq!(&v.sets.sequence, &[OTHER.to_vec()]);
        assert_eq!(v.size, Some((640, 360)));
    }

    #[test]
    fn a_sequence_set_that_no_decoder_can_use_is_not_believed() {
        let mut v = video(VideoCodec::H264, SETS);
        assert!(!v.keyframe_changes_parameters(&[0, 0, 1, 0x67, 0, 0xff, 0, 0, 1, 0x68, 3, 0, 0, 1, 0x65, 1]));
        assert_eq!(v.size, Some((640, 360)));
    }

    #[test]
    fn damaged_packets_leave_nothing_behind() {
        let mut v = video(VideoCodec::H264, &[1, 0x64, 0, 0x1f, 0xff, 0xe1, 0, 2, 0x67, 1, 1, 0, 2, 0x68, 9]);
        let mut out = vec![1];
        assert!(!v.append(&[0, 0, 0, 2, 0x41, 1, 0, 0, 9, 9], false, &mut out));
        assert!(!v.append(&[], false, &mut out));
        assert_eq!(out, [1]);
        assert!(v.append(&[0, 0, 0, 1, 0x41, 1, 2], false, &mut out), "start codes where lengths were announced");
    }
}
