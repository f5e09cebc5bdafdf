//! What a source carries, in our words.

use bytes::Bytes;
use ffmpeg_next::ffi::{self, AVCodecID};

use super::ffi_util::{bytes, static_str};

/// Which of the two tracks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Media {
    Video,
    Audio,
}

/// Video that is recorded.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum VideoCodec {
    H264,
    H265,
    Av1,
}

/// Audio that is recorded as it comes; anything else is recoded to AAC or left out.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AudioCodec {
    Aac,
    Opus,
    Mp3,
}

impl VideoCodec {
    /// For people and programs.
    pub fn name(self) -> &'static str {
        match self {
            VideoCodec::H264 => "h264",
            VideoCodec::H265 => "h265",
            VideoCodec::Av1 => "av1",
        }
    }
    pub(super) fn id(self) -> AVCodecID {
        match self {
            VideoCodec::H264 => AVCodecID::AV_CODEC_ID_H264,
            VideoCodec::H265 => AVCodecID::AV_CODEC_ID_HEVC,
            VideoCodec::Av1 => AVCodecID::AV_CODEC_ID_AV1,
        }
    }
    pub(super) fn from_id(id: AVCodecID) -> Option<Self> {
        [VideoCodec::H264, VideoCodec::H265, VideoCodec::Av1].into_iter().find(|c| c.id() == id)
    }
}

impl AudioCodec {
    /// For people and programs.
    pub fn name(self) -> &'static str {
        match self {
            AudioCodec::Aac => "aac",
            AudioCodec::Opus => "opus",
            AudioCodec::Mp3 => "mp3",
        }
    }
    pub(super) fn id(self) -> AVCodecID {
        match self {
            AudioCodec::Aac => AVCodecID::AV_CODEC_ID_AAC,
            AudioCodec::Opus => AVCodecID::AV_CODEC_ID_OPUS,
            AudioCodec::Mp3 => AVCodecID::AV_CODEC_ID_MP3,
        }
    }
    pub(super) fn from_id(id: AVCodecID) -> Option<Self> {
        [AudioCodec::Aac, AudioCodec::Opus, AudioCodec::Mp3].into_iter().find(|c| c.id() == id)
    }
}

/// Seconds per tick as a fraction, and after how many bits the source's counter starts again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimeBase {
    pub num: u32,
    pub den: u32,
    /// 33 for MPEG-TS; 64 when it does not wrap.
    pub wrap_bits: u8,
}

impl TimeBase {
    pub const fn new(num: u32, den: u32, wrap_bits: u8) -> Self {
        TimeBase { num, den, wrap_bits }
    }
}

/// A video track as the source describes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VideoParams {
    pub codec: VideoCodec,
    /// `avcC`/`hvcC`/`av1C` content, or parameter sets in Annex B form, or empty when they come in the stream.
    pub extradata: Bytes,
    /// Of the picture as shown, in pixels; 0 when the source does not say.
    pub width: u32,
    pub height: u32,
    /// Width of a pixel over its height; 0/1 when unknown.
    pub aspect_num: u32,
    pub aspect_den: u32,
    /// Nominal frame rate; 0/1 when unknown.
    pub fps_num: u32,
    pub fps_den: u32,
    pub time_base: TimeBase,
}

/// An audio track as it is recorded: after recoding, where that is needed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AudioParams {
    pub codec: AudioCodec,
    /// AudioSpecificConfig or OpusHead; empty when it comes in the stream (ADTS) or is not needed (MP3).
    pub extradata: Bytes,
    /// What is played; the timescale of the track we write.
    pub sample_rate: u32,
    pub channels: u32,
    pub time_base: TimeBase,
    /// What the source sends when that is not what is recorded, for instance `pcm_alaw`.
    pub recoded_from: Option<&'static str>,
}

/// The tracks of a source that are recorded. At least one is there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tracks {
    pub video: Option<VideoParams>,
    pub audio: Option<AudioParams>,
}

pub(super) fn codec_name(id: AVCodecID) -> &'static str {
    // SAFETY: always gives a static text.
    unsafe { static_str(ffi::avcodec_get_name(id)) }
}

fn time_base(stream: &ffi::AVStream) -> TimeBase {
    let positive = |v: i32| u32::try_from(v).ok().filter(|v| *v > 0).unwrap_or(1);
    let wrap_bits = u8::try_from(stream.pts_wrap_bits).ok().filter(|b| (24..=64).contains(b)).unwrap_or(64);
    TimeBase::new(positive(stream.time_base.num), positive(stream.time_base.den), wrap_bits)
}

fn fraction(r: ffi::AVRational) -> Option<(u32, u32)> {
    match (u32::try_from(r.num), u32::try_from(r.den)) {
        (Ok(num), Ok(den)) if num > 0 && den > 0 => Some((num, den)),
        _ => None,
    }
}

/// # Safety
/// `stream` is valid, with its codec parameters.
pub(super) unsafe fn video_params(stream: *const ffi::AVStream) -> Option<VideoParams> {
    // SAFETY: by the contract above.
    let (stream, parameters) = unsafe { (&*stream, &*(*stream).codecpar) };
    let codec = VideoCodec::from_id(parameters.codec_id)?;
    // A guess far outside what cameras do (a time base taken for a rate) is worse than none.
    let plausible = |r: &(u32, u32)| r.0 <= r.1.saturating_mul(300);
    let (fps_num, fps_den) =
        [stream.avg_frame_rate, stream.r_frame_rate].into_iter().filter_map(fraction).find(plausible).unwrap_or((0, 1));
    let (aspect_num, aspect_den) =
        [stream.sample_aspect_ratio, parameters.sample_aspect_ratio].into_iter().find_map(fraction).unwrap_or((0, 1));
    Some(VideoParams {
        codec,
        // SAFETY: extradata is valid for extradata_size.
        extradata: Bytes::copy_from_slice(unsafe { bytes(parameters.extradata, parameters.extradata_size) }),
        width: u32::try_from(parameters.width).unwrap_or(0),
        height: u32::try_from(parameters.height).unwrap_or(0),
        aspect_num,
        aspect_den,
        fps_num,
        fps_den,
        time_base: time_base(stream),
    })
}

/// The audio as the source has it, when its codec is one we copy.
///
/// # Safety
/// `stream` is valid, with its codec parameters.
pub(super) unsafe fn audio_params(stream: *const ffi::AVStream) -> Option<AudioParams> {
    // SAFETY: by the contract above.
    let (stream, parameters) = unsafe { (&*stream, &*(*stream).codecpar) };
    let codec = AudioCodec::from_id(parameters.codec_id)?;
    Some(AudioParams {
        codec,
        // SAFETY: extradata is valid for extradata_size.
        extradata: Bytes::copy_from_slice(unsafe { bytes(parameters.extradata, parameters.extradata_size) }),
        sample_rate: u32::try_from(parameters.sample_rate).unwrap_or(0),
        channels: u32::try_from(parameters.ch_layout.nb_channels).unwrap_or(0),
        time_base: time_base(stream),
        recoded_from: None,
    })
}

/// # Safety
/// `stream` is valid.
pub(super) unsafe fn stream_time_base(stream: *const ffi::AVStream) -> TimeBase {
    // SAFETY: by the contract above.
    time_base(unsafe { &*stream })
}
