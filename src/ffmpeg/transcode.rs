//! Audio that browsers cannot play becomes AAC. The only place where anything is recoded.

use std::ptr;

use bytes::Bytes;
use ffmpeg_next::ffi::{self, AVCodecID, AVSampleFormat};

use super::ffi_util::{CodecContext, OwnedFrame, OwnedPacket, bytes, check};
use super::track::{AudioCodec, AudioParams, Media, TimeBase, codec_name};
use super::{Error, Packet};

/// Timestamps may wander this far from the count of samples before the count is set anew, in milliseconds:
/// more than the jitter of millisecond containers and RTP, less than one hears against the picture.
const RESYNC_MS: i64 = 60;

/// Decoder → resampler → queue → AAC encoder. Timestamps of the source are kept: a packet's `pts` is the time
/// of its first sample, counted in samples of the encoder's rate.
pub struct AudioTranscoder {
    decoder: CodecContext,
    encoder: CodecContext,
    resampler: *mut ffi::SwrContext,
    fifo: *mut ffi::AVAudioFifo,
    decoded: OwnedFrame,
    resampled: OwnedFrame,
    frame: OwnedFrame,
    packet: OwnedPacket,
    params: AudioParams,
    source: SourceShape,
    source_time_base: TimeBase,
    /// Time of the queue's first sample, in output samples; `None` before the first.
    next_ticks: Option<i64>,
    flushing: bool,
}

#[derive(PartialEq, Eq, Clone, Copy)]
struct SourceShape {
    codec: AVCodecID,
    sample_rate: i32,
    channels: i32,
}

impl SourceShape {
    fn of(parameters: &ffi::AVCodecParameters) -> Self {
        SourceShape { codec: parameters.codec_id, sample_rate: parameters.sample_rate, channels: parameters.ch_layout.nb_channels }
    }
}

// SAFETY: libav* objects have no thread affinity; all use is through `&mut self`.
unsafe impl Send for AudioTranscoder {}

impl AudioTranscoder {
    /// # Errors
    /// [`Error::Unsupported`] when this audio is not recoded.
    pub(super) fn new(parameters: &ffi::AVCodecParameters, time_base: TimeBase) -> Result<Self, Error> {
        let source = SourceShape::of(parameters);
        if !is_recoded(source.codec) || source.sample_rate <= 0 || source.channels <= 0 {
            return Err(Error::Unsupported(format!("{} audio is not recorded", codec_name(source.codec))));
        }
        let decoder = open_decoder(parameters, time_base)?;
        let channels = source.channels.min(2);
        let rate = output_rate(source.sample_rate);
        let encoder = open_encoder(rate, channels)?;
        // SAFETY: the encoder is open; its extradata lives as long as it does.
        let (extradata, fifo) = unsafe {
            let e = &*encoder.as_ptr();
            let extradata = Bytes::copy_from_slice(bytes(e.extradata, e.extradata_size));
            (extradata, ffi::av_audio_fifo_alloc(e.sample_fmt, channels, e.frame_size.max(1024)))
        };
        let transcoder = AudioTranscoder {
            decoder,
            encoder,
            resampler: ptr::null_mut(),
            fifo,
            decoded: OwnedFrame::new()?,
            resampled: OwnedFrame::new()?,
            frame: OwnedFrame::new()?,
            packet: OwnedPacket::new()?,
            params: AudioParams {
                codec: AudioCodec::Aac,
                extradata,
                sample_rate: rate.unsigned_abs(),
                channels: channels.unsigned_abs(),
                time_base: TimeBase::new(1, rate.unsigned_abs(), 64),
                recoded_from: Some(codec_name(source.codec)),
            },
            source,
            source_time_base: time_base,
            next_ticks: None,
            flushing: false,
        };
        if transcoder.fifo.is_null() { Err(super::ffi_util::out_of_memory()) } else { Ok(transcoder) }
    }

    /// What comes out.
    pub fn params(&self) -> AudioParams {
        self.params.clone()
    }

    pub(super) fn takes(&self, parameters: &ffi::AVCodecParameters) -> bool {
        SourceShape::of(parameters) == self.source
    }

