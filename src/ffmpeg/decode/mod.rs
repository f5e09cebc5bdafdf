//! One picture out of recorded footage.
//!
//! [`decode_frame`] decodes in this process; it runs in the child that [`decoder_main`] is.
//! The serving process only ever talks to children, through [`DecoderPool`]: the bytes were made by others,
//! and a crash in libavcodec must cost one picture, not the service.

mod child;
mod picture;
mod pool;
mod small;

use std::io::{Cursor, Read};
use std::ptr;

use bytes::Bytes;
use ffmpeg_next::ffi::{self, AVDiscard, AVMediaType};

use super::ffi_util::{CodecContext, OwnedFrame, OwnedPacket, check, out_of_memory};
use super::interrupt::Interrupt;
use super::reader::ReaderIo;
use super::{Error, VideoCodec};

pub use child::decoder_main;
pub use pool::{DecoderPool, FrameError};
pub use small::SmallPictures;

/// Packets of one request: what a segment can hold at most, times a few.
const PACKETS_MAX: usize = 100_000;
/// A picture decodes on so many threads: a 4K picture in time, without taking the machine.
const THREADS: i32 = 2;

/// A picture as a JPEG file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Jpeg {
    pub bytes: Bytes,
    /// Media time of the picture after the first keyframe of what was given, in microseconds.
    pub at_offset_us: i64,
    pub width: u32,
    pub height: u32,
}

/// Decodes the picture that shows at `offset_us` after the presentation time of the first sample. `media` is
/// one segment as it was recorded, or several consecutive ones when the first is the last independent one.
/// `width` 0 keeps the recorded size; the picture is never enlarged. An offset past the end gives the last
/// picture.
///
/// # Errors
/// When there is no picture in it that decodes.
pub fn decode_frame(init: Bytes, media: Bytes, offset_us: i64, width: u32) -> Result<Jpeg, Error> {
    let mut demuxer = Demuxer::open(init, media)?;
    let packets = demuxer.video_packets()?;
    let first = packets.first().ok_or(Error::Invalid("there is no video in it"))?.pts();
    let target = first.saturating_add(demuxer.to_ticks(offset_us.max(0)));
    // Leading pictures show before the keyframe they follow: they belong to the segment before.
    let shown = packets.iter().map(Picture::pts).filter(|pts| (first..=target).contains(pts)).max().unwrap_or(first);
    let frame = demuxer.decode(&packets, first, shown)?;
    // SAFETY: a decoded frame.
    let at = unsafe { (*frame.as_ptr()).pts };
    let mut jpeg = picture::to_jpeg(&frame, width)?;
    jpeg.at_offset_us = demuxer.to_us(at.saturating_sub(first));
    Ok(jpeg)
}

/// The first picture of `media`, which begins with a keyframe and may be cut off after it, small and ready to be put beside others.
///
/// # Errors
/// When it does not decode.
pub fn decode_small(init: Bytes, media: Bytes, width: u32) -> Result<Jpeg, Error> {
    let mut demuxer = Demuxer::open(init, media)?;
    let packet = demuxer.next_video()?.ok_or(Error::Invalid("there is no video in it"))?;
    // One thread: it is in no hurry. Deblocking costs a third of the decoding, and nothing of it is left at this size.
    let context = demuxer.open_decoder(1, 0)?;
    let frame = OwnedFrame::new()?;
    // SAFETY: decoder, packet and frame are valid; null starts draining.
    unsafe {
        (*context.as_ptr()).skip_loop_filter = AVDiscard::AVDISCARD_ALL;
        check("decode a picture", ffi::avcodec_send_packet(context.as_ptr(), packet.0.as_ptr()))?;
        ffi::avcodec_send_packet(context.as_ptr(), ptr::null());
        check("decode a picture", ffi::avcodec_receive_frame(context.as_ptr(), frame.as_ptr()))?;
    }
    picture::to_small_jpeg(&frame, width)
}

/// Whether the last picture in decode order is all there. `media` begins with a keyframe. What cannot be told (no decoder,
/// nothing but damage) counts as whole: only what is known to be torn is to be left out.
pub fn last_picture_is_whole(init: Bytes, media: Bytes) -> bool {
    let told = || {
        let mut demuxer = Demuxer::open(init, media)?;
        let packets = demuxer.video_packets()?;
        demuxer.decodes_last(&packets)
    };
    told().unwrap_or(true)
}

