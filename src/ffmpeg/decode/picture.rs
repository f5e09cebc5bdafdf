//! A decoded frame becomes a JPEG of the width asked for.

use std::ptr;

use bytes::Bytes;
use ffmpeg_next::ffi::{self, AVCodecID, AVColorRange, AVColorSpace, AVPixelFormat};

use super::Jpeg;
use crate::ffmpeg::Error;
use crate::ffmpeg::ffi_util::{CodecContext, OwnedFrame, OwnedPacket, bytes, check};

/// Quantiser of the JPEG encoder: visually lossless at 2, blocks show at 10.
const QUALITY: i32 = 4;
/// The same for small pictures: what blocks show at this size is smaller than what a thumb covers, and a picture takes 3 to 8 KB.
const SMALL_QUALITY: i32 = 7;
/// A small picture is no higher than this.
const SMALL_HEIGHT_MAX: i32 = 640;
/// The largest side of a JPEG file.
const SIDE_MAX: i64 = 65_500;

/// `width` 0 or beyond the picture's: as it is. Pixels come out square.
pub(super) fn to_jpeg(frame: &OwnedFrame, width: u32) -> Result<Jpeg, Error> {
    let (width, height) = output_size(frame, width)?;
    let scaled = scale(frame, width, height)?;
    let bytes = encode(&scaled, width, height, Kind::Full)?;
    Ok(Jpeg { bytes, at_offset_us: 0, width: width.unsigned_abs(), height: height.unsigned_abs() })
}

/// A picture for a sheet: with a restart marker after each row of MCUs, so that it can be put beside others as it is.
pub(super) fn to_small_jpeg(frame: &OwnedFrame, width: u32) -> Result<Jpeg, Error> {
    let (width, height) = output_size(frame, width)?;
    let height = height.min(SMALL_HEIGHT_MAX);
    let scaled = scale(frame, width, height)?;
    let bytes = encode(&scaled, width, height, Kind::Small)?;
    Ok(Jpeg { bytes, at_offset_us: 0, width: width.unsigned_abs(), height: height.unsigned_abs() })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Full,
    Small,
}

fn output_size(frame: &OwnedFrame, wanted: u32) -> Result<(i32, i32), Error> {
    // SAFETY: plain fields.
    let (w, h, aspect) = unsafe {
        let f = &*frame.as_ptr();
        (i64::from(f.width), i64::from(f.height), f.sample_aspect_ratio)
    };
    if w <= 0 || h <= 0 {
        return Err(Error::Invalid("the picture has no size"));
    }
    let plausible =
        aspect.num > 0 && aspect.den > 0 && aspect.num <= aspect.den.saturating_mul(4) && aspect.den <= aspect.num.saturating_mul(4);
    let (num, den) = if plausible { (i64::from(aspect.num), i64::from(aspect.den)) } else { (1, 1) };
    let natural = (w * num / den).clamp(1, SIDE_MAX);
    let width = if wanted == 0 { natural } else { i64::from(wanted).min(natural) };
    let height = (h * width + natural / 2) / natural;
    // Even sides: the chroma planes are half as large.
    let even = |v: i64| i32::try_from((v.clamp(2, SIDE_MAX) + 1) & !1).unwrap_or(2);
    Ok((even(width), even(height)))
}

fn scale(frame: &OwnedFrame, width: i32, height: i32) -> Result<OwnedFrame, Error> {
    let out = OwnedFrame::new()?;
    // SAFETY: both frames are valid, the output's buffer is allocated for its size; the context is freed.
    unsafe {
        let (from, to) = (&*frame.as_ptr(), &mut *out.as_ptr());
        (to.width, to.height) = (width, height);
        to.format = AVPixelFormat::AV_PIX_FMT_YUVJ420P as i32;
        to.color_range = AVColorRange::AVCOL_RANGE_JPEG;
        check("scale the picture", ffi::av_frame_get_buffer(out.as_ptr(), 0))?;
        let (source_format, source_is_full) = pixel_format(from);
        let context = ffi::sws_getContext(
            from.width,
            from.height,
            source_format,
            width,
            height,
            AVPixelFormat::AV_PIX_FMT_YUV420P,
            // Averages when it shrinks: thin lines and the burned-in clock stay readable.
            ffi::SWS_AREA as i32,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null(),
        );
        if context.is_null() {
            return Err(Error::Unsupported("the picture's pixel format cannot be converted".into()));
        }
        // JPEG is BT.601, full range; cameras send BT.709 or 601, mostly limited.
        let from_matrix = ffi::sws_getCoefficients(matrix(from));
        let to_matrix = ffi::sws_getCoefficients(ffi::SWS_CS_ITU601 as i32);
        ffi::sws_setColorspaceDetails(context, from_matrix, source_is_full, to_matrix, 1, 0, 1 << 16, 1 << 16);
        let rows = ffi::sws_scale(
            context,
            from.data.as_ptr().cast(),
            from.linesize.as_ptr(),
            0,
            from.height,
            to.data.as_ptr(),
            to.linesize.as_ptr(),
        );
        ffi::sws_freeContext(context);
        check("scale the picture", rows)?;
    }
    Ok(out)
}