    /// Decodes a packet into the queue. A packet that does not decode is left out.
    pub(super) fn send(&mut self, packet: *const ffi::AVPacket) -> Result<(), Error> {
        // SAFETY: the caller's packet is valid; the decoder is open.
        let code = unsafe { ffi::avcodec_send_packet(self.decoder.as_ptr(), packet) };
        if code < 0 {
            return Ok(());
        }
        self.drain_decoder()
    }

    /// The source is over: what is queued will come out.
    pub(super) fn finish(&mut self) -> Result<(), Error> {
        // SAFETY: a null packet starts draining.
        unsafe { ffi::avcodec_send_packet(self.decoder.as_ptr(), ptr::null()) };
        self.drain_decoder()?;
        self.flushing = true;
        Ok(())
    }

    /// Encodes the next packet, if enough is queued; then [`Self::packet`] borrows it.
    pub(super) fn receive(&mut self) -> Result<bool, Error> {
        loop {
            // SAFETY: encoder and packet are valid.
            let code = unsafe {
                ffi::av_packet_unref(self.packet.as_ptr());
                ffi::avcodec_receive_packet(self.encoder.as_ptr(), self.packet.as_ptr())
            };
            if code >= 0 {
                return Ok(true);
            }
            if code != ffi::AVERROR(libc::EAGAIN) || !self.encode_one()? {
                return Ok(false);
            }
        }
    }

