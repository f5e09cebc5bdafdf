//! Init segments: `ftyp` + `moov`, by libavformat's MP4 muxer, to memory.
//!
//! The same parameters give the same bytes whatever container they came from: no dates, no encoder names, no
//! bit rates, no edit lists. So equal init segments mean equal decoders.

use std::ptr;

use bytes::Bytes;
use ffmpeg_next::ffi::{self, AVMediaType, AVRational};

use super::ffi_util::{CodecContext, Dictionary, bytes, check, out_of_memory, set_extradata};
use super::{AudioCodec, AudioParams, Error, VideoCodec, VideoParams, codec_string};
use crate::media::{AUDIO_TRACK_ID, AudioTrack, VIDEO_TIMESCALE, VIDEO_TRACK_ID, VideoTrack};

/// An init segment and what it says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InitSegment {
    pub bytes: Bytes,
    pub video: Option<VideoTrack>,
    pub audio: Option<AudioTrack>,
}

/// Makes the init segment for these tracks: video is track 1 in 90 kHz, audio track 2 in its sample rate.
/// Extradata may be in Annex B form. AAC must have its AudioSpecificConfig; OpusHead is made when missing.
///
/// # Errors
/// When parameters are missing or the muxer refuses them.
pub fn init_segment(video: Option<&VideoParams>, audio: Option<&AudioParams>) -> Result<InitSegment, Error> {
    if video.is_some_and(|v| v.extradata.is_empty() || v.width == 0 || v.height == 0) {
        return Err(Error::Invalid("the video's parameters are not known yet"));
    }
    if audio.is_some_and(|a| a.sample_rate == 0 || a.channels == 0 || (a.codec == AudioCodec::Aac && a.extradata.is_empty())) {
        return Err(Error::Invalid("the audio's parameters are not known yet"));
    }
    let muxer = Muxer::new()?;
    if let Some(v) = video {
        muxer.add_video(v)?;
    }
    if let Some(a) = audio {
        muxer.add_audio(a)?;
    }
    let bytes = muxer.header()?;
    let codecs = codec_string::read(&bytes).ok_or(Error::Invalid("the codec's parameters cannot be read"))?;
    let video = match (video, codecs.video) {
        (Some(v), Some(codec)) => {
            Some(VideoTrack { codec, width: v.width, height: v.height, fps_num: v.fps_num, fps_den: v.fps_den.max(1) })
        }
        (None, _) => None,
        (Some(_), None) => return Err(Error::Invalid("the video's parameters cannot be read")),
    };
    let audio = match (audio, codecs.audio) {
        (Some(a), Some(codec)) => Some(AudioTrack { codec, sample_rate: a.sample_rate, channels: a.channels }),
        (None, _) => None,
        (Some(_), None) => return Err(Error::Invalid("the audio's parameters cannot be read")),
    };
    Ok(InitSegment { bytes, video, audio })
}

/// The size in pixels of the picture in `keyframe` (an access unit in the source's form), as the codec's
/// parser reads it. For sources whose container does not say, and for parameter sets that changed.
pub fn picture_size(codec: VideoCodec, extradata: &[u8], keyframe: &[u8]) -> Option<(u32, u32)> {
    let size = i32::try_from(keyframe.len()).ok()?;
    // The parser may read beyond the end by the padding.
    let mut padded = Vec::with_capacity(keyframe.len() + ffi::AV_INPUT_BUFFER_PADDING_SIZE as usize);
    padded.extend_from_slice(keyframe);
    padded.resize(keyframe.len() + ffi::AV_INPUT_BUFFER_PADDING_SIZE as usize, 0);
    // SAFETY: parser and context are freed below on every path; the buffer outlives the call.
    unsafe {
        let decoder = ffi::avcodec_find_decoder(codec.id());
        let context = CodecContext::new(decoder).ok()?;
        if !extradata.is_empty() {
            let copy = ffi::av_mallocz(extradata.len() + ffi::AV_INPUT_BUFFER_PADDING_SIZE as usize).cast::<u8>();
            if copy.is_null() {
                return None;
            }
            ptr::copy_nonoverlapping(extradata.as_ptr(), copy, extradata.len());
            (*context.as_ptr()).extradata = copy;
            (*context.as_ptr()).extradata_size = i32::try_from(extradata.len()).ok()?;
        }
        let parser = ffi::av_parser_init(codec.id() as i32);
        if parser.is_null() {
            return None;
        }
        (*parser).flags |= ffi::PARSER_FLAG_COMPLETE_FRAMES;
        let (mut out, mut out_size) = (ptr::null_mut(), 0);
        let none = ffi::AV_NOPTS_VALUE;
        ffi::av_parser_parse2(parser, context.as_ptr(), &mut out, &mut out_size, padded.as_ptr(), size, none, none, 0);
        let from_parser = ((*parser).width, (*parser).height);
        let from_context = ((*context.as_ptr()).width, (*context.as_ptr()).height);
        ffi::av_parser_close(parser);
        [from_parser, from_context].into_iter().find(|(w, h)| *w > 0 && *h > 0).map(|(w, h)| (w.unsigned_abs(), h.unsigned_abs()))
    }
}

struct Muxer {
    context: *mut ffi::AVFormatContext,
}