struct Picture(OwnedPacket);

impl Picture {
    fn pts(&self) -> i64 {
        // SAFETY: a packet that was read.
        let packet = unsafe { &*self.0.as_ptr() };
        if packet.pts == ffi::AV_NOPTS_VALUE { packet.dts } else { packet.pts }
    }
}

struct Demuxer {
    context: *mut ffi::AVFormatContext,
    stream: usize,
    // After the context: it reads from it.
    _io: ReaderIo,
    _interrupt: std::sync::Arc<Interrupt>,
}

impl Demuxer {
    fn open(init: Bytes, media: Bytes) -> Result<Self, Error> {
        let interrupt = Interrupt::new(std::sync::Arc::new(crate::clock::SystemClock));
        let io = ReaderIo::new(Box::new(Cursor::new(init).chain(Cursor::new(media))), interrupt.clone())?;
        // SAFETY: the context is ours until open_input, which frees it on failure; I/O stays ours.
        unsafe {
            let mut context = ffi::avformat_alloc_context();
            if context.is_null() {
                return Err(out_of_memory());
            }
            (*context).pb = io.as_ptr();
            (*context).flags |= ffi::AVFMT_FLAG_CUSTOM_IO;
            let format = ffi::av_find_input_format(c"mov".as_ptr());
            check("open the segment", ffi::avformat_open_input(&mut context, c"".as_ptr(), format, ptr::null_mut()))?;
            let mut demuxer = Demuxer { context, stream: 0, _io: io, _interrupt: interrupt };
            demuxer.stream = demuxer.find_video().ok_or(Error::Invalid("there is no video in it"))?;
            Ok(demuxer)
        }
    }

    fn find_video(&self) -> Option<usize> {
        let mut found = None;
        // SAFETY: streams of an open context.
        unsafe {
            for i in 0..(*self.context).nb_streams as usize {
                let stream = *(*self.context).streams.add(i);
                let parameters = &*(*stream).codecpar;
                let is_video =
                    parameters.codec_type == AVMediaType::AVMEDIA_TYPE_VIDEO && VideoCodec::from_id(parameters.codec_id).is_some();
                if is_video && found.is_none() {
                    found = Some(i);
                } else {
                    (*stream).discard = AVDiscard::AVDISCARD_ALL;
                }
            }
        }
        found
    }

    fn stream(&self) -> &ffi::AVStream {
        // SAFETY: `stream` is below nb_streams.
        unsafe { &**(*self.context).streams.add(self.stream) }
    }

    fn to_ticks(&self, us: i64) -> i64 {
        // SAFETY: pure arithmetic.
        unsafe { ffi::av_rescale_q_rnd(us, MICROS, self.stream().time_base, ffi::AVRounding::AV_ROUND_DOWN) }
    }

    fn to_us(&self, ticks: i64) -> i64 {
        // SAFETY: pure arithmetic.
        unsafe { ffi::av_rescale_q(ticks, self.stream().time_base, MICROS) }
    }

    /// All video packets, in decode order. They reference what the demuxer read; nothing is copied twice.
    fn video_packets(&mut self) -> Result<Vec<Picture>, Error> {
        let mut packets = Vec::new();
        while packets.len() < PACKETS_MAX {
            match self.next_video()? {
                Some(packet) => packets.push(packet),
                None => break,
            }
        }
        Ok(packets)
    }

    /// `None` at the end, or where nothing more can be read.
    fn next_video(&mut self) -> Result<Option<Picture>, Error> {
        loop {
            let packet = OwnedPacket::new()?;
            // SAFETY: context and packet are valid.
            if unsafe { ffi::av_read_frame(self.context, packet.as_ptr()) } < 0 {
                return Ok(None);
            }
            // SAFETY: filled by av_read_frame.
            if unsafe { (*packet.as_ptr()).stream_index } as usize == self.stream {
                return Ok(Some(Picture(packet)));
            }
        }
    }