    pub(super) fn packet(&self) -> Packet<'_> {
        // SAFETY: filled by `receive`, valid until the next one, which takes `&mut self`.
        let raw = unsafe { &*self.packet.as_ptr() };
        Packet {
            media: Media::Audio,
            pts: Some(raw.pts),
            dts: Some(raw.pts),
            duration_ticks: raw.duration.max(0),
            keyframe: true,
            data: unsafe { bytes(raw.data, raw.size) },
        }
    }

    fn drain_decoder(&mut self) -> Result<(), Error> {
        loop {
            // SAFETY: decoder and frame are valid; the frame is replaced.
            let code = unsafe { ffi::avcodec_receive_frame(self.decoder.as_ptr(), self.decoded.as_ptr()) };
            if code < 0 {
                return Ok(());
            }
            self.queue_decoded()?;
        }
    }

    /// Resamples the decoded frame into the queue and keeps the count of time.
    fn queue_decoded(&mut self) -> Result<(), Error> {
        self.ensure_resampler()?;
        self.keep_time()?;
        // SAFETY: both frames are valid; the output frame is described before swr fills it.
        unsafe {
            let out = self.resampled.as_ptr();
            ffi::av_frame_unref(out);
            let encoder = &*self.encoder.as_ptr();
            (*out).sample_rate = encoder.sample_rate;
            (*out).format = encoder.sample_fmt as i32;
            check("resample audio", ffi::av_channel_layout_copy(&mut (*out).ch_layout, &encoder.ch_layout))?;
            let code = ffi::swr_convert_frame(self.resampler, out, self.decoded.as_ptr());
            if code < 0 {
                // The decoder changed its output under way: start over with the new shape.
                ffi::swr_free(&mut self.resampler);
                self.ensure_resampler()?;
                check("resample audio", ffi::swr_convert_frame(self.resampler, out, self.decoded.as_ptr()))?;
            }
            let data = (*out).extended_data.cast::<*mut libc::c_void>();
            check("queue audio", ffi::av_audio_fifo_write(self.fifo, data, (*out).nb_samples))?;
        }
        Ok(())
    }

    fn ensure_resampler(&mut self) -> Result<(), Error> {
        if !self.resampler.is_null() {
            return Ok(());
        }
        // SAFETY: encoder and decoded frame are valid; swr copies the layouts.
        unsafe {
            let (encoder, frame) = (&*self.encoder.as_ptr(), &mut *self.decoded.as_ptr());
            if frame.ch_layout.order == ffi::AVChannelOrder::AV_CHANNEL_ORDER_UNSPEC {
                let channels = frame.ch_layout.nb_channels;
                ffi::av_channel_layout_default(&mut frame.ch_layout, channels);
            }
            // Older libswresample asks for mutable layouts it does not change.
            let code = ffi::swr_alloc_set_opts2(
                &mut self.resampler,
                ptr::from_ref(&encoder.ch_layout).cast_mut(),
                encoder.sample_fmt,
                encoder.sample_rate,
                ptr::from_ref(&frame.ch_layout).cast_mut(),
                sample_format(frame.format),
                frame.sample_rate,
                0,
                ptr::null_mut(),
            );
            check("prepare the resampler", code)?;
            check("prepare the resampler", ffi::swr_init(self.resampler))?;
        }
        Ok(())
    }

    /// Compares the decoded frame's time with the count; beyond the tolerance the count follows the source,
    /// and what is still queued is dropped with it (less than one AAC frame).
    fn keep_time(&mut self) -> Result<(), Error> {
        // SAFETY: plain fields.
        let (pts, rate, queued) = unsafe {
            let pts = (*self.decoded.as_ptr()).best_effort_timestamp;
            (pts, i64::from((*self.encoder.as_ptr()).sample_rate), i64::from(ffi::av_audio_fifo_size(self.fifo)))
        };
        if pts == ffi::AV_NOPTS_VALUE {
            self.next_ticks.get_or_insert(0);
            return Ok(());
        }
        let tb = self.source_time_base;
        let at = i128::from(pts) * i128::from(tb.num) * i128::from(rate) / i128::from(tb.den);
        let at = i64::try_from(at).unwrap_or(0);
        match self.next_ticks {
            Some(next) if (at - (next + queued)).abs() <= rate * RESYNC_MS / 1000 => {}
            _ => {
                // SAFETY: the queue is valid.
                unsafe { ffi::av_audio_fifo_reset(self.fifo) };
                self.next_ticks = Some(at);
            }
        }
        Ok(())
    }

    /// Gives the encoder one frame, or at the end what is left; false when it must wait for more.
    fn encode_one(&mut self) -> Result<bool, Error> {
        // SAFETY: all objects are valid; the frame's buffer has room for frame_size samples.
        unsafe {
            let encoder = &*self.encoder.as_ptr();
            let queued = ffi::av_audio_fifo_size(self.fifo);
            let samples = queued.min(encoder.frame_size);
            if samples == 0 && self.flushing {
                return Ok(ffi::avcodec_send_frame(self.encoder.as_ptr(), ptr::null()) >= 0);
            }
            if samples < encoder.frame_size && !self.flushing {
                return Ok(false);
            }
            let frame = self.frame.as_ptr();
            ffi::av_frame_unref(frame);
            (*frame).nb_samples = samples;
            (*frame).format = encoder.sample_fmt as i32;
            (*frame).sample_rate = encoder.sample_rate;
            check("encode audio", ffi::av_channel_layout_copy(&mut (*frame).ch_layout, &encoder.ch_layout))?;
            check("encode audio", ffi::av_frame_get_buffer(frame, 0))?;
            let data = (*frame).extended_data.cast::<*mut libc::c_void>();
            check("encode audio", ffi::av_audio_fifo_read(self.fifo, data, samples))?;
            let at = self.next_ticks.unwrap_or(0);
            (*frame).pts = at;
            self.next_ticks = Some(at + i64::from(samples));
            check("encode audio", ffi::avcodec_send_frame(self.encoder.as_ptr(), frame))?;
        }
        Ok(true)
    }
}

impl Drop for AudioTranscoder {
    fn drop(&mut self) {
        // SAFETY: each freed once; both take null.
        unsafe {
            ffi::swr_free(&mut self.resampler);
            ffi::av_audio_fifo_free(self.fifo);
        }
    }
}