/// The frame's format for the scaler, which wants the deprecated full-range twins under their plain names.
fn pixel_format(frame: &ffi::AVFrame) -> (AVPixelFormat, i32) {
    use AVPixelFormat::*;
    // SAFETY: the value was put there by this libavcodec, whose header the enumeration was made from.
    let format: AVPixelFormat = unsafe { std::mem::transmute(frame.format) };
    let full = i32::from(frame.color_range == AVColorRange::AVCOL_RANGE_JPEG);
    match format {
        AV_PIX_FMT_YUVJ420P => (AV_PIX_FMT_YUV420P, 1),
        AV_PIX_FMT_YUVJ422P => (AV_PIX_FMT_YUV422P, 1),
        AV_PIX_FMT_YUVJ444P => (AV_PIX_FMT_YUV444P, 1),
        other => (other, full),
    }
}

fn matrix(frame: &ffi::AVFrame) -> i32 {
    match frame.colorspace {
        AVColorSpace::AVCOL_SPC_BT709 => ffi::SWS_CS_ITU709 as i32,
        AVColorSpace::AVCOL_SPC_BT2020_NCL | AVColorSpace::AVCOL_SPC_BT2020_CL => ffi::SWS_CS_BT2020 as i32,
        // Unmarked HD is BT.709 by custom, everything smaller BT.601.
        AVColorSpace::AVCOL_SPC_UNSPECIFIED if frame.height >= 720 => ffi::SWS_CS_ITU709 as i32,
        _ => ffi::SWS_CS_ITU601 as i32,
    }
}

fn encode(frame: &OwnedFrame, width: i32, height: i32, kind: Kind) -> Result<Bytes, Error> {
    // SAFETY: encoder, frame and packet are valid and ours.
    unsafe {
        let codec = ffi::avcodec_find_encoder(AVCodecID::AV_CODEC_ID_MJPEG);
        if codec.is_null() {
            return Err(Error::Unsupported("this libavcodec has no JPEG encoder".into()));
        }
        let context = CodecContext::new(codec)?;
        let c = &mut *context.as_ptr();
        (c.width, c.height) = (width, height);
        c.pix_fmt = AVPixelFormat::AV_PIX_FMT_YUVJ420P;
        c.color_range = AVColorRange::AVCOL_RANGE_JPEG;
        c.time_base = ffi::AVRational { num: 1, den: 25 };
        c.flags |= ffi::AV_CODEC_FLAG_QSCALE as i32;
        c.global_quality = ffi::FF_QP2LAMBDA * if kind == Kind::Small { SMALL_QUALITY } else { QUALITY };
        c.thread_count = 1;
        if kind == Kind::Small {
            // Slices are what libavcodec writes restart markers and the standard tables for; two threads are the least that makes it
            // cut any. Without its name in the file all pictures have the same head.
            c.thread_count = 2;
            c.thread_type = ffi::FF_THREAD_SLICE as i32;
            c.flags |= ffi::AV_CODEC_FLAG_BITEXACT as i32;
        }
        check("open the JPEG encoder", ffi::avcodec_open2(context.as_ptr(), codec, ptr::null_mut()))?;
        (*frame.as_ptr()).quality = c.global_quality;
        (*frame.as_ptr()).pts = 0;
        check("encode the picture", ffi::avcodec_send_frame(context.as_ptr(), frame.as_ptr()))?;
        let packet = OwnedPacket::new()?;
        ffi::avcodec_send_frame(context.as_ptr(), ptr::null());
        check("encode the picture", ffi::avcodec_receive_packet(context.as_ptr(), packet.as_ptr()))?;
        Ok(Bytes::copy_from_slice(bytes((*packet.as_ptr()).data, (*packet.as_ptr()).size)))
    }
}