impl Muxer {
    fn new() -> Result<Self, Error> {
        let mut context = ptr::null_mut();
        // SAFETY: allocates; freed in `drop`.
        unsafe {
            let code = ffi::avformat_alloc_output_context2(&mut context, ptr::null(), c"mp4".as_ptr(), ptr::null());
            check("prepare the MP4 muxer", code)?;
            let muxer = Muxer { context };
            // Deterministic: no encoder name in the file.
            (*context).flags |= ffi::AVFMT_FLAG_BITEXACT;
            (*context).strict_std_compliance = ffi::FF_COMPLIANCE_EXPERIMENTAL;
            check("prepare the MP4 muxer", ffi::avio_open_dyn_buf(&mut (*context).pb))?;
            Ok(muxer)
        }
    }

    fn add_stream(&self, id: u32, time_base: AVRational) -> Result<*mut ffi::AVStream, Error> {
        // SAFETY: the stream belongs to the context.
        unsafe {
            let stream = ffi::avformat_new_stream(self.context, ptr::null());
            if stream.is_null() {
                return Err(out_of_memory());
            }
            (*stream).id = id as i32;
            (*stream).time_base = time_base;
            Ok(stream)
        }
    }

    fn add_video(&self, v: &VideoParams) -> Result<(), Error> {
        let stream = self.add_stream(VIDEO_TRACK_ID, rational(1, VIDEO_TIMESCALE))?;
        // SAFETY: the new stream's own fields.
        unsafe {
            let p = &mut *(*stream).codecpar;
            p.codec_type = AVMediaType::AVMEDIA_TYPE_VIDEO;
            p.codec_id = v.codec.id();
            p.codec_tag = match v.codec {
                VideoCodec::H264 => u32::from_le_bytes(*b"avc1"),
                VideoCodec::H265 => u32::from_le_bytes(*b"hvc1"),
                VideoCodec::Av1 => u32::from_le_bytes(*b"av01"),
            };
            p.width = i32::try_from(v.width).map_err(|_| Error::Invalid("the picture is too large"))?;
            p.height = i32::try_from(v.height).map_err(|_| Error::Invalid("the picture is too large"))?;
            if v.aspect_num > 0 && v.aspect_num != v.aspect_den {
                p.sample_aspect_ratio = rational(v.aspect_num, v.aspect_den);
                (*stream).sample_aspect_ratio = p.sample_aspect_ratio;
            }
            set_extradata(p, &v.extradata)
        }
    }

    fn add_audio(&self, a: &AudioParams) -> Result<(), Error> {
        let stream = self.add_stream(AUDIO_TRACK_ID, rational(1, a.sample_rate))?;
        // SAFETY: the new stream's own fields.
        unsafe {
            let p = &mut *(*stream).codecpar;
            p.codec_type = AVMediaType::AVMEDIA_TYPE_AUDIO;
            p.codec_id = a.codec.id();
            p.sample_rate = i32::try_from(a.sample_rate).map_err(|_| Error::Invalid("the sample rate is too high"))?;
            ffi::av_channel_layout_default(&mut p.ch_layout, i32::try_from(a.channels).unwrap_or(2));
            // The muxer complains without one; it is not written.
            p.frame_size = 1024;
            match a.codec {
                AudioCodec::Opus if a.extradata.len() < 19 => set_extradata(p, &opus_head(a)),
                AudioCodec::Mp3 => Ok(()),
                _ => set_extradata(p, &a.extradata),
            }
        }
    }

    fn header(mut self) -> Result<Bytes, Error> {
        let timescale = VIDEO_TIMESCALE.to_string();
        let mut options = Dictionary::new([
            ("movflags", "empty_moov+default_base_moof"),
            ("use_stream_ids_as_track_ids", "1"),
            ("video_track_timescale", timescale.as_str()),
            ("use_editlist", "0"),
            ("write_btrt", "0"),
        ])?;
        // SAFETY: with empty_moov the header is all of ftyp + moov; the dynamic buffer is closed and freed here.
        unsafe {
            let code = ffi::avformat_write_header(self.context, &mut options.0);
            let mut buffer = ptr::null_mut();
            let size = ffi::avio_close_dyn_buf((*self.context).pb, &mut buffer);
            (*self.context).pb = ptr::null_mut();
            let header = Bytes::copy_from_slice(bytes(buffer, size));
            ffi::av_free(buffer.cast());
            // Lets the muxer free what it prepared; without a trailer it would leak.
            ffi::avformat_free_context(self.context);
            self.context = ptr::null_mut();
            check("write the init segment", code)?;
            Ok(header)
        }
    }
}

impl Drop for Muxer {
    fn drop(&mut self) {
        if self.context.is_null() {
            return;
        }
        // SAFETY: both freed once.
        unsafe {
            if !(*self.context).pb.is_null() {
                let mut buffer = ptr::null_mut();
                ffi::avio_close_dyn_buf((*self.context).pb, &mut buffer);
                ffi::av_free(buffer.cast());
            }
            ffi::avformat_free_context(self.context);
        }
    }
}

fn rational(num: u32, den: u32) -> AVRational {
    AVRational { num: i32::try_from(num).unwrap_or(i32::MAX), den: i32::try_from(den).unwrap_or(i32::MAX) }
}

/// RFC 7845 §5.1, for sources that do not carry it. Pre-skip is what libopus needs at 48 kHz.
fn opus_head(a: &AudioParams) -> Vec<u8> {
    let mut head = b"OpusHead\x01".to_vec();
    head.push(u8::try_from(a.channels.clamp(1, 2)).unwrap_or(2));
    head.extend_from_slice(&312u16.to_le_bytes());
    head.extend_from_slice(&48_000u32.to_le_bytes());
    head.extend_from_slice(&[0, 0, 0]);
    head
}