/// PCM in all its forms, the telephone codecs of cameras, and what broadcast sends: none of it plays in a browser.
fn is_recoded(id: AVCodecID) -> bool {
    use AVCodecID::*;
    let name = codec_name(id);
    name.starts_with("pcm_")
        || matches!(
            id,
            AV_CODEC_ID_ADPCM_G722
                | AV_CODEC_ID_ADPCM_G726
                | AV_CODEC_ID_ADPCM_G726LE
                | AV_CODEC_ID_ADPCM_IMA_WAV
                | AV_CODEC_ID_MP2
                | AV_CODEC_ID_AC3
                | AV_CODEC_ID_EAC3
                | AV_CODEC_ID_AAC_LATM
                | AV_CODEC_ID_VORBIS
                | AV_CODEC_ID_FLAC
                | AV_CODEC_ID_SPEEX
        )
}

/// A rate that AAC has and players like: 8 kHz telephone audio becomes 16 kHz, odd rates the next one up.
fn output_rate(source: i32) -> i32 {
    [16_000, 22_050, 24_000, 32_000, 44_100, 48_000].into_iter().find(|r| *r >= source).unwrap_or(48_000)
}

fn open_decoder(parameters: &ffi::AVCodecParameters, time_base: TimeBase) -> Result<CodecContext, Error> {
    // SAFETY: parameters are valid; the context is ours.
    unsafe {
        let codec = ffi::avcodec_find_decoder(parameters.codec_id);
        if codec.is_null() {
            return Err(Error::Unsupported(format!("this libavcodec cannot decode {}", codec_name(parameters.codec_id))));
        }
        let context = CodecContext::new(codec)?;
        check("prepare the audio decoder", ffi::avcodec_parameters_to_context(context.as_ptr(), parameters))?;
        (*context.as_ptr()).thread_count = 1;
        (*context.as_ptr()).pkt_timebase =
            ffi::AVRational { num: i32::try_from(time_base.num).unwrap_or(1), den: i32::try_from(time_base.den).unwrap_or(1) };
        check("open the audio decoder", ffi::avcodec_open2(context.as_ptr(), codec, ptr::null_mut()))?;
        Ok(context)
    }
}

fn open_encoder(rate: i32, channels: i32) -> Result<CodecContext, Error> {
    // SAFETY: the context is ours; fields are set before it is opened.
    unsafe {
        let codec = ffi::avcodec_find_encoder(AVCodecID::AV_CODEC_ID_AAC);
        if codec.is_null() {
            return Err(Error::Unsupported("this libavcodec has no AAC encoder".into()));
        }
        let context = CodecContext::new(codec)?;
        let c = &mut *context.as_ptr();
        c.sample_rate = rate;
        c.sample_fmt = AVSampleFormat::AV_SAMPLE_FMT_FLTP;
        ffi::av_channel_layout_default(&mut c.ch_layout, channels);
        // Speech at 16 kHz is clear at 32 kbit/s; music at 48 kHz gets 96 per channel pair.
        c.bit_rate = i64::from(rate) * 2 * i64::from(channels);
        c.time_base = ffi::AVRational { num: 1, den: rate };
        c.flags |= ffi::AV_CODEC_FLAG_GLOBAL_HEADER as i32;
        c.thread_count = 1;
        check("open the AAC encoder", ffi::avcodec_open2(context.as_ptr(), codec, ptr::null_mut()))?;
        Ok(context)
    }
}

/// The enumeration behind `AVFrame.format` of an audio frame.
fn sample_format(format: i32) -> AVSampleFormat {
    use AVSampleFormat::*;
    [
        AV_SAMPLE_FMT_U8,
        AV_SAMPLE_FMT_S16,
        AV_SAMPLE_FMT_S32,
        AV_SAMPLE_FMT_FLT,
        AV_SAMPLE_FMT_DBL,
        AV_SAMPLE_FMT_U8P,
        AV_SAMPLE_FMT_S16P,
        AV_SAMPLE_FMT_S32P,
        AV_SAMPLE_FMT_FLTP,
        AV_SAMPLE_FMT_DBLP,
        AV_SAMPLE_FMT_S64,
        AV_SAMPLE_FMT_S64P,
    ]
    .into_iter()
    .find(|f| *f as i32 == format)
    .unwrap_or(AV_SAMPLE_FMT_NONE)
}
