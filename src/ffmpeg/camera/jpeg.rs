//! Reads the camera's clock out of a JPEG: for tests that ask the service for a picture.

use std::ptr;

use ffmpeg_next::ffi::{self, AVCodecID};

use super::clock_row;
use crate::ffmpeg::Error;
use crate::ffmpeg::ffi_util::{CodecContext, OwnedFrame, OwnedPacket, check, out_of_memory};

/// The time burned into this picture, in milliseconds since the Unix epoch; `None` when it shows none.
///
/// # Errors
/// When the bytes are no JPEG that decodes.
pub fn read_clock(jpeg: &[u8]) -> Result<Option<i64>, Error> {
    let size = i32::try_from(jpeg.len()).map_err(|_| Error::Invalid("the picture is too large"))?;
    // SAFETY: codec, packet and frame are valid and ours; the packet's buffer has the size it was made with, and
    // the luma plane `linesize * height` bytes.
    unsafe {
        let codec = ffi::avcodec_find_decoder(AVCodecID::AV_CODEC_ID_MJPEG);
        let context = CodecContext::new(codec)?;
        check("open the JPEG decoder", ffi::avcodec_open2(context.as_ptr(), codec, ptr::null_mut()))?;
        let packet = OwnedPacket::new()?;
        if ffi::av_new_packet(packet.as_ptr(), size) < 0 {
            return Err(out_of_memory());
        }
        ptr::copy_nonoverlapping(jpeg.as_ptr(), (*packet.as_ptr()).data, jpeg.len());
        check("decode the JPEG", ffi::avcodec_send_packet(context.as_ptr(), packet.as_ptr()))?;
        let frame = OwnedFrame::new()?;
        check("decode the JPEG", ffi::avcodec_receive_frame(context.as_ptr(), frame.as_ptr()))?;
        let f = &*frame.as_ptr();
        let (Ok(stride), Ok(width), Ok(height)) = (usize::try_from(f.linesize[0]), usize::try_from(f.width), usize::try_from(f.height))
        else {
            return Err(Error::Invalid("the picture has no size"));
        };
        let luma = std::slice::from_raw_parts(f.data[0], stride * height);
        Ok(clock_row::read(luma, stride, width, height))
    }
}
