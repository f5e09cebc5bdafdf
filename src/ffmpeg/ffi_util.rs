//! Owners of what libav* allocates.

use std::ffi::{CStr, CString};
use std::ptr;

use ffmpeg_next::ffi;
use libc::c_int;

use super::Error;

/// An `AVDictionary`.
pub(super) struct Dictionary(pub *mut ffi::AVDictionary);

impl Dictionary {
    pub(super) fn new<'a>(entries: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, Error> {
        let mut dictionary = Dictionary(ptr::null_mut());
        for (key, value) in entries {
            let (key, value) = (c_string(key)?, c_string(value)?);
            // SAFETY: both strings live through the call, which copies them.
            let code = unsafe { ffi::av_dict_set(&mut dictionary.0, key.as_ptr(), value.as_ptr(), 0) };
            check("set an option", code)?;
        }
        Ok(dictionary)
    }
}

impl Drop for Dictionary {
    fn drop(&mut self) {
        // SAFETY: frees what av_dict_set allocated; takes null.
        unsafe { ffi::av_dict_free(&mut self.0) };
    }
}

macro_rules! owner {
    ($(#[$doc:meta])* $name:ident, $raw:ty, $alloc:expr, $free:path) => {
        $(#[$doc])*
        pub(super) struct $name(*mut $raw);

        impl $name {
            pub(super) fn new() -> Result<Self, Error> {
                // SAFETY: plain allocation.
                let raw = unsafe { $alloc };
                if raw.is_null() { Err(out_of_memory()) } else { Ok($name(raw)) }
            }
            pub(super) fn as_ptr(&self) -> *mut $raw {
                self.0
            }
        }
        impl Drop for $name {
            fn drop(&mut self) {
                // SAFETY: allocated in `new`, freed once.
                unsafe { $free(&mut self.0) };
            }
        }
        // SAFETY: libav* objects have no thread affinity; the owner is used by one thread at a time.
        unsafe impl Send for $name {}
    };
}

owner!(OwnedPacket, ffi::AVPacket, ffi::av_packet_alloc(), ffi::av_packet_free);
owner!(OwnedFrame, ffi::AVFrame, ffi::av_frame_alloc(), ffi::av_frame_free);

/// An `AVCodecContext`.
pub(super) struct CodecContext(*mut ffi::AVCodecContext);

impl CodecContext {
    pub(super) fn new(codec: *const ffi::AVCodec) -> Result<Self, Error> {
        // SAFETY: takes null (no codec yet).
        let raw = unsafe { ffi::avcodec_alloc_context3(codec) };
        if raw.is_null() { Err(out_of_memory()) } else { Ok(CodecContext(raw)) }
    }
    pub(super) fn as_ptr(&self) -> *mut ffi::AVCodecContext {
        self.0
    }
}

impl Drop for CodecContext {
    fn drop(&mut self) {
        // SAFETY: allocated in `new`, freed once; closes the codec.
        unsafe { ffi::avcodec_free_context(&mut self.0) };
    }
}

// SAFETY: as for the owners above.
unsafe impl Send for CodecContext {}

pub(super) fn c_string(text: &str) -> Result<CString, Error> {
    CString::new(text).map_err(|_| Error::Unsupported("an option or URL holds a NUL byte".into()))
}

pub(super) fn check(step: &'static str, code: c_int) -> Result<c_int, Error> {
    if code < 0 { Err(Error::library(step, code)) } else { Ok(code) }
}

pub(super) fn out_of_memory() -> Error {
    Error::library("allocate memory", ffi::AVERROR(libc::ENOMEM))
}

/// A text that libav* owns and keeps; empty for null.
///
/// # Safety
/// `text` is null or terminated, and lives as long as the process.
pub(super) unsafe fn static_str(text: *const libc::c_char) -> &'static str {
    if text.is_null() {
        return "";
    }
    // SAFETY: by the contract above.
    unsafe { CStr::from_ptr(text) }.to_str().unwrap_or("")
}

/// The bytes at `data`, which may be null when `len` is 0.
///
/// # Safety
/// `data` is valid for `len` bytes for `'a`.
pub(super) unsafe fn bytes<'a>(data: *const u8, len: c_int) -> &'a [u8] {
    match usize::try_from(len) {
        // SAFETY: by the contract above.
        Ok(len) if len > 0 && !data.is_null() => unsafe { std::slice::from_raw_parts(data, len) },
        _ => &[],
    }
}

/// Gives `parameters` a copy of `extradata`, padded as libavcodec demands.
///
/// # Safety
/// `parameters` is valid and its extradata, if any, was allocated by libav*.
pub(super) unsafe fn set_extradata(parameters: *mut ffi::AVCodecParameters, extradata: &[u8]) -> Result<(), Error> {
    let size = c_int::try_from(extradata.len()).map_err(|_| Error::Invalid("the codec's parameters are too large"))?;
    // SAFETY: av_mallocz gives zeroed memory with room for the padding; the old buffer is freed first.
    unsafe {
        ffi::av_freep(ptr::addr_of_mut!((*parameters).extradata).cast());
        (*parameters).extradata_size = 0;
        if extradata.is_empty() {
            return Ok(());
        }
        let copy = ffi::av_mallocz(extradata.len() + ffi::AV_INPUT_BUFFER_PADDING_SIZE as usize).cast::<u8>();
        if copy.is_null() {
            return Err(out_of_memory());
        }
        ptr::copy_nonoverlapping(extradata.as_ptr(), copy, extradata.len());
        (*parameters).extradata = copy;
        (*parameters).extradata_size = size;
    }
    Ok(())
}
