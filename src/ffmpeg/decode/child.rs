//! What the serving process and a decoder child say to one another, over the child's stdin and stdout, and
//! the child's loop.
//!
//! Little-endian. Request: `init_len u32 · media_len u32 · offset_us i64 · width u32 · what u32`, then init and media. What: 0 the picture at
//! the offset, 1 the first picture, small.
//! Response: `status u8 · len u32 · at_offset_us i64 · width u32 · height u32`, then `len` bytes: the JPEG, or
//! for status 1 the error's text.

use std::io::{self, Read, Write};

use bytes::Bytes;

use super::{Jpeg, decode_frame, decode_small};

pub(super) const REQUEST_BYTES: usize = 24;
pub(super) const RESPONSE_BYTES: usize = 21;
/// Ours are about 1 KiB.
pub(super) const INIT_MAX_BYTES: usize = 1 << 20;
/// A segment is cut at 256 MiB.
pub(super) const MEDIA_MAX_BYTES: usize = 512 << 20;
/// A JPEG of the largest picture, with room to spare.
pub(super) const JPEG_MAX_BYTES: usize = 64 << 20;
/// Address space of a child: a picture that wants more is not one.
const MEMORY_MAX_BYTES: u64 = 4 << 30;

pub(super) struct Request {
    pub init_len: usize,
    pub media_len: usize,
    pub offset_us: i64,
    pub width: u32,
    /// The first picture, for a sheet.
    pub small: bool,
}

impl Request {
    pub(super) fn to_bytes(&self) -> [u8; REQUEST_BYTES] {
        let mut out = [0; REQUEST_BYTES];
        out[0..4].copy_from_slice(&(self.init_len as u32).to_le_bytes());
        out[4..8].copy_from_slice(&(self.media_len as u32).to_le_bytes());
        out[8..16].copy_from_slice(&self.offset_us.to_le_bytes());
        out[16..20].copy_from_slice(&self.width.to_le_bytes());
        out[20..24].copy_from_slice(&u32::from(self.small).to_le_bytes());
        out
    }
    fn from_bytes(b: &[u8; REQUEST_BYTES]) -> Self {
        Request {
            init_len: u32_at(b, 0) as usize,
            media_len: u32_at(b, 4) as usize,
            offset_us: i64_at(b, 8),
            width: u32_at(b, 16),
            small: u32_at(b, 20) == 1,
        }
    }
    pub(super) fn is_bounded(&self) -> bool {
        self.init_len <= INIT_MAX_BYTES && self.media_len <= MEDIA_MAX_BYTES
    }
}

pub(super) struct Response {
    pub is_picture: bool,
    pub len: usize,
    pub at_offset_us: i64,
    pub width: u32,
    pub height: u32,
}

impl Response {
    pub(super) fn to_bytes(&self) -> [u8; RESPONSE_BYTES] {
        let mut out = [0; RESPONSE_BYTES];
        out[0] = u8::from(!self.is_picture);
        out[1..5].copy_from_slice(&(self.len as u32).to_le_bytes());
        out[5..13].copy_from_slice(&self.at_offset_us.to_le_bytes());
        out[13..17].copy_from_slice(&self.width.to_le_bytes());
        out[17..21].copy_from_slice(&self.height.to_le_bytes());
        out
    }
    pub(super) fn from_bytes(b: &[u8; RESPONSE_BYTES]) -> Self {
        Response {
            is_picture: b[0] == 0,
            len: u32_at(b, 1) as usize,
            at_offset_us: i64_at(b, 5),
            width: u32_at(b, 13),
            height: u32_at(b, 17),
        }
    }
}

fn u32_at(b: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(b[at..at + 4].try_into().expect("four bytes"))
}

fn i64_at(b: &[u8], at: usize) -> i64 {
    i64::from_le_bytes(b[at..at + 8].try_into().expect("eight bytes"))
}

/// The whole of a decoder child: bounds its memory, then answers requests on stdin until that ends.
///
/// # Errors
/// As for [`serve_decoder`].
pub fn decoder_main() -> io::Result<()> {
    crate::ffmpeg::init();
    limit_memory();
    serve_decoder(io::stdin().lock(), io::stdout().lock())
}