    /// Decodes up to the picture with presentation time `shown`; gives it, or where it is damaged the one
    /// shown last before it.
    fn decode(&self, packets: &[Picture], first: i64, shown: i64) -> Result<OwnedFrame, Error> {
        let last = packets.iter().position(|p| p.pts() == shown).unwrap_or(packets.len() - 1);
        let context = self.open_decoder(THREADS, 0)?;
        let mut best: Option<OwnedFrame> = None;
        let mut done = false;
        for packet in &packets[..=last] {
            // SAFETY: decoder and packet are valid. A picture no other refers to need only be decoded when it
            // is the one asked for.
            unsafe {
                let is_wanted = packet.pts() == shown;
                (*context.as_ptr()).skip_frame = if is_wanted { AVDiscard::AVDISCARD_DEFAULT } else { AVDiscard::AVDISCARD_NONREF };
                ffi::avcodec_send_packet(context.as_ptr(), packet.0.as_ptr());
            }
            done = drain(&context, first, shown, &mut best)?;
            if done {
                break;
            }
        }
        if !done {
            // SAFETY: null starts draining.
            unsafe { ffi::avcodec_send_packet(context.as_ptr(), ptr::null()) };
            drain(&context, first, shown, &mut best)?;
        }
        best.ok_or(Error::Invalid("the picture cannot be decoded"))
    }

    /// Decodes all packets; whether the decoder complains of the last one.
    fn decodes_last(&self, packets: &[Picture]) -> Result<bool, Error> {
        let context = self.open_decoder(1, ffi::AV_EF_EXPLODE)?;
        let frame = OwnedFrame::new()?;
        let mut is_whole = true;
        for packet in packets {
            // SAFETY: decoder, packet and frame are valid. On one thread errors are those of the packet just sent.
            let code = unsafe {
                let sent = ffi::avcodec_send_packet(context.as_ptr(), packet.0.as_ptr());
                loop {
                    let code = ffi::avcodec_receive_frame(context.as_ptr(), frame.as_ptr());
                    if code < 0 {
                        break if sent < 0 { sent } else { code };
                    }
                }
            };
            is_whole = code == ffi::AVERROR(libc::EAGAIN);
        }
        Ok(is_whole)
    }

    fn open_decoder(&self, threads: i32, err_recognition: i32) -> Result<CodecContext, Error> {
        // SAFETY: parameters belong to the open context; the decoder context is ours.
        unsafe {
            let parameters = self.stream().codecpar;
            let codec = ffi::avcodec_find_decoder((*parameters).codec_id);
            if codec.is_null() {
                return Err(Error::Unsupported("this libavcodec cannot decode the video".into()));
            }
            let context = CodecContext::new(codec)?;
            check("prepare the decoder", ffi::avcodec_parameters_to_context(context.as_ptr(), parameters))?;
            (*context.as_ptr()).thread_count = threads;
            (*context.as_ptr()).err_recognition |= err_recognition;
            (*context.as_ptr()).pkt_timebase = self.stream().time_base;
            check("open the decoder", ffi::avcodec_open2(context.as_ptr(), codec, ptr::null_mut()))?;
            Ok(context)
        }
    }
}

impl Drop for Demuxer {
    fn drop(&mut self) {
        // SAFETY: closed once; custom I/O is freed by its owner afterwards.
        unsafe { ffi::avformat_close_input(&mut self.context) };
    }
}

const MICROS: ffi::AVRational = ffi::AVRational { num: 1, den: 1_000_000 };

/// Takes what the decoder has ready; true when `shown` has come.
fn drain(context: &CodecContext, first: i64, shown: i64, best: &mut Option<OwnedFrame>) -> Result<bool, Error> {
    loop {
        let frame = OwnedFrame::new()?;
        // SAFETY: decoder and frame are valid.
        let pts = unsafe {
            if ffi::avcodec_receive_frame(context.as_ptr(), frame.as_ptr()) < 0 {
                return Ok(false);
            }
            let f = frame.as_ptr();
            if (*f).pts == ffi::AV_NOPTS_VALUE {
                (*f).pts = (*f).best_effort_timestamp;
            }
            (*f).pts
        };
        if (first..=shown).contains(&pts) {
            *best = Some(frame);
        }
        if pts >= shown {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests;