/// The child's loop.
///
/// # Errors
/// When the pipes break or a request is out of bounds: the parent is gone or not ours.
fn serve_decoder(mut input: impl Read, mut output: impl Write) -> io::Result<()> {
    let mut header = [0; REQUEST_BYTES];
    while read_whole(&mut input, &mut header)? {
        let request = Request::from_bytes(&header);
        if !request.is_bounded() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "decoder request out of bounds"));
        }
        let init = read_bytes(&mut input, request.init_len)?;
        let media = read_bytes(&mut input, request.media_len)?;
        let made = match request.small {
            true => decode_small(init, media, request.width),
            false => decode_frame(init, media, request.offset_us, request.width),
        };
        match made {
            Ok(jpeg) => answer(&mut output, &jpeg)?,
            Err(e) => refuse(&mut output, &e.to_string())?,
        }
    }
    Ok(())
}

fn answer(output: &mut impl Write, jpeg: &Jpeg) -> io::Result<()> {
    let (at_offset_us, width, height) = (jpeg.at_offset_us, jpeg.width, jpeg.height);
    output.write_all(&Response { is_picture: true, len: jpeg.bytes.len(), at_offset_us, width, height }.to_bytes())?;
    output.write_all(&jpeg.bytes)?;
    output.flush()
}

fn refuse(output: &mut impl Write, text: &str) -> io::Result<()> {
    output.write_all(&Response { is_picture: false, len: text.len(), at_offset_us: 0, width: 0, height: 0 }.to_bytes())?;
    output.write_all(text.as_bytes())?;
    output.flush()
}

/// False at an orderly end of input.
fn read_whole(input: &mut impl Read, header: &mut [u8]) -> io::Result<bool> {
    match input.read_exact(header) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(e) => Err(e),
    }
}

fn read_bytes(input: &mut impl Read, len: usize) -> io::Result<Bytes> {
    let mut out = vec![0; len];
    input.read_exact(&mut out)?;
    Ok(out.into())
}

/// Best effort: where it fails the bounds on requests remain.
fn limit_memory() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let limit = Rlimit { current: Some(MEMORY_MAX_BYTES), maximum: Some(MEMORY_MAX_BYTES) };
    let _ = setrlimit(Resource::As, limit);
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let _ = setrlimit(Resource::Core, none);
}

#[cfg(test)]
mod tests {
    use super::*;

    use bytes::Bytes;

    use crate::ffmpeg::decode::tests::{h264_options, recorded};

    #[test]
    fn the_loop_answers_each_request() {
        let (init, segments) = recorded(&h264_options(0), "mpegts");
        let request = |init: &Bytes, media: &Bytes| {
            let header = Request { init_len: init.len(), media_len: media.len(), offset_us: 0, width: 96, small: false };
            [&header.to_bytes()[..], init, media].concat()
        };
        let (bad, good) = (request(&init, &Bytes::from_static(b"nonsense")), request(&init, &segments[0].1));
        let mut output = Vec::new();
        serve_decoder(io::Cursor::new([bad, good].concat()), &mut output).unwrap();
        let (header, rest) = output.split_first_chunk().unwrap();
        let refused = Response::from_bytes(header);
        assert!(!refused.is_picture);
        let (header, rest) = rest[refused.len..].split_first_chunk().unwrap();
        let answered = Response::from_bytes(header);
        assert_eq!((answered.is_picture, answered.width, answered.height), (true, 96, 54));
        assert_eq!(rest.len(), answered.len);
    }

    #[test]
    fn messages_read_back() {
        let r = Request { init_len: 7, media_len: 1 << 20, offset_us: -1, width: 640, small: true };
        let b = Request::from_bytes(&r.to_bytes());
        assert_eq!((b.init_len, b.media_len, b.offset_us, b.width, b.small), (7, 1 << 20, -1, 640, true));
        let r = Response { is_picture: true, len: 9, at_offset_us: 40_000, width: 3, height: 4 };
        let b = Response::from_bytes(&r.to_bytes());
        assert_eq!((b.is_picture, b.len, b.at_offset_us, b.width, b.height), (true, 9, 40_000, 3, 4));
        assert!(!Request { init_len: usize::MAX, media_len: 0, offset_us: 0, width: 0, small: false }.is_bounded());
    }
}
